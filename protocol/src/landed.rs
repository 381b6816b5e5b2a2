//! What an extraction asks of the relay, which has the landed tables, and the answers in pieces that fit control messages. Nothing here is of
//! Jira: the relay tells of its own rows.

use serde::{Deserialize, Serialize};

/// A question about the rows that landed before a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum LandedQuestion {
    /// Creation times cut into slices of about a thousand landed issues, with their counts.
    Slices {
        /// Whether counts are asked for project by project.
        by_project: bool,
    },
    /// The landed issues of a range of creation time.
    Issues {
        /// First millisecond, UTC since 1970.
        from_ms: i64,
        /// First millisecond after it.
        to_ms: i64,
        /// Whether they are asked for project by project.
        by_project: bool,
        /// Whether the times of their last updates are asked for.
        #[serde(default)]
        with_updated: bool,
    },
    /// Issues with rows that lead to one of these.
    Referring {
        /// Ids of issues; at most [`REFERRED_MAX`].
        issues: Vec<i64>,
    },
    /// The issues of these work logs.
    OwnersOfWorklogs {
        /// Ids of work logs; at most [`REFERRED_MAX`].
        worklogs: Vec<i64>,
    },
    /// The columns of the table `issues` that hold custom fields.
    Columns,
    /// Issues with links or parents that did not land or have another key, and landed other ends that do not show the link.
    Astray,
}

/// A piece of an answer. All pieces of one answer are of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum LandedPiece {
    /// In the order of time.
    Slices {
        /// The next slices.
        slices: Vec<LandedSlice>,
    },
    /// In no order.
    Issues {
        /// More issues; a project may come in several pieces.
        issues: Vec<LandedIssues>,
    },
    /// In no order.
    Ids {
        /// More ids.
        ids: Vec<i64>,
    },
    /// In no order.
    Columns {
        /// More columns.
        columns: Vec<LandedColumn>,
    },
    /// There is no answer.
    Impossible {
        /// Why, and what to do.
        reason: String,
    },
}

/// Landed issues from the end of the slice before to its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandedSlice {
    /// Its end, which is not in it.
    pub to_ms: i64,
    /// How many, by project key if that was asked for.
    pub counts: Vec<(Option<String>, u64)>,
}

/// Landed issues of a project, or of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandedIssues {
    /// The project's key, if it was asked for.
    pub project: Option<String>,
    /// Their ids.
    pub ids: Vec<i64>,
    /// The last update of each, milliseconds since 1970; empty where that was not asked for or is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub updated_ms: Vec<i64>,
}

/// A column of the table `issues` that holds a custom field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandedColumn {
    /// Its name.
    pub name: String,
    /// Its type; empty where its values are hashed.
    pub column_type: String,
    /// Jira's id of the field.
    pub field_id: String,
}

/// Issues, or work logs, that one question names.
pub const REFERRED_MAX: usize = 2_000;
/// Ids, or counts of slices, in one piece: with nineteen digits and a project key each they fit a control message twice.
pub const PIECE_ITEMS_MAX: usize = 2_000;
