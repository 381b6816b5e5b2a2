//! Three text messages before the link: the relay's challenge, the agent's signed hello, the relay's welcome or reject. A
//! state is a type named for what it expects, and a step consumes it, so the wrong order does not compile.
//!
//! ```text
//!  agent                                              relay
//!  ExpectChallenge  <----------- challenge ---------- ExpectHello::begin
//!        |          ------------- hello ------------> ExpectHello -> ClaimedHello (look the key up)
//!  ExpectWelcome                                      ClaimedHello::verify -> VerifiedAgent
//!        |          <------- welcome | reject ------- VerifiedAgent::welcome | HandshakeError::reject
//!  Established
//! ```
//!
//! The signature covers the relay's nonce (no replay), the name of the relay as the agent dialled it (a relay that the agent
//! was lured to cannot pass the hello on to another), the agent's id, the protocol version and the ticket if one is presented,
//! behind a text that no other use of the key has. A ticket goes only to a relay whose challenge offers to take one, so that
//! agents and relays without tickets understand each other's signatures.

use crate::error::json_reason;
use crate::ids::AgentId;
use crate::keys::{Signature, SigningKey, SigningPublicKey};
use crate::limits::{HANDSHAKE_BYTES_MAX, HEARTBEAT_MS_RANGE, LinkLimits};
use crate::ticket::{TICKETS, Ticket};
use crate::version::{ProtocolVersion, UnknownProtocol};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

mod inquiry;
mod messages;
mod refusal;

pub use messages::{Challenge, Hello, Reject, RejectCode, Welcome};
pub use refusal::HandshakeError;

use messages::{AgentGreeting, RelayGreeting};

/// Separates these signatures from every other use of the key.
const DOMAIN: &str = "uplink-auth-v1";
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 32;

/// What an agent says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Its id from enrolment.
    pub agent_id: AgentId,
    /// Its version.
    pub version: String,
    /// What it can do beyond protocol v1; names that the relay does not know are ignored.
    pub capabilities: Vec<String>,
    /// Random text of this start of the process: tells a restart from a second copy.
    pub boot_id: String,
    /// The host of the relay as dialled, from the URL.
    pub relay_host: String,
    /// The authority of a proxy on the way that decrypts the link, if there is one and the premises permit it.
    pub inspected_by: Option<String>,
    /// The ticket that it holds.
    pub ticket: Option<Ticket>,
}

/// Agent, waiting for `challenge`.
#[derive(Debug)]
pub struct ExpectChallenge {
    introduction: Introduction,
}

impl ExpectChallenge {
    /// The WebSocket is open with subprotocol `uplink.v1`.
    pub fn new(introduction: Introduction) -> Self {
        Self { introduction }
    }

    /// Reads the challenge and gives the hello to send. A relay that does not want to talk may reject right here.
    pub fn handle_text(
        self,
        text: &str,
        key: &SigningKey,
    ) -> Result<(String, ExpectWelcome), HandshakeError> {
        let challenge = match parse::<RelayGreeting>(text)? {
            RelayGreeting::Challenge(challenge) => challenge,
            RelayGreeting::Reject(reject) => return Err(HandshakeError::Rejected(reject)),
            RelayGreeting::Welcome(_) => {
                return Err(HandshakeError::OutOfOrder { expected: "challenge", got: "welcome" });
            }
        };
        let version = ProtocolVersion::parse(&challenge.protocol)?;
        let nonce = STANDARD.decode(&challenge.nonce).ok().filter(|nonce| nonce.len() == NONCE_BYTES);
        let nonce = nonce.ok_or_else(|| HandshakeError::Malformed {
            reason: "the nonce must be 32 bytes in base64".into(),
        })?;
        let Introduction {
            agent_id,
            version: agent_version,
            capabilities,
            boot_id,
            relay_host,
            inspected_by,
            ticket,
        } = self.introduction;
        let relay_host = normalise_host(&relay_host);
        let ticket = ticket.filter(|_| challenge.features.iter().any(|feature| feature == TICKETS));
        let signature = key.sign(&transcript(&nonce, &relay_host, &agent_id, version, ticket.as_ref()));
        let protocol = version.to_string();
        let hello = Hello {
            agent_id,
            version: agent_version,
            protocol,
            capabilities,
            boot_id,
            relay_host,
            inspected_by,
            ticket,
            signature,
        };
        let relay_time_ms = challenge.relay_time_ms;
        let features = challenge.features;
        Ok((to_json(&AgentGreeting::Hello(hello)), ExpectWelcome { version, relay_time_ms, features }))
    }
}

