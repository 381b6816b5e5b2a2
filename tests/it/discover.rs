//! What an extraction would read is told before it reads it, under the policy of the premises, and comes true.

use crate::policy;
use crate::site::generated;
use serde_json::Value;
use std::collections::BTreeSet;
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::{Edit, JiraSim, RunningSim, SimConfig};
use tests::{lake_oracle, truth};

fn table<'d>(document: &'d Value, name: &str) -> &'d Value {
    let mut tables = document["tables"].as_array().unwrap().iter();
    tables.find(|table| table["table"] == name).unwrap_or_else(|| panic!("no table {name} in {document:#}"))
}

fn names(columns: &Value) -> BTreeSet<&str> {
    columns.as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_over_an_uplink_shows_what_would_land_masked_alike_and_lands_nothing() {
    let sim = JiraSim::start(generated(300, 91)).unwrap();
    let denied = sim.project_list()[0]["key"].as_str().unwrap().to_owned();
    let rules = format!(
        "[policy]\ndeny_projects = [\"{denied}\"]\n[[mask]]\ncolumns = [\"people\"]\nwith = \"hmac-sha256\"\n\
         [[mask]]\ncolumns = [\"issues.summary\"]\nwith = \"drop\"\n"
    );
    let cluster = policy::cluster(&sim.url(), &rules).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let args = ["discover", "jira", "--tables", "issues,issue_comments,users,statuses", "--sample", "5"];
    let found = cluster.ok(&args).await;

    let people = sim.user_list();
    let clear = people.iter().flat_map(|user| [user["key"].as_str(), user["emailAddress"].as_str()]);
    let clear: Vec<&str> = clear.flatten().filter(|text| text.len() > 6).collect();
    let told = found.to_string();
    assert!(
        !clear.is_empty() && !clear.iter().any(|text| told.contains(text)),
        "clear text left the premises"
    );
    assert!(!told.contains(&format!("\"{denied}-")), "issues of {denied} are shown");
    assert!(found["policy"].to_string().contains("policy_projects_narrowed"), "{:#}", found["policy"]);
    let issues = table(&found, "issues");
    assert_eq!(
        (issues["key"].to_string().as_str(), issues["sample"].as_array().unwrap().len()),
        ("[\"issue_id\"]", 5)
    );
    assert_eq!(table(&found, "users")["sample"][0]["user_id"].as_str().map(str::len), Some(64));
    assert!(issues.to_string().contains("customfield_"), "no custom field is told");
    assert_eq!(cluster.ok(&["run", "list"]).await.as_array().unwrap().len(), 0);
    assert!(!cluster.relay_data().join("lake").join("sales").exists(), "something was landed");
    let log = cluster.on_premises(&["audit", "tail", "--lines", "200"], "").await;
    assert!(
        log.code == 0 && log.stdout.contains("\"discover\""),
        "the audit log lacks the question: {log:?}"
    );

    cluster.extracted(&["--full", "--tables", "issues,issue_comments,users,statuses"]).await;
    for name in ["issues", "issue_comments", "users", "statuses"] {
        let landed = lake_oracle::read(&cluster.table_dir(name)).unwrap();
        let landed_names: BTreeSet<&str> = landed.columns.iter().map(String::as_str).collect();
        let told = table(&found, name);
        assert_eq!(names(&told["columns"]), landed_names, "{name}");
        let (rows, landed) = (told["rows"].as_u64().unwrap(), landed.rows.len() as u64);
        if told["is_estimate"] == false {
            assert_eq!(rows, landed, "{name}");
        }
        assert!(rows * 2 >= landed && rows <= landed * 2, "{name}: {rows} were told, {landed} landed");
    }
}

async fn connected(sim: &RunningSim, is_cloud: bool) -> Cluster {
    if !is_cloud {
        let cluster = Cluster::start(&sim.url()).await;
        cluster.connect(&sim.url(), PASSWORD, 4).await;
        return cluster;
    }
    let account = ["--username", "reader@example.com", "--api-token-stdin"];
    Cluster::direct(&sim.url(), &account, "reader-api-token").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_estimate_of_requests_comes_true_within_a_factor_of_two() {
    for is_cloud in [false, true] {
        let sim = JiraSim::start(if is_cloud { SimConfig::cloud(2_500, 92) } else { generated(2_500, 92) })
            .unwrap();
        let cluster = connected(&sim, is_cloud).await;
        let found = cluster.ok(&["discover", "jira", "--sample", "0"]).await;
        let (told, asked) = (found["requests"].as_u64().unwrap(), found["asked"].as_u64().unwrap());
        let run = cluster.extracted(&["--full"]).await;
        let sent = run["progress"]["requests"].as_u64().unwrap();
        eprintln!("cloud {is_cloud}: {told} requests were told by {asked}, {sent} were sent");
        assert!(told * 2 >= sent && told <= sent * 2, "cloud {is_cloud}: {told} were told, {sent} were sent");
        assert_eq!(found["issues"], 2_500);
        let shown = cluster.ctl(&["discover", "jira", "--tables", "statuses"], "").await;
        assert!(
            shown.code == 0 && shown.stdout.contains("status_id") && shown.stdout.contains("key"),
            "{shown:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_load_loads_tables_in_full_that_are_new_or_named() {
    let sim = JiraSim::start(generated(150, 93)).unwrap();
    let cluster = connected(&sim, false).await;
    cluster.extracted(&["--full", "--tables", "issues"]).await;
    let refused = cluster.ctl(&["extract", "jira", "--delta", "--tables", "issues,issue_labels"], "").await;
    assert!(refused.code == 1 && refused.stderr.contains("issue_labels"), "{refused:?}");

    let edited = sim.ids()[2].to_string();
    sim.edit_issue(&edited, &Edit { summary: Some("edited".to_owned()), ..Edit::default() }).unwrap();
    let queued = cluster
        .ok(&["extract", "jira", "--delta", "--full-new", "--tables", "issues,issue_labels,issue_links"])
        .await;
    let full = cluster.ended(queued["full_run"].as_str().unwrap()).await;
    let delta = cluster.ended(queued["id"].as_str().unwrap()).await;
    assert_eq!(
        (full["state"].as_str(), full["mode"].as_str()),
        (Some("succeeded"), Some("full")),
        "{full:#}"
    );
    assert_eq!(full["tables"].to_string(), "[\"issue_labels\",\"issue_links\"]", "{full:#}");
    assert_eq!(
        (delta["state"].as_str(), delta["mode"].as_str()),
        (Some("succeeded"), Some("delta")),
        "{delta:#}"
    );
    for name in ["issues", "issue_labels", "issue_links"] {
        let landed = lake_oracle::read(&cluster.table_dir(name)).unwrap();
        let differences = lake_oracle::differences(name, &truth::table(&sim, name).unwrap(), &landed);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
    let named = cluster
        .ok(&[
            "extract",
            "jira",
            "--delta",
            "--tables",
            "issues,issue_labels",
            "--full-tables",
            "issue_labels",
        ])
        .await;
    assert_eq!(
        cluster.ended(named["full_run"].as_str().unwrap()).await["tables"].to_string(),
        "[\"issue_labels\"]"
    );
    let shown = cluster.ctl(&["table", "show", "issue_labels"], "").await;
    assert!(shown.stdout.contains("key             issue_id, label"), "{shown:?}");
}
