//! A committed table equals what Jira held: nothing lost, nothing twice, whatever happens meanwhile.

use crate::site::{ISSUE_TABLES, assert_landed_equals_truth, config, generated, recorded_issues};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::{Edit, JiraSim, NewIssue, SimHandle, SiteSource};
use tests::lake_oracle;
use tests::truth::{self, Cell};

#[tokio::test(flavor = "multi_thread")]
async fn generated_site_lands_cell_by_cell() {
    let sim = JiraSim::start(generated(1_500, 7)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let run = cluster.extracted(&["--full"]).await;
    assert_landed_equals_truth(&cluster, &sim);
    assert_eq!(run["result"]["tables"]["issues"]["rows"], 1_500);
    let stats = sim.stats();
    assert!(stats.max_in_flight <= 4, "{} requests at once, four were allowed", stats.max_in_flight);
    // One of the run, and one of the probe that asks without a login whether Jira answers.
    assert!(stats.sessions <= 2, "the session cookie was not kept: {} sessions", stats.sessions);
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_issues_land_cell_by_cell() {
    let Some(file) = recorded_issues() else { return };
    let sim = JiraSim::start(config(SiteSource::Recorded(file))).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let run = cluster.extracted(&["--full"]).await;
    assert_eq!(run["result"]["tables"]["issues"]["rows"], 306);
    assert_landed_equals_truth(&cluster, &sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn delta_load_gives_the_truth_again() {
    let sim = JiraSim::start(generated(600, 11)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster.extracted(&["--full"]).await;
    let before = lake_oracle::read(&cluster.table_dir("issues")).unwrap();

    change_some(&sim);
    let run = cluster.extracted(&["--delta"]).await;
    assert_landed_equals_truth(&cluster, &sim);

    let after = lake_oracle::read(&cluster.table_dir("issues")).unwrap();
    assert_eq!(after.version, before.version + 1, "a delta load is one commit");
    let read = run["result"]["tables"]["issues"]["rows"].as_u64().unwrap();
    assert!(read < 60, "a delta load read {read} issues, as if it were a full one");

    cluster.extracted(&["--delta"]).await;
    assert_landed_equals_truth(&cluster, &sim);
}

/// Creates, edits and moves issues and changes their children.
fn change_some(sim: &SimHandle) {
    let keys = sim.keys();
    for key in keys.iter().step_by(97) {
        let edit = Edit { summary: Some(format!("edited {key} \u{2028} 変更")), ..Edit::default() };
        sim.edit_issue(key, &edit).unwrap();
        sim.add_comment(key, None, "a new comment\r\nwith two lines").unwrap();
    }
    for key in keys.iter().skip(5).step_by(151) {
        sim.add_worklog(key, 3_600, "worked").unwrap();
    }
    let target = sim.project_list().last().unwrap()["key"].as_str().unwrap().to_owned();
    for key in keys.iter().skip(3).step_by(211).filter(|key| !key.starts_with(&format!("{target}-"))) {
        // A sub-task moves with its parent only; the simulator refuses it like Jira does.
        drop(sim.move_issue(key, &target));
    }
    let created =
        sim.create_issue(&NewIssue { summary: "born later".into(), ..NewIssue::default() }).unwrap();
    let link_type =
        sim.named_list("issueLinkType").first().and_then(|t| t["name"].as_str().map(str::to_owned));
    sim.add_link(&created.key, &keys[10], &link_type.unwrap_or_else(|| "Blocks".into())).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_during_a_full_load_lose_and_double_nothing() {
    for seed in 1..=4 {
        let sim = JiraSim::start(generated(700, seed)).unwrap();
        let cluster = Cluster::start(&sim.url()).await;
        cluster.connect(&sim.url(), PASSWORD, 3).await;
        // After every page an issue that was just read is edited, and others are created, moved and deleted.
        sim.start_script(seed);
        let run = cluster.extracted(&["--full"]).await;
        sim.stop_script();
        let log = sim.script_log();
        assert!(
            log.edited.len() >= 7 && !log.created.is_empty() && !log.deleted.is_empty(),
            "the script did little: {log:?}"
        );
        // The full load vouches for all that was created before its watermark; a later delta load brings the rest.
        let lost = lost_issues(&cluster, &sim, seed);
        let watermark =
            run["result"]["watermark"].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok()).unwrap();
        let late = |id: &u64| created(&sim, *id) >= watermark;
        assert!(lost.iter().all(late), "seed {seed}: {lost:?} are lost, the watermark is {watermark}");
        cluster.extracted(&["--delta"]).await;
        assert_eq!(lost_issues(&cluster, &sim, seed), Vec::<u64>::new(), "seed {seed}");
        assert_live_rows_equal_truth(&cluster, &sim, seed);
    }
}

fn created(sim: &SimHandle, id: u64) -> DateTime<Utc> {
    let issue: serde_json::Value = serde_json::from_str(&sim.issue_json(&id.to_string()).unwrap()).unwrap();
    DateTime::parse_from_str(issue["fields"]["created"].as_str().unwrap(), "%Y-%m-%dT%H:%M:%S%.3f%z")
        .unwrap()
        .to_utc()
}

/// Live issues that are not in the table; an issue that is there twice fails the test.
fn lost_issues(cluster: &Cluster, sim: &SimHandle, seed: u64) -> Vec<u64> {
    let landed = lake_oracle::read(&cluster.table_dir("issues")).unwrap();
    let mut ids = BTreeSet::new();
    for row in &landed.rows {
        assert!(
            ids.insert(number(row, "issue_id")),
            "seed {seed}: an issue is there twice: {:?}",
            row.get("issue_key")
        );
    }
    sim.ids().into_iter().filter(|id| !ids.contains(id)).collect()
}

/// Every row of a live issue equals the truth. What was deleted after the proof, and links to it, stay until the next full load:
/// Jira gives no sign of either.
fn assert_live_rows_equal_truth(cluster: &Cluster, sim: &SimHandle, seed: u64) {
    let live: BTreeSet<u64> = sim.ids().into_iter().collect();
    for table in ISSUE_TABLES {
        let mut landed = lake_oracle::read(&cluster.table_dir(table)).unwrap();
        landed.rows.retain(|row| live.contains(&number(row, "issue_id")));
        landed.rows.retain(|row| {
            !row.contains_key("other_issue_id") || live.contains(&number(row, "other_issue_id"))
        });
        let differences = lake_oracle::differences(table, &truth::table(sim, table).unwrap(), &landed);
        assert!(differences.is_empty(), "seed {seed}: {}", differences.join("\n"));
    }
}

fn number(row: &BTreeMap<String, Cell>, column: &str) -> u64 {
    let Some(Cell::I64(number)) = row.get(column) else { panic!("{column} is no number in {row:?}") };
    u64::try_from(*number).unwrap()
}
