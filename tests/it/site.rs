//! The simulated sites that the journeys read, and the comparison of what landed with their truth.

use std::collections::BTreeMap;
use std::path::PathBuf;
use tests::cluster::{Cluster, PASSWORD, USERNAME};
use tests::jira_sim::{Account, GeneratedSite, SimConfig, SiteSource};
use tests::{lake_oracle, truth};

/// The tables that follow an issue.
pub(crate) const ISSUE_TABLES: [&str; 12] = [
    "issues",
    "issue_comments",
    "issue_worklogs",
    "issue_changelog",
    "issue_links",
    "issue_sprints",
    "issue_labels",
    "issue_components",
    "issue_versions",
    "issue_attachments",
    "issue_subtasks",
    "issue_custom_values",
];

/// A generated site behind a context path, read by an account far from UTC.
pub(crate) fn generated(issues: u32, seed: u64) -> SimConfig {
    let site = GeneratedSite { issues, seed, large_description_every: 400, ..GeneratedSite::default() };
    config(SiteSource::Generated(site))
}

/// A simulator with the test account over a site.
pub(crate) fn config(source: SiteSource) -> SimConfig {
    let account =
        Account::new(USERNAME, PASSWORD).in_zone("Asia/Kolkata").with_token("canary-personal-token-77");
    SimConfig { context_path: "/jira".into(), accounts: vec![account], source, ..SimConfig::default() }
}

/// Recorded issues beside the checkout (or where `UPLINK_JIRA_SAMPLES` says); `None`, said aloud, when there are none.
pub(crate) fn recorded_issues() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/jira-samples");
    let samples = std::env::var_os("UPLINK_JIRA_SAMPLES").map_or(beside, PathBuf::from);
    let file = samples.join("server/tidev-appcelerator/issues-curated.ndjson.gz");
    if file.exists() {
        return Some(file);
    }
    eprintln!("SKIPPED: no recorded issues at {}", file.display());
    None
}

/// Asserts that every table of the connection `jira` that is read by default equals the simulator's truth, cell by cell.
pub(crate) fn assert_landed_equals_truth(cluster: &Cluster, sim: &tests::jira_sim::SimHandle) {
    assert_landed(cluster, truth::tables(sim));
}

/// Asserts that every table of the site's set-up equals the simulator's truth, cell by cell.
pub(crate) fn assert_set_up_landed_equals_truth(cluster: &Cluster, sim: &tests::jira_sim::SimHandle) {
    assert_landed(cluster, truth::set_up_tables(sim));
}

/// The names of the tables of the site's set-up, as `--tables` takes them.
pub(crate) fn set_up_tables() -> String {
    truth::names().filter(|name| truth::is_set_up(name)).collect::<Vec<_>>().join(",")
}

fn assert_landed(cluster: &Cluster, tables: BTreeMap<String, truth::TruthTable>) {
    let mut differences = Vec::new();
    for (name, truth) in tables {
        match lake_oracle::read(&cluster.table_dir(&name)) {
            Some(landed) => differences.extend(lake_oracle::differences(&name, &truth, &landed)),
            None => differences.push(format!("{name}: no table landed")),
        }
    }
    assert!(differences.is_empty(), "what landed differs from Jira:\n{}", differences.join("\n"));
}
