//! Every message as it travels: pinned JSON, read back, and what an older or newer side does with it.

use super::*;
use crate::keys::{Fingerprint, SealingPublicKey, Signature, SigningPublicKey};
use crate::seal::SealedSecret;
use crate::site::SiteAddress;
use crate::spec::{ConnectionSpec, CredentialKind, ExtractionSpec, Load};
use crate::ticket::Ticket;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::Debug;

fn run() -> RunId {
    "run_17".into()
}

const TICKET: &str = "7.BwcHBwcHBwcHBwcHBwcHBw";

fn ticket() -> Ticket {
    Ticket::parse(TICKET).unwrap()
}

const FINGERPRINT: &str = "0001-0203-0405-0607-0809-0a0b-0c0d-0e0f";

fn fingerprint() -> Fingerprint {
    Fingerprint::parse(FINGERPRINT).unwrap()
}

fn secret() -> ConnectionSecret {
    let ConnectionSpec { name, site, username, mut sealed, .. } = connection();
    ConnectionSecret { connection: name, site, username, sealed: sealed.remove(0) }
}

fn secret_json() -> serde_json::Value {
    json!({
        "connection": "jira", "site": "https://jira.corp.example/jira", "username": "reader",
        "sealed": {"agent": FINGERPRINT, "sealed": "AAAA"},
    })
}

fn peer() -> Peer {
    Peer {
        agent_id: "agent_2".into(),
        name: "host".into(),
        signing_key: SigningPublicKey([1; 32]),
        sealing_key: SealingPublicKey([2; 32]),
        lacks: 3,
    }
}

fn failure() -> Failure {
    Failure { code: "forbidden".into(), message: "m".into(), hint: "h".into() }
}

fn header() -> PartHeader {
    PartHeader {
        run: run(),
        lease: Lease(2),
        part: PartId::new(Lease(2), 5),
        table: "issues".into(),
        generation: 1,
        rows: 10,
        bytes: 999,
        digest: "ab".into(),
    }
}

fn connection() -> ConnectionSpec {
    ConnectionSpec {
        name: "jira".into(),
        site: SiteAddress::parse("https://jira.corp.example/jira").unwrap(),
        username: "reader".into(),
        credential: CredentialKind::Password,
        sealed: vec![SealedSecret {
            agent: Fingerprint::parse("0001-0203-0405-0607-0809-0a0b-0c0d-0e0f").unwrap(),
            sealed: "AAAA".into(),
        }],
        max_parallel: 4,
    }
}

fn extraction(load: Load) -> ExtractionSpec {
    ExtractionSpec {
        tables: vec!["issues".into()],
        projects: vec!["ABC".into()],
        created_from_ms: Some(1),
        jql: Some("labels = x".into()),
        ..ExtractionSpec::all(load)
    }
}

fn result() -> RunResult {
    let table = TableResult { rows: 1, columns: 2, bytes_read: 3, bytes_sent: 4 };
    RunResult {
        tables: [("issues".to_owned(), table)].into(),
        watermark_ms: Some(5),
        issues_counted: Some(1),
        policy: Vec::new(),
        warnings: vec![RunWarning { code: "c".into(), message: "m".into(), count: 2 }],
        progress: Progress::default(),
    }
}

fn ask_landed() -> (AgentMessage, serde_json::Value) {
    (
        AgentMessage::AskLanded {
            run: "r".into(),
            lease: Lease(1),
            ask: 3,
            question: LandedQuestion::Issues {
                from_ms: 0,
                to_ms: 1000,
                by_project: true,
                with_updated: true,
            },
        },
        json!({"type": "ask_landed", "run": "r", "lease": 1, "ask": 3,
                "question": {"ask": "issues", "from_ms": 0, "to_ms": 1000, "by_project": true, "with_updated": true}}),
    )
}

fn landed_answer() -> (RelayMessage, serde_json::Value) {
    (
        RelayMessage::LandedAnswer {
            run: "r".into(),
            lease: Lease(1),
            ask: 3,
            piece: LandedPiece::Ids { ids: vec![7] },
            last: true,
        },
        json!({"type": "landed_answer", "run": "r", "lease": 1, "ask": 3,
                "piece": {"of": "ids", "ids": [7]}, "last": true}),
    )
}

