//! Every way Jira refuses a login ends the run at once, with one attempt and a sentence that says what to do.

use crate::site::generated;
use serde_json::Value;
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::{FaultKind, JiraSim, RunningSim};

async fn site_with_connection(password: &str) -> (RunningSim, Cluster) {
    let sim = JiraSim::start(generated(300, 31)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), password, 4).await;
    sim.reset_stats();
    (sim, cluster)
}

async fn failed_run(cluster: &Cluster) -> Value {
    let run = cluster.extract(&["--full"]).await;
    let document = cluster.ended(&run).await;
    assert_eq!(document["state"], "failed", "{document:#}");
    document
}

fn assert_error(document: &Value, code: &str, words: &[&str]) {
    let error = &document["error"];
    assert_eq!(error["code"], code, "{error:#}");
    let said = format!(
        "{} {}",
        error["message"].as_str().unwrap_or_default(),
        error["hint"].as_str().unwrap_or_default()
    );
    for word in words {
        assert!(said.to_lowercase().contains(&word.to_lowercase()), "`{word}` is not in: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_password_makes_exactly_one_login_attempt() {
    let (sim, cluster) = site_with_connection("not-the-password").await;
    let document = failed_run(&cluster).await;
    assert_error(&document, "login_refused", &["password", "uplinkctl connection update"]);
    let stats = sim.stats();
    assert_eq!((stats.login_attempts, stats.failed_logins), (1, 1), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn captcha_lock_names_the_login_page() {
    let (sim, cluster) = site_with_connection(PASSWORD).await;
    let client = reqwest_like_failures(&sim).await;
    assert_eq!(client, 3, "the account is not locked");
    sim.reset_stats();
    let document = failed_run(&cluster).await;
    assert_error(&document, "login_captcha", &["login.jsp", "CAPTCHA"]);
    assert_eq!(sim.stats().login_attempts, 1, "a locked account was tried again");
}

/// Locks the account as somebody else would: three wrong passwords.
async fn reqwest_like_failures(sim: &RunningSim) -> u32 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..3 {
        let request = client.get(format!("{}/rest/api/2/myself", sim.url()));
        request.basic_auth(tests::cluster::USERNAME, Some("wrong")).send().await.unwrap();
    }
    sim.failed_logins_of(tests::cluster::USERNAME).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn sso_page_is_recognised_as_a_failed_login() {
    let (sim, cluster) = site_with_connection(PASSWORD).await;
    sim.fail_next("/rest/api/2/myself", 100, FaultKind::SsoPage);
    assert_error(&failed_run(&cluster).await, "login_sso", &["single sign-on"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirect_to_an_identity_provider_is_not_followed() {
    let (sim, cluster) = site_with_connection(PASSWORD).await;
    let location = "https://idp.corp.example/saml?next=jira".to_owned();
    sim.fail_next("/rest/api/2/myself", 100, FaultKind::Redirect { location });
    assert_error(&failed_run(&cluster).await, "login_sso", &["idp.corp.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_200_is_recognised_as_a_failed_login() {
    let (sim, cluster) = site_with_connection(PASSWORD).await;
    // In the middle of the run: the session is gone and Jira answers as to a visitor, with 200.
    sim.fail_next("/search", 1_000, FaultKind::Anonymous);
    assert_error(&failed_run(&cluster).await, "login_anonymous", &["anonymous"]);
    assert!(!cluster.table_dir("issues").join("_delta_log").exists(), "a failed run committed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_header_on_a_200_is_a_failed_login() {
    let (sim, cluster) = site_with_connection(PASSWORD).await;
    sim.fail_next("/search", 1_000, FaultKind::SeraphFailed);
    let document = failed_run(&cluster).await;
    let code = document["error"]["code"].as_str().unwrap_or_default().to_owned();
    assert!(code.starts_with("login_"), "{document:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_test_says_who_logged_in_or_why_not() {
    let (_sim, cluster) = site_with_connection(PASSWORD).await;
    let report = cluster.ok(&["connection", "test", "jira"]).await;
    assert_eq!(report["outcome"], "ok", "{report:#}");
    assert_eq!(report["issues"], 300);
    let (_sim, cluster) = site_with_connection("not-the-password").await;
    let printed = cluster.ctl(&["connection", "test", "jira"], "").await;
    assert_eq!(printed.code, 1, "{printed:?}");
    assert!(printed.stderr.contains("password"), "{printed:?}");
}
