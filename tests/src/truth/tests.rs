//! The truth agrees with what a client reads, and does not depend on who reads.

use std::collections::BTreeSet;

use super::{Cell, ColumnType, names, tables};
use crate::jira_sim::{Account, Edit, JiraSim, NewIssue, SimConfig, document_of};

fn cell<'a>(table: &'a super::TruthTable, row: &'a super::Row, column: &str) -> &'a Cell {
    let at = table
        .columns
        .iter()
        .position(|(name, _)| name == column)
        .unwrap_or_else(|| panic!("no column {column}"));
    &row[at]
}

#[test]
fn every_table_has_rows_of_its_columns_and_unique_keys() {
    let sim = JiraSim::start(SimConfig::generated(600, 3)).unwrap();
    let tables = tables(&sim);
    let optional = names().filter(|name| !tables.contains_key(*name));
    let optional = optional.map(|name| (name.to_owned(), super::table(&sim, name).unwrap()));
    let all: std::collections::BTreeMap<_, _> = tables.clone().into_iter().chain(optional).collect();
    assert_eq!(all.len(), names().count());
    for (name, table) in &all {
        let is_of_cloud_alone = ["labels", "field_contexts", "field_options"].contains(&name.as_str());
        assert!(!table.rows.is_empty() || is_of_cloud_alone, "{name}");
        let mut keys = BTreeSet::new();
        for row in &table.rows {
            assert_eq!(row.len(), table.columns.len(), "{name}");
            for ((column, kind), cell) in table.columns.iter().zip(row) {
                assert!(fits(*kind, cell), "{name}.{column}: {cell:?}");
            }
            let key: Vec<String> =
                table.key.iter().map(|column| format!("{:?}", cell(table, row, column))).collect();
            assert!(!key.contains(&"Null".to_owned()) && keys.insert(key), "{name}: {row:?}");
        }
        assert_eq!(super::rows(&sim, name).unwrap().count(), table.rows.len(), "{name}");
    }
    assert_eq!(tables["issues"].rows.len(), 600);
}

fn fits(kind: ColumnType, cell: &Cell) -> bool {
    match (kind, cell) {
        (_, Cell::Null)
        | (ColumnType::I64, Cell::I64(_))
        | (ColumnType::F64, Cell::F64(_))
        | (ColumnType::Text, Cell::Text(_))
        | (ColumnType::Bool, Cell::Bool(_))
        | (ColumnType::Date, Cell::Date(_))
        | (ColumnType::Ts, Cell::Ts(_)) => true,
        (ColumnType::Json, Cell::Text(text)) => serde_json::from_str::<serde_json::Value>(text).is_ok(),
        _ => false,
    }
}

#[test]
fn custom_columns_have_names_that_do_not_collide() {
    let sim = JiraSim::start(SimConfig::generated(5, 3)).unwrap();
    let issues = super::empty(&sim, "issues").unwrap();
    let names: BTreeSet<&str> = issues.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), issues.columns.len());
    for name in [
        "story_points",
        "story_points_10016",
        "team",
        "team_10011",
        "status",
        "summary_10021",
        "issue_id_10056",
        "gr\u{f6}\u{df}e",
        "\u{512a}\u{5148}\u{7ea7}\u{522b}",
        "\u{e9}quipe_responsable",
        "field_",
        "field_3rd_party_ref",
        "cost_eur",
    ] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
}

#[test]
fn the_truth_is_the_same_in_every_time_zone() {
    let table = |zone: &str| {
        let base_url = Some("https://jira.example.com".to_owned());
        let accounts = vec![Account::new("reader", "pw").in_zone(zone)];
        let sim = JiraSim::start(SimConfig { base_url, accounts, ..SimConfig::generated(50, 3) }).unwrap();
        tables(&sim)
    };
    assert!(table("Asia/Kolkata") == table("America/New_York"));
}

#[test]
fn the_truth_follows_every_change() {
    let sim = JiraSim::start(SimConfig::generated(50, 3)).unwrap();
    let before = tables(&sim);
    let created = sim.create_issues(1).unwrap().remove(0);
    sim.edit_issue(&created.key, &Edit { summary: Some("\r\n\u{2028}".into()), ..Edit::default() }).unwrap();
    sim.add_comment(&created.key, None, "").unwrap();
    sim.add_worklog(&created.key, 90, "").unwrap();
    let victim = sim.ids()[0].to_string();
    sim.delete_issue(&victim).unwrap();
    let after = tables(&sim);
    let row = after["issues"]
        .rows
        .iter()
        .find(|row| row[0] == Cell::I64(i64::try_from(created.id).unwrap()))
        .unwrap();
    assert_eq!(cell(&after["issues"], row, "summary"), &Cell::Text("\r\n\u{2028}".into()));
    assert_eq!(cell(&after["issues"], row, "comment_count"), &Cell::I64(1));
    assert_eq!(cell(&after["issues"], row, "changelog_count"), &Cell::I64(2));
    assert_eq!(
        cell(&after["issues"], row, "time_spent_seconds"),
        &Cell::I64(cell_spent(&sim, &created.key).unwrap_or_default())
    );
    assert!(after["issues"].rows.iter().all(|row| row[0] != Cell::I64(victim.parse().unwrap())));
    assert_eq!(before["users"], after["users"]);
}

