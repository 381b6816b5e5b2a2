//! A search answer: its issues, each a row of `issues` and rows of its children's tables.

use crate::batch::{Cell, RowBuffer};
use crate::decode::lenient::{Read, Reader};
use crate::decode::list::{Frame, Framed, RowList, Shape, read_text};
use crate::decode::object::Into;
use crate::decode::tree::{Member, Node, Section, Target, Trees};
use crate::decode::{DecodeError, IssueHead, IssueSeen, PageHead};
use crate::tables::{changelog, comments, issues, links, worklogs};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess};

/// The history's name for the issue key, which changes when an issue moves to another project.
const KEY_FIELD: &str = "Key";

/// Rows of the issue tables. `issues` is always filled while an issue is read, and cut back if the table is not wanted.
#[derive(Debug)]
pub(crate) struct IssueBuffers {
    pub(crate) issues: RowBuffer,
    pub(crate) keep_issues: bool,
    pub(crate) comments: Option<RowBuffer>,
    pub(crate) worklogs: Option<RowBuffer>,
    pub(crate) links: Option<RowBuffer>,
    pub(crate) changelog: Option<RowBuffer>,
}

/// How many rows each buffer of [`IssueBuffers`] has.
#[derive(Clone, Copy, Debug)]
struct Marks {
    issues: usize,
    comments: usize,
    worklogs: usize,
    links: usize,
    changelog: usize,
}

