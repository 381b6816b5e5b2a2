//! Between socket and link.

use super::super::{Ending, Socket};
use futures_util::{SinkExt, StreamExt};
use protocol::link::{RelayLink, Transmit};
use std::task::{Context, Poll};
use tokio_tungstenite::tungstenite::Message;

/// Writes what the link has as long as the socket takes it, then reads. The socket remembers both wakers, so this is called
/// again when either side can go on; dropped between two calls, it loses nothing.
pub(super) fn poll_socket(
    socket: &mut Socket,
    link: &mut RelayLink,
    cx: &mut Context<'_>,
) -> Poll<Result<Message, Ending>> {
    while socket.poll_ready_unpin(cx)?.is_ready() {
        let Some(message) = link.poll_transmit() else { break };
        socket.start_send_unpin(into_message(message))?;
    }
    // Pending is fine: the socket wakes us when it can write on.
    let _flushing = socket.poll_flush_unpin(cx)?;
    match socket.poll_next_unpin(cx) {
        Poll::Ready(Some(message)) => Poll::Ready(message.map_err(Ending::from)),
        Poll::Ready(None) => Poll::Ready(Err(Ending::Closed)),
        Poll::Pending => Poll::Pending,
    }
}

pub(super) fn into_message(transmit: Transmit) -> Message {
    match transmit {
        Transmit::Text(text) => Message::text(text),
        Transmit::Binary(bytes) => Message::binary(bytes),
    }
}

/// A close reason has at most 123 bytes.
pub(super) fn short(text: &str) -> String {
    let mut short = String::new();
    for c in text.chars() {
        if short.len() + c.len_utf8() > 120 {
            break;
        }
        short.push(c);
    }
    short
}
