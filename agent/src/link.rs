//! The link to the relay, kept for ever: dial, shake hands, drive, and after any end wait and dial again. No trouble of the network
//! ends the agent; a refused identity is said loudly and tried again rarely.

pub(crate) mod call;
pub(crate) mod dial;
mod driver;
pub(crate) mod greeting;
mod identity_file;
mod identity_words;
mod race;
mod relays;
mod session;

use crate::config;
use crate::error::Error;
use crate::identity::Identity;
use crate::relay_address::RelayAddress;
use crate::runs::Premises;
use crate::status::LinkState;
use crate::trust::{Seen, Trust};
use crate::vigil::Pulse;
use dial::{DialError, Dialled, Endpoint, Lookup, Names, Proxies, Route};
use driver::LinkEnd;
use greeting::GreetingError;
use identity_file::Found;
use protocol::control::{DISCOVERY, RESEALING};
use protocol::error::CloseCode;
use protocol::handshake::{Introduction, RejectCode};
use protocol::link::{AgentLink, LinkConfig};
use protocol::spec::CHOICE;
use protocol::ticket::TICKETS;
use relays::{Next, Relays};
use session::{Session, SessionEnd};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// After a refusal that only a person can lift, the relay is asked this rarely (and a random bit later).
const RETRY_AFTER_REFUSAL: Duration = Duration::from_secs(300);
/// Two copies of one identity would otherwise throw each other out without end.
const RETRY_AFTER_REPLACEMENT: Duration = Duration::from_secs(30);
/// Most steps of a dial and the handshake, each within its own limit: name, TCP, TLS and upgrade, some of them twice with a proxy.
const STEPS_OF_AN_ATTEMPT: u32 = 8;
/// A clock that is off by more than this is worth a line in the log.
const CLOCK_TOLERANCE_MS: i64 = 5 * 60 * 1000;

/// How the relay is reached.
pub(crate) struct Reach {
    /// Its addresses, in the order in which they are tried.
    pub(crate) relays: Vec<RelayAddress>,
    /// Whom to believe to be the relay.
    pub(crate) trust: Trust,
    /// The proxies on the way.
    pub(crate) proxies: Proxies,
    /// How long each step may take.
    pub(crate) timeouts: config::Link,
}

/// Keeps the link.
pub(crate) struct Supervisor {
    reach: Reach,
    names: Names,
    introduction: Introduction,
    premises: Arc<Premises>,
    pulse: Pulse,
    started: Instant,
}

/// Why the link is kept no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeepEnd {
    /// On request.
    Stopped,
    /// The state folder has another identity: the agent was enrolled anew.
    EnrolledAnew,
    /// The state folder has no identity any more: the agent has left.
    Left,
}

/// How an attempt ended.
enum AttemptEnd {
    /// The identity of the state folder cannot be used.
    State(Error),
    Dial(DialError),
    Greeting(GreetingError),
    Session(SessionEnd),
}

