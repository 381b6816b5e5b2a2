//! What a relay, honest or hostile, gets for its words about keys and secrets.

use super::*;
use crate::audit::Audit;
use crate::breaker::Breaker;
use crate::health::Health;
use crate::identity::Rotation;
use crate::identity::tests::{identity, paths_in};
use crate::journal::Journal;
use crate::paths::{ConfigFile, Paths};
use crate::policy::Policy;
use crate::policy::volume::Volume;
use crate::secrets::Opener;
use crate::signer::CurrentSigner;
use crate::status::{Board, Who};
use crate::tickets::Tickets;
use protocol::seal::{SealContext, seal};
use protocol::site::SiteAddress;

/// A linked agent with a state folder.
struct Bench {
    _place: tempfile::TempDir,
    paths: Paths,
    identity: Identity,
    words: IdentityWords,
}

async fn bench() -> Bench {
    let place = tempfile::tempdir().unwrap();
    let paths = paths_in(place.path());
    let identity = identity();
    identity.store(&paths).unwrap();
    let words = words(&identity, &paths).await;
    Bench { _place: place, paths, identity, words }
}

async fn words(identity: &Identity, paths: &Paths) -> IdentityWords {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let defaults = crate::config::load(&ConfigFile::Standard("/nonexistent/agent.toml".into())).unwrap();
    let text = String::new;
    let who = Who {
        agent_id: text(),
        name: text(),
        uplink: text(),
        relay: text(),
        fingerprint: text(),
        permitted: Vec::new(),
    };
    let tickets = Tickets::load(paths, &identity.enrolment.agent_id).unwrap();
    let turn = tickets.turn().await;
    let policy = Policy::new(Vec::new(), defaults.limits.clone(), defaults.requests);
    let premises = Premises {
        health: Health::new(&policy, &defaults.health),
        policy,
        audit: Audit::forgetful(),
        signer: CurrentSigner::new(identity).unwrap(),
        volume: Volume::load(None, paths, chrono::NaiveDate::default()),
        journal: Journal::new(paths),
        breaker: Breaker::new(paths),
        opener: Opener::new(&identity.seeds).unwrap(),
        limits: defaults.limits,
        board: Board::new(who),
        standing: tokio::sync::watch::Sender::new(crate::orders::Standing::default()).subscribe(),
        tickets,
        paths: paths.clone(),
        rotation: Rotation::default(),
    };
    IdentityWords::new(Arc::new(premises), Some(turn))
}

impl Bench {
    /// The next answer that is due.
    async fn answer(&mut self) -> Result<AgentMessage, LinkEnd> {
        std::future::poll_fn(|context| self.words.poll_answer(context)).await
    }

    /// Everything that is answered until the disk has nothing more to do.
    async fn settled(&mut self) -> Vec<AgentMessage> {
        let mut answers = Vec::new();
        while self.words.working.is_some() || !self.words.jobs.is_empty() || !self.words.answers.is_empty() {
            let answer = std::future::poll_fn(|context| match self.words.poll_answer(context) {
                Poll::Pending if self.words.working.is_none() => Poll::Ready(None),
                polled => polled.map(Some),
            });
            answers.extend(answer.await.transpose().unwrap());
        }
        answers
    }

    fn secret(&self) -> ConnectionSecret {
        let own = self.identity.seeds.fingerprint().unwrap();
        let site = SiteAddress::parse("https://jira").unwrap();
        let context = SealContext { agent: &own, site: &site, username: "reader" };
        let sealed = seal("pw", &self.identity.seeds.sealing_key().public(), context, &[9; 32]).unwrap();
        ConnectionSecret { connection: "jira".to_owned(), site, username: "reader".to_owned(), sealed }
    }
}

fn peer_of(seeds: &Seeds) -> Peer {
    Peer {
        agent_id: "agent_2".into(),
        name: "host".to_owned(),
        signing_key: seeds.signing_key().unwrap().public(),
        sealing_key: seeds.sealing_key().public(),
        lacks: 1,
    }
}

fn ask_for(peer: &Peer, secret: ConnectionSecret) -> RelayMessage {
    RelayMessage::Reseal {
        signing_key: peer.signing_key,
        sealing_key: peer.sealing_key,
        secrets: vec![secret],
    }
}

#[tokio::test]
async fn a_ticket_is_answered_once_it_is_on_the_disk() {
    let mut bench = bench().await;
    let ticket = Ticket::parse("1.BwcHBwcHBwcHBwcHBwcHBw").unwrap();
    bench.words.handle(&RelayMessage::NextTicket { ticket: ticket.clone() });
    assert_eq!(bench.answer().await.unwrap(), AgentMessage::TicketStored { ticket: ticket.clone() });
    let stored = Tickets::load(&bench.paths, &bench.identity.enrolment.agent_id).unwrap();
    assert_eq!(stored.present(), Some(ticket));
}

