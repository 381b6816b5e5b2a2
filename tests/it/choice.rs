//! What an extraction chooses is what lands, and what feeds nothing that was chosen is not even asked of Jira.

use crate::policy;
use crate::site::{assert_landed_equals_truth, generated};
use std::collections::BTreeSet;
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::{Edit, JiraSim, RunningSim, SimConfig, SimHandle};
use tests::lake_oracle;
use tests::truth::{self, Cell, TruthTable};

/// The columns of a table of the truth that were chosen.
fn projected(mut table: TruthTable, chosen: &[&str]) -> TruthTable {
    let kept: Vec<bool> = table.columns.iter().map(|(name, _)| chosen.contains(&name.as_str())).collect();
    let keep = |at: usize| kept.get(at) == Some(&true);
    table.columns =
        table.columns.into_iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, column)| column).collect();
    for row in &mut table.rows {
        let cells = std::mem::take(row).into_iter().enumerate();
        *row = cells.filter(|(at, _)| keep(*at)).map(|(_, cell)| cell).collect();
    }
    table
}

fn differences(cluster: &Cluster, table: &str, truth: &TruthTable) -> Vec<String> {
    let landed = lake_oracle::read(&cluster.table_dir(table)).unwrap_or_else(|| panic!("no table {table}"));
    lake_oracle::differences(table, truth, &landed)
}

fn assert_chosen(cluster: &Cluster, sim: &SimHandle, chosen: &[(&str, &[&str])]) {
    for (table, columns) in chosen {
        let truth = projected(truth::table(sim, table).unwrap(), columns);
        assert_eq!(differences(cluster, table, &truth), Vec::<String>::new());
    }
}

fn asked(sim: &RunningSim) -> Vec<String> {
    sim.stats().fields_asked.into_iter().collect()
}

/// A cluster of relay and agent with the connection `jira`.
async fn uplinked(sim: &RunningSim) -> Cluster {
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster
}

