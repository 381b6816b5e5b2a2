//! An independent reader opens the process-mining tables: pm4py over the event log's Delta table and over the exported OCEL file.

use crate::site::{assert_landed_equals_truth, generated};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use tests::cluster::{Cluster, PASSWORD, process_mining_judge};
use tests::jira_sim::{Edit, JiraSim, SimHandle};
use tests::truth::{self, Cell};

/// The cells of a column, over all rows.
fn column(sim: &SimHandle, table: &str, name: &str) -> Vec<Option<String>> {
    let table = truth::table(sim, table).unwrap();
    let place = table.columns.iter().position(|(column, _)| column == name).unwrap();
    let text = |cell: &Cell| match cell {
        Cell::Null => None,
        Cell::Text(text) => Some(text.clone()),
        Cell::I64(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    };
    table.rows.iter().map(|row| text(&row[place])).collect()
}

fn counted(values: Vec<Option<String>>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for value in values.into_iter().flatten() {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

/// Everybody whom the users, the events and the present values name.
fn people(sim: &SimHandle) -> usize {
    let mut people: BTreeSet<String> = column(sim, "users", "user_id").into_iter().flatten().collect();
    people.extend(column(sim, "event_log", "resource").into_iter().flatten());
    for role in ["creator_id", "reporter_id", "assignee_id"] {
        people.extend(column(sim, "issues", role).into_iter().flatten());
    }
    let fields = column(sim, "event_log", "field");
    for side in ["old_id", "new_id"] {
        let ids = column(sim, "event_log", side).into_iter();
        let of_people = ids.zip(&fields).filter(|(_, field)| field.as_deref() == Some("assignee"));
        people.extend(of_people.filter_map(|(id, _)| id.filter(|id| !id.is_empty())));
    }
    // Somebody who is the present assignee only by a history that the issue has overtaken.
    let told =
        column(sim, "field_history", "field").into_iter().zip(column(sim, "field_history", "valid_to"));
    let ids = told.zip(column(sim, "field_history", "value_id"));
    people.extend(ids.filter_map(|((field, end), id)| {
        id.filter(|_| end.is_none() && field.is_some_and(|field| field == "assignee" || field == "reporter"))
    }));
    people.len()
}

async fn extracted(cluster: &Cluster, sim: &SimHandle) {
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster.extracted(&["--full"]).await;
    for key in sim.keys().iter().step_by(15) {
        let edit = Edit { status: Some("In Progress".to_owned()), ..Edit::default() };
        sim.edit_issue(key, &edit).unwrap();
        sim.add_comment(key, None, "seen").unwrap();
        sim.add_worklog(key, 600, "done").unwrap();
    }
    cluster.extracted(&["--delta"]).await;
    assert_landed_equals_truth(cluster, sim);
}

async fn exported(cluster: &Cluster, out: &str) -> Value {
    let place = ["--pool", "sales", "--connection", "jira", "--out", out];
    cluster.ok(&[&["table", "export-ocel"], &place[..]].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pm4py_opens_validates_and_mines_the_event_log_and_the_ocel_file() {
    let Some(python) = process_mining_judge() else { return };
    let sim = JiraSim::start(generated(150, 71)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    extracted(&cluster, &sim).await;
    let file = cluster.dir.path().join("sales.sqlite");
    let said = exported(&cluster, file.to_str().unwrap()).await;

    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("it/process_mining.py");
    let printed =
        Command::new(&python).arg(script).arg(cluster.table_dir("event_log")).arg(&file).output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let judged: Value = serde_json::from_slice(&printed.stdout).unwrap();

    let issues = sim.ids().len() as u64;
    let activities = counted(column(&sim, "event_log", "activity"));
    let events: u64 = activities.values().sum();
    let log = &judged["event_log"];
    assert_eq!((log["events"].as_u64(), log["cases"].as_u64()), (Some(events), Some(issues)));
    assert_eq!(log["activities"], json!(activities));
    assert_eq!(log["start_activities"], json!({"Created": issues}), "every case starts with its creation");
    assert!(
        log["is_workflow_net"] == true && log["transitions"].as_array().unwrap().contains(&json!("Created"))
    );

    let ocel = &judged["ocel"];
    assert_eq!((&ocel["unsatisfied"], ocel["satisfied"].as_u64()), (&json!([]), Some(24)));
    assert_eq!((ocel["events"].as_u64(), &ocel["activities"]), (Some(events), &json!(activities)));
    assert_eq!(said["events"].as_u64(), Some(events));
    assert_eq!(ocel["relations"]["case"].as_u64(), Some(events));
    let resources = column(&sim, "event_log", "resource").into_iter().flatten().count();
    assert_eq!(ocel["relations"]["resource"].as_u64(), Some(resources as u64));
    let objects = |kind: &str| ocel["objects"][kind].as_u64().unwrap_or_default();
    assert_eq!(objects("issue") + objects("epic"), issues);
    assert!(objects("epic") > 0 && objects("sprint") > 0, "{ocel}");
    assert_eq!(objects("user"), people(&sim) as u64);
    assert_eq!(objects("project"), column(&sim, "projects", "project_id").len() as u64);
    assert_eq!(said["event_objects"], ocel["relations_read"]);
    assert_eq!(ocel["graph_activities"], json!(activities.keys().collect::<Vec<_>>()));
    assert_eq!(ocel["net_types"], json!(["epic", "issue", "sprint"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_replaces_no_file_and_leaves_none_behind_when_it_fails() {
    let sim = JiraSim::start(generated(20, 72)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let file = cluster.dir.path().join("log.sqlite");
    let path = file.to_str().unwrap();
    let export = ["table", "export-ocel", "--pool", "sales", "--connection", "jira", "--out", path];
    let printed = cluster.ctl(&export, "").await;
    assert!(printed.code == 1 && printed.stderr.contains("has no table `event_log`"), "{printed:?}");
    assert!(!file.exists() && !cluster.dir.path().join("log.sqlite.partial").exists());

    cluster.extracted(&["--full", "--tables", "issues,event_log,field_history"]).await;
    let said = cluster.ok(&export).await;
    assert_eq!(said["events"].as_u64(), Some(truth::counts(&sim)["event_log"] as u64));
    let printed = cluster.ctl(&export, "").await;
    assert!(printed.code == 1 && printed.stderr.contains("it is there already"), "{printed:?}");
}
