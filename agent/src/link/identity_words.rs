//! What the relay says about this agent's identity and its peers, what the administrator does to them meanwhile, and the answers.
//! Everything that touches the disk is done beside the link, one thing after the other, so that a slow disk delays an answer and
//! never a heartbeat.

use super::driver::LinkEnd;
use crate::clock;
use crate::error::Error;
use crate::identity::{Identity, Seeds};
use crate::peers;
use crate::runs::Premises;
use crate::tickets::Turn;
use protocol::control::{AgentMessage, ConnectionSecret, Peer, RelayMessage, SECRETS_PER_MESSAGE_MAX};
use protocol::keys::{Fingerprint, SealingPublicKey, SigningPublicKey};
use protocol::proof;
use protocol::ticket::Ticket;
use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// The state folder is looked at this often: a person who confirms something waits for it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Words of the relay that wait for the disk; a relay that says more at once is not heard.
const JOBS_MAX: usize = 64;

/// The identity's part of a session.
pub(super) struct IdentityWords {
    premises: Arc<Premises>,
    /// Held from the handshake until the ticket that it brought is stored.
    turn: Option<Turn>,
    jobs: VecDeque<Job>,
    working: Option<JoinHandle<Result<Vec<AgentMessage>, LinkEnd>>>,
    answers: VecDeque<AgentMessage>,
    look: Interval,
    memory: Arc<Mutex<Memory>>,
}

/// Something to do on the disk.
enum Job {
    StoreTicket(Ticket, Turn),
    TakeKeys(Fingerprint),
    HearPeers(Vec<Peer>),
    Reseal { signing_key: SigningPublicKey, sealing_key: SealingPublicKey, secrets: Vec<ConnectionSecret> },
    Look,
}

/// What a session remembers from one job to the next.
#[derive(Default)]
struct Memory {
    /// When each file had changed last when it was looked at; `None` before the first look.
    identity: Option<Option<SystemTime>>,
    confirmed: Option<Option<SystemTime>>,
    /// Whether the relay knows changes of keys.
    relay_keeps_keys: bool,
    offered: Option<Fingerprint>,
    peers: Vec<Peer>,
    /// Peers that wait for a confirmation and of which the log tells already.
    told: BTreeSet<Fingerprint>,
}

impl IdentityWords {
    pub(super) fn new(premises: Arc<Premises>, turn: Option<Turn>) -> Self {
        let mut look = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            premises,
            jobs: VecDeque::from([Job::Look]),
            working: None,
            answers: VecDeque::new(),
            look,
            // Relays that take tickets take new keys as well.
            memory: Arc::new(Mutex::new(Memory { relay_keeps_keys: turn.is_some(), ..Memory::default() })),
            turn,
        }
    }

    /// Takes a word of the relay.
    pub(super) fn handle(&mut self, message: &RelayMessage) {
        let job = match message {
            // A ticket that comes while another link shakes hands is let go: the relay issues another.
            RelayMessage::NextTicket { ticket } => {
                let turn = self.turn.take().or_else(|| self.premises.tickets.try_turn());
                turn.map(|turn| Job::StoreTicket(ticket.clone(), turn))
            }
            RelayMessage::KeysKept { fingerprint } => Some(Job::TakeKeys(fingerprint.clone())),
            RelayMessage::Peers { peers } => Some(Job::HearPeers(peers.clone())),
            RelayMessage::Reseal { signing_key, sealing_key, secrets } => Some(Job::Reseal {
                signing_key: *signing_key,
                sealing_key: *sealing_key,
                secrets: secrets.iter().take(SECRETS_PER_MESSAGE_MAX).cloned().collect(),
            }),
            _ => None,
        };
        if let Some(job) = job.filter(|_| self.jobs.len() < JOBS_MAX) {
            self.jobs.push_back(job);
        }
    }

    /// An answer for the relay, once there is one.
    pub(super) fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<AgentMessage, LinkEnd>> {
        loop {
            if let Some(answer) = self.answers.pop_front() {
                return Poll::Ready(Ok(answer));
            }
            if let Some(working) = self.working.as_mut() {
                let Poll::Ready(done) = Pin::new(working).poll(context) else { return Poll::Pending };
                self.working = None;
                match done {
                    Ok(Ok(answers)) => self.answers.extend(answers),
                    Ok(Err(end)) => return Poll::Ready(Err(end)),
                    Err(error) => return Poll::Ready(Err(LinkEnd::State(error.to_string()))),
                }
            } else if let Some(job) = self.jobs.pop_front() {
                let (premises, memory) = (Arc::clone(&self.premises), Arc::clone(&self.memory));
                self.working = Some(tokio::task::spawn_blocking(move || {
                    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
                    Work { premises: &premises, memory: &mut memory }.run(job)
                }));
            } else {
                let Poll::Ready(_) = self.look.poll_tick(context) else { return Poll::Pending };
                self.jobs.push_back(Job::Look);
            }
        }
    }
}

