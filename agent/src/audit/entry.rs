//! What is recorded: one typed entry for each request to Jira, each instruction of the relay, each part that left, and each order given
//! on the premises. Names, counts and codes; never an answer of Jira, a condition's result or a secret.

use super::chain::Hash;
use crate::policy::{shortened, shortened_line};
use chrono::{DateTime, SecondsFormat};
use jira::RequestRecord;
use protocol::control::{PartHeader, RelayMessage};
use protocol::ids::{Lease, RunId};
use protocol::keys::Fingerprint;
use protocol::manifest::PartFacts;
use protocol::spec::{ConnectionSpec, ExtractionSpec, Load};
use serde::Serialize;

/// Names of a list that one entry repeats; the rest is counted.
const NAMES_MAX: usize = 40;
/// Why a message of a type that this agent does not know is not followed.
const UNKNOWN: &str = "unknown_message";

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// The first line of every file: which line the file follows.
    FileBegins {
        /// Hash of the last line of the file before.
        prev: Hash,
    },
    /// What was left of a line whose writing was interrupted, by its length and SHA-256.
    TornLine {
        /// Length of the rest.
        bytes: u64,
        /// Its SHA-256.
        sha256: Hash,
    },
    /// The end of the chain on disk could not be used; a new file goes on from the end that was remembered.
    ChainBroken {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Old files reached their limits and are removed.
    FilesRemoved {
        /// Number of the last line in them.
        through: u64,
        /// How many files.
        files: u64,
    },
    /// The agent's process started.
    AgentStarted {
        /// Its version.
        version: String,
        /// Its id at the relay.
        agent: String,
        /// Its keys.
        fingerprint: String,
    },
    /// The agent's process ends in good order.
    AgentStopped {},
    /// A request to Jira ended.
    JiraRequest(Request),
    /// The relay asked for something.
    Instruction(Instruction),
    /// The relay asks for more than is recorded line by line; the rest was counted.
    InstructionsCounted {
        /// When the first of them came.
        since: String,
        /// How many in all.
        times: u64,
        /// The same by kind.
        kinds: Vec<Counted>,
    },
    /// A part is durable at the relay: what left the premises.
    PartLanded(Landed),
    /// A part of an earlier lease of a run that goes on here, as the relay told it.
    PartResumed(Landed),
    /// A manifest was signed; the names of its parts, over several lines when there are many.
    ManifestSigned {
        /// The run.
        run: String,
        /// Under which lease.
        lease: u32,
        /// SHA-256 of the signed text.
        sha256: String,
        /// Parts that it counts.
        parts: Vec<String>,
    },
    /// A run ended on this side.
    RunEnded {
        /// The run.
        run: String,
        /// Under which lease.
        lease: u32,
        /// `finished`, `failed` or `dropped`.
        outcome: &'static str,
        /// Code of the failure.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// Somebody on the premises ordered something.
    Order {
        /// `pause`, `resume`, `log_level`, `enroll`, ...
        order: String,
        /// With what.
        #[serde(skip_serializing_if = "String::is_empty")]
        detail: String,
    },
}

/// A request to Jira.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Request {
    /// The run, `test`, `health`, ...
    about: String,
    site: String,
    method: &'static str,
    path: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    bytes: u64,
    ms: u64,
    #[serde(skip_serializing_if = "is_zero")]
    retry: u32,
}

/// What the relay asked for, shortened, and whether it was followed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Instruction {
    /// The message's type.
    instruction: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extraction: Option<Box<Extraction>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    accepted: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

/// Instructions of a kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Counted {
    /// The message's type.
    pub(crate) instruction: String,
    pub(crate) accepted: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    /// How many.
    pub(crate) times: u64,
}

impl Counted {
    /// Whether both are of one kind.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (&self.instruction, self.accepted, &self.code) == (&other.instruction, other.accepted, &other.code)
    }
}

