//! What the premises permit, as it is configured.

use super::{OptionalPath, list_or_text};
use crate::policy::hours::Hours;
use jira::{ColumnSelector, ProjectKey, Table};
use serde::Deserialize;

/// A day's worth below the largest part could never let that part leave.
const LEAST_MIB_A_DAY: u64 = 32;
/// More requests a second than any Jira answers.
const MOST_REQUESTS_A_SECOND: f64 = 10_000.0;

/// `[policy]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    #[serde(deserialize_with = "list_or_text")]
    pub(crate) projects: Vec<String>,
    #[serde(deserialize_with = "list_or_text")]
    pub(crate) deny_projects: Vec<String>,
    #[serde(deserialize_with = "list_or_text")]
    pub(crate) tables: Vec<String>,
    #[serde(deserialize_with = "list_or_text")]
    pub(crate) deny_tables: Vec<String>,
    #[serde(deserialize_with = "list_or_text")]
    pub(crate) accounts: Vec<String>,
    pub(crate) jql: Jql,
    pub(crate) requests_per_second: f64,
    #[serde(deserialize_with = "list_or_text")]
    pub(crate) hours: Vec<String>,
    pub(crate) bytes_a_day_mib: u64,
    pub(crate) mask_key_file: OptionalPath,
}

/// Whether conditions of the relay's user are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Jql {
    /// Unless something is masked.
    Auto,
    Allow,
    Refuse,
}

/// `[[mask]]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mask {
    #[serde(deserialize_with = "list_or_text")]
    pub(crate) columns: Vec<String>,
    pub(crate) with: MaskWith,
    #[serde(default)]
    pub(crate) salt_file: OptionalPath,
}

/// How columns are masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum MaskWith {
    #[serde(rename = "drop")]
    Drop,
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    #[serde(rename = "sha256")]
    Sha256,
    #[serde(rename = "sha512")]
    Sha512,
}

/// A key and why its value cannot be used.
type Fault = (String, String);

impl Policy {
    /// Values that parse and still make no sense.
    pub(super) fn check(&self) -> Option<Fault> {
        let fault = |key: &str, reason: String| Some((format!("policy.{key}"), reason));
        for (key, keys) in [("projects", &self.projects), ("deny_projects", &self.deny_projects)] {
            if let Some(error) = keys.iter().find_map(|text| ProjectKey::parse(text).err()) {
                return fault(key, error.to_string());
            }
        }
        for (key, names) in [("tables", &self.tables), ("deny_tables", &self.deny_tables)] {
            if let Some(name) = names.iter().find(|name| Table::parse(name).is_none()) {
                return fault(key, format!("there is no table `{name}`"));
            }
        }
        if !(0.0..=MOST_REQUESTS_A_SECOND).contains(&self.requests_per_second) {
            let reason =
                format!("{} is no rate from 0 to {MOST_REQUESTS_A_SECOND}", self.requests_per_second);
            return fault("requests_per_second", reason);
        }
        if (1..LEAST_MIB_A_DAY).contains(&self.bytes_a_day_mib) {
            let reason = format!(
                "{} is less than the largest part; give 0 or at least {LEAST_MIB_A_DAY}",
                self.bytes_a_day_mib
            );
            return fault("bytes_a_day_mib", reason);
        }
        Hours::parse(&self.hours).err().and_then(|reason| fault("hours", reason))
    }
}

impl Mask {
    /// Values that parse and still make no sense, for the entry at this place.
    pub(super) fn check(&self, at: usize) -> Option<Fault> {
        let fault = |key: &str, reason: String| Some((format!("mask[{at}].{key}"), reason));
        if self.columns.is_empty() {
            return fault("columns", "no column is named".to_owned());
        }
        if let Some(error) = self.columns.iter().find_map(|text| ColumnSelector::parse(text).err()) {
            return fault("columns", error.to_string());
        }
        let takes_salt = matches!(self.with, MaskWith::Sha256 | MaskWith::Sha512);
        if self.salt_file.get().is_some() && !takes_salt {
            return fault("salt_file", "only sha256 and sha512 take a salt".to_owned());
        }
        None
    }
}
