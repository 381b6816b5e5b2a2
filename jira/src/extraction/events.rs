//! What an extraction tells its caller.

use crate::checkpoint::CheckpointEntry;
use crate::landed::LandedAsk;
use crate::part::Part;
use crate::spec::Watermark;
use crate::unit::UnitId;
use crate::warning::Warning;
use std::collections::BTreeMap;

/// One thing that happened. All parts of a unit come before its `UnitDone`.
#[derive(Debug)]
pub enum Event {
    /// A part of a unit that is still being read.
    Part(Part),
    /// A unit is finished. Store the entry in one transaction with the unit's parts, when all of them are durable.
    UnitDone {
        /// The unit.
        unit: UnitId,
        /// What to give back to [`crate::extract`] to go on after it.
        entry: CheckpointEntry,
        /// How many parts it has; may be none.
        parts: u32,
    },
    /// How far the run is; some are left out when the caller is slow.
    Progress(Progress),
    /// A sweep asks what landed before; it goes on when it is answered.
    Landed(LandedAsk),
    /// Something was withheld by Jira; also in the summary.
    Warning(Warning),
    /// Everything was read; the last event.
    Finished(Summary),
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Verifying the login.
    #[default]
    LoggingIn,
    /// Reading issues and metadata.
    Reading,
    /// Reading again what was changed meanwhile; all of a delta load.
    CatchingUp,
    /// Counting what was read against Jira.
    Proving,
    /// Comparing what landed before with what Jira shows.
    Sweeping,
}

impl Phase {
    /// Its name, snake_case, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::LoggingIn => "logging_in",
            Self::Reading => "reading",
            Self::CatchingUp => "catching_up",
            Self::Proving => "proving",
            Self::Sweeping => "sweeping",
        }
    }
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Issues to read, as far as known.
    pub issues_total: Option<u64>,
    /// Issues read, in all passes.
    pub issues_read: u64,
    /// Rows of finished units by table.
    pub rows: BTreeMap<String, u64>,
    /// Requests sent, retries included.
    pub requests: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Bytes of answers, unpacked.
    pub bytes_read: u64,
    /// Requests in flight.
    pub in_flight: u32,
    /// What it is doing.
    pub phase: Phase,
}

/// What a run has read, over all its resumptions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Rows in parts by table, rows that a later generation replaces included.
    pub rows: BTreeMap<String, u64>,
    /// Columns by table.
    pub columns: BTreeMap<String, u64>,
    /// Where the next delta load starts; `None` when no table of issues was read.
    pub watermark: Option<Watermark>,
    /// What Jira withheld.
    pub warnings: Vec<Warning>,
    /// Requests sent since the last resumption, retries included.
    pub requests: u64,
    /// Requests that were sent again since the last resumption.
    pub retries: u64,
    /// Bytes of answers since the last resumption, unpacked.
    pub bytes_read: u64,
    /// Bytes of JSON by the table they were read for. All tables of issues share the search pages, which count for `issues`.
    pub bytes_by_table: BTreeMap<String, u64>,
    /// Issues of the extraction as Jira counts them at the end.
    pub issues_total: Option<u64>,
}