impl Supervisor {
    /// Prepares the link of an identity.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) fn new(
        identity: &Identity,
        reach: Reach,
        premises: Arc<Premises>,
        pulse: Pulse,
    ) -> Result<Self, Error> {
        let introduction = Introduction {
            agent_id: identity.enrolment.agent_id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: [TICKETS, RESEALING, CHOICE, DISCOVERY].map(str::to_owned).to_vec(),
            boot_id: format!("{:016x}", random()?),
            relay_host: String::new(),
            inspected_by: None,
            ticket: None,
        };
        let (names, started) = (Names::default(), Instant::now());
        Ok(Self { reach, names, introduction, premises, pulse, started })
    }

    /// Keeps the link until `stop`, or until the state folder has another identity or none.
    ///
    /// # Errors
    /// Only when the system has no random numbers.
    pub(crate) async fn keep(&self, stop: &CancellationToken) -> Result<KeepEnd, Error> {
        let mut relays = Relays::new(self.reach.relays.iter().cloned());
        self.announce_proxy();
        let mut swallowed = false;
        while !stop.is_cancelled() {
            match identity_file::look(&self.premises.paths, &self.introduction.agent_id) {
                Ok(Found::Other) => return Ok(KeepEnd::EnrolledAnew),
                Ok(Found::Gone) => return Ok(KeepEnd::Left),
                // What cannot be read is told by the attempt.
                Ok(Found::Same(_)) | Err(_) => {}
            }
            let attempt = self.attempt(&mut relays, swallowed, stop);
            let Some(Some((index, end))) = stop.run_until_cancelled(attempt).await else { break };
            match end {
                AttemptEnd::Session(SessionEnd::Stopped) => break,
                AttemptEnd::Session(SessionEnd::Lost { end: LinkEnd::IdentityChanged, .. }) => continue,
                _ => {}
            }
            let hint = relays.address(index).and_then(|relay| self.report(relay, &end));
            relays.link_down(index, self.started.elapsed(), hint, random()?);
            swallowed = is_swallowed(&end);
            if is_refusal(&end) {
                let wait = relays.next(self.started.elapsed()).map(|next| next.wait).unwrap_or_default();
                let waited = stop.run_until_cancelled(self.wait_for_somebody(&end, wait)).await;
                if waited.is_none() {
                    break;
                }
            }
        }
        Ok(KeepEnd::Stopped)
    }

    /// A revoked agent dials no more: only another identity can help. Any other refusal may be lifted at the relay, so it is asked
    /// again now and then.
    async fn wait_for_somebody(&self, end: &AttemptEnd, wait: Duration) {
        let changed =
            identity_file::until_changed(&self.premises.paths, &self.introduction.agent_id, &self.pulse);
        if is_for_good(end) {
            self.premises.board.link(LinkState::Refused, None);
            changed.await;
        } else {
            self.premises.board.link(LinkState::Refused, Some(wait));
            // Either is a reason to go on.
            drop(tokio::time::timeout(wait, changed).await);
        }
    }

    /// How long dialling and shaking hands may take at most.
    fn longest_attempt(&self) -> Duration {
        let timeouts = &self.reach.timeouts;
        timeouts.connect_timeout() * STEPS_OF_AN_ATTEMPT + timeouts.handshake_timeout()
    }

    fn announce_proxy(&self) {
        let Some(relay) = self.reach.relays.first() else { return };
        if let Some(proxy) = self.reach.proxies.towards(&Endpoint::relay(relay)) {
            tracing::info!(event = "proxy_used", proxy = %proxy.at, named_by = proxy.named_by, "the relay is reached through a proxy");
        }
    }

    /// One link from dialling to its end; `None` when there is no address or the agent is stopped.
    async fn attempt(
        &self,
        relays: &mut Relays,
        swallowed: bool,
        stop: &CancellationToken,
    ) -> Option<(usize, AttemptEnd)> {
        if swallowed && let Some((index, dialled)) = self.race(relays).await {
            return Some((index, self.serve(relays, index, dialled, stop).await));
        }
        let next = relays.next(self.started.elapsed())?;
        self.wait(next).await;
        self.premises.board.link(LinkState::Connecting, None);
        self.pulse.promise(self.longest_attempt());
        let relay = relays.address(next.index)?.clone();
        let dialled = self.route(&relay).dial(Lookup::Ask).await;
        Some((next.index, self.serve(relays, next.index, dialled, stop).await))
    }

    async fn race(&self, relays: &Relays) -> Option<(usize, Result<Dialled, DialError>)> {
        tracing::info!(
            event = "link_hurry",
            lasts_s = race::LASTS.as_secs(),
            "the network swallowed a link with runs: dialling about twice a second until somebody answers"
        );
        self.premises.board.link(LinkState::Connecting, None);
        let addresses = relays.addresses();
        let routes: Vec<Route<'_>> = addresses.iter().map(|relay| self.route(relay)).collect();
        let dice = || {
            // Thrown for each beginning, so each beginning is a sign of life.
            self.pulse.promise(self.longest_attempt());
            random().unwrap_or(u64::MAX / 2)
        };
        race::race(&routes, Instant::now() + race::LASTS, dice).await
    }

    async fn wait(&self, next: Next) {
        if next.wait.is_zero() {
            return;
        }
        self.pulse.promise(next.wait);
        self.premises.board.link(LinkState::Waiting, Some(next.wait));
        tracing::info!(
            event = "link_retry",
            wait_ms = u64::try_from(next.wait.as_millis()).unwrap_or(u64::MAX),
            failures = next.failures,
            "dialling again later"
        );
        tokio::time::sleep(next.wait).await;
    }

    fn route<'a>(&'a self, relay: &'a RelayAddress) -> Route<'a> {
        let Reach { trust, proxies, timeouts, .. } = &self.reach;
        Route { relay, proxies, names: &self.names, trust, limit: timeouts.connect_timeout() }
    }

    /// Shakes hands over a socket and drives the link to its end.
    async fn serve(
        &self,
        relays: &mut Relays,
        index: usize,
        dialled: Result<Dialled, DialError>,
        stop: &CancellationToken,
    ) -> AttemptEnd {
        let Dialled { mut socket, seen } = match dialled {
            Ok(dialled) => dialled,
            Err(error) => return AttemptEnd::Dial(error),
        };
        let host = relays.address(index).map(|relay| relay.host().to_owned()).unwrap_or_default();
        let key = match identity_file::look(&self.premises.paths, &self.introduction.agent_id) {
            Ok(Found::Same(key)) => key,
            Ok(Found::Other | Found::Gone) => {
                let end = LinkEnd::IdentityChanged;
                return AttemptEnd::Session(SessionEnd::Lost { end, go_away: None, runs: 0 });
            }
            Err(error) => return AttemptEnd::State(error),
        };
        let turn = self.premises.tickets.turn().await;
        let introduction = self.introduce(&host, &seen);
        let greeting = greeting::shake_hands(&mut socket, introduction, &key);
        let limit = self.reach.timeouts.handshake_timeout();
        let established = match tokio::time::timeout(limit, greeting).await {
            Ok(Ok(established)) => established,
            Ok(Err(error)) => return AttemptEnd::Greeting(error),
            Err(_) => return AttemptEnd::Greeting(GreetingError::TooSlow(limit)),
        };
        check_clock(established.relay_time_ms);
        let welcome = established.welcome;
        relays.link_up(index, self.started.elapsed(), Duration::from_millis(welcome.reconnect_spread_ms));
        tracing::info!(
            event = "link_up",
            relay = host,
            session = welcome.session,
            issuer = seen.issuer,
            relay_version = crate::policy::shortened(&welcome.relay_version),
            "linked to the relay"
        );
        self.premises.board.link(LinkState::Up, None);
        let heartbeat = heartbeat(welcome.heartbeat_ms);
        self.pulse.promise(heartbeat);
        let settings = LinkConfig::new(heartbeat, welcome.limits);
        let link = AgentLink::new(settings, Duration::ZERO);
        // A relay without tickets never asks for the turn back.
        let turn = established.features.iter().any(|feature| feature == TICKETS).then_some(turn);
        let driver = driver::Driver::new(socket, link, self.pulse.clone());
        AttemptEnd::Session(Session::new(driver, Arc::clone(&self.premises), turn).drive(stop).await)
    }

    fn introduce(&self, host: &str, seen: &Seen) -> Introduction {
        let inspected_by = seen.is_inspected.then(|| seen.issuer.clone().unwrap_or_default());
        if let Some(by) = &inspected_by {
            tracing::warn!(
                event = "link_inspected",
                by,
                "a proxy on the way decrypts the link; that was permitted by relay.inspection_ca_file"
            );
        }
        let ticket = self.premises.tickets.present();
        Introduction { relay_host: host.to_owned(), inspected_by, ticket, ..self.introduction.clone() }
    }

    /// Says what happened, and gives the time before which another attempt makes no sense.
    fn report(&self, relay: &RelayAddress, end: &AttemptEnd) -> Option<Duration> {
        let (code, text, hint) = match end {
            AttemptEnd::State(error) => {
                ("state_unusable".to_owned(), error.to_string(), Some(RETRY_AFTER_REFUSAL))
            }
            AttemptEnd::Dial(error) => (error.code().to_owned(), error.in_full(), error.retry_after()),
            AttemptEnd::Greeting(error) => (error.code(), error.to_string(), hint_of(error)),
            AttemptEnd::Session(SessionEnd::Lost { end, go_away, .. }) => judge_loss(end, *go_away),
            AttemptEnd::Session(SessionEnd::Stopped) => return None,
        };
        // The relay's own words may be among them.
        let text = crate::policy::shortened_line(&text);
        let step = match end {
            AttemptEnd::Dial(error) => Some(error.step().to_string()),
            AttemptEnd::State(_) | AttemptEnd::Greeting(_) | AttemptEnd::Session(_) => None,
        };
        tracing::warn!(event = "link_down", %relay, code, step, reason = text, "no link to the relay");
        if is_refusal(end) {
            tracing::error!(
                event = "identity_refused",
                %relay,
                agent = %self.introduction.agent_id,
                code,
                "the relay refuses this agent until somebody acts: have it let in there, or enrol it anew with `uplink-agent enroll --force` and an unused token"
            );
        }
        self.premises.board.error("link", &code, &text);
        hint
    }
}