/// One of each, with the JSON that it must have; `null` pins only the type.
fn agent_messages() -> Vec<(AgentMessage, serde_json::Value)> {
    let (run, lease) = (run(), Lease(2));
    let part = json!({"run": "run_17", "lease": 2, "part": "0002-000005", "table": "issues", "generation": 1, "rows": 10, "bytes": 999, "digest": "ab"});
    let report = TestReport::Failed { failure: failure() };
    let line = LogLine { at_ms: 1, level: "warn".into(), event: "throttled".into(), message: "m".into() };
    let checkpoint = AgentMessage::Checkpoint {
        run: run.clone(),
        lease,
        sequence: 3,
        entry: json!({"k": 1}),
        parts: vec![PartId::new(lease, 5)],
    };
    vec![
        (
            AgentMessage::PartBegin { stream: StreamId(7), part: header() },
            json!({"type": "part_begin", "stream": 7, "part": part}),
        ),
        (
            checkpoint,
            json!({"type": "checkpoint", "run": "run_17", "lease": 2, "sequence": 3, "entry": {"k": 1}, "parts": ["0002-000005"]}),
        ),
        ask_landed(),
        (AgentMessage::Progress { run: run.clone(), lease, progress: Progress::default() }, json!(null)),
        (AgentMessage::RunLog { run: run.clone(), lease, line }, json!(null)),
        (
            AgentMessage::RunFinished { run: run.clone(), lease, result: result(), manifest: None },
            json!(null),
        ),
        (
            AgentMessage::RunFailed { run: run.clone(), lease, failure: failure() },
            json!({"type": "run_failed", "run": "run_17", "lease": 2, "failure": {"code": "forbidden", "message": "m", "hint": "h"}}),
        ),
        (
            AgentMessage::RunHandedBack { run, lease, code: "paused".into(), reason: "r".into() },
            json!({"type": "run_handed_back", "run": "run_17", "lease": 2, "code": "paused", "reason": "r"}),
        ),
        (AgentMessage::TestResult { request: "r".into(), report }, json!(null)),
        discovered(),
        (
            AgentMessage::Health { runs: 1, paused: None, jiras: vec![], last_error: None, mask_key: None },
            json!({"type": "health", "runs": 1, "paused": null}),
        ),
        (AgentMessage::TicketStored { ticket: ticket() }, json!({"type": "ticket_stored", "ticket": TICKET})),
        (
            AgentMessage::OfferKeys {
                signing_key: SigningPublicKey([1; 32]),
                sealing_key: SealingPublicKey([2; 32]),
                proof: Signature::try_from(format!("{}==", "A".repeat(86))).unwrap(),
            },
            json!(null),
        ),
        (
            AgentMessage::TakeKeys { fingerprint: fingerprint() },
            json!({"type": "take_keys", "fingerprint": FINGERPRINT}),
        ),
        (
            AgentMessage::AskReseal { recipient: fingerprint() },
            json!({"type": "ask_reseal", "recipient": FINGERPRINT}),
        ),
        (
            AgentMessage::Resealed { recipient: fingerprint(), secrets: vec![secret()] },
            json!({"type": "resealed", "recipient": FINGERPRINT, "secrets": [secret_json()]}),
        ),
        (AgentMessage::UnknownMessage { got: "x".into() }, json!({"type": "unknown_message", "got": "x"})),
        (AgentMessage::Beat { sequence: 4 }, json!({"type": "beat", "sequence": 4})),
        (AgentMessage::BeatAck { sequence: 4 }, json!({"type": "beat_ack", "sequence": 4})),
        (AgentMessage::Goodbye { reason: "stop".into() }, json!({"type": "goodbye", "reason": "stop"})),
    ]
}

fn discovered() -> (AgentMessage, serde_json::Value) {
    (
        AgentMessage::Discovered {
            request: "r".into(),
            tables: vec![DiscoveredTable {
                table: "users".into(),
                rows: Some(3),
                ..DiscoveredTable::default()
            }],
            report: Some(DiscoveryReport::Ok { issues: 1, requests: 2, asked: 3, policy: vec![] }),
        },
        json!({
            "type": "discovered", "request": "r", "tables": [{"table": "users", "rows": 3, "is_estimate": false}],
            "report": {"outcome": "ok", "issues": 1, "requests": 2, "asked": 3},
        }),
    )
}

