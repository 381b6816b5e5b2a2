//! The key by which columns are pseudonymised: made on the premises, shared by the agents of an uplink, known elsewhere by its
//! fingerprint only.

use crate::config::Config;
use crate::error::Error;
use crate::paths::Paths;
use crate::private_file::{self, Durability};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jira::{KEY_BYTES_MIN, fingerprint};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// A key.
pub(crate) struct MaskKey(Zeroizing<Vec<u8>>);

/// Where the key lies.
pub(crate) fn place(config: &Config, paths: &Paths) -> PathBuf {
    config.policy.mask_key_file.get().map_or_else(|| paths.mask_key(), ToOwned::to_owned)
}

impl MaskKey {
    /// The key in force; `None` when there is none.
    ///
    /// # Errors
    /// When others can read the file, or it holds no key.
    pub(crate) fn load(config: &Config, paths: &Paths) -> Result<Option<Self>, Error> {
        let path = place(config, paths);
        let Some(bytes) = private_file::read(&path)?.map(Zeroizing::new) else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        Self::parse(&text).map(Some).map_err(|reason| Error::BadValue {
            key: "policy.mask_key_file".to_owned(),
            place: path.display().to_string(),
            reason,
        })
    }

    /// Reads a key as it is written.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| "it is not base64 text; copy the whole line".to_owned())?;
        if bytes.len() < KEY_BYTES_MIN {
            return Err(format!("a key has at least {KEY_BYTES_MIN} bytes, this one has {}", bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// A new one.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) fn draw() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new(vec![0; KEY_BYTES_MIN]);
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::System {
            action: "draw random numbers for a key",
            reason: "the system has none".to_owned(),
        })?;
        Ok(Self(bytes))
    }

    /// Keeps it where the agent looks for it; an existing one stays.
    ///
    /// # Errors
    /// When there is another one, or the file cannot be written.
    pub(crate) fn keep(&self, config: &Config, paths: &Paths) -> Result<PathBuf, Error> {
        let path = place(config, paths);
        if let Some(held) = Self::load(config, paths)? {
            if held.0 == self.0 {
                return Ok(path);
            }
            return Err(Error::Usage(format!(
                "there is a key already, {} in {}; pseudonyms of another key match none of those that have left. Move the file away to replace it",
                held.fingerprint(),
                path.display()
            )));
        }
        let text = Zeroizing::new(STANDARD.encode(&*self.0) + "\n");
        private_file::write(&path, text.as_bytes(), Durability::Synced)?;
        Ok(path)
    }

    /// What agents and relay compare.
    pub(crate) fn fingerprint(&self) -> String {
        fingerprint(&self.0)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::paths_in;
    use crate::paths::ConfigFile;

    fn config() -> Config {
        crate::config::load(&ConfigFile::Standard("/nonexistent/agent.toml".into())).unwrap()
    }

    #[test]
    fn a_key_is_kept_once_and_read_back() {
        let place = tempfile::tempdir().unwrap();
        let (paths, config) = (paths_in(place.path()), config());
        assert!(MaskKey::load(&config, &paths).unwrap().is_none());
        let key = MaskKey::draw().unwrap();
        key.keep(&config, &paths).unwrap();
        let held = MaskKey::load(&config, &paths).unwrap().unwrap();
        assert_eq!(held.fingerprint(), key.fingerprint());
        key.keep(&config, &paths).unwrap();
        let error = MaskKey::draw().unwrap().keep(&config, &paths).unwrap_err().to_string();
        assert!(error.contains(&key.fingerprint()), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_for_the_agent_alone() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let (paths, config) = (paths_in(place.path()), config());
        let path = MaskKey::draw().unwrap().keep(&config, &paths).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(MaskKey::load(&config, &paths).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(MaskKey::parse("not base64!").is_err() && MaskKey::parse("c2hvcnQ=").is_err());
    }
}
