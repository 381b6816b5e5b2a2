//! The rules of the premises beyond the list of addresses: each narrows what the relay asked for, says so, and knows the line that it
//! stands on.

use super::hours::Hours;
use super::mask_key::MaskKey;
use super::{Refusal, shortened};
use crate::config::{Config, Jql, Mask as ConfiguredMask, MaskWith, Places};
use crate::error::Error;
use crate::paths::Paths;
use crate::private_file;
use jira::{ColumnSelector, Hasher, Mask, MaskRule, Masks, Narrowing, Pace, ProjectKey, Spec, Table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What one rule did to one instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decision {
    /// Stable snake_case code.
    pub(crate) code: String,
    /// A sentence.
    pub(crate) message: String,
    /// How many things it took away.
    pub(crate) count: u64,
    /// The line that the rule stands on; stays on the premises.
    pub(crate) place: String,
}

/// The rules in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    permitted_projects: Vec<ProjectKey>,
    denied_projects: Vec<ProjectKey>,
    permitted_tables: BTreeSet<Table>,
    denied_tables: BTreeSet<Table>,
    accounts: Vec<String>,
    masks: Masks,
    mask_key: Option<String>,
    refuse_jql: bool,
    pace: Option<Pace>,
    requests_per_second: f64,
    pub(crate) hours: Hours,
    pub(crate) bytes_a_day: Option<u64>,
    places: Places,
    masked: Vec<(String, String)>,
}

impl Rules {
    /// Takes the rules of a configuration.
    ///
    /// # Errors
    /// When the key or a salt that they need cannot be used.
    pub(crate) fn load(config: &Config, paths: &Paths) -> Result<Self, Error> {
        let policy = &config.policy;
        let key = MaskKey::load(config, paths)?;
        let masks = masks(config, paths, key.as_ref())?;
        let projects = |keys: &[String]| keys.iter().filter_map(|key| ProjectKey::parse(key).ok()).collect();
        let tables = |names: &[String]| names.iter().filter_map(|name| Table::parse(name)).collect();
        let refuse_jql = match policy.jql {
            Jql::Auto => !masks.is_empty(),
            Jql::Allow => false,
            Jql::Refuse => true,
        };
        let masked = config.mask.iter().enumerate();
        let masked = masked.map(|(at, mask)| {
            (
                format!("{}: {}", mask_name(mask.with), mask.columns.join(", ")),
                config.places.of(&format!("mask[{at}]")),
            )
        });
        Ok(Self {
            permitted_projects: projects(&policy.projects),
            denied_projects: projects(&policy.deny_projects),
            permitted_tables: tables(&policy.tables),
            denied_tables: tables(&policy.deny_tables),
            accounts: policy.accounts.clone(),
            masks,
            mask_key: key.map(|key| key.fingerprint()),
            refuse_jql,
            pace: Pace::try_new(policy.requests_per_second),
            requests_per_second: policy.requests_per_second,
            hours: Hours::parse(&policy.hours).unwrap_or_default(),
            bytes_a_day: (policy.bytes_a_day_mib > 0).then(|| policy.bytes_a_day_mib.saturating_mul(1 << 20)),
            places: config.places.clone(),
            masked: masked.collect(),
        })
    }

    /// The fingerprint of the key for pseudonyms.
    pub(crate) fn mask_key(&self) -> Option<&str> {
        self.mask_key.as_deref()
    }

    /// The rate that all clients share.
    pub(crate) fn pace(&self) -> Option<Pace> {
        self.pace.clone()
    }

    /// Whether an account may be used.
    ///
    /// # Errors
    /// When the premises list accounts and this is none of them.
    pub(super) fn admit_account(&self, username: &str) -> Result<(), Refusal> {
        if self.accounts.is_empty() || self.accounts.iter().any(|listed| listed == username) {
            return Ok(());
        }
        Err(Refusal::Account(shortened(username)))
    }

