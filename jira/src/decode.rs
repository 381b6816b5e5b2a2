//! One pass over the text of an answer: rows of every table, without a tree of values in between.
//!
//! Every member may be absent, null or of an unexpected shape: then the cell is null (and counted), never an error. What is an error:
//! text that is no JSON, a list that is missing, an issue without id, key or creation time.

mod adf;
mod child_lists;
mod children;
mod compact;
mod custom;
mod histories;
mod issue;
mod lenient;
mod list;
mod object;
mod of_issue;
mod sla;
mod sprint;
mod tree;
mod values;

pub(crate) use child_lists::keep_with_id;
pub(crate) use histories::Histories;
pub(crate) use issue::{Asked, IssueBuffers, IssueNotes, read_page};
pub(crate) use list::{ElementRules, RowList, Shape, read_children, read_rows};
pub(crate) use of_issue::{OfIssuePage, read_of_issue};
pub(crate) use tree::Trees;

use crate::tables::Table;

/// What identifies and orders an issue, before its rows are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IssueHead<'a> {
    pub(crate) id: i64,
    pub(crate) project_key: Option<&'a str>,
    /// Epoch milliseconds.
    pub(crate) created_ms: i64,
    /// Epoch milliseconds.
    pub(crate) updated_ms: i64,
}

/// The frame of a search answer and what it held.
#[derive(Debug)]
pub(crate) struct PageHead {
    pub(crate) start_at: u64,
    pub(crate) max_results: u64,
    pub(crate) total: u64,
    /// Every issue of the page in its order, accepted or not.
    pub(crate) issues: Vec<IssueSeen>,
    /// By which Jira Cloud is asked for the next page.
    pub(crate) next: Option<String>,
}

/// An issue that a page held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IssueSeen {
    pub(crate) id: i64,
    pub(crate) key: String,
    pub(crate) project_key: Option<String>,
    /// Epoch milliseconds.
    pub(crate) created_ms: i64,
    /// Epoch milliseconds.
    pub(crate) updated_ms: i64,
    pub(crate) accepted: bool,
    /// Tables whose embedded list was cut and of which none was kept: read them from the list's own resource.
    pub(crate) incomplete: Vec<Table>,
    /// Tables whose resource is to be asked for it.
    pub(crate) owed: Vec<Table>,
    /// Issues at the other end of its links.
    pub(crate) linked: Vec<i64>,
    /// Whether it was ever moved, as far as is known: then rows of other issues hold its key.
    pub(crate) may_be_moved: bool,
}

/// What a page of the site's metadata says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MetadataPage {
    /// Elements of the list, rows or not.
    pub(crate) count: u64,
    /// Rows that were not there before.
    pub(crate) fresh: u64,
    /// As Jira says.
    pub(crate) is_last: Option<bool>,
    /// As Jira says.
    pub(crate) total: Option<u64>,
}

/// The frame of a list of children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) start_at: u64,
    pub(crate) max_results: u64,
    /// As Jira says; the number of entries where it does not say.
    pub(crate) total: u64,
    /// Entries in this answer.
    pub(crate) count: u64,
}

#[cfg(test)]
pub(crate) mod tests;
