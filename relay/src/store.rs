//! The relay's memory: pools, uplinks, agents, connections, runs with their parts and checkpoints. Everything that was
//! answered with success is on disk before the answer leaves. SQL occurs in this folder only.

mod agents;
mod checkpoints;
mod inventory;
mod keys;
mod runs;
mod sharing;
mod sqlite;
mod tables;
#[cfg(test)]
mod tests;
mod tickets;

pub(crate) use agents::{Agent, NewAgent, Redeemed};
pub(crate) use checkpoints::StoredPart;
pub(crate) use inventory::{Connection, Named};
pub(crate) use keys::PublicKeys;
pub(crate) use runs::{CancelAnswer, Outcome, Run};
pub(crate) use sqlite::Store;
pub(crate) use tables::TableRow;
pub(crate) use tickets::{Admission, Holder, Presentation, Stopped};

use crate::run::IllegalStep;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The database failed.
    #[error("cannot {action} in the relay's database: {source}")]
    Database { action: &'static str, source: sqlx::Error },
    /// The schema could not be brought up to date.
    #[error("cannot bring the relay's database up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// There is no such thing.
    #[error("there is no {kind} named `{name}`")]
    Missing { kind: &'static str, name: String },
    /// The name is taken.
    #[error("there is already a {kind} named `{name}`")]
    Exists { kind: &'static str, name: String },
    /// Something else still needs it.
    #[error("the {kind} `{name}` is still used by {by}")]
    InUse { kind: &'static str, name: String, by: String },
    /// The run is in another state.
    #[error(transparent)]
    Step(#[from] IllegalStep),
    /// The message belongs to an older lease of the run.
    #[error("lease {got} of run_{number} is over, the current one is {current}")]
    StaleLease { number: i64, got: u32, current: u32 },
    /// A stored value cannot be read back.
    #[error("the relay's database holds a {what} that cannot be read: {why}")]
    Corrupt { what: &'static str, why: String },
}

impl StoreError {
    fn corrupt(what: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Corrupt { what, why: why.to_string() }
    }
}

/// Names what was tried when the database fails.
trait During<T> {
    fn during(self, action: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, sqlx::Error> {
    fn during(self, action: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Database { action, source })
    }
}

fn to_json(what: &'static str, value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::corrupt(what, error))
}

fn from_json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(what, error))
}

/// SQLite keeps signed 64-bit integers; counts never come near the end of them.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

fn small(count: i64) -> u32 {
    u32::try_from(count).unwrap_or_default()
}
