//! A secret of Jira sealed to one agent: what the relay stores and carries without being able to read it. HPKE (RFC 9180), base
//! mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The associated data binds a sealed secret to its agent, site and
//! account: put beside another site or username it does not open, so a relay cannot have a password sent to a host it chose.

use crate::keys::{Fingerprint, KEY_BYTES, SealingPublicKey};
use crate::limits::SECRET_BYTES_MAX;
use crate::site::SiteAddress;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal_with_rng,
};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::fmt;
use zeroize::Zeroizing;

/// Separates these sealed secrets from every other use of HPKE.
const INFO: &[u8] = b"uplink secret v1";
/// Bytes of an encapsulated key.
const ENCAPPED_BYTES: usize = 32;
/// Bytes of the authentication tag.
const TAG_BYTES: usize = 16;

/// Why a secret could not be sealed or opened. No text holds any part of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Empty or too long.
    #[error("a secret has 1 to {SECRET_BYTES_MAX} bytes, this one has {0}")]
    Length(usize),
    /// The agent's public key is no point that a secret can be sealed to.
    #[error("the sealing key of agent {0} is not usable; enrol that agent again")]
    Recipient(Fingerprint),
    /// Sealed to other keys.
    #[error(
        "the secret is sealed for agent {sealed_for}, this is agent {own}; store the connection's secret again so that it is sealed for this agent"
    )]
    OtherAgent {
        /// The agent that it is sealed for.
        sealed_for: Fingerprint,
        /// The agent that tried.
        own: Fingerprint,
    },
    /// Not base64 or too short.
    #[error("the sealed secret is damaged; store the connection's secret again")]
    Malformed,
    /// The authentication failed: other site, other username, other key or changed bytes.
    #[error(
        "the sealed secret does not open for site {site} and username `{username}`: it was sealed for another site, username or key, or was changed on its way; store the connection's secret again"
    )]
    Refused {
        /// The site that was tried.
        site: SiteAddress,
        /// The username that was tried.
        username: String,
    },
    /// Opened, but no text.
    #[error("the opened secret is not UTF-8 text; store the connection's secret again")]
    NotText,
}

impl SealError {
    /// A stable code for the run's failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Length(_) => "secret_length",
            Self::Recipient(_) => "sealing_key_unusable",
            Self::OtherAgent { .. } => "secret_for_other_agent",
            Self::Malformed => "secret_damaged",
            Self::Refused { .. } => "secret_refused",
            Self::NotText => "secret_not_text",
        }
    }
}

/// A secret sealed to one agent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// The agent that can open it.
    pub agent: Fingerprint,
    /// Encapsulated key and ciphertext, base64.
    pub sealed: String,
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSecret {{ agent: {}, .. }}", self.agent)
    }
}

/// What a sealed secret is bound to. Sealing and opening must name the same.
#[derive(Clone, Copy, Debug)]
pub struct SealContext<'a> {
    /// The agent that opens it.
    pub agent: &'a Fingerprint,
    /// The Jira that it is for.
    pub site: &'a SiteAddress,
    /// The account that it is for; empty for a personal access token.
    pub username: &'a str,
}

impl SealContext<'_> {
    /// Each part with its length before it, so that no two contexts have the same bytes.
    fn associated_data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for part in [self.agent.as_str(), self.site.as_str(), self.username] {
            data.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

/// Seals `secret` to an agent's public key. `randomness` must be 32 bytes fresh from the operating system, never used again:
/// two secrets sealed with the same bytes betray both.
pub fn seal(
    secret: &str,
    recipient: &SealingPublicKey,
    context: SealContext<'_>,
    randomness: &[u8; KEY_BYTES],
) -> Result<SealedSecret, SealError> {
    if secret.is_empty() || secret.len() > SECRET_BYTES_MAX {
        return Err(SealError::Length(secret.len()));
    }
    let unusable = || SealError::Recipient(context.agent.clone());
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&recipient.0).map_err(|_| unusable())?;
    let mut rng = SeededRng { seed: Zeroizing::new(*randomness), block: 0 };
    let (encapped, ciphertext) = single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        INFO,
        secret.as_bytes(),
        &context.associated_data(),
        &mut rng,
    )
    .map_err(|_| unusable())?;
    let mut wire = encapped.to_bytes().to_vec();
    wire.extend_from_slice(&ciphertext);
    Ok(SealedSecret { agent: context.agent.clone(), sealed: STANDARD.encode(wire) })
}

