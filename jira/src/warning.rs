//! What Jira withheld or sent in a form that fits no column: said in the run's result with a count, never dropped silently.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One kind of loss or oddity of a run and how often it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable snake_case code.
    pub code: String,
    /// What it means; equal for equal kinds, so it holds no number of its own.
    pub message: String,
    /// How many times.
    pub count: u64,
}

impl Warning {
    /// Whether it tells what the owner of the Jira withheld, not what Jira did.
    pub fn is_policy(&self) -> bool {
        self.code.starts_with("policy_")
    }
}

/// Counts warnings by code and message.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    counts: BTreeMap<(String, String), u64>,
}

impl Warnings {
    /// Counts `count` more of a kind; nothing for 0.
    pub(crate) fn add(&mut self, code: &str, message: impl Into<String>, count: u64) {
        if count > 0 {
            let counted = self.counts.entry((code.to_owned(), message.into())).or_default();
            *counted = counted.saturating_add(count);
        }
    }

    /// Counts what another part of the run has warned of.
    pub(crate) fn merge(&mut self, others: impl IntoIterator<Item = Warning>) {
        for other in others {
            self.add(&other.code, other.message, other.count);
        }
    }

    /// All kinds, by code.
    pub(crate) fn into_vec(self) -> Vec<Warning> {
        let warning = |((code, message), count)| Warning { code, message, count };
        self.counts.into_iter().map(warning).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_kinds_are_counted_together_and_zero_is_no_warning() {
        let mut warnings = Warnings::default();
        warnings.add("b", "two", 1);
        warnings.add("a", "one", 2);
        warnings.add("c", "none", 0);
        warnings.merge([Warning { code: "a".into(), message: "one".into(), count: 3 }]);
        let counts: Vec<_> = warnings.into_vec().into_iter().map(|w| (w.code, w.count)).collect();
        assert_eq!(counts, [("a".to_owned(), 5), ("b".to_owned(), 1)]);
    }
}
