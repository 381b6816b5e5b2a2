//! From a relay's address to a WebSocket: name resolution, TCP, TLS, upgrade. Each step fails with an error of its own that says
//! what to look at, because the person who reads it sits behind a firewall and cannot see the other side.

use crate::relay_address::RelayAddress;
use protocol::limits::MESSAGE_BYTES_MAX;
use protocol::version::ProtocolVersion;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::error::{Error as WsError, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// A WebSocket to the relay.
pub(crate) type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Where the relay takes links.
const LINK_PATH: &str = "/v1/link";
/// Read eagerly by the library for every link, so small.
const READ_BUFFER_BYTES: usize = 16 << 10;
/// The most that may wait in the library's write buffer: the link hands out one message at a time, so a few of them.
const WRITE_BUFFER_BYTES: usize = 4 * MESSAGE_BYTES_MAX;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("the name {host} cannot be resolved ({reason}); check it, and this machine's name servers")]
    Dns { host: String, reason: String },
    #[error("{address} refuses the connection; check the port, and that the relay runs")]
    Refused { address: SocketAddr },
    #[error("{what} took longer than {} ms; check that the firewall lets this machine reach {host}:{port}", limit.as_millis())]
    Timeout { what: &'static str, host: String, port: u16, limit: Duration },
    #[error("cannot connect to {host}:{port}: {reason}")]
    Connect { host: String, port: u16, reason: String },
    #[error("the certificate of {host} is not trusted: {reason}; {next}")]
    Untrusted { host: String, reason: String, next: &'static str },
    #[error("no TLS with {host}:{port}: {reason}; check that the port is the relay's")]
    Tls { host: String, port: u16, reason: String },
    #[error("{host} answered the WebSocket upgrade with HTTP status {status}{}; {}", shown(detail), upgrade_hint(*status))]
    Upgrade { host: String, status: u16, detail: String, retry_after: Option<Duration> },
    #[error(
        "{host} does not speak {subprotocol}; check that the address is the relay's, and that agent and relay are of matching versions"
    )]
    Subprotocol { host: String, subprotocol: &'static str },
    #[error("the WebSocket upgrade at {host} failed: {reason}")]
    Handshake { host: String, reason: String },
}

impl DialError {
    /// The stable code of the failure.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            DialError::Dns { .. } => "relay_name_unknown",
            DialError::Refused { .. } => "relay_refuses_connection",
            DialError::Timeout { .. } => "relay_timeout",
            DialError::Connect { .. } => "relay_unreachable",
            DialError::Untrusted { .. } => "relay_certificate_untrusted",
            DialError::Tls { .. } => "relay_no_tls",
            DialError::Upgrade { .. } => "relay_upgrade_refused",
            DialError::Subprotocol { .. } => "relay_subprotocol",
            DialError::Handshake { .. } => "relay_upgrade_failed",
        }
    }

    /// When the other side said to come back.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            DialError::Upgrade { retry_after, .. } => *retry_after,
            DialError::Dns { .. }
            | DialError::Refused { .. }
            | DialError::Timeout { .. }
            | DialError::Connect { .. }
            | DialError::Untrusted { .. }
            | DialError::Tls { .. }
            | DialError::Subprotocol { .. }
            | DialError::Handshake { .. } => None,
        }
    }
}

fn shown(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

fn upgrade_hint(status: u16) -> &'static str {
    match status {
        407 => "a proxy on the way wants a login",
        426 => "agent and relay are of versions that do not match",
        429 | 503 => "the relay is busy, the agent comes back by itself",
        _ => "check that the address is the relay's, and that proxies on the way let WebSockets through",
    }
}

/// Opens a WebSocket to the relay; each step may take `limit`.
///
/// # Errors
/// The first step that failed.
pub(crate) async fn dial(
    relay: &RelayAddress,
    tls: Arc<ClientConfig>,
    limit: Duration,
) -> Result<Socket, DialError> {
    let dialler = Dialler { relay, limit };
    let tcp = dialler.connect().await?;
    let tls = dialler.encrypt(tcp, tls).await?;
    dialler.upgrade(tls).await
}

/// Goes as far as TLS and no further: what stands in the way of the relay is found before anything is asked of it.
///
/// # Errors
/// The first step that failed.
pub(crate) async fn probe(
    relay: &RelayAddress,
    tls: Arc<ClientConfig>,
    limit: Duration,
) -> Result<(), DialError> {
    let dialler = Dialler { relay, limit };
    let tcp = dialler.connect().await?;
    dialler.encrypt(tcp, tls).await.map(drop)
}

struct Dialler<'a> {
    relay: &'a RelayAddress,
    limit: Duration,
}