    /// Narrows what is to be read. What nothing is left of is refused.
    ///
    /// # Errors
    /// When a rule leaves no table or no project, or forbids the condition.
    pub(crate) fn narrow(&self, spec: Spec, asked_for_all: bool) -> Result<(Spec, Vec<Decision>), Refusal> {
        let mut decisions = Vec::new();
        let spec = self.narrow_tables(spec, asked_for_all, &mut decisions)?;
        let mut spec = self.narrow_projects(spec, &mut decisions)?;
        if self.refuse_jql && spec.jql.is_some() {
            return Err(Refusal::JqlNotPermitted);
        }
        spec.narrowing = self.narrowing();
        Ok((spec, decisions))
    }

    /// What the engine itself has to hold to.
    pub(crate) fn narrowing(&self) -> Narrowing {
        Narrowing {
            permitted_projects: self.permitted_projects.clone(),
            denied_projects: self.denied_projects.clone(),
            masks: self.masks.clone(),
        }
    }

    fn narrow_tables(
        &self,
        mut spec: Spec,
        asked_for_all: bool,
        decisions: &mut Vec<Decision>,
    ) -> Result<Spec, Refusal> {
        let permits = |table: &Table| {
            (self.permitted_tables.is_empty() || self.permitted_tables.contains(table))
                && !self.denied_tables.contains(table)
                && !self.masks.excludes(*table)
        };
        let (kept, gone): (BTreeSet<Table>, BTreeSet<Table>) = spec.tables.into_iter().partition(permits);
        spec.tables = kept;
        if gone.is_empty() {
            return Ok(spec);
        }
        let names = gone.iter().map(|table| table.name()).collect::<Vec<_>>().join(", ");
        if spec.tables.is_empty() || !asked_for_all {
            return Err(Refusal::TableNotPermitted(names));
        }
        let message = format!("tables that the premises do not permit were left out: {names}");
        let key = if self.permitted_tables.is_empty() { "policy.deny_tables" } else { "policy.tables" };
        decisions.push(self.decision("policy_tables_withheld", message, gone.len(), key));
        Ok(spec)
    }

    fn narrow_projects(&self, mut spec: Spec, decisions: &mut Vec<Decision>) -> Result<Spec, Refusal> {
        let narrowing = self.narrowing();
        let key = if self.permitted_projects.is_empty() { "policy.deny_projects" } else { "policy.projects" };
        if spec.projects.is_empty() {
            if !(self.permitted_projects.is_empty() && self.denied_projects.is_empty()) {
                let message = "only projects that the premises permit were read".to_owned();
                let rules = self.permitted_projects.len() + self.denied_projects.len();
                decisions.push(self.decision("policy_projects_narrowed", message, rules, key));
            }
            return Ok(spec);
        }
        let (kept, gone): (Vec<ProjectKey>, Vec<ProjectKey>) =
            spec.projects.into_iter().partition(|project| narrowing.permits_project(project.as_str()));
        if kept.is_empty() {
            return Err(Refusal::ProjectNotPermitted(listed(&gone)));
        }
        if !gone.is_empty() {
            let message =
                format!("projects that the premises do not permit were left out: {}", listed(&gone));
            decisions.push(self.decision("policy_projects_withheld", message, gone.len(), key));
        }
        spec.projects = kept;
        Ok(spec)
    }

    pub(super) fn decision(&self, code: &str, message: String, count: usize, key: &str) -> Decision {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        Decision { code: code.to_owned(), message, count, place: self.places.of(key) }
    }

    /// The line of a rule.
    pub(crate) fn place_of(&self, key: &str) -> String {
        self.places.of(key)
    }

