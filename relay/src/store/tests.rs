//! Every query against a database of its own.

use super::*;
use crate::run::RunState;
use protocol::control::{Failure, LogLine, Progress, RunResult};
use protocol::spec::{CredentialKind, ExtractionSpec, Load};
use serde_json::json;

async fn empty() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
    (folder, store)
}

fn connection() -> Connection {
    Connection {
        name: "jira".to_owned(),
        pool: "sales".to_owned(),
        mode: "uplinked".to_owned(),
        uplink: Some("hq".to_owned()),
        url: "https://jira.example".to_owned(),
        username: "reader".to_owned(),
        credential: CredentialKind::Password,
        sealed: Vec::new(),
        ca_pem: None,
        max_parallel: 4,
        created_ms: 1,
        updated_ms: 1,
    }
}

async fn furnished() -> (tempfile::TempDir, Store) {
    let (folder, store) = empty().await;
    store.create_pool("sales", 1).await.unwrap();
    store.create_uplink("hq", 1).await.unwrap();
    store.create_connection(&connection()).await.unwrap();
    (folder, store)
}

fn full() -> ExtractionSpec {
    ExtractionSpec::all(Load::Full)
}

/// A run that an agent has under lease 1.
async fn running(store: &Store) -> i64 {
    let number = store.create_run("jira", &full(), 2).await.unwrap().number;
    assert_eq!(store.hand_out(number, "agent_1", &full(), 3).await.unwrap(), 1);
    number
}

fn part(name: &str) -> StoredPart {
    StoredPart {
        part: name.to_owned(),
        table: "issues".to_owned(),
        generation: 0,
        rows: 5,
        bytes: 6,
        columns: 7,
        path: format!("sales/jira/issues/{name}"),
    }
}

fn failure(code: &str) -> Failure {
    Failure { code: code.to_owned(), message: "m".to_owned(), hint: "h".to_owned() }
}

#[tokio::test]
async fn a_database_is_opened_again_with_everything_in_it() {
    let (folder, store) = furnished().await;
    let id = store.setting("relay_id", || "first".to_owned()).await.unwrap();
    store.close().await;
    let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
    assert_eq!(store.setting("relay_id", || "second".to_owned()).await.unwrap(), id);
    assert_eq!(store.connection("jira").await.unwrap(), connection());
    assert_eq!(store.pools().await.unwrap(), [Named { name: "sales".to_owned(), created_ms: 1 }]);
}

#[tokio::test]
async fn a_connection_needs_its_pool_and_uplink_and_is_replaced_whole() {
    let (_folder, store) = furnished().await;
    for (pool, uplink, kind) in [("none", "hq", "pool"), ("sales", "none", "uplink")] {
        let lost = Connection {
            name: "x".to_owned(),
            pool: pool.to_owned(),
            uplink: Some(uplink.to_owned()),
            ..connection()
        };
        let error = store.create_connection(&lost).await.unwrap_err();
        assert!(matches!(error, StoreError::Missing { kind: missing, .. } if missing == kind), "{error}");
    }
    assert!(matches!(store.create_connection(&connection()).await, Err(StoreError::Exists { .. })));
    let other = Connection { max_parallel: 9, ..connection() };
    store.replace_connection(&other).await.unwrap();
    assert_eq!(store.connections().await.unwrap(), [other]);
}

#[tokio::test]
async fn a_run_is_handed_out_under_growing_leases() {
    let (_folder, store) = furnished().await;
    let number = running(&store).await;
    let handed_out = store.run(number).await.unwrap();
    assert_eq!((handed_out.state, handed_out.started_ms), (RunState::Running, Some(3)));
    assert!(matches!(store.hand_out(number, "agent_2", &full(), 4).await, Err(StoreError::Step(_))));
    let progress = Progress { issues_read: 9, ..Progress::default() };
    let state = store.lose(number, 1, "cut", Some(&progress), 4).await.unwrap();
    let lost = store.run(number).await.unwrap();
    assert_eq!(
        (state, lost.reason.as_deref(), lost.progress.issues_read),
        (RunState::Queued, Some("cut"), 9)
    );
    assert_eq!(store.hand_out(number, "agent_2", &full(), 5).await.unwrap(), 2);
    assert_eq!(store.run(number).await.unwrap().started_ms, Some(3));
    assert!(matches!(store.lose(number, 1, "late", None, 6).await, Err(StoreError::StaleLease { .. })));
}