/// One job at work.
struct Work<'a> {
    premises: &'a Premises,
    memory: &'a mut Memory,
}

impl Work<'_> {
    fn run(mut self, job: Job) -> Result<Vec<AgentMessage>, LinkEnd> {
        let done = match job {
            Job::StoreTicket(ticket, turn) => {
                let stored = self.premises.tickets.store(&ticket);
                drop(turn);
                let stored = stored.map_err(|error| LinkEnd::TicketNotStored(error.to_string()))?;
                return Ok(if stored { vec![AgentMessage::TicketStored { ticket }] } else { Vec::new() });
            }
            Job::TakeKeys(fingerprint) => self.take_keys(&fingerprint),
            Job::HearPeers(peers) => {
                self.memory.peers = peers;
                self.judge_peers()
            }
            Job::Reseal { signing_key, sealing_key, secrets } => {
                self.reseal(&Fingerprint::of(&signing_key, &sealing_key), &sealing_key, &secrets)
            }
            Job::Look => return self.look(),
        };
        done.map_err(|error| LinkEnd::State(error.to_string()))
    }

    /// Looks at what the administrator changed in the state folder.
    fn look(&mut self) -> Result<Vec<AgentMessage>, LinkEnd> {
        let paths = &self.premises.paths;
        let failed = |error: Error| LinkEnd::State(error.to_string());
        let identity = changed_at(&paths.identity());
        let first = self.memory.identity.is_none();
        if self.memory.identity.replace(identity) != Some(identity) && !first {
            match Identity::load(paths).map_err(failed)? {
                Some(found) if found.enrolment.agent_id == *self.premises.tickets.agent_id() => {}
                Some(_) | None => return Err(LinkEnd::IdentityChanged),
            }
        }
        let mut answers = Vec::new();
        let offers = self.memory.relay_keeps_keys && identity.is_some();
        if let Some(identity) = Identity::load(paths).map_err(failed)?.filter(|_| offers) {
            answers.extend(self.offer_keys(&identity, first).map_err(failed)?);
        }
        let confirmed = changed_at(&paths.confirmed());
        if self.memory.confirmed.replace(confirmed) != Some(confirmed) && !first {
            answers.extend(self.judge_peers().map_err(failed)?);
        }
        Ok(answers)
    }

    /// Offers the keys of a change that is under way or due, once a session; and asks for what is still sealed to former keys.
    fn offer_keys(&mut self, identity: &Identity, first: bool) -> Result<Vec<AgentMessage>, Error> {
        let paths = &self.premises.paths;
        let mut answers = Vec::new();
        if first && identity.former.is_some() {
            answers.push(AgentMessage::AskReseal { recipient: identity.seeds.fingerprint()? });
        }
        let next = match identity.next_seeds(paths)? {
            None if self.premises.rotation.is_due(
                identity,
                changed_at(&paths.identity()),
                clock::now_ms(),
            ) =>
            {
                tracing::info!(
                    event = "keys_due",
                    "this agent's keys are as old as the configuration allows; it makes new ones"
                );
                Some(identity.draw_next(paths)?)
            }
            next => next,
        };
        let Some(next) = next else { return Ok(answers) };
        let fingerprint = next.fingerprint()?;
        if self.memory.offered.as_ref() == Some(&fingerprint) {
            return Ok(answers);
        }
        let (signing, sealing) = (next.signing_key()?, next.sealing_key().public());
        let proof = proof::prove_keys(&identity.enrolment.agent_id, &signing, &sealing);
        answers.push(AgentMessage::OfferKeys { signing_key: signing.public(), sealing_key: sealing, proof });
        self.memory.offered = Some(fingerprint);
        Ok(answers)
    }

    /// The relay has the offered keys: they become this agent's own. From here on what is sealed to the old ones is sealed again.
    fn take_keys(&mut self, fingerprint: &Fingerprint) -> Result<Vec<AgentMessage>, Error> {
        let paths = &self.premises.paths;
        let Some(identity) = Identity::load(paths)? else { return Ok(Vec::new()) };
        let next = identity.next_seeds(paths)?;
        let Some(next) = next.filter(|next| is_of(next, fingerprint)) else { return Ok(Vec::new()) };
        self.premises.opener.add(&next)?;
        let identity = identity.take_next(next, paths)?;
        self.premises.signer.change(&identity)?;
        self.memory.identity = Some(changed_at(&paths.identity()));
        let fingerprint = identity.seeds.fingerprint()?;
        self.premises.board.fingerprint(&fingerprint);
        tracing::info!(event = "keys_changed", %fingerprint, "this agent has new keys");
        let ask = AgentMessage::AskReseal { recipient: fingerprint.clone() };
        Ok(vec![AgentMessage::TakeKeys { fingerprint }, ask])
    }

    /// Asks for the secrets of confirmed peers, and says once that others wait.
    fn judge_peers(&mut self) -> Result<Vec<AgentMessage>, Error> {
        let paths = &self.premises.paths;
        peers::keep(paths, &self.memory.peers)?;
        let confirmed = peers::confirmed(paths)?;
        let mut answers = Vec::new();
        for peer in self.memory.peers.iter().filter(|peer| peer.lacks > 0) {
            let fingerprint = peers::fingerprint(peer);
            if confirmed.contains(&fingerprint) {
                answers.push(AgentMessage::AskReseal { recipient: fingerprint });
            } else if self.memory.told.insert(fingerprint.clone()) {
                tracing::warn!(
                    event = "peer_waits",
                    peer = crate::policy::shortened(&peer.name),
                    %fingerprint,
                    secrets = peer.lacks,
                    "another agent of this uplink cannot open secrets that this one can; if `uplink-agent status` shows this fingerprint on that machine, run `uplink-agent confirm FINGERPRINT` here"
                );
            }
        }
        Ok(answers)
    }

    /// Seals secrets again, for this agent's own new keys or for a peer that the premises confirmed, and for nobody else.
    fn reseal(
        &mut self,
        recipient: &Fingerprint,
        key: &SealingPublicKey,
        secrets: &[ConnectionSecret],
    ) -> Result<Vec<AgentMessage>, Error> {
        let paths = &self.premises.paths;
        let own = Identity::load(paths)?.is_some_and(|identity| is_of(&identity.seeds, recipient));
        if !own && !peers::confirmed(paths)?.contains(recipient) {
            tracing::error!(event = "reseal_refused", %recipient, "the relay asked to seal secrets for an agent that the premises did not confirm; nothing was sealed");
            return Ok(Vec::new());
        }
        let mut sealed = Vec::new();
        for secret in secrets {
            match self.premises.opener.reseal(secret, (recipient, key)) {
                Ok(again) => sealed.push(again),
                Err(error) => {
                    let connection = crate::policy::shortened(&secret.connection);
                    tracing::warn!(event = "reseal_failed", connection, %error, "a secret could not be sealed again");
                }
            }
        }
        if sealed.is_empty() {
            return Ok(Vec::new());
        }
        tracing::info!(event = "secrets_resealed", %recipient, secrets = sealed.len(), own, "secrets were sealed again");
        Ok(vec![AgentMessage::Resealed { recipient: recipient.clone(), secrets: sealed }])
    }
}

fn is_of(seeds: &Seeds, fingerprint: &Fingerprint) -> bool {
    seeds.fingerprint().is_ok_and(|own| own == *fingerprint)
}

/// When a file was last changed; `None` when it is not there.
fn changed_at(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|met| met.modified()).ok()
}

#[cfg(test)]
mod tests;
