//! The tables that are read only when they are named: how a site is set up and who may do what in it, on Server and on Cloud.

use crate::cloud::connected;
use crate::site::{assert_set_up_landed_equals_truth, generated, set_up_tables};
use serde_json::Value;
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::{ClockSource, Edit, Flavour, JiraSim, NewIssue, SimConfig, SimHandle};
use tests::lake_oracle;

/// Jira's clock stands still but for changes, so that the row of `server_info` can be compared.
const CLOCK: ClockSource = ClockSource::Stepped { start_ms: 1_767_225_600_000, step_ms: 1_000 };

async fn on_server(config: SimConfig) -> (tests::jira_sim::RunningSim, Cluster) {
    let sim = JiraSim::start(SimConfig { clock: CLOCK, ..config }).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    (sim, cluster)
}

/// What warnings of a run say: code and count.
fn warnings(run: &Value) -> Vec<(String, u64)> {
    let told = run["result"]["warnings"].as_array().unwrap();
    let mut told: Vec<_> = told
        .iter()
        .map(|one| (one["code"].as_str().unwrap().to_owned(), one["count"].as_u64().unwrap()))
        .collect();
    told.sort();
    told
}

fn rows(cluster: &Cluster, table: &str) -> usize {
    lake_oracle::read(&cluster.table_dir(table)).unwrap().rows.len()
}

/// Gives an epic another summary and adds one: delta loads read these tables whole.
fn change_an_epic(sim: &SimHandle) {
    let epic = NewIssue {
        project: "WEB".into(),
        issue_type: "Epic".into(),
        summary: "new".into(),
        ..NewIssue::default()
    };
    let made = sim.create_issue(&epic).unwrap();
    sim.edit_issue(&made.key, &Edit { summary: Some("renamed".to_owned()), ..Edit::default() }).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_set_up_of_a_server_lands_cell_by_cell_when_it_is_named() {
    let (sim, cluster) = on_server(SimConfig { flavour: Flavour::V10_3, ..generated(300, 41) }).await;
    let tables = set_up_tables();
    let run = cluster.extracted(&["--full", "--tables", &tables]).await;
    assert_set_up_landed_equals_truth(&cluster, &sim);
    // What Server does not offer is said.
    let said = [("field_contexts_not_offered".to_owned(), 1), ("labels_not_offered".to_owned(), 1)];
    assert_eq!(warnings(&run), said, "{run:#}");
    for table in [
        "permission_grants",
        "group_members",
        "role_actors",
        "field_options",
        "epics",
        "audit_records",
        "board_filters",
    ] {
        assert!(rows(&cluster, table) > 0, "{table} has no row");
    }
    change_an_epic(&sim);
    cluster.extracted(&["--delta", "--tables", &tables]).await;
    assert_set_up_landed_equals_truth(&cluster, &sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_set_up_of_a_cloud_site_lands_cell_by_cell_when_it_is_named() {
    let sim = JiraSim::start(SimConfig { clock: CLOCK, ..SimConfig::cloud(300, 42) }).unwrap();
    let (cluster, _) = connected(&sim, "reader-api-token").await;
    let run = cluster.extracted(&["--full", "--tables", &set_up_tables()]).await;
    assert_set_up_landed_equals_truth(&cluster, &sim);
    // An archived project tells nothing of its roles.
    assert_eq!(warnings(&run), [("role_actors_withheld".to_owned(), 1)], "{run:#}");
    for table in
        ["labels", "field_contexts", "field_options", "group_members", "workflow_schemes", "audit_records"]
    {
        assert!(rows(&cluster, table) > 0, "{table} has no row");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_administrators_is_missed_with_a_count_and_the_run_goes_on() {
    let config = SimConfig { administrators: false, group_picker_limit: 3, ..generated(60, 43) };
    let (sim, cluster) = on_server(config).await;
    let run = cluster.extracted(&["--full", "--tables", &set_up_tables()]).await;
    let said = warnings(&run);
    let count = |code: &str| said.iter().find(|(known, _)| known == code).map(|(_, count)| *count);
    let projects = u64::try_from(sim.project_list().len()).unwrap();
    // Jira answers 401 to the first two, which is no refused login.
    for table in ["workflows", "screens", "issue_type_schemes", "application_roles", "audit_records"] {
        assert_eq!(count(&format!("{table}_withheld")), Some(1), "{table}: {said:?}");
        assert_eq!(rows(&cluster, table), 0);
    }
    assert_eq!(count("workflow_schemes_withheld"), Some(projects), "{said:?}");
    assert_eq!(count("role_actors_withheld"), Some(projects), "{said:?}");
    // The members of three groups, and those of the fourth, which the site does not even show.
    assert_eq!(count("group_members_withheld"), Some(4), "{said:?}");
    assert_eq!((count("groups_cut"), rows(&cluster, "groups")), (Some(1), 3), "{said:?}");
    assert!(rows(&cluster, "permission_grants") > 0 && rows(&cluster, "server_info") == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_center_that_does_not_know_options_yet_is_told_apart_from_one_without_any() {
    let (_sim, cluster) = on_server(SimConfig { flavour: Flavour::V9_12, ..generated(60, 44) }).await;
    let run = cluster.extracted(&["--full", "--tables", "field_options"]).await;
    assert_eq!(rows(&cluster, "field_options"), 0);
    assert_eq!(warnings(&run), [("field_options_withheld".to_owned(), 6)], "{run:#}");
}
