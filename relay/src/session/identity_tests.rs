//! Tickets over real links: who gets work, who is stopped, and how a person lets an agent in again.

use crate::testing::{Bench, FakeAgent, Keys};
use protocol::control::{AgentMessage, ConnectionSecret, Peer, RESEALING, RelayMessage};
use protocol::handshake::RejectCode;
use protocol::keys::Fingerprint;
use protocol::proof;
use protocol::seal::SealedSecret;
use protocol::site::SiteAddress;
use protocol::ticket::{TICKETS, Ticket};
use serde_json::{Value, json};

/// A machine that keeps tickets.
async fn furnished(bench: &Bench) -> Keys {
    let mut keys = bench.furnish().await;
    keys.capabilities.push(TICKETS.to_owned());
    keys
}

async fn ticket_of(agent: &mut FakeAgent) -> Ticket {
    match agent.hear().await.unwrap() {
        RelayMessage::NextTicket { ticket } => ticket,
        other => panic!("unexpected {other:?}"),
    }
}

/// Connects, stores the ticket and says so.
async fn connected(bench: &Bench, keys: &mut Keys) -> FakeAgent {
    let mut agent = bench.agent(keys).await;
    let ticket = ticket_of(&mut agent).await;
    keys.ticket = Some(ticket.clone());
    agent.say(&AgentMessage::TicketStored { ticket }).await;
    agent
}

async fn extract(bench: &Bench) {
    let (status, answer) =
        bench.post("/v1/extractions", json!({ "connection": "jira", "mode": "full" })).await;
    assert_eq!(status, 202, "{answer}");
}

