//! Logins: passwords without a challenge, personal access tokens, session cookies, the CAPTCHA lock.

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine;

use super::config::Account;
use super::rng::mix;
use super::stats::Counters;

/// The outcome of looking at a request's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// Number of the account; `new_session` when the answer must set a cookie.
    User { account: usize, new_session: Option<String> },
    /// No credentials; a session is made all the same.
    Anonymous { new_session: Option<String> },
    /// Wrong password, unknown name, bad token.
    Failed,
    /// The CAPTCHA must be solved in a browser first.
    Locked,
    /// A cookie that no session belongs to.
    Expired,
}

#[derive(Debug, Default)]
struct State {
    /// Session id to account (`None`: anonymous).
    sessions: HashMap<String, Option<usize>>,
    failures: HashMap<usize, u32>,
    created: u64,
}

/// Accounts, sessions and failed attempts.
#[derive(Debug)]
pub(crate) struct Auth {
    accounts: Vec<Account>,
    threshold: u32,
    state: Mutex<State>,
}

/// What a request carries.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Credentials<'a> {
    pub(crate) authorization: Option<&'a str>,
    pub(crate) cookie: Option<&'a str>,
}

impl Auth {
    pub(crate) fn new(accounts: Vec<Account>, threshold: u32) -> Self {
        Self { accounts, threshold, state: Mutex::default() }
    }

    pub(crate) fn account(&self, at: usize) -> &Account {
        &self.accounts[at]
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Looks at cookie and `Authorization`. A living session wins: the password is not checked again.
    pub(crate) fn check(&self, given: Credentials<'_>, counters: &Counters) -> Login {
        let session = given.cookie.and_then(session_id);
        let known = session.and_then(|id| self.state().sessions.get(id).copied());
        if let Some(Some(account)) = known {
            return Login::User { account, new_session: None };
        }
        let Some(authorization) = given.authorization else {
            return match (session, known) {
                (Some(_), None) => Login::Expired,
                (Some(_), _) => Login::Anonymous { new_session: None },
                (None, _) => Login::Anonymous { new_session: Some(self.open(None, counters)) },
            };
        };
        match self.verify(authorization, counters) {
            Ok(account) => Login::User { account, new_session: Some(self.open(Some(account), counters)) },
            Err(refused) => refused,
        }
    }

    fn verify(&self, authorization: &str, counters: &Counters) -> Result<usize, Login> {
        let (scheme, value) = authorization.split_once(' ').unwrap_or((authorization, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            let found =
                self.accounts.iter().position(|account| account.tokens.iter().any(|token| token == value));
            counters.update(|stats| {
                stats.login_attempts += 1;
                stats.failed_logins += u64::from(found.is_none());
            });
            return found.ok_or(Login::Failed);
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(value).unwrap_or_default();
        let pair = String::from_utf8(decoded).unwrap_or_default();
        let (username, password) = pair.split_once(':').unwrap_or((&pair, ""));
        self.password(username, password, counters)
    }

    /// Checks a password; every call is one attempt.
    pub(crate) fn password(
        &self,
        username: &str,
        password: &str,
        counters: &Counters,
    ) -> Result<usize, Login> {
        let found = self.accounts.iter().position(|account| account.username.eq_ignore_ascii_case(username));
        let outcome = match found {
            None => Err(Login::Failed),
            Some(account) => {
                let mut state = self.state();
                let failures = state.failures.entry(account).or_default();
                if *failures >= self.threshold {
                    Err(Login::Locked)
                } else if self.accounts[account].password == password {
                    *failures = 0;
                    Ok(account)
                } else {
                    *failures += 1;
                    Err(Login::Failed)
                }
            }
        };
        counters.update(|stats| {
            stats.login_attempts += 1;
            stats.failed_logins += u64::from(outcome.is_err());
        });
        outcome
    }

    /// Creates a session.
    pub(crate) fn open(&self, account: Option<usize>, counters: &Counters) -> String {
        let mut state = self.state();
        state.created += 1;
        let id = format!("{:016X}{:016X}", mix(state.created), mix(state.created ^ 0x5e55));
        state.sessions.insert(id.clone(), account);
        drop(state);
        counters.update(|stats| stats.sessions += 1);
        id
    }

    /// Ends the session of a cookie; false when there was none.
    pub(crate) fn close(&self, cookie: Option<&str>) -> bool {
        cookie.and_then(session_id).is_some_and(|id| self.state().sessions.remove(id).is_some())
    }

    /// Ends every session: cookies that clients hold are expired from now on.
    pub(crate) fn expire_all(&self) {
        self.state().sessions.clear();
    }

    /// Somebody solved the CAPTCHA, or the administrator reset it.
    pub(crate) fn reset_captcha(&self) {
        self.state().failures.clear();
    }

    /// Failed attempts of an account since the last success.
    pub(crate) fn failures(&self, account: usize) -> u32 {
        self.state().failures.get(&account).copied().unwrap_or(0)
    }

    /// The number of the account with this login name.
    pub(crate) fn find(&self, username: &str) -> Option<usize> {
        self.accounts.iter().position(|account| account.username.eq_ignore_ascii_case(username))
    }
}

/// The session id of a `Cookie` header.
fn session_id(cookie: &str) -> Option<&str> {
    cookie.split(';').find_map(|pair| pair.trim().strip_prefix("JSESSIONID="))
}
