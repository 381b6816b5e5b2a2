//! Versions of the protocol. Each is a WebSocket subprotocol, so that two sides that cannot talk find out before the first
//! message.

use std::fmt;

/// A version of the protocol that this build speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProtocolVersion {
    /// `uplink.v1`: the first.
    V1,
}

/// No version is spoken by both sides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the peer speaks {}, this side speaks {}: update the older of the two",
    if offered.is_empty() { "no Uplink protocol" } else { offered },
    ProtocolVersion::supported()
)]
pub struct UnknownProtocol {
    /// What the peer offered, shortened; empty when it offered nothing.
    pub offered: String,
}

/// Characters of a peer's offer that an error repeats.
const OFFERED_CHARS_MAX: usize = 120;

impl ProtocolVersion {
    /// Every version that this build speaks, newest first.
    pub const ALL: &'static [Self] = &[Self::V1];

    /// The newest version.
    pub const NEWEST: Self = Self::V1;

    /// The name of the WebSocket subprotocol.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::V1 => "uplink.v1",
        }
    }

    /// The version with this subprotocol name.
    pub fn parse(name: &str) -> Result<Self, UnknownProtocol> {
        let found = Self::ALL.iter().copied().find(|version| version.subprotocol() == name);
        found.ok_or_else(|| UnknownProtocol { offered: shorten(name) })
    }

    /// The newest version that both sides speak, from the value of a `Sec-WebSocket-Protocol` header (names separated by commas).
    pub fn negotiate(offered: &str) -> Result<Self, UnknownProtocol> {
        let is_offered = |version: &Self| offered.split(',').any(|name| name.trim() == version.subprotocol());
        Self::ALL
            .iter()
            .copied()
            .find(is_offered)
            .ok_or_else(|| UnknownProtocol { offered: shorten(offered.trim()) })
    }

    /// The value of `Sec-WebSocket-Protocol` that offers every version.
    pub fn supported() -> String {
        Self::ALL.iter().map(|version| version.subprotocol()).collect::<Vec<_>>().join(", ")
    }
}

fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(OFFERED_CHARS_MAX).collect()
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.subprotocol())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_listed_and_its_name_leads_back() {
        for version in ProtocolVersion::ALL {
            match version {
                ProtocolVersion::V1 => assert_eq!(version.subprotocol(), "uplink.v1"),
            }
            assert_eq!(ProtocolVersion::parse(version.subprotocol()), Ok(*version));
        }
        assert_eq!(ProtocolVersion::ALL.first(), Some(&ProtocolVersion::NEWEST));
    }

    #[test]
    fn a_common_version_is_found_among_others() {
        assert_eq!(ProtocolVersion::negotiate("uplink.v9,  uplink.v1 , chat"), Ok(ProtocolVersion::V1));
    }

    #[test]
    fn without_a_common_version_the_error_names_both_sides() {
        let text = ProtocolVersion::negotiate("uplink.v9").unwrap_err().to_string();
        assert_eq!(
            text,
            "the peer speaks uplink.v9, this side speaks uplink.v1: update the older of the two"
        );
        assert!(ProtocolVersion::negotiate("").unwrap_err().to_string().contains("no Uplink protocol"));
        assert!(
            ProtocolVersion::negotiate(&"x".repeat(9999)).unwrap_err().offered.len() <= OFFERED_CHARS_MAX
        );
    }
}
