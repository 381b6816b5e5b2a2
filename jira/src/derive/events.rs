//! `event_log`: one event for the creation, one per changed field, comment and work log entry.

use super::veil::{Rows, Veil, of_columns};
use super::{Case, IssueRow, place};
use crate::mask::Masking;
use crate::rows::RowBuffer;
use crate::tables::{Table, changelog, event_log as log};
use std::ops::Range;
use std::sync::Arc;

/// The field whose changes are named by the new value.
const STATUS: &str = "status";

/// Makes the rows of `event_log`.
#[derive(Debug)]
pub(super) struct EventDeriver {
    pub(super) rows: RowBuffer,
    masking: Arc<Masking>,
    columns: Vec<Veil>,
    shared: SharedVeils,
    creation: Origin,
    changes: Origin,
    comments: Origin,
    worklogs: Origin,
    change: ChangeColumns,
}

/// Of what all events of an issue share.
#[derive(Debug)]
struct SharedVeils {
    key: Veil,
    project_key: Veil,
    type_name: Veil,
}

/// Where the events of one source have their id, time and resource.
#[derive(Debug)]
struct Origin {
    source: &'static str,
    id: usize,
    time: usize,
    resource: usize,
    time_veil: Veil,
    resource_veil: Veil,
}

/// Columns of `issue_changelog` that a change takes over: the column there, the column here, the veil of the one there.
type Taken = Vec<(usize, usize, Veil)>;

#[derive(Debug)]
struct ChangeColumns {
    values: Taken,
    names: Taken,
    /// The new value again, as the name of an activity.
    to_text: usize,
    activity: Veil,
}

/// What every event has.
struct Event<'e> {
    id: &'e str,
    time: Option<i64>,
    resource: Option<&'e str>,
}

impl Origin {
    fn of(masking: &Masking, table: Table, source: &'static str, columns: [&str; 3]) -> Self {
        let [id, time, resource] = columns;
        Self {
            source,
            id: place(table, id),
            time: place(table, time),
            resource: place(table, resource),
            time_veil: Veil::of_column(masking, table, time),
            resource_veil: Veil::of_column(masking, table, resource),
        }
    }

    fn event<'e>(&self, buffer: &'e RowBuffer, row: usize, id: &'e str) -> Event<'e> {
        Event { id, time: buffer.i64_at(self.time, row), resource: buffer.text_at(self.resource, row) }
    }
}

impl ChangeColumns {
    fn of(masking: &Masking, columns: &[Veil]) -> Self {
        const TABLE: Table = Table::IssueChangelog;
        let taken =
            |(name, to): (&str, usize)| (place(TABLE, name), to, Veil::of_column(masking, TABLE, name));
        let values = [
            ("from_id", log::OLD_ID),
            ("from_text", log::OLD_VALUE),
            ("to_id", log::NEW_ID),
            ("to_text", log::NEW_VALUE),
        ];
        let to_text = Veil::of_column(masking, TABLE, "to_text");
        Self {
            values: values.into_iter().map(taken).collect(),
            names: [("field", log::FIELD), ("field_type", log::FIELD_TYPE)].into_iter().map(taken).collect(),
            to_text: place(TABLE, "to_text"),
            // Whoever hides the new value means it in the activity too.
            activity: columns.get(log::NEW_VALUE).unwrap_or(&Veil::Clear).and(&to_text).clone(),
        }
    }
}

impl EventDeriver {
    pub(super) fn new(masking: &Arc<Masking>, rows: RowBuffer) -> Self {
        let columns = of_columns(masking, Table::EventLog);
        let issues = |name| Veil::of_column(masking, Table::Issues, name);
        Self {
            rows,
            masking: Arc::clone(masking),
            shared: SharedVeils {
                key: issues("issue_key"),
                project_key: issues("project_key"),
                type_name: issues("type_name"),
            },
            creation: Origin::of(masking, Table::Issues, "create", ["issue_id", "created", "creator_id"]),
            changes: Origin::of(
                masking,
                Table::IssueChangelog,
                "change",
                ["history_id", "created", "author_id"],
            ),
            comments: Origin::of(
                masking,
                Table::IssueComments,
                "comment",
                ["comment_id", "created", "author_id"],
            ),
            worklogs: Origin::of(
                masking,
                Table::IssueWorklogs,
                "worklog",
                ["worklog_id", "created", "author_id"],
            ),
            change: ChangeColumns::of(masking, &columns),
            columns,
        }
    }

