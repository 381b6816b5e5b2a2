//! From an HTTP request to a session: upgrade, subprotocol, handshake with a deadline. A stranger costs one small buffer until
//! it has proven its key.

use super::admit::{self, Admitted, Peer, enrolled};
use super::{Entrant, Socket};
use crate::api::problem::Problem;
use crate::clock;
use crate::node::{Node, Shared};
use aws_lc_rs::rand;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use protocol::control::RESEALING;
use protocol::error::CloseCode;
use protocol::handshake::{ExpectHello, HandshakeError, NONCE_BYTES, Welcome};
use protocol::limits::{HANDSHAKE_BYTES_MAX, HANDSHAKE_DEADLINE, LinkLimits, MESSAGE_BYTES_MAX};
use protocol::version::ProtocolVersion;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

/// How far agents spread their next connect over time after a restart of this relay.
const RECONNECT_SPREAD: Duration = Duration::from_secs(1);
/// How long a refused agent may take to close.
const REJECT_WAIT: Duration = Duration::from_secs(2);
/// Bytes that wait for the network at most; control messages only.
const WRITE_BUFFER_MAX: usize = 1 << 20;
/// Allocated for every socket at once.
const READ_BUFFER: usize = 4096;

/// `GET /v1/link`.
pub(crate) async fn link(State(node): State<Shared>, mut request: Request) -> Response {
    let greeting = node.greetings.clone().try_acquire_owned();
    let peer = request.extensions().get::<Peer>().copied();
    match (greeting, upgrade(&node, &mut request)) {
        (Ok(greeting), Ok((response, upgraded))) => {
            node.tasks.spawn(greet(node.clone(), upgraded, greeting, peer));
            response
        }
        (_, Err(problem)) => problem.into_response(),
        (Err(_), Ok(_)) => {
            let detail = "as many agents as allowed are shaking hands at the moment";
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
                .hint("nothing to do: the agent tries again by itself");
            let mut response = problem.into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
    }
}

fn upgrade(node: &Node, request: &mut Request) -> Result<(Response, OnUpgrade), Problem> {
    if node.stop.is_cancelled() {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "the relay is about to stop");
        return Err(problem.hint("nothing to do: the agent tries again by itself"));
    }
    let (accept, version) = check_headers(request.headers())?;
    let upgraded = hyper::upgrade::on(request);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(version.subprotocol()));
    Ok((response, upgraded))
}

fn check_headers(headers: &HeaderMap) -> Result<(HeaderValue, ProtocolVersion), Problem> {
    let has = |name: header::HeaderName, token: &str| {
        let values = headers.get_all(name);
        let mut tokens =
            values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        tokens.any(|found| found.trim().eq_ignore_ascii_case(token))
    };
    let refuse = |code: &'static str, detail: String| {
        Problem::new(StatusCode::UPGRADE_REQUIRED, code, detail)
            .hint("only uplink-agent connects here; a proxy in between must pass WebSocket upgrades on")
    };
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return Err(refuse("not_a_websocket", "this address takes WebSocket upgrades only".to_owned()));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(refuse("websocket_version", "only WebSocket version 13 is spoken here".to_owned()));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
    let key =
        key.ok_or_else(|| refuse("websocket_key", "Sec-WebSocket-Key is missing or malformed".to_owned()))?;
    let offered: Vec<&str> = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let version = ProtocolVersion::negotiate(&offered.join(",")).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "unknown_protocol", error.to_string())
            .hint(format!("this relay speaks {}: install an agent that does", ProtocolVersion::supported()))
    })?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| refuse("websocket_key", "Sec-WebSocket-Key is malformed".to_owned()))?;
    Ok((accept, version))
}

