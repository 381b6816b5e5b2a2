//! Whose word a message is.

use protocol::control::AgentMessage;
use protocol::ids::{Lease, RunId};

/// Whose word a message is.
pub(crate) fn run_of(message: &AgentMessage) -> Option<(&RunId, Lease)> {
    match message {
        AgentMessage::Checkpoint { run, lease, .. }
        | AgentMessage::Progress { run, lease, .. }
        | AgentMessage::RunLog { run, lease, .. }
        | AgentMessage::RunFinished { run, lease, .. }
        | AgentMessage::RunFailed { run, lease, .. }
        | AgentMessage::AskLanded { run, lease, .. }
        | AgentMessage::RunHandedBack { run, lease, .. } => Some((run, *lease)),
        AgentMessage::PartBegin { .. }
        | AgentMessage::TestResult { .. }
        | AgentMessage::Discovered { .. }
        | AgentMessage::Health { .. }
        | AgentMessage::TicketStored { .. }
        | AgentMessage::OfferKeys { .. }
        | AgentMessage::TakeKeys { .. }
        | AgentMessage::AskReseal { .. }
        | AgentMessage::Resealed { .. }
        | AgentMessage::UnknownMessage { .. }
        | AgentMessage::Beat { .. }
        | AgentMessage::BeatAck { .. }
        | AgentMessage::Goodbye { .. } => None,
    }
}
