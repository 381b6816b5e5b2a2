//! The circuit breaker of logins: Jira locks an account after a few refused ones, whoever sent them. After two, nothing more is tried
//! with that account at that site until somebody acts here, or the secret is another one.
//!
//! Another secret may also be a hostile relay's next guess: secrets that the cloud sealed open the breaker only a few times a day.
//! Kept in the state folder: which account, how often, and a mark by which the secret is told from another; never the secret.

use crate::clock;
use crate::error::Error;
use crate::paths::Paths;
use crate::private_file::{self, Durability};
use protocol::control::Failure;
use protocol::site::SiteAddress;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Refused logins after which nothing more is tried; Jira's own limit is three as delivered.
const REFUSED_MAX: u32 = 2;
/// So often a day a secret from the cloud may be replaced by another one after it was refused.
const CHANGES_A_DAY_MAX: usize = 3;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Which account at which site.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) site: SiteAddress,
    /// Empty for a personal access token.
    pub(crate) username: String,
}

/// By what one secret is told from another, and whether the cloud can change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretMark {
    pub(crate) text: String,
    pub(crate) is_local: bool,
}

/// Why a login is not tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Blocked {
    #[error(
        "Jira refused {refused} logins of {who} at {site}; the agent tries no more, so that Jira does not lock the account"
    )]
    Refused { refused: u32, who: String, site: SiteAddress },
    #[error("other logins of {who} at {site} are being tried and none has succeeded yet")]
    BeingTried { who: String, site: SiteAddress },
}

/// A refused account, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Refused {
    account: Account,
    mark: String,
    refused: u32,
    /// When the cloud replaced the secret, UTC milliseconds.
    #[serde(default)]
    changed_ms: Vec<i64>,
}

/// What is known of an account in this process.
#[derive(Clone, Debug, Default)]
struct Live {
    mark: String,
    pending: u32,
    is_accepted: bool,
}

/// Counts refused logins.
#[derive(Clone)]
pub(crate) struct Breaker {
    paths: Paths,
    live: Arc<Mutex<HashMap<Account, Live>>>,
}

/// The right to one login. Dropped without a verdict, it counts for nothing.
pub(crate) struct Try {
    breaker: Breaker,
    account: Account,
    mark: SecretMark,
    is_open: bool,
}

impl Blocked {
    /// The failure as the relay's user reads it.
    pub(crate) fn failure(&self) -> Failure {
        let (code, hint) = match self {
            Blocked::Refused { .. } => (
                "login_blocked",
                "check the account in a browser, then store the right password with `uplinkctl connection update NAME --password-stdin`, or let the \
                 administrator of the premises run `uplink-agent resume --account NAME`",
            ),
            Blocked::BeingTried { .. } => ("agent_busy", "wait for the other logins to end"),
        };
        Failure { code: code.to_owned(), message: self.to_string(), hint: hint.to_owned() }
    }
}

impl Breaker {
    pub(crate) fn new(paths: &Paths) -> Self {
        Self { paths: paths.clone(), live: Arc::default() }
    }

    /// Asks for the right to log in.
    ///
    /// # Errors
    /// When too many logins were refused, or are being tried.
    pub(crate) fn enter(&self, account: Account, mark: SecretMark) -> Result<Try, Blocked> {
        let mut live = self.lock();
        let who = || {
            if account.username.is_empty() {
                "the token".to_owned()
            } else {
                format!("`{}`", account.username)
            }
        };
        let site = || account.site.clone();
        let refused = match self.refused_with(&account, &mark) {
            Ok(refused) => refused,
            Err(refused) => return Err(Blocked::Refused { refused, who: who(), site: site() }),
        };
        let known = live.entry(account.clone()).or_default();
        if known.mark != mark.text {
            *known = Live { mark: mark.text.clone(), pending: known.pending, is_accepted: false };
        }
        if !known.is_accepted && refused + known.pending >= REFUSED_MAX {
            return Err(Blocked::BeingTried { who: who(), site: site() });
        }
        known.pending += 1;
        drop(live);
        Ok(Try { breaker: self.clone(), account, mark, is_open: true })
    }

