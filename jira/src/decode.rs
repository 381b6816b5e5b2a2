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

use crate::batch::{Place, Sink};
use crate::fields::IssueSchema;
use crate::tables::Table;
use crate::unit::UnitId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Why an answer could not become rows, or rows could not become a part.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The text ends before the JSON does.
    #[error(
        "{what} ends too early, at line {line} column {column}: the answer was cut on its way; read it again"
    )]
    Truncated { what: &'static str, line: usize, column: usize },
    /// The text is no JSON.
    #[error("{what} is not JSON ({detail}): something between the agent and Jira may have answered instead")]
    NotJson { what: &'static str, detail: String },
    /// The JSON lacks what every such answer has.
    #[error("{what} has an unexpected form ({detail}): check that the address is that of a Jira")]
    Shape { what: &'static str, detail: String },
    /// Rows could not be encoded.
    #[error(
        "rows of {table} could not be encoded ({detail}): this is a defect of the agent; report it with this text"
    )]
    Encode { table: String, detail: String },
}

impl DecodeError {
    pub(crate) fn json(what: &'static str, error: &serde_json::Error) -> Self {
        use serde_json::error::Category;
        match error.classify() {
            Category::Eof => Self::Truncated { what, line: error.line(), column: error.column() },
            Category::Io | Category::Syntax => Self::NotJson { what, detail: error.to_string() },
            Category::Data => Self::Shape { what, detail: error.to_string() },
        }
    }

    pub(crate) fn encode(table: &str, error: &dyn std::error::Error) -> Self {
        Self::Encode { table: table.to_owned(), detail: error.to_string() }
    }
}

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

/// Reads a search answer that was asked with few fields: which issues it names. No rows are kept.
///
/// # Errors
/// As [`Sink::issue_page`].
pub(crate) fn decode_heads(json: &str, is_cloud: bool) -> Result<PageHead, DecodeError> {
    let place = Place { unit: UnitId::new("heads"), generation: 0 };
    let schema = IssueSchema::default().on_cloud(is_cloud);
    let mut sink = Sink::new(Arc::new(schema), &BTreeSet::new(), place, usize::MAX);
    sink.issue_page(json, &mut |_| false)
}

#[cfg(test)]
pub(crate) mod tests;
