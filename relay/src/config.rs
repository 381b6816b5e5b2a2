//! Configuration: defaults in the binary, a file, the environment, flags. A key that does not exist is an error that names
//! the nearest one that does.

use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

const DEFAULTS: &str = include_str!("config/default.toml");
const ENVIRONMENT: &str = "UPLINK_RELAY";
/// A suggestion further away than this confuses more than it helps.
const NEAR: usize = 3;
/// Below, beats are traffic; above, proxies cut the line between two. Agents keep to the same bounds.
const HEARTBEAT_MS: std::ops::RangeInclusive<u64> = 500..=30_000;

/// What the relay is told at start. `default.toml` explains each key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of everything that the relay keeps.
    pub data: PathBuf,
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Further names by which the relay is reached.
    pub names: Vec<String>,
    /// The certificate.
    pub tls: Tls,
    /// Links to agents.
    pub link: Link,
    /// Logging.
    pub log: Log,
    /// Bounds.
    pub limits: Limits,
}

/// A certificate of the user's own; both empty means that the relay makes one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file of the chain.
    pub cert: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
}

/// How links are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// How often each side says that it is there.
    pub heartbeat_ms: u64,
}

/// Where log lines look like what.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Form of a line.
    pub format: LogFormat,
    /// A filter in the language of `tracing`.
    pub filter: String,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Human on a terminal, else JSON.
    Auto,
    /// For a person.
    Human,
    /// One JSON document a line.
    Json,
}

/// Bounds of the whole relay.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most open network connections.
    pub sockets: usize,
    /// Most runs that one agent is given at once.
    pub runs_per_agent: usize,
    /// Most runs of direct connections at once.
    pub direct_runs: usize,
}

/// What flags say; they win over everything.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--name`, repeatable; added to the configured ones.
    pub names: Vec<String>,
    /// `--tls-cert`.
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`.
    pub tls_key: Option<PathBuf>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
}

/// Why the relay cannot be configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file does not exist or cannot be read.
    #[error("cannot read the configuration {file}: {source}; check the path given with --config")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key or value is wrong.
    #[error("the configuration is wrong at `{key}`: {why}{hint}")]
    Value {
        /// Path of the key.
        key: String,
        /// What the parser says.
        why: String,
        /// What was probably meant.
        hint: String,
    },
    /// A layer is no TOML.
    #[error("the configuration cannot be parsed: {0}")]
    Syntax(String),
    /// One half of a pair is missing.
    #[error("`tls.cert` and `tls.key` belong together: give both or neither")]
    HalfCertificate,
    /// A number that no link can be kept with.
    #[error("`{key}` must be from {least} to {most}")]
    Range {
        /// The key.
        key: &'static str,
        /// The smallest value.
        least: u64,
        /// The largest value.
        most: u64,
    },
    /// A bound of nothing.
    #[error("`{0}` must be at least 1")]
    Zero(&'static str),
}

impl Config {
    /// Reads all layers. `environment` replaces the process's own variables in tests.
    pub fn load(
        file: Option<&Path>,
        overrides: &Overrides,
        environment: Option<std::collections::HashMap<String, String>>,
    ) -> Result<Self, ConfigError> {
        let variables = config::Environment::with_prefix(ENVIRONMENT)
            .prefix_separator("_")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("names")
            .source(environment);
        let mut layers =
            config::Config::builder().add_source(config::File::from_str(DEFAULTS, config::FileFormat::Toml));
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Read { file: path.to_owned(), source })?;
            layers = layers.add_source(config::File::from_str(&text, config::FileFormat::Toml));
        }
        let merged =
            layers.add_source(variables).build().map_err(|error| ConfigError::Syntax(error.to_string()))?;
        let mut config: Self = serde_path_to_error::deserialize(merged).map_err(|error| explain(&error))?;
        config.apply(overrides);
        config.check()?;
        Ok(config)
    }

    fn apply(&mut self, flags: &Overrides) {
        if let Some(data) = &flags.data {
            self.data.clone_from(data);
        }
        if let Some(listen) = flags.listen {
            self.listen = listen;
        }
        self.names.extend(flags.names.iter().cloned());
        if let Some(cert) = &flags.tls_cert {
            self.tls.cert.clone_from(cert);
        }
        if let Some(key) = &flags.tls_key {
            self.tls.key.clone_from(key);
        }
        if let Some(format) = flags.log_format {
            self.log.format = format;
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.tls.cert.as_os_str().is_empty() != self.tls.key.as_os_str().is_empty() {
            return Err(ConfigError::HalfCertificate);
        }
        if !HEARTBEAT_MS.contains(&self.link.heartbeat_ms) {
            let (least, most) = (*HEARTBEAT_MS.start(), *HEARTBEAT_MS.end());
            return Err(ConfigError::Range { key: "link.heartbeat_ms", least, most });
        }
        if self.limits.sockets == 0 {
            return Err(ConfigError::Zero("limits.sockets"));
        }
        if self.limits.runs_per_agent == 0 {
            return Err(ConfigError::Zero("limits.runs_per_agent"));
        }
        if self.limits.direct_runs == 0 {
            return Err(ConfigError::Zero("limits.direct_runs"));
        }
        Ok(())
    }
}

fn explain(error: &serde_path_to_error::Error<config::ConfigError>) -> ConfigError {
    let why = error.inner().to_string();
    let hint = unknown_field(&why).map(|(unknown, known)| suggestion(unknown, &known)).unwrap_or_default();
    ConfigError::Value { key: error.path().to_string(), why, hint }
}

/// Takes serde's "unknown field `x`, expected one of `a`, `b`" apart.
fn unknown_field(text: &str) -> Option<(&str, Vec<&str>)> {
    let rest = text.split_once("unknown field `")?.1;
    let (unknown, rest) = rest.split_once('`')?;
    Some((unknown, rest.split('`').skip(1).step_by(2).collect()))
}

