//! A search answer: its issues, each a row of `issues` and rows of its children's tables.

use crate::decode::child_lists::{ReadIssue, complete_child, judge, keep_with_id};
use crate::decode::histories::Histories;
use crate::decode::lenient::{Read, Reader};
use crate::decode::list::{Frame, Framed, RowList, read_text};
use crate::decode::object::Into;
use crate::decode::tree::{Member, Node, Section, Target, Trees};
use crate::decode::values::write_values;
use crate::decode::{IssueHead, IssueSeen, PageHead};
use crate::rows::{Cell, RowBuffer};
use crate::tables::of_issue::Only;
use crate::tables::{ByIssueTable, ListFrame, Table, changelog, issue_subtasks, issues, links};
use crate::undecodable::DecodeError;
use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess};
use serde_json::value::RawValue;

/// The history's name for the issue key, which changes when an issue moves to another project.
const KEY_FIELD: &str = "Key";

/// Rows of the issue tables. `issues` is always filled while an issue is read, and cut back if the table is not wanted.
#[derive(Debug)]
pub(crate) struct IssueBuffers {
    issues: RowBuffer,
    keep_issues: bool,
    children: ByIssueTable<Option<RowBuffer>>,
}

/// How many rows each buffer of [`IssueBuffers`] has.
pub(crate) type Marks = ByIssueTable<usize>;

impl IssueBuffers {
    /// Buffers for the wanted tables.
    pub(crate) fn new(wanted: impl Fn(Table) -> bool, buffer: impl Fn(Table) -> RowBuffer) -> Self {
        let child = |table: Table| (table != Table::Issues && wanted(table)).then(|| buffer(table));
        Self {
            issues: buffer(Table::Issues),
            keep_issues: wanted(Table::Issues),
            children: ByIssueTable::from_fn(child),
        }
    }

    /// The rows of a table; `None` if it is not wanted or not made from issues.
    pub(crate) fn of_mut(&mut self, table: Table) -> Option<&mut RowBuffer> {
        if table == Table::Issues { Some(&mut self.issues) } else { self.children.of_mut(table)?.as_mut() }
    }

    /// As [`Self::of_mut`].
    pub(crate) fn of(&self, table: Table) -> Option<&RowBuffer> {
        if table == Table::Issues { Some(&self.issues) } else { self.child(table) }
    }

    fn child(&self, table: Table) -> Option<&RowBuffer> {
        self.children.of(table)?.as_ref()
    }

    /// How many rows each has.
    pub(crate) fn marks(&self) -> Marks {
        let rows = |table| self.child(table).map_or(0, RowBuffer::rows);
        Marks::from_fn(|table| if table == Table::Issues { self.issues.rows() } else { rows(table) })
    }

    fn truncate(&mut self, marks: &Marks) {
        for (table, &rows) in marks.iter() {
            if let Some(buffer) = self.of_mut(table) {
                buffer.truncate(rows);
            }
        }
    }

    /// The other ends of the issue's links.
    fn linked(&self, marks: &Marks) -> Vec<i64> {
        let Some(ends) = self.child(Table::IssueLinks) else { return Vec::new() };
        let rows = mark(marks, Table::IssueLinks)..ends.rows();
        rows.filter_map(|row| ends.i64_at(links::OTHER_ID, row)).collect()
    }

    /// Whether the issue's history tells of another key or is not read.
    fn may_be_moved(&self, marks: &Marks) -> bool {
        self.child(Table::IssueChangelog).is_none_or(|histories| {
            let mut rows = mark(marks, Table::IssueChangelog)..histories.rows();
            rows.any(|row| histories.text_at(changelog::FIRST_OF_ITEM, row) == Some(KEY_FIELD))
        })
    }

