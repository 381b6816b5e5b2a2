//! The relay's documents, as far as this program shows them. Members that are missing count as empty, so that a relay
//! of a neighbouring version stays readable.

use chrono::{DateTime, TimeZone, Utc};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

use crate::error::Error;

/// Takes the members that this program knows out of a document.
pub(crate) fn read<T: DeserializeOwned>(document: &Value, relay: &str) -> Result<T, Error> {
    T::deserialize(document).map_err(|e| Error::Answer { relay: relay.to_owned(), reason: e.to_string() })
}

/// A data pool.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Pool {
    pub(crate) name: String,
    #[serde(deserialize_with = "moment")]
    pub(crate) created_at: Option<DateTime<Utc>>,
}

/// An uplink.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Uplink {
    pub(crate) name: String,
    pub(crate) agents: Vec<Agent>,
}

/// An agent of an uplink.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Agent {
    pub(crate) agent_id: String,
    pub(crate) name: String,
    pub(crate) fingerprint: String,
    pub(crate) version: String,
    /// The relay's version, if the agent's is older.
    pub(crate) update: Option<String>,
    pub(crate) sealing_key: String,
    pub(crate) online: bool,
    /// Why the relay lets it in no more until somebody acts.
    pub(crate) stopped: Option<Stopped>,
    #[serde(deserialize_with = "moment")]
    pub(crate) last_seen: Option<DateTime<Utc>>,
    pub(crate) health: Option<AgentHealth>,
}

/// What an agent that is here told last.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AgentHealth {
    pub(crate) runs: u64,
    pub(crate) paused: Option<String>,
    /// Whether every Jira that it may read answered lately; nothing while that is not known.
    pub(crate) healthy: Option<bool>,
    pub(crate) jiras: Vec<JiraHealth>,
    pub(crate) last_error: Option<AgentTrouble>,
}

/// A Jira as an agent sees it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JiraHealth {
    pub(crate) site: String,
    pub(crate) state: String,
    #[serde(deserialize_with = "moment")]
    pub(crate) answered_at: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "moment")]
    pub(crate) asked_at: Option<DateTime<Utc>>,
    pub(crate) version: Option<String>,
    pub(crate) failure: Option<Failure>,
}

/// The last thing that went wrong at an agent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AgentTrouble {
    #[serde(deserialize_with = "moment")]
    pub(crate) at: Option<DateTime<Utc>>,
    pub(crate) about: String,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Why an agent is stopped.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Stopped {
    pub(crate) code: String,
    pub(crate) reason: String,
    #[serde(deserialize_with = "moment")]
    pub(crate) at: Option<DateTime<Utc>>,
    pub(crate) machines: Vec<Machine>,
}

/// A machine that showed an agent's identity.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Machine {
    pub(crate) address: String,
    pub(crate) boot_id: String,
    pub(crate) version: String,
    #[serde(deserialize_with = "moment")]
    pub(crate) at: Option<DateTime<Utc>>,
}

/// A one-time enrolment token. It is a secret, so it has no `Debug`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct EnrolmentToken {
    pub(crate) token: String,
    #[serde(deserialize_with = "moment")]
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// What secrets of direct connections are sealed to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DirectKey {
    pub(crate) fingerprint: String,
    pub(crate) sealing_key: String,
}

/// A data connection.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Connection {
    pub(crate) name: String,
    pub(crate) pool: String,
    pub(crate) mode: String,
    pub(crate) uplink: Option<String>,
    pub(crate) url: String,
    pub(crate) username: Option<String>,
    pub(crate) credential: String,
    /// Fingerprints of the agents that can open its secret.
    pub(crate) sealed_to: Vec<String>,
    pub(crate) max_parallel: u32,
}

/// A run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Run {
    pub(crate) id: String,
    /// The run that loads some of the tables in full first.
    pub(crate) full_run: Option<String>,
    pub(crate) connection: String,
    pub(crate) pool: String,
    pub(crate) mode: String,
    pub(crate) state: String,
    pub(crate) phase: Option<String>,
    /// Why it waits.
    pub(crate) reason: Option<String>,
    #[serde(deserialize_with = "moment")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "moment")]
    pub(crate) started_at: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "moment")]
    pub(crate) ended_at: Option<DateTime<Utc>>,
    pub(crate) lease: Option<u32>,
    pub(crate) progress: Option<Progress>,
    pub(crate) result: Option<RunResult>,
    pub(crate) error: Option<Failure>,
}

