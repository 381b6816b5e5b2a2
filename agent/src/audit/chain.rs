//! The chain: each line carries the SHA-256 over the hash of the line before and its own text, so that a line that is changed, taken
//! out, put in or moved breaks the chain at that place. Pure.
//!
//! A line is one JSON object whose last member is `hash`. What is hashed is the text `uplink-audit-v1`, the previous hash in
//! hexadecimal and the line without its `hash` member, each on a line of its own (the last without a line feed).

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Separates these hashes from every other use of SHA-256.
const DOMAIN: &str = "uplink-audit-v1";
/// What stands between the body of a line and its hash.
const HASH_MEMBER: &str = ",\"hash\":\"";
const HASH_HEX: usize = 64;

/// The hash of a line, as lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Hash(String);

impl Hash {
    /// What the first line of a log follows.
    pub(crate) fn genesis() -> Self {
        Self("0".repeat(HASH_HEX))
    }

    /// Reads 64 lower-case hexadecimal digits; any other spelling is no hash.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == HASH_HEX && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// SHA-256 of bytes, in the same spelling.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let hash = digest::digest(&digest::SHA256, bytes);
        Self(hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn of_line(previous: &Self, body: &str) -> Self {
        Self::of(format!("{DOMAIN}\n{previous}\n{body}").as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a hash is 64 lower-case hexadecimal digits")
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.0
    }
}

/// The end of the chain: the number of the last line and its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
}

impl Head {
    /// The end of a chain that has no line yet.
    pub(crate) fn genesis() -> Self {
        Self { seq: 0, hash: Hash::genesis() }
    }
}

/// Closes a line: `body` is a JSON object with at least one member. Gives the line without its line feed, and its hash.
pub(crate) fn close(previous: &Hash, body: &str) -> (String, Hash) {
    let hash = Hash::of_line(previous, body);
    let open = body.strip_suffix('}').unwrap_or(body);
    (format!("{open}{HASH_MEMBER}{hash}\"}}"), hash)
}

/// Takes a line apart into its body and the hash that it claims.
pub(crate) fn open(line: &str) -> Option<(String, Hash)> {
    let (open, rest) = line.rsplit_once(HASH_MEMBER)?;
    let hash = Hash::parse(rest.strip_suffix("\"}")?)?;
    Some((format!("{open}}}"), hash))
}

/// Whether a line that was taken apart follows `previous`.
pub(crate) fn follows(previous: &Hash, body: &str, claimed: &Hash) -> bool {
    Hash::of_line(previous, body) == *claimed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_and_follows_only_its_predecessor() {
        let (line, hash) = close(&Hash::genesis(), r#"{"seq":1,"event":"x"}"#);
        assert!(line.ends_with(&format!("\"x\",\"hash\":\"{hash}\"}}")), "{line}");
        let (body, claimed) = open(&line).unwrap();
        assert_eq!(body, r#"{"seq":1,"event":"x"}"#);
        assert!(follows(&Hash::genesis(), &body, &claimed));
        assert!(!follows(&hash, &body, &claimed));
    }

    #[test]
    fn the_hash_is_what_the_documentation_says() {
        // printf 'uplink-audit-v1\n%064d\n{"seq":1}' 0 | sha256sum
        let expected = Hash::of(format!("uplink-audit-v1\n{}\n{{\"seq\":1}}", "0".repeat(64)).as_bytes());
        assert_eq!(close(&Hash::genesis(), r#"{"seq":1}"#).1, expected);
        assert_eq!(
            Hash::of(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn every_flipped_bit_of_a_line_is_noticed() {
        let (line, _) = close(&Hash::genesis(), r#"{"seq":1,"event":"jira_request","path":"/rest"}"#);
        for place in 0..line.len() {
            for bit in 0..8 {
                let mut bytes = line.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                let good = String::from_utf8(bytes)
                    .ok()
                    .and_then(|text| open(&text))
                    .is_some_and(|(body, claimed)| follows(&Hash::genesis(), &body, &claimed));
                assert!(!good, "bit {bit} of byte {place}");
            }
        }
    }

    #[test]
    fn other_spellings_of_a_hash_are_none() {
        for text in ["", "00", &"A".repeat(64), &"g".repeat(64), &"0".repeat(65)] {
            assert_eq!(Hash::parse(text), None, "{text}");
        }
    }
}
