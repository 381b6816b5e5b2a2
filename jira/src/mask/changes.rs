//! The history of an issue holds old and new values of its fields, so a change of a masked field is masked like the field: hashed
//! values where the column is hashed, nulls where it is dropped.
//!
//! The history names a system field by a fixed word and a custom field by the name that it had when the change was made. A custom field
//! of a name that no column has today may have been a masked one: it is masked like the strictest of them.

use crate::fields::{IssueSchema, asked_name, column_name};
use crate::mask::ColumnMask;
use crate::mask::rule::{Mask, Masks};
use crate::rows::RowBuffer;
use crate::tables::{Table, changelog};
use std::collections::{BTreeMap, HashMap};

/// The history's words for what our columns hold.
const WORDS: &[(Table, &str, &[&str])] = &[
    (Table::Issues, "issue_key", &["key"]),
    (Table::Issues, "project_id", &["project"]),
    (Table::Issues, "project_key", &["project", "key"]),
    (Table::Issues, "type_id", &["issuetype"]),
    (Table::Issues, "type_name", &["issuetype"]),
    (Table::Issues, "status_id", &["status"]),
    (Table::Issues, "status_name", &["status"]),
    (Table::Issues, "priority_id", &["priority"]),
    (Table::Issues, "priority_name", &["priority"]),
    (Table::Issues, "resolution_id", &["resolution"]),
    (Table::Issues, "resolution_name", &["resolution"]),
    (Table::Issues, "summary", &["summary"]),
    (Table::Issues, "description", &["description"]),
    (Table::Issues, "environment", &["environment"]),
    (Table::Issues, "creator_id", &["creator"]),
    (Table::Issues, "reporter_id", &["reporter"]),
    (Table::Issues, "assignee_id", &["assignee"]),
    (Table::Issues, "due_date", &["duedate"]),
    (Table::Issues, "parent_id", &["parent", "parent issue"]),
    (Table::Issues, "parent_key", &["parent", "parent issue"]),
    (Table::Issues, "original_estimate_seconds", &["timeoriginalestimate"]),
    (Table::Issues, "remaining_estimate_seconds", &["timeestimate"]),
    (Table::Issues, "time_spent_seconds", &["timespent"]),
    (Table::Issues, "security_level_id", &["security"]),
    (Table::Issues, "security_level_name", &["security"]),
    (Table::Issues, "labels", &["labels"]),
    (Table::Issues, "components", &["component"]),
    (Table::Issues, "fix_versions", &["fix version"]),
    (Table::Issues, "affects_versions", &["version"]),
    (Table::IssueComments, "body", &["comment"]),
    (Table::IssueAttachments, "filename", &["attachment"]),
    (Table::IssueLinks, "other_issue_id", &["link", "epic child", "remoteissuelink"]),
    (Table::IssueLinks, "other_issue_key", &["link", "epic child", "remoteissuelink"]),
];

/// The columns of `issue_changelog` that hold values of other fields.
const VALUES: [&str; 4] = ["from_id", "from_text", "to_id", "to_text"];

/// Which changes are masked.
#[derive(Debug)]
pub(crate) struct Changes {
    /// By the history's word, lower case.
    system: HashMap<&'static str, Mask>,
    /// By the column name that a custom field's name asks for; `None`: in clear.
    custom: HashMap<String, Option<Mask>>,
    /// For custom fields of other names.
    unknown: Option<Mask>,
    /// The columns to mask.
    values: Vec<usize>,
    field: usize,
    field_type: usize,
}

impl Changes {
    /// `None` when no masked column has a history.
    pub(crate) fn settle(
        masks: &Masks,
        schema: &IssueSchema,
        tables: &BTreeMap<Table, Vec<ColumnMask>>,
    ) -> Option<Self> {
        let mut system = HashMap::new();
        for (table, column, words) in WORDS {
            let place = table.spec().columns.iter().position(|spec| spec.name == *column);
            let mask = place.and_then(|place| mask_of(tables.get(table)?.get(place)?));
            for word in *words {
                add_stricter(&mut system, *word, mask.clone());
            }
        }
        let system: HashMap<_, _> =
            system.into_iter().filter_map(|(word, mask)| Some((word, mask?))).collect();
        let mut custom: HashMap<String, Option<Mask>> = HashMap::new();
        let mut unknown = None;
        for column in schema.custom() {
            let mask = masks.of_custom(column).cloned();
            unknown = stricter(unknown, mask.clone());
            add_stricter(&mut custom, asked_name(column).to_owned(), mask);
        }
        if system.is_empty() && unknown.is_none() {
            return None;
        }
        let places =
            |name: &str| Table::IssueChangelog.spec().columns.iter().position(|spec| spec.name == name);
        Some(Self {
            system,
            custom,
            unknown,
            values: VALUES.iter().filter_map(|name| places(name)).collect(),
            field: changelog::FIELD,
            field_type: changelog::FIELD_TYPE,
        })
    }

    /// Masks the values of every row whose field is masked.
    pub(crate) fn apply(&self, buffer: &mut RowBuffer) {
        let masks: Vec<Option<Mask>> = (0..buffer.rows())
            .map(|row| {
                let text = |column| buffer.text_at(column, row).unwrap_or_default();
                self.of(text(self.field), text(self.field_type)).cloned()
            })
            .collect();
        if masks.iter().all(Option::is_none) {
            return;
        }
        for &column in &self.values {
            buffer.rewrite_text(column, |row, text, out| match masks.get(row).and_then(Option::as_ref) {
                None => {
                    out.push_str(text);
                    true
                }
                Some(Mask::Drop) => false,
                Some(Mask::Hash(hasher)) => {
                    hasher.write(text, out);
                    true
                }
            });
        }
    }

    /// The mask of the values of a changed field.
    pub(crate) fn of(&self, field: &str, field_type: &str) -> Option<&Mask> {
        let is_custom = field_type.eq_ignore_ascii_case("custom");
        if !is_custom && let Some(mask) = self.system.get(field.to_lowercase().as_str()) {
            return Some(mask);
        }
        if field_type.eq_ignore_ascii_case("jira") {
            return None;
        }
        match self.custom.get(&column_name(field)) {
            Some(mask) => mask.as_ref(),
            None => self.unknown.as_ref(),
        }
    }
}

fn mask_of(mask: &ColumnMask) -> Option<Mask> {
    match mask {
        ColumnMask::Keep | ColumnMask::HashPeople(_) => None,
        ColumnMask::Drop => Some(Mask::Drop),
        ColumnMask::Hash(hasher, _) => Some(Mask::Hash(hasher.clone())),
    }
}

fn add_stricter<K: std::hash::Hash + Eq>(known: &mut HashMap<K, Option<Mask>>, key: K, mask: Option<Mask>) {
    let held = known.remove(&key).flatten();
    known.insert(key, stricter(held, mask));
}

/// Of two masks the one that tells less.
pub(super) fn stricter(one: Option<Mask>, other: Option<Mask>) -> Option<Mask> {
    match (one, other) {
        (Some(Mask::Drop), _) | (_, Some(Mask::Drop)) => Some(Mask::Drop),
        (one, other) => one.or(other),
    }
}
