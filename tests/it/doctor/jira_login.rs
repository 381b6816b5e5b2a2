//! One login at a permitted Jira: what is a refusal, what only looks like a login, and when none is tried any more.

use super::jira::{MYSELF, answer, log_in, sim};
use super::{doctor_of, fails, finding, passes};
use std::os::unix::fs::PermissionsExt;
use tests::cluster::{Cluster, PASSWORD, USERNAME};
use tests::jira_sim::FaultKind;

#[tokio::test(flavor = "multi_thread")]
async fn a_200_as_for_a_visitor_is_no_login() {
    let sim = sim();
    sim.fail_next(MYSELF, 100, FaultKind::Anonymous);
    let printed = log_in(&sim.url(), PASSWORD).await;
    let document = fails(&printed, "jira_login", "jira_login_anonymous", &[USERNAME, "anonymous"]);
    passes(&document, &["jira_api"]);
    sim.clear_faults();
    sim.fail_next(MYSELF, 100, FaultKind::SeraphFailed);
    let printed = log_in(&sim.url(), PASSWORD).await;
    fails(&printed, "jira_login", "jira_login_refused", &["AUTHENTICATED_FAILED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_for_another_reason_is_neither_a_refusal_nor_a_pass() {
    let sim = sim();
    for (kind, words) in [
        (FaultKind::Gateway { status: 503 }, ["503"]),
        (
            answer(403, "application/json", r#"{"errorMessages":["The account may not log in."]}"#),
            ["may not log in"],
        ),
        (answer(200, "application/json", r#"{"greeting":"hello"}"#), ["as reader"]),
    ] {
        sim.clear_faults();
        sim.fail_next(MYSELF, 100, kind);
        let document = fails(&log_in(&sim.url(), PASSWORD).await, "jira_login", "jira_login_failed", &words);
        passes(&document, &["jira_api"]);
    }
    sim.clear_faults();
    passes(&log_in(&sim.url(), PASSWORD).await.json(), &["jira_login"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_two_refused_logins_none_is_tried_until_somebody_acts() {
    let sim = sim();
    let cluster = Cluster::relay_only().await;
    let token = cluster.new_token("hq").await;
    let enrolled = cluster.enrol(&token, &sim.url()).await;
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    let file = cluster.dir.path().join("password");
    let entry = format!(
        "[[jira]]\nurl = \"{}\"\nusername = \"{USERNAME}\"\npassword_file = \"{}\"\n",
        sim.url(),
        file.display()
    );
    std::fs::write(cluster.agent_config(), entry).unwrap();
    std::fs::write(&file, "not-the-password\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    for _ in 0..2 {
        fails(&doctor_of(&cluster).await, "jira_login", "jira_login_refused", &[USERNAME]);
    }
    for _ in 0..2 {
        let document =
            fails(&doctor_of(&cluster).await, "jira_login", "jira_login_blocked", &[USERNAME, "2 logins"]);
        let remedy = finding(&document, "jira_login")["remedy"].as_str().unwrap().to_owned();
        assert!(remedy.contains("resume --account"), "{remedy}");
        passes(&document, &["jira_api"]);
    }
    assert_eq!(sim.stats().login_attempts, 2, "Jira saw a login that should not have been tried");

    // The remedy helps.
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let resumed = cluster.on_premises(&["resume", "--account", USERNAME], "").await;
    assert_eq!(resumed.code, 0, "{resumed:?}");
    let printed = doctor_of(&cluster).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    passes(&printed.json(), &["jira_login"]);
}