impl IssueBuffers {
    /// The rows of a table; `None` if it is not read or not made from issues.
    pub(crate) fn of(&self, table: crate::tables::Table) -> Option<&RowBuffer> {
        use crate::tables::Table;
        match table {
            Table::Issues => Some(&self.issues),
            Table::IssueComments => self.comments.as_ref(),
            Table::IssueWorklogs => self.worklogs.as_ref(),
            Table::IssueLinks => self.links.as_ref(),
            Table::IssueChangelog => self.changelog.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn of_mut(&mut self, table: crate::tables::Table) -> Option<&mut RowBuffer> {
        use crate::tables::Table;
        match table {
            Table::Issues => Some(&mut self.issues),
            Table::IssueComments => self.comments.as_mut(),
            Table::IssueWorklogs => self.worklogs.as_mut(),
            Table::IssueLinks => self.links.as_mut(),
            Table::IssueChangelog => self.changelog.as_mut(),
            _ => None,
        }
    }

    fn marks(&self) -> Marks {
        let rows = |buffer: &Option<RowBuffer>| buffer.as_ref().map_or(0, RowBuffer::rows);
        Marks {
            issues: self.issues.rows(),
            comments: rows(&self.comments),
            worklogs: rows(&self.worklogs),
            links: rows(&self.links),
            changelog: rows(&self.changelog),
        }
    }

    fn truncate(&mut self, marks: Marks) {
        self.issues.truncate(marks.issues);
        for (buffer, rows) in [
            (&mut self.comments, marks.comments),
            (&mut self.worklogs, marks.worklogs),
            (&mut self.links, marks.links),
            (&mut self.changelog, marks.changelog),
        ] {
            if let Some(buffer) = buffer {
                buffer.truncate(rows);
            }
        }
    }

    /// The other ends of the issue's links, if its history tells of another key or is not read.
    fn linked_if_moved(&self, marks: Marks) -> Vec<i64> {
        let Some(ends) = &self.links else { return Vec::new() };
        let moved = self.changelog.as_ref().is_none_or(|histories| {
            let mut rows = marks.changelog..histories.rows();
            rows.any(|row| histories.text_at(changelog::FIRST_OF_ITEM, row) == Some(KEY_FIELD))
        });
        let others = (marks.links..ends.rows()).filter_map(|row| ends.i64_at(links::OTHER_ID, row));
        if moved { others.collect() } else { Vec::new() }
    }

    /// Writes the issue's id into the rows of its children.
    fn own_children(&mut self, marks: Marks, issue_id: i64) {
        for (buffer, column, row) in [
            (&mut self.comments, comments::ISSUE_ID, marks.comments),
            (&mut self.worklogs, worklogs::ISSUE_ID, marks.worklogs),
            (&mut self.links, links::ISSUE_ID, marks.links),
            (&mut self.changelog, changelog::ISSUE_ID, marks.changelog),
        ] {
            if let Some(buffer) = buffer {
                buffer.fill(column, row, issue_id);
            }
        }
    }
}

/// What was odd about accepted issues; counted for the run's warnings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IssueNotes {
    /// Issues that came without the list of children that was asked for.
    pub(crate) comments_unsent: u64,
    pub(crate) worklogs_unsent: u64,
    pub(crate) changelog_unsent: u64,
    /// History entries that Jira counted and did not send.
    pub(crate) histories_cut: u64,
    /// Entries without the id that is the row's key.
    pub(crate) without_id: u64,
}

impl IssueNotes {
    fn add(&mut self, other: Self) {
        self.comments_unsent += other.comments_unsent;
        self.worklogs_unsent += other.worklogs_unsent;
        self.changelog_unsent += other.changelog_unsent;
        self.histories_cut += other.histories_cut;
        self.without_id += other.without_id;
    }
}

/// Asked once per issue before any of its rows is kept.
pub(crate) type Accept<'s> = &'s mut dyn FnMut(&IssueHead<'_>) -> bool;

/// Reads a search answer. After an error the buffers and notes are as before.
pub(crate) fn read_page(
    json: &str,
    trees: &Trees,
    buffers: &mut IssueBuffers,
    notes: &mut IssueNotes,
    accept: Accept<'_>,
) -> Result<PageHead, DecodeError> {
    const WHAT: &str = "the answer of a search";
    let start = buffers.marks();
    let mut page = Page { trees, buffers, accept, start, notes: IssueNotes::default(), seen: Vec::new() };
    let frame = read_text(WHAT, json, Framed { list_name: "issues", list: Some(&mut page) });
    let shape = |detail: &str| DecodeError::Shape { what: WHAT, detail: detail.to_owned() };
    let head = frame.and_then(|frame| match frame {
        Some(Frame { count: Some(_), total: Some(total), start_at, max_results }) => {
            Ok((start_at, max_results, total))
        }
        Some(Frame { count: Some(_), .. }) => Err(shape("the total is missing")),
        Some(_) | None => Err(shape("there is no list of issues")),
    });
    let Page { seen, notes: page_notes, .. } = page;
    let (start_at, max_results, total) = head.inspect_err(|_| buffers.truncate(start))?;
    notes.add(page_notes);
    let max_results = max_results.unwrap_or(u64::try_from(seen.len()).unwrap_or(u64::MAX));
    Ok(PageHead { start_at: start_at.unwrap_or_default(), max_results, total, issues: seen })
}

/// The list of issues of one answer.
struct Page<'s> {
    trees: &'s Trees,
    buffers: &'s mut IssueBuffers,
    accept: Accept<'s>,
    start: Marks,
    notes: IssueNotes,
    seen: Vec<IssueSeen>,
}

impl<'de> Reader<'de> for &mut Page<'_> {
    type Out = Option<u64>;

    fn scalar(self, _: Cell<'_>) -> Option<u64> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<u64>, A::Error> {
        self.buffers.truncate(self.start);
        self.notes = IssueNotes::default();
        self.seen.clear();
        loop {
            let marks = self.buffers.marks();
            let mut work = Work::new(self.trees, self.buffers, marks);
            let members = Members { node: &self.trees.issue, work: &mut work };
            if list.next_element_seed(Read(members))?.is_none() {
                return Ok(u64::try_from(self.seen.len()).ok());
            }
            let read = work.settle();
            let mut seen = self.head(marks).map_err(|missing| {
                let place = self.seen.len();
                A::Error::custom(format!("issue {place} of the page has no {missing}"))
            })?;
            self.decide(&mut seen, &read, marks);
            self.seen.push(seen);
        }
    }
}