    /// Every rule in force: what it says, and where.
    pub(crate) fn explained(&self) -> Vec<(String, String)> {
        let keys = |keys: &[ProjectKey]| listed(keys);
        let tables =
            |tables: &BTreeSet<Table>| tables.iter().map(|table| table.name()).collect::<Vec<_>>().join(", ");
        let or_all = |text: String| if text.is_empty() { "all".to_owned() } else { text };
        let at = |key: &str| self.places.of(&format!("policy.{key}"));
        let mut rules = vec![
            (
                format!("projects that may be read: {}", or_all(keys(&self.permitted_projects))),
                at("projects"),
            ),
            (format!("projects that may not: {}", or_none(keys(&self.denied_projects))), at("deny_projects")),
            (format!("tables that may be read: {}", or_all(tables(&self.permitted_tables))), at("tables")),
            (format!("tables that may not: {}", or_none(tables(&self.denied_tables))), at("deny_tables")),
            (format!("accounts that may be used: {}", or_all(self.accounts.join(", "))), at("accounts")),
            (
                format!(
                    "conditions of the relay's user: {}",
                    if self.refuse_jql { "refused" } else { "carried out" }
                ),
                at("jql"),
            ),
            (
                format!(
                    "requests a second: {}",
                    or_unlimited(self.requests_per_second > 0.0, self.requests_per_second)
                ),
                at("requests_per_second"),
            ),
            (
                format!(
                    "hours: {}",
                    if self.hours == Hours::default() { "always" } else { "as listed there" }
                ),
                at("hours"),
            ),
            (
                format!(
                    "bytes a day: {}",
                    or_unlimited(self.bytes_a_day.is_some(), self.bytes_a_day.unwrap_or_default())
                ),
                at("bytes_a_day_mib"),
            ),
        ];
        rules.extend(self.masked.iter().map(|(rule, place)| (format!("columns, {rule}"), place.clone())));
        if let Some(key) = &self.mask_key {
            rules.push((format!("key of pseudonyms: {key}"), at("mask_key_file")));
        }
        rules
    }
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

fn or_unlimited(limited: bool, limit: impl std::fmt::Display) -> String {
    if limited { limit.to_string() } else { "not limited".to_owned() }
}

fn listed(keys: &[ProjectKey]) -> String {
    keys.iter().map(ProjectKey::as_str).collect::<Vec<_>>().join(", ")
}

fn mask_name(with: MaskWith) -> &'static str {
    match with {
        MaskWith::Drop => "drop",
        MaskWith::HmacSha256 => "hmac-sha256",
        MaskWith::Sha256 => "sha256",
        MaskWith::Sha512 => "sha512",
    }
}

fn masks(config: &Config, paths: &Paths, key: Option<&MaskKey>) -> Result<Masks, Error> {
    let mut rules = Vec::new();
    for (at, entry) in config.mask.iter().enumerate() {
        let unusable = |reason: String| Error::BadValue {
            key: format!("mask[{at}]"),
            place: config.places.of(&format!("mask[{at}]")),
            reason,
        };
        let mask = mask(entry, key, &unusable, &super::mask_key::place(config, paths))?;
        for column in &entry.columns {
            let selector = ColumnSelector::parse(column).map_err(|error| unusable(error.to_string()))?;
            let rule = MaskRule { selector, mask: mask.clone() };
            // Each alone, so that a refusal names the entry that it is about.
            Masks::try_new(vec![rule.clone()]).map_err(|error| unusable(error.to_string()))?;
            rules.push(rule);
        }
    }
    Masks::try_new(rules).map_err(|error| Error::Usage(error.to_string()))
}

fn mask(
    entry: &ConfiguredMask,
    key: Option<&MaskKey>,
    unusable: &dyn Fn(String) -> Error,
    key_place: &std::path::Path,
) -> Result<Mask, Error> {
    let salt = match entry.salt_file.get() {
        Some(path) => private_file::read(path)?
            .ok_or_else(|| unusable(format!("there is no file {}", path.display())))?,
        None => Vec::new(),
    };
    let salt = salt.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    if salt.is_empty() && entry.salt_file.get().is_some() {
        return Err(unusable("the first line of the salt's file is empty".to_owned()));
    }
    Ok(match entry.with {
        MaskWith::Drop => Mask::Drop,
        MaskWith::Sha256 => Mask::Hash(Hasher::sha256(salt)),
        MaskWith::Sha512 => Mask::Hash(Hasher::sha512(salt)),
        MaskWith::HmacSha256 => {
            let hasher = key.and_then(|key| Hasher::hmac_sha256(key.bytes()));
            let missing = || {
                format!(
                    "there is no key in {}; make one with `uplink-agent mask-key create`, or bring that of another agent of the uplink with `mask-key import`",
                    key_place.display()
                )
            };
            Mask::Hash(hasher.ok_or_else(|| unusable(missing()))?)
        }
    })
}

#[cfg(test)]
mod tests;
