//! Every version of Jira Server and Data Center that differs for a reader: all tables equal the truth in full and delta loads.
//!
//! 8.20 and 9.12 send all comments at once and know no search window; 10.3 pages comments by fifty and refuses offsets beyond its window;
//! 11 does so too and takes no password. All of them cap a page of a search, and limit the rate of requests.

use crate::site::{assert_landed_equals_truth, config};
use serde_json::Value;
use tests::cluster::{Cluster, PASSWORD, Printed};
use tests::jira_sim::{
    Edit, Flavour, GeneratedSite, JiraSim, NewIssue, RateLimit, RunningSim, SimConfig, SimHandle, SiteSource,
};

/// The personal access token of the account that `config` makes.
pub(crate) const TOKEN: &str = "canary-personal-token-77";
/// More issues were created in one second than the search window holds.
const WINDOW: u64 = 500;
const TIED: u32 = 520;

pub(crate) fn site(flavour: Flavour, seed: u64) -> RunningSim {
    let source = SiteSource::Generated(GeneratedSite {
        issues: 900,
        seed,
        tie_size: TIED,
        large_description_every: 400,
        ..GeneratedSite::default()
    });
    let limits = SimConfig {
        flavour,
        search_cap: 100,
        max_result_window: WINDOW,
        rate_limit: Some(RateLimit { tokens: 400, fill: 400, interval_seconds: 1 }),
        nodes: 2,
        ..config(source)
    };
    JiraSim::start(limits).unwrap()
}

async fn relay() -> Cluster {
    let cluster = Cluster::relay_only().await;
    cluster.ok(&["pool", "create", "sales"]).await;
    cluster
}

/// A direct connection with the token, or with the password.
async fn connect(cluster: &Cluster, url: &str, secret: &str) -> Printed {
    let with_token = secret == TOKEN;
    let account: &[&str] =
        if with_token { &["--api-token-stdin"] } else { &["--username", "reader", "--password-stdin"] };
    let made = cluster.connect_direct(url, account, secret).await;
    assert_eq!(made.code, 0, "{made:?}");
    cluster.ctl(&["connection", "test", "jira"], "").await
}

/// A full load, changes of every kind that a delta load sees, and a delta load.
async fn loads_equal_the_truth(cluster: &Cluster, sim: &SimHandle) {
    cluster.extracted(&["--full"]).await;
    assert_landed_equals_truth(cluster, sim);
    change(sim);
    cluster.extracted(&["--delta"]).await;
    assert_landed_equals_truth(cluster, sim);
}

pub(crate) fn change(sim: &SimHandle) {
    let keys = sim.keys();
    for key in keys.iter().step_by(113) {
        sim.edit_issue(key, &Edit { summary: Some(format!("edited {key}")), ..Edit::default() }).unwrap();
        sim.add_comment(key, None, "one more").unwrap();
        sim.add_worklog(key, 1_800, "half an hour").unwrap();
    }
    let target = sim.project_list().last().unwrap()["key"].as_str().unwrap().to_owned();
    let moved = keys.iter().filter(|key| !key.starts_with(&format!("{target}-")));
    // A sub-task moves with its parent only, which the simulator refuses as Jira does.
    let moved = moved.take(20).filter(|key| sim.move_issue(key, &target).is_ok()).count();
    assert!(moved > 0, "nothing could be moved");
    sim.create_issue(&NewIssue { summary: "born later".into(), ..NewIssue::default() }).unwrap();
}

async fn a_version_equals_the_truth(flavour: Flavour, seed: u64, secret: &str) {
    let sim = site(flavour, seed);
    let cluster = relay().await;
    let tested = connect(&cluster, &sim.url(), secret).await;
    assert!(tested.code == 0 && tested.stdout.contains(flavour.version()), "{tested:?}");
    loads_equal_the_truth(&cluster, &sim).await;
    let windowed = sim.stats().statuses.get(&500).copied().unwrap_or_default();
    assert_eq!(
        flavour.enforces_window(),
        windowed > 0,
        "{windowed} answers said that the window is too small"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn server_8_20_lands_cell_by_cell_in_full_and_delta_loads() {
    a_version_equals_the_truth(Flavour::V8_20, 201, PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_9_12_lands_cell_by_cell_in_full_and_delta_loads() {
    a_version_equals_the_truth(Flavour::V9_12, 202, PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_10_3_lands_cell_by_cell_in_full_and_delta_loads() {
    a_version_equals_the_truth(Flavour::V10_3, 203, TOKEN).await;
}

/// Through an agent: the password is refused once, with the next step; with the token all goes well.
#[tokio::test(flavor = "multi_thread")]
async fn server_11_refuses_the_password_says_what_to_do_and_lands_with_a_token() {
    let sim = site(Flavour::V11_0, 204);
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    sim.reset_stats();
    let run = cluster.extract(&["--full"]).await;
    let failed = cluster.ended(&run).await;
    asks_for_a_token(&failed);
    let stats = sim.stats();
    assert_eq!((stats.login_attempts, stats.failed_logins), (1, 0), "{stats:?}");

    let updated = cluster.ctl(&["connection", "update", "jira", "--api-token-stdin"], TOKEN).await;
    assert_eq!(updated.code, 0, "{updated:?}");
    loads_equal_the_truth(&cluster, &sim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_connection_to_11_with_a_password_asks_for_a_token() {
    let sim = site(Flavour::V11_0, 205);
    let cluster = relay().await;
    let tested = connect(&cluster, &sim.url(), PASSWORD).await;
    assert!(tested.code == 1 && tested.stderr.contains("personal access token"), "{tested:?}");
    let run = cluster.extract(&["--full"]).await;
    asks_for_a_token(&cluster.ended(&run).await);
}

fn asks_for_a_token(failed: &Value) {
    let error = &failed["error"];
    assert_eq!(error["code"], "login_passwords_off", "{failed:#}");
    assert!(error["message"].as_str().unwrap().contains("Create a personal access token"), "{error:#}");
    assert!(error["hint"].as_str().unwrap().contains("--api-token-stdin"), "{error:#}");
}