    /// How many logins with this secret were refused; `Err` when no more may be tried. A secret that replaces a refused one counts anew.
    fn refused_with(&self, account: &Account, mark: &SecretMark) -> Result<u32, u32> {
        // A file that cannot be read must not turn into an open door: one more try, and then what can be written counts.
        let Some(kept) =
            read(&self.paths).unwrap_or_default().into_iter().find(|kept| kept.account == *account)
        else {
            return Ok(0);
        };
        if kept.mark == mark.text {
            return if kept.refused >= REFUSED_MAX { Err(kept.refused) } else { Ok(kept.refused) };
        }
        if mark.is_local {
            return Ok(0);
        }
        if recent(&kept.changed_ms).len() >= CHANGES_A_DAY_MAX { Err(kept.refused) } else { Ok(0) }
    }

    fn note(&self, account: &Account, mark: &SecretMark, is_refused: bool) {
        let mut all = read(&self.paths).unwrap_or_default();
        let at = all.iter().position(|kept| kept.account == *account);
        let before = at.map(|at| all.remove(at));
        if is_refused {
            let mut kept = before.unwrap_or_else(|| Refused {
                account: account.clone(),
                mark: mark.text.clone(),
                refused: 0,
                changed_ms: Vec::new(),
            });
            if kept.mark != mark.text {
                kept.changed_ms = recent(&kept.changed_ms);
                kept.changed_ms.push(clock::now_ms());
                kept.mark.clone_from(&mark.text);
                kept.refused = 0;
            }
            kept.refused += 1;
            if kept.refused >= REFUSED_MAX {
                tracing::error!(event = "login_blocked", site = %account.site, account = account.username,
                    "two logins were refused; nothing more is tried until somebody acts: correct the secret, or `uplink-agent resume --account NAME`");
            }
            all.push(kept);
        } else if before.is_none() {
            return;
        }
        if let Err(error) = write(&self.paths, &all) {
            tracing::error!(event = "logins_not_written", %error, "refused logins could not be written down");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Account, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Try {
    /// Jira let the account in.
    pub(crate) fn accepted(&mut self) {
        if std::mem::take(&mut self.is_open) {
            let mut live = self.breaker.lock();
            let known = live.entry(self.account.clone()).or_default();
            known.pending = known.pending.saturating_sub(1);
            known.is_accepted |= known.mark == self.mark.text;
            self.breaker.note(&self.account, &self.mark, false);
        }
    }

    /// The run or test ended; `code` says why, if it failed.
    pub(crate) fn ended(&mut self, code: Option<&str>) {
        match code {
            None => self.accepted(),
            Some("login_refused" | "login_captcha") => {
                let mut live = self.breaker.lock();
                let known = live.entry(self.account.clone()).or_default();
                known.is_accepted = false;
                if std::mem::take(&mut self.is_open) {
                    known.pending = known.pending.saturating_sub(1);
                }
                self.breaker.note(&self.account, &self.mark, true);
            }
            Some(_) => {}
        }
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        if self.is_open {
            let mut live = self.breaker.lock();
            let known = live.entry(self.account.clone()).or_default();
            known.pending = known.pending.saturating_sub(1);
        }
    }
}

/// Forgets the refused logins of an account, at one site or at all. Gives how many accounts were blocked.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn forgive(paths: &Paths, username: &str, site: Option<&SiteAddress>) -> Result<usize, Error> {
    let (forgiven, kept): (Vec<Refused>, Vec<Refused>) = read(paths)?.into_iter().partition(|kept| {
        kept.account.username == username && site.is_none_or(|site| *site == kept.account.site)
    });
    if !forgiven.is_empty() {
        write(paths, &kept)?;
    }
    Ok(forgiven.len())
}

fn recent(times: &[i64]) -> Vec<i64> {
    let now = clock::now_ms();
    times.iter().copied().filter(|at| now.saturating_sub(*at) < DAY_MS).collect()
}

fn read(paths: &Paths) -> Result<Vec<Refused>, Error> {
    let Some(bytes) = private_file::read(&paths.logins())? else { return Ok(Vec::new()) };
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::System { action: "read the refused logins", reason: error.to_string() })
}

fn write(paths: &Paths, all: &[Refused]) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(all)
        .map_err(|error| Error::System { action: "write the refused logins", reason: error.to_string() })?;
    private_file::write(&paths.logins(), &text, Durability::Synced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::paths_in;

    fn account() -> Account {
        Account { site: SiteAddress::parse("https://jira").unwrap(), username: "reader".to_owned() }
    }

    fn mark(text: &str, is_local: bool) -> SecretMark {
        SecretMark { text: text.to_owned(), is_local }
    }

    fn refuse(breaker: &Breaker, mark: &SecretMark) {
        breaker.enter(account(), mark.clone()).unwrap().ended(Some("login_refused"));
    }

    fn code(breaker: &Breaker, mark: &SecretMark) -> Option<String> {
        breaker.enter(account(), mark.clone()).err().map(|blocked| blocked.failure().code)
    }

    #[test]
    fn after_two_refused_logins_nothing_is_tried_even_by_a_new_process() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let (breaker, one) = (Breaker::new(&paths), mark("one", false));
        refuse(&breaker, &one);
        assert_eq!(code(&breaker, &one), None);
        refuse(&breaker, &one);
        assert_eq!(code(&breaker, &one).as_deref(), Some("login_blocked"));
        assert_eq!(code(&Breaker::new(&paths), &one).as_deref(), Some("login_blocked"));
        let other = Account { username: "other".to_owned(), ..account() };
        assert!(breaker.enter(other, one.clone()).is_ok(), "another account is none of it");
        assert_eq!(forgive(&paths, "reader", None).unwrap(), 1);
        assert_eq!(code(&breaker, &one), None);
    }

