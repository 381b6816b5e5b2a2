//! The one who writes: takes what waits in both queues, appends it, and syncs at most once a second. A disk that refuses is asked again
//! until it takes the lines; meanwhile the queues fill and hold back whatever wants to be recorded.

use super::State;
use super::entry::Entry;
use super::journal::Journal;
use crate::clock;
use jira::RequestRecord;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// What a loss of power may take.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Entries that are written in one go.
const BATCH: usize = 256;
/// When a disk that refused is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Owns the journal.
pub(super) struct Recorder {
    pub(super) journal: Journal,
    pub(super) entries: mpsc::Receiver<(i64, Entry)>,
    pub(super) requests: mpsc::Receiver<RequestRecord>,
    pub(super) state: watch::Sender<State>,
    /// Is told of each request after it was written.
    pub(super) told: Box<dyn Fn(&RequestRecord) + Send>,
}

enum Event {
    Entry((i64, Entry)),
    Request(RequestRecord),
    SyncDue,
    End,
}

impl Recorder {
    /// Records until it is told to end, and then what still waits.
    pub(super) async fn run(mut self, mut end: oneshot::Receiver<()>) {
        let mut sync_due = None;
        loop {
            let (mut batch, mut requests) = (Vec::new(), Vec::new());
            let is_end = match self.next(sync_due, &mut end).await {
                Event::Entry(entry) => {
                    batch.push(entry);
                    false
                }
                Event::Request(request) => {
                    requests.push(request);
                    false
                }
                Event::SyncDue => {
                    self.sync();
                    sync_due = None;
                    continue;
                }
                Event::End => true,
            };
            loop {
                self.drain(&mut batch, &mut requests);
                if batch.is_empty() && requests.is_empty() {
                    break;
                }
                batch.extend(requests.iter().map(|request| (clock::now_ms(), Entry::from(request))));
                if !self.write(&batch, is_end).await {
                    return;
                }
                requests.iter().for_each(|request| (self.told)(request));
                batch.clear();
                requests.clear();
            }
            if is_end {
                self.sync();
                return;
            }
            sync_due.get_or_insert_with(|| Instant::now() + SYNC_EVERY);
        }
    }

    /// Entries before requests: an instruction stands before what it led to.
    async fn next(&mut self, sync_due: Option<Instant>, end: &mut oneshot::Receiver<()>) -> Event {
        let sync = async {
            match sync_due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(entry) = self.entries.recv() => Event::Entry(entry),
            () = sync => Event::SyncDue,
            Some(request) = self.requests.recv() => Event::Request(request),
            _ = end => Event::End,
        }
    }

    fn drain(&mut self, batch: &mut Vec<(i64, Entry)>, requests: &mut Vec<RequestRecord>) {
        while batch.len() < BATCH
            && let Ok(entry) = self.entries.try_recv()
        {
            batch.push(entry);
        }
        while requests.len() < BATCH
            && let Ok(request) = self.requests.try_recv()
        {
            requests.push(request);
        }
    }

    /// Whether the lines were written. A disk that refuses is waited for, except at the end of the process.
    async fn write(&mut self, batch: &[(i64, Entry)], is_end: bool) -> bool {
        loop {
            let error = match self.journal.append(batch) {
                Ok(()) => {
                    self.is_well();
                    return true;
                }
                Err(error) => error.to_string(),
            };
            if is_end {
                tracing::error!(
                    event = "audit_lost",
                    lines = batch.len(),
                    error,
                    "the last lines of the audit log could not be written"
                );
                return false;
            }
            self.is_in_trouble(error);
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    fn sync(&mut self) {
        if let Err(error) = self.journal.sync() {
            tracing::warn!(event = "audit_not_synced", %error, "the audit log could not be made durable; a loss of power may take its end");
        }
    }

    fn is_well(&self) {
        let head = self.journal.head().clone();
        self.state.send_modify(|state| {
            if state.trouble.take().is_some() {
                tracing::info!(event = "audit_writable", "the audit log can be written again");
            }
            state.head = head;
        });
    }

    fn is_in_trouble(&self, error: String) {
        self.state.send_if_modified(|state| {
            let is_new = state.trouble.as_ref() != Some(&error);
            if is_new {
                tracing::error!(
                    event = "audit_unwritable",
                    error,
                    "the audit log cannot be written; nothing is asked of Jira until it can"
                );
                state.trouble = Some(error);
            }
            is_new
        });
    }
}
