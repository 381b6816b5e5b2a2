//! Epoch tickets: how a copied identity is noticed. A key can be copied and nobody sees it; a ticket can be used by one
//! holder only. The relay keeps two live tickets of an agent, `current` and `next`. At each connect the agent presents what
//! it holds, the relay issues a next one, and the agent stores that durably before it says so and before it ever presents it.
//!
//! ```text
//!  agent holds c                 relay keeps (current c)
//!    hello, presents c   ----->  (c, next n)            n is durable before it is sent
//!    stores n, fsync     <-----  next_ticket n
//!    ticket_stored n     ----->  (n)                    only now the agent gets work
//! ```
//!
//! Whatever is lost or crashes in between, the one honest holder has `current` or `next`, and both are accepted. Of two holders
//! only one can store the next ticket: as soon as it has done so, the other presents one that is neither.

use aws_lc_rs::constant_time;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bytes of a ticket's random half.
pub const TICKET_BYTES: usize = 16;
/// The name of this feature, in the relay's challenge and among the agent's capabilities.
pub const TICKETS: &str = "tickets";
/// Longer than any text of a ticket.
const TEXT_BYTES_MAX: usize = 64;
/// An epoch above this could not be counted on from in a database.
const EPOCH_MAX: u64 = 1 << 53;

/// One ticket: its number and its random half. Debug shows the number only.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ticket {
    epoch: u64,
    random: [u8; TICKET_BYTES],
}

/// The text is no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a ticket is a number, a dot and 22 characters of base64")]
pub struct NoTicket;

impl Ticket {
    /// Counts up with each ticket that the relay issues to one agent.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Reads the text of a ticket.
    pub fn parse(text: &str) -> Result<Self, NoTicket> {
        let (epoch, random) =
            text.split_once('.').filter(|_| text.len() <= TEXT_BYTES_MAX).ok_or(NoTicket)?;
        let epoch = epoch.parse().ok().filter(|epoch| (1..=EPOCH_MAX).contains(epoch)).ok_or(NoTicket)?;
        let random = URL_SAFE_NO_PAD.decode(random).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(Self { epoch, random: random.ok_or(NoTicket)? })
    }

    /// The text on the wire and on disk.
    pub fn to_text(&self) -> String {
        format!("{}.{}", self.epoch, URL_SAFE_NO_PAD.encode(self.random))
    }
}

impl PartialEq for Ticket {
    fn eq(&self, other: &Self) -> bool {
        let same = constant_time::verify_slices_are_equal(&self.random, &other.random).is_ok();
        same && self.epoch == other.epoch
    }
}

impl Eq for Ticket {}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({}, ..)", self.epoch)
    }
}

impl TryFrom<String> for Ticket {
    type Error = NoTicket;

    fn try_from(text: String) -> Result<Self, NoTicket> {
        Self::parse(&text)
    }
}

impl From<Ticket> for String {
    fn from(ticket: Ticket) -> Self {
        ticket.to_text()
    }
}

/// What gives a second holder away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecondHolder {
    /// A ticket that another holder has replaced.
    #[error(
        "it presented ticket {presented}, which another holder has already exchanged for ticket {newest}"
    )]
    Outdated {
        /// The ticket's number.
        presented: u64,
        /// The newest that was issued.
        newest: u64,
    },
    /// No ticket, though this identity was given one.
    #[error("it presented no ticket, though this identity was given ticket {newest}")]
    Missing {
        /// The newest that was issued.
        newest: u64,
    },
}

/// The relay's side: the live tickets of one agent. Every change is to be durable before its consequence leaves the relay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssuedTickets {
    /// The number of the newest ticket ever issued.
    newest: u64,
    current: Option<Ticket>,
    next: Option<Ticket>,
}

impl IssuedTickets {
    /// As they were kept.
    pub fn restore(newest: u64, current: Option<Ticket>, next: Option<Ticket>) -> Self {
        Self { newest, current, next }
    }

    /// The number of the newest ticket ever issued.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// The ticket that the agent is known to hold; `None` before the first one is stored.
    pub fn current(&self) -> Option<&Ticket> {
        self.current.as_ref()
    }

    /// The ticket that was issued and of which nobody knows whether it was stored.
    pub fn next(&self) -> Option<&Ticket> {
        self.next.as_ref()
    }

    /// An agent has proven its key and presents this. Presenting `next` proves that it was stored.
    pub fn handle_presented(&mut self, presented: Option<&Ticket>) -> Result<(), SecondHolder> {
        let newest = self.newest;
        match presented {
            Some(ticket) if self.handle_stored(ticket) || self.current.as_ref() == Some(ticket) => Ok(()),
            // Nothing is known of any holder: whoever stores a ticket first counts.
            _ if self.current.is_none() => {
                self.newest = newest.max(presented.map_or(0, Ticket::epoch));
                Ok(())
            }
            Some(ticket) => Err(SecondHolder::Outdated { presented: ticket.epoch, newest }),
            None => Err(SecondHolder::Missing { newest }),
        }
    }

    /// Issues a ticket of these fresh random bytes to an agent that has just presented one. One that was issued before and not stored counts as old from now on.
    pub fn issue(&mut self, random: [u8; TICKET_BYTES]) -> Ticket {
        self.newest = self.newest.saturating_add(1).min(EPOCH_MAX);
        let ticket = Ticket { epoch: self.newest, random };
        self.next = Some(ticket.clone());
        ticket
    }

    /// Issues a ticket on a link that lives long. Not while an earlier one is on its way: the agent may have stored that one
    /// already, and would present what counts as old.
    pub fn turn(&mut self, random: [u8; TICKET_BYTES]) -> Option<Ticket> {
        self.next.is_none().then(|| self.issue(random))
    }

    /// The agent says that this ticket is durable. Whether it is the one that was waited for.
    pub fn handle_stored(&mut self, ticket: &Ticket) -> bool {
        let awaited = self.next.as_ref() == Some(ticket);
        if awaited {
            self.current = self.next.take();
        }
        awaited
    }

    /// A person vouches for the identity: whoever connects first is its holder from then on.
    pub fn forget(&mut self) {
        (self.current, self.next) = (None, None);
    }
}

/// The agent's side: the one ticket that it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldTicket {
    held: Option<Ticket>,
}

impl HeldTicket {
    /// As it was stored.
    pub fn restore(held: Option<Ticket>) -> Self {
        Self { held }
    }

    /// What to present at a connect.
    pub fn present(&self) -> Option<&Ticket> {
        self.held.as_ref()
    }

    /// Whether an issued ticket is to be stored. One that is not newer was overtaken by another link of this agent and is
    /// ignored: storing it would bring an old ticket back.
    pub fn wants(&self, issued: &Ticket) -> bool {
        self.held.as_ref().is_none_or(|held| held.epoch < issued.epoch)
    }

    /// The ticket is durable: from now on it is presented, and the relay may be told.
    pub fn handle_durable(&mut self, ticket: Ticket) {
        if self.wants(&ticket) {
            self.held = Some(ticket);
        }
    }
}

#[cfg(test)]
mod tests;
