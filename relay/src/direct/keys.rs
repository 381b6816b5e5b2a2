//! The relay's own keys for the secrets of direct connections: made at first start, kept in a private file outside the database.

use crate::private_file;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::keys::{Fingerprint, KEY_BYTES, SealingPublicKey, SigningKey};
use protocol::seal::{SealContext, SealError, SealedSecret, SealingKey};
use protocol::site::SiteAddress;
use std::io;
use std::path::Path;
use zeroize::Zeroizing;

/// Seeds of both keys, one after the other.
const SEED_BYTES: usize = 2 * KEY_BYTES;

/// Opens what is sealed to this relay.
pub(crate) struct DirectKeys {
    fingerprint: Fingerprint,
    sealing: SealingKey,
}

impl DirectKeys {
    /// Reads the keys, or makes them at first start.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds no keys.
    pub(crate) fn load_or_create(path: &Path) -> io::Result<Self> {
        match std::fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => Self::of(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut seeds = Zeroizing::new([0_u8; SEED_BYTES]);
                rand::fill(seeds.as_mut_slice())
                    .map_err(|_| io::Error::other("the system gave no random bytes"))?;
                let text = Zeroizing::new(format!("{}\n", STANDARD.encode(*seeds)));
                private_file::write(path, text.as_bytes())?;
                Self::of(&text)
            }
            Err(error) => Err(error),
        }
    }

    fn of(text: &str) -> io::Result<Self> {
        let damaged = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "it holds no keys; restore it from a backup, or remove it and give the secrets of all direct connections again",
            )
        };
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| damaged())?);
        let (signing, sealing) = bytes.split_at_checked(KEY_BYTES).ok_or_else(damaged)?;
        let seed =
            |bytes: &[u8]| <[u8; KEY_BYTES]>::try_from(bytes).map(Zeroizing::new).map_err(|_| damaged());
        // A fingerprint is of two keys; the relay signs nothing with the first.
        let signing = SigningKey::from_seed(&*seed(signing)?).map_err(|_| damaged())?;
        let sealing = SealingKey::from_seed(&*seed(sealing)?);
        Ok(Self { fingerprint: Fingerprint::of(&signing.public(), &sealing.public()), sealing })
    }

    /// By which secrets name the relay as the one that opens them.
    pub(crate) fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// What secrets are sealed to.
    pub(crate) fn sealing_key(&self) -> SealingPublicKey {
        self.sealing.public()
    }

    /// Whether one of the secrets is sealed to this relay.
    pub(crate) fn find<'s>(&self, sealed: &'s [SealedSecret]) -> Option<&'s SealedSecret> {
        sealed.iter().find(|secret| secret.agent == self.fingerprint)
    }

    /// The secret in clear text.
    ///
    /// # Errors
    /// When it was sealed for another site, account or key.
    pub(crate) fn open(
        &self,
        secret: &SealedSecret,
        site: &SiteAddress,
        username: &str,
    ) -> Result<Zeroizing<String>, SealError> {
        self.sealing.open(secret, SealContext { agent: &self.fingerprint, site, username })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::seal::seal;

    #[test]
    fn a_secret_opens_with_the_kept_keys_for_its_own_site_and_account_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("direct.key");
        let site = SiteAddress::parse("https://example.atlassian.net").unwrap();
        let made = DirectKeys::load_or_create(&path).unwrap();
        let context = SealContext { agent: made.fingerprint(), site: &site, username: "me@example.com" };
        let secret = seal("api-token", &made.sealing_key(), context, &[7; 32]).unwrap();

        let kept = DirectKeys::load_or_create(&path).unwrap();
        let found = kept.find(std::slice::from_ref(&secret)).unwrap();
        assert_eq!(*kept.open(found, &site, "me@example.com").unwrap(), "api-token");
        assert!(kept.open(found, &site, "other@example.com").is_err());
        let other = DirectKeys::load_or_create(&folder.path().join("other.key")).unwrap();
        assert!(other.find(std::slice::from_ref(&secret)).is_none());
        assert!(!std::fs::read_to_string(&path).unwrap().contains("api-token"));
    }

    #[test]
    fn a_damaged_file_is_never_replaced_by_new_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("direct.key");
        std::fs::write(&path, "c2hvcnQ=").unwrap();
        assert!(DirectKeys::load_or_create(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "c2hvcnQ=");
    }
}
