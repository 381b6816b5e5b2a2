//! What becomes of the lists of an issue's children once they are read: cells that are not an element's own, and lists that were cut.

use crate::decode::issue::IssueNotes;
use crate::decode::list::Frame;
use crate::rows::{Cell, RowBuffer};
use crate::tables::{ChildLists, ListFrame, Table};
use std::ops::Range;

/// An issue whose cells are filled and whose rows are not yet accepted.
pub(super) struct ReadIssue {
    /// Tables of whose lists nothing was kept, because the page held only some of it.
    pub(super) incomplete: Vec<Table>,
    pub(super) notes: IssueNotes,
}

/// Fills the cells of the row of an element that are not its own: the row after those that its list has so far. False if it is one of
/// them once more.
pub(super) fn complete_child(
    lists: &ChildLists,
    member: usize,
    buffer: &mut RowBuffer,
    before: Range<usize>,
) -> bool {
    let row = before.end;
    if lists.is_distinct && before.clone().any(|other| buffer.is_equal(lists.key_column, other, row)) {
        return false;
    }
    if let Some(column) = lists.ordinal_column {
        let ordinal = i64::try_from(row - before.start).unwrap_or(i64::MAX);
        buffer.put(column, row, Cell::I64(ordinal));
    }
    if let Some(roles) = &lists.roles {
        buffer.put(roles.column, row, roles.names.get(member).map_or(Cell::Null, |role| Cell::Text(role)));
    }
    true
}

/// Judges a framed list of a wanted table. True if it was cut and none of its rows is kept, because all are read again from the list's own
/// resource.
pub(super) fn judge(
    buffer: Option<&mut RowBuffer>,
    base: usize,
    (table, framed): (Table, &ListFrame),
    frame: Option<Frame>,
    read: &mut ReadIssue,
) -> bool {
    let Some(buffer) = buffer else { return false };
    let Some(frame) = frame else {
        if let Some(unsent) = read.notes.unsent.of_mut(table) {
            *unsent = 1;
        }
        return false;
    };
    if framed.has_resource {
        let incomplete = !frame.is_complete();
        if incomplete {
            buffer.truncate(base);
            read.incomplete.push(table);
        }
        return incomplete;
    }
    let total = frame.total.unwrap_or_default();
    read.notes.histories_cut += total.saturating_sub(frame.count.unwrap_or_default());
    false
}

/// An entry without its key is no row, which is counted.
pub(crate) fn keep_with_id(buffer: &RowBuffer, key: usize, row: usize, without_id: &mut u64) -> bool {
    let keep = buffer.is_set(key, row);
    *without_id += u64::from(!keep);
    keep
}
