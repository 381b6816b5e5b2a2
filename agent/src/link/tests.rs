use super::driver::Driver;
use super::*;
use crate::audit::Audit;
use crate::breaker::Breaker;
use crate::health::Health;
use crate::identity::tests::identity;
use crate::journal::Journal;
use crate::orders::{Halt, Standing};
use crate::paths::ConfigFile;
use crate::policy::Policy;
use crate::policy::volume::Volume;
use crate::secrets::Opener;
use crate::signer::CurrentSigner;
use crate::status::{Board, Who};
use crate::vigil::Vigil;
use futures_util::{SinkExt, StreamExt};
use protocol::control::{AgentMessage, RelayMessage};
use protocol::handshake::{ExpectHello, Reject};
use protocol::ids::{AgentId, Lease, RunId};
use protocol::limits::LinkLimits;
use protocol::site::SiteAddress;
use protocol::spec::{ConnectionSpec, CredentialKind, ExtractionSpec, Load};
use tokio::io::DuplexStream;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

/// The relay's side of a socket, played by the test.
type Relay = WebSocketStream<DuplexStream>;

async fn sockets() -> (WebSocketStream<DuplexStream>, Relay) {
    let (near, far) = tokio::io::duplex(1 << 20);
    (
        WebSocketStream::from_raw_socket(near, Role::Client, None).await,
        WebSocketStream::from_raw_socket(far, Role::Server, None).await,
    )
}

fn premises() -> Arc<Premises> {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let defaults = config::load(&ConfigFile::Standard("/nonexistent/agent.toml".into())).unwrap();
    let text = String::new;
    let who = Who {
        agent_id: text(),
        name: text(),
        uplink: text(),
        relay: text(),
        fingerprint: text(),
        permitted: Vec::new(),
    };
    let (identity, policy) =
        (identity(), Policy::new(Vec::new(), defaults.limits.clone(), defaults.requests));
    let nowhere = crate::identity::tests::paths_in(std::path::Path::new("/nonexistent"));
    Arc::new(Premises {
        health: Health::new(&policy, &defaults.health),
        policy,
        audit: Audit::forgetful(),
        signer: CurrentSigner::new(&identity).unwrap(),
        opener: Opener::new(&identity.seeds).unwrap(),
        limits: defaults.limits,
        board: Board::new(who),
        standing: watch::Sender::new(Standing::default()).subscribe(),
        volume: Volume::load(None, &nowhere, chrono::NaiveDate::default()),
        journal: Journal::new(&nowhere),
        breaker: Breaker::new(&nowhere),
        tickets: crate::tickets::tests::none(),
        paths: crate::identity::tests::paths_in(std::path::Path::new("/nonexistent")),
        rotation: crate::identity::Rotation::default(),
    })
}

async fn session(heartbeat: Duration) -> (Session<DuplexStream>, Relay) {
    let (near, far) = sockets().await;
    let link = AgentLink::new(LinkConfig::new(heartbeat, LinkLimits::default()), Duration::ZERO);
    (Session::new(Driver::new(near, link, Vigil::new().pulse()), premises(), None), far)
}

/// What an agent without work and without a permitted Jira says.
fn health(paused: Option<&str>) -> AgentMessage {
    AgentMessage::Health {
        runs: 0,
        paused: paused.map(str::to_owned),
        jiras: Vec::new(),
        last_error: None,
        mask_key: None,
    }
}

async fn hear(relay: &mut Relay) -> AgentMessage {
    loop {
        if let Message::Text(text) = relay.next().await.unwrap().unwrap() {
            return serde_json::from_str(text.as_str()).unwrap();
        }
    }
}

async fn hear_past_health(relay: &mut Relay) -> AgentMessage {
    loop {
        match hear(relay).await {
            AgentMessage::Health { .. } | AgentMessage::Beat { .. } => {}
            other => return other,
        }
    }
}

async fn say(relay: &mut Relay, message: &RelayMessage) {
    relay.send(Message::text(serde_json::to_string(message).unwrap())).await.unwrap();
}

