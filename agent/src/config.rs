//! The agent's configuration: the defaults built in (`config/default.toml`, which explains every key), then a file, then the
//! environment. A key that does not exist is refused, with the place where it stands and the known key that is most like it.

mod keys;
mod listen;
mod policy;

pub(crate) use listen::Place;

use crate::cli::{LogFormat, LogLevel};
use crate::error::Error;
use crate::paths::ConfigFile;
use config::{Environment, File, FileFormat};
pub(crate) use keys::Places;
use keys::{Layer, Layers};
pub(crate) use policy::{Jql, Mask, MaskWith, Policy};
use serde::{Deserialize, Deserializer};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every key with its meaning, unit and default.
pub(crate) const DEFAULTS: &str = include_str!("config/default.toml");

/// What is in force.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(deserialize_with = "list_or_text")]
    pub(crate) allow_jira: Vec<String>,
    pub(crate) jira_ca_file: OptionalPath,
    pub(crate) relay: Relay,
    pub(crate) link: Link,
    pub(crate) proxy: Proxy,
    pub(crate) jira_path: JiraPath,
    pub(crate) limits: Limits,
    pub(crate) requests: Requests,
    pub(crate) identity: Identity,
    pub(crate) log: Log,
    pub(crate) audit: Audit,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
    pub(crate) policy: Policy,
    #[serde(default)]
    pub(crate) mask: Vec<Mask>,
    #[serde(default)]
    pub(crate) jira: Vec<LocalJira>,
    /// Where the keys of the policy stand.
    #[serde(skip)]
    pub(crate) places: Places,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Relay {
    #[serde(deserialize_with = "list_or_text")]
    pub(crate) addresses: Vec<String>,
    pub(crate) ca_file: OptionalPath,
    pub(crate) inspection_ca_file: OptionalPath,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    pub(crate) connect_timeout_ms: u64,
    pub(crate) handshake_timeout_ms: u64,
}

/// The proxy on the way to the relay.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proxy {
    pub(crate) mode: ProxyMode,
    pub(crate) url: String,
    pub(crate) username: String,
    pub(crate) password_file: OptionalPath,
    #[serde(deserialize_with = "list_or_text")]
    pub(crate) no_proxy: Vec<String>,
    pub(crate) ca_file: OptionalPath,
}

/// Where the proxy is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProxyMode {
    /// In `url`, and without it in the environment.
    Auto,
    /// There is none, whatever the environment says.
    None,
    /// In `url`, which must be there.
    Explicit,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) max_runs: u32,
    pub(crate) max_parallel: u32,
    pub(crate) unacked_mib: u32,
    pub(crate) max_page_mib: u32,
    pub(crate) part_mib: u32,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requests {
    pub(crate) connect_timeout_ms: u64,
    pub(crate) read_timeout_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) rotate_after_days: u32,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) level: LogLevel,
    pub(crate) format: LogFormat,
    pub(crate) file: OptionalPath,
    pub(crate) max_mib: u32,
    pub(crate) keep_files: u32,
    pub(crate) max_days: u32,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audit {
    pub(crate) max_mib: u32,
    pub(crate) keep_files: u32,
    pub(crate) max_days: u32,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Health {
    pub(crate) every_s: u32,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metrics {
    pub(crate) listen: String,
}

/// The way to every Jira that has no settings of its own.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JiraPath {
    pub(crate) proxy: String,
    pub(crate) proxy_username: String,
    pub(crate) proxy_password_file: OptionalPath,
    pub(crate) client_certificate_file: OptionalPath,
    #[serde(deserialize_with = "list_or_text")]
    pub(crate) addresses: Vec<String>,
}

/// An account whose password stays on the premises, and the way to one Jira.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocalJira {
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) username: String,
    #[serde(default)]
    pub(crate) password_file: OptionalPath,
    /// Name of a credential that systemd hands to the service.
    #[serde(default)]
    pub(crate) password_credential: String,
    /// Name of an environment variable.
    #[serde(default)]
    pub(crate) password_env: String,
    #[serde(default)]
    pub(crate) ca_file: OptionalPath,
    #[serde(default)]
    pub(crate) proxy: String,
    #[serde(default)]
    pub(crate) proxy_username: String,
    #[serde(default)]
    pub(crate) proxy_password_file: OptionalPath,
    #[serde(default)]
    pub(crate) client_certificate_file: OptionalPath,
    #[serde(default, deserialize_with = "list_or_text")]
    pub(crate) addresses: Vec<String>,
    pub(crate) connect_timeout_ms: Option<u64>,
    pub(crate) read_timeout_ms: Option<u64>,
}

/// A path that may be left out: the empty text means none.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub(crate) struct OptionalPath(PathBuf);

impl OptionalPath {
    pub(crate) fn get(&self) -> Option<&Path> {
        (!self.0.as_os_str().is_empty()).then_some(self.0.as_path())
    }

    fn anchor(&mut self, folder: &Path) {
        if self.get().is_some() {
            self.0 = folder.join(&self.0);
        }
    }
}

impl Link {
    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(crate) fn handshake_timeout(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms)
    }
}

/// Reads the configuration of this process.
///
/// # Errors
/// When the file cannot be read, or a key is unknown or has a value that cannot be used.
pub(crate) fn load(file: &ConfigFile) -> Result<Config, Error> {
    load_from(file, variables())
}

