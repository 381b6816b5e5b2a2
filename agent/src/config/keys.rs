//! Where each key of the configuration stands, so that a refusal names the file and line or the variable, and the nearest known key.

use crate::error::Error;
use config::{File, FileFormat, Map, Source, Value, ValueKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::path::Path;

/// Keys of `[[jira]]` and `[[mask]]` entries, which the defaults can only show in a comment.
const ENTRY_KEYS: &[&str] = &[
    "jira[].url",
    "jira[].username",
    "jira[].password_file",
    "jira[].password_credential",
    "jira[].password_env",
    "jira[].ca_file",
    "jira[].proxy",
    "jira[].proxy_username",
    "jira[].proxy_password_file",
    "jira[].client_certificate_file",
    "jira[].addresses",
    "jira[].connect_timeout_ms",
    "jira[].read_timeout_ms",
    "mask[].columns",
    "mask[].with",
    "mask[].salt_file",
];

/// Names less alike than this are no help.
const LEAST_LIKENESS: f64 = 0.6;

/// One source of keys.
pub(super) struct Layer {
    origin: Origin,
    keys: BTreeSet<String>,
}

enum Origin {
    Defaults,
    File { name: String, text: String },
    Environment,
}

impl Layer {
    pub(super) fn defaults(text: &str) -> Result<Self, Error> {
        Ok(Self { origin: Origin::Defaults, keys: keys_of_toml("built into the agent", text)? })
    }

    pub(super) fn file(path: &Path, text: &str) -> Result<Self, Error> {
        let name = path.display().to_string();
        let keys = keys_of_toml(&name, text)?;
        Ok(Self { origin: Origin::File { name, text: text.to_owned() }, keys })
    }

    pub(super) fn environment(variables: HashMap<String, String>) -> Result<Self, Error> {
        let found = super::environment_source(variables)
            .collect()
            .map_err(|error| syntax("in the environment", &error))?;
        Ok(Self { origin: Origin::Environment, keys: flatten(&found) })
    }

    fn place_of(&self, key: &str) -> String {
        match &self.origin {
            Origin::Defaults => "the defaults".to_owned(),
            Origin::Environment => {
                format!("environment variable UPLINK_AGENT_{}", key.to_uppercase().replace('.', "__"))
            }
            Origin::File { name, text } => match line_of(text, key) {
                Some(line) => format!("{name}, line {line}"),
                None => name.clone(),
            },
        }
    }
}

/// Where keys stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Places(BTreeMap<String, String>);

impl Places {
    /// File and line, the environment variable, or that it is a default.
    pub(crate) fn of(&self, key: &str) -> String {
        self.0.get(key).cloned().unwrap_or_else(|| "the defaults".to_owned())
    }
}

/// All sources, the weakest first. The first one says which keys exist.
pub(super) struct Layers {
    known: BTreeSet<String>,
    layers: Vec<Layer>,
}

impl Layers {
    pub(super) fn new(defaults: Layer) -> Self {
        let known =
            defaults.keys.iter().cloned().chain(ENTRY_KEYS.iter().map(|key| (*key).to_owned())).collect();
        Self { known, layers: vec![defaults] }
    }

    pub(super) fn add(&mut self, layer: Layer) -> Result<(), Error> {
        if let Some(key) = layer.keys.iter().find(|key| !self.known.contains(*key)) {
            return Err(Error::UnknownKey {
                key: key.clone(),
                place: layer.place_of(key),
                nearest: self.nearest(key),
            });
        }
        self.layers.push(layer);
        Ok(())
    }

    /// A key whose value cannot be used, at the place of the strongest source that has it.
    pub(super) fn bad_value(&self, key: &str, reason: &dyn Display) -> Error {
        let plain = without_indices(key);
        let place = self
            .layers
            .iter()
            .rev()
            .find(|layer| layer.keys.iter().any(|held| *held == plain || held.starts_with(&plain)))
            .map_or_else(|| "the configuration".to_owned(), |layer| layer.place_of(&plain));
        Error::BadValue { key: key.to_owned(), place, reason: reason.to_string() }
    }

    /// Where the strongest source of each key stands; the n-th entry of a list under `name[n]`.
    pub(super) fn places(&self) -> Places {
        let mut places = BTreeMap::new();
        for layer in &self.layers {
            for key in &layer.keys {
                places.insert(key.clone(), layer.place_of(key));
            }
            if let Origin::File { name, text } = &layer.origin {
                for list in ["jira", "mask"] {
                    let header = format!("[[{list}]]");
                    let starts =
                        text.lines().enumerate().filter(|(_, line)| line.trim().starts_with(&header));
                    for (nth, (line, _)) in starts.enumerate() {
                        places.insert(format!("{list}[{nth}]"), format!("{name}, line {}", line + 1));
                    }
                }
            }
        }
        Places(places)
    }

    /// The nearest by the whole key, or a key of the same name in another section.
    fn nearest(&self, key: &str) -> Option<String> {
        let leaf = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        let likeness = |known: &str| {
            let whole = strsim::jaro_winkler(key, known);
            let last = strsim::jaro_winkler(&leaf(key), &leaf(known));
            whole.max(last * 0.95)
        };
        let best = self.known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
        (likeness(best) >= LEAST_LIKENESS).then(|| best.clone())
    }
}

fn syntax(place: &str, error: &dyn Display) -> Error {
    Error::ConfigSyntax { place: place.to_owned(), reason: error.to_string().trim_end().to_owned() }
}

fn keys_of_toml(place: &str, text: &str) -> Result<BTreeSet<String>, Error> {
    let found = File::from_str(text, FileFormat::Toml).collect().map_err(|error| syntax(place, &error))?;
    Ok(flatten(&found))
}

fn flatten(found: &Map<String, Value>) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for (name, value) in found {
        collect(name, value, &mut keys);
    }
    keys
}

fn collect(path: &str, value: &Value, keys: &mut BTreeSet<String>) {
    match &value.kind {
        ValueKind::Table(table) => {
            for (name, value) in table {
                collect(&format!("{path}.{name}"), value, keys);
            }
        }
        ValueKind::Array(items) if items.iter().any(|item| matches!(item.kind, ValueKind::Table(_))) => {
            for item in items {
                collect(&format!("{path}[]"), item, keys);
            }
        }
        _ => {
            keys.insert(path.to_owned());
        }
    }
}

/// `jira[0].url` as `jira[].url`.
fn without_indices(key: &str) -> String {
    let mut plain = String::with_capacity(key.len());
    let mut inside = false;
    for c in key.chars() {
        inside = (inside || c == '[') && c != ']';
        if !inside || c == '[' {
            plain.push(c);
        }
    }
    plain
}

/// The line (from 1) on which a key of a TOML text stands: its section header is followed, and the first match wins.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let (section, leaf) = key.rsplit_once('.').unwrap_or(("", key));
    let mut current = String::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix("[[").and_then(|rest| rest.split_once("]]")) {
            current = format!("{}[]", header.0.trim());
        } else if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            header.0.trim().clone_into(&mut current);
        } else if let Some((name, _)) = line.split_once('=') {
            let name = name.trim().trim_matches('"');
            if (current == section && name == leaf) || (current.is_empty() && name == key) {
                return Some(index + 1);
            }
        }
    }
    None
}
