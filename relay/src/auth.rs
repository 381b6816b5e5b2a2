//! Who may call the API: whoever holds the administrator's key. It is made at first start and written to one file.

use crate::private_file;
use aws_lc_rs::{constant_time, digest, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io;
use std::path::Path;

/// 256 bits.
const KEY_BYTES: usize = 32;

/// The administrator's key, as a digest: enough to compare, useless to anybody who reads memory.
#[derive(Clone)]
pub(crate) struct AdminKey {
    digest: [u8; 32],
}

impl AdminKey {
    /// Reads the key, or makes it at first start.
    pub(crate) fn load_or_create(path: &Path) -> io::Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) if text.trim().len() >= KEY_BYTES => Ok(Self::of(text.trim())),
            Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the key is too short")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = random_text()?;
                private_file::write(path, format!("{key}\n").as_bytes())?;
                Ok(Self::of(&key))
            }
            Err(error) => Err(error),
        }
    }

    fn of(key: &str) -> Self {
        Self { digest: sha256(key.as_bytes()) }
    }

    /// Whether an `Authorization` header carries the key. Takes the same time for every wrong key.
    pub(crate) fn accepts(&self, header: Option<&str>) -> bool {
        let Some(given) = header.and_then(|value| value.strip_prefix("Bearer ")) else { return false };
        constant_time::verify_slices_are_equal(&self.digest, &sha256(given.trim().as_bytes())).is_ok()
    }
}

/// 32 random bytes as text.
pub(crate) fn random_text() -> io::Result<String> {
    let mut bytes = [0_u8; KEY_BYTES];
    rand::fill(&mut bytes).map_err(|_| io::Error::other("the system gave no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0_u8; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_it_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.key");
        AdminKey::load_or_create(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let key = AdminKey::load_or_create(&path).unwrap();
        assert!(key.accepts(Some(&format!("Bearer {}", text.trim()))));
        assert!(!key.accepts(Some(text.trim())));
        assert!(!key.accepts(Some("Bearer ")));
        assert!(!key.accepts(None));
    }
}
