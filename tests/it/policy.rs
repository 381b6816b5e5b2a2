//! The policy of the premises end to end: what it takes away never arrives anywhere else, and is told as such.

use crate::site::generated;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tests::cluster::{Cluster, PASSWORD, USERNAME};
use tests::jira_sim::JiraSim;
use tests::lake_oracle;
use tests::truth::Cell;

/// Hashes people, drops summaries, leaves one project out.
const POLICY: &str = r#"
[policy]
deny_projects = ["DENIED"]
[[mask]]
columns = ["people"]
with = "hmac-sha256"
[[mask]]
columns = ["issues.summary"]
with = "drop"
"#;

/// A cluster whose agent has a configuration of its own.
pub(crate) async fn cluster(jira_url: &str, policy: &str) -> Cluster {
    let mut cluster = Cluster::relay_only().await;
    cluster.ok(&["pool", "create", "sales"]).await;
    let token = cluster.new_token("hq").await;
    let printed = cluster.enrol(&token, jira_url).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    std::fs::write(cluster.agent_config(), policy).unwrap();
    let made = cluster.on_premises(&["mask-key", "create"], "").await;
    assert_eq!(made.code, 0, "{made:?}");
    cluster.start_agent();
    cluster.agent_online().await;
    cluster
}

fn files_with(dir: &Path, needles: &[String], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files_with(&entry.path(), needles, found);
            continue;
        }
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let here = needles
            .iter()
            .filter(|needle| bytes.windows(needle.len()).any(|window| window == needle.as_bytes()));
        found.extend(here.map(|needle| format!("{needle} in {}", entry.path().display())));
    }
}

