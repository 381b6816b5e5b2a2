//! The proxy step: a proxy that was reached opens the way to the relay. Three kinds: HTTP CONNECT, the same over TLS, and SOCKS5. All
//! of them resolve the relay's name themselves: this machine's name server need not know it.

mod http;
mod socks;

use super::Transport;
use super::error::{DialError, Endpoint, Step};
use super::tls::encrypt;
use crate::trust::Trust;
use secrecy::SecretString;
use std::time::Duration;
use tokio::net::TcpStream;

/// A proxy on the way to the relay. `Debug` shows no password.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    /// Where it is.
    pub(crate) at: Endpoint,
    /// What it speaks.
    pub(crate) speaks: Speaks,
    /// As whom.
    pub(crate) login: Option<Login>,
    /// The setting or environment variable that names it.
    pub(crate) named_by: &'static str,
}

/// What a proxy speaks.
#[derive(Clone, Debug)]
pub(crate) enum Speaks {
    /// HTTP CONNECT in clear; what goes through is encrypted to the relay.
    Http,
    /// HTTP CONNECT over TLS.
    Https(Trust),
    /// SOCKS5.
    Socks5,
}

/// An account at the proxy.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// Name.
    pub(crate) username: String,
    /// Password.
    pub(crate) password: SecretString,
}

/// Lets `proxy`, to which `tcp` leads, open the way to `target`.
///
/// # Errors
/// When the proxy wants another login, does not let this machine through, cannot reach the target, or is no such proxy.
pub(crate) async fn tunnel(
    tcp: TcpStream,
    proxy: &Proxy,
    target: &Endpoint,
    limit: Duration,
) -> Result<Transport, DialError> {
    let opened = async {
        match &proxy.speaks {
            Speaks::Http => http::open(Box::new(tcp), proxy, target).await,
            Speaks::Https(trust) => {
                let secured = encrypt(Box::new(tcp), &proxy.at, trust, limit).await?;
                http::open(Box::new(secured.stream), proxy, target).await
            }
            Speaks::Socks5 => socks::open(Box::new(tcp), proxy, target).await,
        }
    };
    tokio::time::timeout(limit, opened).await.map_err(|_| DialError::Timeout {
        at: proxy.at.clone(),
        step: Step::Proxy,
        limit,
    })?
}

impl Proxy {
    fn unfit(&self, reason: &str) -> DialError {
        DialError::ProxyUnfit { at: self.at.clone(), reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests;
