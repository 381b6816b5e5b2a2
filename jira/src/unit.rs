//! The unit of resume: what is read, acknowledged and named in a checkpoint entry as one thing.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Names a unit of one run: a slice, a metadata table, a catch-up slice or a deletion check. Never used twice in a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitId(String);

impl UnitId {
    /// A unit's name; letters, digits, `-` and `_` only, so that it can stand in a file name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the parts of a sink belong.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) unit: UnitId,
    pub(crate) generation: u32,
}
