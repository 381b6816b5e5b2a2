//! Every line that the agent logs has a stable event name, and docs/logs.md lists all of them. `UPLINK_UPDATE_DOCS=1` writes the list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MARK: &str = "<!-- events -->\n";

/// An event as the source has it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    level: &'static str,
    says: String,
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The arguments of a macro call that begins with `open`, and where they end.
fn arguments(text: &str) -> &str {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for (place, c) in text.char_indices() {
        match (quoted, escaped, c) {
            (true, true, _) => escaped = false,
            (true, false, '\\') => escaped = true,
            (_, false, '"') => quoted = !quoted,
            (false, _, '(') => depth += 1,
            (false, _, ')') => {
                depth -= 1;
                if depth == 0 {
                    return text.split_at(place).0;
                }
            }
            _ => {}
        }
    }
    text
}

/// The texts in quotes, in their order.
fn quoted(text: &str) -> Vec<String> {
    let pieces: Vec<&str> = text.split('"').collect();
    let texts = pieces.iter().enumerate().filter(|(place, _)| place % 2 == 1);
    texts.map(|(_, text)| text.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn events() -> BTreeMap<String, Event> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    ["agent", "jira", "protocol"].iter().for_each(|name| sources(&root.join(name).join("src"), &mut files));
    let mut found = BTreeMap::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for level in ["error", "warn", "info", "debug", "trace"] {
            for (place, call) in product.match_indices(&format!("tracing::{level}!(")) {
                let inside = arguments(product.split_at(place + call.len() - 1).1);
                let named = inside.split("event = \"").nth(1).and_then(|rest| rest.split('"').next());
                let name = named.unwrap_or_else(|| {
                    panic!("{}: a line of the log without `event`: {inside}", path.display())
                });
                let all = quoted(inside);
                let says = all.last().filter(|text| *text != name && !text.starts_with('{')).cloned();
                let event = Event { level, says: says.unwrap_or_default() };
                // A name that stands in several places is described by the one that says most.
                let kept =
                    found.entry(name.to_owned()).or_insert_with(|| Event { level, says: String::new() });
                if event.says.len() > kept.says.len() {
                    *kept = event;
                }
            }
        }
    }
    found
}

#[test]
fn every_event_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/logs.md");
    let found = std::fs::read_to_string(&path).unwrap();
    let head = found.split(MARK).next().unwrap();
    let mut wanted = format!("{head}{MARK}\n| event | level | says |\n|---|---|---|\n");
    for (name, event) in events() {
        wanted.push_str(&format!("| `{name}` | {} | {} |\n", event.level, event.says.replace('|', "\\|")));
    }
    if std::env::var_os("UPLINK_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(
        found == wanted,
        "docs/logs.md is not current: run UPLINK_UPDATE_DOCS=1 cargo test -p tests --test it events"
    );
}

#[test]
fn events_have_names_that_grep() {
    for name in events().keys() {
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(plain && !name.is_empty(), "`{name}`");
    }
}
