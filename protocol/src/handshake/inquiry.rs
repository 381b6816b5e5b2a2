//! Looking at a relay without becoming a session.

use super::{Challenge, HandshakeError, NONCE_BYTES, ProtocolVersion, RelayGreeting, STANDARD, parse};
use base64::Engine;

impl Challenge {
    /// Reads the relay's first message, for an agent that only wants to know whether a relay is there and answers nothing.
    ///
    /// # Errors
    /// When it is a refusal, or no challenge of a protocol that this side speaks.
    pub fn read(text: &str) -> Result<Self, HandshakeError> {
        let challenge = match parse::<RelayGreeting>(text)? {
            RelayGreeting::Challenge(challenge) => challenge,
            RelayGreeting::Reject(reject) => return Err(HandshakeError::Rejected(reject)),
            _ => return Err(HandshakeError::OutOfOrder { expected: "challenge", got: "welcome" }),
        };
        ProtocolVersion::parse(&challenge.protocol)?;
        match STANDARD.decode(&challenge.nonce) {
            Ok(nonce) if nonce.len() == NONCE_BYTES => Ok(challenge),
            Ok(_) | Err(_) => {
                Err(HandshakeError::Malformed { reason: "the nonce must be 32 bytes in base64".into() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ExpectHello, Reject, RejectCode};
    use super::*;

    #[test]
    fn a_relays_challenge_is_read_and_tells_its_time() {
        let (text, _) = ExpectHello::begin([7; NONCE_BYTES], 1_700_000_000_000);
        assert_eq!(Challenge::read(&text).unwrap().relay_time_ms, 1_700_000_000_000);
    }

    #[test]
    fn what_only_looks_like_a_challenge_is_none() {
        let refusal = Reject {
            code: RejectCode::Busy,
            message: "full".into(),
            hint: "wait".into(),
            retry_after_ms: None,
        };
        assert!(matches!(Challenge::read(&refusal.to_text()), Err(HandshakeError::Rejected(_))));
        for text in [
            "hello",
            "{}",
            r#"{"type":"challenge"}"#,
            r#"{"type":"challenge","nonce":"AAAA","protocol":"uplink.v1","relay_time_ms":0}"#,
            r#"{"type":"challenge","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","protocol":"chat","relay_time_ms":0}"#,
        ] {
            assert!(Challenge::read(text).is_err(), "{text}");
        }
    }
}
