//! A session: one agent that is here, from its welcome to the end of its link. One task owns it. Whatever ends it, its runs go
//! back to the queue and its landings are waited for, so that a sweep never meets one.

pub(crate) mod accept;
pub(crate) mod admit;
mod driver;
#[cfg(test)]
mod identity_tests;
mod intake;
mod landing;
mod recorder;
mod sharing;
#[cfg(test)]
mod tests;

use crate::node::Shared;
use crate::run::drive::{self, ActiveRun};
use crate::store::Agent;
use crate::uplinks::{Cut, Order, Seat};
use protocol::error::{CloseCode, LinkError};
use protocol::ids::RunId;
use protocol::ticket::Ticket;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_tungstenite::tungstenite;

/// How long the end of a session waits for parts that are being written.
const LANDINGS_WAIT: Duration = Duration::from_secs(30);

/// The WebSocket under a link.
pub(crate) type Socket =
    tokio_tungstenite::WebSocketStream<hyper_util::rt::TokioIo<hyper::upgrade::Upgraded>>;

/// An agent that was welcomed.
pub(crate) struct Entrant {
    pub(crate) agent: Agent,
    /// The ticket to give it.
    pub(crate) ticket: Option<Ticket>,
    /// Whether it seals secrets again for others.
    pub(crate) reseals: bool,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ending {
    /// The agent said goodbye.
    #[error("the agent closed the link: {0}")]
    Goodbye(String),
    /// The WebSocket ended.
    #[error("the link was closed")]
    Closed,
    /// The network failed.
    #[error("the link broke: {0}")]
    Socket(#[from] tungstenite::Error),
    /// The protocol was broken, or nothing was heard.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The agent opened another session, or lost its right.
    #[error("{}", match .0 { Cut::Replaced => "a newer session of the same agent took over", Cut::Revoked => "the agent was revoked", Cut::Cloned => "another machine holds the same identity" })]
    Cut(Cut),
    /// The relay stops.
    #[error("the relay stops")]
    Drain,
    /// What the agent said cannot be kept.
    #[error("cannot keep what the agent said: {0}")]
    Store(String),
}

impl Ending {
    /// What the WebSocket is closed with, if it can still be closed.
    fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Goodbye(_) => Some(CloseCode::Normal),
            Self::Closed | Self::Socket(_) => None,
            Self::Link(error) => Some(error.close_code()),
            Self::Cut(Cut::Replaced) => Some(CloseCode::Replaced),
            Self::Cut(Cut::Revoked) => Some(CloseCode::Revoked),
            Self::Cut(Cut::Cloned) => Some(CloseCode::Cloned),
            Self::Drain => Some(CloseCode::GoingAway),
            Self::Store(_) => Some(CloseCode::InternalError),
        }
    }
}

/// Drives the link of a welcomed agent to its end and cleans up.
pub(crate) async fn run(node: Shared, entrant: Entrant, mut seat: Seat, socket: Socket) {
    let Entrant { agent, ticket, reseals } = entrant;
    tracing::info!(
        event = "agent_online",
        agent = agent.agent_id,
        name = agent.name,
        uplink = agent.uplink,
        session = seat.session,
        "agent online"
    );
    node.wake.notify_one();
    let mut driver = driver::Driver::new(node.clone(), (&agent, reseals), seat.session, socket);
    let ending = driver.run(&mut seat, ticket).await;
    driver.close(&ending).await;
    node.uplinks.leave(&agent.agent_id, seat.session);
    let (bytes_received, bytes_sent) = driver.bytes();
    tracing::info!(event = "agent_offline", agent = agent.agent_id, session = seat.session, reason = %ending, bytes_received, bytes_sent,
        "agent offline");
    let mut runs = driver.settle(LANDINGS_WAIT).await;
    let reason = format!("the link to agent {} ended: {ending}", agent.name);
    leave_orders(&mut seat, &mut runs);
    for run in runs.into_values() {
        drive::lose(&node, run.number, run.lease.0, &reason, run.progress.as_ref()).await;
    }
    let seen = node.store.agent_seen(&agent.agent_id, None, crate::clock::now_ms()).await;
    if let Err(error) = seen {
        tracing::warn!(agent = agent.agent_id, %error, "cannot note when the agent was seen");
    }
}

/// Runs whose order the session did not take any more are lost like the others.
fn leave_orders(seat: &mut Seat, runs: &mut BTreeMap<RunId, ActiveRun>) {
    seat.orders.close();
    while let Ok(order) = seat.orders.try_recv() {
        match order {
            Order::Start(assignment) => {
                runs.insert(drive::run_id(assignment.number), ActiveRun::new(&assignment));
            }
            // A cancelled run ends when it is lost; who asked a question sees its answer's channel close.
            Order::Cancel { .. } | Order::Test { .. } | Order::Discover(_) | Order::Peers => {}
        }
    }
}
