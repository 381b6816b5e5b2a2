//! From a relay's address to a WebSocket, in steps that can be taken one by one: [`resolve`], [`connect`], [`tunnel`] where there
//! is a proxy, [`encrypt`] and [`upgrade`]. Each fails with an error of its own that says what to look at.

mod connect;
mod error;
mod names;
mod proxies;
mod proxy;
mod resolve;
mod tls;
mod upgrade;

pub(crate) use connect::connect;
pub(crate) use error::{DialError, Endpoint, Flaw, Role, Step, Untrusted};
pub(crate) use names::{Lookup, Names};
pub(crate) use proxies::Proxies;
pub(crate) use proxy::tunnel;
pub(crate) use tls::encrypt;
pub(crate) use upgrade::upgrade;

use crate::relay_address::RelayAddress;
use crate::trust::{Seen, Trust};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;

/// What carries bytes: TCP, or what a proxy made of it.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A line towards the relay, not yet encrypted to it.
pub(crate) type Transport = Box<dyn Wire>;

/// A WebSocket to the relay.
pub(crate) type Socket = WebSocketStream<TlsStream<Transport>>;

/// A line that is encrypted to somebody who is trusted.
pub(crate) struct Secured {
    /// The line.
    pub(crate) stream: TlsStream<Transport>,
    /// Who vouched.
    pub(crate) seen: Seen,
}

/// A WebSocket to somebody who is trusted.
pub(crate) struct Dialled {
    /// The WebSocket.
    pub(crate) socket: Socket,
    /// Who vouched.
    pub(crate) seen: Seen,
}

/// The way to one relay.
#[derive(Clone, Copy)]
pub(crate) struct Route<'a> {
    /// Where it is.
    pub(crate) relay: &'a RelayAddress,
    /// The proxies on the way.
    pub(crate) proxies: &'a Proxies,
    /// What the names resolved to before.
    pub(crate) names: &'a Names,
    /// Whom to believe to be it.
    pub(crate) trust: &'a Trust,
    /// How long each step may take.
    pub(crate) limit: Duration,
}

impl Route<'_> {
    /// All steps before TLS: a line to the relay, or to whoever takes its place.
    ///
    /// # Errors
    /// The first step that failed.
    pub(crate) async fn transport(&self, lookup: Lookup) -> Result<Transport, DialError> {
        let relay = Endpoint::relay(self.relay);
        let proxy = self.proxies.towards(&relay);
        let first = proxy.map_or(&relay, |proxy| &proxy.at);
        let addresses = self.names.resolve(first, lookup, self.limit).await?;
        let tcp = connect(first, &addresses, self.limit).await?;
        match proxy {
            Some(proxy) => tunnel(tcp, proxy, &relay, self.limit).await,
            None => Ok(Box::new(tcp)),
        }
    }

    /// All steps up to TLS: what stands in the way of the relay is found before anything is asked of it.
    ///
    /// # Errors
    /// The first step that failed.
    pub(crate) async fn secure(&self, lookup: Lookup) -> Result<Secured, DialError> {
        let transport = self.transport(lookup).await?;
        encrypt(transport, &Endpoint::relay(self.relay), self.trust, self.limit).await
    }

    /// All steps.
    ///
    /// # Errors
    /// The first step that failed.
    pub(crate) async fn dial(&self, lookup: Lookup) -> Result<Dialled, DialError> {
        let Secured { stream, seen } = self.secure(lookup).await?;
        Ok(Dialled { socket: upgrade(stream, self.relay, self.limit).await?, seen })
    }

    /// All steps together took longer than `limit`.
    pub(crate) fn too_slow(&self, limit: Duration) -> DialError {
        DialError::Timeout { at: Endpoint::relay(self.relay), step: Step::Connect, limit }
    }
}

#[cfg(test)]
mod tests;
