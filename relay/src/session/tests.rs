//! Sessions over real TLS and WebSocket, with an agent's end of the link driven by the test.

use crate::testing::{Bench, FakeAgent, issues_part};
use protocol::control::{AgentMessage, Failure, RelayMessage, RunResult, TableResult, TestReport};
use protocol::handshake::RejectCode;
use protocol::ids::{Lease, PartId, RunId};
use protocol::spec::Load;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio_tungstenite::tungstenite;

fn run_1() -> RunId {
    "run_1".into()
}

async fn extract(bench: &Bench) {
    let (status, answer) =
        bench.post("/v1/extractions", json!({ "connection": "jira", "mode": "full" })).await;
    assert_eq!(status, 202, "{answer}");
}

/// Sends a part and waits until it is durable.
async fn land(agent: &mut FakeAgent, lease: Lease, sequence: u64, ids: &[i64]) -> PartId {
    let (header, bytes) = issues_part(lease, sequence, ids);
    let name = header.part.clone();
    agent.part(header, bytes).await;
    match agent.hear().await.unwrap() {
        RelayMessage::PartLanded { part, .. } => assert_eq!(part, name),
        other => panic!("unexpected {other:?}"),
    }
    name
}

async fn checkpoint(agent: &mut FakeAgent, lease: Lease, sequence: u64, parts: Vec<PartId>) {
    let entry = json!({ "unit": sequence, "lease": lease.0 });
    agent.say(&AgentMessage::Checkpoint { run: run_1(), lease, sequence, entry, parts }).await;
    match agent.hear().await.unwrap() {
        RelayMessage::CheckpointStored { sequence: stored, .. } => assert_eq!(stored, sequence),
        other => panic!("unexpected {other:?}"),
    }
}