async fn shown(bench: &Bench) -> Value {
    bench.get("/v1/uplinks/hq").await["agents"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_gets_work_only_after_it_has_stored_its_ticket() {
    let bench = Bench::start().await;
    let keys = furnished(&bench).await;
    extract(&bench).await;
    let mut agent = bench.agent(&keys).await;
    let ticket = ticket_of(&mut agent).await;
    let (status, answer) = bench.post("/v1/connections/jira/test", Value::Null).await;
    assert_eq!((status, &answer["code"]), (409, &json!("no_agent_online")));
    agent.say(&AgentMessage::TicketStored { ticket }).await;
    agent.started().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_noticed_when_the_loser_connects_and_both_are_stopped() {
    let bench = Bench::start().await;
    let mut original = furnished(&bench).await;
    drop(connected(&bench, &mut original).await);
    let mut copy = original.clone();
    let mut winner = connected(&bench, &mut copy).await;
    extract(&bench).await;
    winner.started().await;

    let refusal = bench.greet(&original, "127.0.0.1").await.err().unwrap();
    assert_eq!(refusal.code(), RejectCode::Cloned);
    let end = winner.hear().await.unwrap_err();
    assert!(end.contains("4411"), "{end}");
    assert_eq!(bench.greet(&copy, "127.0.0.1").await.err().unwrap().code(), RejectCode::Cloned);

    let agent = shown(&bench).await;
    assert_eq!((&agent["online"], &agent["stopped"]["code"]), (&json!(false), &json!("cloned")));
    let machines = &agent["stopped"]["machines"];
    assert_eq!(
        (&machines[0]["address"], &machines[1]["address"]),
        (&json!("127.0.0.1"), &json!("127.0.0.1"))
    );
    let run = bench.get("/v1/runs/run_1").await;
    assert_eq!(run["state"], "queued", "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_word_lets_the_first_machine_in_and_the_other_stops_it_again() {
    let bench = Bench::start().await;
    let mut original = furnished(&bench).await;
    drop(connected(&bench, &mut original).await);
    let mut copy = original.clone();
    drop(connected(&bench, &mut copy).await);
    assert!(bench.greet(&original, "127.0.0.1").await.is_err());

    let path = format!("/v1/uplinks/hq/agents/{}/trust", original.agent_id);
    assert_eq!(bench.post(&path, Value::Null).await.0, 204);
    assert_eq!(shown(&bench).await["stopped"], Value::Null);
    extract(&bench).await;
    connected(&bench, &mut original).await.started().await;
    assert_eq!(bench.greet(&copy, "127.0.0.1").await.err().unwrap().code(), RejectCode::Cloned);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_and_restarts_of_the_relay_are_no_alarm() {
    let mut bench = Bench::start().await;
    let mut keys = furnished(&bench).await;
    for round in 0..4 {
        // The ticket never arrives.
        drop(bench.agent(&keys).await);
        // It arrives and is stored, but the relay never hears so.
        let mut agent = bench.agent(&keys).await;
        keys.ticket = Some(ticket_of(&mut agent).await);
        drop(agent);
        if round % 2 == 0 {
            bench = Bench::start_in(bench.stop().await).await;
        }
        drop(connected(&bench, &mut keys).await);
    }
    assert_eq!(shown(&bench).await["stopped"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_an_older_version_works_without_tickets() {
    let bench = Bench::start().await;
    let keys = bench.furnish().await;
    extract(&bench).await;
    bench.agent(&keys).await.started().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_without_its_ticket_is_a_copy() {
    let bench = Bench::start().await;
    let mut keys = furnished(&bench).await;
    drop(connected(&bench, &mut keys).await);
    let mut stolen = keys.clone();
    stolen.ticket = None;
    assert_eq!(bench.greet(&stolen, "127.0.0.1").await.err().unwrap().code(), RejectCode::Cloned);
    let reason = shown(&bench).await["stopped"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("presented no ticket"), "{reason}");
}

/// A machine that keeps tickets and seals secrets again, connected and told of its peers.
async fn sharing(bench: &Bench, keys: &mut Keys) -> (FakeAgent, Vec<Peer>) {
    keys.capabilities = vec![TICKETS.to_owned(), RESEALING.to_owned()];
    let mut agent = connected(bench, keys).await;
    let peers = peers_of(&mut agent).await;
    (agent, peers)
}

async fn peers_of(agent: &mut FakeAgent) -> Vec<Peer> {
    match agent.hear().await.unwrap() {
        RelayMessage::Peers { peers } => peers,
        other => panic!("unexpected {other:?}"),
    }
}

async fn sealed_to(bench: &Bench) -> Value {
    bench.get("/v1/connections/jira").await["sealed_to"].clone()
}

fn offer(keys: &Keys) -> AgentMessage {
    let proof = proof::prove_keys(&keys.agent_id.as_str().into(), &keys.signing(), &keys.sealing());
    AgentMessage::OfferKeys { signing_key: keys.signing().public(), sealing_key: keys.sealing(), proof }
}

/// What was asked to be sealed again, with the bytes that an agent would make of it.
async fn reseal(agent: &mut FakeAgent, recipient: &Fingerprint) {
    agent.say(&AgentMessage::AskReseal { recipient: recipient.clone() }).await;
    let (signing_key, sealing_key, mut secrets) = loop {
        match agent.hear().await.unwrap() {
            RelayMessage::Reseal { signing_key, sealing_key, secrets } => {
                break (signing_key, sealing_key, secrets);
            }
            RelayMessage::Peers { .. } => {}
            other => panic!("unexpected {other:?}"),
        }
    };
    assert_eq!(Fingerprint::of(&signing_key, &sealing_key), *recipient);
    for secret in &mut secrets {
        secret.sealed.agent = recipient.clone();
    }
    agent.say(&AgentMessage::Resealed { recipient: recipient.clone(), secrets }).await;
    peers_of(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offered_keys_let_the_agent_in_beside_the_old_ones_until_they_are_used() {
    let bench = Bench::start().await;
    let mut old = furnished(&bench).await;
    let mut new = old.with_seed(2);
    let mut agent = connected(&bench, &mut old).await;
    agent.say(&offer(&new)).await;
    assert_eq!(agent.hear().await.unwrap(), RelayMessage::KeysKept { fingerprint: new.fingerprint() });

    drop(connected(&bench, &mut old).await);
    new.ticket.clone_from(&old.ticket);
    drop(connected(&bench, &mut new).await);
    assert_eq!(shown(&bench).await["fingerprint"], new.fingerprint().as_str());
    let refusal = bench.greet(&old, "127.0.0.1").await.err().unwrap();
    assert_eq!(refusal.code(), RejectCode::BadSignature);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_works_on_with_what_was_sealed_to_its_former_keys_until_it_sealed_that_again() {
    let bench = Bench::start().await;
    let mut old = furnished(&bench).await;
    let new = old.with_seed(2);
    let (mut agent, _) = sharing(&bench, &mut old).await;
    agent.say(&offer(&new)).await;
    agent.hear().await.unwrap();
    agent.say(&AgentMessage::TakeKeys { fingerprint: new.fingerprint() }).await;
    peers_of(&mut agent).await;
    extract(&bench).await;
    agent.started().await;
    reseal(&mut agent, &new.fingerprint()).await;
    assert_eq!(sealed_to(&bench).await, json!([new.fingerprint()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_proven_or_are_anothers_are_not_kept() {
    let bench = Bench::start().await;
    let mut first = furnished(&bench).await;
    let second = bench.enrol("hq", 7).await;
    let (mut agent, _) = sharing(&bench, &mut first).await;
    let stolen = first.with_seed(7);
    agent.say(&offer(&stolen)).await;
    let AgentMessage::OfferKeys { proof, .. } = offer(&first.with_seed(3)) else { panic!() };
    let unproven = first.with_seed(4);
    let (signing_key, sealing_key) = (unproven.signing().public(), unproven.sealing());
    agent.say(&AgentMessage::OfferKeys { signing_key, sealing_key, proof }).await;
    // An honest offer is the first that is answered.
    agent.say(&offer(&first.with_seed(5))).await;
    let kept = agent.hear().await.unwrap();
    assert_eq!(kept, RelayMessage::KeysKept { fingerprint: first.with_seed(5).fingerprint() });
    drop(bench.agent(&second).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_gets_work_once_another_agent_sealed_the_secret_for_it() {
    let bench = Bench::start().await;
    let mut first = furnished(&bench).await;
    let (mut holder, peers) = sharing(&bench, &mut first).await;
    assert_eq!(peers, Vec::new());
    let mut second = bench.enrol("hq", 7).await;
    let peers = peers_of(&mut holder).await;
    assert_eq!((peers[0].agent_id.as_str(), peers[0].lacks), (second.agent_id.as_str(), 1));
    assert_eq!(Fingerprint::of(&peers[0].signing_key, &peers[0].sealing_key), second.fingerprint());

    reseal(&mut holder, &second.fingerprint()).await;
    assert_eq!(sealed_to(&bench).await, json!([first.fingerprint(), second.fingerprint()]));
    drop(holder);
    let (mut newcomer, _) = sharing(&bench, &mut second).await;
    extract(&bench).await;
    newcomer.started().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_agent_does_not_hold_or_that_is_for_another_place_is_not_kept() {
    let bench = Bench::start().await;
    let mut first = furnished(&bench).await;
    let mut second = bench.enrol("hq", 7).await;
    let (mut holder, _) = sharing(&bench, &mut first).await;
    let (mut outsider, _) = sharing(&bench, &mut second).await;
    let secret = |url: &str, to: &Fingerprint| ConnectionSecret {
        connection: "jira".to_owned(),
        site: SiteAddress::parse(url).unwrap(),
        username: "reader".to_owned(),
        sealed: SealedSecret { agent: to.clone(), sealed: "Zm9yZ2Vk".to_owned() },
    };
    let own = second.fingerprint();
    let forged = secret("https://jira.example/", &own);
    outsider.say(&AgentMessage::Resealed { recipient: own.clone(), secrets: vec![forged] }).await;
    let elsewhere = secret("https://evil.example/", &own);
    let to_another = secret("https://jira.example/", &first.fingerprint());
    holder
        .say(&AgentMessage::Resealed { recipient: own.clone(), secrets: vec![elsewhere, to_another] })
        .await;
    // What an agent says is kept in order: the answer to this comes after that.
    outsider.say(&offer(&second.with_seed(8))).await;
    assert!(matches!(outsider.hear().await.unwrap(), RelayMessage::KeysKept { .. }));
    reseal(&mut holder, &own).await;
    let sealed = bench.node.store.connection("jira").await.unwrap().sealed;
    assert!(sealed.iter().all(|secret| secret.sealed != "Zm9yZ2Vk"), "{sealed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_leaves_by_the_signature_of_its_key_and_by_no_other() {
    let bench = Bench::start().await;
    let mut keys = furnished(&bench).await;
    let mut agent = connected(&bench, &mut keys).await;
    let farewell = |by: &Keys, host: &str| {
        let proof = proof::prove_leave(&keys.agent_id.as_str().into(), &by.signing(), host);
        json!({ "agent_id": keys.agent_id, "relay_host": host, "proof": proof }).to_string()
    };
    let strange =
        [farewell(&keys.with_seed(9), "127.0.0.1"), farewell(&keys, "relay.evil.example"), "{}".to_owned()];
    for body in strange {
        let status = bench.raw(reqwest::Method::POST, "/v1/leave", None, &body).await.status();
        assert_eq!(status.as_u16(), 403, "{body}");
    }
    for _ in 0..2 {
        let body = farewell(&keys, "127.0.0.1");
        let status = bench.raw(reqwest::Method::POST, "/v1/leave", None, &body).await.status();
        assert_eq!(status.as_u16(), 204);
    }
    let end = agent.hear().await.unwrap_err();
    assert!(end.contains("4410"), "{end}");
    assert_eq!(bench.greet(&keys, "127.0.0.1").await.err().unwrap().code(), RejectCode::Revoked);
}
