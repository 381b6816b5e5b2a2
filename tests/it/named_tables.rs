//! The tables that an extraction reads only when it names them: of single issues, of boards and of service management.

use crate::site::generated;
use serde_json::Value;
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::{Edit, Fault, FaultKind, JiraSim, SimConfig, SimHandle};
use tests::{lake_oracle, truth};

const OF_ISSUES: &[&str] =
    &["issue_remote_links", "issue_watchers", "issue_votes", "issue_properties", "issue_transitions"];
const OF_BOARDS: &[&str] = &["board_issues", "backlog_issues", "sprint_issues"];

const OF_SERVICE_DESKS: &[&str] =
    &["service_desks", "request_types", "jsm_organizations", "queues", "jsm_requests", "jsm_sla_cycles"];

fn named() -> Vec<&'static str> {
    OF_ISSUES.iter().chain(OF_BOARDS).chain(OF_SERVICE_DESKS).copied().collect()
}

/// Asserts that each of these tables of the connection `jira` equals the simulator's truth, cell by cell.
fn assert_tables_equal_truth(cluster: &Cluster, sim: &SimHandle, tables: &[&str]) {
    let mut differences = Vec::new();
    for name in tables {
        let truth = truth::table(sim, name).unwrap_or_else(|| panic!("{name} has no truth"));
        assert!(!truth.rows.is_empty(), "{name} has no rows to compare");
        match lake_oracle::read(&cluster.table_dir(name)) {
            Some(landed) => differences.extend(lake_oracle::differences(name, &truth, &landed)),
            None => differences.push(format!("{name}: no table landed")),
        }
    }
    assert!(differences.is_empty(), "what landed differs from Jira:\n{}", differences.join("\n"));
}

/// Edits that change what single issues and boards hold.
fn change_some(sim: &SimHandle) {
    let keys = sim.keys();
    for (at, key) in keys.iter().step_by(23).enumerate() {
        let status = if at % 2 == 0 { "Closed" } else { "Open" };
        let mut edit = Edit { status: Some(status.to_owned()), ..Edit::default() };
        edit.fields
            .insert("watches".to_owned(), serde_json::json!({ "watchCount": at % 5, "isWatching": false }));
        edit.fields.insert("votes".to_owned(), serde_json::json!({ "votes": at % 3, "hasVoted": false }));
        sim.edit_issue(key, &edit).unwrap();
    }
    sim.create_issues(5).unwrap();
}

fn warnings(run: &Value) -> Vec<(String, u64)> {
    let warnings = run["result"]["warnings"].as_array().cloned().unwrap_or_default();
    let one = |warning: &Value| Some((warning["code"].as_str()?.to_owned(), warning["count"].as_u64()?));
    warnings.iter().filter_map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn named_tables_of_a_server_land_cell_by_cell_in_full_and_delta_loads() {
    let sim = JiraSim::start(generated(400, 131)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let tables = named().join(",");
    cluster.extracted(&["--full", "--tables", &tables]).await;
    assert_tables_equal_truth(&cluster, &sim, &named());
    let at_once = sim.stats().max_in_flight;
    assert!((2..=4).contains(&at_once), "{at_once} requests at once, four were allowed");

    change_some(&sim);
    sim.reset_stats();
    cluster.extracted(&["--delta", "--tables", &tables]).await;
    assert_tables_equal_truth(&cluster, &sim, &named());
    let asked =
        sim.stats().requests.get("GET /rest/api/2/issue/{id}/remotelink").copied().unwrap_or_default();
    assert!((1..60).contains(&asked), "a delta load asked {asked} issues for their links");
}

#[tokio::test(flavor = "multi_thread")]
async fn named_tables_of_a_cloud_site_land_cell_by_cell_in_full_and_delta_loads() {
    let sim = JiraSim::start(SimConfig::cloud(400, 132)).unwrap();
    let cluster = crate::cloud::connected_cloud(&sim).await;
    let tables = named().join(",");
    cluster.extracted(&["--full", "--tables", &tables]).await;
    assert_tables_equal_truth(&cluster, &sim, &named());

    change_some(&sim);
    cluster.extracted(&["--delta", "--tables", &tables]).await;
    assert_tables_equal_truth(&cluster, &sim, &named());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_is_asked_only_for_what_its_row_counts() {
    let sim = JiraSim::start(generated(150, 133)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster.extracted(&["--full", "--tables", "issue_votes,issue_watchers"]).await;
    assert_tables_equal_truth(&cluster, &sim, &["issue_votes", "issue_watchers"]);
    let requests = sim.stats().requests;
    for (resource, field, member) in [("votes", "votes", "votes"), ("watchers", "watches", "watchCount")] {
        let counted = sim.ids().into_iter().filter(|id| {
            let issue: Value = serde_json::from_str(&sim.issue_json(&id.to_string()).unwrap()).unwrap();
            issue["fields"][field][member].as_u64() > Some(0)
        });
        let asked = requests.get(&format!("GET /rest/api/2/issue/{{id}}/{resource}")).copied();
        assert_eq!(asked, Some(counted.count() as u64), "{resource}: {requests:?}");
    }
    assert!(!requests.keys().any(|path| path.ends_with("remotelink")), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_jira_refuses_of_single_issues_and_boards_is_a_warning_with_a_count() {
    let sim = JiraSim::start(generated(60, 134)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let refused = |path: &str, times: u64, status: u16| Fault {
        path: path.to_owned(),
        times,
        skip: 0,
        kind: FaultKind::Answer {
            status,
            content_type: "application/json".to_owned(),
            body: r#"{"errorMessages":["no"],"errors":{}}"#.to_owned(),
        },
    };
    sim.fault(refused("/remotelink", 3, 403));
    sim.fault(refused("/watchers", 2, 404));
    sim.fault(refused("/backlog", 1, 400));
    let run = cluster
        .extracted(&["--full", "--tables", "issues,issue_remote_links,issue_watchers,backlog_issues"])
        .await;
    let warned = warnings(&run);
    for (code, count) in
        [("issue_remote_links_withheld", 3), ("issue_watchers_withheld", 2), ("backlog_issues_withheld", 1)]
    {
        assert!(warned.contains(&(code.to_owned(), count)), "{code} x {count} is not in {warned:?}");
    }
    assert_eq!(run["result"]["tables"]["issues"]["rows"], 60, "a refused list took an issue away");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jira_without_service_management_is_a_warning_and_no_failure() {
    let sim = JiraSim::start(SimConfig { service_management: false, ..generated(60, 135) }).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let tables = format!("issues,{}", OF_SERVICE_DESKS.join(","));
    let run = cluster.extracted(&["--full", "--tables", &tables]).await;
    let warned = warnings(&run);
    assert!(warned.contains(&("service_desks_withheld".to_owned(), 1)), "{warned:?}");
    assert_eq!(run["result"]["tables"]["issues"]["rows"], 60, "{run:#}");
    for table in OF_SERVICE_DESKS {
        let landed =
            lake_oracle::read(&cluster.table_dir(table)).unwrap_or_else(|| panic!("{table} did not land"));
        assert!(landed.rows.is_empty(), "{table} has rows");
    }
    let asked: Vec<_> = sim.stats().requests.into_keys().filter(|path| path.contains("/request/")).collect();
    assert!(asked.is_empty(), "issues were asked for their requests: {asked:?}");
}