async fn finish(agent: &mut FakeAgent, lease: Lease, rows: u64) {
    let table = TableResult { rows, columns: 1, ..TableResult::default() };
    let result = RunResult {
        tables: BTreeMap::from([("issues".to_owned(), table)]),
        watermark_ms: Some(1000),
        issues_counted: Some(rows),
        ..RunResult::default()
    };
    agent.say(&AgentMessage::RunFinished { run: run_1(), lease, result, manifest: None }).await;
    assert!(matches!(agent.hear().await.unwrap(), RelayMessage::RunClosed { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_from_queue_to_table() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    let mut agent = bench.agent(&keys).await;
    extract(&bench).await;
    let (lease, entries) = agent.started().await;
    assert_eq!((lease, entries.len()), (Lease(1), 0));
    let part = land(&mut agent, lease, 0, &[1, 2, 3]).await;
    checkpoint(&mut agent, lease, 0, vec![part]).await;
    finish(&mut agent, lease, 3).await;
    let run = bench.follow_to_end("run_1").await;
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!(run["result"]["tables"]["issues"]["rows_after"], 3);
    assert_eq!(run["result"]["warnings"], json!([]));
    let tables = bench.get("/v1/tables?pool=sales").await;
    assert_eq!((&tables[0]["table"], &tables[0]["rows"]), (&json!("issues"), &json!(3)));
    assert_eq!(tables[0]["watermark"], "1970-01-01T00:00:01.000Z");
    let look = bench.get("/v1/tables/sales/jira/issues?rows=2").await;
    assert_eq!(look["rows"], json!([{ "issue_id": 1 }, { "issue_id": 2 }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_load_without_changes_moves_the_watermark_also_of_tables_without_rows() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    let mut agent = bench.agent(&keys).await;
    let ask = |mode: &str| json!({ "connection": "jira", "mode": mode, "tables": ["issues", "issue_links"] });
    bench.post("/v1/extractions", ask("full")).await;
    let (lease, _) = agent.started().await;
    let part = land(&mut agent, lease, 0, &[1]).await;
    checkpoint(&mut agent, lease, 0, vec![part]).await;
    finish(&mut agent, lease, 1).await;
    bench.follow_to_end("run_1").await;

    let (status, run) = bench.post("/v1/extractions", ask("delta")).await;
    assert_eq!(status, 202, "{run}");
    let RelayMessage::StartRun { run, lease, extraction, .. } = agent.hear().await.unwrap() else { panic!() };
    assert_eq!(extraction.load, Load::Delta { since_ms: 1000 });
    let result = RunResult { watermark_ms: Some(2000), issues_counted: Some(1), ..RunResult::default() };
    agent.say(&AgentMessage::RunFinished { run, lease, result, manifest: None }).await;
    let run = bench.follow_to_end("run_2").await;
    assert_eq!((&run["state"], &run["result"]["warnings"]), (&json!("succeeded"), &json!([])));
    assert_eq!(run["result"]["tables"]["issues"]["rows_after"], 1);
    let tables = bench.get("/v1/tables").await;
    assert_eq!(tables.as_array().unwrap().len(), 1, "a table without columns does not exist yet");
    assert_eq!(
        (&tables[0]["watermark"], &tables[0]["version"]),
        (&json!("1970-01-01T00:00:02.000Z"), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_after_a_checkpoint_resumes_with_it_under_a_new_lease() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    let mut agent = bench.agent(&keys).await;
    extract(&bench).await;
    let (lease, _) = agent.started().await;
    let part = land(&mut agent, lease, 0, &[1, 2]).await;
    checkpoint(&mut agent, lease, 0, vec![part]).await;
    land(&mut agent, lease, 1, &[99]).await;
    drop(agent);

    let mut agent = bench.agent(&keys).await;
    let (lease, entries) = agent.started().await;
    assert_eq!((lease, entries), (Lease(2), vec![json!({ "unit": 0, "lease": 1 })]));
    // What the old lease still says has no effect.
    let old = Lease(1);
    agent
        .say(&AgentMessage::RunFinished {
            run: run_1(),
            lease: old,
            result: RunResult::default(),
            manifest: None,
        })
        .await;
    let part = land(&mut agent, lease, 0, &[3]).await;
    checkpoint(&mut agent, lease, 0, vec![part]).await;
    finish(&mut agent, lease, 3).await;
    let run = bench.follow_to_end("run_1").await;
    assert_eq!((&run["state"], &run["lease"]), (&json!("succeeded"), &json!(2)));
    assert_eq!(run["result"]["tables"]["issues"]["rows_after"], 3);
    let table = bench.folder.path().join("relay-data/lake/sales/jira/issues");
    let parts = std::fs::read_dir(table)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".parquet"));
    assert_eq!(parts.count(), 2, "the part that no checkpoint names is swept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_relay_goes_on_from_the_checkpoint() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    let mut agent = bench.agent(&keys).await;
    extract(&bench).await;
    let (lease, _) = agent.started().await;
    let part = land(&mut agent, lease, 0, &[1]).await;
    checkpoint(&mut agent, lease, 0, vec![part]).await;
    let folder = bench.stop().await;
    assert!(matches!(agent.hear().await, Ok(RelayMessage::GoAway { .. })));

    let bench = Bench::start_in(folder).await;
    let mut agent = bench.agent(&keys).await;
    let (lease, entries) = agent.started().await;
    assert_eq!((lease, entries.len()), (Lease(2), 1));
    finish(&mut agent, lease, 1).await;
    assert_eq!(bench.follow_to_end("run_1").await["result"]["tables"]["issues"]["rows_after"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_session_replaces_the_old_one_at_once() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    let mut old = bench.agent(&keys).await;
    let new = bench.agent(&keys).await;
    assert!(new.session > old.session);
    let end = old.hear().await.unwrap_err();
    assert!(end.contains("4409"), "{end}");
    assert_eq!(bench.get("/v1/uplinks/hq").await["agents"][0]["online"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_is_cut_and_not_let_in_again() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    let mut agent = bench.agent(&keys).await;
    let path = format!("/v1/uplinks/hq/agents/{}", keys.agent_id);
    assert_eq!(bench.call(Method::DELETE, &path, Value::Null).await.0, 204);
    let end = agent.hear().await.unwrap_err();
    assert!(end.contains("4410"), "{end}");
    let refusal = bench.greet(&keys, "127.0.0.1").await.err().unwrap();
    assert_eq!(refusal.code(), RejectCode::Revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_wrong_names_and_unknown_protocols_are_refused_by_name() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    let wrong_host = bench.greet(&keys, "relay.evil.example").await.err().unwrap();
    assert_eq!(wrong_host.code(), RejectCode::WrongHost);
    let mut stranger = keys.clone();
    stranger.agent_id = "agent_x".to_owned();
    assert_eq!(bench.greet(&stranger, "localhost").await.err().unwrap().code(), RejectCode::UnknownAgent);
    match bench.dial("uplink.v9").await {
        Err(tungstenite::Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            assert_eq!(response.status(), 400);
            assert!(String::from_utf8_lossy(&body).contains("unknown_protocol"));
        }
        other => panic!("unexpected {:?}", other.map(|_| "socket")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_keeps_the_agents_words_and_frees_its_connection() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    let mut agent = bench.agent(&keys).await;
    extract(&bench).await;
    extract(&bench).await;
    let (lease, _) = agent.started().await;
    land(&mut agent, lease, 0, &[1]).await;
    let failure = Failure {
        code: "login_refused".to_owned(),
        message: "Jira refused the login".to_owned(),
        hint: "check the password".to_owned(),
    };
    agent.say(&AgentMessage::RunFailed { run: run_1(), lease, failure }).await;
    let run = bench.follow_to_end("run_1").await;
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("login_refused")));
    match agent.hear().await.unwrap() {
        RelayMessage::StartRun { run, .. } => assert_eq!(run.as_str(), "run_2"),
        other => panic!("unexpected {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_a_paused_agent_hands_back_waits_with_its_reason_and_goes_on_from_its_checkpoint() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    let mut agent = bench.agent(&keys).await;
    extract(&bench).await;
    let (lease, _) = agent.started().await;
    let part = land(&mut agent, lease, 0, &[1]).await;
    checkpoint(&mut agent, lease, 0, vec![part]).await;
    let reason = "paused since 06:00: patches".to_owned();
    agent
        .say(&AgentMessage::Health {
            runs: 1,
            paused: Some(reason.clone()),
            jiras: vec![],
            last_error: None,
            mask_key: None,
        })
        .await;
    let (run, code) = (run_1(), "paused".to_owned());
    agent.say(&AgentMessage::RunHandedBack { run, lease, code, reason }).await;
    let waiting = bench.follow_until("run_1", |run| run["state"] == "queued").await;
    let why = waiting["reason"].as_str().unwrap();
    assert!(
        why.contains("handed the run back") && why.contains("takes no work: paused since 06:00"),
        "{why}"
    );
    let agents = bench.get("/v1/uplinks/hq").await;
    assert_eq!(agents["agents"][0]["health"]["paused"], "paused since 06:00: patches");
    agent
        .say(&AgentMessage::Health { runs: 0, paused: None, jiras: vec![], last_error: None, mask_key: None })
        .await;
    let (lease, entries) = agent.started().await;
    assert_eq!((lease, entries.len()), (Lease(2), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_run_is_cancelled_through_its_agent() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    let mut agent = bench.agent(&keys).await;
    extract(&bench).await;
    let (lease, _) = agent.started().await;
    assert_eq!(bench.post("/v1/runs/run_1/cancel", Value::Null).await.0, 200);
    assert!(matches!(agent.hear().await.unwrap(), RelayMessage::CancelRun { .. }));
    let failure =
        Failure { code: "cancelled".to_owned(), message: "stopped".to_owned(), hint: String::new() };
    agent.say(&AgentMessage::RunFailed { run: run_1(), lease, failure }).await;
    let run = bench.follow_to_end("run_1").await;
    assert_eq!((&run["state"], &run["error"]), (&json!("cancelled"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_lie_about_themselves_are_refused() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    let mut agent = bench.agent(&keys).await;
    extract(&bench).await;
    let (lease, _) = agent.started().await;
    let honest = issues_part(lease, 0, &[1]);
    let mut digest = honest.clone();
    digest.0.digest = "0".repeat(64);
    let mut table = honest.clone();
    table.0.table = "../../etc".to_owned();
    let mut old = honest;
    old.0.lease = Lease(7);
    for (header, bytes) in [digest, table, old] {
        agent.part(header, bytes).await;
        match agent.hear().await.unwrap() {
            RelayMessage::PartFailed { .. } => {}
            other => panic!("unexpected {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_test_brings_the_agents_answer() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    let mut agent = bench.agent(&keys).await;
    let asked = bench.post("/v1/connections/jira/test", Value::Null);
    let answering = async {
        let RelayMessage::TestConnection { request, connection } = agent.hear().await.unwrap() else {
            panic!("no test")
        };
        assert_eq!(connection.site.as_str(), "https://jira.example");
        let report = TestReport::Failed {
            failure: Failure {
                code: "unreachable".to_owned(),
                message: "m".to_owned(),
                hint: "h".to_owned(),
            },
        };
        agent.say(&AgentMessage::TestResult { request, report }).await;
    };
    let ((status, report), ()) = tokio::join!(asked, answering);
    assert_eq!((status, &report["failure"]["code"]), (200, &json!("unreachable")));
}
