//! The bookkeeping of one run, without I/O: which parts are on their way, which units are complete, when a checkpoint may be sent and
//! when the run is over.
//!
//! A unit's checkpoint is due when the engine has ended the unit and all its parts are acknowledged. The run is over when the engine
//! has ended and every checkpoint is stored. Parts may be acknowledged in any order, also after their unit's end.

use jira::{CheckpointEntry, UnitId};
use protocol::ids::{Lease, PartId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most parts on their way at once: small parts must not pile up either.
const MAX_PARTS_IN_FLIGHT: usize = 64;
/// Most checkpoints that the relay has not yet stored.
const MAX_CHECKPOINTS_IN_FLIGHT: usize = 64;

/// One run's account.
#[derive(Debug)]
pub(crate) struct Ledger {
    lease: Lease,
    next_part: u64,
    next_checkpoint: u64,
    in_flight: BTreeMap<PartId, UnitId>,
    units: BTreeMap<UnitId, OpenUnit>,
    unstored: BTreeSet<u64>,
    due: VecDeque<DueCheckpoint>,
    engine_ended: bool,
}

#[derive(Debug, Default)]
struct OpenUnit {
    parts: Vec<PartId>,
    landed: usize,
    /// The engine's note, once it has ended the unit.
    entry: Option<CheckpointEntry>,
}

/// A checkpoint that may be sent.
#[derive(Debug)]
pub(crate) struct DueCheckpoint {
    pub(crate) sequence: u64,
    pub(crate) entry: CheckpointEntry,
    pub(crate) parts: Vec<PartId>,
}

/// The engine or the relay broke the rules; the run cannot be exact any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error("unit {unit} ended with {counted} parts where {announced} were announced")]
    PartsMissing { unit: UnitId, counted: usize, announced: u32 },
    #[error("unit {0} ended twice")]
    EndedTwice(UnitId),
    #[error("the extraction ended while unit {0} was open")]
    UnitOpen(UnitId),
}

impl Ledger {
    pub(crate) fn new(lease: Lease) -> Self {
        Self {
            lease,
            next_part: 0,
            next_checkpoint: 0,
            in_flight: BTreeMap::new(),
            units: BTreeMap::new(),
            unstored: BTreeSet::new(),
            due: VecDeque::new(),
            engine_ended: false,
        }
    }

    /// Whether the engine may be asked for more.
    pub(crate) fn may_pull(&self) -> bool {
        !self.engine_ended
            && self.in_flight.len() < MAX_PARTS_IN_FLIGHT
            && self.unstored.len() < MAX_CHECKPOINTS_IN_FLIGHT
    }

    /// A part is about to be sent; gives its name.
    pub(crate) fn handle_part(&mut self, unit: &UnitId) -> PartId {
        let part = PartId::new(self.lease, self.next_part);
        self.next_part += 1;
        self.in_flight.insert(part.clone(), unit.clone());
        self.units.entry(unit.clone()).or_default().parts.push(part.clone());
        part
    }

    /// The engine ended a unit that has `announced` parts.
    ///
    /// # Errors
    /// When the parts met do not agree.
    pub(crate) fn handle_unit_done(
        &mut self,
        unit: &UnitId,
        entry: CheckpointEntry,
        announced: u32,
    ) -> Result<(), LedgerError> {
        let open = self.units.entry(unit.clone()).or_default();
        let counted = open.parts.len();
        if open.entry.is_some() {
            return Err(LedgerError::EndedTwice(unit.clone()));
        }
        if u32::try_from(counted) != Ok(announced) {
            return Err(LedgerError::PartsMissing { unit: unit.clone(), counted, announced });
        }
        open.entry = Some(entry);
        self.close_if_landed(unit);
        Ok(())
    }

    /// The engine has nothing more.
    ///
    /// # Errors
    /// When a unit was not ended.
    pub(crate) fn handle_engine_end(&mut self) -> Result<(), LedgerError> {
        if let Some((unit, _)) = self.units.iter().find(|(_, open)| open.entry.is_none()) {
            return Err(LedgerError::UnitOpen(unit.clone()));
        }
        self.engine_ended = true;
        Ok(())
    }

    /// The relay acknowledged a part. `false` when no such part is on its way: a late or made-up message, without effect.
    pub(crate) fn handle_landed(&mut self, part: &PartId) -> bool {
        let Some(unit) = self.in_flight.remove(part) else { return false };
        if let Some(open) = self.units.get_mut(&unit) {
            open.landed += 1;
        }
        self.close_if_landed(&unit);
        true
    }

    /// The relay stored a checkpoint. `false` when none of that number is waited for.
    pub(crate) fn handle_stored(&mut self, sequence: u64) -> bool {
        self.unstored.remove(&sequence)
    }

    /// The next checkpoint to send.
    pub(crate) fn poll_checkpoint(&mut self) -> Option<DueCheckpoint> {
        self.due.pop_front()
    }

    /// Whether everything is read, acknowledged and stored.
    pub(crate) fn is_complete(&self) -> bool {
        self.engine_ended && self.units.is_empty() && self.due.is_empty() && self.unstored.is_empty()
    }

    fn close_if_landed(&mut self, unit: &UnitId) {
        let whole =
            self.units.get(unit).is_some_and(|open| open.entry.is_some() && open.landed == open.parts.len());
        if !whole {
            return;
        }
        let Some(OpenUnit { parts, entry: Some(entry), .. }) = self.units.remove(unit) else { return };
        let sequence = self.next_checkpoint;
        self.next_checkpoint += 1;
        self.unstored.insert(sequence);
        self.due.push_back(DueCheckpoint { sequence, entry, parts });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str) -> UnitId {
        UnitId::new(name)
    }

