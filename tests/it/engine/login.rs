//! Every way a login or an address can be wrong: named, once, with the next step.

use crate::engine::landing::{Landing, client, client_with, full, limits, password};
use jira::{Credential, Error, JiraClient, Limits};
use std::time::Duration;
use tests::jira_sim::{FaultKind, JiraSim, RunningSim, SimConfig, SimHandle};

async fn refused(client: JiraClient) -> Error {
    Landing::default().run(client, full(), None).await.unwrap_err()
}

fn sim() -> RunningSim {
    JiraSim::start(SimConfig::generated(30, 1)).unwrap()
}

fn only_the_login_was_tried(sim: &SimHandle) {
    let stats = sim.stats();
    assert_eq!(stats.login_attempts, 1, "the credential was tried {} times", stats.login_attempts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_makes_exactly_one_attempt() {
    let sim = sim();
    let client = client_with(&sim.url(), password("wrong-canary"), limits(4));
    let error = refused(client.clone()).await;
    assert_eq!(error.code(), "login_refused");
    assert!(
        !error.to_string().contains("wrong-canary")
            && !format!("{client:?}{error:?}").contains("wrong-canary")
    );
    only_the_login_was_tried(&sim);
    // Nothing else is tried with this client either.
    assert_eq!(client.login().await.unwrap_err().code(), "login_refused");
    only_the_login_was_tried(&sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captcha_names_the_login_page_and_refuses_the_right_password_too() {
    let sim = sim();
    for _ in 0..3 {
        let error = client_with(&sim.url(), password("wrong"), limits(1)).login().await.unwrap_err();
        assert!(error.code().starts_with("login_"), "{error}");
    }
    let error = refused(client(&sim)).await;
    assert_eq!(error.code(), "login_captcha", "{error}");
    assert!(error.to_string().contains("login.jsp"), "{error}");
    let token = client_with(&sim.url(), Credential::Token("reader-token".to_owned().into()), limits(1));
    assert_eq!(token.login().await.unwrap().account, "reader");
}

#[tokio::test(flavor = "multi_thread")]
async fn single_sign_on_is_recognised_at_the_login_and_in_the_middle_of_a_run() {
    for kind in [FaultKind::SsoPage, FaultKind::Redirect { location: "https://idp.example/saml?id=1".into() }]
    {
        let sim = sim();
        sim.fail_next("/rest/api/2", 1000, kind.clone());
        assert_eq!(refused(client(&sim)).await.code(), "login_sso", "{kind:?}");
        sim.clear_faults();
        sim.fail_next("/search", 1, kind.clone());
        assert_eq!(refused(client(&sim)).await.code(), "login_sso", "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anonymous_answer_in_the_middle_of_a_run_ends_it() {
    for kind in [FaultKind::Anonymous, FaultKind::SeraphFailed] {
        let sim = sim();
        sim.fail_next("/search", 1, kind.clone());
        let code = refused(client(&sim)).await.code();
        assert!(code == "login_anonymous" || code == "login_refused", "{kind:?}: {code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_context_path_suggests_the_right_address() {
    let sim =
        JiraSim::start(SimConfig { context_path: "/jira".into(), ..SimConfig::generated(10, 1) }).unwrap();
    let without = sim.url().trim_end_matches("/jira").to_owned();
    let error = refused(client_with(&without, password("reader-password"), limits(1))).await;
    assert_eq!(error.code(), "wrong_context_path", "{error}");
    assert!(error.to_string().contains(&sim.url()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn jira_11_says_that_passwords_are_off() {
    let sim = sim();
    let body = r#"{"version":"11.0.1","versionNumbers":[11,0,1],"deploymentType":"Server","serverTime":"2026-03-11T19:18:34.876+0300"}"#;
    sim.fail_next(
        "/serverInfo",
        1,
        FaultKind::Answer { status: 200, content_type: "application/json".into(), body: body.into() },
    );
    let error = refused(client_with(&sim.url(), password("wrong"), limits(1))).await;
    assert!(error.to_string().contains("personal access token"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_there_and_no_such_host_are_told_apart() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refused(client_with(&format!("http://127.0.0.1:{port}"), password("x"), limits(1))).await;
    assert!(matches!(error, Error::Unreachable { cause: jira::UnreachableCause::Refused, .. }), "{error:?}");
    let error = refused(client_with("http://no-such-host.invalid", password("x"), limits(1))).await;
    assert!(matches!(error, Error::Unreachable { cause: jira::UnreachableCause::Dns, .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jira_that_never_answers_times_out() {
    let sim = sim();
    let _held = sim.hold("/rest/api/2");
    let limits = Limits { read_timeout: Duration::from_millis(200), ..limits(1) };
    let error = refused(client_with(&sim.url(), password("reader-password"), limits)).await;
    assert!(matches!(error, Error::Unreachable { cause: jira::UnreachableCause::Timeout, .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_jira_is_called_so() {
    let sim = sim();
    let kind = FaultKind::Answer {
        status: 200,
        content_type: "text/html".into(),
        body: "<h1>It works!</h1>".into(),
    };
    sim.fail_next("/rest/api/2", 1000, kind);
    assert_eq!(refused(client(&sim)).await.code(), "not_jira");
}