/// Agent, waiting for `welcome`.
#[derive(Debug)]
pub struct ExpectWelcome {
    version: ProtocolVersion,
    relay_time_ms: i64,
    features: Vec<String>,
}

impl ExpectWelcome {
    /// Reads the answer.
    pub fn handle_text(self, text: &str) -> Result<Established, HandshakeError> {
        let welcome = match parse::<RelayGreeting>(text)? {
            RelayGreeting::Welcome(welcome) => welcome,
            RelayGreeting::Reject(reject) => return Err(HandshakeError::Rejected(reject)),
            RelayGreeting::Challenge(_) => {
                return Err(HandshakeError::OutOfOrder { expected: "welcome", got: "challenge" });
            }
        };
        if !welcome.limits.is_acceptable() || !HEARTBEAT_MS_RANGE.contains(&welcome.heartbeat_ms) {
            let reason = "the limits of the welcome are zero or beyond those of uplink.v1".into();
            return Err(HandshakeError::Malformed { reason });
        }
        let Self { version, relay_time_ms, features } = self;
        Ok(Established { version, relay_time_ms, features, welcome })
    }

    /// The relay's clock, UTC milliseconds since 1970: a wrong clock on the premises is worth a warning.
    pub fn relay_time_ms(&self) -> i64 {
        self.relay_time_ms
    }
}

/// Agent: the handshake is over and a link may start.
#[derive(Clone, Debug, PartialEq)]
pub struct Established {
    /// The protocol that both sides speak.
    pub version: ProtocolVersion,
    /// The relay's clock when it sent the challenge, UTC milliseconds since 1970.
    pub relay_time_ms: i64,
    /// What the relay can do beyond protocol v1.
    pub features: Vec<String>,
    /// The relay's answer.
    pub welcome: Welcome,
}

/// Relay, waiting for `hello`.
#[derive(Debug)]
pub struct ExpectHello {
    nonce: [u8; NONCE_BYTES],
}

impl ExpectHello {
    /// The WebSocket is open; gives the challenge to send. `nonce` must be fresh random bytes, `relay_time_ms` UTC milliseconds
    /// since 1970.
    pub fn begin(nonce: [u8; NONCE_BYTES], relay_time_ms: i64) -> (String, Self) {
        let challenge = Challenge {
            nonce: STANDARD.encode(nonce),
            protocol: ProtocolVersion::NEWEST.to_string(),
            relay_time_ms,
            features: vec![TICKETS.to_owned()],
        };
        (to_json(&RelayGreeting::Challenge(challenge)), Self { nonce })
    }

    /// Reads the hello. Nothing of it is proven until [`ClaimedHello::verify`].
    pub fn handle_text(self, text: &str) -> Result<ClaimedHello, HandshakeError> {
        let AgentGreeting::Hello(hello) = parse(text)?;
        let version = ProtocolVersion::parse(&hello.protocol)?;
        Ok(ClaimedHello { nonce: self.nonce, version, hello })
    }
}

/// Relay: a hello whose signature is not yet checked.
#[derive(Debug)]
pub struct ClaimedHello {
    nonce: [u8; NONCE_BYTES],
    version: ProtocolVersion,
    hello: Hello,
}

impl ClaimedHello {
    /// Whose key to look up. When there is none: [`HandshakeError::UnknownAgent`]; when it was revoked:
    /// [`HandshakeError::Revoked`].
    pub fn agent_id(&self) -> &AgentId {
        &self.hello.agent_id
    }

