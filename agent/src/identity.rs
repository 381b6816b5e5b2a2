//! Who this agent is: two keys that are made here once and never leave, and what the relay said at enrolment.
//!
//! `identity.json` is the whole identity. `identity.pending.json` holds the keys of an enrolment whose answer has not arrived, so
//! that trying again presents the same keys and a working identity is only replaced by another working one. `identity.next.json`
//! holds the keys of a change that the relay does not know yet, or knows beside the old ones: they are on disk before it hears of
//! them, and become the identity in one step.

use crate::clock;
use crate::error::Error;
use crate::paths::Paths;
use crate::private_file::{self, Durability};
use protocol::ids::AgentId;
use protocol::keys::{Fingerprint, SigningKey};
use protocol::seal::SealingKey;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};
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
    /// When the keys were made, UTC milliseconds since 1970; 0 when an older version made them.
    #[serde(default)]
    pub(crate) keys_made_ms: i64,
    /// The keys before these: secrets may still be sealed to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) former: Option<Seeds>,
}

/// Keys that are about to replace those of an agent.
#[derive(Serialize, Deserialize)]
struct Next {
    agent_id: AgentId,
    seeds: Seeds,
}

/// Keys that wait for an answer of one relay.
#[derive(Clone, Serialize, Deserialize)]
struct Pending {
    seeds: Seeds,
    relay: String,
}

/// When keys are old.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rotation {
    after: Option<Duration>,
}

impl Rotation {
    /// By the configuration; 0 days: never.
    pub(crate) fn after_days(days: u32) -> Self {
        let after = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
        Self { after: Some(after).filter(|after| !after.is_zero()) }
    }

    /// Whether the keys of an identity are to be changed. Where an older version made them, the age of the file counts.
    pub(crate) fn is_due(self, identity: &Identity, file_changed: Option<SystemTime>, now_ms: i64) -> bool {
        let file_ms = || {
            let since = file_changed?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            i64::try_from(since.as_millis()).ok()
        };
        let made_ms = if identity.keys_made_ms > 0 { Some(identity.keys_made_ms) } else { file_ms() };
        let age_ms = made_ms.and_then(|made_ms| u64::try_from(now_ms.saturating_sub(made_ms)).ok());
        self.after.zip(age_ms).is_some_and(|(after, age_ms)| u128::from(age_ms) >= after.as_millis())
    }
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

    /// The keys that are about to replace these, if a change is under way.
    ///
    /// # Errors
    /// When others can read the file, or it is damaged.
    pub(crate) fn next_seeds(&self, paths: &Paths) -> Result<Option<Seeds>, Error> {
        let next = read_json::<Next>(&paths.next())?.filter(|next| next.agent_id == self.enrolment.agent_id);
        Ok(next.map(|next| next.seeds).filter(|next| next.signing != self.seeds.signing))
    }

    /// Begins a change of keys, or goes on with one that is under way. The new keys are durable when this returns.
    pub(crate) fn draw_next(&self, paths: &Paths) -> Result<Seeds, Error> {
        if let Some(next) = self.next_seeds(paths)? {
            return Ok(next);
        }
        let next = Next { agent_id: self.enrolment.agent_id.clone(), seeds: Seeds::draw()? };
        write_json(&paths.next(), &next)?;
        Ok(next.seeds)
    }

    /// Makes the next keys those of the identity, in one step.
    pub(crate) fn take_next(self, next: Seeds, paths: &Paths) -> Result<Self, Error> {
        let taken = Self { seeds: next, keys_made_ms: clock::now_ms(), former: Some(self.seeds), ..self };
        write_json(&paths.identity(), &taken)?;
        private_file::remove_if_there(&paths.next())?;
        Ok(taken)
    }

    /// Removes the identity and everything that belongs to it; settings stay.
    pub(crate) fn remove(paths: &Paths) -> Result<(), Error> {
        for path in [
            paths.identity(),
            paths.next(),
            paths.pending(),
            paths.ticket(),
            paths.peers(),
            paths.confirmed(),
        ] {
            private_file::remove_if_there(&path)?;
        }
        Ok(())
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

/// Forgets the keys of an enrolment without an answer: the next attempt makes others.
pub(crate) fn drop_pending(paths: &Paths) -> Result<(), Error> {
    private_file::remove_if_there(&paths.pending())
}

/// Reads a private JSON file; `None` when it is not there.
pub(crate) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, Error> {
    let Some(bytes) = private_file::read(path)?.map(Zeroizing::new) else { return Ok(None) };
    // Only the position: the text of a parser's message could repeat a piece of a key.
    let damaged = |error: serde_json::Error| Error::IdentityDamaged {
        path: path.to_owned(),
        reason: format!("line {}, column {}", error.line(), error.column()),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

/// Replaces a private JSON file, durably.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
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
        Identity { seeds: Seeds::draw().unwrap(), enrolment, keys_made_ms: 0, former: None }
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
    fn a_change_of_keys_is_whole_wherever_it_is_cut() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let old = identity();
        old.store(&paths).unwrap();
        assert!(old.next_seeds(&paths).unwrap().is_none());
        let next = old.draw_next(&paths).unwrap();
        assert_eq!(
            old.draw_next(&paths).unwrap().signing,
            next.signing,
            "an offer that was cut is made again"
        );
        let left_over = std::fs::read(paths.next()).unwrap();
        let (before, after) = (old.seeds.fingerprint().unwrap(), next.fingerprint().unwrap());
        old.take_next(next, &paths).unwrap();
        let taken = Identity::require(&paths).unwrap();
        assert_eq!(taken.seeds.fingerprint().unwrap(), after);
        assert_eq!(taken.former.as_ref().unwrap().fingerprint().unwrap(), before);
        // The process died before the file of the next keys was removed.
        private_file::write(&paths.next(), &left_over, Durability::Synced).unwrap();
        assert!(taken.next_seeds(&paths).unwrap().is_none());
    }

    #[test]
    fn keys_are_due_at_their_age_and_never_when_switched_off() {
        let day_ms = 24 * 60 * 60 * 1000;
        let young = Identity { keys_made_ms: 1000 * day_ms, ..identity() };
        let rotation = Rotation::after_days(90);
        assert!(
            !rotation.is_due(&young, None, 1089 * day_ms) && rotation.is_due(&young, None, 1090 * day_ms)
        );
        assert!(!Rotation::after_days(0).is_due(&young, None, i64::MAX));
        assert!(!rotation.is_due(&young, None, 0), "a clock that went back makes no key old");
        let unknown = Identity { keys_made_ms: 0, ..young };
        assert!(!rotation.is_due(&unknown, None, i64::MAX));
        assert!(rotation.is_due(&unknown, Some(SystemTime::UNIX_EPOCH), 90 * day_ms));
    }

    #[test]
    fn an_identity_of_an_older_version_is_read() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        identity().store(&paths).unwrap();
        let mut text: serde_json::Value =
            serde_json::from_slice(&std::fs::read(paths.identity()).unwrap()).unwrap();
        text.as_object_mut().unwrap().remove("keys_made_ms");
        write_json(&paths.identity(), &text).unwrap();
        assert_eq!(Identity::require(&paths).unwrap().keys_made_ms, 0);
    }

    #[test]
    fn a_removed_identity_leaves_no_key() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let made = identity();
        made.store(&paths).unwrap();
        made.draw_next(&paths).unwrap();
        pending_seeds(&paths, "https://a").unwrap();
        Identity::remove(&paths).unwrap();
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
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