/// Whether the network fell silent under a link that had runs: nobody refused anything, and work waits.
fn is_swallowed(end: &AttemptEnd) -> bool {
    match end {
        AttemptEnd::Session(SessionEnd::Lost { end, runs, go_away: None }) => *runs > 0 && end.is_silence(),
        AttemptEnd::Session(_) | AttemptEnd::State(_) | AttemptEnd::Dial(_) | AttemptEnd::Greeting(_) => {
            false
        }
    }
}

/// Whether only a person can bring the link back.
fn is_refusal(end: &AttemptEnd) -> bool {
    match end {
        AttemptEnd::Greeting(error) => error.rejection().is_some_and(|reject| reject.code.is_permanent()),
        AttemptEnd::Session(SessionEnd::Lost { end, .. }) => {
            let refusals = [CloseCode::Revoked.number(), CloseCode::Cloned.number()];
            end.close_code().is_some_and(|code| refusals.contains(&code))
        }
        AttemptEnd::Session(SessionEnd::Stopped) | AttemptEnd::Dial(_) | AttemptEnd::State(_) => false,
    }
}

/// Whether nothing that is done at the relay can bring the link back.
fn is_for_good(end: &AttemptEnd) -> bool {
    match end {
        AttemptEnd::Greeting(error) => {
            error.rejection().is_some_and(|reject| reject.code == RejectCode::Revoked)
        }
        AttemptEnd::Session(SessionEnd::Lost { end, .. }) => {
            end.close_code() == Some(CloseCode::Revoked.number())
        }
        AttemptEnd::Session(SessionEnd::Stopped) | AttemptEnd::Dial(_) | AttemptEnd::State(_) => false,
    }
}

