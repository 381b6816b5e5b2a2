//! Parents above the sub-task: on Cloud an issue may lie in an epic.

use std::collections::HashMap;

use super::super::catalog_generated::{EPIC, SUBTASK};
use super::super::generate::NO_SLOT;
use super::super::rng::Rng;
use super::super::site::Site;

/// The epic of each issue that lies in one, by slot.
#[derive(Debug, Default)]
pub(crate) struct Epics(HashMap<u32, u32>);

impl Epics {
    /// Puts about a third of the issues of a generated site into an epic made shortly before them.
    pub(super) fn generated(site: &Site, seed: u64) -> Self {
        let mut epics = HashMap::new();
        for slot in 0..site.slot_count() {
            let kind = site.slim(slot).kind;
            if kind == EPIC || kind == SUBTASK || site.slim(slot).parent != NO_SLOT {
                continue;
            }
            let mut rng = Rng::new(seed, u64::from(slot) * 16 + 12);
            if rng.percent(35) {
                let before = (slot.saturating_sub(40)..slot).rev();
                let epic = before.skip(rng.index(12)).find(|other| site.slim(*other).kind == EPIC);
                epics.extend(epic.map(|epic| (slot, epic)));
            }
        }
        Self(epics)
    }

    /// The epic that an issue lies in.
    pub(crate) fn of(&self, slot: u32) -> Option<u32> {
        self.0.get(&slot).copied()
    }

    /// Puts an issue into an epic, or into none.
    pub(crate) fn set(&mut self, slot: u32, epic: Option<u32>) {
        match epic {
            Some(epic) => self.0.insert(slot, epic),
            None => self.0.remove(&slot),
        };
    }

    /// A deleted issue lies in no epic, and nothing lies in it.
    pub(crate) fn forget(&mut self, slot: u32) {
        self.0.retain(|child, epic| *child != slot && *epic != slot);
    }
}