    fn entry(name: &str) -> CheckpointEntry {
        CheckpointEntry(serde_json::json!(name))
    }

    #[test]
    fn a_checkpoint_waits_for_the_last_part_of_its_unit() {
        let mut ledger = Ledger::new(Lease(3));
        let first = ledger.handle_part(&unit("a"));
        let second = ledger.handle_part(&unit("a"));
        ledger.handle_unit_done(&unit("a"), entry("a"), 2).unwrap();
        assert!(ledger.handle_landed(&second));
        assert!(ledger.poll_checkpoint().is_none());
        assert!(ledger.handle_landed(&first));
        let due = ledger.poll_checkpoint().unwrap();
        assert_eq!((due.sequence, due.parts, due.entry.0), (0, vec![first, second], serde_json::json!("a")));
    }

    #[test]
    fn a_checkpoint_waits_for_the_end_of_its_unit() {
        let mut ledger = Ledger::new(Lease(1));
        let part = ledger.handle_part(&unit("a"));
        ledger.handle_landed(&part);
        assert!(ledger.poll_checkpoint().is_none());
        ledger.handle_unit_done(&unit("a"), entry("a"), 1).unwrap();
        assert!(ledger.poll_checkpoint().is_some());
    }

    #[test]
    fn units_may_end_in_any_order_and_mixed() {
        let mut ledger = Ledger::new(Lease(1));
        let (a, b) = (ledger.handle_part(&unit("a")), ledger.handle_part(&unit("b")));
        ledger.handle_unit_done(&unit("b"), entry("b"), 1).unwrap();
        ledger.handle_landed(&a);
        ledger.handle_landed(&b);
        assert_eq!(ledger.poll_checkpoint().unwrap().entry.0, serde_json::json!("b"));
        ledger.handle_unit_done(&unit("a"), entry("a"), 1).unwrap();
        assert_eq!(ledger.poll_checkpoint().unwrap().sequence, 1);
    }

    #[test]
    fn a_unit_without_parts_is_checkpointed_at_once() {
        let mut ledger = Ledger::new(Lease(1));
        ledger.handle_unit_done(&unit("empty"), entry("empty"), 0).unwrap();
        assert!(ledger.poll_checkpoint().unwrap().parts.is_empty());
    }

    #[test]
    fn the_run_is_over_when_the_last_checkpoint_is_stored() {
        let mut ledger = Ledger::new(Lease(1));
        let part = ledger.handle_part(&unit("a"));
        ledger.handle_unit_done(&unit("a"), entry("a"), 1).unwrap();
        ledger.handle_engine_end().unwrap();
        assert!(!ledger.may_pull() && !ledger.is_complete());
        ledger.handle_landed(&part);
        assert!(!ledger.is_complete());
        let sequence = ledger.poll_checkpoint().unwrap().sequence;
        assert!(!ledger.is_complete());
        assert!(ledger.handle_stored(sequence));
        assert!(ledger.is_complete());
    }

    #[test]
    fn made_up_and_repeated_acknowledgements_have_no_effect() {
        let mut ledger = Ledger::new(Lease(2));
        let part = ledger.handle_part(&unit("a"));
        assert!(!ledger.handle_landed(&PartId::new(Lease(1), 0)), "of an older lease");
        assert!(!ledger.handle_landed(&PartId("x".to_owned())), "made up");
        assert!(ledger.handle_landed(&part));
        assert!(!ledger.handle_landed(&part), "repeated");
        assert!(!ledger.handle_stored(0), "nothing was sent");
        ledger.handle_unit_done(&unit("a"), entry("a"), 1).unwrap();
        assert_eq!(ledger.poll_checkpoint().unwrap().parts.len(), 1);
        assert!(ledger.poll_checkpoint().is_none());
    }

    #[test]
    fn a_lost_part_is_noticed_at_the_end_of_its_unit() {
        let mut ledger = Ledger::new(Lease(1));
        ledger.handle_part(&unit("a"));
        let error = ledger.handle_unit_done(&unit("a"), entry("a"), 2).unwrap_err();
        assert_eq!(error, LedgerError::PartsMissing { unit: unit("a"), counted: 1, announced: 2 });
    }

    #[test]
    fn an_open_unit_is_noticed_at_the_end_of_the_extraction() {
        let mut ledger = Ledger::new(Lease(1));
        ledger.handle_part(&unit("a"));
        assert_eq!(ledger.handle_engine_end(), Err(LedgerError::UnitOpen(unit("a"))));
    }

    #[test]
    fn names_of_parts_carry_the_lease() {
        let name = |lease| Ledger::new(Lease(lease)).handle_part(&unit("a"));
        assert_ne!(name(1), name(2));
        assert!(name(7).is_well_formed());
    }

    #[test]
    fn the_engine_stands_still_while_too_much_is_unacknowledged() {
        let mut ledger = Ledger::new(Lease(1));
        let parts: Vec<_> = (0..MAX_PARTS_IN_FLIGHT).map(|_| ledger.handle_part(&unit("a"))).collect();
        assert!(!ledger.may_pull());
        ledger.handle_landed(&parts[0]);
        assert!(ledger.may_pull());
        for n in 0..MAX_CHECKPOINTS_IN_FLIGHT {
            ledger.handle_unit_done(&unit(&format!("u{n}")), entry("u"), 0).unwrap();
        }
        assert!(!ledger.may_pull());
        ledger.handle_stored(0);
        assert!(ledger.may_pull());
    }
}
