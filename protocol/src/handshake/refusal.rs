//! Why a handshake failed, on either side, and the `reject` that the relay answers with.

use super::{AgentId, Duration, HANDSHAKE_BYTES_MAX, ProtocolVersion, Reject, RejectCode, UnknownProtocol};

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Agent: the relay said no.
    #[error("the relay refused this agent ({}): {}; {}", .0.code.as_str(), .0.message, .0.hint)]
    Rejected(Reject),
    /// Both: no common version.
    #[error(transparent)]
    UnknownProtocol(#[from] UnknownProtocol),
    /// Both: a message above the bound.
    #[error(
        "a handshake message of {bytes} bytes is above the bound of {HANDSHAKE_BYTES_MAX}; the peer is no Uplink of this version"
    )]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Both: a message that is no JSON, or lacks what it needs.
    #[error(
        "a handshake message cannot be read ({reason}); the peer is no Uplink of this version, or a proxy changes the link"
    )]
    Malformed {
        /// The parser's words.
        reason: String,
    },
    /// Agent: the relay's messages come in the wrong order.
    #[error("the relay sent `{got}` where `{expected}` was due; update the relay")]
    OutOfOrder {
        /// What was due.
        expected: &'static str,
        /// What came.
        got: &'static str,
    },
    /// Relay: no such agent.
    #[error("no agent with id {agent_id} is enrolled here")]
    UnknownAgent {
        /// The claimed id.
        agent_id: AgentId,
    },
    /// Relay: its key was revoked.
    #[error("the key of agent {agent_id} was revoked")]
    Revoked {
        /// The agent.
        agent_id: AgentId,
    },
    /// Relay: two machines hold the identity.
    #[error("the identity of agent {agent_id} is held by two machines, so both are stopped")]
    Cloned {
        /// The agent.
        agent_id: AgentId,
    },
    /// Relay: the signature is not good.
    #[error("agent {agent_id} did not prove its key: the signature does not fit this challenge")]
    BadSignature {
        /// The claimed id.
        agent_id: AgentId,
    },
    /// Relay: signed for another relay.
    #[error("the agent dialled `{dialled}`, which is no name of this relay")]
    WrongHost {
        /// The name that the agent dialled, normalised.
        dialled: String,
    },
    /// Relay: no hello in time.
    #[error("no hello came within {0:?}")]
    TooSlow(Duration),
    /// Relay: no room.
    #[error("the relay has as many sessions as it can hold")]
    Busy {
        /// When to ask again.
        retry_after: Duration,
    },
    /// Relay: about to stop.
    #[error("the relay is about to stop")]
    Draining {
        /// When to ask again.
        retry_after: Duration,
    },
}

impl HandshakeError {
    /// The code of the refusal.
    pub fn code(&self) -> RejectCode {
        match self {
            Self::Rejected(reject) => reject.code,
            Self::UnknownProtocol(_) => RejectCode::UnknownProtocol,
            Self::TooLarge { .. } | Self::Malformed { .. } | Self::OutOfOrder { .. } => {
                RejectCode::MalformedHello
            }
            Self::UnknownAgent { .. } => RejectCode::UnknownAgent,
            Self::Revoked { .. } => RejectCode::Revoked,
            Self::Cloned { .. } => RejectCode::Cloned,
            Self::BadSignature { .. } => RejectCode::BadSignature,
            Self::WrongHost { .. } => RejectCode::WrongHost,
            Self::TooSlow(_) => RejectCode::TooSlow,
            Self::Busy { .. } => RejectCode::Busy,
            Self::Draining { .. } => RejectCode::Draining,
        }
    }

    /// What the relay answers before it closes with [`crate::error::CloseCode::Rejected`].
    pub fn reject(&self) -> Reject {
        if let Self::Rejected(reject) = self {
            return reject.clone();
        }
        let retry_after = match self {
            Self::Busy { retry_after } | Self::Draining { retry_after } => {
                u64::try_from(retry_after.as_millis()).ok()
            }
            _ => None,
        };
        Reject {
            code: self.code(),
            message: self.to_string(),
            hint: self.hint(),
            retry_after_ms: retry_after,
        }
    }

    /// What to do next, for a person on the agent's side.
    fn hint(&self) -> String {
        match self.code() {
            RejectCode::UnknownProtocol => format!("this relay speaks {}: install an agent that does", ProtocolVersion::supported()),
            RejectCode::UnknownAgent => "check the relay's address, or enrol again with `uplink-agent enroll` and a new token".into(),
            RejectCode::Revoked => "if that was not meant, enrol again with `uplink-agent enroll` and a new token".into(),
            RejectCode::Cloned => {
                "find the copy of this agent's state folder (a cloned machine, a restored backup) and remove it; then, on the machine that stays, run `uplink-agent enroll --force` with a new token, or have the relay's administrator run `uplinkctl uplink agent trust UPLINK AGENT`".into()
            }
            RejectCode::BadSignature => {
                "the state directory holds other keys than those enrolled: restore it, or enrol again with a new token".into()
            }
            RejectCode::WrongHost => "dial the relay by a name it knows, or add this name to the names of the relay".into(),
            RejectCode::MalformedHello => "install an agent of the relay's version, and let no proxy change the link".into(),
            RejectCode::TooSlow => "check the line and the load of the agent's machine; it tries again by itself".into(),
            RejectCode::Busy | RejectCode::Draining | RejectCode::Other => "nothing to do: the agent tries again by itself".into(),
        }
    }
}