    /// The wanted tables whose resource is to be asked for the issue that was just read.
    fn owed(&self, marks: &Marks, notes: &mut IssueNotes) -> Vec<Table> {
        let row = mark(marks, Table::Issues);
        let is_owed = |(table, only): (Table, Only)| match only {
            Only::All | Only::OfServiceDesk => Some(table),
            Only::Counted(column) => match self.issues.i64_at(column, row) {
                Some(count) => (count > 0).then_some(table),
                None => {
                    note_unsent(notes, table);
                    None
                }
            },
        };
        let wanted = Table::of_each_issue().filter(|(table, _)| self.child(*table).is_some());
        wanted.map(|(table, of_issue)| (table, of_issue.only)).filter_map(is_owed).collect()
    }

    /// Makes the rows that follow from the issue's own, and writes the issue's id into those of its children.
    fn own_children(&mut self, marks: &Marks, issue_id: i64) {
        let row = mark(marks, Table::Issues);
        if let Some(Some(subtasks)) = self.children.of_mut(Table::IssueSubtasks) {
            add_subtask(&self.issues, row, subtasks);
        }
        for table in Table::of_issues() {
            if let Some(buffer) = self.of_mut(table) {
                buffer.fill(table.spec().issue_column, mark(marks, table), issue_id);
            }
        }
    }
}

/// Adds the row of an issue that is a sub-task.
fn add_subtask(issues: &RowBuffer, row: usize, subtasks: &mut RowBuffer) {
    let parent = issues.i64_at(issues::PARENT_ID, row).filter(|_| issues.is_true(issues::IS_SUBTASK, row));
    let Some(parent) = parent else { return };
    let subtask = subtasks.rows();
    subtasks.put(issue_subtasks::PARENT_ID, subtask, Cell::I64(parent));
    for (from, to) in
        [(issues::ISSUE_KEY, issue_subtasks::ISSUE_KEY), (issues::PARENT_KEY, issue_subtasks::PARENT_KEY)]
    {
        subtasks.put(to, subtask, issues.text_at(from, row).map_or(Cell::Null, Cell::Text));
    }
    subtasks.commit(subtask + 1);
}

fn mark(marks: &Marks, table: Table) -> usize {
    marks.of(table).copied().unwrap_or_default()
}

/// What was odd about accepted issues; counted for the run's warnings.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IssueNotes {
    /// Issues that came without the list of children that was asked for, by the list's table.
    pub(crate) unsent: ByIssueTable<u64>,
    /// History entries that Jira counted and did not send.
    pub(crate) histories_cut: u64,
    /// Entries without the id that is the row's key.
    pub(crate) without_id: u64,
}

impl IssueNotes {
    fn add(&mut self, other: &Self) {
        for ((_, sum), (_, more)) in self.unsent.iter_mut().zip(other.unsent.iter()) {
            *sum += more;
        }
        self.histories_cut += other.histories_cut;
        self.without_id += other.without_id;
    }
}

fn note_unsent(notes: &mut IssueNotes, table: Table) {
    if let Some(unsent) = notes.unsent.of_mut(table) {
        *unsent += 1;
    }
}

/// Asked once per issue before any of its rows is kept.
pub(crate) type Accept<'s> = &'s mut dyn FnMut(&IssueHead<'_>) -> bool;

/// What a search answer is read with.
pub(crate) struct Asked<'s> {
    /// The histories of its issues, where they come from a resource of their own.
    pub(crate) histories: Option<&'s Histories>,
    pub(crate) accept: Accept<'s>,
}

