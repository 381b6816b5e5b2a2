//! The tree obeys the rules that ARCHITECTURE.md states, and generated documents are current. `UPLINK_UPDATE_DOCS=1` writes them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn crate_sources(name: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    sources(&root().join(name), &mut files);
    files.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let crates = ["protocol", "jira", "agent", "relay", "tests"];
    let files = crates.iter().flat_map(|name| crate_sources(name));
    let long: Vec<_> = files.filter(|(_, text)| text.lines().count() > 500).map(|(path, _)| path).collect();
    assert!(long.is_empty(), "split these by idea: {long:?}");
}

#[test]
fn dependencies_point_downwards() {
    let forbidden: [(&str, &[&str]); 4] = [
        (
            "protocol",
            &[
                "tokio",
                "jira::",
                "agent::",
                "relay::",
                "std::net::Tcp",
                "std::fs",
                "SystemTime::now",
                "Instant::now",
            ],
        ),
        ("jira", &["protocol::", "agent::", "relay::", "std::fs"]),
        ("agent", &["relay::"]),
        ("relay", &["agent::", "jira::"]),
    ];
    for (name, words) in forbidden {
        let product = |path: &Path| !path.iter().any(|part| part == "tests" || part == "tests.rs");
        for (path, text) in crate_sources(name).into_iter().filter(|(path, _)| product(path)) {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                let used = words.iter().find(|word| uses(line, word));
                assert!(
                    used.is_none(),
                    "{}: `{name}` must not use `{}`: {line}",
                    path.display(),
                    used.unwrap()
                );
            }
        }
    }
}

/// Whether a line names a path that starts with `word` (and not merely ends so, as `crate::agent::` does).
fn uses(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|character| {
            character.is_alphanumeric() || matches!(character, '_' | ':' | '"' | '`')
        })
    })
}

#[test]
fn junk_drawers_have_no_place() {
    let names = ["utils.rs", "util.rs", "common.rs", "helpers.rs", "manager.rs", "mod.rs", "misc.rs"];
    let files = ["protocol", "jira", "agent", "relay", "tests"].iter().flat_map(|name| crate_sources(name));
    let junk: Vec<_> =
        files.map(|(path, _)| path).filter(|path| names.iter().any(|name| path.ends_with(name))).collect();
    assert!(junk.is_empty(), "name the thing: {junk:?}");
}

#[test]
fn the_catalogue_of_tables_is_documented() {
    let path = root().join("docs/tables.md");
    let wanted = tables_document();
    if std::env::var_os("UPLINK_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/tables.md is not current: run UPLINK_UPDATE_DOCS=1 cargo test -p tests --test it tidy"
    );
}

/// The relay does not know the engine, so it lists the tables once more.
#[test]
fn the_relay_knows_every_table_of_the_engine() {
    let listed = std::fs::read_to_string(root().join("relay/src/run/catalogue.rs")).unwrap();
    for table in jira::Table::all() {
        assert!(
            listed.contains(&format!("\"{}\"", table.name())),
            "{} is missing in the relay's catalogue",
            table.name()
        );
    }
}

fn tables_document() -> String {
    let mut text = String::from(
        "# Tables\n\nGenerated from the code. Times are UTC with microseconds; ids that Jira makes numeric are 64-bit integers; users are named by \
         their key. A column of type `json` is text that holds compact JSON.\n\nThe issue tables are replaced issue by issue in a delta load; the others \
         are replaced whole in every load. `issues` has one more column per custom field, named after the field, with the field's id in the column's metadata \
         (`jira.field_id`); two fields of one name never share a column.\n",
    );
    for table in jira::catalogue() {
        write!(
            text,
            "\n## {}\n\nKey: {}. Source: {}.\n\n| column | type | from |\n|---|---|---|\n",
            table.table.name(),
            table.key.join(", "),
            table.source
        )
        .unwrap();
        for column in table.columns {
            writeln!(
                text,
                "| {} | {} | {} |",
                column.name,
                column.column_type.name(),
                column.source.replace('|', "\\|")
            )
            .unwrap();
        }
    }
    text
}
