//! Which parts of which unit have landed: pure accounting. A unit's checkpoint is due when its end was told and all its parts are durable.

use crate::store::StoredPart;
use jira::{CheckpointEntry, UnitId};
use std::collections::HashMap;

/// The units of a run that are not checkpointed yet.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    units: HashMap<UnitId, Unit>,
}

#[derive(Debug, Default)]
struct Unit {
    landed: Vec<StoredPart>,
    told: Option<(CheckpointEntry, u32)>,
}

/// A unit whose parts are all durable.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) entry: CheckpointEntry,
    pub(super) parts: Vec<StoredPart>,
}

impl Ledger {
    /// A part is durable.
    pub(super) fn handle_landed(&mut self, unit: UnitId, part: StoredPart) -> Option<Due> {
        self.units.entry(unit.clone()).or_default().landed.push(part);
        self.due(&unit)
    }

    /// The engine told the end of a unit.
    pub(super) fn handle_unit_done(
        &mut self,
        unit: UnitId,
        entry: CheckpointEntry,
        parts: u32,
    ) -> Option<Due> {
        self.units.entry(unit.clone()).or_default().told = Some((entry, parts));
        self.due(&unit)
    }

    /// Whether every unit is checkpointed.
    pub(super) fn is_settled(&self) -> bool {
        self.units.is_empty()
    }

    fn due(&mut self, unit: &UnitId) -> Option<Due> {
        let known = self.units.get(unit)?;
        let (_, parts) = known.told.as_ref()?;
        if usize::try_from(*parts).ok()? != known.landed.len() {
            return None;
        }
        let Unit { landed, told } = self.units.remove(unit)?;
        told.map(|(entry, _)| Due { entry, parts: landed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part(name: &str) -> StoredPart {
        StoredPart {
            part: name.to_owned(),
            table: "issues".to_owned(),
            generation: 0,
            rows: 1,
            bytes: 1,
            columns: 1,
            path: name.to_owned(),
        }
    }

    #[test]
    fn a_unit_is_due_when_its_end_is_told_and_all_its_parts_have_landed_in_any_order() {
        let (unit, other) = (UnitId::new("base-0-1"), UnitId::new("base-0-2"));
        let entry = || CheckpointEntry(json!({"kind": "unit"}));
        let mut ledger = Ledger::default();
        assert!(ledger.handle_landed(unit.clone(), part("a")).is_none());
        assert!(ledger.handle_unit_done(unit.clone(), entry(), 2).is_none());
        assert!(ledger.handle_landed(other.clone(), part("c")).is_none());
        assert_eq!(ledger.handle_landed(unit, part("b")).unwrap().parts, [part("a"), part("b")]);
        assert!(!ledger.is_settled());
        assert_eq!(ledger.handle_unit_done(other, entry(), 1).unwrap().parts, [part("c")]);
        assert!(ledger.handle_unit_done(UnitId::new("plan-0-0"), entry(), 0).is_some());
        assert!(ledger.is_settled());
    }
}