fn cell_spent(sim: &crate::jira_sim::SimHandle, key: &str) -> Option<i64> {
    let issue: serde_json::Value = serde_json::from_str(&sim.issue_json(key).unwrap()).unwrap();
    issue["fields"]["timespent"].as_i64()
}

#[test]
fn values_are_read_as_the_tables_say() {
    use super::value::{compact, days, micros};
    assert_eq!(micros("2016-03-03T13:40:01.250+0130"), micros("2016-03-03T12:10:01.250Z"));
    assert_eq!(micros("2016-03-03T13:40:01+01:00"), Some(1_457_008_801_000_000));
    assert_eq!((days("1970-01-02"), days("nonsense")), (Some(1), None));
    assert_eq!(compact(" { \"a b\" : [ 1.0 , \"\\\" x \" ] } "), "{\"a b\":[1.0,\"\\\" x \"]}");
}

#[test]
fn a_cloud_site_has_the_same_columns_and_issues_as_a_server() {
    let tables_of = |config: SimConfig| {
        let base_url = Some("https://jira.example.com".to_owned());
        tables(&JiraSim::start(SimConfig { base_url, ..config }).unwrap())
    };
    let (server, cloud) = (tables_of(SimConfig::generated(200, 3)), tables_of(SimConfig::cloud(200, 3)));
    for (name, table) in &cloud {
        assert_eq!((&table.columns, &table.key), (&server[name].columns, &server[name].key), "{name}");
    }
    for name in ["issues", "issue_comments", "issue_worklogs", "issue_changelog", "issue_links", "statuses"] {
        assert_eq!(cloud[name].rows.len(), server[name].rows.len(), "{name}");
    }
    for name in [
        "issue_id",
        "issue_key",
        "summary",
        "created",
        "updated",
        "due_date",
        "story_points",
        "comment_count",
    ] {
        assert_eq!(column_of(&cloud["issues"], name), column_of(&server["issues"], name), "{name}");
    }
    let filled =
        |table: &str, name: &str| column_of(&cloud[table], name).iter().any(|cell| *cell != Cell::Null);
    let empty =
        |table: &str, name: &str| column_of(&server[table], name).iter().all(|cell| *cell == Cell::Null);
    for (table, name) in [
        ("issues", "description_adf"),
        ("issues", "environment_adf"),
        ("issue_comments", "body_adf"),
        ("issue_worklogs", "comment_adf"),
        ("issue_changelog", "field_id"),
    ] {
        assert!(filled(table, name) && empty(table, name), "{table}.{name}");
    }
}

#[test]
fn cloud_texts_are_the_plain_text_of_their_documents() {
    let sim = JiraSim::start(SimConfig::cloud(20, 3)).unwrap();
    let new = NewIssue { description: Some("one\r\ntwo".into()), ..NewIssue::default() };
    let created = sim.create_issue(&new).unwrap();
    sim.add_comment(&created.key, None, "").unwrap();
    let tables = tables(&sim);
    let id = Cell::I64(i64::try_from(created.id).unwrap());
    let issue = tables["issues"].rows.iter().find(|row| row[0] == id).unwrap();
    let (document, plain) = document_of("one\r\ntwo");
    assert_eq!(cell(&tables["issues"], issue, "description"), &plain.map_or(Cell::Null, Cell::Text));
    assert_eq!(cell(&tables["issues"], issue, "description_adf"), &Cell::Text(document));
    assert_eq!(cell(&tables["issues"], issue, "environment_adf"), &Cell::Null);
    let comment = tables["issue_comments"].rows.iter().find(|row| row[1] == id).unwrap();
    assert_eq!(cell(&tables["issue_comments"], comment, "body"), &Cell::Null);
    assert!(matches!(cell(&tables["issue_comments"], comment, "body_adf"), Cell::Text(_)));
    let notes = column_of(&tables["issues"], "release_notes");
    assert!(notes.iter().all(|cell| !matches!(cell, Cell::Text(text) if text.starts_with('{'))));
}

fn column_of(table: &super::TruthTable, name: &str) -> Vec<Cell> {
    table.rows.iter().map(|row| cell(table, row, name).clone()).collect()
}