impl Page<'_> {
    /// The issue that was just read, or the name of the member that it lacks.
    fn head(&self, marks: Marks) -> Result<IssueSeen, &'static str> {
        let (rows, row) = (&self.buffers.issues, marks.issues);
        let millis = |column| rows.i64_at(column, row).map(|micros| micros.div_euclid(1000));
        let created_ms = millis(issues::CREATED).ok_or("created")?;
        Ok(IssueSeen {
            id: rows.i64_at(issues::ISSUE_ID, row).ok_or("id")?,
            key: rows.text_at(issues::ISSUE_KEY, row).ok_or("key")?.to_owned(),
            project_key: rows.text_at(issues::PROJECT_KEY, row).map(str::to_owned),
            created_ms,
            updated_ms: millis(issues::UPDATED).unwrap_or(created_ms),
            accepted: false,
            comments_incomplete: false,
            worklogs_incomplete: false,
            linked_if_moved: Vec::new(),
        })
    }

    /// Keeps or drops the rows of the issue that was just read.
    fn decide(&mut self, seen: &mut IssueSeen, read: &ReadIssue, marks: Marks) {
        let head = IssueHead {
            id: seen.id,
            project_key: seen.project_key.as_deref(),
            created_ms: seen.created_ms,
            updated_ms: seen.updated_ms,
        };
        let accepted = (self.accept)(&head);
        seen.accepted = accepted;
        if !seen.accepted {
            return self.buffers.truncate(marks);
        }
        seen.comments_incomplete = read.comments_incomplete;
        seen.worklogs_incomplete = read.worklogs_incomplete;
        self.buffers.own_children(marks, seen.id);
        seen.linked_if_moved = self.buffers.linked_if_moved(marks);
        let issue_rows = if self.buffers.keep_issues { marks.issues + 1 } else { marks.issues };
        self.buffers.issues.truncate(issue_rows);
        self.notes.add(read.notes);
    }
}

/// An issue whose cells are filled and whose rows are not yet accepted.
struct ReadIssue {
    comments_incomplete: bool,
    worklogs_incomplete: bool,
    notes: IssueNotes,
}

/// An issue that is being read.
struct Work<'s> {
    trees: &'s Trees,
    buffers: &'s mut IssueBuffers,
    marks: Marks,
    comments: Option<Frame>,
    worklogs: Option<Frame>,
    changelog: Option<Frame>,
    without_id: WithoutId,
}

/// Children without an id, per list, because a list may be sent twice.
#[derive(Default)]
struct WithoutId {
    comments: u64,
    worklogs: u64,
    links: u64,
    histories: u64,
}

impl<'s> Work<'s> {
    fn new(trees: &'s Trees, buffers: &'s mut IssueBuffers, marks: Marks) -> Self {
        let without_id = WithoutId::default();
        Self { trees, buffers, marks, comments: None, worklogs: None, changelog: None, without_id }
    }

    fn comments(&mut self) -> Children<'_> {
        Children {
            shape: Shape::Flat(&self.trees.comment),
            key: 0,
            buffer: self.buffers.comments.as_mut(),
            base: self.marks.comments,
            without_id: &mut self.without_id.comments,
        }
    }

    fn worklogs(&mut self) -> Children<'_> {
        Children {
            shape: Shape::Flat(&self.trees.worklog),
            key: 0,
            buffer: self.buffers.worklogs.as_mut(),
            base: self.marks.worklogs,
            without_id: &mut self.without_id.worklogs,
        }
    }

    fn links(&mut self) -> Children<'_> {
        Children {
            shape: Shape::Link(&self.trees.link),
            key: links::LINK_ID,
            buffer: self.buffers.links.as_mut(),
            base: self.marks.links,
            without_id: &mut self.without_id.links,
        }
    }

    fn histories(&mut self) -> Children<'_> {
        Children {
            shape: Shape::History { head: &self.trees.history, item: &self.trees.item },
            key: changelog::HISTORY_ID,
            buffer: self.buffers.changelog.as_mut(),
            base: self.marks.changelog,
            without_id: &mut self.without_id.histories,
        }
    }

    /// Completes the issue's row and judges its lists of children.
    fn settle(self) -> ReadIssue {
        let Self { buffers, marks, comments, worklogs, changelog, without_id, .. } = self;
        for (column, frame) in [
            (issues::COMMENT_COUNT, comments),
            (issues::WORKLOG_COUNT, worklogs),
            (issues::CHANGELOG_COUNT, changelog),
        ] {
            let total = frame.and_then(|frame| frame.total).and_then(|total| i64::try_from(total).ok());
            buffers.issues.put(column, marks.issues, total.map_or(Cell::Null, Cell::I64));
        }
        buffers.issues.commit(marks.issues + 1);
        let comments_incomplete = cut_incomplete(&mut buffers.comments, marks.comments, comments);
        let worklogs_incomplete = cut_incomplete(&mut buffers.worklogs, marks.worklogs, worklogs);
        let unsent =
            |buffer: &Option<RowBuffer>, frame: Option<Frame>| u64::from(buffer.is_some() && frame.is_none());
        let histories_cut = match changelog {
            Some(Frame { total: Some(total), count, .. }) if buffers.changelog.is_some() => {
                total.saturating_sub(count.unwrap_or_default())
            }
            _ => 0,
        };
        let comments_without_id = if comments_incomplete { 0 } else { without_id.comments };
        let worklogs_without_id = if worklogs_incomplete { 0 } else { without_id.worklogs };
        let notes = IssueNotes {
            comments_unsent: unsent(&buffers.comments, comments),
            worklogs_unsent: unsent(&buffers.worklogs, worklogs),
            changelog_unsent: unsent(&buffers.changelog, changelog),
            histories_cut,
            without_id: comments_without_id + worklogs_without_id + without_id.links + without_id.histories,
        };
        ReadIssue { comments_incomplete, worklogs_incomplete, notes }
    }
}

