//! Questions what a run would read, and the pieces of their answers.

use crate::uplinks::{Found, Look};
use protocol::control::{DiscoveredTable, DiscoveryReport, RelayMessage};
use protocol::ids::RequestId;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// Questions that wait for their answer at one agent.
const WAITING_MAX: usize = 4;
/// Messages of one answer at most: more than the largest site needs, and a bound for a peer that never ends.
const MESSAGES_MAX: usize = 256;

/// The questions of one session.
#[derive(Default)]
pub(super) struct Discoveries {
    asked: u64,
    waiting: BTreeMap<RequestId, Waiting>,
}

struct Waiting {
    answer: oneshot::Sender<Found>,
    tables: Vec<DiscoveredTable>,
    messages: usize,
}

impl Discoveries {
    /// The message that asks; `None` when too many wait, and then the asker hears that nobody answers.
    pub(super) fn ask(&mut self, session: u64, look: Look) -> Option<RelayMessage> {
        self.waiting.retain(|_, waiting| !waiting.answer.is_closed());
        if self.waiting.len() >= WAITING_MAX {
            return None;
        }
        let Look { connection, extraction, rows, answer } = look;
        self.asked += 1;
        let request = RequestId(format!("discovery_{session}_{}", self.asked));
        self.waiting.insert(request.clone(), Waiting { answer, tables: Vec::new(), messages: 0 });
        Some(RelayMessage::Discover { request, connection, extraction, rows })
    }

    /// Takes a piece of an answer.
    pub(super) fn handle(
        &mut self,
        request: &RequestId,
        tables: Vec<DiscoveredTable>,
        report: Option<DiscoveryReport>,
    ) {
        let Some(waiting) = self.waiting.get_mut(request) else { return };
        waiting.messages += 1;
        if waiting.messages > MESSAGES_MAX {
            tracing::warn!(request = %request, "an agent's answer to a discovery does not end");
            self.waiting.remove(request);
            return;
        }
        tables.into_iter().for_each(|piece| piece.join(&mut waiting.tables));
        let Some(report) = report else { return };
        let Some(waiting) = self.waiting.remove(request) else { return };
        if waiting.answer.send(Found { tables: waiting.tables, report }).is_err() {
            tracing::debug!(request = %request, "nobody waits for this discovery any more");
        }
    }
}
