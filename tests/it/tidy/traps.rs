//! docs/traps.md names a test for each trap: they are all there.

use super::{crate_sources, root};
use std::collections::BTreeSet;

/// The last cell of each row that names a test.
fn named(document: &str) -> Vec<&str> {
    let rows = document.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |"));
    rows.filter_map(|row| row.trim_end_matches("` |").rsplit('`').next()).collect()
}

#[test]
fn every_trap_has_a_test_that_is_there() {
    let document = std::fs::read_to_string(root().join("docs/traps.md")).unwrap();
    let tests = named(&document);
    let crates = ["protocol", "jira", "agent", "relay", "tests"];
    let sources: Vec<String> =
        crates.iter().flat_map(|name| crate_sources(name)).map(|(_, text)| text).collect();
    let written: BTreeSet<&str> = sources
        .iter()
        .flat_map(|text| text.split("fn ").skip(1))
        .filter_map(|after| after.split(['(', '<']).next())
        .collect();
    assert!(tests.len() > 70, "the document names {} tests", tests.len());
    let missing: Vec<_> = tests.iter().filter(|test| !written.contains(**test)).collect();
    assert!(missing.is_empty(), "docs/traps.md names tests that are not there: {missing:#?}");
    let rows =
        document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| trap |")).count();
    assert_eq!(rows, tests.len(), "a row of docs/traps.md names no test");
}