fn start_at(site: &str) -> RelayMessage {
    RelayMessage::StartRun {
        run: RunId::from("run_1"),
        lease: Lease(1),
        connection: ConnectionSpec {
            name: "jira".to_owned(),
            site: SiteAddress::parse(site).unwrap(),
            username: "reader".to_owned(),
            credential: CredentialKind::Password,
            sealed: Vec::new(),
            max_parallel: 1,
        },
        extraction: ExtractionSpec::all(Load::Full),
        resume_entries: 0,
    }
}

fn introduction() -> Introduction {
    Introduction {
        agent_id: AgentId::from("agent_1"),
        version: "0".to_owned(),
        capabilities: Vec::new(),
        boot_id: "b".to_owned(),
        relay_host: "relay".to_owned(),
        inspected_by: None,
        ticket: None,
    }
}

#[tokio::test]
async fn an_instruction_outside_the_policy_is_answered_and_the_link_goes_on() {
    let (session, mut relay) = session(Duration::from_secs(5)).await;
    let stop = CancellationToken::new();
    let peer = async {
        say(&mut relay, &start_at("https://evil.invalid")).await;
        let AgentMessage::RunFailed { failure, .. } = hear_past_health(&mut relay).await else {
            panic!("no refusal")
        };
        assert_eq!(failure.code, "site_not_permitted");
        relay.send(Message::text(r#"{"type":"from_the_future","x":1}"#)).await.unwrap();
        let answer = hear_past_health(&mut relay).await;
        assert_eq!(answer, AgentMessage::UnknownMessage { got: "from_the_future".to_owned() });
        stop.cancel();
        let goodbye = hear_past_health(&mut relay).await;
        assert!(matches!(goodbye, AgentMessage::Goodbye { .. }), "{goodbye:?}");
    };
    let (end, ()) = tokio::join!(session.drive(&stop), peer);
    assert!(matches!(end, SessionEnd::Stopped));
}

#[tokio::test]
async fn a_halt_is_told_before_the_runs_come_back_and_lifted_without_a_new_link() {
    let (near, mut relay) = sockets().await;
    let link = AgentLink::new(LinkConfig::new(Duration::from_secs(5), LinkLimits::default()), Duration::ZERO);
    let (orders, standing) = watch::channel(Standing::default());
    let mut own = Arc::into_inner(premises()).unwrap();
    own.standing = standing;
    let session = Session::new(Driver::new(near, link, Vigil::new().pulse()), Arc::new(own), None);
    let stop = CancellationToken::new();
    let peer = async {
        assert_eq!(hear(&mut relay).await, health(None));
        let halt = Halt { code: "paused", reason: "audit".to_owned() };
        orders.send_replace(Standing { halt: Some(halt) });
        assert_eq!(hear(&mut relay).await, health(Some("audit")));
        say(&mut relay, &start_at("https://evil.invalid")).await;
        let AgentMessage::RunHandedBack { code, reason, lease, .. } = hear_past_health(&mut relay).await
        else {
            panic!("the run was not handed back")
        };
        assert_eq!((code.as_str(), reason.as_str(), lease), ("paused", "audit", Lease(1)));
        orders.send_replace(Standing::default());
        assert_eq!(hear(&mut relay).await, health(None));
        stop.cancel();
    };
    let (end, ()) = tokio::join!(session.drive(&stop), peer);
    assert!(matches!(end, SessionEnd::Stopped));
}

#[tokio::test]
async fn a_relay_that_falls_silent_is_noticed() {
    let (session, relay) = session(Duration::from_millis(50)).await;
    let end = session.drive(&CancellationToken::new()).await;
    assert!(matches!(&end, SessionEnd::Lost { end, .. } if end.code() == "link_silent"));
    drop(relay);
}

#[tokio::test]
async fn nonsense_ends_the_link_with_a_close_code_that_says_so() {
    let (session, mut relay) = session(Duration::from_secs(5)).await;
    let stop = CancellationToken::new();
    let peer = async {
        relay.send(Message::text("{nonsense")).await.unwrap();
        loop {
            if let Some(Ok(Message::Close(frame))) = relay.next().await {
                return u16::from(frame.unwrap().code);
            }
        }
    };
    let (end, code) = tokio::join!(session.drive(&stop), peer);
    assert!(matches!(&end, SessionEnd::Lost { end, .. } if end.code() == "link_protocol"));
    assert_eq!(code, CloseCode::InvalidPayload.number());
}

#[tokio::test]
async fn the_relays_wish_to_be_left_alone_outlives_the_link() {
    let (session, mut relay) = session(Duration::from_secs(5)).await;
    let stop = CancellationToken::new();
    let peer = async {
        say(&mut relay, &RelayMessage::GoAway { retry_after_ms: 7000, reason: "deploy".to_owned() }).await;
        relay.close(None).await.unwrap();
    };
    let (end, ()) = tokio::join!(session.drive(&stop), peer);
    let SessionEnd::Lost { end, go_away, .. } = end else { panic!("stopped") };
    assert_eq!(judge_loss(&end, go_away).2, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_rejection_arrives_with_its_code_and_hint() {
    let (mut near, mut relay) = sockets().await;
    let key = identity().seeds.signing_key().unwrap();
    let peer = async {
        let (challenge, expect) = ExpectHello::begin([7; 32], 0);
        relay.send(Message::text(challenge)).await.unwrap();
        let Some(Ok(Message::Text(hello))) = relay.next().await else { panic!("no hello") };
        assert!(expect.handle_text(hello.as_str()).is_ok());
        let reject = Reject {
            code: RejectCode::Revoked,
            message: "revoked".to_owned(),
            hint: "enrol anew".to_owned(),
            retry_after_ms: None,
        };
        relay.send(Message::text(reject.to_text())).await.unwrap();
    };
    let (greeted, ()) = tokio::join!(greeting::shake_hands(&mut near, introduction(), &key), peer);
    let error = greeted.unwrap_err();
    assert_eq!(error.code(), "handshake_revoked");
    assert!(error.to_string().contains("enrol anew"));
    assert!(error.rejection().unwrap().code.is_permanent());
}

#[test]
fn a_replaced_session_is_not_fought_for_at_once() {
    let end = LinkEnd::Closed { code: CloseCode::Replaced.number(), reason: String::new() };
    assert_eq!(judge_loss(&end, None).2, Some(RETRY_AFTER_REPLACEMENT));
}

#[test]
fn only_a_refused_identity_needs_a_person() {
    let lost = |code: CloseCode| {
        let end = LinkEnd::Closed { code: code.number(), reason: String::new() };
        is_refusal(&AttemptEnd::Session(SessionEnd::Lost { end, go_away: None, runs: 1 }))
    };
    assert!(lost(CloseCode::Revoked) && lost(CloseCode::Cloned));
    assert!(!lost(CloseCode::Replaced) && !lost(CloseCode::GoingAway) && !lost(CloseCode::PeerSilent));
}

#[test]
fn only_silence_under_a_run_is_answered_in_a_hurry() {
    let lost = |end: LinkEnd, runs: u32, go_away: Option<Duration>| {
        is_swallowed(&AttemptEnd::Session(SessionEnd::Lost { end, go_away, runs }))
    };
    let silent =
        || LinkEnd::Protocol(protocol::error::LinkError::PeerDead { silent: Duration::from_secs(10) });
    assert!(lost(silent(), 1, None));
    assert!(!lost(silent(), 0, None), "nobody waits");
    assert!(!lost(silent(), 1, Some(Duration::from_secs(1))), "the relay asked for patience");
    assert!(!lost(LinkEnd::Closed { code: 1001, reason: String::new() }, 1, None), "the relay closed it");
    assert!(!lost(LinkEnd::Broken("reset".to_owned()), 1, None), "somebody answered");
}

#[test]
fn a_relay_cannot_turn_heartbeats_off() {
    assert_eq!(heartbeat(0), Duration::from_millis(500));
    assert_eq!(heartbeat(u64::MAX), Duration::from_secs(60));
    assert_eq!(heartbeat(5000), Duration::from_secs(5));
}

#[test]
fn only_a_revoked_agent_dials_no_more() {
    let lost = |code: CloseCode| {
        let end = LinkEnd::Closed { code: code.number(), reason: String::new() };
        is_for_good(&AttemptEnd::Session(SessionEnd::Lost { end, go_away: None, runs: 0 }))
    };
    assert!(lost(CloseCode::Revoked) && !lost(CloseCode::Cloned) && !lost(CloseCode::Replaced));
}