    /// Checks the signature with the key from enrolment. `own_hosts` are the names by which agents may dial this relay; a hello
    /// signed for another name was meant for another relay.
    pub fn verify(
        self,
        key: &SigningPublicKey,
        own_hosts: &[String],
    ) -> Result<VerifiedAgent, HandshakeError> {
        self.verify_any(&[*key], own_hosts).map(|(verified, _)| verified)
    }

    /// As [`ClaimedHello::verify`] with several live keys of one agent; tells which of them signed.
    pub fn verify_any(
        self,
        keys: &[SigningPublicKey],
        own_hosts: &[String],
    ) -> Result<(VerifiedAgent, SigningPublicKey), HandshakeError> {
        let dialled = normalise_host(&self.hello.relay_host);
        if !own_hosts.iter().any(|own| normalise_host(own) == dialled) {
            return Err(HandshakeError::WrongHost { dialled });
        }
        let Hello { relay_host, agent_id, ticket, .. } = &self.hello;
        let signed = transcript(&self.nonce, relay_host, agent_id, self.version, ticket.as_ref());
        let signer = keys.iter().find(|key| key.verify(&signed, &self.hello.signature).is_ok()).copied();
        match signer {
            Some(key) => Ok((VerifiedAgent { version: self.version, hello: self.hello }, key)),
            None => Err(HandshakeError::BadSignature { agent_id: self.hello.agent_id }),
        }
    }
}

/// Relay: an agent that has proven who it is.
#[derive(Debug)]
pub struct VerifiedAgent {
    /// The protocol that both sides speak.
    pub version: ProtocolVersion,
    /// What the agent said of itself.
    pub hello: Hello,
}

impl VerifiedAgent {
    /// Whether the agent can do something beyond protocol v1.
    pub fn can(&self, capability: &str) -> bool {
        self.hello.capabilities.iter().any(|named| named == capability)
    }

    /// The welcome to send; a link may start. The same `limits` and `heartbeat_ms` must go into the link's configuration.
    pub fn welcome(&self, welcome: Welcome) -> String {
        to_json(&RelayGreeting::Welcome(welcome))
    }
}

impl Reject {
    /// The message to send.
    pub fn to_text(&self) -> String {
        to_json(&RelayGreeting::Reject(self.clone()))
    }

    /// When the relay wants to be asked again, if it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_ms.map(Duration::from_millis)
    }
}

/// A host name as both sides compare it: from `host`, `host:port` or `[v6]:port`; lower case, without port, brackets and final dot.
pub fn normalise_host(authority: &str) -> String {
    let authority = authority.trim();
    let host = if let Some(bracketed) = authority.strip_prefix('[') {
        bracketed.split(']').next().unwrap_or_default()
    } else if authority.matches(':').count() == 1 {
        authority.split(':').next().unwrap_or_default()
    } else {
        authority
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// What is signed: each part with its length before it, so that no two sets of parts have the same bytes.
fn transcript(
    nonce: &[u8],
    relay_host: &str,
    agent_id: &AgentId,
    version: ProtocolVersion,
    ticket: Option<&Ticket>,
) -> Vec<u8> {
    let ticket = ticket.map(Ticket::to_text);
    let parts = [
        DOMAIN.as_bytes(),
        nonce,
        relay_host.as_bytes(),
        agent_id.as_str().as_bytes(),
        version.subprotocol().as_bytes(),
    ];
    let mut signed = Vec::new();
    for part in parts.into_iter().chain(ticket.as_ref().map(|text| text.as_bytes())) {
        signed.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        signed.extend_from_slice(part);
    }
    signed
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, HandshakeError> {
    if text.len() > HANDSHAKE_BYTES_MAX {
        return Err(HandshakeError::TooLarge { bytes: text.len() });
    }
    serde_json::from_str(text).map_err(|error| HandshakeError::Malformed { reason: json_reason(&error) })
}

fn to_json<T: Serialize>(message: &T) -> String {
    #[expect(
        clippy::expect_used,
        reason = "the greetings hold only texts, numbers and lists of them: JSON can express all of these"
    )]
    serde_json::to_string(message).expect("a greeting is JSON")
}

#[cfg(test)]
mod tests;
