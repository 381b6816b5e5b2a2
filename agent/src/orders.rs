//! Orders of the administrator to the running agent: small files in the state folder, written whole by commands, at which the agent
//! looks once a second. Nothing listens for them: who can write that folder is the agent's own account or root.
//!
//! An order that cannot be read stops work rather than being overlooked.

use crate::clock;
use crate::error::Error;
use crate::logs::Control;
use crate::paths::Paths;
use crate::policy;
use crate::policy::hours::Hours;
use crate::policy::volume::Volume;
use crate::private_file::{self, Durability};
use crate::status::Board;
use chrono::NaiveDateTime;
use protocol::control::Failure;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::watch;

/// An order takes effect within this time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The order to stop work, as it lies in the state folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pause {
    /// Why, in the administrator's words; the relay shows it.
    pub(crate) reason: String,
    /// Since when, UTC milliseconds since 1970.
    pub(crate) since_ms: i64,
    /// Which user of this machine gave it; stays on the premises.
    pub(crate) by: String,
}

/// Why the agent takes no work for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Halt {
    /// Stable snake_case code.
    pub(crate) code: &'static str,
    /// The sentence that relay and administrator see.
    pub(crate) reason: String,
}

/// The orders in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Why the agent takes no work, if so.
    pub(crate) halt: Option<Halt>,
}

/// What else than an order stops work.
pub(crate) struct Gate {
    /// When runs may work.
    pub(crate) hours: Hours,
    /// How much may leave in a day.
    pub(crate) volume: Volume,
}

impl Gate {
    fn halt(&self, now: NaiveDateTime) -> Option<Halt> {
        if !self.hours.are_open(now) {
            let until = self.hours.next_start(now).map(|start| format!(" until {start}")).unwrap_or_default();
            let reason = format!("outside the hours in which the premises let runs work{until}, their time");
            return Some(Halt { code: "outside_hours", reason });
        }
        self.volume.is_spent(now.date()).then(|| Halt {
            code: "daily_bytes_spent",
            reason: "the bytes that the premises let out in a day are spent; work goes on tomorrow"
                .to_owned(),
        })
    }
}

/// Looks at the orders.
pub(crate) struct Orders {
    standing: watch::Sender<Standing>,
    gate: Gate,
}

impl Halt {
    /// How a question of the relay that cannot wait is answered.
    pub(crate) fn failure(&self) -> Failure {
        Failure {
            code: self.code.to_owned(),
            message: format!("the agent takes no work: {}", self.reason),
            hint: "ask again when the premises let it work".to_owned(),
        }
    }
}

impl Orders {
    /// Looks for the first time.
    pub(crate) fn new(paths: &Paths, gate: Gate) -> Self {
        let orders = Self { standing: watch::Sender::new(Standing::default()), gate };
        orders.look(paths);
        orders
    }

    /// The orders, as they change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Looks once a second until dropped.
    pub(crate) async fn keep_looking(&self, paths: &Paths, board: &Board, log: &Control) {
        loop {
            log.obey(paths);
            board.halted(self.standing.borrow().halt.as_ref().map(|halt| halt.reason.clone()));
            // Either is a reason to look; the sooner the better.
            drop(tokio::time::timeout(LOOK_EVERY, self.gate.volume.spent()).await);
            if let Err(error) = self.gate.volume.keep(paths) {
                tracing::warn!(event = "volume_not_written", %error, "the day's bytes could not be written");
            }
            self.look(paths);
        }
    }

    fn look(&self, paths: &Paths) {
        let halt = paused(read_pause(paths)).or_else(|| self.gate.halt(chrono::Local::now().naive_local()));
        let now = Standing { halt };
        self.standing.send_if_modified(|standing| {
            let is_news = *standing != now;
            if is_news {
                announce(standing.halt.as_ref(), now.halt.as_ref());
                *standing = now;
            }
            is_news
        });
    }
}

fn announce(before: Option<&Halt>, now: Option<&Halt>) {
    match (before, now) {
        (_, Some(halt)) => {
            tracing::warn!(event = "work_halted", code = halt.code, reason = halt.reason, "no work is taken");
        }
        (Some(_), None) => tracing::info!(event = "work_resumed", "work is taken again"),
        (None, None) => {}
    }
}

fn paused(read: Result<Option<Pause>, Error>) -> Option<Halt> {
    let reason = match read {
        Ok(None) => return None,
        Ok(Some(pause)) => format!("paused since {}: {}", clock::text(pause.since_ms), pause.reason),
        Err(error) => {
            tracing::debug!(event = "order_unreadable", %error, "an order that cannot be read stops work");
            "paused: the order to pause cannot be read; `uplink-agent resume` removes it".to_owned()
        }
    };
    Some(Halt { code: "paused", reason })
}

