//! The keys of an agent. It has two pairs: Ed25519 to prove who it is, X25519 to receive sealed secrets. Both come from seeds
//! of 32 random bytes that the caller draws and keeps; the private halves never leave the agent.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bytes of a seed and of a public key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Why a text is no key, signature or fingerprint, or a signature is not good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not base64, or not of the right length.
    #[error("the {what} must be {bytes} bytes in base64")]
    Encoding {
        /// `signing key`, `sealing key` or `signature`.
        what: &'static str,
        /// The right length.
        bytes: usize,
    },
    /// Not eight groups of four hexadecimal digits.
    #[error("a fingerprint is eight groups of four hexadecimal digits, such as 0a1b-2c3d-...")]
    Fingerprint,
    /// The library refused the seed.
    #[error("the seed makes no signing key")]
    Seed,
    /// The signature was not made by this key over these bytes.
    #[error("the signature was not made by this key over this challenge")]
    Signature,
}

/// The private signing key of an agent.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// The key of 32 random bytes.
    pub fn from_seed(seed: &[u8; KEY_BYTES]) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|_| KeyError::Seed)
    }

    /// The public half.
    pub fn public(&self) -> SigningPublicKey {
        let mut bytes = [0; KEY_BYTES];
        // An Ed25519 public key has KEY_BYTES bytes, so every byte is replaced.
        bytes.iter_mut().zip(self.0.public_key().as_ref()).for_each(|(to, from)| *to = *from);
        SigningPublicKey(bytes)
    }

    /// Signs the transcript of a handshake.
    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).as_ref().to_vec())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

/// A signature over the transcript of a handshake; base64 on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signature(Vec<u8>);

impl TryFrom<String> for Signature {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        decode::<SIGNATURE_BYTES>(&text, "signature").map(|bytes| Self(bytes.to_vec()))
    }
}

impl From<Signature> for String {
    fn from(signature: Signature) -> Self {
        STANDARD.encode(signature.0)
    }
}

macro_rules! public_key {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; KEY_BYTES]);

        impl $name {
            /// Reads the base64 form.
            pub fn parse(text: &str) -> Result<Self, KeyError> {
                decode::<KEY_BYTES>(text.trim(), $what).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&STANDARD.encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = KeyError;

            fn try_from(text: String) -> Result<Self, KeyError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> Self {
                key.to_string()
            }
        }
    };
}

public_key! {
    /// The public key that proves who an agent is (Ed25519); base64 on the wire.
    SigningPublicKey, "signing key"
}
public_key! {
    /// The public key that secrets are sealed to (X25519); base64 on the wire.
    SealingPublicKey, "sealing key"
}

impl SigningPublicKey {
    /// Checks a signature over the transcript of a handshake.
    pub(crate) fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), KeyError> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, &signature.0)
            .map_err(|_| KeyError::Signature)
    }
}

fn decode<const N: usize>(text: &str, what: &'static str) -> Result<[u8; N], KeyError> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; N]>::try_from(bytes).ok());
    bytes.ok_or(KeyError::Encoding { what, bytes: N })
}

/// Both public keys of an agent in 39 characters that two people can compare over the telephone: the first 16 bytes of
/// SHA-256 over signing key and sealing key, as eight groups of four hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of an agent.
    pub fn of(signing: &SigningPublicKey, sealing: &SealingPublicKey) -> Self {
        let hash = digest::digest(&digest::SHA256, &[signing.0, sealing.0].concat());
        let groups = hash
            .as_ref()
            .chunks(2)
            .take(8)
            .map(|pair| pair.iter().map(|b| format!("{b:02x}")).collect::<String>());
        Self(groups.collect::<Vec<_>>().join("-"))
    }

    /// Reads what a person typed; upper case and surrounding blanks are accepted.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim().to_ascii_lowercase();
        let mut groups = 0;
        for group in text.split('-') {
            groups += 1;
            if group.len() != 4 || !group.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(KeyError::Fingerprint);
            }
        }
        if groups == 8 { Ok(Self(text)) } else { Err(KeyError::Fingerprint) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::parse(&text)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signing_key_is_that_of_rfc_8032() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let seed: Vec<u8> =
            (0..32).map(|n| u8::from_str_radix(seed.get(2 * n..2 * n + 2).unwrap(), 16).unwrap()).collect();
        let key = SigningKey::from_seed(&seed.try_into().unwrap()).unwrap();
        assert_eq!(key.public().to_string(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        let signature = String::from(key.sign(b""));
        assert!(signature.starts_with("5VZDAMNgrHKQhuLMgG6CioSHfx64"), "{signature}");
    }

    #[test]
    fn a_signature_holds_for_its_key_and_message_only() {
        let (ours, other) =
            (SigningKey::from_seed(&[1; 32]).unwrap(), SigningKey::from_seed(&[2; 32]).unwrap());
        let signature = ours.sign(b"message");
        assert_eq!(ours.public().verify(b"message", &signature), Ok(()));
        assert_eq!(ours.public().verify(b"massage", &signature), Err(KeyError::Signature));
        assert_eq!(other.public().verify(b"message", &signature), Err(KeyError::Signature));
    }

    #[test]
    fn keys_and_fingerprints_are_read_back_and_nonsense_is_refused() {
        let (signing, sealing) = (SigningPublicKey([3; 32]), SealingPublicKey([4; 32]));
        assert_eq!(SigningPublicKey::parse(&signing.to_string()), Ok(signing));
        assert_eq!(SealingPublicKey::parse(&format!(" {sealing}\n")), Ok(sealing));
        assert!(SealingPublicKey::parse("AAAA").is_err());
        assert!(SealingPublicKey::parse("!").is_err());
        let fingerprint = Fingerprint::of(&signing, &sealing);
        assert_eq!(fingerprint.as_str().len(), 39);
        assert_eq!(Fingerprint::parse(&fingerprint.as_str().to_uppercase()), Ok(fingerprint.clone()));
        assert_ne!(Fingerprint::of(&SigningPublicKey([4; 32]), &SealingPublicKey([3; 32])), fingerprint);
        for text in [
            "",
            "0a1b",
            "0a1b-2c3d-0a1b-2c3d-0a1b-2c3d-0a1b-2c3g",
            "0a1b-2c3d-0a1b-2c3d-0a1b-2c3d-0a1b-2c3d-0000",
        ] {
            assert_eq!(Fingerprint::parse(text), Err(KeyError::Fingerprint), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_private_half() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.public()));
    }
}
