//! Checkpoint entries that arrive before the run that they belong to. Bounded: a relay that sends entries without end gets its run
//! back.

use jira::CheckpointEntry;
use protocol::control::Failure;
use protocol::ids::{Lease, RunId};
use std::collections::HashMap;

/// Entries kept for one run: a site of ten million issues has fewer slices.
const MAX_ENTRIES: usize = 100_000;
/// JSON values take several times their text in memory, so this is what really bounds it.
const MAX_TEXT_BYTES: usize = 16 << 20;
/// Runs that entries are kept for at once.
const MAX_RUNS: usize = 64;

/// Entries by run.
#[derive(Debug, Default)]
pub(super) struct ResumeStore {
    runs: HashMap<RunId, Gathered>,
}

#[derive(Debug)]
struct Gathered {
    lease: Lease,
    entries: Vec<CheckpointEntry>,
    text_bytes: usize,
}

impl ResumeStore {
    /// Keeps entries; those of an older lease give way.
    pub(super) fn add(&mut self, run: RunId, lease: Lease, entries: Vec<serde_json::Value>) {
        if self.runs.len() >= MAX_RUNS && !self.runs.contains_key(&run) {
            tracing::warn!(event = "resume_refused", "the relay sent entries of too many runs");
            return;
        }
        let fresh = || Gathered { lease, entries: Vec::new(), text_bytes: 0 };
        let gathered = self.runs.entry(run).or_insert_with(fresh);
        if gathered.lease < lease {
            *gathered = fresh();
        }
        if gathered.lease > lease {
            return;
        }
        for entry in entries {
            gathered.text_bytes = gathered.text_bytes.saturating_add(entry.to_string().len());
            if gathered.text_bytes <= MAX_TEXT_BYTES && gathered.entries.len() < MAX_ENTRIES {
                gathered.entries.push(CheckpointEntry(entry));
            }
        }
    }

    /// The entries of a run that starts.
    ///
    /// # Errors
    /// When not as many are here as the relay has sent.
    pub(super) fn take(
        &mut self,
        run: &RunId,
        lease: Lease,
        announced: u64,
    ) -> Result<Vec<CheckpointEntry>, Failure> {
        let gathered = self.runs.remove(run).filter(|gathered| gathered.lease == lease);
        let entries = gathered.map(|gathered| gathered.entries).unwrap_or_default();
        if u64::try_from(entries.len()) == Ok(announced) {
            return Ok(entries);
        }
        Err(Failure {
            code: "resume_incomplete".to_owned(),
            message: format!(
                "{} checkpoint entries arrived where {announced} were announced, so the run cannot go on exactly",
                entries.len()
            ),
            hint: "start the extraction again".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_come_back_in_order_and_once() {
        let mut store = ResumeStore::default();
        let run = RunId::from("run_1");
        store.add(run.clone(), Lease(2), vec![json!(1), json!(2)]);
        store.add(run.clone(), Lease(2), vec![json!(3)]);
        let entries = store.take(&run, Lease(2), 3).unwrap();
        assert_eq!(
            entries.iter().map(|entry| entry.0.clone()).collect::<Vec<_>>(),
            [json!(1), json!(2), json!(3)]
        );
        assert!(store.take(&run, Lease(2), 0).unwrap().is_empty());
    }

    #[test]
    fn entries_of_another_lease_do_not_count() {
        let mut store = ResumeStore::default();
        let run = RunId::from("run_1");
        store.add(run.clone(), Lease(1), vec![json!(1)]);
        store.add(run.clone(), Lease(2), vec![json!(2)]);
        store.add(run.clone(), Lease(1), vec![json!(3)]);
        assert_eq!(store.take(&run, Lease(2), 1).unwrap()[0].0, json!(2));
    }

    #[test]
    fn a_missing_entry_refuses_the_run() {
        let mut store = ResumeStore::default();
        let run = RunId::from("run_1");
        store.add(run.clone(), Lease(2), vec![json!(1)]);
        assert_eq!(store.take(&run, Lease(2), 2).unwrap_err().code, "resume_incomplete");
    }

    #[test]
    fn a_flood_of_entries_is_not_kept() {
        let mut store = ResumeStore::default();
        let run = RunId::from("run_1");
        store.add(run.clone(), Lease(1), vec![json!("x".repeat(MAX_TEXT_BYTES + 1)), json!(1)]);
        assert!(store.take(&run, Lease(1), 2).is_err());
        for n in 0..200 {
            store.add(RunId(format!("run_{n}")), Lease(1), vec![json!(n)]);
        }
        assert_eq!(store.runs.len(), MAX_RUNS);
    }
}
