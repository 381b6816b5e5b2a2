//! The control tables: what the relay says of its runs, readable by whoever reads the other tables.

use crate::site::generated;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;
use tests::cluster::{Cluster, PASSWORD, python_judge};
use tests::jira_sim::{Edit, JiraSim};
use tests::lake_oracle;
use tests::truth::Cell;

type Row = BTreeMap<String, Cell>;

fn rows(cluster: &Cluster, table: &str) -> Vec<Row> {
    let landed = lake_oracle::read(&cluster.table_dir(table));
    landed.unwrap_or_else(|| panic!("no table {table}")).rows
}

fn number(row: &Row, column: &str) -> i64 {
    match row.get(column) {
        Some(Cell::I64(number)) => *number,
        other => panic!("{column} is {other:?} in {row:?}"),
    }
}

fn text<'r>(row: &'r Row, column: &str) -> &'r str {
    match row.get(column) {
        Some(Cell::Text(text)) => text,
        other => panic!("{column} is {other:?} in {row:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_run_that_ended_is_in_the_control_tables_once_with_what_it_did() {
    let sim = JiraSim::start(generated(300, 81)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let failed = cluster.extract(&["--full", "--jql", "nosuchfield = 1"]).await;
    assert_eq!(cluster.ended(&failed).await["state"], "failed");
    let full = cluster.extracted(&["--full", "--tables", "issues,issue_comments,statuses"]).await;
    let edited = sim.ids()[5].to_string();
    sim.edit_issue(&edited, &Edit { summary: Some("edited".to_owned()), ..Edit::default() }).unwrap();
    // A relay that starts again writes no run twice.
    cluster.kill_relay().await;
    cluster.start_relay().await;
    cluster.agent_online().await;
    cluster.extracted(&["--delta", "--tables", "issues,issue_comments"]).await;

    let runs = rows(&cluster, "_runs");
    let told: Vec<_> =
        runs.iter().map(|run| (number(run, "run_number"), text(run, "verdict"), text(run, "mode"))).collect();
    assert_eq!(told, [(1, "failed", "full"), (2, "succeeded", "full"), (3, "succeeded", "delta")]);
    assert_eq!(text(&runs[0], "error_code"), "jql_refused");
    assert!(text(&runs[0], "choice").contains("nosuchfield"));
    assert_eq!(number(&runs[1], "issues_counted"), 300);
    assert_eq!(u64::try_from(number(&runs[1], "requests")).ok(), full["progress"]["requests"].as_u64());
    assert!(matches!(runs[2]["watermark"], Cell::Ts(_)) && matches!(runs[2]["ended_at"], Cell::Ts(_)));

    let tables = rows(&cluster, "_tables");
    let of = |run: i64, table: &str| {
        let mut found =
            tables.iter().filter(|row| number(row, "run_number") == run && text(row, "table_name") == table);
        let row = found.next().unwrap_or_else(|| panic!("run {run} does not tell of {table}"));
        assert!(found.next().is_none(), "run {run} tells of {table} twice");
        ["rows_before", "rows_read", "rows_removed", "rows_after"].map(|column| number(row, column))
    };
    assert_eq!(of(2, "issues"), [0, 300, 0, 300]);
    let [before, read, removed, after] = of(3, "issues");
    assert!(
        before == 300 && after == 300 && read >= 1 && read == removed,
        "{before} {read} {removed} {after}"
    );
    assert!(!tables.iter().any(|row| number(row, "run_number") == 1), "a failed run changed no table");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_a_run_adds_and_what_jira_withholds_are_told() {
    let sim = JiraSim::start(generated(60, 82)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster.extracted(&["--full", "--tables", "issues", "--columns", "summary"]).await;
    assert!(rows(&cluster, "_schema_changes").is_empty(), "a new table has no changes");
    cluster.extracted(&["--full", "--tables", "issues", "--columns", "summary,status_name"]).await;
    let changes = rows(&cluster, "_schema_changes");
    let told: Vec<_> = changes
        .iter()
        .map(|row| {
            (
                number(row, "run_number"),
                text(row, "table_name"),
                text(row, "column_name"),
                text(row, "change"),
            )
        })
        .collect();
    assert_eq!(told, [(2, "issues", "status_name", "column_added")]);

    let project = sim.keys()[0].split('-').next().unwrap().to_owned();
    cluster
        .extracted(&[
            "--delta",
            "--tables",
            "issues",
            "--columns",
            "summary,status_name",
            "--projects",
            &project,
        ])
        .await;
    let skipped = rows(&cluster, "_skipped");
    assert!(skipped.iter().any(|row| text(row, "code") == "watermark_stays"), "{skipped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_reader_opens_the_control_tables() {
    let Some(python) = python_judge() else { return };
    let sim = JiraSim::start(generated(60, 83)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster.extracted(&["--full", "--tables", "issues,users"]).await;
    cluster.extracted(&["--delta", "--tables", "issues"]).await;
    for (table, expected) in [("_runs", 2), ("_tables", 3), ("_skipped", 0), ("_schema_changes", 0)] {
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("it/judge.py");
        let printed = Command::new(&python).arg(script).arg(cluster.table_dir(table)).output().unwrap();
        assert!(printed.status.success(), "{table}: {}", String::from_utf8_lossy(&printed.stderr));
        let judged: Value = serde_json::from_slice(&printed.stdout).unwrap();
        assert!(
            judged["rows"].as_u64() >= Some(expected) && judged["columns"].as_u64() >= Some(5),
            "{table}: {judged}"
        );
    }
    let shown =
        cluster.ctl(&["table", "preview", "_runs", "--pool", "sales", "--connection", "jira"], "").await;
    assert!(shown.code == 0 && shown.stdout.contains("succeeded"), "{shown:?}");
    let whose = cluster.ctl(&["table", "preview", "_runs"], "").await;
    assert!(whose.code == 1 && whose.stderr.contains("--connection"), "{whose:?}");
}