/// Every key with the value in force as one tree, values of secret keys included: only for whoever takes those out.
///
/// # Errors
/// As [`load`].
pub(crate) fn in_force(file: &ConfigFile) -> Result<serde_json::Value, Error> {
    load(file)?;
    let merged = merge(read_file(file)?.as_deref(), variables());
    merged.and_then(config::Config::try_deserialize).map_err(|error| Error::ConfigSyntax {
        place: file.path().display().to_string(),
        reason: error.to_string(),
    })
}

fn variables() -> HashMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn merge(
    text: Option<&str>,
    environment: HashMap<String, String>,
) -> Result<config::Config, config::ConfigError> {
    config::Config::builder()
        .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
        .add_source(File::from_str(text.unwrap_or_default(), FileFormat::Toml))
        .add_source(environment_source(environment))
        .build()
}

fn load_from(file: &ConfigFile, environment: HashMap<String, String>) -> Result<Config, Error> {
    let text = read_file(file)?;
    let mut layers = Layers::new(Layer::defaults(DEFAULTS)?);
    if let Some(text) = &text {
        layers.add(Layer::file(file.path(), text)?)?;
    }
    layers.add(Layer::environment(environment.clone())?)?;
    let built = merge(text.as_deref(), environment).map_err(|error| layers.bad_value("", &error))?;
    let mut config: Config = serde_path_to_error::deserialize(built)
        .map_err(|error| layers.bad_value(&error.path().to_string(), error.inner()))?;
    config.anchor_paths(file.path().parent().unwrap_or(Path::new("")));
    config.check(&layers)?;
    config.places = layers.places();
    Ok(config)
}

fn environment_source(variables: HashMap<String, String>) -> Environment {
    Environment::with_prefix("UPLINK_AGENT").prefix_separator("_").separator("__").source(Some(variables))
}

fn read_file(file: &ConfigFile) -> Result<Option<String>, Error> {
    match (std::fs::read_to_string(file.path()), file) {
        (Ok(text), _) => Ok(Some(text)),
        (Err(error), ConfigFile::Standard(_)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        (Err(source), _) => {
            Err(Error::File { action: "read the configuration", path: file.path().to_owned(), source })
        }
    }
}

impl Config {
    /// Paths count from the folder of the file that names them.
    fn anchor_paths(&mut self, folder: &Path) {
        self.jira_ca_file.anchor(folder);
        self.relay.ca_file.anchor(folder);
        self.log.file.anchor(folder);
        self.relay.inspection_ca_file.anchor(folder);
        self.proxy.password_file.anchor(folder);
        self.proxy.ca_file.anchor(folder);
        self.jira_path.proxy_password_file.anchor(folder);
        self.jira_path.client_certificate_file.anchor(folder);
        self.policy.mask_key_file.anchor(folder);
        for mask in &mut self.mask {
            mask.salt_file.anchor(folder);
        }
        for jira in &mut self.jira {
            jira.proxy_password_file.anchor(folder);
            jira.client_certificate_file.anchor(folder);
            jira.password_file.anchor(folder);
            jira.ca_file.anchor(folder);
        }
    }

    /// Values that parse and still make no sense.
    fn check(&self, layers: &Layers) -> Result<(), Error> {
        Place::parse(&self.metrics.listen).map_err(|reason| layers.bad_value("metrics.listen", &reason))?;
        let ranges = [
            ("link.connect_timeout_ms", self.link.connect_timeout_ms, 100, 600_000),
            ("link.handshake_timeout_ms", self.link.handshake_timeout_ms, 100, 600_000),
            ("identity.rotate_after_days", self.identity.rotate_after_days.into(), 0, 36_500),
            ("limits.max_runs", self.limits.max_runs.into(), 1, 64),
            ("limits.max_parallel", self.limits.max_parallel.into(), 1, 256),
            ("limits.unacked_mib", self.limits.unacked_mib.into(), 1, 4096),
            ("limits.max_page_mib", self.limits.max_page_mib.into(), 1, 1024),
            ("limits.part_mib", self.limits.part_mib.into(), 1, 16),
            ("requests.connect_timeout_ms", self.requests.connect_timeout_ms, 100, 600_000),
            ("requests.read_timeout_ms", self.requests.read_timeout_ms, 1000, 3_600_000),
            ("log.max_mib", self.log.max_mib.into(), 1, 4096),
            ("log.keep_files", self.log.keep_files.into(), 1, 1000),
            ("log.max_days", self.log.max_days.into(), 1, 3650),
            ("health.every_s", self.health.every_s.into(), 0, 86_400),
            ("audit.max_mib", self.audit.max_mib.into(), 1, 1024),
            ("audit.keep_files", self.audit.keep_files.into(), 2, 10_000),
            ("audit.max_days", self.audit.max_days.into(), 1, 36_500),
        ];
        for (key, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return Err(layers
                    .bad_value(key, &format!("{value} is out of range; it must be from {least} to {most}")));
            }
        }
        let policy = self
            .policy
            .check()
            .or_else(|| self.mask.iter().enumerate().find_map(|(at, mask)| mask.check(at)));
        policy.map_or(Ok(()), |(key, reason)| Err(layers.bad_value(&key, &reason)))
    }
}

/// A list in a file, one text with commas in the environment.
pub(crate) fn list_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct ListOrText;
    impl<'de> serde::de::Visitor<'de> for ListOrText {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of texts")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = items.next_element()? {
                list.push(item);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_any(ListOrText)
}

#[cfg(test)]
mod tests;