fn discover() -> (RelayMessage, serde_json::Value) {
    (
        RelayMessage::Discover {
            request: "r".into(),
            connection: connection(),
            extraction: extraction(Load::Full),
            rows: 3,
        },
        json!(null),
    )
}

fn relay_messages() -> Vec<(RelayMessage, serde_json::Value)> {
    let (run, lease, stream, part) = (run(), Lease(2), StreamId(7), PartId::new(Lease(2), 5));
    let spec = json!({
        "name": "jira", "site": "https://jira.corp.example/jira", "username": "reader", "credential": "password", "max_parallel": 4,
        "sealed": [{"agent": "0001-0203-0405-0607-0809-0a0b-0c0d-0e0f", "sealed": "AAAA"}],
    });
    let start = RelayMessage::StartRun {
        run: run.clone(),
        lease,
        connection: connection(),
        extraction: extraction(Load::Delta { since_ms: 9 }),
        resume_entries: 1,
    };
    vec![
        (
            RelayMessage::ResumeEntries { run: run.clone(), lease, entries: vec![json!(1)] },
            json!({"type": "resume_entries", "run": "run_17", "lease": 2, "entries": [1]}),
        ),
        (
            start,
            json!({
                "type": "start_run", "run": "run_17", "lease": 2, "connection": spec, "resume_entries": 1,
                "extraction": {"tables": ["issues"], "load": {"mode": "delta", "since_ms": 9}, "projects": ["ABC"], "created_from_ms": 1, "jql": "labels = x"},
            }),
        ),
        landed_answer(),
        (
            RelayMessage::CancelRun { run: run.clone(), lease },
            json!({"type": "cancel_run", "run": "run_17", "lease": 2}),
        ),
        (
            RelayMessage::PartLanded { stream, run: run.clone(), part: part.clone() },
            json!({"type": "part_landed", "stream": 7, "run": "run_17", "part": "0002-000005"}),
        ),
        (RelayMessage::PartFailed { stream, run: run.clone(), part, failure: failure() }, json!(null)),
        (
            RelayMessage::CheckpointStored { run: run.clone(), lease, sequence: 3 },
            json!({"type": "checkpoint_stored", "run": "run_17", "lease": 2, "sequence": 3}),
        ),
        (RelayMessage::RunClosed { run, lease }, json!({"type": "run_closed", "run": "run_17", "lease": 2})),
        (RelayMessage::Window { stream, bytes: 512 }, json!({"type": "window", "stream": 7, "bytes": 512})),
        (RelayMessage::TestConnection { request: "r".into(), connection: connection() }, json!(null)),
        discover(),
        (RelayMessage::NextTicket { ticket: ticket() }, json!({"type": "next_ticket", "ticket": TICKET})),
        (
            RelayMessage::KeysKept { fingerprint: fingerprint() },
            json!({"type": "keys_kept", "fingerprint": FINGERPRINT}),
        ),
        (RelayMessage::Peers { peers: vec![peer()] }, json!(null)),
        (
            RelayMessage::Reseal {
                signing_key: SigningPublicKey([1; 32]),
                sealing_key: SealingPublicKey([2; 32]),
                secrets: vec![secret()],
            },
            json!(null),
        ),
        (
            RelayMessage::GoAway { retry_after_ms: 5, reason: "deploy".into() },
            json!({"type": "go_away", "retry_after_ms": 5, "reason": "deploy"}),
        ),
        (RelayMessage::UnknownMessage { got: "x".into() }, json!({"type": "unknown_message", "got": "x"})),
        (RelayMessage::Beat { sequence: 4 }, json!({"type": "beat", "sequence": 4})),
        (RelayMessage::BeatAck { sequence: 4 }, json!({"type": "beat_ack", "sequence": 4})),
    ]
}

fn check<M: Serialize + DeserializeOwned + PartialEq + Debug>(
    message: &M,
    tag: &str,
    pinned: &serde_json::Value,
) {
    let mut value = serde_json::to_value(message).unwrap();
    assert_eq!(value["type"], tag);
    if !pinned.is_null() {
        assert_eq!(&value, pinned);
    }
    assert_eq!(&serde_json::from_value::<M>(value.clone()).unwrap(), message, "{tag}");
    // A newer side may add members.
    value["member_of_a_newer_version"] = json!([1]);
    assert_eq!(&serde_json::from_value::<M>(value).unwrap(), message, "{tag}");
}

