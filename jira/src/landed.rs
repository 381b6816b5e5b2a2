//! What an extraction asks of whoever keeps the landed tables: a sweep compares what landed with what Jira shows, and reads of both only what
//! differs; a delta load asks whose a deleted work log was; every load of `issues` asks which columns there are already.
//!
//! A question is an event of the extraction; whoever drives it answers. An answer is believed: it is about the keeper's own rows, and
//! the only thing that it can lead to is that such rows are dropped or read again within the extraction's own bounds.

use crate::error::Error;
use tokio::sync::oneshot;

/// Issues, or work logs, named in one question at most.
pub(crate) const REFERRED_PER_QUESTION: usize = 2_000;

/// A question about the rows of the table `issues` that landed before this run, and of those that lead to other issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LandedQuestion {
    /// Creation times cut into slices of about a thousand landed issues, with their counts.
    Slices {
        /// Whether counts are asked for project by project.
        by_project: bool,
    },
    /// The landed issues of a range of creation time.
    Issues {
        /// Epoch milliseconds of a whole second; `i64::MIN` is no bound.
        from_ms: i64,
        /// Epoch milliseconds of a whole second; `i64::MAX` is no bound.
        to_ms: i64,
        /// Whether they are asked for project by project.
        by_project: bool,
        /// Whether the times of their last updates are asked for.
        with_updated: bool,
    },
    /// Issues with rows that lead to one of these.
    Referring {
        /// Ids of issues.
        issues: Vec<i64>,
    },
    /// The issues of these work logs.
    OwnersOfWorklogs {
        /// Ids of work logs.
        worklogs: Vec<i64>,
    },
    /// The columns of the table `issues` that hold custom fields.
    Columns,
    /// Issues with links or parents that did not land or have another key, and landed other ends that do not show the link.
    Astray,
}

/// An answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LandedAnswer {
    /// In the order of time. The first begins before all times, the last ends after all.
    Slices(Vec<LandedSlice>),
    /// Issues of a range, each once.
    Issues(Vec<LandedIssues>),
    /// Ids of issues, in no order.
    Ids(Vec<i64>),
    /// Columns, in no order.
    Columns(Vec<LandedColumn>),
    /// There is none, for this reason.
    None(String),
}

/// Landed issues from the end of the slice before to its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandedSlice {
    /// Its end, which is not in it: epoch milliseconds of a whole second, `i64::MAX` for the last.
    pub to_ms: i64,
    /// How many, by project key (as the rows have it) if that was asked for.
    pub counts: Vec<(Option<String>, u64)>,
}

/// Landed issues of a project, or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandedIssues {
    /// The project's key as the rows have it, if it was asked for.
    pub project: Option<String>,
    /// Their ids.
    pub ids: Vec<i64>,
    /// The time of the last update of each as its row has it, epoch milliseconds; empty where that was not asked for or the rows do not
    /// tell it in clear.
    pub updated_ms: Vec<i64>,
}

/// A column of the table `issues` that holds a custom field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandedColumn {
    /// Its name.
    pub name: String,
    /// Name of its type in our catalogue.
    pub column_type: String,
    /// Jira's id of the field.
    pub field_id: String,
}

/// A question that waits for its answer.
#[derive(Debug)]
pub struct LandedAsk {
    /// What is asked.
    pub question: LandedQuestion,
    reply: oneshot::Sender<LandedAnswer>,
}

impl LandedAsk {
    pub(crate) fn new(question: LandedQuestion) -> (Self, oneshot::Receiver<LandedAnswer>) {
        let (reply, answer) = oneshot::channel();
        (Self { question, reply }, answer)
    }

    /// Answers. An extraction that ended meanwhile hears nothing.
    pub fn answer(self, answer: LandedAnswer) {
        if self.reply.send(answer).is_err() {
            tracing::debug!(event = "answer_unheard", "an extraction ended before its question was answered");
        }
    }
}

impl LandedAnswer {
    pub(crate) fn slices(self) -> Result<Vec<LandedSlice>, Error> {
        match self {
            Self::Slices(slices) => Ok(slices),
            other => Err(other.unfit()),
        }
    }

    pub(crate) fn issues(self) -> Result<Vec<LandedIssues>, Error> {
        match self {
            Self::Issues(issues) => Ok(issues),
            other => Err(other.unfit()),
        }
    }

    pub(crate) fn ids(self) -> Result<Vec<i64>, Error> {
        match self {
            Self::Ids(ids) => Ok(ids),
            other => Err(other.unfit()),
        }
    }

    pub(crate) fn columns(self) -> Result<Vec<LandedColumn>, Error> {
        match self {
            Self::Columns(columns) => Ok(columns),
            other => Err(other.unfit()),
        }
    }

    fn unfit(self) -> Error {
        let detail = match self {
            Self::None(reason) => reason,
            Self::Slices(_) | Self::Issues(_) | Self::Ids(_) | Self::Columns(_) => {
                "the answer is to another question; this is a defect, please report it".to_owned()
            }
        };
        Error::Landed { detail }
    }
}
