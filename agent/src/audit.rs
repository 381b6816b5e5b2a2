//! The audit log of the premises: every request made to Jira, every instruction of the relay with the agent's answer, every part that
//! left, and every order given here, as hash-chained lines in files of the state folder (`docs/audit.md`).
//!
//! Nothing is lost for want of room: a request to Jira takes its place in the queue before it is sent, so a disk that is full or slow stops
//! the requests; an instruction that finds no place is refused. Writing happens on a thread of its own, beside the data path.

mod chain;
mod entry;
mod flood;
mod journal;
mod recorder;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use chain::Head;
pub(crate) use entry::{Entry, Instruction, Landed};
pub(crate) use verify::{Broken, Findings};

use crate::config;
use crate::error::Error;
use crate::paths::Paths;
use flood::Flood;
use journal::{Journal, JournalError, JournalLimits};
use protocol::control::Failure;
use recorder::Recorder;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Entries that wait for the disk; a healthy one never lets a hundred wait.
const ENTRIES: usize = 1024;
/// Requests that are in flight or wait for the disk, over all runs.
const REQUESTS: usize = 1024;
/// How long instructions are counted before the count is recorded.
const COUNT_FOR: Duration = Duration::from_secs(60);

/// Where the parts of the agent note what they do. A clone is the same log.
#[derive(Clone)]
pub(crate) struct Audit {
    entries: mpsc::Sender<(i64, Entry)>,
    requests: mpsc::Sender<jira::RequestRecord>,
    state: watch::Receiver<State>,
    flood: Arc<Flood>,
}

/// How the log is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    /// The end of the chain on disk.
    pub(crate) head: Head,
    /// Why nothing can be written at the moment.
    pub(crate) trouble: Option<String>,
}

/// The log's writer, to be ended after everything that notes in it.
pub(crate) struct Writer {
    end: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

/// No place in the queue: the disk does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log takes no more lines")]
pub(crate) struct Full;

/// Starts the log of a state folder. `told` gets each request after it was written.
///
/// # Errors
/// When the folder cannot be used, or no thread can be started.
pub(crate) fn start(
    paths: &Paths,
    limits: &config::Audit,
    told: Box<dyn Fn(&jira::RequestRecord) + Send>,
) -> Result<(Audit, Writer), Error> {
    let journal = Journal::open(&folder(paths), limits.journal()).map_err(Error::from)?;
    let (entries, entries_in) = mpsc::channel(ENTRIES);
    let (requests, requests_in) = mpsc::channel(REQUESTS);
    let (state_out, state) = watch::channel(State { head: journal.head().clone(), trouble: None });
    let (end, ended) = oneshot::channel();
    let recorder = Recorder { journal, entries: entries_in, requests: requests_in, state: state_out, told };
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::Builder::new()
        .name("audit".to_owned())
        .spawn(move || runtime.block_on(recorder.run(ended)))
        .map_err(|error| Error::System {
            action: "start the audit log's thread",
            reason: error.to_string(),
        })?;
    let flood = Arc::new(Flood::new(Instant::now()));
    Ok((Audit { entries, requests, state, flood }, Writer { end, thread }))
}

impl Audit {
    /// Takes lines and forgets them, for tests that are about something else.
    #[cfg(test)]
    pub(crate) fn forgetful() -> Self {
        let (entries, mut entries_in) = mpsc::channel(ENTRIES);
        let (requests, mut requests_in) = mpsc::channel(REQUESTS);
        let (state_out, state) = watch::channel(State { head: Head::genesis(), trouble: None });
        tokio::spawn(async move {
            let _state = state_out;
            tokio::join!(async { while entries_in.recv().await.is_some() {} }, async {
                while requests_in.recv().await.is_some() {}
            });
        });
        Self { entries, requests, state, flood: Arc::new(Flood::new(Instant::now())) }
    }

    /// Notes something.
    ///
    /// # Errors
    /// When there is no place for it; then it must not be done.
    pub(crate) fn note(&self, entry: Entry) -> Result<(), Full> {
        self.entries.try_send((crate::clock::now_ms(), entry)).map_err(|_| Full)
    }

    /// Notes something as soon as there is a place for it.
    ///
    /// # Errors
    /// When nobody writes any more.
    pub(crate) async fn note_when_room(&self, entry: Entry) -> Result<(), Full> {
        self.entries.send((crate::clock::now_ms(), entry)).await.map_err(|_| Full)
    }