/// The private key of an agent that opens sealed secrets.
pub struct SealingKey(<X25519HkdfSha256 as Kem>::PrivateKey, SealingPublicKey);

impl SealingKey {
    /// The key of 32 random bytes (RFC 9180, DeriveKeyPair).
    pub fn from_seed(seed: &[u8; KEY_BYTES]) -> Self {
        let (private, public) = X25519HkdfSha256::derive_keypair(seed);
        Self(private, SealingPublicKey(public.to_bytes().into()))
    }

    /// The public half.
    pub fn public(&self) -> SealingPublicKey {
        self.1
    }

    /// Opens a secret that was sealed for this key and context; the text is wiped from memory when dropped.
    pub fn open(
        &self,
        secret: &SealedSecret,
        context: SealContext<'_>,
    ) -> Result<Zeroizing<String>, SealError> {
        if secret.agent != *context.agent {
            return Err(SealError::OtherAgent {
                sealed_for: secret.agent.clone(),
                own: context.agent.clone(),
            });
        }
        let longest = (ENCAPPED_BYTES + SECRET_BYTES_MAX + TAG_BYTES).div_ceil(3) * 4;
        let wire = Some(&secret.sealed)
            .filter(|text| text.len() <= longest)
            .and_then(|text| STANDARD.decode(text).ok());
        let wire = wire.ok_or(SealError::Malformed)?;
        let (encapped, ciphertext) = wire.split_at_checked(ENCAPPED_BYTES).ok_or(SealError::Malformed)?;
        let encapped =
            <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapped).map_err(|_| SealError::Malformed)?;
        let opened = single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.0,
            &encapped,
            INFO,
            ciphertext,
            &context.associated_data(),
        );
        let refused =
            |_| SealError::Refused { site: context.site.clone(), username: context.username.to_owned() };
        let bytes = Zeroizing::new(opened.map_err(refused)?);
        std::str::from_utf8(&bytes)
            .map(|text| Zeroizing::new(text.to_owned()))
            .map_err(|_| SealError::NotText)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.1)
    }
}

/// The random bytes that HPKE asks for, stretched from the caller's 32: SHA-256 over domain, seed and a counter.
struct SeededRng {
    seed: Zeroizing<[u8; KEY_BYTES]>,
    block: u64,
}

impl TryRng for SeededRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for piece in target.chunks_mut(digest::SHA256_OUTPUT_LEN) {
            let mut hash = digest::Context::new(&digest::SHA256);
            hash.update(b"uplink seal randomness v1");
            hash.update(self.seed.as_slice());
            hash.update(&self.block.to_be_bytes());
            self.block += 1;
            piece.iter_mut().zip(hash.finish().as_ref()).for_each(|(to, from)| *to = *from);
        }
        Ok(())
    }
}

impl TryCryptoRng for SeededRng {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningPublicKey;

    const PASSWORD: &str = "Pa55wörd-canary";

    struct Agent {
        key: SealingKey,
        fingerprint: Fingerprint,
    }

    fn agent(seed: u8) -> Agent {
        let key = SealingKey::from_seed(&[seed; 32]);
        let fingerprint = Fingerprint::of(&SigningPublicKey([seed; 32]), &key.public());
        Agent { key, fingerprint }
    }

    fn site(text: &str) -> SiteAddress {
        SiteAddress::parse(text).unwrap()
    }

    fn seal_for(agent: &Agent, randomness: u8) -> SealedSecret {
        let site = site("https://jira.corp.example/jira");
        let context = SealContext { agent: &agent.fingerprint, site: &site, username: "reader" };
        seal(PASSWORD, &agent.key.public(), context, &[randomness; 32]).unwrap()
    }

    fn open(
        agent: &Agent,
        secret: &SealedSecret,
        address: &str,
        username: &str,
    ) -> Result<String, SealError> {
        let context = SealContext { agent: &agent.fingerprint, site: &site(address), username };
        agent.key.open(secret, context).map(|text| text.to_string())
    }

