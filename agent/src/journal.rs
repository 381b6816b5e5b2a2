//! What the policy decided of the relay's instructions, for `policy explain RUN`: a line each, in the state folder, bounded, without
//! anything of Jira's.

use crate::clock;
use crate::error::Error;
use crate::paths::Paths;
use crate::policy::Decision;
use crate::private_file::{self, Durability};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Instructions that are remembered.
const LINES_MAX: usize = 500;

/// One instruction and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) at: String,
    pub(crate) run: String,
    pub(crate) lease: u32,
    pub(crate) connection: String,
    pub(crate) site: String,
    /// Whether it was followed.
    pub(crate) followed: bool,
    /// What was narrowed, or why it was refused.
    pub(crate) decisions: Vec<Decision>,
}

/// The journal of the running agent.
pub(crate) struct Journal {
    paths: Paths,
    lines: Mutex<Option<VecDeque<String>>>,
}

impl Journal {
    pub(crate) fn new(paths: &Paths) -> Self {
        Self { paths: paths.clone(), lines: Mutex::new(None) }
    }

    /// Adds an entry; the oldest ones go.
    pub(crate) fn add(&self, entry: &Entry) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.get_or_insert_with(|| read_lines(&self.paths).unwrap_or_default());
        let Ok(line) = serde_json::to_string(entry) else { return };
        lines.push_back(line);
        while lines.len() > LINES_MAX {
            lines.pop_front();
        }
        let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
        if let Err(error) =
            private_file::write(&self.paths.decisions(), text.as_bytes(), Durability::Volatile)
        {
            tracing::warn!(event = "journal_not_written", %error, "a decision could not be written down");
        }
    }
}

impl Entry {
    /// An entry of now.
    pub(crate) fn now(run: &str, lease: u32, connection: &str, site: &str) -> Self {
        Self {
            at: clock::text(clock::now_ms()),
            run: run.to_owned(),
            lease,
            connection: connection.to_owned(),
            site: site.to_owned(),
            followed: true,
            decisions: Vec::new(),
        }
    }
}

/// What was decided of a run, the oldest first.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn of_run(paths: &Paths, run: &str) -> Result<Vec<Entry>, Error> {
    let entries = read_lines(paths)?.into_iter().filter_map(|line| serde_json::from_str::<Entry>(&line).ok());
    Ok(entries.filter(|entry| entry.run == run).collect())
}

fn read_lines(paths: &Paths) -> Result<VecDeque<String>, Error> {
    let bytes = private_file::read(&paths.decisions())?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::paths_in;

    #[test]
    fn the_newest_decisions_are_found_by_their_run_after_a_restart() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let journal = Journal::new(&paths);
        for run in 0..LINES_MAX + 10 {
            journal.add(&Entry::now(&format!("run_{run}"), 1, "jira", "https://jira"));
        }
        Journal::new(&paths).add(&Entry::now("run_600", 2, "jira", "https://jira"));
        assert_eq!(of_run(&paths, "run_600").unwrap()[0].lease, 2);
        assert!(of_run(&paths, "run_1").unwrap().is_empty(), "the oldest is kept for ever");
        assert_eq!(of_run(&paths, "run_509").unwrap().len(), 1);
    }
}