fn suggestion(unknown: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|key| (strsim::damerau_levenshtein(unknown, key), *key)).min();
    match nearest {
        Some((distance, key)) if distance <= NEAR => format!("; did you mean `{key}`?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.toml");
        std::fs::write(&path, file).unwrap();
        let variables =
            variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<HashMap<_, _>>();
        Config::load(Some(&path), &Overrides::default(), Some(variables))
    }

    #[test]
    fn the_defaults_are_complete_and_listen_on_loopback() {
        let config = load("", &[]).unwrap();
        assert!(config.listen.ip().is_loopback());
        assert_eq!(config.data, PathBuf::from("relay-data"));
    }

    #[test]
    fn the_environment_wins_over_the_file_and_a_flag_over_both() {
        let variables =
            [("UPLINK_RELAY_LISTEN", "127.0.0.1:1"), ("UPLINK_RELAY_NAMES", "a.example,b.example")];
        let config = load("listen = '127.0.0.1:2'", &variables).unwrap();
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.names, ["a.example", "b.example"]);
        let flags = Overrides { listen: "127.0.0.1:3".parse().ok(), ..Overrides::default() };
        let none = Some(HashMap::new());
        assert_eq!(Config::load(None, &flags, none).unwrap().listen.port(), 3);
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_one() {
        let text = load("lissten = '127.0.0.1:2'", &[]).unwrap_err().to_string();
        assert!(text.contains("did you mean `listen`?"), "{text}");
        let text = load("", &[("UPLINK_RELAY_TLS__CRT", "x")]).unwrap_err().to_string();
        assert!(text.contains("did you mean `cert`?"), "{text}");
    }

    #[test]
    fn a_wrong_value_names_its_key() {
        let text = load("[limits]\nsockets = 'many'", &[]).unwrap_err().to_string();
        assert!(text.contains("limits.sockets"), "{text}");
        assert!(matches!(load("[limits]\nsockets = 0", &[]), Err(ConfigError::Zero(_))));
    }

    #[test]
    fn a_certificate_without_its_key_is_refused() {
        assert!(matches!(load("[tls]\ncert = 'a.pem'", &[]), Err(ConfigError::HalfCertificate)));
    }
}