fn hint_of(error: &GreetingError) -> Option<Duration> {
    let reject = error.rejection()?;
    if reject.code.is_permanent() {
        Some(reject.retry_after().unwrap_or_default().max(RETRY_AFTER_REFUSAL))
    } else {
        reject.retry_after()
    }
}

fn judge_loss(end: &LinkEnd, go_away: Option<Duration>) -> (String, String, Option<Duration>) {
    let hint = match end.close_code() {
        Some(code) if code == CloseCode::Replaced.number() => Some(RETRY_AFTER_REPLACEMENT),
        Some(code) if code == CloseCode::Revoked.number() || code == CloseCode::Cloned.number() => {
            Some(RETRY_AFTER_REFUSAL)
        }
        _ => go_away,
    };
    (end.code().to_owned(), end.to_string(), hint)
}

/// A relay that asks for no beats or for a beat an hour would leave a dead link unnoticed.
fn heartbeat(asked_ms: u64) -> Duration {
    Duration::from_millis(asked_ms.clamp(500, 60_000))
}

fn check_clock(relay_ms: i64) {
    let ahead_ms = crate::clock::now_ms().saturating_sub(relay_ms);
    if ahead_ms.saturating_abs() > CLOCK_TOLERANCE_MS {
        tracing::warn!(
            event = "clock_differs",
            ahead_ms,
            "this machine's clock and the relay's differ; times in the logs will not match"
        );
    }
}

fn random() -> Result<u64, Error> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::System {
        action: "draw random numbers",
        reason: "the system has none".to_owned(),
    })?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests;