    /// Notes what happened already and cannot be undone; when there is no place, it is at least in the agent's own log.
    pub(crate) fn note_done(&self, entry: Entry) {
        if self.note(entry.clone()).is_err() {
            tracing::error!(
                event = "audit_full",
                ?entry,
                "the audit log takes no more lines; this one is missing there"
            );
        }
    }

    /// Whether an instruction that came now is recorded on a line of its own; see `flood`.
    pub(crate) fn has_place(&self) -> bool {
        self.flood.has_place(Instant::now())
    }

    /// Whether work may be begun, and recorded, for an instruction that has no such line.
    pub(crate) fn may_begin(&self) -> bool {
        self.flood.may_begin(Instant::now())
    }

    /// Counts an instruction that has no line of its own.
    pub(crate) fn count(&self, asked: &Instruction) {
        self.flood.count(asked.kind(), crate::clock::now_ms());
    }

    /// Records what was counted, if anything was.
    pub(crate) fn note_counted(&self) {
        let Some(flood::Counts { since_ms, kinds }) = self.flood.take() else { return };
        let entry = Entry::counted(since_ms, kinds);
        if let Entry::InstructionsCounted { times, .. } = &entry {
            tracing::warn!(
                event = "instructions_counted",
                times,
                "the relay asks for more than is written down line by line; the audit log has the count"
            );
        }
        self.note_done(entry);
    }

    /// Records now and then what was counted, until dropped.
    pub(crate) async fn keep_counting(&self) {
        loop {
            tokio::time::sleep(COUNT_FOR).await;
            self.note_counted();
        }
    }

    /// Who is to be told of the requests of a client, made for `about`.
    pub(crate) fn observer(&self, about: &str) -> jira::Observer {
        jira::Observer::new(self.requests.clone(), about)
    }

    /// How the log is now, and when it changes.
    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }
}

impl Writer {
    /// Writes what waits and ends.
    pub(crate) async fn finish(self) {
        if self.end.send(()).is_err() {
            tracing::debug!(event = "audit_ended", "the audit log's thread ended by itself");
        }
        // The thread ends by itself; a panic in it was told by the panic hook.
        drop(tokio::task::spawn_blocking(move || drop(self.thread.join())).await);
    }
}

impl Full {
    /// What the relay is told of an instruction that could not be recorded.
    pub(crate) fn failure(self) -> Failure {
        Failure {
            code: "audit_unwritable".to_owned(),
            message: "the agent cannot write its audit log, and does nothing that it cannot record"
                .to_owned(),
            hint: "`uplink-agent status` on the premises names the reason; free the disk of its state folder"
                .to_owned(),
        }
    }
}

/// Notes one entry from a command, beside an agent that may be running.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn note_once(paths: &Paths, limits: &config::Audit, entry: Entry) -> Result<(), Error> {
    let mut journal = Journal::open(&folder(paths), limits.journal())?;
    journal.append(&[(crate::clock::now_ms(), entry)])?;
    Ok(journal.sync()?)
}

/// Verifies the log of a state folder, or one file of it. `visit` gets number, hash and body of every good line.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn verify(
    paths: &Paths,
    file: Option<&Path>,
    visit: &mut dyn FnMut(&Head, &str),
) -> Result<Findings, Error> {
    Ok(match file {
        Some(path) if !path.is_dir() => verify::file(path, visit)?,
        Some(path) => verify::folder(path, visit)?,
        None => verify::folder(&folder(paths), visit)?,
    })
}

/// The files of the log, oldest first.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn files(paths: &Paths) -> Result<Vec<PathBuf>, Error> {
    Ok(journal::files(&folder(paths))?.into_iter().map(|(_, path)| path).collect())
}

fn folder(paths: &Paths) -> PathBuf {
    paths.state.join("audit")
}

impl config::Audit {
    fn journal(&self) -> JournalLimits {
        JournalLimits {
            file_bytes: u64::from(self.max_mib) << 20,
            keep_files: usize::try_from(self.keep_files).unwrap_or(usize::MAX),
            max_age: Duration::from_secs(u64::from(self.max_days) * 24 * 3600),
        }
    }
}

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Io { action, path, source } => Self::File { action, path, source },
            JournalError::Json(error) => {
                Self::System { action: "write the audit log", reason: error.to_string() }
            }
            JournalError::File(error) => error,
        }
    }
}
