//! Where a Jira is, how to log in, and within which bounds it is asked.

use crate::client::addresses::Addresses;
use crate::client::pace::Pace;
use secrecy::SecretString;
use std::time::Duration;
use url::Url;

/// The Jira to read.
#[derive(Clone, Debug)]
pub struct Site {
    /// Base address with the context path, without trailing slash, query or user info.
    pub base_url: Url,
    /// Certificates (PEM) trusted besides the system's.
    pub extra_root_pem: Option<Vec<u8>>,
    /// What lies on the way.
    pub way: Way,
}

/// What lies on the way to a Jira. `Debug` shows no secret.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// A proxy; none by default, whatever the environment says.
    pub proxy: Option<Proxy>,
    /// Certificate and private key of this client (PEM, both in one text), for a Jira that wants one.
    pub client_pem: Option<SecretString>,
    /// Where the site's name may lead.
    pub addresses: Addresses,
    /// Replaces the limit of the same name.
    pub connect_timeout: Option<Duration>,
    /// Replaces the limit of the same name.
    pub read_timeout: Option<Duration>,
}

/// A proxy on the way to a Jira.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// `http`, `https` or `socks5h`, host and port.
    pub url: Url,
    /// Account and password.
    pub login: Option<(String, SecretString)>,
}

/// How to log in. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Username and password, sent as Basic without being asked.
    Password {
        /// Login name.
        username: String,
        /// Password.
        password: SecretString,
    },
    /// A personal access token, sent as Bearer.
    Token(SecretString),
    /// A token of an account whose site is not known yet: on Jira Cloud an API token, sent as Basic with the account's e-mail address;
    /// elsewhere a personal access token, sent as Bearer.
    ApiToken {
        /// E-mail address of the account; may be empty where the token alone tells whose it is.
        username: String,
        /// Token.
        token: SecretString,
    },
}

/// Bounds of one client.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most requests in flight at once, over all users of the client. At least 1.
    pub max_parallel: usize,
    /// Longest wait for a TCP and TLS connection.
    pub connect_timeout: Duration,
    /// Longest silence while waiting for an answer or its next bytes.
    pub read_timeout: Duration,
    /// Largest answer, unpacked.
    pub max_page_bytes: usize,
    /// Encoded size at which a part is closed.
    pub part_bytes: usize,
    /// At most so many requests a second, shared with whoever holds the same pace.
    pub pace: Option<Pace>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_parallel: 4,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(120),
            max_page_bytes: 64 << 20,
            part_bytes: 4 << 20,
            pace: None,
        }
    }
}
