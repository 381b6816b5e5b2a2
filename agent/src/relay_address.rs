//! The relay's address: `https` with host and port, perhaps a path in front of the API.

use crate::error::Error;
use std::fmt;
use url::Url;

/// Where the relay is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RelayAddress {
    host: String,
    port: u16,
    /// Without trailing slash; empty for the root.
    path: String,
}

impl RelayAddress {
    /// Takes an address as typed by a person.
    ///
    /// # Errors
    /// When it is not `https`, or holds a user name, query or fragment.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let refuse =
            |reason: &str| Error::RelayAddress { address: without_secrets(text), reason: reason.to_owned() };
        let url = Url::parse(text.trim()).map_err(|error| refuse(&error.to_string()))?;
        if url.scheme() != "https" {
            return Err(refuse("it must start with https://, the link is always encrypted"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it must not hold a user name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("leave out everything from `?` or `#` on"));
        }
        let host = url.host_str().ok_or_else(|| refuse("the host is missing"))?.to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        Ok(Self { host, port, path: url.path().trim_end_matches('/').to_owned() })
    }

    /// Host name, or IP address (an IPv6 one in brackets).
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The host as name resolution and TLS take it: an IPv6 address without brackets.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Port, 443 if none was given.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as in a `Host` header.
    pub(crate) fn authority(&self) -> String {
        if self.port == 443 { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The address of one of the relay's calls.
    pub(crate) fn call(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{}", self.authority(), self.path_of(path))
    }

    /// The path of one of the relay's calls.
    pub(crate) fn path_of(&self, path: &str) -> String {
        format!("{}{path}", self.path)
    }
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.authority(), self.path)
    }
}

/// What was typed, cut before anything that looks like a password.
fn without_secrets(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => format!("...@{host}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_relay_has_one_spelling() {
        let shown = |text: &str| RelayAddress::parse(text).unwrap().to_string();
        assert_eq!(shown(" https://Relay.Example.com:443/ "), "https://relay.example.com");
        assert_eq!(shown("https://127.0.0.1:8443/uplink/"), "https://127.0.0.1:8443/uplink");
        assert_eq!(RelayAddress::parse("https://[::1]:8443").unwrap().bare_host(), "::1");
    }

    #[test]
    fn what_is_no_relay_address_is_refused_without_repeating_a_password() {
        for text in [
            "http://relay",
            "relay.example.com",
            "wss://relay",
            "https://",
            "https://u:hunter2@relay",
            "https://relay/?a=b",
            "https://relay/#x",
        ] {
            let message = RelayAddress::parse(text).unwrap_err().to_string();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn calls_keep_the_path_in_front() {
        let relay = RelayAddress::parse("https://relay:8443/uplink").unwrap();
        assert_eq!(relay.call("wss", "/v1/link"), "wss://relay:8443/uplink/v1/link");
    }
}
