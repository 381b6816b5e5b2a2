//! An independent reader opens what landed: pyarrow over the Delta log and files, in a program that shares nothing with ours.

use crate::site::generated;
use serde_json::Value;
use std::process::Command;
use tests::cluster::{Cluster, PASSWORD, python_judge};
use tests::jira_sim::{Edit, JiraSim};
use tests::truth;

#[tokio::test(flavor = "multi_thread")]
async fn pyarrow_reads_the_same_rows() {
    let Some(python) = python_judge() else { return };
    let sim = JiraSim::start(generated(800, 61)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster.extracted(&["--full"]).await;
    for key in sim.keys().iter().step_by(40) {
        sim.edit_issue(key, &Edit { summary: Some(format!("judged {key}")), ..Edit::default() }).unwrap();
    }
    cluster.extracted(&["--delta"]).await;

    for (name, truth) in truth::tables(&sim) {
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("it/judge.py");
        let printed = Command::new(&python).arg(script).arg(cluster.table_dir(&name)).output().unwrap();
        assert!(printed.status.success(), "{name}: {}", String::from_utf8_lossy(&printed.stderr));
        let judged: Value = serde_json::from_slice(&printed.stdout).unwrap();
        assert_eq!(judged["rows"].as_u64(), Some(truth.rows.len() as u64), "{name}: rows");
        assert_eq!(judged["columns"].as_u64(), Some(truth.columns.len() as u64), "{name}: columns");
        if name == "issues" {
            let summary = truth.columns.iter().position(|(column, _)| column == "summary").unwrap();
            let id = truth.columns.iter().position(|(column, _)| column == "issue_id").unwrap();
            let mut expected: Vec<String> = truth
                .rows
                .iter()
                .map(|row| format!("{}={}", plain(&row[id]), plain(&row[summary])))
                .collect();
            expected.sort();
            let landed: Vec<String> = judged["summaries"]
                .as_array()
                .unwrap()
                .iter()
                .map(|text| text.as_str().unwrap().to_owned())
                .collect();
            assert_eq!(landed, expected, "pyarrow reads other summaries");
        }
    }
}

fn plain(cell: &truth::Cell) -> String {
    match cell {
        truth::Cell::I64(number) => number.to_string(),
        truth::Cell::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}
