//! The hashes that stand for clear values.

use aws_lc_rs::{digest, hmac};
use std::fmt;
use std::sync::Arc;

/// A shorter key could be guessed.
pub const KEY_BYTES_MIN: usize = 32;

/// Turns a clear value into its pseudonym: lower-case hex. `Debug` shows no key and no salt.
#[derive(Clone)]
pub struct Hasher {
    inner: Arc<Inner>,
}

struct Inner {
    function: Function,
    label: String,
}

enum Function {
    Keyed(Box<hmac::Key>),
    Plain { algorithm: &'static digest::Algorithm, salt: Vec<u8> },
}

impl Hasher {
    /// HMAC-SHA-256 with a key that the premises keep: without it nobody can guess values and compare. `None` when the key is shorter
    /// than [`KEY_BYTES_MIN`].
    pub fn hmac_sha256(key: &[u8]) -> Option<Self> {
        if key.len() < KEY_BYTES_MIN {
            return None;
        }
        let function = Function::Keyed(Box::new(hmac::Key::new(hmac::HMAC_SHA256, key)));
        Some(Self::new(function, format!("hmac-sha256/{}", fingerprint(key))))
    }

    /// SHA-256 of the salt and the value. Without a salt everybody who can guess a value can recognise it.
    pub fn sha256(salt: &[u8]) -> Self {
        Self::plain(&digest::SHA256, "sha256", salt)
    }

    /// SHA-512 of the salt and the value. Without a salt everybody who can guess a value can recognise it.
    pub fn sha512(salt: &[u8]) -> Self {
        Self::plain(&digest::SHA512, "sha512", salt)
    }

    fn plain(algorithm: &'static digest::Algorithm, name: &str, salt: &[u8]) -> Self {
        let label = if salt.is_empty() { name.to_owned() } else { format!("{name}/{}", fingerprint(salt)) };
        Self::new(Function::Plain { algorithm, salt: salt.to_vec() }, label)
    }

    fn new(function: Function, label: String) -> Self {
        Self { inner: Arc::new(Inner { function, label }) }
    }

    /// Which hash it is, with the fingerprint of its key or salt: columns of one label can be compared.
    pub fn label(&self) -> &str {
        &self.inner.label
    }

    /// Appends the pseudonym of a value.
    pub(crate) fn write(&self, value: &str, out: &mut String) {
        match &self.inner.function {
            Function::Keyed(key) => write_hex(hmac::sign(key, value.as_bytes()).as_ref(), out),
            Function::Plain { algorithm, salt } => {
                let mut context = digest::Context::new(algorithm);
                context.update(salt);
                context.update(value.as_bytes());
                write_hex(context.finish().as_ref(), out);
            }
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hasher").field(&self.inner.label).finish()
    }
}

impl PartialEq for Hasher {
    fn eq(&self, other: &Self) -> bool {
        self.inner.label == other.inner.label
    }
}

/// The name of a secret by which two holders see that they have the same one; it tells nothing about it.
pub fn fingerprint(secret: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"uplink mask key fingerprint\0");
    context.update(secret);
    let mut hex = String::new();
    write_hex(context.finish().as_ref().get(..8).unwrap_or_default(), &mut hex);
    let groups: Vec<&str> = (0..4).filter_map(|group| hex.get(group * 4..group * 4 + 4)).collect();
    groups.join("-")
}

fn write_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from(DIGITS[usize::from(nibble)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hasher: &Hasher, value: &str) -> String {
        let mut out = String::new();
        hasher.write(value, &mut out);
        out
    }

    #[test]
    fn hashes_are_those_of_the_standards() {
        assert_eq!(
            of(&Hasher::sha256(b""), "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(of(&Hasher::sha256(b"a"), "bc"), of(&Hasher::sha256(b""), "abc"));
        assert_eq!(
            of(&Hasher::sha512(b""), "abc"),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        );
        // RFC 4231, test case 7: a key longer than a block.
        let key = [0xaa; 131];
        let text = "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.";
        assert_eq!(
            of(&Hasher::hmac_sha256(&key).unwrap(), text),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        );
    }

    #[test]
    fn a_key_that_could_be_guessed_is_refused() {
        assert!(Hasher::hmac_sha256(&[7; 31]).is_none());
    }

    #[test]
    fn labels_tell_keys_and_salts_apart_and_show_neither() {
        let one = Hasher::hmac_sha256(&[1; 32]).unwrap();
        let other = Hasher::hmac_sha256(&[2; 32]).unwrap();
        assert_ne!(one, other);
        assert_eq!(one, Hasher::hmac_sha256(&[1; 32]).unwrap());
        assert_ne!(Hasher::sha256(b"s"), Hasher::sha256(b""));
        assert!(!format!("{:?}", Hasher::sha256(b"secret-salt")).contains("secret-salt"));
        assert_eq!(fingerprint(&[1; 32]).len(), 19);
    }
}