#[tokio::test]
async fn a_checkpoint_keeps_its_entry_and_parts_together_and_once() {
    let (_folder, store) = furnished().await;
    let number = running(&store).await;
    for _ in 0..2 {
        store.checkpoint((number, 1), 0, &json!({ "unit": 0 }), &[part("a"), part("b")]).await.unwrap();
    }
    // A part that is named twice fails the whole checkpoint.
    assert!(store.checkpoint((number, 1), 1, &json!(1), &[part("c"), part("a")]).await.is_err());
    assert_eq!(store.entries(number).await.unwrap(), [json!({ "unit": 0 })]);
    assert_eq!(store.parts(number).await.unwrap(), [part("a"), part("b")]);
}

#[tokio::test]
async fn an_old_lease_stores_nothing_and_a_queued_run_takes_no_checkpoint() {
    let (_folder, store) = furnished().await;
    let number = running(&store).await;
    store.lose(number, 1, "cut", None, 4).await.unwrap();
    let queued = store.checkpoint((number, 1), 0, &json!(0), &[part("a")]).await;
    assert!(matches!(queued, Err(StoreError::Step(_))), "{queued:?}");
    store.hand_out(number, "agent_1", &full(), 5).await.unwrap();
    let old = store.checkpoint((number, 1), 0, &json!(0), &[part("a")]).await;
    assert!(matches!(old, Err(StoreError::StaleLease { .. })), "{old:?}");
    let old = store.fail(number, Some(1), &failure("x"), None, 6).await;
    assert!(matches!(old, Err(StoreError::StaleLease { .. })), "{old:?}");
    let old = store.finish(number, 1, &Outcome::default()).await;
    assert!(matches!(old, Err(StoreError::StaleLease { .. })), "{old:?}");
    assert!(store.parts(number).await.unwrap().is_empty());
}

