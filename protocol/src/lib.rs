//! The language of agent and relay, and nothing but the language: control messages, frames, handshake, flow control, keys
//! and sealed secrets. No socket, no file, no clock, no environment, no randomness of its own: time and random bytes are
//! arguments, so that everything here runs in virtual time and from a seed.
//!
//! # The contract of a state machine
//!
//! A [`link::Link`] has four kinds of method:
//!
//! - **getters**, which change nothing: [`Link::buffered`](link::Link::buffered), [`Link::bytes_sent`](link::Link::bytes_sent);
//! - **`handle_*`**, which tell it what happened: a text message, a binary message, the time that it asked to be woken at;
//! - **commands** of the application: [`Link::send`](link::Link::send), `open_stream` on the agent's side, `release` on the
//!   relay's;
//! - **`poll_*`**, which report what to do: [`Link::poll_transmit`](link::Link::poll_transmit),
//!   [`Link::poll_event`](link::Link::poll_event), [`Link::poll_timeout`](link::Link::poll_timeout).
//!
//! # The loop of a driver
//!
//! 1. Take every event from `poll_event` and hand it to the application.
//! 2. As long as the socket takes a message, write what `poll_transmit` gives. Do not gather messages in a queue of the
//!    driver's own: what has left the link can no longer be overtaken by a heartbeat.
//! 3. Wait for the first of: a message from the socket (`handle_text`, `handle_binary`), room in the socket, a command of the
//!    application (accept commands only while `has_room` says so), the time of `poll_timeout` (`handle_timeout`). Then start
//!    again at 1.
//!
//! A driver never stops reading the socket to slow the peer down: heartbeats would stop with the data. The windows do that.
//! An error of a `handle_*` method ends the link: close the WebSocket with [`error::LinkError::close_code`] and drop it.
//!
//! # From the first byte to the link
//!
//! WebSocket with the subprotocol of [`version`], then [`handshake`] (three text messages), then [`link`].
//!
//! Modules depend downwards only, in this order read from the end to the start.

pub mod ids;
pub mod limits;

pub mod error;
pub mod version;

pub mod backoff;
pub mod frame;
pub mod keys;
pub mod site;

pub mod enrol;
pub mod proof;
pub mod seal;
pub mod ticket;

pub mod landed;
pub mod spec;

pub mod manifest;

pub mod control;
pub mod handshake;

pub mod link;
