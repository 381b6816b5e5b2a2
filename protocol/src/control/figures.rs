//! What a run comes to, in figures.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// What the engine does now: `login`, `metadata`, `issues`, `catch_up`, `proof`.
    pub phase: String,
    /// Issues that Jira counted for this run.
    pub issues_total: Option<u64>,
    /// Issues read so far.
    pub issues_read: u64,
    /// Rows made so far, by table.
    pub rows: BTreeMap<String, u64>,
    /// Requests sent to Jira.
    pub requests: u64,
    /// Requests that had to be repeated.
    pub retries: u64,
    /// Bytes of JSON read from Jira (uncompressed).
    pub bytes_read: u64,
    /// Bytes of parts sent over the link.
    pub bytes_sent: u64,
    /// Requests in flight now.
    pub in_flight: u32,
}

/// What a finished run read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunResult {
    /// By table.
    pub tables: BTreeMap<String, TableResult>,
    /// Jira's clock up to which the issue tables are complete, UTC milliseconds; where the next delta load starts.
    pub watermark_ms: Option<i64>,
    /// Issues that Jira counted at the end, when the run covers a whole site or project list.
    pub issues_counted: Option<u64>,
    /// What Jira withheld.
    pub warnings: Vec<RunWarning>,
    /// What the policy of the premises took away from what was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<RunWarning>,
    /// The last figures.
    pub progress: Progress,
}

/// What a finished run read of one table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableResult {
    /// Rows in the parts of the run.
    pub rows: u64,
    /// Columns of the table.
    pub columns: u64,
    /// Bytes of JSON read for it; the issue tables share their pages, counted at `issues`.
    pub bytes_read: u64,
    /// Bytes of its parts.
    pub bytes_sent: u64,
}

/// Something that Jira withheld or that could not be kept, with a count: never silence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunWarning {
    /// Stable snake_case code.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// How often.
    pub count: u64,
}
