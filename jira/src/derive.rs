//! Tables that no answer of Jira holds, derived from the rows of an accepted issue while they are still in memory: `event_log` and
//! `field_history`.
//!
//! Their rows belong to the issue that they are derived from and are replaced with it. They are derived in clear and masked at once, cell
//! by cell: every value is masked like the cell that it comes from (a change like the changed field, see [`crate::mask`]) and like its own
//! column, whichever is stricter, and only once, so that pseudonyms stay equal across tables.

mod events;
mod fields;
mod tracked;
mod values;
mod veil;

use crate::decode::IssueSeen;
use crate::fields::IssueSchema;
use crate::mask::Masking;
use crate::rows::RowBuffer;
use crate::tables::{Table, issues};
use events::EventDeriver;
use fields::FieldDeriver;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Rows of a page that others are derived from: the buffer of their table, and the first of them.
pub(crate) type Source<'a> = (&'a RowBuffer, usize);

/// The rows of one issue's children.
type List<'a> = (&'a RowBuffer, Range<usize>);

/// Where a column stands, by its name; beyond every row when the table has no such column.
fn place(table: Table, name: &str) -> usize {
    table.spec().columns.iter().position(|column| column.name == name).unwrap_or(usize::MAX)
}

/// Derives the rows of the selected derived tables.
#[derive(Debug)]
pub(crate) struct Deriver {
    events: Option<EventDeriver>,
    fields: Option<FieldDeriver>,
    /// Issues of the last page of which comments or work logs are still to come.
    waiting: HashMap<i64, Case>,
}

/// What the events of an issue share.
#[derive(Clone, Debug)]
struct Case {
    issue_id: i64,
    key: Option<String>,
    project_key: Option<String>,
    type_name: Option<String>,
}

impl Deriver {
    /// For the derived tables of a selection; `buffer` makes the rows of a table.
    pub(crate) fn new(
        selection: &BTreeSet<Table>,
        schema: &IssueSchema,
        masking: &Arc<Masking>,
        buffer: impl Fn(Table) -> RowBuffer,
    ) -> Self {
        let wanted = |table: Table| selection.contains(&table).then(|| buffer(table));
        Self {
            events: wanted(Table::EventLog).map(|rows| EventDeriver::new(masking, rows)),
            fields: wanted(Table::FieldHistory).map(|rows| FieldDeriver::new(masking, schema, rows)),
            waiting: HashMap::new(),
        }
    }

    /// The rows of a derived table, if it is selected.
    pub(crate) fn buffer_mut(&mut self, table: Table) -> Option<&mut RowBuffer> {
        let events = self.events.as_mut().filter(|_| table == Table::EventLog).map(|events| &mut events.rows);
        let fields = self.fields.as_mut().filter(|_| table == Table::FieldHistory);
        events.or(fields.map(|fields| &mut fields.rows))
    }

    /// Derives the rows of the accepted issues of a page.
    pub(crate) fn page<'a>(&mut self, sources: impl Fn(Table) -> Option<Source<'a>>, seen: &[IssueSeen]) {
        self.waiting.clear();
        let Some((buffer, first)) = sources(Table::Issues).filter(|_| self.is_wanted()) else { return };
        let tables = [Table::IssueChangelog, Table::IssueComments, Table::IssueWorklogs, Table::IssueSprints];
        let mut lists = tables.map(|table| sources(table).map(|source| Cursor::new(table, source)));
        for (row, seen) in (first..).zip(seen.iter().filter(|issue| issue.accepted)) {
            let issue = IssueRow { buffer, row };
            let [history, comments, worklogs, sprints] =
                lists.each_mut().map(|list| list.as_mut().map(|list| (list.buffer, list.rows_of(seen.id))));
            if let (Some(events), Some(case)) = (&mut self.events, issue.case()) {
                events.created(&case, issue);
                history.iter().for_each(|(rows, range)| events.changed(&case, rows, range.clone()));
                comments.iter().for_each(|(rows, range)| events.commented(&case, rows, range.clone()));
                worklogs.iter().for_each(|(rows, range)| events.worked(&case, rows, range.clone()));
                if !seen.incomplete.is_empty() {
                    self.waiting.insert(seen.id, case);
                }
            }
            if let Some(fields) = &mut self.fields {
                fields.tell(issue, history, sprints);
            }
        }
    }

    /// Derives the rows of children that the last page held back.
    pub(crate) fn children(
        &mut self,
        table: Table,
        issue_id: i64,
        children: &RowBuffer,
        range: Range<usize>,
    ) {
        let (Some(events), Some(case)) = (&mut self.events, self.waiting.get(&issue_id)) else { return };
        if table == Table::IssueComments {
            events.commented(case, children, range);
        } else if table == Table::IssueWorklogs {
            events.worked(case, children, range);
        }
    }

    fn is_wanted(&self) -> bool {
        self.events.is_some() || self.fields.is_some()
    }
}

/// The children of a page's issues, which stand in the order of the issues.
struct Cursor<'a> {
    buffer: &'a RowBuffer,
    issue_id: usize,
    next: usize,
}

impl<'a> Cursor<'a> {
    fn new(table: Table, (buffer, next): Source<'a>) -> Self {
        Self { buffer, issue_id: place(table, "issue_id"), next }
    }

    fn rows_of(&mut self, issue_id: i64) -> Range<usize> {
        let first = self.next;
        while self.next < self.buffer.rows() && self.buffer.i64_at(self.issue_id, self.next) == Some(issue_id)
        {
            self.next += 1;
        }
        first..self.next
    }
}

/// The row of `issues` of an issue.
#[derive(Clone, Copy)]
struct IssueRow<'a> {
    buffer: &'a RowBuffer,
    row: usize,
}

impl IssueRow<'_> {
    fn id(self) -> Option<i64> {
        self.buffer.i64_at(issues::ISSUE_ID, self.row)
    }

    fn case(self) -> Option<Case> {
        let text = |name| self.buffer.text_at(place(Table::Issues, name), self.row).map(str::to_owned);
        Some(Case {
            issue_id: self.id()?,
            key: text("issue_key"),
            project_key: text("project_key"),
            type_name: text("type_name"),
        })
    }
}