/// The pause in force.
///
/// # Errors
/// When there is one that cannot be read.
pub(crate) fn read_pause(paths: &Paths) -> Result<Option<Pause>, Error> {
    let path = paths.pause();
    let Some(bytes) = private_file::read(&path)? else { return Ok(None) };
    let damaged = |error: serde_json::Error| Error::System {
        action: "read the order to pause",
        reason: error.to_string(),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

/// Orders the agent to stop work.
///
/// # Errors
/// When the reason is empty or the order cannot be written.
pub(crate) fn pause(paths: &Paths, reason: &str) -> Result<Pause, Error> {
    let reason = policy::shortened_line(reason.trim());
    if reason.is_empty() {
        return Err(Error::Usage("--reason is empty; say why, the relay's user reads it".to_owned()));
    }
    let pause = Pause { reason, since_ms: clock::now_ms(), by: user() };
    let text = serde_json::to_vec_pretty(&pause)
        .map_err(|error| Error::System { action: "write the order to pause", reason: error.to_string() })?;
    private_file::write(&paths.pause(), &text, Durability::Synced)?;
    Ok(pause)
}

/// Lets the agent work again; also lifts an order that cannot be read. Gives whether there was one.
///
/// # Errors
/// When the order cannot be removed.
pub(crate) fn resume(paths: &Paths) -> Result<bool, Error> {
    let was_paused = !matches!(read_pause(paths), Ok(None));
    private_file::remove_if_there(&paths.pause())?;
    Ok(was_paused)
}

/// The user who gives the order, through `sudo` as well.
fn user() -> String {
    let named = ["SUDO_USER", "LOGNAME", "USER", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    policy::shortened(&named.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::paths_in;
    use chrono::NaiveDate;

    /// Nothing but orders stops work.
    fn open(paths: &Paths) -> Gate {
        Gate { hours: Hours::default(), volume: Volume::load(None, paths, NaiveDate::default()) }
    }

    #[test]
    fn hours_and_the_days_bytes_halt_work_and_say_until_when() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let monday = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
        let at = |hour| monday.and_hms_opt(hour, 0, 0).unwrap();
        let volume = Volume::load(Some(10), &paths, monday);
        let gate = Gate { hours: Hours::parse(&["mon 08:00-12:00"]).unwrap(), volume: volume.clone() };
        let closed = gate.halt(at(7)).unwrap();
        assert!(closed.code == "outside_hours" && closed.reason.contains("until mon 08:00"), "{closed:?}");
        assert_eq!(gate.halt(at(8)), None);
        assert!(!volume.take(11, monday));
        assert_eq!(gate.halt(at(8)).unwrap().code, "daily_bytes_spent");
    }

    #[test]
    fn a_pause_halts_work_until_it_is_lifted() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let orders = Orders::new(&paths, open(&paths));
        let standing = orders.subscribe();
        assert_eq!(standing.borrow().halt, None);
        let given = pause(&paths, " patch window\tuntil 06:00\n").unwrap();
        orders.look(&paths);
        let halt = standing.borrow().halt.clone().unwrap();
        assert_eq!(halt.code, "paused");
        assert_eq!(
            halt.reason,
            format!("paused since {}: patch windowuntil 06:00", clock::text(given.since_ms))
        );
        assert!(resume(&paths).unwrap() && !resume(&paths).unwrap());
        orders.look(&paths);
        assert_eq!(standing.borrow().halt, None);
    }

    #[test]
    fn a_pause_outlives_the_agent_that_it_was_given_to() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        pause(&paths, "audit").unwrap();
        assert!(Orders::new(&paths, open(&paths)).subscribe().borrow().halt.is_some());
    }

    #[test]
    fn a_pause_needs_a_reason() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        assert!(matches!(pause(&paths, " \n").unwrap_err(), Error::Usage(_)));
        assert_eq!(read_pause(&paths).unwrap(), None);
    }

    #[test]
    fn an_order_that_cannot_be_read_stops_work() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        private_file::write(&paths.pause(), b"{}", Durability::Volatile).unwrap();
        assert_eq!(
            Orders::new(&paths, open(&paths)).subscribe().borrow().halt.as_ref().unwrap().code,
            "paused"
        );
        assert!(resume(&paths).unwrap(), "it can be lifted all the same");
    }

    #[test]
    fn only_news_wakes_who_waits() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let orders = Orders::new(&paths, open(&paths));
        let mut standing = orders.subscribe();
        standing.mark_unchanged();
        orders.look(&paths);
        assert!(!standing.has_changed().unwrap());
        pause(&paths, "audit").unwrap();
        orders.look(&paths);
        orders.look(&paths);
        assert!(standing.has_changed().unwrap());
        standing.mark_unchanged();
        orders.look(&paths);
        assert!(!standing.has_changed().unwrap());
    }
}
