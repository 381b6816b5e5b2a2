//! Enrolment: a one-time token goes in, the agent's public keys are recorded. The token carries a checksum, so that a slip of
//! the hand is told from a token that was used or has expired.

use crate::ids::AgentId;
use crate::keys::{SealingPublicKey, SigningPublicKey};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What every token starts with: kind and version.
const PREFIX: &str = "upl1";
/// Bytes of the secret half.
const TOKEN_BYTES: usize = 32;
/// Bytes of a token that say which relay made it: enough to tell a foreign token, few enough to leave 224 random bits.
const MARK_BYTES: usize = 4;
/// Bytes of the checksum: a slip goes unnoticed once in 2^48.
const CHECK_BYTES: usize = 6;

/// A one-time enrolment token, `upl1.<32 bytes base64url>.<checksum>`. Its Debug form shows nothing.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct EnrolmentToken([u8; TOKEN_BYTES]);

/// Why a text is no enrolment token. No text repeats the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not of the form of a token.
    #[error(
        "this is no enrolment token: it must look like upl1.<43 characters>.<8 characters>; copy the whole line that `uplinkctl uplink create` printed"
    )]
    Malformed,
    /// The form is right, the checksum is not.
    #[error(
        "the enrolment token has a typing error: its checksum does not fit; copy it again, it is not used up"
    )]
    Mistyped,
}

impl TokenError {
    /// A stable code for the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "token_malformed",
            Self::Mistyped => "token_mistyped",
        }
    }
}

impl EnrolmentToken {
    /// The token of 32 random bytes.
    pub fn from_bytes(bytes: [u8; TOKEN_BYTES]) -> Self {
        Self(bytes)
    }

    /// The token of 32 random bytes, marked as made by this relay.
    pub fn for_relay(mut bytes: [u8; TOKEN_BYTES], relay_id: &str) -> Self {
        bytes.iter_mut().zip(mark(relay_id)).for_each(|(byte, mark)| *byte = mark);
        Self(bytes)
    }

    /// Whether the token bears the mark of this relay. One that was made by another does, once in 2^32.
    pub fn is_of_relay(&self, relay_id: &str) -> bool {
        self.0.starts_with(&mark(relay_id))
    }

    /// Reads a token as a person pasted it.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let mut pieces = text.trim().split('.');
        let (prefix, secret, check) = (pieces.next(), pieces.next(), pieces.next());
        if prefix != Some(PREFIX) || pieces.next().is_some() {
            return Err(TokenError::Malformed);
        }
        let (secret, check) = secret.zip(check).ok_or(TokenError::Malformed)?;
        let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if secret.len() != 43 || check.len() != 8 || !is_plain(secret) || !is_plain(check) {
            return Err(TokenError::Malformed);
        }
        let bytes =
            URL_SAFE_NO_PAD.decode(secret).ok().and_then(|bytes| <[u8; TOKEN_BYTES]>::try_from(bytes).ok());
        let token = Self(bytes.ok_or(TokenError::Mistyped)?);
        if token.check() == check { Ok(token) } else { Err(TokenError::Mistyped) }
    }

    /// The text to paste on the premises.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}.{}.{}", URL_SAFE_NO_PAD.encode(self.0), self.check())
    }

    /// What the relay keeps instead of the token: SHA-256, lower-case hex. The token has 256 random bits, so no salt is needed.
    pub fn hash(&self) -> String {
        self.digest(b"uplink enrolment hash v1").as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn check(&self) -> String {
        let hash = self.digest(b"uplink enrolment check v1");
        URL_SAFE_NO_PAD.encode(hash.as_ref().iter().copied().take(CHECK_BYTES).collect::<Vec<_>>())
    }

    fn digest(&self, domain: &[u8]) -> digest::Digest {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(domain);
        hash.update(&self.0);
        hash.finish()
    }
}

