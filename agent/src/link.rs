//! The link to the relay, kept for ever: dial, shake hands, drive, and after any end wait and dial again. No trouble of the network
//! ends the agent; a refused identity is said loudly and tried again rarely.

pub(crate) mod dial;
mod driver;
mod greeting;
mod session;

use crate::config;
use crate::error::Error;
use crate::identity::Identity;
use crate::relay_address::RelayAddress;
use crate::runs::Premises;
use crate::status::LinkState;
use crate::trust::Authority;
use crate::vigil::Pulse;
use dial::DialError;
use driver::LinkEnd;
use greeting::GreetingError;
use protocol::backoff::Backoff;
use protocol::error::CloseCode;
use protocol::handshake::Introduction;
use protocol::keys::SigningKey;
use protocol::link::{AgentLink, LinkConfig};
use rustls::ClientConfig;
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

/// Keeps the link.
pub(crate) struct Supervisor {
    relay: RelayAddress,
    tls: Arc<ClientConfig>,
    key: SigningKey,
    introduction: Introduction,
    timeouts: config::Link,
    premises: Arc<Premises>,
    pulse: Pulse,
    started: Instant,
}

/// How an attempt ended.
enum AttemptEnd {
    Dial(DialError),
    Greeting(GreetingError),
    Session(SessionEnd),
}

impl Supervisor {
    /// Prepares the link of an identity.
    ///
    /// # Errors
    /// When the identity or the relay's authority cannot be used.
    pub(crate) fn new(
        identity: &Identity,
        authority: &Authority,
        timeouts: config::Link,
        premises: Arc<Premises>,
        pulse: Pulse,
    ) -> Result<Self, Error> {
        let relay = RelayAddress::parse(&identity.enrolment.relay)?;
        let introduction = Introduction {
            agent_id: identity.enrolment.agent_id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: Vec::new(),
            boot_id: format!("{:016x}", random()?),
            relay_host: relay.host().to_owned(),
        };
        let (tls, key) = (authority.tls()?, identity.seeds.signing_key()?);
        Ok(Self { relay, tls, key, introduction, timeouts, premises, pulse, started: Instant::now() })
    }

    /// Keeps the link until `stop`.
    ///
    /// # Errors
    /// Only when the system has no random numbers.
    pub(crate) async fn keep(&self, stop: &CancellationToken) -> Result<(), Error> {
        let mut backoff = Backoff::new();
        while !stop.is_cancelled() {
            self.premises.board.link(LinkState::Connecting, None);
            self.pulse.promise(self.longest_attempt());
            let attempt = self.attempt(&mut backoff, stop);
            let Some(end) = stop.run_until_cancelled(attempt).await else { break };
            if matches!(end, AttemptEnd::Session(SessionEnd::Stopped)) {
                break;
            }
            backoff.link_down(self.started.elapsed());
            if let Some(hint) = self.report(&end) {
                backoff.server_hint(hint);
            }
            let wait = backoff.next_delay(random()?);
            self.pulse.promise(wait);
            self.premises.board.link(LinkState::Waiting, Some(wait));
            tracing::info!(
                event = "link_retry",
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                failures = backoff.failures(),
                "dialling again later"
            );
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// How long dialling and shaking hands may take at most.
    fn longest_attempt(&self) -> Duration {
        self.timeouts.connect_timeout() * STEPS_OF_AN_ATTEMPT + self.timeouts.handshake_timeout()
    }

    async fn attempt(&self, backoff: &mut Backoff, stop: &CancellationToken) -> AttemptEnd {
        let mut socket =
            match dial::dial(&self.relay, Arc::clone(&self.tls), self.timeouts.connect_timeout()).await {
                Ok(socket) => socket,
                Err(error) => return AttemptEnd::Dial(error),
            };
        let greeting = greeting::shake_hands(&mut socket, self.introduction.clone(), &self.key);
        let established = match tokio::time::timeout(self.timeouts.handshake_timeout(), greeting).await {
            Ok(Ok(established)) => established,
            Ok(Err(error)) => return AttemptEnd::Greeting(error),
            Err(_) => return AttemptEnd::Greeting(GreetingError::TooSlow(self.timeouts.handshake_timeout())),
        };
        check_clock(established.relay_time_ms);
        let welcome = established.welcome;
        backoff.link_up(self.started.elapsed(), Duration::from_millis(welcome.reconnect_spread_ms));
        tracing::info!(event = "link_up", relay = %self.relay, session = welcome.session, relay_version = crate::policy::shortened(&welcome.relay_version), "linked to the relay");
        self.premises.board.link(LinkState::Up, None);
        let heartbeat = heartbeat(welcome.heartbeat_ms);
        self.pulse.promise(heartbeat);
        let settings = LinkConfig::new(heartbeat, welcome.limits);
        let link = AgentLink::new(settings, Duration::ZERO);
        AttemptEnd::Session(
            Session::new(driver::Driver::new(socket, link, self.pulse.clone()), Arc::clone(&self.premises))
                .drive(stop)
                .await,
        )
    }

    /// Says what happened, and gives the time before which another attempt makes no sense.
    fn report(&self, end: &AttemptEnd) -> Option<Duration> {
        let (code, text, hint) = match end {
            AttemptEnd::Dial(error) => (error.code().to_owned(), error.to_string(), error.retry_after()),
            AttemptEnd::Greeting(error) => (error.code(), error.to_string(), hint_of(error)),
            AttemptEnd::Session(SessionEnd::Lost { end, go_away }) => judge_loss(end, *go_away),
            AttemptEnd::Session(SessionEnd::Stopped) => return None,
        };
        // The relay's own words may be among them.
        let text = crate::policy::shortened_line(&text);
        tracing::warn!(event = "link_down", relay = %self.relay, code, reason = text, "no link to the relay");
        if is_refusal(end) {
            tracing::error!(
                event = "identity_refused",
                relay = %self.relay,
                agent = %self.introduction.agent_id,
                code,
                "the relay refuses this agent until somebody acts: have it restored there, or enrol it anew with `uplink-agent enroll --force` and an unused token"
            );
        }
        self.premises.board.error("link", &code, &text);
        hint
    }
}

/// Whether only a person can bring the link back.
fn is_refusal(end: &AttemptEnd) -> bool {
    match end {
        AttemptEnd::Greeting(error) => error.rejection().is_some_and(|reject| reject.code.is_permanent()),
        AttemptEnd::Session(SessionEnd::Lost { end, .. }) => {
            end.close_code() == Some(CloseCode::Revoked.number())
        }
        AttemptEnd::Session(SessionEnd::Stopped) | AttemptEnd::Dial(_) => false,
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
        Some(code) if code == CloseCode::Revoked.number() => Some(RETRY_AFTER_REFUSAL),
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
