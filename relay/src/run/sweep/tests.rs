use super::*;
use protocol::control::Progress;

fn table(name: &str, watermark_ms: Option<i64>) -> TableRow {
    TableRow {
        pool: "p".to_owned(),
        connection: "jira".to_owned(),
        table: name.to_owned(),
        watermark_ms,
        run: 1,
        updated_ms: 0,
        rows: 0,
        columns: 0,
        files: 0,
        bytes: 0,
        version: 0,
        path: String::new(),
        scope: None,
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn spec(load: Load, tables: &[&str], projects: &[&str]) -> ExtractionSpec {
    ExtractionSpec { tables: names(tables), projects: names(projects), ..ExtractionSpec::all(load) }
}

fn sweep(delta: bool, tables: &[&str], projects: &[&str]) -> ExtractionSpec {
    spec(Load::Sweep { since_ms: 0, every_id: true, delta }, tables, projects)
}

fn loaded(spec: ExtractionSpec, state: RunState) -> Run {
    Run {
        number: 1,
        connection: "jira".to_owned(),
        pool: "p".to_owned(),
        spec,
        state,
        lease: 1,
        agent_id: None,
        mask_key: None,
        reason: None,
        cancel_asked: false,
        created_ms: 0,
        started_ms: None,
        ended_ms: None,
        progress: Progress::default(),
        outcome: None,
        error: None,
    }
}

fn known() -> Vec<TableRow> {
    vec![table("issues", Some(20)), table("issue_links", Some(10)), table("users", None)]
}

#[test]
fn a_sweep_goes_over_all_that_landed_as_narrow_as_it_was_loaded() {
    let runs = [
        loaded(spec(Load::Full, &[], &[]), RunState::Failed),
        loaded(spec(Load::Delta { since_ms: 5 }, &[], &[]), RunState::Succeeded),
        loaded(spec(Load::Full, &["issues", "issue_links", "users"], &["a", "B"]), RunState::Succeeded),
        loaded(spec(Load::Full, &[], &[]), RunState::Succeeded),
    ];
    let settled = settle(&sweep(false, &[], &[]), &known(), &runs, "jira").unwrap();
    assert_eq!(settled.tables, ["issue_links", "issues"]);
    assert_eq!(
        (settled.projects.len(), settled.load),
        (2, Load::Sweep { since_ms: 10, every_id: true, delta: false })
    );
    let both = settle(&sweep(true, &[], &["A", "B"]), &known(), &runs, "jira").unwrap();
    assert_eq!(both.tables, ["issues", "issue_links", "users"]);
}

#[test]
fn a_sweep_of_other_projects_than_were_loaded_is_refused() {
    let runs = [loaded(spec(Load::Full, &[], &[]), RunState::Succeeded)];
    let refused = settle(&sweep(false, &[], &["A"]), &known(), &runs, "jira").unwrap_err();
    assert_eq!(refused.code, "scope_differs");
}

#[test]
fn tables_that_were_loaded_apart_and_otherwise_are_refused() {
    let runs = [
        loaded(spec(Load::Full, &["issue_links"], &["A"]), RunState::Succeeded),
        loaded(spec(Load::Full, &["issues"], &[]), RunState::Succeeded),
    ];
    let refused = settle(&sweep(false, &[], &[]), &known(), &runs, "jira").unwrap_err();
    assert!(refused.code == "scope_differs" && refused.message.contains("issue_links"), "{refused:?}");
    let unknown = settle(&sweep(false, &[], &[]), &known(), &runs[1..], "jira").unwrap_err();
    assert_eq!(unknown.code, "scope_unknown");
}

#[test]
fn a_sweep_that_leaves_a_table_out_or_finds_none_is_refused() {
    let runs = [loaded(spec(Load::Full, &[], &[]), RunState::Succeeded)];
    let refused = settle(&sweep(true, &["issues"], &[]), &known(), &runs, "jira").unwrap_err();
    assert!(refused.code == "tables_left_out" && refused.message.contains("issue_links"), "{refused:?}");
    let never = settle(&sweep(false, &[], &[]), &known()[1..], &runs, "jira").unwrap_err();
    assert_eq!(never.code, "never_loaded");
}
