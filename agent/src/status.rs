//! What the running agent does, for `uplink-agent status`: one small file in the state folder, replaced whole, with names and
//! counts only, never Jira's data. The file outlives the agent; its reader checks by the lock whether the agent still lives.

use crate::clock;
use crate::error::Error;
use crate::lock;
use crate::paths::Paths;
use crate::private_file::{self, Durability};
use protocol::control::{AgentTrouble, JiraHealth, Progress};
use protocol::ids::{Lease, RunId};
use protocol::keys::Fingerprint;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The file is written at most this often.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// And at least this often, so that its age says whether the agent still works.
const REFRESH_EVERY: Duration = Duration::from_secs(15);
/// A file older than this is of an agent that hangs or was killed.
const STALE_AFTER_MS: i64 = 60_000;

/// Errors that are remembered beside the last one.
const EARLIER_ERRORS: usize = 9;
/// Rates look back over about so many seconds.
const RATE_OVER_S: f64 = 5.0;

/// The content of the status file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) pid: u32,
    pub(crate) version: String,
    pub(crate) started_at: String,
    #[serde(default)]
    pub(crate) started_ms: i64,
    pub(crate) written_at: String,
    written_at_ms: i64,
    /// False once the agent has ended in good order.
    pub(crate) running: bool,
    pub(crate) agent_id: String,
    pub(crate) name: String,
    pub(crate) uplink: String,
    pub(crate) relay: String,
    pub(crate) fingerprint: String,
    pub(crate) permitted: Vec<String>,
    pub(crate) link: LinkStatus,
    /// Why no work is taken, if so.
    #[serde(default)]
    pub(crate) halted: Option<String>,
    pub(crate) runs: Vec<RunStatus>,
    /// The last thing that went wrong, if anything did.
    pub(crate) last_error: Option<LastError>,
    /// What went wrong before, the newest first.
    #[serde(default)]
    pub(crate) earlier_errors: Vec<LastError>,
    /// Each permitted Jira, and whether it answers.
    #[serde(default)]
    pub(crate) health: Vec<JiraHealth>,
    /// Why nothing can be recorded, and therefore nothing is done, if so.
    #[serde(default)]
    pub(crate) audit_trouble: Option<String>,
    /// Time of a beat to the relay and back, in milliseconds.
    #[serde(default)]
    pub(crate) round_trip_ms: Option<u64>,
    /// Errors of link and runs since the start.
    #[serde(default)]
    pub(crate) errors: u64,
    /// Bytes of parts that were sent or wait and are not acknowledged, over all runs.
    #[serde(default)]
    pub(crate) unacknowledged_bytes: u64,
}

/// How the link is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinkStatus {
    pub(crate) state: LinkState,
    /// Since when.
    pub(crate) since: String,
    /// When the next attempt comes, while waiting.
    pub(crate) next_attempt_at: Option<String>,
}

/// State of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LinkState {
    /// Dialling or shaking hands.
    Connecting,
    /// Up.
    Up,
    /// Between two attempts.
    Waiting,
    /// The relay lets this agent in no more until somebody acts.
    Refused,
    /// Down on purpose.
    Stopped,
}

/// One run in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunStatus {
    pub(crate) run: RunId,
    pub(crate) lease: Lease,
    pub(crate) connection: String,
    pub(crate) started_at: String,
    pub(crate) progress: Progress,
    /// How fast it is at the moment.
    #[serde(default)]
    pub(crate) rates: Rates,
    #[serde(skip)]
    measured: Option<Instant>,
}

/// How fast a run is, over the last seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rates {
    /// Issues read, a second.
    pub(crate) issues: f64,
    /// Requests to Jira, a second.
    pub(crate) requests: f64,
    /// Bytes of JSON read, a second.
    pub(crate) bytes_read: f64,
    /// Bytes of parts sent, a second.
    pub(crate) bytes_sent: f64,
}