/// What was to be read.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Extraction {
    load: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tables: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    projects: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jql: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    columns: Vec<String>,
    resume_entries: u64,
}

/// A part that left the premises.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Landed {
    run: String,
    lease: u32,
    part: String,
    table: String,
    generation: u32,
    rows: u64,
    bytes: u64,
    sha256: String,
}

/// A line without its hash.
#[derive(Serialize)]
struct Body<'a> {
    seq: u64,
    at: String,
    #[serde(flatten)]
    entry: &'a Entry,
}

impl Entry {
    /// The text of the line's body.
    pub(crate) fn body(&self, seq: u64, at_ms: i64) -> Result<String, serde_json::Error> {
        let at = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
        let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
        serde_json::to_string(&Body { seq, at, entry: self })
    }

    /// What was counted since then.
    pub(crate) fn counted(since_ms: i64, kinds: Vec<Counted>) -> Self {
        let since = DateTime::from_timestamp_millis(since_ms).unwrap_or_default();
        Self::InstructionsCounted {
            since: since.to_rfc3339_opts(SecondsFormat::Millis, true),
            times: kinds.iter().map(|kind| kind.times).sum(),
            kinds,
        }
    }

    /// An order of the premises.
    pub(crate) fn order(order: &str, detail: &str) -> Self {
        Self::Order { order: shortened(order), detail: shortened_line(detail) }
    }
}

impl From<&RequestRecord> for Entry {
    fn from(record: &RequestRecord) -> Self {
        Self::JiraRequest(Request {
            about: record.about.to_string(),
            site: record.site.to_string(),
            method: record.method,
            path: record.path,
            status: record.status,
            error: record.error,
            bytes: record.bytes,
            ms: u64::try_from(record.duration.as_millis()).unwrap_or(u64::MAX),
            retry: record.retry,
        })
    }
}

impl From<&PartHeader> for Entry {
    fn from(part: &PartHeader) -> Self {
        Self::PartLanded(Landed {
            run: part.run.to_string(),
            lease: part.lease.0,
            part: part.part.0.clone(),
            table: part.table.clone(),
            generation: part.generation,
            rows: part.rows,
            bytes: part.bytes,
            sha256: part.digest.clone(),
        })
    }
}

impl Landed {
    /// A part of an earlier lease, as the relay told it.
    pub(crate) fn told(run: &RunId, lease: Lease, part: &PartFacts) -> Self {
        Self {
            run: run.to_string(),
            lease: lease.0,
            part: shortened(&part.part.0),
            table: shortened(&part.table),
            generation: part.generation,
            rows: part.rows,
            bytes: part.bytes,
            sha256: shortened(&part.sha256),
        }
    }
}

impl Instruction {
    /// Whether a message asks for something: then [`Instruction::of`] gives what.
    pub(crate) fn is_one(message: &RelayMessage) -> bool {
        !matches!(
            message,
            RelayMessage::ResumeEntries { .. }
                | RelayMessage::PartLanded { .. }
                | RelayMessage::CheckpointStored { .. }
                | RelayMessage::LandedAnswer { .. }
                | RelayMessage::RunClosed { .. }
                | RelayMessage::Window { .. }
                | RelayMessage::NextTicket { .. }
                | RelayMessage::Beat { .. }
                | RelayMessage::BeatAck { .. }
        )
    }