/// Reads a search answer. After an error the buffers and notes are as before.
pub(crate) fn read_page(
    json: &str,
    trees: &Trees,
    buffers: &mut IssueBuffers,
    notes: &mut IssueNotes,
    asked: Asked<'_>,
) -> Result<PageHead, DecodeError> {
    const WHAT: &str = "the answer of a search";
    let start = buffers.marks();
    let mut next = None;
    let mut page = Page { trees, buffers, asked, start, notes: IssueNotes::default(), seen: Vec::new() };
    let framed = Framed { list_name: "issues", list: Some(&mut page), token: Some(&mut next) };
    let frame = read_text(WHAT, json, framed);
    let shape = |detail: &str| DecodeError::Shape { what: WHAT, detail: detail.to_owned() };
    let head = frame.and_then(|frame| match frame {
        Some(Frame { count: Some(_), total: Some(total), start_at, max_results, .. }) => {
            Ok((start_at, max_results, total))
        }
        // Jira Cloud counts nothing; there is more than it shows as long as it gives a token, but for walks that never end by themselves:
        // they go on with empty pages.
        Some(Frame { count: Some(count), .. }) if trees.is_cloud => {
            next = next.take().filter(|_| count > 0);
            Ok((None, None, count + u64::from(next.is_some())))
        }
        Some(Frame { count: Some(_), .. }) => Err(shape("the total is missing")),
        Some(_) | None => Err(shape("there is no list of issues")),
    });
    let Page { seen, notes: page_notes, .. } = page;
    let (start_at, max_results, total) = head.inspect_err(|_| buffers.truncate(&start))?;
    notes.add(&page_notes);
    let max_results = max_results.unwrap_or(u64::try_from(seen.len()).unwrap_or(u64::MAX));
    Ok(PageHead { start_at: start_at.unwrap_or_default(), max_results, total, issues: seen, next })
}

/// The list of issues of one answer.
struct Page<'s, 'a> {
    trees: &'s Trees,
    buffers: &'s mut IssueBuffers,
    asked: Asked<'a>,
    start: Marks,
    notes: IssueNotes,
    seen: Vec<IssueSeen>,
}

impl<'de> Reader<'de> for &mut Page<'_, '_> {
    type Out = Option<u64>;

    fn scalar(self, _: Cell<'_>) -> Option<u64> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<u64>, A::Error> {
        self.buffers.truncate(&self.start);
        self.notes = IssueNotes::default();
        self.seen.clear();
        loop {
            let marks = self.buffers.marks();
            let mut work = Work::new(self.trees, self.buffers, marks);
            let members = Members { node: &self.trees.issue, work: &mut work };
            if list.next_element_seed(Read(members))?.is_none() {
                return Ok(u64::try_from(self.seen.len()).ok());
            }
            if let Some(histories) = self.asked.histories {
                work.histories(histories).map_err(A::Error::custom)?;
            }
            let read = work.settle();
            let mut seen = self.head(&marks).map_err(|missing| {
                let place = self.seen.len();
                A::Error::custom(format!("issue {place} of the page has no {missing}"))
            })?;
            self.decide(&mut seen, read, &marks);
            self.seen.push(seen);
        }
    }
}

impl Page<'_, '_> {
    /// The issue that was just read, or the name of the member that it lacks.
    fn head(&self, marks: &Marks) -> Result<IssueSeen, &'static str> {
        let (rows, row) = (&self.buffers.issues, mark(marks, Table::Issues));
        let millis = |column| rows.i64_at(column, row).map(|micros| micros.div_euclid(1000));
        let created_ms = millis(issues::CREATED).ok_or("created")?;
        Ok(IssueSeen {
            id: rows.i64_at(issues::ISSUE_ID, row).ok_or("id")?,
            key: rows.text_at(issues::ISSUE_KEY, row).ok_or("key")?.to_owned(),
            project_key: rows.text_at(issues::PROJECT_KEY, row).map(str::to_owned),
            created_ms,
            updated_ms: millis(issues::UPDATED).unwrap_or(created_ms),
            accepted: false,
            incomplete: Vec::new(),
            owed: Vec::new(),
            linked: Vec::new(),
            may_be_moved: false,
        })
    }

    /// Keeps or drops the rows of the issue that was just read.
    fn decide(&mut self, seen: &mut IssueSeen, read: ReadIssue, marks: &Marks) {
        let head = IssueHead {
            id: seen.id,
            project_key: seen.project_key.as_deref(),
            created_ms: seen.created_ms,
            updated_ms: seen.updated_ms,
        };
        let accepted = (self.asked.accept)(&head);
        seen.accepted = accepted;
        if !seen.accepted {
            return self.buffers.truncate(marks);
        }
        seen.incomplete = read.incomplete;
        seen.owed = self.buffers.owed(marks, &mut self.notes);
        self.buffers.own_children(marks, seen.id);
        seen.linked = self.buffers.linked(marks);
        seen.may_be_moved = self.buffers.may_be_moved(marks);
        let issue_rows = mark(marks, Table::Issues) + usize::from(self.buffers.keep_issues);
        self.buffers.issues.truncate(issue_rows);
        self.notes.add(&read.notes);
    }
}