impl Rates {
    /// The rates after `seconds` more, in which the figures grew from `before` to `now`: older seconds count ever less.
    fn after(self, before: &Progress, now: &Progress, seconds: f64) -> Self {
        let weight = 1.0 - (-seconds / RATE_OVER_S).exp();
        let mix = |old: f64, before: u64, now: u64| {
            let grown = u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX);
            old + weight * (f64::from(grown) / seconds - old)
        };
        Self {
            issues: mix(self.issues, before.issues_read, now.issues_read),
            requests: mix(self.requests, before.requests, now.requests),
            bytes_read: mix(self.bytes_read, before.bytes_read, now.bytes_read),
            bytes_sent: mix(self.bytes_sent, before.bytes_sent, now.bytes_sent),
        }
    }
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LastError {
    pub(crate) at: String,
    /// The same in UTC milliseconds.
    #[serde(default)]
    pub(crate) at_ms: i64,
    /// `link`, or the run's id.
    pub(crate) about: String,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Who the agent is, for the head of the status.
pub(crate) struct Who {
    pub(crate) agent_id: String,
    pub(crate) name: String,
    pub(crate) uplink: String,
    pub(crate) relay: String,
    pub(crate) fingerprint: String,
    pub(crate) permitted: Vec<String>,
}

/// Where the parts of the agent note what they do.
#[derive(Clone)]
pub(crate) struct Board {
    status: watch::Sender<Status>,
}

impl Board {
    pub(crate) fn new(who: Who) -> Self {
        let now = clock::now_ms();
        let status = Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: clock::text(now),
            started_ms: now,
            written_at: clock::text(now),
            written_at_ms: now,
            running: true,
            agent_id: who.agent_id,
            name: who.name,
            uplink: who.uplink,
            relay: who.relay,
            fingerprint: who.fingerprint,
            permitted: who.permitted,
            link: LinkStatus { state: LinkState::Connecting, since: clock::text(now), next_attempt_at: None },
            halted: None,
            runs: Vec::new(),
            last_error: None,
            earlier_errors: Vec::new(),
            health: Vec::new(),
            audit_trouble: None,
            round_trip_ms: None,
            errors: 0,
            unacknowledged_bytes: 0,
        };
        Self { status: watch::Sender::new(status) }
    }

    /// Follows what the agent does.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only a service manager of Unix asks"))]
    pub(crate) fn subscribe(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(crate) fn link(&self, state: LinkState, next_attempt_in: Option<Duration>) {
        let now = clock::now_ms();
        let wait_ms = |wait: Duration| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let next_attempt_at = next_attempt_in.map(|wait| clock::text(now.saturating_add(wait_ms(wait))));
        self.status.send_modify(|status| {
            status.link = LinkStatus { state, since: clock::text(now), next_attempt_at }
        });
    }

    pub(crate) fn halted(&self, reason: Option<String>) {
        self.status.send_if_modified(|status| {
            let is_news = status.halted != reason;
            status.halted = reason;
            is_news
        });
    }

    /// The agent has other keys.
    pub(crate) fn fingerprint(&self, fingerprint: &Fingerprint) {
        self.status.send_modify(|status| status.fingerprint = fingerprint.to_string());
    }

    pub(crate) fn error(&self, about: &str, code: &str, message: &str) {
        let now = clock::now_ms();
        let error = LastError {
            at: clock::text(now),
            at_ms: now,
            about: about.to_owned(),
            code: code.to_owned(),
            message: message.to_owned(),
        };
        self.status.send_modify(|status| {
            status.errors += 1;
            if let Some(earlier) = status.last_error.replace(error) {
                status.earlier_errors.insert(0, earlier);
                status.earlier_errors.truncate(EARLIER_ERRORS);
            }
        });
    }

    /// The last error as the relay is told it.
    pub(crate) fn last_trouble(&self) -> Option<AgentTrouble> {
        let status = self.status.borrow();
        status.last_error.as_ref().map(|error| AgentTrouble {
            at_ms: error.at_ms,
            about: error.about.clone(),
            code: error.code.clone(),
            message: crate::policy::shortened_line(&error.message),
        })
    }

    /// What is known of the Jiras, and why nothing can be recorded.
    pub(crate) fn health(&self, health: Vec<JiraHealth>, audit_trouble: Option<String>) {
        self.status.send_modify(|status| {
            status.health = health;
            status.audit_trouble = audit_trouble;
        });
    }

    /// How long a beat took to the relay and back.
    pub(crate) fn round_trip(&self, time: Option<Duration>) {
        let ms = time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self.status.send_modify(|status| status.round_trip_ms = ms);
    }

    /// What the agent does at this moment.
    pub(crate) fn now(&self) -> Status {
        self.status.borrow().clone()
    }

    pub(crate) fn run_begins(&self, run: &RunId, lease: Lease, connection: &str) {
        let begun = RunStatus {
            run: run.clone(),
            lease,
            connection: connection.to_owned(),
            started_at: clock::text(clock::now_ms()),
            progress: Progress::default(),
            rates: Rates::default(),
            measured: None,
        };
        self.status.send_modify(|status| {
            status.runs.retain(|held| held.run != *run);
            status.runs.push(begun);
        });
    }

    pub(crate) fn run_goes_on(&self, run: &RunId, progress: &Progress, unacknowledged_bytes: u64) {
        self.status.send_modify(|status| {
            status.unacknowledged_bytes = unacknowledged_bytes;
            if let Some(held) = status.runs.iter_mut().find(|held| held.run == *run) {
                let now = Instant::now();
                if let Some(before) = held.measured.replace(now) {
                    let seconds = now.duration_since(before).as_secs_f64().max(0.001);
                    held.rates = held.rates.after(&held.progress, progress, seconds);
                }
                held.progress.clone_from(progress);
            }
        });
    }

    pub(crate) fn run_ends(&self, run: &RunId) {
        self.status.send_modify(|status| status.runs.retain(|held| held.run != *run));
    }

    pub(crate) fn no_runs(&self) {
        self.status.send_modify(|status| status.runs.clear());
    }

    /// Writes the file when something changed and now and then, until dropped.
    pub(crate) async fn keep_written(&self, paths: &Paths) {
        let mut changes = self.status.subscribe();
        loop {
            if let Err(error) = self.write(paths) {
                tracing::warn!(event = "status_not_written", %error, "the status file could not be written");
            }
            tokio::time::sleep(WRITE_EVERY).await;
            // Either a change or the time is a reason to write; what came is of no interest.
            drop(tokio::time::timeout(REFRESH_EVERY, changes.changed()).await);
        }
    }

    /// Writes the file for the last time.
    pub(crate) fn write_end(&self, paths: &Paths) -> Result<(), Error> {
        self.status.send_modify(|status| {
            status.running = false;
            status.runs.clear();
            status.link = LinkStatus {
                state: LinkState::Stopped,
                since: clock::text(clock::now_ms()),
                next_attempt_at: None,
            };
        });
        self.write(paths)
    }

    fn write(&self, paths: &Paths) -> Result<(), Error> {
        let mut status = self.status.borrow().clone();
        status.written_at_ms = clock::now_ms();
        status.written_at = clock::text(status.written_at_ms);
        let text = serde_json::to_vec_pretty(&status)
            .map_err(|error| Error::System { action: "write the status", reason: error.to_string() })?;
        private_file::write(&paths.status(), &text, Durability::Volatile)
    }
}

/// What the status file says about the agent now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reading {
    /// It runs.
    Running(Box<Status>),
    /// It does not run, or hangs, and why that is known.
    NotRunning(String),
}

