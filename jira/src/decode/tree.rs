//! The catalogue turned around: from the members of Jira's objects to the columns that they fill.

use crate::decode::lenient::Reader;
use crate::decode::list::Shape;
use crate::fields::{CustomType, IssueSchema};
use crate::rows::Cell;
use crate::tables::{
    ByIssueTable, ColumnSpec, ColumnType, Element, Table, Take, changelog, issue_sprints, issues,
    service_desk,
};
use serde::de::{DeserializeSeed, Deserializer};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Part of an issue that needs more than filling cells of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Fields,
    /// A list of the issue's children: the table, and the place of the member among those of its lists.
    List(Table, usize),
    /// A custom field that holds several values, by its place among them.
    Values(usize),
    /// The changed fields of a history entry.
    Items,
    /// The cycles of an SLA that are over, and the one that is not.
    Completed,
    Ongoing,
    /// The issue at the other end of a link, by direction.
    Inward,
    Outward,
}

/// What a member's value fills.
#[derive(Debug)]
pub(crate) enum Target {
    Value(usize),
    Json(usize),
    User(usize),
    Refs(usize),
    /// A document; its own column follows that of its plain text.
    Document(usize),
    Custom(usize, CustomType),
    Object(Node),
    Section(Section),
    /// More than one of these.
    Several(Vec<Target>),
}

/// An object of Jira's: its known members.
#[derive(Debug, Default)]
pub(crate) struct Node {
    names: Vec<Box<str>>,
    targets: Vec<Target>,
    /// Only where there are many members.
    index: Option<HashMap<Box<str>, usize, BuildHasherDefault<KeyHasher>>>,
}

impl Node {
    /// The node of a row's object. `strip` is cut off the paths; a path without it is left out.
    fn of_columns<'a>(
        columns: impl Iterator<Item = &'a ColumnSpec>,
        (strip, skip): (&str, &str),
        is_cloud: bool,
    ) -> Self {
        let mut node = Self::default();
        for (place, column) in columns.enumerate() {
            let target = || match (column.take, column.column_type) {
                (Take::Value, ColumnType::Json) => Some(Target::Json(place)),
                (Take::Value, _) => Some(Target::Value(place)),
                (Take::User, _) => Some(Target::User(place)),
                (Take::Refs, _) => Some(Target::Refs(place)),
                (Take::Rich, _) if is_cloud => Some(Target::Document(place)),
                (Take::Rich, _) => Some(Target::Value(place)),
                (Take::Made, _) => None,
            };
            for path in column.path.split('|') {
                if let Some(path) = path.strip_prefix(strip)
                    && (skip.is_empty() || !path.starts_with(skip))
                    && let Some(target) = target()
                {
                    node.insert(path, target);
                }
            }
        }
        node
    }

    fn of_table(table: Table, is_cloud: bool) -> Self {
        Self::of_columns(table.spec().columns.iter().chain(table.spec().helpers), ("", ""), is_cloud)
    }

    fn insert(&mut self, path: &str, target: Target) {
        match path.split_once('.') {
            Some((name, rest)) => {
                if let Target::Object(node) = self.entry(name) {
                    node.insert(rest, target);
                }
            }
            None => self.push(path, target),
        }
    }

    fn push(&mut self, name: &str, target: Target) {
        self.names.push(name.into());
        self.targets.push(target);
    }

    /// Lets a member fill this too.
    fn share(&mut self, name: &str, target: Target) {
        match self.names.iter().position(|known| &**known == name) {
            None => self.push(name, target),
            Some(place) => match &mut self.targets[place] {
                Target::Several(targets) => targets.push(target),
                one => {
                    *one = Target::Several(vec![std::mem::replace(one, Target::Several(Vec::new())), target])
                }
            },
        }
    }

    fn entry(&mut self, name: &str) -> &mut Target {
        let place = self.names.iter().position(|known| &**known == name).unwrap_or_else(|| {
            self.push(name, Target::Object(Self::default()));
            self.targets.len() - 1
        });
        &mut self.targets[place]
    }

    fn indexed(mut self) -> Self {
        self.index = Some(self.names.iter().cloned().zip(0..).collect());
        self
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Target> {
        let place = match &self.index {
            Some(index) => index.get(name).copied(),
            None => self.names.iter().position(|known| &**known == name),
        };
        self.targets.get(place?)
    }

    /// Some column below, to count a value of the wrong shape under.
    pub(crate) fn any_column(&self) -> Option<usize> {
        self.targets.iter().find_map(|target| match target {
            Target::Value(c)
            | Target::Json(c)
            | Target::User(c)
            | Target::Refs(c)
            | Target::Document(c)
            | Target::Custom(c, _) => Some(*c),
            Target::Object(node) => node.any_column(),
            Target::Section(_) | Target::Several(_) => None,
        })
    }
}

/// Reads a member's name: what its value fills, `None` when nothing wants it.
pub(crate) struct Member<'n>(pub(crate) &'n Node);

impl<'de, 'n> DeserializeSeed<'de> for Member<'n> {
    type Value = Option<&'n Target>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(super::lenient::Read(self))
    }
}

impl<'n> Reader<'_> for Member<'n> {
    type Out = Option<&'n Target>;

    fn scalar(self, cell: Cell<'_>) -> Self::Out {
        match cell {
            Cell::Text(name) => self.0.find(name),
            Cell::Null | Cell::Bool(_) | Cell::I64(_) | Cell::F64(_) | Cell::Nested => None,
        }
    }
}

