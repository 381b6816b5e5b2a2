//! The handshake over a socket: three text messages before anything else.

use futures_util::{SinkExt, StreamExt};
use protocol::handshake::{Challenge, Established, ExpectChallenge, HandshakeError, Introduction, Reject};
use protocol::keys::SigningKey;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GreetingError {
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("the relay closed the connection in the middle of the handshake{0}")]
    Closed(String),
    #[error("the connection broke in the middle of the handshake: {0}")]
    Broken(String),
    #[error("the relay sent data before the handshake was over; it is no relay, or of another version")]
    NoText,
    #[error("the handshake took longer than {} ms", .0.as_millis())]
    TooSlow(Duration),
}

impl GreetingError {
    /// The stable code of the failure.
    pub(crate) fn code(&self) -> String {
        match self {
            GreetingError::Handshake(error) => format!("handshake_{}", error.code().as_str()),
            GreetingError::Closed(_) | GreetingError::Broken(_) => "handshake_broken".to_owned(),
            GreetingError::NoText => "handshake_malformed".to_owned(),
            GreetingError::TooSlow(_) => "handshake_timeout".to_owned(),
        }
    }

    /// The relay's own no.
    pub(crate) fn rejection(&self) -> Option<&Reject> {
        match self {
            GreetingError::Handshake(HandshakeError::Rejected(reject)) => Some(reject),
            _ => None,
        }
    }
}

/// Proves who this agent is.
///
/// # Errors
/// When the relay refuses, or the messages do not come as they should.
pub(super) async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    introduction: Introduction,
    key: &SigningKey,
) -> Result<Established, GreetingError> {
    let challenge = next_text(socket).await?;
    let (hello, expect_welcome) = ExpectChallenge::new(introduction).handle_text(&challenge, key)?;
    socket.send(Message::text(hello)).await.map_err(|error| GreetingError::Broken(error.to_string()))?;
    Ok(expect_welcome.handle_text(&next_text(socket).await?)?)
}

/// Waits for the relay's challenge and answers nothing: proof of a relay that starts no session.
///
/// # Errors
/// When something else comes, or nothing.
pub(crate) async fn hear_challenge<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> Result<Challenge, GreetingError> {
    Ok(Challenge::read(&next_text(socket).await?)?)
}

async fn next_text<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> Result<String, GreetingError> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => return Err(GreetingError::NoText),
            Some(Ok(Message::Close(frame))) => {
                let why =
                    frame.map(|frame| format!(" ({} {})", u16::from(frame.code), frame.reason.as_str()));
                return Err(GreetingError::Closed(why.unwrap_or_default()));
            }
            Some(Err(error)) => return Err(GreetingError::Broken(error.to_string())),
            None => return Err(GreetingError::Closed(String::new())),
        }
    }
}
