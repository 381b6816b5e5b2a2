//! Control messages: the text frames of a link, one tagged enum a direction. Unknown members are ignored; an unknown message is
//! answered with `unknown_message` and survived, so that an older side never breaks a newer one.

use crate::ids::{Lease, PartId, RequestId, RunId, StreamId};
use crate::keys::{Fingerprint, SealingPublicKey, Signature, SigningPublicKey};
use crate::landed::{LandedPiece, LandedQuestion};
use crate::manifest::SignedManifest;
use crate::spec::{ConnectionSpec, ExtractionSpec};
use crate::ticket::Ticket;
use serde::{Deserialize, Serialize};

mod discovery;
mod figures;
mod health;
mod sharing;
mod tag;

pub use discovery::{DISCOVERY, DiscoveredColumn, DiscoveredTable, DiscoveryReport, in_messages};
pub use figures::{Progress, RunResult, RunWarning, TableResult};
pub use health::{AgentTrouble, JiraHealth, JiraState};
pub use sharing::{ConnectionSecret, PEERS_PER_MESSAGE_MAX, Peer, RESEALING, SECRETS_PER_MESSAGE_MAX};

/// What an agent says after the handshake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentMessage {
    /// A part begins on `stream`; its bytes follow in binary frames. Made by the link itself.
    PartBegin {
        /// The stream that carries it.
        stream: StreamId,
        /// What it is.
        part: PartHeader,
    },
    /// Everything of one unit (slice, metadata table) is acknowledged; store this entry and keep these parts.
    Checkpoint {
        /// The run.
        run: RunId,
        /// Under which lease.
        lease: Lease,
        /// Counts the entries of this lease from 0; the answer repeats it.
        sequence: u64,
        /// The engine's own note, given back on resume; opaque to the relay.
        entry: serde_json::Value,
        /// The parts that belong to the entry, all landed before.
        parts: Vec<PartId>,
    },
    /// How far a run is; sent at most a few times a second.
    Progress {
        /// The run.
        run: RunId,
        /// Under which lease.
        lease: Lease,
        /// The figures.
        progress: Progress,
    },
    /// A line of the run's log for the person who watches the relay.
    RunLog {
        /// The run.
        run: RunId,
        /// Under which lease.
        lease: Lease,
        /// The line.
        line: LogLine,
    },
    /// An extraction asks what landed before; answered by `landed_answer`.
    AskLanded {
        /// The run.
        run: RunId,
        /// Under which lease.
        lease: Lease,
        /// Repeated in the answer.
        ask: u64,
        /// The question.
        question: LandedQuestion,
    },
    /// All units are checkpointed; commit.
    RunFinished {
        /// The run.
        run: RunId,
        /// Under which lease.
        lease: Lease,
        /// What was read.
        result: RunResult,
        /// What left the premises, signed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Box<SignedManifest>>,
    },
    /// The run ended without success.
    RunFailed {
        /// The run.
        run: RunId,
        /// Under which lease.
        lease: Lease,
        /// Why.
        failure: Failure,
    },
    /// The agent stopped a run for a reason of the premises that will pass; the run goes on from its checkpoint later.
    RunHandedBack {
        /// The run.
        run: RunId,
        /// Under which lease.
        lease: Lease,
        /// Stable snake_case code: `paused`, `outside_hours`, `daily_bytes_spent`, ...
        code: String,
        /// Why, for a person.
        reason: String,
    },
    /// The answer to `test_connection`.
    TestResult {
        /// The question's id.
        request: RequestId,
        /// What was found.
        report: TestReport,
    },
    /// Some of the answer to `discover`: tables, or more columns or rows of one that was told before.
    Discovered {
        /// The question's id.
        request: RequestId,
        /// What was found; together they are the tables in their order.
        tables: Vec<DiscoveredTable>,
        /// The end of the answer; comes with the last message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<DiscoveryReport>,
    },
    /// The agent's health, sent after the handshake and when it changes.
    Health {
        /// Runs in progress.
        runs: u32,
        /// Why the agent takes no work, if so.
        paused: Option<String>,
        /// Each Jira that the premises permit, and whether it answered lately.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        jiras: Vec<JiraHealth>,
        /// The last thing that went wrong on the link or with a run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_error: Option<AgentTrouble>,
        /// Fingerprint of the key by which it pseudonymises columns, if it has one: a run is never shared by agents of different keys.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mask_key: Option<String>,
    },
    /// The ticket of `next_ticket` is durable on the premises.
    TicketStored {
        /// The ticket.
        ticket: Ticket,
    },
    /// New keys of this agent, durable on the premises; from `keys_kept` on the relay accepts them beside the old ones.
    OfferKeys {
        /// The new signing key.
        signing_key: SigningPublicKey,
        /// The new sealing key.
        sealing_key: SealingPublicKey,
        /// See [`crate::proof::prove_keys`].
        proof: Signature,
    },
    /// The agent uses the offered keys from now on; the old signing key is void.
    TakeKeys {
        /// Of the new keys.
        fingerprint: Fingerprint,
    },
    /// Send what this agent can open and the named one cannot: it will be sealed again for that one.
    AskReseal {
        /// Of the agent that is to open it: a confirmed one, or this very agent after a change of its keys.
        recipient: Fingerprint,
    },
    /// Secrets that were sealed again.
    Resealed {
        /// Of the agent that they are sealed to now.
        recipient: Fingerprint,
        /// The secrets.
        secrets: Vec<ConnectionSecret>,
    },
    /// A message was not understood; the link goes on.
    UnknownMessage {
        /// The `type` that was met.
        got: String,
    },
    /// A beat; answered with `beat_ack`.
    Beat {
        /// Counts up.
        sequence: u64,
    },
    /// The answer to the relay's beat.
    BeatAck {
        /// The beat answered.
        sequence: u64,
    },
    /// The agent is about to close the link on purpose.
    Goodbye {
        /// Why, for the relay's log.
        reason: String,
    },
}

