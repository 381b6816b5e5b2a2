//! What left the premises in one run: the facts of each acknowledged part, for the manifest. They also travel in the checkpoint's entries,
//! so that whoever goes on with the run, on any agent, can still account for all of it.

use jira::CheckpointEntry;
use protocol::control::PartHeader;
use protocol::ids::PartId;
use protocol::manifest::{self, ManifestTable, ManifestTotal, PartFacts};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The member of an entry that holds the facts of its parts.
const MEMBER: &str = "landed_parts";
/// Column names of all tables together that a manifest carries; more would not fit a message.
const COLUMN_BYTES_MAX: usize = 100 << 10;

/// The parts of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    parts: BTreeMap<PartId, PartFacts>,
    resumed: Vec<PartFacts>,
    columns: BTreeMap<String, Arc<[String]>>,
}

impl Tally {
    /// Takes the facts of earlier leases out of the entries that a run goes on from.
    pub(super) fn resume(entries: &mut [CheckpointEntry]) -> Self {
        let mut tally = Self::default();
        for entry in entries {
            let Some(member) = entry.0.as_object_mut().and_then(|object| object.remove(MEMBER)) else {
                continue;
            };
            let facts: Vec<PartFacts> = serde_json::from_value(member).unwrap_or_default();
            tally.parts.extend(facts.iter().map(|part| (part.part.clone(), part.clone())));
            tally.resumed.extend(facts);
        }
        tally
    }

    /// The facts of earlier leases, as the relay gave them back.
    pub(super) fn resumed(&self) -> &[PartFacts] {
        &self.resumed
    }

    /// The columns of a table are known.
    pub(super) fn columns(&mut self, table: &str, names: &Arc<[String]>) {
        if !self.columns.contains_key(table) {
            self.columns.insert(table.to_owned(), Arc::clone(names));
        }
    }

    /// A part is durable at the relay.
    pub(super) fn landed(&mut self, part: &PartHeader) {
        self.parts.insert(part.part.clone(), facts(part));
    }

    /// An entry with the facts of the parts that belong to it.
    pub(super) fn with_facts(&self, mut entry: serde_json::Value, parts: &[PartId]) -> serde_json::Value {
        let facts: Vec<&PartFacts> = parts.iter().filter_map(|part| self.parts.get(part)).collect();
        if let (Some(object), Ok(facts)) = (entry.as_object_mut(), serde_json::to_value(&facts))
            && !parts.is_empty()
        {
            object.insert(MEMBER.to_owned(), facts);
        }
        entry
    }

    /// Tables and total of the manifest.
    pub(super) fn count(&self) -> (BTreeMap<String, ManifestTable>, ManifestTotal) {
        let (mut tables, total) = manifest::count(self.parts.values());
        let named = self.columns.values().flat_map(|names| names.iter());
        if named.map(|name| name.len() + 3).sum::<usize>() <= COLUMN_BYTES_MAX {
            for (name, table) in &mut tables {
                table.columns = self.columns.get(name).map(|names| names.to_vec()).unwrap_or_default();
            }
        }
        (tables, total)
    }

    /// The names of all parts.
    pub(super) fn names(&self) -> Vec<String> {
        self.parts.keys().map(|part| part.0.clone()).collect()
    }
}

fn facts(part: &PartHeader) -> PartFacts {
    PartFacts {
        part: part.part.clone(),
        table: part.table.clone(),
        generation: part.generation,
        rows: part.rows,
        bytes: part.bytes,
        sha256: part.digest.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ids::Lease;
    use serde_json::json;

    fn header(sequence: u64) -> PartHeader {
        PartHeader {
            run: "run_1".into(),
            lease: Lease(1),
            part: PartId::new(Lease(1), sequence),
            table: "issues".to_owned(),
            generation: 0,
            rows: 5,
            bytes: 100,
            digest: "ab".to_owned(),
        }
    }

    #[test]
    fn a_run_that_goes_on_counts_what_an_earlier_lease_sent() {
        let mut first = Tally::default();
        first.landed(&header(0));
        let entry = first.with_facts(json!({"kind": "unit"}), &[header(0).part]);
        let mut entries = [CheckpointEntry(entry), CheckpointEntry(json!({"kind": "plan"}))];
        let mut second = Tally::resume(&mut entries);
        assert_eq!(entries[0].0, json!({"kind": "unit"}), "the engine sees what is not its own");
        assert_eq!(second.resumed().len(), 1);
        second.landed(&header(1));
        first.landed(&header(1));
        assert_eq!(second.count(), first.count());
    }

    #[test]
    fn entries_without_facts_are_left_alone() {
        let tally = Tally::default();
        assert_eq!(tally.with_facts(json!({"kind": "plan"}), &[]), json!({"kind": "plan"}));
        let mut strange = [CheckpointEntry(json!(3)), CheckpointEntry(json!({"landed_parts": "x"}))];
        assert!(Tally::resume(&mut strange).resumed().is_empty());
    }
}