fn mark(relay_id: &str) -> [u8; MARK_BYTES] {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(b"uplink enrolment relay v1");
    hash.update(relay_id.as_bytes());
    let mut mark = [0; MARK_BYTES];
    mark.iter_mut().zip(hash.finish().as_ref()).for_each(|(to, from)| *to = *from);
    mark
}

impl fmt::Debug for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentToken(..)")
    }
}

/// What an agent sends to `POST /v1/enrol`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// The token as text; the relay parses it with [`EnrolmentToken::parse`] and answers a failure by its code.
    pub token: String,
    /// The agent's name for people, usually the host name.
    pub name: String,
    /// The agent's version.
    pub version: String,
    /// The key that will sign its handshakes.
    pub signing_key: SigningPublicKey,
    /// The key that secrets are sealed to.
    pub sealing_key: SealingPublicKey,
}

impl fmt::Debug for EnrolRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("EnrolRequest");
        shown.field("name", &self.name).field("version", &self.version);
        shown
            .field("signing_key", &self.signing_key)
            .field("sealing_key", &self.sealing_key)
            .finish_non_exhaustive()
    }
}

/// What the relay answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolAnswer {
    /// The agent's id from now on.
    pub agent_id: AgentId,
    /// The uplink that it serves.
    pub uplink: String,
    /// Names the relay, so that an agent notices when another one answers at the same address.
    pub relay_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "upl1.BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc.";

    fn token() -> EnrolmentToken {
        EnrolmentToken::from_bytes([7; 32])
    }

    #[test]
    fn a_token_is_read_back_with_blanks_around_it() {
        let text = token().to_text();
        assert!(text.starts_with(TEXT), "{text}");
        assert_eq!(EnrolmentToken::parse(&format!("  {text}\n")), Ok(token()));
        assert_eq!(token().hash().len(), 64);
        assert!(!token().hash().contains(text.get(5..20).unwrap()));
    }

    #[test]
    fn a_token_knows_the_relay_that_made_it() {
        let token = EnrolmentToken::for_relay([7; 32], "relay_1");
        let read = EnrolmentToken::parse(&token.to_text()).unwrap();
        assert!(read.is_of_relay("relay_1") && !read.is_of_relay("relay_2"));
        assert_ne!(token.hash(), EnrolmentToken::for_relay([8; 32], "relay_1").hash());
    }

    #[test]
    fn every_single_slip_is_told_from_a_wrong_token() {
        let text = token().to_text();
        for at in 5..text.len() {
            let old = text.as_bytes()[at];
            if old == b'.' {
                continue;
            }
            let mut slip = text.clone().into_bytes();
            slip[at] = if old == b'A' { b'B' } else { b'A' };
            assert_eq!(
                EnrolmentToken::parse(std::str::from_utf8(&slip).unwrap()),
                Err(TokenError::Mistyped),
                "at {at}"
            );
        }
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let whole = token().to_text();
        let cut = whole.get(..whole.len() - 1).unwrap();
        for text in [
            "",
            "upl1",
            "upl1..",
            "upl2.x.y",
            "Bearer abc",
            cut,
            &format!("{whole}.x"),
            &whole.replace('.', " "),
        ] {
            assert_eq!(EnrolmentToken::parse(text), Err(TokenError::Malformed), "{text}");
        }
    }

    #[test]
    fn debug_forms_show_no_token() {
        let request = EnrolRequest {
            token: token().to_text(),
            name: "host".into(),
            version: "0.1.0".into(),
            signing_key: SigningPublicKey([1; 32]),
            sealing_key: SealingPublicKey([2; 32]),
        };
        let shown = format!("{request:?} {:?}", token());
        assert!(!shown.contains("BwcH") && shown.contains("host"), "{shown}");
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<EnrolRequest>(&json).unwrap(), request);
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_an_error(text in ".{0,80}", bytes in any::<[u8; 32]>()) {
            prop_assert!(EnrolmentToken::parse(&text).is_err());
            let token = EnrolmentToken::from_bytes(bytes);
            prop_assert_eq!(EnrolmentToken::parse(&token.to_text()), Ok(token));
        }
    }
}
