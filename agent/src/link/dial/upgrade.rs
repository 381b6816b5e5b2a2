//! The last step: HTTP becomes a WebSocket.

use super::error::{DialError, Endpoint, Role, Step};
use super::{Socket, Transport};
use crate::relay_address::RelayAddress;
use httpdate::parse_http_date;
use protocol::limits::MESSAGE_BYTES_MAX;
use protocol::version::ProtocolVersion;
use std::time::{Duration, SystemTime};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::error::{Error as WsError, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Where the relay takes links.
const LINK_PATH: &str = "/v1/link";
/// Read eagerly by the library for every link, so small.
const READ_BUFFER_BYTES: usize = 16 << 10;
/// The most that may wait in the library's write buffer: the link hands out one message at a time, so a few of them.
const WRITE_BUFFER_BYTES: usize = 4 * MESSAGE_BYTES_MAX;

/// Asks the relay for a WebSocket.
///
/// # Errors
/// When the answer is anything but yes.
pub(crate) async fn upgrade(
    tls: TlsStream<Transport>,
    relay: &RelayAddress,
    limit: Duration,
) -> Result<Socket, DialError> {
    let address = relay.call("wss", LINK_PATH);
    let uri: Uri = address.parse().map_err(|_| handshake(relay, "the address is no URI".to_owned()))?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol(ProtocolVersion::NEWEST.subprotocol());
    let settings = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let upgrade = tokio_tungstenite::client_async_with_config(request, tls, Some(settings));
    match tokio::time::timeout(limit, upgrade).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(judge(relay, error)),
        Err(_) => Err(DialError::Timeout { at: Endpoint::relay(relay), step: Step::Upgrade, limit }),
    }
}

impl Endpoint {
    /// Where the relay listens.
    pub(crate) fn relay(relay: &RelayAddress) -> Self {
        Self { role: Role::Relay, host: relay.bare_host().to_owned(), port: relay.port() }
    }
}

fn handshake(relay: &RelayAddress, reason: String) -> DialError {
    DialError::Handshake { host: relay.host().to_owned(), reason }
}

fn judge(relay: &RelayAddress, error: WsError) -> DialError {
    let host = relay.host().to_owned();
    match error {
        WsError::Http(response) => {
            let (code, detail) = problem_of(&response);
            let (status, retry_after) = (response.status().as_u16(), retry_after_of(&response));
            DialError::Upgrade { host, status, code, detail, retry_after }
        }
        WsError::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
            DialError::Subprotocol { host, subprotocol: ProtocolVersion::NEWEST.subprotocol() }
        }
        other => handshake(relay, other.to_string()),
    }
}

/// Code and detail of a problem document, if the answer is one; empty otherwise.
fn problem_of(response: &Response) -> (String, String) {
    let body = response.body().as_deref().unwrap_or_default();
    let problem = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(serde_json::Value::as_str);
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).take(200).collect();
    let detail = text("detail").or_else(|| text("title")).unwrap_or_default();
    (clean(text("code").unwrap_or_default()), clean(detail))
}

/// Seconds, or a time of day: that one by the clock of whoever answers, if its `Date` tells it.
fn retry_after_of(response: &Response) -> Option<Duration> {
    let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::trim);
    let text = header("retry-after")?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let told = header("date").and_then(|date| parse_http_date(date).ok());
    let until = parse_http_date(text).ok()?;
    // A time that is past means at once.
    Some(until.duration_since(told.unwrap_or_else(SystemTime::now)).unwrap_or_default())
}