    /// The event that no history tells.
    pub(super) fn created(&mut self, case: &Case, issue: IssueRow<'_>) {
        let event = self.creation.event(issue.buffer, issue.row, "created");
        let mut rows = Rows::new(&mut self.rows, &self.columns);
        write_shared(&mut rows, (case, &self.shared), &self.creation, &event);
        rows.text(log::ACTIVITY, &Veil::Clear, Some("Created"));
        rows.end();
    }

    /// One event per changed field; an entry that changed nothing gives none.
    pub(super) fn changed(&mut self, case: &Case, history: &RowBuffer, range: Range<usize>) {
        let mut rows = Rows::new(&mut self.rows, &self.columns);
        for row in range {
            let (Some(field), Some(history_id)) =
                (history.text_at(changelog::FIELD, row), history.i64_at(self.changes.id, row))
            else {
                continue;
            };
            let item = history.i64_at(changelog::ITEM_INDEX, row).unwrap_or_default();
            let id = format!("change/{history_id}/{item}");
            let event = self.changes.event(history, row, &id);
            write_shared(&mut rows, (case, &self.shared), &self.changes, &event);
            let field_type = history.text_at(changelog::FIELD_TYPE, row).unwrap_or_default();
            let veil = Veil::of_mask(self.masking.of_change(field, field_type));
            for (from, to, own) in &self.change.values {
                rows.text(*to, own.and(&veil), history.text_at(*from, row));
            }
            for (from, to, own) in &self.change.names {
                rows.text(*to, own, history.text_at(*from, row));
            }
            let is_status = field.eq_ignore_ascii_case(STATUS) && !field_type.eq_ignore_ascii_case("custom");
            let status =
                history.text_at(self.change.to_text, row).filter(|name| is_status && !name.is_empty());
            let veil = self.change.activity.and(&veil);
            match (status, veil) {
                (Some(status), Veil::Clear | Veil::Hash(_)) => rows.text(log::ACTIVITY, veil, Some(status)),
                (Some(_) | None, _) => {
                    rows.text(log::ACTIVITY, &Veil::Clear, Some(&format!("{field} changed")))
                }
            }
            rows.number(log::HISTORY_ID, Some(history_id));
            rows.number(log::ITEM_INDEX, Some(item));
            rows.end();
        }
    }

    /// One event per comment.
    pub(super) fn commented(&mut self, case: &Case, comments: &RowBuffer, range: Range<usize>) {
        let Self { rows, columns, shared, comments: origin, .. } = self;
        write_children(Rows::new(rows, columns), (case, shared), origin, ("Comment added", comments, range));
    }

    /// One event per work log entry.
    pub(super) fn worked(&mut self, case: &Case, worklogs: &RowBuffer, range: Range<usize>) {
        let Self { rows, columns, shared, worklogs: origin, .. } = self;
        write_children(Rows::new(rows, columns), (case, shared), origin, ("Work logged", worklogs, range));
    }
}

fn write_children(
    mut rows: Rows<'_>,
    issue: (&Case, &SharedVeils),
    origin: &Origin,
    children: (&str, &RowBuffer, Range<usize>),
) {
    let (activity, buffer, range) = children;
    for row in range {
        let id = format!("{}/{}", origin.source, buffer.i64_at(origin.id, row).unwrap_or_default());
        write_shared(&mut rows, issue, origin, &origin.event(buffer, row, &id));
        rows.text(log::ACTIVITY, &Veil::Clear, Some(activity));
        rows.end();
    }
}

fn write_shared(rows: &mut Rows<'_>, issue: (&Case, &SharedVeils), origin: &Origin, event: &Event<'_>) {
    let (case, veils) = issue;
    rows.number(log::ISSUE_ID, Some(case.issue_id));
    rows.text(log::EVENT_ID, &Veil::Clear, Some(event.id));
    rows.text(log::CASE_ID, &veils.key, case.key.as_deref());
    rows.time(log::TIMESTAMP, &origin.time_veil, event.time);
    rows.text(log::RESOURCE, &origin.resource_veil, event.resource);
    rows.text(log::SOURCE, &Veil::Clear, Some(origin.source));
    rows.text(log::PROJECT_KEY, &veils.project_key, case.project_key.as_deref());
    rows.text(log::ISSUE_TYPE_NAME, &veils.type_name, case.type_name.as_deref());
}