/// An issue that is being read.
struct Work<'s> {
    trees: &'s Trees,
    buffers: &'s mut IssueBuffers,
    marks: Marks,
    frames: ByIssueTable<Option<Frame>>,
    /// Elements of lists without a frame.
    counts: ByIssueTable<Option<u64>>,
    /// Children without an id, per list, because a list may be sent twice.
    without_id: ByIssueTable<u64>,
    /// Of tables that several members fill: what was read. What is sent twice counts once.
    read: Vec<Section>,
}

impl<'s> Work<'s> {
    fn new(trees: &'s Trees, buffers: &'s mut IssueBuffers, marks: Marks) -> Self {
        Self {
            trees,
            buffers,
            marks,
            frames: ByIssueTable::default(),
            counts: ByIssueTable::default(),
            without_id: ByIssueTable::default(),
            read: Vec::new(),
        }
    }

    /// Reads the list of one member into its table; nowhere when that is not wanted.
    fn list<'de, D: Deserializer<'de>>(
        &mut self,
        (table, member): (Table, usize),
        deserializer: D,
    ) -> Result<(), D::Error> {
        let ignored = |deserializer: D| deserializer.deserialize_ignored_any(IgnoredAny).map(drop);
        let (Some(lists), Some(shape)) = (&table.spec().children, self.trees.shape(table)) else {
            return ignored(deserializer);
        };
        if lists.roles.is_some() && !self.is_first(Section::List(table, member)) {
            return ignored(deserializer);
        }
        let mut nowhere = RowBuffer::new(std::iter::empty());
        let buffer = self.buffers.of_mut(table);
        let is_wanted = buffer.is_some();
        let buffer = buffer.unwrap_or(&mut nowhere);
        let base = if lists.roles.is_some() { buffer.rows() } else { mark(&self.marks, table) };
        let mut without_id = 0;
        let keep = &mut |buffer: &mut RowBuffer, row| {
            keep_with_id(buffer, lists.key_column, row, &mut without_id)
                && complete_child(lists, member, buffer, base..row)
        };
        let mut rows = RowList { shape, buffer, base, keep };
        match &lists.frame {
            Some(ListFrame { list: list_name, .. }) => {
                let list = is_wanted.then_some(&mut rows);
                let frame = Read(Framed { list_name, list, token: None }).deserialize(deserializer)?;
                set(&mut self.frames, table, frame);
            }
            None => {
                let count = Read(&mut rows).deserialize(deserializer)?;
                set(&mut self.counts, table, count);
            }
        }
        if let Some(count) = self.without_id.of_mut(table).filter(|_| is_wanted) {
            *count = if lists.roles.is_some() { *count + without_id } else { without_id };
        }
        Ok(())
    }

    /// Reads the histories that came from their own resource.
    fn histories(&mut self, histories: &Histories) -> serde_json::Result<()> {
        let id = self.buffers.issues.i64_at(issues::ISSUE_ID, mark(&self.marks, Table::Issues));
        let Some(id) = id else { return Ok(()) };
        let json = histories.framed(id);
        self.list((Table::IssueChangelog, 0), &mut serde_json::Deserializer::from_str(&json))
    }