impl Dialler<'_> {
    /// Tries each address of the name in turn.
    async fn connect(&self) -> Result<TcpStream, DialError> {
        let host = self.relay.bare_host();
        let unknown = |reason: String| DialError::Dns { host: host.to_owned(), reason };
        let lookup = timeout(self.limit, tokio::net::lookup_host((host, self.relay.port()))).await;
        let addresses =
            lookup.map_err(|_| self.late("name resolution"))?.map_err(|error| unknown(error.to_string()))?;
        let mut last = unknown("it has no address".to_owned());
        for address in addresses {
            match timeout(self.limit, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    tcp.set_nodelay(true).map_err(|error| self.unreachable(&error))?;
                    return Ok(tcp);
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    last = DialError::Refused { address }
                }
                Ok(Err(error)) => last = self.unreachable(&error),
                Err(_) => last = self.late("the TCP connection"),
            }
        }
        Err(last)
    }

    async fn encrypt(
        &self,
        tcp: TcpStream,
        tls: Arc<ClientConfig>,
    ) -> Result<TlsStream<TcpStream>, DialError> {
        let name = ServerName::try_from(self.relay.bare_host().to_owned()).map_err(|error| {
            DialError::Dns { host: self.relay.host().to_owned(), reason: error.to_string() }
        })?;
        let shaken = timeout(self.limit, TlsConnector::from(tls).connect(name, tcp)).await;
        shaken.map_err(|_| self.late("the TLS handshake"))?.map_err(|error| self.tls_error(&error))
    }

    async fn upgrade(&self, tls: TlsStream<TcpStream>) -> Result<Socket, DialError> {
        let address = self.relay.call("wss", LINK_PATH);
        let uri: Uri = address.parse().map_err(|_| self.handshake("the address is no URI".to_owned()))?;
        let request = ClientRequestBuilder::new(uri).with_sub_protocol(ProtocolVersion::NEWEST.subprotocol());
        let settings = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_BYTES)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let upgrade = tokio_tungstenite::client_async_with_config(request, tls, Some(settings));
        match timeout(self.limit, upgrade).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(error)) => Err(self.upgrade_error(error)),
            Err(_) => Err(self.late("the WebSocket upgrade")),
        }
    }

    fn late(&self, what: &'static str) -> DialError {
        DialError::Timeout {
            what,
            host: self.relay.host().to_owned(),
            port: self.relay.port(),
            limit: self.limit,
        }
    }

    fn unreachable(&self, error: &io::Error) -> DialError {
        DialError::Connect {
            host: self.relay.host().to_owned(),
            port: self.relay.port(),
            reason: error.to_string(),
        }
    }

    fn handshake(&self, reason: String) -> DialError {
        DialError::Handshake { host: self.relay.host().to_owned(), reason }
    }

    fn tls_error(&self, error: &io::Error) -> DialError {
        let host = self.relay.host().to_owned();
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(flaw)) => {
                DialError::Untrusted { host, reason: flaw_in_words(flaw), next: certificate_hint(flaw) }
            }
            _ => DialError::Tls { host, port: self.relay.port(), reason: error.to_string() },
        }
    }

    fn upgrade_error(&self, error: WsError) -> DialError {
        let host = self.relay.host().to_owned();
        match error {
            WsError::Http(response) => DialError::Upgrade {
                host,
                status: response.status().as_u16(),
                detail: detail_of(&response),
                retry_after: retry_after_of(&response),
            },
            WsError::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
                DialError::Subprotocol { host, subprotocol: ProtocolVersion::NEWEST.subprotocol() }
            }
            other => self.handshake(other.to_string()),
        }
    }
}

/// The common flaws in plain words.
fn flaw_in_words(flaw: &CertificateError) -> String {
    match flaw {
        CertificateError::UnknownIssuer => "it is signed by an authority that is not trusted here".to_owned(),
        other => other.to_string(),
    }
}

/// The advice that fits a certificate's flaw.
fn certificate_hint(flaw: &CertificateError) -> &'static str {
    match flaw {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "use the host name that the certificate is made for"
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "check this machine's clock, and ask the relay's operator for a new certificate"
        }
        _ => {
            "if the relay has its own authority, give its ca.pem with `uplink-agent enroll --relay-ca FILE` (or relay.ca_file); if a proxy \
             inspects TLS here, give that proxy's authority"
        }
    }
}

/// The title of a problem document, if the answer is one.
fn detail_of(response: &Response) -> String {
    let body = response.body().as_deref().unwrap_or_default();
    let problem = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let text = problem.get("detail").or_else(|| problem.get("title")).and_then(serde_json::Value::as_str);
    text.unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect()
}

fn retry_after_of(response: &Response) -> Option<Duration> {
    let header = response.headers().get("retry-after")?;
    header.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