#[tokio::test]
async fn success_sets_tables_and_watermarks_with_the_runs_end() {
    let (_folder, store) = furnished().await;
    let number = running(&store).await;
    store.checkpoint((number, 1), 0, &json!(0), &[part("a")]).await.unwrap();
    let result = RunResult { watermark_ms: Some(77), ..RunResult::default() };
    let outcome = Outcome { result, ..Outcome::default() };
    for _ in 0..2 {
        store.finish(number, 1, &outcome).await.unwrap();
    }
    assert_eq!(store.runs_in(RunState::Committing).await.unwrap().len(), 1);
    assert!(matches!(store.cancel(number, 5).await, Err(StoreError::Step(_))));
    let table = TableRow {
        pool: "sales".to_owned(),
        connection: "jira".to_owned(),
        table: "issues".to_owned(),
        scope: None,
        watermark_ms: Some(77),
        run: number,
        updated_ms: 6,
        rows: 5,
        columns: 7,
        files: 1,
        bytes: 6,
        version: 0,
        path: "p".to_owned(),
    };
    store.succeed(number, &outcome, std::slice::from_ref(&table), 6).await.unwrap();
    assert!(matches!(store.succeed(number, &outcome, &[], 7).await, Err(StoreError::Step(_))));
    let ended = store.run(number).await.unwrap();
    assert_eq!((ended.state, ended.ended_ms, ended.outcome), (RunState::Succeeded, Some(6), Some(outcome)));
    assert_eq!(store.tables(Some("sales")).await.unwrap(), std::slice::from_ref(&table));
    assert_eq!(store.tables_of("sales", "jira").await.unwrap(), [table]);
    assert!(store.tables(Some("other")).await.unwrap().is_empty());
    assert!(store.parts(number).await.unwrap().is_empty() && store.entries(number).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_cancelled_run_ends_at_once_when_queued_and_at_its_agents_word_when_running() {
    let (_folder, store) = furnished().await;
    let queued = store.create_run("jira", &full(), 2).await.unwrap().number;
    assert_eq!(store.cancel(queued, 3).await.unwrap(), CancelAnswer::Done);
    let number = running(&store).await;
    assert_eq!(store.cancel(number, 4).await.unwrap(), CancelAnswer::Asked);
    let state = store.fail(number, Some(1), &failure("cancelled"), None, 5).await.unwrap();
    assert_eq!((state, store.run(number).await.unwrap().error), (RunState::Cancelled, None));
    let lost = running(&store).await;
    store.cancel(lost, 6).await.unwrap();
    assert_eq!(store.lose(lost, 1, "cut", None, 7).await.unwrap(), RunState::Cancelled);
}

#[tokio::test]
async fn an_agent_that_cancels_unasked_fails_the_run() {
    let (_folder, store) = furnished().await;
    let number = running(&store).await;
    let state = store.fail(number, Some(1), &failure("cancelled"), None, 5).await.unwrap();
    assert_eq!(state, RunState::Failed);
    assert_eq!(store.run(number).await.unwrap().error, Some(failure("cancelled")));
}

#[tokio::test]
async fn a_run_that_brings_its_agents_down_again_and_again_fails() {
    let (_folder, store) = furnished().await;
    let number = running(&store).await;
    let mut lease = 1;
    while store.lose(number, lease, "cut", None, 4).await.unwrap() == RunState::Queued {
        lease = store.hand_out(number, "agent_1", &full(), 5).await.unwrap();
        if lease == 40 {
            store.checkpoint((number, lease), 0, &json!(0), &[]).await.unwrap();
        }
    }
    assert_eq!(lease, 91, "fifty leases after the last checkpoint");
    assert_eq!(store.run(number).await.unwrap().error.unwrap().code, "lost_too_often");
}

#[tokio::test]
async fn a_log_keeps_its_newest_lines_in_order() {
    let (_folder, store) = furnished().await;
    let number = running(&store).await;
    for at_ms in 0..2005 {
        let line =
            LogLine { at_ms, level: "info".to_owned(), event: "e".to_owned(), message: "m".to_owned() };
        store.log(number, &line).await.unwrap();
    }
    let lines = store.logs(number).await.unwrap();
    assert_eq!((lines.len(), lines[0].at_ms, lines[1999].at_ms), (2000, 5, 2004));
}

#[tokio::test]
async fn runs_are_listed_newest_first_and_by_connection() {
    let (_folder, store) = furnished().await;
    for _ in 0..3 {
        store.create_run("jira", &full(), 2).await.unwrap();
    }
    let numbers = |runs: Vec<Run>| runs.into_iter().map(|run| run.number).collect::<Vec<_>>();
    assert_eq!(numbers(store.runs(None, 2).await.unwrap()), [3, 2]);
    assert_eq!(numbers(store.runs(Some("jira"), 9).await.unwrap()), [3, 2, 1]);
    assert!(store.runs(Some("other"), 9).await.unwrap().is_empty());
    assert_eq!(numbers(store.runs_in(RunState::Queued).await.unwrap()), [1, 2, 3]);
    assert!(matches!(store.create_run("other", &full(), 2).await, Err(StoreError::Missing { .. })));
    assert!(matches!(store.delete_connection("jira").await, Err(StoreError::InUse { .. })));
}

#[tokio::test]
async fn a_revoked_agent_is_still_known_but_no_longer_listed() {
    let (_folder, store) = furnished().await;
    store.create_token("hq", "hash", 1, 100).await.unwrap();
    let new = NewAgent {
        agent_id: "agent_1".to_owned(),
        name: "host".to_owned(),
        version: "0.1.0".to_owned(),
        signing_key: "s".to_owned(),
        sealing_key: "e".to_owned(),
        fingerprint: "f".to_owned(),
    };
    store.redeem_token("hash", &new, 2).await.unwrap();
    store.agent_seen("agent_1", Some("0.2.0"), 3).await.unwrap();
    store.agent_seen("agent_1", None, 4).await.unwrap();
    let seen = store.agents("hq").await.unwrap();
    assert_eq!((seen[0].version.as_str(), seen[0].last_seen_ms), ("0.2.0", Some(4)));
    assert!(matches!(store.revoke_agent("other", "agent_1", 5).await, Err(StoreError::Missing { .. })));
    store.revoke_agent("hq", "agent_1", 5).await.unwrap();
    assert!(store.agents("hq").await.unwrap().is_empty());
    assert_eq!(store.agent("agent_1").await.unwrap().unwrap().revoked_ms, Some(5));
    store.delete_connection("jira").await.unwrap();
    store.delete_uplink("hq").await.unwrap();
    assert_eq!(store.agent("agent_1").await.unwrap(), None);
}
