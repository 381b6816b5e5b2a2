//! What is said about the agent's own identity.

use super::{Driver, Ending, TURN_EVERY};
use crate::session::recorder::Record;
use protocol::control::{AgentMessage, RelayMessage};
use protocol::ticket::Ticket;

impl Driver {
    /// An agent that keeps no tickets is ready at once, any other when it has stored the ticket.
    pub(super) fn hand_ticket(&mut self, ticket: Option<Ticket>) -> Result<(), Ending> {
        match ticket {
            Some(ticket) => {
                self.turn_at = Some(tokio::time::Instant::now() + TURN_EVERY);
                self.link.send(&RelayMessage::NextTicket { ticket })?;
            }
            None => self.ready()?,
        }
        Ok(())
    }

    pub(super) fn ready(&mut self) -> Result<(), Ending> {
        tracing::debug!(
            event = "agent_ready",
            agent = self.agent_id,
            session = self.session,
            "the agent may get work"
        );
        self.node.uplinks.set_ready(&self.agent_id, self.session);
        self.node.wake.notify_one();
        self.tell_peers()
    }

    /// Which other agents the uplink has; an agent that seals nothing again is not told.
    pub(super) fn tell_peers(&mut self) -> Result<(), Ending> {
        if self.reseals {
            self.record(Record::Peers { agent_id: self.agent_id.clone() })?;
        }
        Ok(())
    }

    /// A word of the agent about its identity.
    pub(super) fn identity_word(&mut self, message: AgentMessage) -> Result<(), Ending> {
        let agent_id = self.agent_id.clone();
        match message {
            AgentMessage::TicketStored { ticket } => self.record(Record::TicketStored { agent_id, ticket }),
            other => self.record(Record::Sharing { agent_id, message: Box::new(other) }),
        }
    }
}
