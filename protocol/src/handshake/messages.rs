//! The messages of the handshake as they travel.

use super::{AgentId, Deserialize, LinkLimits, Serialize, Signature, Ticket};

/// What a relay says before the link.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum RelayGreeting {
    Challenge(Challenge),
    Welcome(Welcome),
    Reject(Reject),
}

/// What an agent says before the link.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum AgentGreeting {
    Hello(Hello),
}

/// Prove who you are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// 32 random bytes, base64.
    pub nonce: String,
    /// The protocol that the relay speaks on this socket.
    pub protocol: String,
    /// The relay's clock, UTC milliseconds since 1970.
    pub relay_time_ms: i64,
    /// What the relay can do beyond protocol v1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// The proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Who.
    pub agent_id: AgentId,
    /// The agent's version.
    pub version: String,
    /// The protocol that the agent speaks on this socket.
    pub protocol: String,
    /// What the agent can do beyond protocol v1.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Random text of this start of the process.
    pub boot_id: String,
    /// The relay's host as the agent dialled it, normalised.
    pub relay_host: String,
    /// The authority of a proxy on the way that decrypts the link, if there is one and the premises permit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inspected_by: Option<String>,
    /// The ticket that the agent holds, if the relay takes tickets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// Over the transcript.
    pub signature: Signature,
}

/// Come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Counts up with each session of the agent; the newest one wins.
    pub session: u64,
    /// A beat is due this often, milliseconds.
    pub heartbeat_ms: u64,
    /// After a good session, dial again at a random time within this many milliseconds.
    pub reconnect_spread_ms: u64,
    /// The bounds of the link.
    pub limits: LinkLimits,
    /// The relay's version.
    pub relay_version: String,
}

/// Stay out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Stable code.
    pub code: RejectCode,
    /// What was refused and why.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// When to ask again, milliseconds from now; `None` leaves it to the back-off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Why an agent is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectCode {
    /// No protocol version is spoken by both sides.
    UnknownProtocol,
    /// No agent with this id is enrolled.
    UnknownAgent,
    /// The agent's key was revoked.
    Revoked,
    /// Two machines hold this identity; both are stopped.
    Cloned,
    /// The signature is not good.
    BadSignature,
    /// The agent dialled a name that is not this relay's.
    WrongHost,
    /// The hello could not be read.
    MalformedHello,
    /// The hello did not come in time.
    TooSlow,
    /// The relay takes no further sessions now.
    Busy,
    /// The relay is about to stop.
    Draining,
    /// A code of a newer relay.
    #[serde(other)]
    Other,
}

impl RejectCode {
    /// Whether trying again without a change by a person can never help; the agent then tries rarely and says so loudly.
    pub fn is_permanent(self) -> bool {
        match self {
            Self::UnknownProtocol
            | Self::UnknownAgent
            | Self::Revoked
            | Self::Cloned
            | Self::BadSignature
            | Self::WrongHost
            | Self::MalformedHello => true,
            Self::TooSlow | Self::Busy | Self::Draining | Self::Other => false,
        }
    }

    /// The text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownProtocol => "unknown_protocol",
            Self::UnknownAgent => "unknown_agent",
            Self::Revoked => "revoked",
            Self::Cloned => "cloned",
            Self::BadSignature => "bad_signature",
            Self::WrongHost => "wrong_host",
            Self::MalformedHello => "malformed_hello",
            Self::TooSlow => "too_slow",
            Self::Busy => "busy",
            Self::Draining => "draining",
            Self::Other => "other",
        }
    }
}
