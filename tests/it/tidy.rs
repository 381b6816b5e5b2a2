//! The tree obeys the rules that ARCHITECTURE.md states, and generated documents are current. `UPLINK_UPDATE_DOCS=1` writes them.

mod tables;
mod traps;

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
                let used = words.iter().find(|word| uses(line, word) && !is_door(&path, word));
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

/// The one place of the relay that runs the engine.
fn is_door(path: &Path, word: &str) -> bool {
    word == "jira::" && path.iter().any(|part| part == "direct" || part == "direct.rs")
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
    assert_current("docs/tables.md", &tables::document());
}

#[test]
fn every_check_of_the_doctor_is_documented() {
    assert_current("docs/doctor.md", &doctor_document());
}

fn assert_current(name: &str, wanted: &str) {
    let path = root().join(name);
    if std::env::var_os("UPLINK_UPDATE_DOCS").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{name} is not current: run UPLINK_UPDATE_DOCS=1 cargo test -p tests --test it tidy"
    );
}

/// Only `relay/src/direct` knows the engine, so the relay lists the tables once more.
#[test]
fn the_relay_knows_every_table_of_the_engine() {
    let listed = std::fs::read_to_string(root().join("relay/src/run/catalogue.rs")).unwrap();
    let optional = listed.split("OPTIONAL_TABLES: &[&str]").nth(1).unwrap().split(';').next().unwrap();
    for table in jira::Table::all() {
        let is_optional = optional.contains(&format!("\"{}\"", table.name()));
        assert_eq!(is_optional, !table.is_default(), "{} is optional in one of the two only", table.name());
        assert_eq!(
            tests::truth::is_default(table.name()),
            table.is_default(),
            "{} in the tests",
            table.name()
        );
        assert!(
            listed.contains(&format!("\"{}\"", table.name())),
            "{} is missing in the relay's catalogue",
            table.name()
        );
    }
}

const DOCTOR: &str = "# What `uplink-agent doctor` checks\n\nGenerated from the code.\n\n`uplink-agent doctor` looks at everything between the configuration \
and Jira and says of each check whether it passed, what was found and, where it failed, what to do about it. It changes nothing (an enrolled agent's audit log notes that Jira was asked) and sends no hello: a running \
agent keeps its session. `--json` prints the report as one document (`checks[]` with `check`, `subject`, `outcome`, `code`, `found`, and where they apply \
`remedy`, `network_team`, `issuer_met`, `issuer_expected`). Before the enrolment, `--relay URL` and `--relay-ca FILE` name the relay; `uplink-agent enroll` runs the \
checks from `relay_name` to `relay_challenge` by itself before it spends its token.\n\n`outcome` is `pass`, `note` (it works, and there is something to know), `fail`, or \
`skipped` (something before it failed, or there was nothing to look at). A check passes on proof only: the relay is proven by its challenge over the WebSocket, \
a proxy's tunnel by TLS at its end, Jira by its server information. An interceptor is told from an unknown authority by asking for a name that nobody can own: \
whoever shows a certificate for it makes certificates.\n\n| exit code | meaning |\n|---|---|\n| 0 | no check failed; notes and skipped checks are no failures |\n| 1 | a \
check failed |\n| 2 | wrong use, or the configuration cannot be used |\n\nA login at Jira is one attempt, and is made only for accounts whose password the \
premises keep (`[[jira]]` in the configuration), or with `--username NAME --password-stdin` (without `--username`: a personal access token). `--jira URL` picks one of \
several permitted addresses. Where Jira's address answers with 404, the usual paths of the same host (`/` and `/jira`) are asked for their server information too.\n\n`--bundle FILE` \
writes a support bundle as `.tar.gz`, readable by this user alone: the report, the configuration in force, the last status, the last lines of the log file, names and modes of the state folder's \
files, the proxy and the versions. Passwords, keys, tokens and anything that was read from Jira are not in it.\n";

fn doctor_document() -> String {
    use agent::catalogue::{Check, Code, Outcome};
    let mut text = DOCTOR.to_owned();
    for check in Check::ALL {
        write!(
            text,
            "\n## {}\n\n{}\n\n| code | outcome | meaning | remedy |\n|---|---|---|---|\n",
            check.id(),
            check.meaning()
        )
        .unwrap();
        for code in Code::ALL.iter().filter(|code| code.check() == check) {
            let outcome = match code.outcome() {
                Outcome::Fail => "fail",
                Outcome::Note => "note",
                Outcome::Pass | Outcome::Skipped => panic!("{} is no finding", code.name()),
            };
            let cell = |text: &str| text.replace('|', "\\|");
            writeln!(
                text,
                "| `{}` | {outcome} | {} | {} |",
                code.name(),
                cell(code.meaning()),
                cell(code.remedy())
            )
            .unwrap();
        }
    }
    text
}