/// Which of these texts are in some cell of the lake; its files are compressed, so their bytes alone tell nothing.
fn in_the_lake(cluster: &Cluster, needles: &[String]) -> Vec<String> {
    let lake = cluster.table_dir("issues");
    let tables = std::fs::read_dir(lake.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let landed = tables.filter_map(|table| lake_oracle::read(&table));
    let cells = landed.flat_map(|table| table.rows).flat_map(BTreeMap::into_values);
    let texts: BTreeSet<String> =
        cells.filter_map(|cell| if let Cell::Text(text) = cell { Some(text) } else { None }).collect();
    needles.iter().filter(|needle| texts.iter().any(|text| text.contains(needle.as_str()))).cloned().collect()
}

/// Every text of a column that landed.
fn landed(cluster: &Cluster, table: &str, column: &str) -> Vec<String> {
    let table = lake_oracle::read(&cluster.table_dir(table)).unwrap_or_else(|| panic!("no table {table}"));
    let texts = table.rows.iter().filter_map(|row| match row.get(column) {
        Some(Cell::Text(text)) => Some(text.clone()),
        _ => None,
    });
    texts.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pseudonymised_columns_are_hashed_in_the_lake_and_their_clear_text_is_nowhere_outside_the_premises() {
    let sim = JiraSim::start(generated(600, 61)).unwrap();
    let denied = sim.project_list()[0]["key"].as_str().unwrap().to_owned();
    let cluster = cluster(&sim.url(), &POLICY.replace("DENIED", &denied)).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let document = cluster.extracted(&["--full"]).await;

    let users: Vec<serde_json::Value> = sim.user_list();
    let text = |user: &serde_json::Value, member: &str| user[member].as_str().unwrap_or_default().to_owned();
    // Names of people occur in free text too, which no mask of columns can know; keys and addresses do not.
    let clear: Vec<String> = users
        .iter()
        .flat_map(|user| [text(user, "emailAddress"), text(user, "key")])
        .filter(|text| text.len() > 6)
        .collect();
    assert!(clear.len() > 10, "the site has hardly any people: {clear:?}");
    let mut found = Vec::new();
    files_with(&cluster.relay_data(), &clear, &mut found);
    assert!(found.is_empty(), "clear text left the premises: {found:#?}");
    assert_eq!(in_the_lake(&cluster, &clear), Vec::<String>::new(), "clear text is in the tables");
    let status = sim.named_list("status")[0]["name"].as_str().unwrap().to_owned();
    assert_eq!(
        in_the_lake(&cluster, std::slice::from_ref(&status)),
        [status],
        "the search finds nothing at all"
    );
    let log = cluster.relay_log();
    assert!(!clear.iter().any(|person| log.contains(person.as_str())), "the relay's log names people");

    let is_hash = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    for (table, column) in [
        ("issues", "reporter_id"),
        ("users", "user_id"),
        ("users", "display_name"),
        ("issue_changelog", "author_id"),
    ] {
        let texts = landed(&cluster, table, column);
        assert!(!texts.is_empty() && texts.iter().all(is_hash), "{table}.{column}: {texts:?}");
    }
    let people = landed(&cluster, "users", "user_id");
    assert!(
        landed(&cluster, "issues", "reporter_id").iter().any(|id| people.contains(id)),
        "hashed ids do not join"
    );
    assert!(landed(&cluster, "issues", "summary").is_empty(), "a dropped column has landed");
    let projects = landed(&cluster, "issues", "project_key");
    assert!(!projects.is_empty() && !projects.contains(&denied), "issues of {denied} have landed");
    assert!(!landed(&cluster, "projects", "project_key").contains(&denied));

    let codes: Vec<&str> = document["result"]["policy"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note["code"].as_str().unwrap())
        .collect();
    for code in [
        "policy_projects_narrowed",
        "policy_columns_hashed",
        "policy_columns_dropped",
        "policy_projects_withheld",
    ] {
        assert!(codes.contains(&code), "{code} is not told: {codes:?}");
    }
    let shown = cluster.ctl(&["run", "show", "run_1"], "").await;
    assert!(shown.stdout.contains("policy of the premises: columns of users were hashed"), "{shown:?}");
    let explained = cluster.on_premises(&["policy", "explain", "run_1"], "").await;
    assert!(explained.stdout.contains("agent.toml, line 3"), "{explained:?}");
    let described = cluster.ok(&["table", "preview", "users", "--rows", "1"]).await.to_string();
    assert!(described.contains("hmac-sha256/"), "the lake does not show the mask: {described}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_shows_what_would_leave_and_sends_nothing() {
    let sim = JiraSim::start(generated(50, 62)).unwrap();
    let denied = sim.project_list()[0]["key"].as_str().unwrap().to_owned();
    let cluster = cluster(&sim.url(), &POLICY.replace("DENIED", &denied)).await;
    let url = sim.url();
    let args = [
        "preview",
        "--site",
        &url,
        "--username",
        USERNAME,
        "--password-stdin",
        "--tables",
        "issues,users",
        "--rows",
        "2",
        "--json",
    ];
    let printed = cluster.on_premises(&args, PASSWORD).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    let document = printed.json();
    let issue = document["tables"]["issues"][0].as_object().unwrap();
    assert!(!issue.contains_key("summary") && issue.contains_key("issue_key"), "{issue:?}");
    assert_eq!(document["tables"]["users"][0]["user_id"].as_str().unwrap().len(), 64);
    assert_eq!(document["tables"]["users"].as_array().unwrap().len(), 2);
    let runs = cluster.ok(&["run", "list"]).await;
    assert_eq!(runs.as_array().unwrap().len(), 0, "{runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_two_refused_logins_jira_is_left_alone_until_somebody_acts() {
    let sim = JiraSim::start(generated(50, 63)).unwrap();
    let cluster = cluster(&sim.url(), "").await;
    cluster.connect(&sim.url(), "wrong", 4).await;
    let failed = |run: String| {
        let cluster = &cluster;
        async move { cluster.ended(&run).await["error"]["code"].as_str().unwrap_or_default().to_owned() }
    };
    for _ in 0..2 {
        assert_eq!(failed(cluster.extract(&["--full"]).await).await, "login_refused");
    }
    let tried = sim.stats().login_attempts;
    assert_eq!(failed(cluster.extract(&["--full"]).await).await, "login_blocked");
    assert_eq!(sim.stats().login_attempts, tried, "a third login was tried");
    let printed = cluster.on_premises(&["resume", "--account", USERNAME], "").await;
    assert!(printed.stdout.contains("forgotten"), "{printed:?}");
    assert_ne!(failed(cluster.extract(&["--full"]).await).await, "login_blocked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_the_premises_keep_is_enough_and_the_cloud_knows_only_the_account() {
    use std::os::unix::fs::PermissionsExt;
    let sim = JiraSim::start(generated(50, 64)).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), PASSWORD).unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = format!(
        "[[jira]]\nurl = \"{}\"\nusername = \"{USERNAME}\"\npassword_file = \"{}\"\n",
        sim.url(),
        file.path().display()
    );
    let cluster = cluster(&sim.url(), &config).await;
    let url = sim.url();
    let args = [
        "connection",
        "create",
        "jira",
        "--pool",
        "sales",
        "--uplink",
        "hq",
        "--url",
        &url,
        "--username",
        USERNAME,
        "--secret-on-premises",
    ];
    let printed = cluster.ctl(&args, "").await;
    assert_eq!(printed.code, 0, "{printed:?}");
    cluster.extracted(&["--full", "--tables", "issues"]).await;
}