    #[test]
    fn a_login_that_works_makes_good_for_refused_ones() {
        let place = tempfile::tempdir().unwrap();
        let (breaker, one) = (Breaker::new(&paths_in(place.path())), mark("one", false));
        refuse(&breaker, &one);
        breaker.enter(account(), one.clone()).unwrap().accepted();
        refuse(&breaker, &one);
        assert_eq!(code(&breaker, &one), None);
    }

    #[test]
    fn logins_at_once_do_not_get_past_the_bound() {
        let place = tempfile::tempdir().unwrap();
        let (breaker, one) = (Breaker::new(&paths_in(place.path())), mark("one", false));
        let first = breaker.enter(account(), one.clone()).unwrap();
        let mut second = breaker.enter(account(), one.clone()).unwrap();
        assert_eq!(code(&breaker, &one).as_deref(), Some("agent_busy"));
        drop(first);
        assert_eq!(code(&breaker, &one), None);
        second.accepted();
        let many: Vec<_> = (0..9).map(|_| breaker.enter(account(), one.clone()).unwrap()).collect();
        assert_eq!(many.len(), 9, "an account that works is not held up");
    }

    #[test]
    fn a_relay_that_guesses_runs_out_of_guesses() {
        let place = tempfile::tempdir().unwrap();
        let breaker = Breaker::new(&paths_in(place.path()));
        let mut tried = 0;
        for guess in 0..100 {
            let guess = mark(&format!("guess {guess}"), false);
            while let Ok(mut login) = breaker.enter(account(), guess.clone()) {
                login.ended(Some("login_refused"));
                tried += 1;
            }
        }
        assert!(tried <= 8, "{tried} logins were tried");
        let local = mark("file 1", true);
        assert_eq!(code(&breaker, &local), None, "the premises' own change counts");
    }

    #[test]
    fn other_failures_are_no_refused_logins() {
        let place = tempfile::tempdir().unwrap();
        let (breaker, one) = (Breaker::new(&paths_in(place.path())), mark("one", false));
        for _ in 0..5 {
            breaker.enter(account(), one.clone()).unwrap().ended(Some("unreachable"));
        }
        assert_eq!(code(&breaker, &one), None);
    }
}