    /// What a message of the relay asks for; `None` for acknowledgements, beats and windows, which ask for nothing, and for the entries
    /// of a run that goes on, which are counted where it starts.
    pub(crate) fn of(message: &RelayMessage) -> Option<Self> {
        let asked = |instruction: &str| Self {
            instruction: instruction.to_owned(),
            accepted: true,
            ..Self::default()
        };
        if !Self::is_one(message) {
            return None;
        }
        Some(match message {
            RelayMessage::StartRun { run, lease, connection, extraction, resume_entries } => Self {
                run: Some(shortened(run.as_str())),
                lease: Some(lease.0),
                extraction: Some(Box::new(Extraction::of(extraction, *resume_entries))),
                ..asked("start_run").at(connection)
            },
            RelayMessage::CancelRun { run, lease } => {
                Self { run: Some(shortened(run.as_str())), lease: Some(lease.0), ..asked("cancel_run") }
            }
            RelayMessage::TestConnection { request, connection } => {
                Self { run: Some(shortened(request.as_str())), ..asked("test_connection").at(connection) }
            }
            RelayMessage::Discover { request, connection, extraction, rows } => Self {
                run: Some(shortened(request.as_str())),
                extraction: Some(Box::new(Extraction::of(extraction, 0))),
                detail: Some(format!("{rows} sample rows of each table")),
                ..asked("discover").at(connection)
            },
            RelayMessage::PartFailed { run, failure, .. } => Self {
                run: Some(shortened(run.as_str())),
                detail: Some(shortened(&failure.code)),
                ..asked("part_failed")
            },
            RelayMessage::GoAway { retry_after_ms, reason } => Self {
                detail: Some(shortened_line(&format!("back in {retry_after_ms} ms: {reason}"))),
                ..asked("go_away")
            },
            RelayMessage::UnknownMessage { got } => {
                Self { detail: Some(shortened(got)), ..asked("unknown_message") }
            }
            RelayMessage::KeysKept { fingerprint } => {
                Self { detail: Some(fingerprint.to_string()), ..asked("keys_kept") }
            }
            RelayMessage::Peers { peers } => {
                Self { detail: Some(format!("{} other agents", peers.len())), ..asked("peers") }
            }
            RelayMessage::Reseal { signing_key, sealing_key, secrets } => Self {
                detail: Some(format!(
                    "{} secrets for {}",
                    secrets.len(),
                    Fingerprint::of(signing_key, sealing_key)
                )),
                ..asked("reseal")
            },
            // What a later version asks for is recorded by its type.
            other => asked(other.tag()),
        })
    }

    /// A message of a type that this agent does not know.
    pub(crate) fn unknown(got: &str) -> Self {
        let asked = Self { instruction: shortened(got), ..Self::default() };
        asked.refused(UNKNOWN)
    }

    /// What it is, without whatever the relay chose to write into it.
    pub(crate) fn kind(&self) -> Counted {
        let is_unknown = self.code.as_deref() == Some(UNKNOWN);
        let instruction = if is_unknown { UNKNOWN.to_owned() } else { self.instruction.clone() };
        Counted { instruction, accepted: self.accepted, code: self.code.clone(), times: 1 }
    }

    /// The same, refused.
    pub(crate) fn refused(mut self, code: &str) -> Self {
        self.accepted = false;
        self.code = Some(shortened(code));
        self
    }

    fn at(mut self, connection: &ConnectionSpec) -> Self {
        self.connection = Some(shortened(&connection.name));
        self.site = Some(shortened_line(connection.site.as_str()));
        self.username = Some(shortened(&connection.username));
        self
    }
}

impl Extraction {
    fn of(spec: &ExtractionSpec, resume_entries: u64) -> Self {
        let load = match spec.load {
            Load::Full => "full".to_owned(),
            Load::Delta { since_ms } => format!("delta since {since_ms}"),
            Load::Sweep { since_ms, every_id, delta } => {
                let ids = if every_id { "every id" } else { "counts" };
                let load = if delta { "delta and sweep" } else { "sweep" };
                format!("{load} since {since_ms}, {ids}")
            }
        };
        Self {
            load,
            tables: names(&spec.tables),
            projects: names(&spec.projects),
            jql: spec.jql.as_deref().map(shortened_line),
            columns: names(&spec.columns),
            resume_entries,
        }
    }
}

fn names(all: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = all.iter().take(NAMES_MAX).map(|name| shortened(name)).collect();
    if all.len() > NAMES_MAX {
        shown.push(format!("and {} more", all.len() - NAMES_MAX));
    }
    shown
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}
