//! Tells an observer of every request to Jira, for the audit log of the premises.
//!
//! A place in the observer's bounded channel is taken *before* a request is sent, and filled when it ended, however it ended: so no
//! request goes unrecorded, and an observer that cannot keep up stops the requests. A request whose caller went away in the middle is
//! recorded as `abandoned`.

use crate::client::allow::Read;
use crate::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What became of one request. It names the path by its template, so it holds no id, no condition and nothing of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// What the request was made for, as the observer was told: a run's id, for example.
    pub about: Arc<str>,
    /// Base address of the Jira.
    pub site: Arc<str>,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path below the base address, with ids left out.
    pub path: &'static str,
    /// The HTTP status, when an answer began.
    pub status: Option<u16>,
    /// Code of the error, when the answer was of no use.
    pub error: Option<&'static str>,
    /// Bytes of the answer, unpacked.
    pub bytes: u64,
    /// From sending to the end of the answer.
    pub duration: Duration,
    /// 0 for the first try.
    pub retry: u32,
}

/// Who is told of the requests of a client.
#[derive(Clone, Debug)]
pub struct Observer {
    records: mpsc::Sender<RequestRecord>,
    about: Arc<str>,
}

impl Observer {
    /// Records go into `records`, each marked with `about`.
    pub fn new(records: mpsc::Sender<RequestRecord>, about: &str) -> Self {
        Self { records, about: about.into() }
    }

    /// Waits for a place for the record of a request that is about to be sent.
    pub(super) async fn announce(
        &self,
        site: &Arc<str>,
        read: &Read,
        attempt: u32,
    ) -> Result<Announced, Error> {
        let place = self.records.clone().reserve_owned().await.map_err(|_| Error::Unrecorded)?;
        let record = RequestRecord {
            about: Arc::clone(&self.about),
            site: Arc::clone(site),
            method: read.method(),
            path: read.template(),
            status: None,
            error: Some("abandoned"),
            bytes: 0,
            duration: Duration::ZERO,
            retry: attempt.saturating_sub(1),
        };
        Ok(Announced { place: Some((place, record)), sent: Instant::now() })
    }
}

/// A request that is on its way; recorded when dropped.
pub(super) struct Announced {
    place: Option<(mpsc::OwnedPermit<RequestRecord>, RequestRecord)>,
    sent: Instant,
}

impl Announced {
    /// Of a client that nobody observes.
    pub(super) fn unobserved() -> Self {
        Self { place: None, sent: Instant::now() }
    }

    /// When the request was sent.
    pub(super) fn sent(&self) -> Instant {
        self.sent
    }

    /// An answer began.
    pub(super) fn answered(&mut self, status: u16) {
        self.change(|record| record.status = Some(status));
    }

    /// Bytes of the answer came.
    pub(super) fn came(&mut self, bytes: u64) {
        self.change(|record| record.bytes = record.bytes.saturating_add(bytes));
    }

    /// The request ended, with this error if the answer is of no use.
    pub(super) fn end(mut self, error: Option<&'static str>) {
        self.change(|record| record.error = error);
    }

    fn change(&mut self, change: impl FnOnce(&mut RequestRecord)) {
        if let Some((_, record)) = &mut self.place {
            change(record);
        }
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        if let Some((place, mut record)) = self.place.take() {
            record.duration = self.sent.elapsed();
            place.send(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observer(room: usize) -> (Observer, mpsc::Receiver<RequestRecord>) {
        let (sender, records) = mpsc::channel(room);
        (Observer::new(sender, "run_1"), records)
    }

    async fn announced(observer: &Observer) -> Announced {
        observer
            .announce(&"https://jira".into(), &Read::IssueWorklogs { id: 10001 }, 2)
            .await
            .expect("there is room")
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_is_recorded_as_abandoned() {
        let (observer, mut records) = observer(1);
        let mut request = announced(&observer).await;
        request.answered(200);
        request.came(7);
        drop(request);
        let record = records.recv().await.unwrap();
        assert_eq!((record.status, record.error, record.bytes), (Some(200), Some("abandoned"), 7));
        assert_eq!((&*record.about, record.method, record.retry), ("run_1", "GET", 1));
        assert_eq!(record.path, "/rest/api/2/issue/{id}/worklog", "an id is in the record");
    }

    #[tokio::test]
    async fn a_full_observer_holds_the_next_request_back_until_it_has_room() {
        let (observer, mut records) = observer(1);
        let first = announced(&observer).await;
        let mut second = Box::pin(announced(&observer));
        assert!(
            futures_util::poll!(&mut second).is_pending(),
            "a request began without a place for its record"
        );
        first.end(None);
        assert!(
            futures_util::poll!(&mut second).is_pending(),
            "the place is not free before the record is taken"
        );
        assert_eq!(records.recv().await.unwrap().error, None);
        second.await.end(Some("throttled"));
        assert_eq!(records.recv().await.unwrap().error, Some("throttled"));
    }

    #[tokio::test]
    async fn without_an_observer_at_the_other_end_nothing_is_sent() {
        let (observer, records) = observer(1);
        drop(records);
        let refused = observer.announce(&"https://jira".into(), &Read::Myself, 1).await;
        assert_eq!(refused.err(), Some(Error::Unrecorded));
    }
}
