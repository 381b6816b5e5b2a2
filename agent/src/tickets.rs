//! The epoch ticket of this agent (`protocol::ticket`): on disk before it is presented. A copy of the state folder holds the same
//! ticket, and only one of the two can exchange it for the next.

use crate::error::Error;
use crate::paths::Paths;
use crate::private_file::{self, Durability};
use protocol::ids::AgentId;
use protocol::ticket::{HeldTicket, Ticket};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// The ticket of one identity. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Tickets {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    agent_id: AgentId,
    held: Mutex<HeldTicket>,
    /// One handshake of this agent at a time: two that present the same ticket would look like two machines.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// The right to present the ticket and to store the next one.
pub(crate) type Turn = OwnedMutexGuard<()>;

/// The content of the ticket file. A ticket of another identity is of no use, so an enrolment need not remove it.
#[derive(Serialize, Deserialize)]
struct Stored {
    agent_id: AgentId,
    ticket: Ticket,
}

impl Tickets {
    /// The ticket of the state folder, if it is of this agent.
    ///
    /// # Errors
    /// When others can read the file, or it is damaged.
    pub(crate) fn load(paths: &Paths, agent_id: &AgentId) -> Result<Self, Error> {
        let path = paths.ticket();
        let held = Mutex::new(HeldTicket::restore(read(&path, agent_id)?));
        Ok(Self { inner: Arc::new(Inner { path, agent_id: agent_id.clone(), held, turn: Arc::default() }) })
    }

    /// Whose tickets these are.
    pub(crate) fn agent_id(&self) -> &AgentId {
        &self.inner.agent_id
    }

    /// Waits for the right to present the ticket.
    pub(crate) async fn turn(&self) -> Turn {
        Arc::clone(&self.inner.turn).lock_owned().await
    }

    /// The right to store a ticket in the middle of a link, if no other link of this agent is shaking hands.
    pub(crate) fn try_turn(&self) -> Option<Turn> {
        Arc::clone(&self.inner.turn).try_lock_owned().ok()
    }

    /// What to present.
    pub(crate) fn present(&self) -> Option<Ticket> {
        self.lock().present().cloned()
    }

    /// Stores an issued ticket; blocks until it is durable. Whether it counts: one that was overtaken does not.
    ///
    /// # Errors
    /// When the disk does not take it. The old one is presented again then, which the relay accepts.
    pub(crate) fn store(&self, ticket: &Ticket) -> Result<bool, Error> {
        if !self.lock().wants(ticket) {
            return Ok(self.lock().present() == Some(ticket));
        }
        let stored = Stored { agent_id: self.inner.agent_id.clone(), ticket: ticket.clone() };
        let text = serde_json::to_vec(&stored)
            .map_err(|error| Error::System { action: "write the ticket", reason: error.to_string() })?;
        let written = private_file::write(&self.inner.path, &text, Durability::Synced);
        if written.is_err() {
            // Whatever stands there now is what the next start would present.
            *self.lock() = HeldTicket::restore(read(&self.inner.path, &self.inner.agent_id)?);
            return written.map(|()| false);
        }
        self.lock().handle_durable(ticket.clone());
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, HeldTicket> {
        self.inner.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path, agent_id: &AgentId) -> Result<Option<Ticket>, Error> {
    let Some(bytes) = private_file::read(path)? else { return Ok(None) };
    let stored = serde_json::from_slice::<Stored>(&bytes).map_err(|error| {
        let reason = format!("line {}, column {}", error.line(), error.column());
        Error::IdentityDamaged { path: path.to_owned(), reason }
    })?;
    Ok(Some(stored).filter(|stored| stored.agent_id == *agent_id).map(|stored| stored.ticket))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::tests::paths_in;

    /// No ticket, and nowhere to store one.
    pub(crate) fn none() -> Tickets {
        Tickets::load(&paths_in(Path::new("/nonexistent")), &AgentId::from("agent_1")).unwrap()
    }

    fn ticket(epoch: u64) -> Ticket {
        Ticket::parse(&format!("{epoch}.BwcHBwcHBwcHBwcHBwcHBw")).unwrap()
    }

    #[test]
    fn a_stored_ticket_is_presented_after_a_restart_by_this_identity_only() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let own = AgentId::from("agent_1");
        let tickets = Tickets::load(&paths, &own).unwrap();
        assert_eq!(tickets.present(), None);
        assert!(tickets.store(&ticket(2)).unwrap() && tickets.store(&ticket(2)).unwrap());
        assert!(!tickets.store(&ticket(1)).unwrap());
        assert_eq!(Tickets::load(&paths, &own).unwrap().present(), Some(ticket(2)));
        assert_eq!(Tickets::load(&paths, &AgentId::from("agent_2")).unwrap().present(), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_ticket_that_the_disk_does_not_take_is_not_presented() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(&place.path().join("gone"));
        let tickets = Tickets::load(&paths, &AgentId::from("agent_1")).unwrap();
        assert!(tickets.store(&ticket(2)).is_err());
        assert_eq!(tickets.present(), None);
    }

    #[test]
    fn a_damaged_ticket_is_named_without_its_content() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        private_file::write(&paths.ticket(), b"{\"ticket\":\"hunter2\"", Durability::Synced).unwrap();
        let message = Tickets::load(&paths, &AgentId::from("agent_1")).unwrap_err().to_string();
        assert!(message.contains("ticket.json") && !message.contains("hunter2"), "{message}");
    }
}
