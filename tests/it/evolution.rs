//! Custom fields come, change their names and their types: the table `issues` grows, and no value is lost or mixed with another field's.

use crate::site::generated;
use serde_json::json;
use std::collections::BTreeMap;
use tests::cluster::{Cluster, PASSWORD, USERNAME};
use tests::jira_sim::{Edit, JiraSim, RunningSim};
use tests::lake_oracle::{self, LandedTable};
use tests::truth::Cell;

/// A number and a text of the generated site.
const COST: &str = "customfield_10055";
const REFERENCE: &str = "customfield_10026";

async fn loaded(seed: u64) -> (RunningSim, Cluster) {
    let sim = JiraSim::start(generated(120, seed)).unwrap();
    let cluster = Cluster::direct(&sim.url(), &["--username", USERNAME, "--password-stdin"], PASSWORD).await;
    for (at, id) in sim.ids().iter().take(4).enumerate() {
        set(&sim, *id, &[(COST, json!(100 + at)), (REFERENCE, json!(format!("ref {at}")))]);
    }
    // So long ago that no delta load reaches back to it.
    sim.advance_clock(600_000);
    cluster.extracted(&["--full", "--tables", "issues"]).await;
    (sim, cluster)
}

fn set(sim: &RunningSim, id: u64, values: &[(&str, serde_json::Value)]) {
    let fields = values.iter().map(|(field, value)| ((*field).to_owned(), value.clone())).collect();
    sim.edit_issue(&id.to_string(), &Edit { fields, ..Edit::default() }).unwrap();
}

fn issues(cluster: &Cluster) -> LandedTable {
    lake_oracle::read(&cluster.table_dir("issues")).unwrap()
}

fn row(table: &LandedTable, id: u64) -> &BTreeMap<String, Cell> {
    let id = Cell::I64(i64::try_from(id).unwrap());
    table.rows.iter().find(|row| row.get("issue_id") == Some(&id)).unwrap()
}

fn cell<'r>(table: &'r LandedTable, id: u64, column: &str) -> &'r Cell {
    row(table, id).get(column).unwrap_or(&Cell::Null)
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_field_is_a_new_column_and_earlier_rows_keep_their_values() {
    let (sim, cluster) = loaded(141).await;
    let ids = sim.ids();
    sim.define_field("customfield_10900", "Squad", json!({"type": "string"}));
    set(&sim, ids[1], &[("customfield_10900", json!("blue"))]);
    cluster.extracted(&["--delta", "--tables", "issues"]).await;
    let table = issues(&cluster);
    assert_eq!(cell(&table, ids[1], "squad"), &text("blue"));
    assert_eq!(cell(&table, ids[0], "squad"), &Cell::Null);
    assert_eq!(cell(&table, ids[0], "cost_eur"), &Cell::F64(100.0));
    assert_eq!(table.field_ids["squad"], "customfield_10900");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_type_is_a_new_column_beside_the_old_and_said_as_a_warning() {
    let (sim, cluster) = loaded(142).await;
    let ids = sim.ids();
    sim.define_field(COST, "Cost (EUR)", json!({"type": "string"}));
    set(&sim, ids[1], &[(COST, json!("about a hundred"))]);
    let run = cluster.extracted(&["--delta", "--tables", "issues"]).await;
    let table = issues(&cluster);
    assert_eq!(cell(&table, ids[0], "cost_eur"), &Cell::F64(100.0));
    assert_eq!(cell(&table, ids[1], "cost_eur_10055"), &text("about a hundred"));
    let warnings = run["result"]["warnings"].to_string();
    assert!(warnings.contains("column_type_changed") && warnings.contains("cost_eur_10055"), "{run:#}");
    // The next run finds the new column and says nothing more; a full load fills it for all.
    let run = cluster.extracted(&["--full", "--tables", "issues"]).await;
    assert!(!run["result"]["warnings"].to_string().contains("column_type_changed"), "{run:#}");
    assert_eq!(cell(&issues(&cluster), ids[1], "cost_eur_10055"), &text("about a hundred"));
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_exchange_their_names_are_not_mixed_in_one_column() {
    let (sim, cluster) = loaded(143).await;
    let ids = sim.ids();
    const OTHER: &str = "customfield_10901";
    sim.define_field(OTHER, "Order", json!({"type": "string"}));
    set(&sim, ids[0], &[(OTHER, json!("order 0"))]);
    // The next delta load but one must not reach back to it.
    sim.advance_clock(600_000);
    cluster.extracted(&["--delta", "--tables", "issues"]).await;
    sim.define_field(OTHER, "3rd Party Ref.", json!({"type": "string"}));
    sim.define_field(REFERENCE, "Order", json!({"type": "string"}));
    set(&sim, ids[1], &[(OTHER, json!("order 1"))]);
    let run = cluster.extracted(&["--delta", "--tables", "issues"]).await;
    let table = issues(&cluster);
    let references = table.field_ids.iter().filter(|(_, id)| *id == REFERENCE).map(|(column, _)| column);
    let held: Vec<&Cell> = references.map(|column| cell(&table, ids[0], column)).collect();
    assert!(held.contains(&&text("ref 0")), "{held:?}");
    assert_eq!(cell(&table, ids[0], "order"), &text("order 0"));
    for (column, id) in &table.field_ids {
        let expected = match id.as_str() {
            OTHER => ["order 0", "order 1"],
            REFERENCE => ["ref 0", "ref 1"],
            _ => continue,
        };
        for issue in &ids[..2] {
            let held = cell(&table, *issue, column);
            assert!(
                held == &Cell::Null || expected.iter().any(|value| held == &text(value)),
                "{column}: {held:?}"
            );
        }
    }
    assert!(run["result"]["warnings"].to_string().contains("field_renamed"), "{run:#}");
}