/// Every node that an issue page needs.
#[derive(Debug)]
pub(crate) struct Trees {
    pub(crate) issue: Node,
    pub(crate) fields: Node,
    /// Whether the site is Jira Cloud.
    pub(crate) is_cloud: bool,
    children: ByIssueTable<Option<Shape>>,
    /// The ids of the custom fields that hold several values.
    value_fields: Vec<String>,
}

impl Trees {
    /// Nodes that fill the wanted tables; `issues` is always filled.
    pub(crate) fn new(schema: &IssueSchema, wanted: impl Fn(Table) -> bool) -> Self {
        let columns = Table::Issues.spec().columns;
        let is_cloud = schema.is_cloud();
        let mut issue = Node::of_columns(columns.iter(), ("", "fields."), is_cloud);
        issue.push("fields", Target::Section(Section::Fields));

        let mut fields = Node::of_columns(columns.iter(), ("fields.", ""), is_cloud);
        let lists = Table::children().filter(|(table, lists)| wanted(*table) || lists.count_column.is_some());
        for (table, lists) in lists {
            for (place, member) in lists.members.iter().enumerate() {
                let target = Target::Section(Section::List(table, place));
                match member.strip_prefix("fields.") {
                    Some(field) => fields.share(field, target),
                    None => issue.push(member, target),
                }
            }
        }
        let value_fields = push_custom(&mut fields, schema, wanted);
        let children = ByIssueTable::from_fn(|table| {
            table.spec().children.as_ref().map(|lists| shape_of(table, lists.element, is_cloud))
        });
        Self { issue, fields: fields.indexed(), is_cloud, children, value_fields }
    }

    /// What an element of a table's lists looks like.
    pub(crate) fn shape(&self, table: Table) -> Option<&Shape> {
        self.children.of(table)?.as_ref()
    }

    /// The id of a custom field that holds several values.
    pub(crate) fn value_field(&self, place: usize) -> &str {
        self.value_fields.get(place).map_or("", String::as_str)
    }

    /// The shape of a metadata table's rows.
    pub(crate) fn of_metadata(table: Table) -> Shape {
        match table.spec().columns.iter().position(|column| column.path.is_empty()) {
            Some(column) => Shape::Text(column),
            None => Shape::Flat(Node::of_table(table, false)),
        }
    }
}

/// Adds the custom fields: the column of each, and what else is made of its value. Gives the ids of those that hold several values.
fn push_custom(fields: &mut Node, schema: &IssueSchema, wanted: impl Fn(Table) -> bool) -> Vec<String> {
    let mut value_fields = Vec::new();
    let (epic, sprint) = (schema.only(CustomType::EpicLink), schema.only(CustomType::Sprints));
    for (place, custom) in (Table::Issues.spec().columns.len()..).zip(schema.custom()) {
        let id = custom.field_id();
        fields.push(&id, Target::Custom(place, custom.custom_type));
        if epic == Some(custom) {
            fields.share(&id, Target::Value(issues::EPIC_KEY));
        }
        if sprint == Some(custom) && wanted(Table::IssueSprints) {
            fields.share(&id, Target::Section(Section::List(Table::IssueSprints, 0)));
        }
        if custom.custom_type.holds_several() && wanted(Table::IssueCustomValues) {
            fields.share(&id, Target::Section(Section::Values(value_fields.len())));
            value_fields.push(id);
        }
    }
    value_fields
}

fn shape_of(table: Table, element: Element, is_cloud: bool) -> Shape {
    match element {
        Element::Text(column) => Shape::Text(column),
        Element::User(column) => Shape::User(column),
        Element::Sprint => {
            let mut sprint = Node::of_table(table, is_cloud);
            for name in ["boardId", "originBoardId"] {
                sprint.push(name, Target::Value(issue_sprints::BOARD_ID));
            }
            Shape::Sprint(sprint)
        }
        Element::Sla => {
            let columns = table.spec().columns;
            let mut head = Node::of_columns(columns.iter(), ("", service_desk::CYCLE_PATH), is_cloud);
            head.push("completedCycles", Target::Section(Section::Completed));
            head.push("ongoingCycle", Target::Section(Section::Ongoing));
            Shape::Sla {
                head,
                cycle: Node::of_columns(columns.iter(), (service_desk::CYCLE_PATH, ""), is_cloud),
            }
        }
        Element::Object => Shape::Flat(Node::of_table(table, is_cloud)),
        Element::Link => {
            let mut link = Node::of_table(table, is_cloud);
            link.push("inwardIssue", Target::Section(Section::Inward));
            link.push("outwardIssue", Target::Section(Section::Outward));
            Shape::Link(link)
        }
        Element::History => {
            let columns = table.spec().columns;
            let mut head = Node::of_columns(columns.iter(), ("", changelog::ITEM_PATH), is_cloud);
            head.push("items", Target::Section(Section::Items));
            Shape::History {
                head,
                item: Node::of_columns(columns.iter(), (changelog::ITEM_PATH, ""), is_cloud),
            }
        }
    }
}

/// A short hash of member names. The table that it serves holds only names of our own schema, so no sender can fill it with
/// collisions.
#[derive(Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut words = bytes.chunks_exact(8);
        for word in words.by_ref() {
            let word = word.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
            self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(FACTOR);
        }
        let tail = words.remainder().iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        self.0 = (self.0.rotate_left(5) ^ tail).wrapping_mul(FACTOR);
    }
}