/// A relay that reads a site of Jira Cloud itself.
async fn direct(sim: &RunningSim) -> Cluster {
    let account = ["--username", "reader@example.com", "--api-token-stdin"];
    Cluster::direct(&sim.url(), &account, "reader-api-token").await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_chosen_columns_land_and_only_their_fields_are_asked_of_jira() {
    let sim = JiraSim::start(generated(300, 71)).unwrap();
    let cluster = uplinked(&sim).await;
    let chosen: &[(&str, &[&str])] = &[
        ("issues", &["issue_id", "issue_key", "status_name"]),
        ("issue_comments", &["comment_id", "issue_id", "body"]),
    ];
    let args = [
        "--tables",
        "issues,issue_comments",
        "--columns",
        "issue_key,issues.status_name,issue_comments.body",
    ];
    let run = cluster.extracted(&[&["--full"], &args[..]].concat()).await;
    assert_chosen(&cluster, &sim, chosen);
    assert_eq!(run["result"]["tables"]["issues"]["columns"], 3, "{run:#}");
    assert_eq!(asked(&sim), ["comment", "created", "project", "status", "updated"]);
    assert_eq!(sim.stats().histories_asked, 0, "histories were asked for though nothing of them was chosen");

    let refused = cluster.ctl(&["extract", "jira", "--delta", "--tables", "issues,issue_comments"], "").await;
    assert!(refused.code == 1 && refused.stderr.contains("was loaded with the columns"), "{refused:?}");
    let edit = Edit { summary: Some("changed".to_owned()), ..Edit::default() };
    sim.edit_issue(&sim.ids()[3].to_string(), &edit).unwrap();
    sim.add_comment(&sim.ids()[3].to_string(), None, "one more").unwrap();
    cluster.extracted(&[&["--delta"], &args[..]].concat()).await;
    assert_chosen(&cluster, &sim, chosen);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_chosen_on_cloud_alike_and_unknown_ones_are_refused_with_the_right_name() {
    let sim = JiraSim::start(SimConfig::cloud(120, 72)).unwrap();
    let cluster = direct(&sim).await;
    let refused = |args: &'static [&'static str]| {
        let cluster = &cluster;
        async move { cluster.ctl(&[&["extract", "jira", "--full"], args].concat(), "").await }
    };
    let unknown = refused(&["--columns", "issue_links.typ_name"]).await;
    assert!(unknown.code == 1 && unknown.stderr.contains("did you mean `type_name`"), "{unknown:?}");
    let elsewhere = refused(&["--tables", "issues", "--columns", "issue_links.type_name"]).await;
    assert!(elsewhere.stderr.contains("does not read that table"), "{elsewhere:?}");
    // A column of issues may be that of a custom field, which only the site knows.
    let run = cluster.extract(&["--full", "--columns", "sumary"]).await;
    let failed = cluster.ended(&run).await;
    let message = failed["error"]["message"].as_str().unwrap();
    assert!(message.contains("did you mean `summary`"), "{failed:#}");
    assert!(lake_oracle::read(&cluster.table_dir("statuses")).is_none(), "something was landed");

    cluster
        .extracted(&["--full", "--tables", "issues", "--columns", "issue_key,description_adf,comment_count"])
        .await;
    assert_chosen(
        &cluster,
        &sim,
        &[("issues", &["issue_id", "issue_key", "description_adf", "comment_count"])],
    );
    assert_eq!(sim.stats().requests_matching("changelog"), 0, "{:?}", sim.stats().requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_premises_drop_is_not_even_asked_of_jira() {
    let sim = JiraSim::start(generated(120, 73)).unwrap();
    let rules = "[[mask]]\ncolumns = [\"issues.summary\", \"issues.description\"]\nwith = \"drop\"\n";
    let cluster = policy::cluster(&sim.url(), rules).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster.extracted(&["--full", "--tables", "issues,field_history"]).await;
    let asked = asked(&sim);
    assert!(!asked.iter().any(|field| field == "summary" || field == "description"), "{asked:?}");
    let all = truth::table(&sim, "issues").unwrap();
    let left: Vec<String> = all.columns.iter().map(|(name, _)| name.clone()).collect();
    // With the document that stands beside a text on Jira Cloud.
    let dropped = ["summary", "description", "description_adf"];
    let left: Vec<&str> = left.iter().map(String::as_str).filter(|name| !dropped.contains(name)).collect();
    assert_chosen(&cluster, &sim, &[("issues", &left)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_the_user_pseudonymises_leave_hashed_and_join_under_the_rules_of_the_premises() {
    let sim = JiraSim::start(generated(120, 74)).unwrap();
    let rules = "[[mask]]\ncolumns = [\"issues.summary\"]\nwith = \"drop\"\n";
    let cluster = policy::cluster(&sim.url(), rules).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let salt = cluster.dir.path().join("salt");
    std::fs::write(&salt, "pepper\n").unwrap();
    let salt = salt.to_str().unwrap();
    let args = [
        "--tables",
        "issues,users",
        "--pseudonymise",
        "people,issues.issue_key",
        "--pseudonym-salt-file",
        salt,
    ];
    let run = cluster.extracted(&[&["--full"], &args[..]].concat()).await;
    let texts = |table: &str, column: &str| -> BTreeSet<String> {
        let landed = lake_oracle::read(&cluster.table_dir(table)).unwrap();
        let cells = landed.rows.into_iter().filter_map(|mut row| row.remove(column));
        cells.filter_map(|cell| if let Cell::Text(text) = cell { Some(text) } else { None }).collect()
    };
    let is_hash = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    for (table, column) in [("issues", "issue_key"), ("issues", "reporter_id"), ("users", "user_id")] {
        let texts = texts(table, column);
        assert!(!texts.is_empty() && texts.iter().all(is_hash), "{table}.{column}: {texts:?}");
    }
    assert!(
        !texts("issues", "reporter_id").is_disjoint(&texts("users", "user_id")),
        "hashed ids do not join"
    );
    assert!(texts("issues", "summary").is_empty(), "the rule of the premises does not hold");
    let policy = run["result"]["policy"].to_string();
    assert!(
        policy.contains("dropped") && !policy.contains("hashed"),
        "the user's own wish is told as an order: {policy}"
    );
    assert!(!cluster.relay_log().contains("pepper"), "the salt is in the relay's log");
}

/// The rows of issues that were last updated within a range of seconds.
fn updated_within(sim: &SimHandle, from: i64, to: i64) -> TruthTable {
    let mut truth = truth::table(sim, "issues").unwrap();
    let updated = truth.columns.iter().position(|(name, _)| name == "updated").unwrap();
    truth.rows.retain(
        |row| matches!(row[updated], Cell::Ts(micros) if (from..to).contains(&micros.div_euclid(1_000_000))),
    );
    truth
}

fn updates(sim: &SimHandle) -> Vec<i64> {
    let truth = truth::table(sim, "issues").unwrap();
    let updated = truth.columns.iter().position(|(name, _)| name == "updated").unwrap();
    let second = |cell: &Cell| if let Cell::Ts(micros) = cell { micros.div_euclid(1_000_000) } else { 0 };
    let mut seconds: Vec<i64> = truth.rows.iter().map(|row| second(&row[updated])).collect();
    seconds.sort_unstable();
    seconds
}

fn moment(second: i64) -> String {
    chrono::DateTime::from_timestamp(second, 0).unwrap().to_rfc3339()
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_change_choose_issues_to_the_second_and_the_rest_comes_with_the_next_delta_load() {
    for is_cloud in [false, true] {
        let sim =
            JiraSim::start(if is_cloud { SimConfig::cloud(300, 75) } else { generated(300, 75) }).unwrap();
        let cluster = if is_cloud { direct(&sim).await } else { uplinked(&sim).await };
        // Bounds that issues stand on: the first is in, the last is not.
        let seconds = updates(&sim);
        let (from, to) = (seconds[60], seconds[200]);
        let (from_text, to_text) = (moment(from), moment(to));
        let args = ["--full", "--tables", "issues", "--updated-from", &from_text, "--updated-to", &to_text];
        let run = cluster.extracted(&args).await;
        let chosen = updated_within(&sim, from, to);
        assert!(chosen.rows.len() > 100 && chosen.rows.len() < 200, "{}", chosen.rows.len());
        assert_eq!(differences(&cluster, "issues", &chosen), Vec::<String>::new());
        let table = cluster.ok(&["table", "list"]).await[0].clone();
        assert_eq!(table["watermark"].as_str().unwrap().get(..19), to_text.get(..19), "{table} after {run}");
        // What was updated since the bound is what the next delta load reads, whenever that was.
        cluster.extracted(&["--delta", "--tables", "issues", "--updated-from", &from_text]).await;
        assert_eq!(
            differences(&cluster, "issues", &updated_within(&sim, from, i64::MAX)),
            Vec::<String>::new()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_delta_load_loses_nothing_for_the_next_one() {
    let sim = JiraSim::start(generated(200, 76)).unwrap();
    let cluster = uplinked(&sim).await;
    cluster.extracted(&["--full"]).await;
    let keys = sim.keys();
    let project = keys[0].split('-').next().unwrap().to_owned();
    let other = keys.iter().find(|key| !key.starts_with(&format!("{project}-"))).unwrap();
    for key in [&keys[0], other] {
        sim.edit_issue(key, &Edit { summary: Some("edited".to_owned()), ..Edit::default() }).unwrap();
    }
    // Far enough back that the overlap of five minutes does not bring it by itself.
    sim.advance_clock(3_600_000);
    let run = cluster.extracted(&["--delta", "--projects", &project]).await;
    assert!(run["result"]["warnings"].to_string().contains("watermark_stays"), "{run:#}");
    cluster.extracted(&["--delta"]).await;
    assert_landed_equals_truth(&cluster, &sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_of_the_users_own_is_read_by_jira_before_anything_is_landed() {
    for is_cloud in [false, true] {
        let sim =
            JiraSim::start(if is_cloud { SimConfig::cloud(60, 77) } else { generated(60, 77) }).unwrap();
        let cluster = if is_cloud { direct(&sim).await } else { uplinked(&sim).await };
        for (jql, words) in [("nosuchfield = 1", "nosuchfield"), ("status = = Done", "JQL")] {
            let run = cluster.extract(&["--full", "--jql", jql]).await;
            let failed = cluster.ended(&run).await;
            assert_eq!(failed["error"]["code"], "jql_refused", "{failed:#}");
            assert!(failed["error"]["message"].as_str().unwrap().contains(words), "{failed:#}");
            assert_eq!(failed["progress"]["bytes_sent"], 0, "{failed:#}");
        }
        let landed = cluster.relay_data().join("lake").join("sales").join("jira");
        let tables = std::fs::read_dir(landed).into_iter().flatten().map(|table| table.unwrap().file_name());
        let tables: Vec<String> = tables.map(|name| name.into_string().unwrap()).collect();
        let control = ["_runs", "_tables", "_skipped", "_schema_changes"];
        assert!(
            tables.iter().all(|name| control.contains(&name.as_str())),
            "something was landed: {tables:?}"
        );
        assert_eq!(sim.stats().requests_matching("/field"), 0, "{:?}", sim.stats().requests);
        let ordered = ["extract", "jira", "--full", "--jql", "status = Done ORDER BY created"];
        let refused = cluster.ctl(&ordered, "").await;
        assert!(refused.code == 1 && refused.stderr.contains("ORDER BY"), "{refused:?}");
        assert_eq!(cluster.ok(&["run", "list"]).await.as_array().unwrap().len(), 2, "it became a run");
    }
}