/// Shakes hands and becomes the session.
async fn greet(node: Shared, upgraded: OnUpgrade, greeting: OwnedSemaphorePermit, peer: Option<Peer>) {
    let mut socket = match tokio::time::timeout(HANDSHAKE_DEADLINE, upgraded).await {
        Ok(Ok(io)) => WebSocketStream::from_raw_socket(TokioIo::new(io), Role::Server, Some(limits())).await,
        Ok(Err(error)) => return tracing::debug!(%error, "an upgrade was not completed"),
        Err(_) => return tracing::debug!("an upgrade was not completed in time"),
    };
    match shake_hands(&node, &mut socket, peer).await {
        Ok(admitted) => {
            // Proven: from here on the number of enrolled agents is the bound.
            drop(greeting);
            welcome(node, admitted, socket).await;
        }
        Err(Refusal::Handshake(error)) => {
            tracing::warn!(code = error.code().as_str(), %error, "agent refused");
            reject(&mut socket, &error).await;
        }
        Err(Refusal::Socket(error)) => tracing::debug!(%error, "a handshake broke off"),
        Err(Refusal::Internal(why)) => tracing::error!(why, "a handshake failed on our side"),
    }
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

/// Why no session comes of a handshake.
pub(super) enum Refusal {
    Handshake(HandshakeError),
    Socket(tungstenite::Error),
    Internal(String),
}

impl From<HandshakeError> for Refusal {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

async fn shake_hands(node: &Node, socket: &mut Socket, peer: Option<Peer>) -> Result<Admitted, Refusal> {
    let mut nonce = [0_u8; NONCE_BYTES];
    rand::fill(&mut nonce).map_err(|_| Refusal::Internal("the system gave no random bytes".to_owned()))?;
    let (challenge, expect) = ExpectHello::begin(nonce, clock::now_ms());
    let exchange = async {
        socket.send(Message::text(challenge)).await.map_err(Refusal::Socket)?;
        let hello = read_text(socket).await?;
        let claimed = expect.handle_text(&hello)?;
        admit::admit(node, claimed, peer).await
    };
    match tokio::time::timeout(HANDSHAKE_DEADLINE, exchange).await {
        Ok(result) => result,
        Err(_) => Err(HandshakeError::TooSlow(HANDSHAKE_DEADLINE).into()),
    }
}

async fn read_text(socket: &mut Socket) -> Result<String, Refusal> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) if text.len() > HANDSHAKE_BYTES_MAX => {
                return Err(HandshakeError::TooLarge { bytes: text.len() }.into());
            }
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => {
                let reason = "a binary message where `hello` was due".to_owned();
                return Err(HandshakeError::Malformed { reason }.into());
            }
            Some(Ok(Message::Close(_))) | None => {
                return Err(Refusal::Socket(tungstenite::Error::ConnectionClosed));
            }
            Some(Err(error)) => return Err(Refusal::Socket(error)),
        }
    }
}

/// Takes the agent's seat first and looks once more whether it may: a revocation in between finds either the seat or us.
async fn welcome(node: Shared, admitted: Admitted, mut socket: Socket) {
    let Admitted { agent, verified, ticket } = admitted;
    let seat = node.uplinks.enter(&agent.agent_id, &agent.uplink, &agent.fingerprint);
    node.uplinks.set_fingerprints(&agent.agent_id, agent.fingerprints().map(str::to_owned).collect());
    node.uplinks.set_capabilities(&agent.agent_id, seat.session, &verified.hello.capabilities);
    let reseals = verified.can(RESEALING);
    let welcome = Welcome {
        session: seat.session,
        heartbeat_ms: u64::try_from(node.heartbeat.as_millis()).unwrap_or(u64::MAX),
        reconnect_spread_ms: u64::try_from(RECONNECT_SPREAD.as_millis()).unwrap_or(u64::MAX),
        limits: LinkLimits::default(),
        relay_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    if let Some(by) = &verified.hello.inspected_by {
        tracing::warn!(event = "link_inspected", agent = agent.agent_id, by = %by.escape_debug(), "a proxy on the premises' side decrypts the link");
    }
    let version = verified.hello.version.as_str();
    if let Err(error) = node.store.agent_seen(&agent.agent_id, Some(version), clock::now_ms()).await {
        tracing::warn!(agent = agent.agent_id, %error, "cannot note that the agent is here");
    }
    let agent_id = agent.agent_id.as_str().into();
    let refused = match enrolled(&node, &agent.agent_id).await {
        Ok(Some(agent)) if agent.stopped.is_some() => Some(HandshakeError::Cloned { agent_id }),
        Ok(Some(agent)) if agent.revoked_ms.is_none() => None,
        Ok(_) | Err(_) => Some(HandshakeError::Revoked { agent_id }),
    };
    if let Some(error) = refused {
        node.uplinks.leave(&agent.agent_id, seat.session);
        return reject(&mut socket, &error).await;
    }
    let sent = socket.send(Message::text(verified.welcome(welcome)));
    match tokio::time::timeout(HANDSHAKE_DEADLINE, sent).await {
        Ok(Ok(())) => super::run(node, Entrant { agent, ticket, reseals }, seat, socket).await,
        Ok(Err(_)) | Err(_) => node.uplinks.leave(&agent.agent_id, seat.session),
    }
}

async fn reject(socket: &mut Socket, error: &HandshakeError) {
    let code = error.code().as_str();
    let frame = CloseFrame { code: CloseCode::Rejected.number().into(), reason: code.into() };
    let farewell = async {
        socket.send(Message::text(error.reject().to_text())).await?;
        socket.close(Some(frame)).await?;
        // The other side's close is read, so that the refusal is not lost with the socket.
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<(), tungstenite::Error>(())
    };
    match tokio::time::timeout(REJECT_WAIT, farewell).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a refusal could not be sent"),
        Err(_) => tracing::debug!("a refused agent did not close the link"),
    }
}