#[test]
fn every_agent_message_has_its_json_and_is_read_back() {
    let messages = agent_messages();
    messages.iter().for_each(|(message, pinned)| check(message, message.tag(), pinned));
    assert_eq!(messages.iter().map(|(message, _)| message.tag()).collect::<Vec<_>>(), AgentMessage::TAGS);
}

#[test]
fn every_relay_message_has_its_json_and_is_read_back() {
    let messages = relay_messages();
    messages.iter().for_each(|(message, pinned)| check(message, message.tag(), pinned));
    assert_eq!(messages.iter().map(|(message, _)| message.tag()).collect::<Vec<_>>(), RelayMessage::TAGS);
}

#[test]
fn figures_that_an_older_side_does_not_send_are_zero() {
    assert_eq!(serde_json::from_str::<Progress>("{}").unwrap(), Progress::default());
    assert_eq!(serde_json::from_str::<RunResult>("{}").unwrap(), RunResult::default());
    let load = serde_json::from_str::<ExtractionSpec>(r#"{"load":{"mode":"full"}}"#).unwrap();
    assert_eq!((load.load, load.tables.len()), (Load::Full, 0));
}

#[test]
fn a_test_report_is_told_by_its_outcome() {
    let ok = TestReport::Ok {
        account: "reader".into(),
        version: "9.12.0".into(),
        deployment: "server".into(),
        time_zone: "UTC".into(),
        projects: 1,
        issues: 2,
    };
    let value = serde_json::to_value(&ok).unwrap();
    assert_eq!(value["outcome"], "ok");
    assert_eq!(serde_json::from_value::<TestReport>(value).unwrap(), ok);
}

#[test]
fn a_site_that_could_mean_another_host_never_gets_past_the_parser() {
    let mut value = serde_json::to_value(connection()).unwrap();
    value["site"] = json!("https://jira.corp.example@evil.example");
    assert!(serde_json::from_value::<ConnectionSpec>(value).is_err());
}

#[test]
fn debug_of_a_start_shows_no_sealed_bytes() {
    let mut spec = connection();
    spec.sealed[0].sealed = "c2VhbGVk".into();
    let shown = format!("{:?}", RelayMessage::TestConnection { request: "r".into(), connection: spec });
    assert!(!shown.contains("c2VhbGVk"), "{shown}");
}

#[test]
fn part_ids_of_another_form_are_told() {
    assert!(PartId::new(Lease(12345), 1_234_567).is_well_formed());
    for text in ["", "-", "1-", "../1-2", "1-2-3", "0001-00000a", "1-1234567890123"] {
        assert!(!PartId(text.into()).is_well_formed(), "{text}");
    }
}

#[test]
fn a_health_message_of_an_older_agent_and_a_state_of_a_newer_one_are_read() {
    let old: AgentMessage = serde_json::from_str(r#"{"type":"health","runs":1,"paused":null}"#).unwrap();
    assert_eq!(
        old,
        AgentMessage::Health { mask_key: None, runs: 1, paused: None, jiras: vec![], last_error: None }
    );
    let new: JiraHealth = serde_json::from_str(r#"{"site":"https://j","state":"sleeping"}"#).unwrap();
    assert_eq!(new.state, JiraState::Unknown);
}

#[test]
fn the_largest_message_of_secrets_and_of_peers_fits_the_wire() {
    let longest = "A".repeat((32 + crate::limits::SECRET_BYTES_MAX + 16).div_ceil(3) * 4);
    let mut secret = secret();
    (secret.sealed.sealed, secret.username) = (longest, "u".repeat(255));
    let secrets = vec![secret; SECRETS_PER_MESSAGE_MAX];
    let message = AgentMessage::Resealed { recipient: fingerprint(), secrets };
    assert!(serde_json::to_string(&message).unwrap().len() < crate::limits::CONTROL_BYTES_MAX);
    let peer = Peer { name: "\u{1}".repeat(64), ..peer() };
    let message = RelayMessage::Peers { peers: vec![peer; PEERS_PER_MESSAGE_MAX] };
    assert!(serde_json::to_string(&message).unwrap().len() < crate::limits::CONTROL_BYTES_MAX);
}