/// Whether a wanted list was cut; then none of its rows is kept, because all are read again from the list's own resource.
fn cut_incomplete(buffer: &mut Option<RowBuffer>, base: usize, frame: Option<Frame>) -> bool {
    let (Some(buffer), Some(frame)) = (buffer, frame) else { return false };
    let incomplete = !frame.is_complete();
    if incomplete {
        buffer.truncate(base);
    }
    incomplete
}

/// One list of an issue's children and where its rows go; nowhere when its table is not wanted.
struct Children<'s> {
    shape: Shape<'s>,
    /// The column without which an entry is no row.
    key: usize,
    buffer: Option<&'s mut RowBuffer>,
    base: usize,
    without_id: &'s mut u64,
}

impl Children<'_> {
    /// Reads the list within its frame.
    fn framed<'de, D: Deserializer<'de>>(
        self,
        list_name: &'static str,
        deserializer: D,
    ) -> Result<Option<Frame>, D::Error> {
        let Self { shape, key, buffer, base, without_id } = self;
        *without_id = 0;
        let keep = &mut |buffer: &mut RowBuffer, row| keep_with_id(buffer, key, row, without_id);
        let mut list = buffer.map(|buffer| RowList { shape, buffer, base, keep });
        Read(Framed { list_name, list: list.as_mut() }).deserialize(deserializer)
    }

    /// Reads the bare list.
    fn bare<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { shape, key, buffer, base, without_id } = self;
        *without_id = 0;
        let Some(buffer) = buffer else { return deserializer.deserialize_ignored_any(IgnoredAny).map(drop) };
        let keep = &mut |buffer: &mut RowBuffer, row| keep_with_id(buffer, key, row, without_id);
        Read(&mut RowList { shape, buffer, base, keep }).deserialize(deserializer).map(drop)
    }
}

/// An entry without its key is no row, which is counted.
pub(crate) fn keep_with_id(buffer: &RowBuffer, key: usize, row: usize, without_id: &mut u64) -> bool {
    let keep = buffer.is_set(key, row);
    *without_id += u64::from(!keep);
    keep
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
        let row = work.marks.issues;
        while let Some(target) = object.next_key_seed(Member(node))? {
            match target {
                Some(Target::Section(section)) => {
                    object.next_value_seed(SectionOf { section: *section, work })?
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
            Section::Comments => work.comments = work.comments().framed("comments", deserializer)?,
            Section::Worklogs => work.worklogs = work.worklogs().framed("worklogs", deserializer)?,
            Section::Changelog => work.changelog = work.histories().framed("histories", deserializer)?,
            Section::Links => work.links().bare(deserializer)?,
            Section::Items | Section::Inward | Section::Outward => {
                deserializer.deserialize_ignored_any(IgnoredAny)?;
            }
        }
        Ok(())
    }
}