/// What a relay says after the handshake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RelayMessage {
    /// Stored checkpoint entries of a run that is about to start, in order; may come several times before `start_run`.
    ResumeEntries {
        /// The run.
        run: RunId,
        /// The lease that is about to start.
        lease: Lease,
        /// The entries.
        entries: Vec<serde_json::Value>,
    },
    /// Start (or resume) a run.
    StartRun {
        /// The run.
        run: RunId,
        /// The new lease; older ones are void.
        lease: Lease,
        /// Which Jira, as whom.
        connection: ConnectionSpec,
        /// What to read.
        extraction: ExtractionSpec,
        /// How many entries were sent before; a different number received means: refuse.
        resume_entries: u64,
    },
    /// Stop a run; answered by `run_failed` with code `cancelled`.
    CancelRun {
        /// The run.
        run: RunId,
        /// Its lease.
        lease: Lease,
    },
    /// A part is durable.
    PartLanded {
        /// The stream that carried it.
        stream: StreamId,
        /// The run.
        run: RunId,
        /// The part.
        part: PartId,
    },
    /// A part could not be landed; the run is over for this lease.
    PartFailed {
        /// The stream that carried it.
        stream: StreamId,
        /// The run.
        run: RunId,
        /// The part.
        part: PartId,
        /// Why.
        failure: Failure,
    },
    /// A checkpoint is stored.
    CheckpointStored {
        /// The run.
        run: RunId,
        /// Its lease.
        lease: Lease,
        /// The entry's number.
        sequence: u64,
    },
    /// A piece of the answer to `ask_landed`, in their order.
    LandedAnswer {
        /// The run.
        run: RunId,
        /// Its lease.
        lease: Lease,
        /// Which question.
        ask: u64,
        /// The piece.
        piece: LandedPiece,
        /// Whether it is the last.
        last: bool,
    },
    /// The relay has taken over a finished run; the agent forgets it.
    RunClosed {
        /// The run.
        run: RunId,
        /// Its lease.
        lease: Lease,
    },
    /// More bytes may be sent on a stream. Made by the link itself.
    Window {
        /// The stream.
        stream: StreamId,
        /// How many more bytes.
        bytes: u32,
    },
    /// Try to log in and say what is found.
    TestConnection {
        /// Repeated in the answer.
        request: RequestId,
        /// Which Jira, as whom.
        connection: ConnectionSpec,
    },
    /// Look at what a run would read and land nothing; answered by `discovered`. Sent only to agents that can `discovery`.
    Discover {
        /// Repeated in the answers.
        request: RequestId,
        /// Which Jira, as whom.
        connection: ConnectionSpec,
        /// What a run would read.
        extraction: ExtractionSpec,
        /// Sample rows of each table.
        rows: u32,
    },
    /// A new ticket: store it durably, then answer `ticket_stored`. Sent only to agents that can `tickets`.
    NextTicket {
        /// The ticket.
        ticket: Ticket,
    },
    /// The offered keys are kept.
    KeysKept {
        /// Of the new keys.
        fingerprint: Fingerprint,
    },
    /// The other agents of the uplink, whenever they change. Sent only to agents that can do `resealing`.
    Peers {
        /// All of them.
        peers: Vec<Peer>,
    },
    /// Seal these again, for this agent and only if the premises confirmed it; answered by `resealed`.
    Reseal {
        /// The signing key of the agent that is to open them.
        signing_key: SigningPublicKey,
        /// Its sealing key.
        sealing_key: SealingPublicKey,
        /// Secrets sealed to the asked agent.
        secrets: Vec<ConnectionSecret>,
    },
    /// The relay is about to close for a while.
    GoAway {
        /// When to come back, milliseconds from now.
        retry_after_ms: u64,
        /// Why, for the agent's log.
        reason: String,
    },
    /// A message was not understood; the link goes on.
    UnknownMessage {
        /// The `type` that was met.
        got: String,
    },
    /// A beat; answered with `beat_ack`.
    Beat {
        /// Counts up.
        sequence: u64,
    },
    /// The answer to the agent's beat.
    BeatAck {
        /// The beat answered.
        sequence: u64,
    },
}

/// What a part is, before its bytes come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartHeader {
    /// The run.
    pub run: RunId,
    /// Under which lease.
    pub lease: Lease,
    /// Its name within the run.
    pub part: PartId,
    /// The table, or `_replaced`.
    pub table: String,
    /// See ARCHITECTURE.md, generations.
    pub generation: u32,
    /// Rows in it.
    pub rows: u64,
    /// Length of the Parquet file in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, lower-case hex.
    pub digest: String,
}

/// Why something failed, for a person: what, on which thing, why, what to do next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable snake_case code.
    pub code: String,
    /// What failed, on which thing, why.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

/// A line of a run's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// UTC milliseconds since 1970, by the agent's clock.
    pub at_ms: i64,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// Stable event name.
    pub event: String,
    /// A sentence.
    pub message: String,
}

/// What a connection test found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum TestReport {
    /// The login worked.
    Ok {
        /// The account as Jira names it.
        account: String,
        /// Jira's version.
        version: String,
        /// `server` or `cloud`.
        deployment: String,
        /// The account's time zone.
        time_zone: String,
        /// Projects that the account sees.
        projects: u64,
        /// Issues that the account sees.
        issues: u64,
    },
    /// It did not.
    Failed {
        /// Why.
        failure: Failure,
    },
}

#[cfg(test)]
mod tests;