#[tokio::test]
async fn nothing_is_sealed_for_a_peer_before_the_premises_confirmed_it() {
    let mut bench = bench().await;
    let newcomer = identity().seeds;
    let peer = peer_of(&newcomer);
    let secret = bench.secret();
    bench.words.handle(&RelayMessage::Peers { peers: vec![peer.clone()] });
    bench.words.handle(&ask_for(&peer, secret.clone()));
    assert_eq!(bench.settled().await, Vec::new());

    peers::confirm(&bench.paths, newcomer.fingerprint().unwrap()).unwrap();
    let recipient = newcomer.fingerprint().unwrap();
    assert_eq!(bench.answer().await.unwrap(), AgentMessage::AskReseal { recipient: recipient.clone() });
    bench.words.handle(&ask_for(&peer, secret));
    let AgentMessage::Resealed { recipient: to, secrets } = bench.answer().await.unwrap() else {
        panic!("nothing was sealed")
    };
    assert_eq!(to, recipient);
    let context = SealContext { agent: &recipient, site: &secrets[0].site, username: "reader" };
    assert_eq!(newcomer.sealing_key().open(&secrets[0].sealed, context).unwrap().as_str(), "pw");
}

#[tokio::test]
async fn a_relay_that_swaps_a_key_gets_nothing() {
    let mut bench = bench().await;
    let (newcomer, own_of_relay) = (identity().seeds, identity().seeds);
    peers::confirm(&bench.paths, newcomer.fingerprint().unwrap()).unwrap();
    let swapped = Peer { sealing_key: own_of_relay.sealing_key().public(), ..peer_of(&newcomer) };
    let secret = bench.secret();
    for hostile in [&swapped, &peer_of(&own_of_relay)] {
        bench.words.handle(&RelayMessage::Peers { peers: vec![hostile.clone()] });
        bench.words.handle(&ask_for(hostile, secret.clone()));
    }
    assert_eq!(bench.settled().await, Vec::new());
}

#[tokio::test]
async fn new_keys_are_offered_taken_and_everything_is_sealed_for_them() {
    let mut bench = bench().await;
    let old = bench.identity.seeds.fingerprint().unwrap();
    bench.identity.draw_next(&bench.paths).unwrap();
    let AgentMessage::OfferKeys { signing_key, sealing_key, proof } = bench.answer().await.unwrap() else {
        panic!("no offer")
    };
    assert!(
        proof::check_keys(&bench.identity.enrolment.agent_id, &signing_key, &sealing_key, &proof).is_ok()
    );
    assert_eq!(Identity::require(&bench.paths).unwrap().seeds.fingerprint().unwrap(), old);

    let stranger = identity().seeds.fingerprint().unwrap();
    bench.words.handle(&RelayMessage::KeysKept { fingerprint: stranger });
    assert_eq!(bench.settled().await, Vec::new(), "keys that were not offered are not taken");
    let new = Fingerprint::of(&signing_key, &sealing_key);
    bench.words.handle(&RelayMessage::KeysKept { fingerprint: new.clone() });
    assert_eq!(bench.answer().await.unwrap(), AgentMessage::TakeKeys { fingerprint: new.clone() });
    assert_eq!(bench.answer().await.unwrap(), AgentMessage::AskReseal { recipient: new.clone() });
    let secret = bench.secret();
    bench.words.handle(&RelayMessage::Reseal { signing_key, sealing_key, secrets: vec![secret] });
    let AgentMessage::Resealed { secrets, .. } = bench.answer().await.unwrap() else {
        panic!("nothing sealed")
    };
    assert_eq!(secrets[0].sealed.agent, new);
}

#[tokio::test]
async fn keys_whose_change_was_cut_are_offered_again_by_the_next_session() {
    let mut bench = bench().await;
    bench.identity.draw_next(&bench.paths).unwrap();
    let offer = bench.answer().await.unwrap();
    bench.words = words(&bench.identity, &bench.paths).await;
    assert_eq!(bench.answer().await.unwrap(), offer);
}

#[tokio::test]
async fn an_agent_that_left_ends_its_link() {
    let mut bench = bench().await;
    assert_eq!(bench.settled().await, Vec::new());
    Identity::remove(&bench.paths).unwrap();
    assert!(matches!(bench.answer().await, Err(LinkEnd::IdentityChanged)));
}