    /// Reads a custom field that holds several values into their table.
    fn values<'de, D: Deserializer<'de>>(&mut self, place: usize, deserializer: D) -> Result<(), D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?;
        if self.is_first(Section::Values(place))
            && let Some(buffer) = self.buffers.of_mut(Table::IssueCustomValues)
        {
            write_values(buffer, self.trees.value_field(place), json.get());
        }
        Ok(())
    }

    /// Fills each of the targets from one value.
    fn several(&mut self, targets: &[Target], json: &str) -> serde_json::Result<()> {
        for target in targets {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            match target {
                Target::Section(section) => {
                    SectionOf { section: *section, work: self }.deserialize(&mut deserializer)?;
                }
                target => {
                    let row = mark(&self.marks, Table::Issues);
                    Into { target, buffer: &mut self.buffers.issues, row }.deserialize(&mut deserializer)?;
                }
            }
        }
        Ok(())
    }

    fn is_first(&mut self, section: Section) -> bool {
        let is_first = !self.read.contains(&section);
        if is_first {
            self.read.push(section);
        }
        is_first
    }

    /// Completes the issue's row and judges its lists of children.
    fn settle(self) -> ReadIssue {
        let Self { buffers, marks, frames, counts, without_id, .. } = self;
        let row = mark(&marks, Table::Issues);
        let mut read = ReadIssue { incomplete: Vec::new(), notes: IssueNotes::default() };
        for (table, lists) in Table::children() {
            let frame = frames.of(table).copied().flatten();
            let total = frame.and_then(|frame| frame.total).or(counts.of(table).copied().flatten());
            if let Some(column) = lists.count_column {
                let total = total.and_then(|total| i64::try_from(total).ok());
                buffers.issues.put(column, row, total.map_or(Cell::Null, Cell::I64));
            }
            if let Some(framed) = &lists.frame
                && judge(buffers.of_mut(table), mark(&marks, table), (table, framed), frame, &mut read)
            {
                continue;
            }
            if table.spec().expands.is_some() && total.is_none() && buffers.of_mut(table).is_some() {
                note_unsent(&mut read.notes, table);
            }
            read.notes.without_id += without_id.of(table).copied().unwrap_or_default();
        }
        buffers.issues.commit(row + 1);
        read
    }
}

fn set<T>(values: &mut ByIssueTable<T>, table: Table, value: T) {
    if let Some(kept) = values.of_mut(table) {
        *kept = value;
    }
}

/// The members of an issue, or of its `fields`.
struct Members<'w, 's> {
    node: &'s Node,
    work: &'w mut Work<'s>,
}

impl<'de> Reader<'de> for Members<'_, '_> {
    type Out = ();

    fn scalar(self, _: Cell<'_>) {}

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { node, work } = self;
        let row = mark(&work.marks, Table::Issues);
        while let Some(target) = object.next_key_seed(Member(node))? {
            match target {
                Some(Target::Section(section)) => {
                    object.next_value_seed(SectionOf { section: *section, work })?
                }
                Some(Target::Several(targets)) => {
                    let json = object.next_value::<&RawValue>()?.get();
                    work.several(targets, json).map_err(A::Error::custom)?;
                }
                Some(target) => {
                    object.next_value_seed(Into { target, buffer: &mut work.buffers.issues, row })?
                }
                None => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// One part of an issue that is more than cells of its row.
struct SectionOf<'w, 's> {
    section: Section,
    work: &'w mut Work<'s>,
}

impl<'de> DeserializeSeed<'de> for SectionOf<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { section, work } = self;
        match section {
            Section::Fields => {
                let node = &work.trees.fields;
                Read(Members { node, work }).deserialize(deserializer)?;
            }
            Section::List(table, member) => work.list((table, member), deserializer)?,
            Section::Values(place) => work.values(place, deserializer)?,
            Section::Items | Section::Inward | Section::Outward | Section::Completed | Section::Ongoing => {
                deserializer.deserialize_ignored_any(IgnoredAny)?;
            }
        }
        Ok(())
    }
}