impl Run {
    /// Whether nothing more will happen to it.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state.as_str(), "succeeded" | "failed" | "cancelled")
    }
}

/// How far a run is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    pub(crate) issues_total: Option<u64>,
    pub(crate) issues_read: u64,
    pub(crate) rows: BTreeMap<String, u64>,
    pub(crate) requests: u64,
    pub(crate) retries: u64,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) in_flight: u32,
    pub(crate) eta_seconds: Option<f64>,
}

/// What a finished run brought.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RunResult {
    pub(crate) tables: BTreeMap<String, TableResult>,
    #[serde(deserialize_with = "moment")]
    pub(crate) watermark: Option<DateTime<Utc>>,
    pub(crate) warnings: Vec<Warning>,
    /// What the policy of the premises took away.
    pub(crate) policy: Vec<Warning>,
}

/// What a finished run brought to one table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TableResult {
    pub(crate) rows: u64,
    pub(crate) columns: u64,
    pub(crate) rows_after: Option<u64>,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_sent: u64,
}

/// What Jira withheld.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Warning {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) count: u64,
}

/// Why a run or a test failed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) hint: String,
}

/// A line of a run's log.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LogLine {
    #[serde(deserialize_with = "moment", alias = "at_ms")]
    pub(crate) at: Option<DateTime<Utc>>,
    pub(crate) level: String,
    pub(crate) event: String,
    pub(crate) message: String,
}

/// A table of the lake.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Table {
    pub(crate) pool: String,
    pub(crate) connection: String,
    pub(crate) table: String,
    /// The columns that tell its rows apart.
    pub(crate) key: Vec<String>,
    /// What its full load chose.
    pub(crate) complete_for: Option<serde_json::Map<String, Value>>,
    pub(crate) rows: u64,
    pub(crate) columns: u64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) path: String,
    #[serde(deserialize_with = "moment")]
    pub(crate) updated_at: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "moment")]
    pub(crate) watermark: Option<DateTime<Utc>>,
}

/// The first rows of a table.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Preview {
    pub(crate) schema: Vec<Column>,
    pub(crate) rows: Vec<serde_json::Map<String, Value>>,
}

/// A column of a table.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Column {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    /// Jira's id of the field.
    pub(crate) field_id: Option<String>,
    /// How its values were hashed.
    pub(crate) mask: Option<String>,
}

/// A time as RFC 3339, as milliseconds since 1970, or missing.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => {
            let at = DateTime::parse_from_rfc3339(&text)
                .map_err(|e| D::Error::custom(format!("`{text}` is no time: {e}")))?;
            Ok(Some(at.with_timezone(&Utc)))
        }
        Value::Number(ms) => Ok(ms.as_i64().and_then(|ms| Utc.timestamp_millis_opt(ms).single())),
        other => Err(D::Error::custom(format!("{other} is no time"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_run_document_is_read_with_what_it_has() {
        let run: Run = read(
            &json!({"id": "run_1", "state": "queued", "progress": null, "error": null, "new_member": 1}),
            "r",
        )
        .unwrap();
        assert_eq!((run.id.as_str(), run.has_ended()), ("run_1", false));
        let run: Run =
            read(&json!({"state": "failed", "ended_at": "2026-01-31T08:00:00.5Z", "created_at": 1000}), "r")
                .unwrap();
        assert!(run.has_ended());
        assert_eq!(run.created_at.unwrap().timestamp(), 1);
        assert_eq!(run.ended_at.unwrap().timestamp_subsec_millis(), 500);
    }

    #[test]
    fn a_document_of_something_else_is_an_error_not_a_guess() {
        assert!(read::<Run>(&json!({"state": 7}), "r").is_err());
        assert!(read::<Run>(&json!({"created_at": "yesterday"}), "r").is_err());
    }
}
