//! Who this agent is: two keys that are made here once and never leave, and what the relay said at enrolment.
//!
//! `identity.json` is the whole identity. `identity.pending.json` holds the keys of an enrolment whose answer has not arrived, so
//! that trying again presents the same keys and a working identity is only replaced by another working one.

use crate::error::Error;
use crate::paths::Paths;
use crate::private_file::{self, Durability};
use protocol::ids::AgentId;
use protocol::keys::{Fingerprint, SigningKey};
use protocol::seal::SealingKey;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// The seeds of the agent's two key pairs.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Seeds {
    #[serde(with = "seed_text")]
    signing: Zeroizing<[u8; 32]>,
    #[serde(with = "seed_text")]
    sealing: Zeroizing<[u8; 32]>,
}

/// What the relay said at enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Enrolment {
    /// The relay's address, as it is dialled.
    pub(crate) relay: String,
    /// The relay's own id.
    pub(crate) relay_id: String,
    /// The agent's id there.
    pub(crate) agent_id: AgentId,
    /// The uplink that it serves.
    pub(crate) uplink: String,
    /// The agent's name on the relay's side.
    pub(crate) name: String,
    /// SHA-256 of the token that was used, hex: the same command given twice is then known as such.
    pub(crate) token_digest: String,
    /// Whether only the authority in `relay-ca.pem` is trusted for the relay.
    pub(crate) own_authority: bool,
}

/// An enrolled agent.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) seeds: Seeds,
    pub(crate) enrolment: Enrolment,
}

/// Keys that wait for an answer of one relay.
#[derive(Clone, Serialize, Deserialize)]
struct Pending {
    seeds: Seeds,
    relay: String,
}

impl fmt::Debug for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seeds(..)")
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("enrolment", &self.enrolment).finish_non_exhaustive()
    }
}

impl Seeds {
    fn draw() -> Result<Self, Error> {
        let mut seeds = Self { signing: Zeroizing::new([0; 32]), sealing: Zeroizing::new([0; 32]) };
        for seed in [&mut seeds.signing, &mut seeds.sealing] {
            aws_lc_rs::rand::fill(seed.as_mut()).map_err(|_| Error::System {
                action: "draw random numbers for a key",
                reason: "the system has none".to_owned(),
            })?;
        }
        Ok(seeds)
    }

    /// The key that signs the handshake.
    ///
    /// # Errors
    /// When the seed makes no key.
    pub(crate) fn signing_key(&self) -> Result<SigningKey, Error> {
        SigningKey::from_seed(&self.signing).map_err(|error| Error::System {
            action: "use the agent's signing key",
            reason: error.to_string(),
        })
    }

    /// The key that opens sealed secrets.
    pub(crate) fn sealing_key(&self) -> SealingKey {
        SealingKey::from_seed(&self.sealing)
    }

    /// The short text by which people compare keys.
    pub(crate) fn fingerprint(&self) -> Result<Fingerprint, Error> {
        Ok(Fingerprint::of(&self.signing_key()?.public(), &self.sealing_key().public()))
    }
}

impl Identity {
    /// The identity of this state folder; `None` before enrolment.
    ///
    /// # Errors
    /// When others can read the file, or it is damaged.
    pub(crate) fn load(paths: &Paths) -> Result<Option<Self>, Error> {
        read_json(&paths.identity())
    }

    /// The identity of this state folder.
    ///
    /// # Errors
    /// As [`Identity::load`], and before enrolment.
    pub(crate) fn require(paths: &Paths) -> Result<Self, Error> {
        Self::load(paths)?.ok_or_else(|| Error::NotEnrolled { state: paths.state.clone() })
    }

    /// Makes this the identity of the state folder and forgets the pending keys.
    pub(crate) fn store(&self, paths: &Paths) -> Result<(), Error> {
        write_json(&paths.identity(), self)?;
        private_file::remove_if_there(&paths.pending())
    }
}

/// The keys to enrol with at `relay`: those of an attempt without an answer if there was one, new ones otherwise. They are on disk
/// before anybody sees their public half.
pub(crate) fn pending_seeds(paths: &Paths, relay: &str) -> Result<Seeds, Error> {
    if let Some(pending) = read_json::<Pending>(&paths.pending())?
        && pending.relay == relay
    {
        return Ok(pending.seeds);
    }
    let pending = Pending { seeds: Seeds::draw()?, relay: relay.to_owned() };
    write_json(&paths.pending(), &pending)?;
    Ok(pending.seeds)
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, Error> {
    let Some(bytes) = private_file::read(path)?.map(Zeroizing::new) else { return Ok(None) };
    // Only the position: the text of a parser's message could repeat a piece of a key.
    let damaged = |error: serde_json::Error| Error::IdentityDamaged {
        path: path.to_owned(),
        reason: format!("line {}, column {}", error.line(), error.column()),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::System { action: "write the identity", reason: error.to_string() })?;
    private_file::write(path, &Zeroizing::new(text), Durability::Synced)
}

mod seed_text {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(
        seed: &Zeroizing<[u8; 32]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(seed.as_ref())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Zeroizing<[u8; 32]>, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = Zeroizing::new(
            STANDARD.decode(text.as_bytes()).map_err(|_| D::Error::custom("a key is not base64"))?,
        );
        <[u8; 32]>::try_from(bytes.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| D::Error::custom("a key has the wrong length"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::paths::ConfigFile;

    pub(crate) fn paths_in(folder: &Path) -> Paths {
        Paths { state: folder.to_owned(), config: ConfigFile::Standard(folder.join("agent.toml")) }
    }

    pub(crate) fn identity() -> Identity {
        let enrolment = Enrolment {
            relay: "https://relay.example.com".to_owned(),
            relay_id: "relay_1".to_owned(),
            agent_id: AgentId::from("agent_1"),
            uplink: "hq".to_owned(),
            name: "host".to_owned(),
            token_digest: String::new(),
            own_authority: false,
        };
        Identity { seeds: Seeds::draw().unwrap(), enrolment }
    }

    #[test]
    fn an_enrolment_tried_again_presents_the_same_keys() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let first = pending_seeds(&paths, "https://a").unwrap();
        let again = pending_seeds(&paths, "https://a").unwrap();
        let elsewhere = pending_seeds(&paths, "https://b").unwrap();
        assert_eq!(first.signing, again.signing);
        assert_eq!(first.sealing, again.sealing);
        assert_ne!(first.signing, elsewhere.signing, "one key pair at two relays");
    }

    #[test]
    fn a_stored_identity_comes_back_and_ends_the_pending_one() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        pending_seeds(&paths, "https://a").unwrap();
        let made = identity();
        made.store(&paths).unwrap();
        let loaded = Identity::require(&paths).unwrap();
        assert_eq!(loaded.enrolment, made.enrolment);
        assert_eq!(loaded.seeds.fingerprint().unwrap(), made.seeds.fingerprint().unwrap());
        assert!(!paths.pending().exists());
    }

    #[test]
    fn a_damaged_identity_is_named_without_its_keys() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        private_file::write(
            &paths.identity(),
            br#"{"seeds":{"signing":"c2VjcmV0","sealing":"c2VjcmV0"}}"#,
            Durability::Synced,
        )
        .unwrap();
        let message = Identity::load(&paths).unwrap_err().to_string();
        assert!(message.contains("identity.json") && message.contains("enroll --force"), "{message}");
        assert!(!message.contains("c2VjcmV0"), "{message}");
    }

    #[test]
    fn keys_do_not_show_in_debug_output() {
        let made = identity();
        let text = format!("{made:?}");
        assert!(!text.contains("signing") && text.contains("agent_1"), "{text}");
    }
}
