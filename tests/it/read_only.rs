//! The premises decide: whatever a modified relay sends, the agent makes no request but permitted reads of permitted Jiras.

use crate::site::generated;
use protocol::control::{AgentMessage, Failure, RelayMessage};
use protocol::ids::{Lease, RunId};
use protocol::site::SiteAddress;
use protocol::spec::{ConnectionSpec, CredentialKind, ExtractionSpec, Load};
use std::path::PathBuf;
use tempfile::TempDir;
use tests::cluster::{Binaries, PASSWORD, Process, USERNAME};
use tests::hostile_relay::{HostileLink, HostileRelay};
use tests::jira_sim::{JiraSim, RunningSim};
use tokio::process::Command;

/// An agent that may read `permitted` and is linked to a hostile relay.
struct Premises {
    agent: Process,
    link: HostileLink,
    relay: HostileRelay,
    _dir: TempDir,
}

impl Premises {
    async fn new(permitted: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut relay = HostileRelay::start().await;
        let ca = dir.path().join("ca.pem");
        std::fs::write(&ca, &relay.ca_pem).unwrap();
        let token = dir.path().join("token");
        std::fs::write(&token, relay.token()).unwrap();
        let state = dir.path().join("state");
        let enrolment = enrol(&relay.url, permitted, &ca, &token, &state);
        let (printed, ()) = tokio::join!(enrolment, relay.enrol_one());
        assert!(printed.status.success(), "{printed:?}");
        let mut command = Command::new(Binaries::built().path("uplink-agent"));
        command.args(["run", "--log-format", "json", "--log-level", "debug", "--state"]).arg(&state);
        // Without probes of its own, every request is one that the relay brought about.
        command.env("UPLINK_AGENT_HEALTH__EVERY_S", "0");
        let agent = Process::spawn("agent", command);
        let link = relay.next_link().await;
        Self { agent, link, relay, _dir: dir }
    }

    /// Sends a run and gives the failure that the agent answers.
    async fn failure_of(
        &mut self,
        number: u32,
        connection: ConnectionSpec,
        extraction: ExtractionSpec,
    ) -> Failure {
        let run = RunId(format!("run_{number}"));
        let start = RelayMessage::StartRun {
            run: run.clone(),
            lease: Lease(1),
            connection,
            extraction,
            resume_entries: 0,
        };
        self.link.send(&start).await;
        self.link
            .expect(|message| match message {
                AgentMessage::RunFailed { run: failed, failure, .. } if failed == run => Some(failure),
                _ => None,
            })
            .await
    }

    fn connection(&self, site: &str) -> ConnectionSpec {
        let site = SiteAddress::parse(site).unwrap();
        let sealed = vec![self.link.sealed(PASSWORD, &site, USERNAME)];
        ConnectionSpec {
            name: "jira".into(),
            site,
            username: USERNAME.into(),
            credential: CredentialKind::Password,
            sealed,
            max_parallel: 4,
        }
    }
}

fn enrol(
    relay: &str,
    permitted: &str,
    ca: &PathBuf,
    token: &PathBuf,
    state: &PathBuf,
) -> impl Future<Output = std::process::Output> + use<> {
    let mut command = Command::new(Binaries::built().path("uplink-agent"));
    command.args(["enroll", "--relay", relay, "--allow-jira", permitted, "--relay-ca"]).arg(ca);
    command.arg("--token-file").arg(token).arg("--state").arg(state);
    async move { command.output().await.unwrap() }
}

fn everything() -> ExtractionSpec {
    ExtractionSpec {
        tables: Vec::new(),
        load: Load::Full,
        projects: Vec::new(),
        created_from_ms: None,
        created_to_ms: None,
        jql: None,
    }
}

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