    #[test]
    fn a_sealed_secret_opens_for_its_agent_site_and_username() {
        let agent = agent(1);
        let secret = seal_for(&agent, 9);
        let json = serde_json::to_string(&secret).unwrap();
        assert_eq!(serde_json::from_str::<SealedSecret>(&json).unwrap(), secret);
        assert_eq!(
            open(&agent, &secret, "https://JIRA.corp.example:443/jira/", "reader"),
            Ok(PASSWORD.to_owned())
        );
    }

    #[test]
    fn another_site_or_username_or_key_does_not_open_it() {
        let (ours, other) = (agent(1), agent(2));
        let secret = seal_for(&ours, 9);
        let refused = |site_text: &str, username: &str| SealError::Refused {
            site: site(site_text),
            username: username.into(),
        };
        let own_site = "https://jira.corp.example/jira";
        assert_eq!(
            open(&ours, &secret, "https://evil.example", "reader"),
            Err(refused("https://evil.example", "reader"))
        );
        assert_eq!(open(&ours, &secret, own_site, "admin"), Err(refused(own_site, "admin")));
        assert_eq!(open(&other, &secret, own_site, "reader").unwrap_err().code(), "secret_for_other_agent");
        let relabelled = SealedSecret { agent: other.fingerprint.clone(), ..secret };
        assert_eq!(open(&other, &relabelled, own_site, "reader"), Err(refused(own_site, "reader")));
    }

    #[test]
    fn parts_of_the_context_cannot_be_shifted_into_each_other() {
        let fingerprint = agent(1).fingerprint;
        let site = site("https://jira.example");
        let one = SealContext { agent: &fingerprint, site: &site, username: "ab" }.associated_data();
        let two = SealContext {
            agent: &fingerprint,
            site: &SiteAddress::parse("https://jira.exampleab").unwrap(),
            username: "",
        };
        assert_ne!(one, two.associated_data());
    }

    #[test]
    fn damaged_sealed_secrets_are_named_errors() {
        let agent = agent(1);
        let secret = seal_for(&agent, 9);
        for text in ["", "!!", "AAAA", &"A".repeat(1 << 20)] {
            let damaged = SealedSecret { sealed: text.to_owned(), ..secret.clone() };
            assert_eq!(
                open(&agent, &damaged, "https://jira.corp.example/jira", "reader"),
                Err(SealError::Malformed)
            );
        }
        let mut wire = STANDARD.decode(&secret.sealed).unwrap();
        for at in 0..wire.len() {
            wire[at] ^= 1;
            let changed = SealedSecret { sealed: STANDARD.encode(&wire), ..secret.clone() };
            assert!(open(&agent, &changed, "https://jira.corp.example/jira", "reader").is_err(), "byte {at}");
            wire[at] ^= 1;
        }
    }

    #[test]
    fn fresh_randomness_gives_fresh_bytes_and_no_text_shows_the_secret() {
        let agent = agent(1);
        let (one, two) = (seal_for(&agent, 9), seal_for(&agent, 10));
        assert_ne!(one.sealed, two.sealed);
        let shown = format!("{one:?} {:?}", agent.key);
        assert!(!shown.contains(PASSWORD) && !shown.contains(&one.sealed), "{shown}");
        assert_eq!(STANDARD.decode(&one.sealed).unwrap().len(), ENCAPPED_BYTES + PASSWORD.len() + TAG_BYTES);
    }

    #[test]
    fn empty_and_huge_secrets_are_refused() {
        let agent = agent(1);
        let site = site("https://jira.example");
        let context = SealContext { agent: &agent.fingerprint, site: &site, username: "reader" };
        for length in [0, SECRET_BYTES_MAX + 1] {
            let sealed = seal(&"x".repeat(length), &agent.key.public(), context, &[0; 32]);
            assert_eq!(sealed, Err(SealError::Length(length)));
        }
        let zero = seal("secret", &SealingPublicKey([0; 32]), context, &[0; 32]);
        assert_eq!(zero, Err(SealError::Recipient(agent.fingerprint.clone())));
    }
}
