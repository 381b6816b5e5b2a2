//! The premises decide: whatever a modified relay sends, the agent makes no request but permitted reads of permitted Jiras.

use crate::premises::{Premises, everything};
use crate::site::generated;
use protocol::control::{AgentMessage, RelayMessage};
use protocol::site::SiteAddress;
use protocol::spec::ExtractionSpec;
use tests::cluster::{PASSWORD, USERNAME};
use tests::jira_sim::{JiraSim, RunningSim};

fn sim() -> RunningSim {
    JiraSim::start(generated(100, 81)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_the_premises_did_not_permit_is_refused_and_logged() {
    let permitted = sim();
    let secret_service = sim();
    let mut premises = Premises::new(&permitted.url()).await;
    let look_alikes = [
        secret_service.url(),
        permitted.url().replace("/jira", ""),
        permitted.url().replace("/jira", "/jira/rest"),
        permitted.url().replace("127.0.0.1", "localhost"),
        permitted.url().replace("http://", "https://"),
        "http://169.254.169.254/latest".to_owned(),
    ];
    for (number, site) in (1..).zip(look_alikes) {
        let connection = premises.connection(&site);
        let failure = premises.failure_of(number, connection, everything()).await;
        assert_eq!(failure.code, "site_not_permitted", "{site}: {failure:?}");
        assert!(failure.hint.contains("allow"), "no next step: {failure:?}");
        premises.agent.wait_for(&format!("run_{number}")).await;
    }
    assert_eq!(permitted.stats().requests_total, 0, "the permitted Jira was asked for a refused run");
    assert_eq!(secret_service.stats().requests_total, 0, "another host was reached");
    let log = premises.agent.printed();
    assert!(log.contains("169.254.169.254"), "the refused address is not in the log: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_sealed_for_another_site_is_not_used() {
    let permitted = sim();
    let mut premises = Premises::new(&permitted.url()).await;
    let mut connection = premises.connection(&permitted.url());
    let elsewhere = SiteAddress::parse("https://jira.other.example").unwrap();
    connection.sealed = vec![premises.link.sealed(PASSWORD, &elsewhere, USERNAME)];
    let failure = premises.failure_of(1, connection, everything()).await;
    assert!(failure.message.contains("seal"), "{failure:?}");
    assert_eq!(permitted.stats().login_attempts, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_could_smuggle_a_request_are_refused() {
    let permitted = sim();
    let mut premises = Premises::new(&permitted.url()).await;
    let hostile = [
        ExtractionSpec { tables: vec!["../../secrets".into()], ..everything() },
        ExtractionSpec { tables: vec!["admin/user".into()], ..everything() },
        ExtractionSpec { projects: vec!["X\") OR (\"1\" = \"1".into()], ..everything() },
        ExtractionSpec { projects: vec!["../rest/api/2/user?x".into()], ..everything() },
        ExtractionSpec { jql: Some("project = A) OR (project = B".into()), ..everything() },
        ExtractionSpec { jql: Some("project = \"A".into()), ..everything() },
        ExtractionSpec { jql: Some("project = A ORDER BY key".into()), ..everything() },
    ];
    for (number, extraction) in (1..).zip(hostile) {
        let connection = premises.connection(&permitted.url());
        let failure = premises.failure_of(number, connection, extraction.clone()).await;
        assert!(!failure.code.is_empty() && !failure.hint.is_empty(), "{extraction:?}: {failure:?}");
        premises.agent.wait_for(&format!("run_{number}")).await;
    }
    let stats = permitted.stats();
    assert_eq!(stats.requests_total, 0, "a refused instruction reached Jira: {stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generic_request_is_no_message_and_the_link_survives_it() {
    let permitted = sim();
    let mut premises = Premises::new(&permitted.url()).await;
    for text in [
        r#"{"type":"http_request","method":"DELETE","url":"/rest/api/2/issue/AAA-1"}"#,
        r#"{"type":"exec","command":"id"}"#,
        r#"{"type":"config","allow_jira":["http://10.0.0.1"]}"#,
    ] {
        premises.link.send_raw(text).await;
        let got = premises
            .link
            .expect(|message| match message {
                AgentMessage::UnknownMessage { got } => Some(got),
                _ => None,
            })
            .await;
        assert!(text.contains(&got));
    }
    assert_eq!(permitted.stats().requests_total, 0);
    // The same link still does honest work, and that work is nothing but reads.
    let connection = premises.connection(&permitted.url());
    premises.link.send(&RelayMessage::TestConnection { request: "q1".into(), connection }).await;
    premises
        .link
        .expect(|message| match message {
            AgentMessage::TestResult { report, .. } => Some(report),
            _ => None,
        })
        .await;
    let stats = permitted.stats();
    assert!(stats.requests_total > 0);
    let only_reads =
        |template: &String| template.starts_with("GET ") || template == "POST /rest/api/2/search";
    assert!(stats.requests.keys().all(only_reads), "{:?}", stats.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_frames_end_the_link_and_the_agent_dials_again() {
    let permitted = sim();
    let mut premises = Premises::new(&permitted.url()).await;
    for (text, bytes) in [
        (Some("{not json"), None),
        (None, Some(&b"\xff\xff\xff\xff\xff\xff\xff\xffgarbage"[..])),
        (None, Some(&b"\x00"[..])),
    ] {
        let mut link = premises.link;
        match (text, bytes) {
            (Some(text), _) => link.send_raw(text).await,
            (None, bytes) => link.send_bytes(bytes.unwrap_or_default()).await,
        }
        assert!(link.is_closed_by_agent().await, "the agent lived with {text:?} {bytes:?}");
        premises.link = premises.relay.next_link().await;
    }
    assert_eq!(permitted.stats().requests_total, 0);
}