/// Reads the status file of an enrolled agent.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn read(paths: &Paths) -> Result<Reading, Error> {
    let Some(bytes) = private_file::read(&paths.status())? else {
        return Ok(Reading::NotRunning("it has not run yet with this state folder".to_owned()));
    };
    let Ok(status) = serde_json::from_slice::<Status>(&bytes) else {
        return Ok(Reading::NotRunning("its status file is of another version".to_owned()));
    };
    Ok(judge(status, clock::now_ms(), lock::is_held(paths)?))
}

fn judge(status: Status, now_ms: i64, lives: bool) -> Reading {
    if !status.running {
        return Reading::NotRunning(format!("it ended in good order at {}", status.written_at));
    }
    if !lives {
        return Reading::NotRunning(format!(
            "process {} is gone and left a stale status of {}: it was killed or crashed",
            status.pid, status.written_at
        ));
    }
    if now_ms.saturating_sub(status.written_at_ms) > STALE_AFTER_MS {
        return Reading::NotRunning(format!(
            "its status is stale: the last one is of {}, so process {} hangs",
            status.written_at, status.pid
        ));
    }
    Reading::Running(Box::new(status))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::tests::paths_in;

    pub(crate) fn board() -> Board {
        let text = |text: &str| text.to_owned();
        Board::new(Who {
            agent_id: text("agent_1"),
            name: text("host"),
            uplink: text("hq"),
            relay: text("https://relay"),
            fingerprint: text("f"),
            permitted: Vec::new(),
        })
    }

    #[test]
    fn a_running_agent_is_read_back_with_its_runs() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let board = board();
        board.link(LinkState::Up, None);
        board.run_begins(&RunId::from("run_1"), Lease(2), "jira");
        board.run_goes_on(&RunId::from("run_1"), &Progress { issues_read: 7, ..Progress::default() }, 5);
        board.write(&paths).unwrap();
        let _agent = lock::hold(&paths).unwrap();
        let Reading::Running(status) = read(&paths).unwrap() else { panic!("not running") };
        assert_eq!((status.link.state, status.runs[0].progress.issues_read), (LinkState::Up, 7));
    }

    #[test]
    fn an_end_in_good_order_is_told_from_a_crash() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        board().write_end(&paths).unwrap();
        assert!(matches!(read(&paths).unwrap(), Reading::NotRunning(why) if why.contains("good order")));
        let left = board().status.borrow().clone();
        assert!(
            matches!(judge(left, clock::now_ms(), false), Reading::NotRunning(why) if why.contains("stale"))
        );
    }

    #[test]
    fn an_old_status_of_a_living_process_is_stale() {
        let left = board().status.borrow().clone();
        let later = left.written_at_ms + STALE_AFTER_MS + 1;
        assert!(matches!(judge(left, later, true), Reading::NotRunning(why) if why.contains("stale")));
    }

    #[test]
    fn no_file_means_that_it_never_ran() {
        let place = tempfile::tempdir().unwrap();
        assert!(
            matches!(read(&paths_in(place.path())).unwrap(), Reading::NotRunning(why) if why.contains("not run yet"))
        );
    }

    #[test]
    fn rates_follow_what_a_run_does_and_come_to_rest_with_it() {
        let (start, after) = (Progress::default(), Progress { issues_read: 1000, ..Progress::default() });
        let fast = Rates::default().after(&start, &after, 10.0);
        assert!((80.0..=100.0).contains(&fast.issues), "{fast:?}");
        let resting = fast.after(&after, &after, 60.0);
        assert!(resting.issues < 0.1, "{resting:?}");
    }

    #[test]
    fn the_last_errors_are_kept_and_bounded() {
        let board = board();
        for n in 0..50 {
            board.error("link", "link_silent", &n.to_string());
        }
        let status = board.now();
        assert_eq!(status.last_error.unwrap().message, "49");
        assert_eq!((status.earlier_errors.len(), status.earlier_errors[0].message.as_str()), (9, "48"));
        assert_eq!(board.last_trouble().unwrap().code, "link_silent");
    }
}
