//! The address of a Jira, normalised once, so that both sides and the sealed secret mean the same site.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A Jira base address: `http` or `https`, lower-case host, no default port, no trailing slash, no query, no user info.
/// It is a name to compare, and on the premises an entry of the permitted list; the wire carries nothing that is called as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SiteAddress(String);

/// Why a text is no Jira base address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// Neither `http://` nor `https://`.
    #[error("`{0}` is no Jira address: it must start with https:// (or http://)")]
    Scheme(String),
    /// No host, or a character that a host cannot have.
    #[error("`{0}` is no Jira address: the host name is missing or malformed")]
    Host(String),
    /// The port is not a number from 1 to 65535.
    #[error("`{0}` is no Jira address: the port must be a number from 1 to 65535")]
    Port(String),
    /// `user:password@` in the address.
    #[error("a Jira address must not hold a user name or password; give them separately")]
    UserInfo,
    /// Query or fragment.
    #[error("`{0}` is no Jira base address: leave out everything from `?` or `#` on")]
    Query(String),
    /// The path holds `..`, `//`, a backslash, a percent sign or another character outside the plain set.
    #[error(
        "`{0}` is no Jira base address: the context path may only hold letters, digits, `-`, `_`, `.`, `~` and single slashes"
    )]
    Path(String),
}

impl SiteAddress {
    /// Normalises an address as typed by a person.
    pub fn parse(text: &str) -> Result<Self, SiteError> {
        let text = text.trim();
        let (scheme, rest) = split_scheme(text)?;
        if rest.contains(['?', '#']) {
            return Err(SiteError::Query(text.to_owned()));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(SiteError::UserInfo);
        }
        let (host, port) = split_port(authority, text)?;
        let host = host.to_ascii_lowercase();
        if !is_host(&host) {
            return Err(SiteError::Host(text.to_owned()));
        }
        let mut address = format!("{scheme}://{host}");
        if let Some(port) = port.filter(|port| *port != default_port(scheme)) {
            address.push_str(&format!(":{port}"));
        }
        let path = path.trim_end_matches('/');
        if !path.is_empty() {
            check_path(path).ok_or_else(|| SiteError::Path(text.to_owned()))?;
            address.push('/');
            address.push_str(path);
        }
        Ok(Self(address))
    }

    /// The normalised address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn split_scheme(text: &str) -> Result<(&'static str, &str), SiteError> {
    for scheme in ["https", "http"] {
        let prefix = text.get(..scheme.len() + 3).unwrap_or_default();
        if prefix.eq_ignore_ascii_case(&format!("{scheme}://")) {
            return Ok((scheme, text.get(prefix.len()..).unwrap_or_default()));
        }
    }
    Err(SiteError::Scheme(text.to_owned()))
}

fn split_port<'a>(authority: &'a str, text: &str) -> Result<(&'a str, Option<u16>), SiteError> {
    let end_of_host = authority.rfind(']').map_or(0, |at| at + 1);
    let tail = authority.get(end_of_host..).unwrap_or_default();
    let Some(colon) = tail.rfind(':') else { return Ok((authority, None)) };
    let (host, port) = authority.split_at(end_of_host + colon);
    let port = port.trim_start_matches(':').parse::<u16>().ok().filter(|port| *port != 0);
    port.map(|port| (host, Some(port))).ok_or_else(|| SiteError::Port(text.to_owned()))
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

fn check_path(path: &str) -> Option<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    let segment_ok = |segment: &str| {
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
    };
    path.split('/').all(segment_ok).then_some(())
}

fn default_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}

impl TryFrom<String> for SiteAddress {
    type Error = SiteError;

    fn try_from(text: String) -> Result<Self, SiteError> {
        Self::parse(&text)
    }
}

impl From<SiteAddress> for String {
    fn from(address: SiteAddress) -> Self {
        address.0
    }
}

impl fmt::Display for SiteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        SiteAddress::parse(text).unwrap().as_str().to_owned()
    }

    #[test]
    fn one_site_has_one_spelling() {
        assert_eq!(parsed(" HTTPS://Jira.Corp.Example:443/jira/ "), "https://jira.corp.example/jira");
        assert_eq!(parsed("http://127.0.0.1:2990/"), "http://127.0.0.1:2990");
        assert_eq!(parsed("http://[::1]:80/jira"), "http://[::1]/jira");
    }

    #[test]
    fn what_could_mean_another_host_or_path_is_refused() {
        for text in [
            "ftp://jira",
            "jira.corp.example",
            "https://",
            "https://a b/",
            "https://user:pw@jira/",
            "https://jira:0/",
            "https://jira:99999",
            "https://jira/?a=b",
            "https://jira/#x",
            "https://jira/../admin",
            "https://jira//x",
            "https://jira/%2e%2e",
            "https://jira\\evil",
            "https://[::1",
        ] {
            assert!(SiteAddress::parse(text).is_err(), "{text} was accepted");
        }
    }
}
