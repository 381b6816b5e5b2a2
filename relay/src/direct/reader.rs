//! One direct run: the engine's parts are landed, a unit's checkpoint is stored when all of its parts are durable, and the result
//! ends it. Parts that wait for the lake are few; while they are, the engine is not asked for more, and so Jira is not read.

use super::ledger::{Due, Ledger};
use super::{end_failed, give_back, landed, spec, words};
use crate::lake::{TablePlace, hex};
use crate::node::Shared;
use crate::run::drive::{self, run_id};
use crate::run::ending;
use crate::store::{Connection, Outcome, StoredPart};
use jira::{
    Addresses, CheckpointEntry, Credential, Event as EngineEvent, Extraction, JiraClient, Limits, Part, Site,
    Summary, UnitId, Way,
};
use protocol::control::{Failure, PartHeader, Progress};
use protocol::ids::{Lease, PartId};
use protocol::site::SiteAddress;
use protocol::spec::{CredentialKind, ExtractionSpec};
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Parts that are being landed at once.
const LANDINGS_MAX: usize = 4;

/// Reads one run.
pub(super) struct Reader {
    node: Shared,
    number: i64,
    lease: Lease,
    pool: String,
    connection: Connection,
    ledger: Ledger,
    landings: JoinSet<Landing>,
    parts: u64,
    checkpoints: u64,
    landed_bytes: BTreeMap<String, u64>,
    progress: Progress,
    warned: BTreeSet<(String, String)>,
}

struct Landing {
    unit: UnitId,
    part: Result<StoredPart, Failure>,
}

/// Why a run is over on this side.
enum End {
    Failed(Failure),
    /// Somebody else has the run, or the database failed: the next start of the relay goes on with it.
    Lost(String),
    Stopped,
}

enum Event {
    Stopped,
    Landed(Result<Landing, JoinError>),
    Engine(Option<Result<EngineEvent, jira::Error>>),
}

/// A client for the connection, with its opened secret.
pub(super) fn client(node: &Shared, connection: &Connection) -> Result<JiraClient, Failure> {
    let site = SiteAddress::parse(&connection.url)
        .map_err(|error| unusable("bad_url", error.to_string(), "correct the connection's address"))?;
    let again = "give the connection's secret again: `uplinkctl connection update NAME --api-token-stdin`";
    let sealed = node.direct.keys().find(&connection.sealed).ok_or_else(|| {
        unusable("secret_missing", "the connection's secret is not sealed to this relay".to_owned(), again)
    })?;
    let text = node
        .direct
        .keys()
        .open(sealed, &site, &connection.username)
        .map_err(|error| unusable(error.code(), error.to_string(), again))?;
    let secret = SecretString::from(text.as_str());
    let username = connection.username.clone();
    let credential = match connection.credential {
        CredentialKind::Password => Credential::Password { username, password: secret },
        CredentialKind::ApiToken => Credential::ApiToken { username, token: secret },
    };
    let base_url = site
        .as_str()
        .parse()
        .map_err(|error| unusable("bad_url", format!("{error}"), "correct the connection's address"))?;
    let way = Way { addresses: Addresses::default(), ..Way::default() };
    let site = Site { base_url, extra_root_pem: connection.ca_pem.clone().map(String::into_bytes), way };
    let max_parallel = usize::try_from(connection.max_parallel).unwrap_or(1);
    let limits = Limits { max_parallel, ..Limits::default() };
    JiraClient::try_new(site, credential, limits).map_err(|error| words::failure(&error))
}

fn unusable(code: &str, message: String, hint: &str) -> Failure {
    Failure { code: code.to_owned(), message, hint: hint.to_owned() }
}

impl Reader {
    pub(super) fn new(
        node: Shared,
        (number, lease): (i64, Lease),
        pool: String,
        connection: Connection,
    ) -> Self {
        Self {
            node,
            number,
            lease,
            pool,
            connection,
            ledger: Ledger::default(),
            landings: JoinSet::new(),
            parts: 0,
            checkpoints: 0,
            landed_bytes: BTreeMap::new(),
            progress: Progress { phase: "login".to_owned(), ..Progress::default() },
            warned: BTreeSet::new(),
        }
    }

    /// Reads to the end, whatever that is.
    pub(super) async fn run(
        mut self,
        wire: &ExtractionSpec,
        entries: Vec<serde_json::Value>,
        cancel: CancellationToken,
    ) {
        let end = match self.begin(wire, entries, cancel) {
            Ok(extraction) => self.drive(extraction).await,
            Err(failure) => Err(End::Failed(failure)),
        };
        // What is being written belongs to a run that is over here.
        while self.landings.join_next().await.is_some() {}
        let run = (self.number, self.lease);
        match end {
            Ok(()) => {}
            Err(End::Failed(failure)) => {
                end_failed(&self.node, run, &self.connection.name, &failure, &self.progress).await;
            }
            Err(End::Stopped) => give_back(&self.node, run, &self.progress).await,
            Err(End::Lost(reason)) => {
                tracing::error!(run = %run_id(self.number), reason, "a run of the relay itself stops");
                drive::lose(&self.node, self.number, self.lease.0, &reason, Some(&self.progress)).await;
            }
        }
    }

    fn begin(
        &self,
        wire: &ExtractionSpec,
        entries: Vec<serde_json::Value>,
        cancel: CancellationToken,
    ) -> Result<Extraction, Failure> {
        let spec = spec::engine_spec(wire)?;
        let client = client(&self.node, &self.connection)?;
        Ok(jira::extract(client, spec, entries.into_iter().map(CheckpointEntry).collect(), cancel))
    }

    async fn drive(&mut self, mut extraction: Extraction) -> Result<(), End> {
        loop {
            match self.next_event(&mut extraction).await {
                Event::Stopped => return Err(End::Stopped),
                Event::Landed(landing) => self.landed(landing).await?,
                Event::Engine(Some(Ok(EngineEvent::Finished(summary)))) => return self.finish(summary).await,
                Event::Engine(Some(Ok(event))) => self.handle_engine(event).await?,
                Event::Engine(Some(Err(error))) => return Err(End::Failed(words::failure(&error))),
                Event::Engine(None) => return Err(broken("the extraction ended without a result")),
            }
        }
    }

    async fn next_event(&mut self, extraction: &mut Extraction) -> Event {
        let has_room = self.landings.len() < LANDINGS_MAX;
        tokio::select! {
            biased;
            () = self.node.stop.cancelled() => Event::Stopped,
            Some(landing) = self.landings.join_next() => Event::Landed(landing),
            event = extraction.next(), if has_room => Event::Engine(event),
        }
    }

    async fn handle_engine(&mut self, event: EngineEvent) -> Result<(), End> {
        match event {
            EngineEvent::Part(part) => {
                self.land(part);
                Ok(())
            }
            EngineEvent::UnitDone { unit, entry, parts } => {
                let due = self.ledger.handle_unit_done(unit, entry, parts);
                self.checkpoint(due).await
            }
            EngineEvent::Progress(progress) => {
                let bytes = self.landed_bytes.values().sum();
                self.progress = words::progress(&progress, bytes);
                self.node.board.progress(self.number, self.progress.clone(), Instant::now());
                Ok(())
            }
            EngineEvent::Warning(warning) => {
                if self.warned.insert((warning.code.clone(), warning.message.clone())) {
                    drive::note(&self.node, self.number, &warning.code, warning.message).await;
                }
                Ok(())
            }
            EngineEvent::Landed(ask) => {
                let of = (self.number, self.pool.as_str(), self.connection.name.as_str());
                landed::answer(&self.node, of, ask).await;
                Ok(())
            }
            EngineEvent::Finished(_) => Ok(()),
        }
    }

    fn land(&mut self, part: Part) {
        let header = PartHeader {
            run: run_id(self.number),
            lease: self.lease,
            part: PartId::new(self.lease, self.parts),
            table: part.table,
            generation: part.generation,
            rows: part.rows,
            bytes: u64::try_from(part.bytes.len()).unwrap_or(u64::MAX),
            digest: hex(&part.digest),
        };
        self.parts += 1;
        let place = TablePlace {
            pool: self.pool.clone(),
            connection: self.connection.name.clone(),
            table: header.table.clone(),
        };
        let (node, unit, bytes) = (self.node.clone(), part.unit, part.bytes);
        self.landings.spawn(async move {
            let landed = node.lake.land(&place, &header.run, &header, vec![bytes]).await;
            let part = landed.map(|landed| StoredPart {
                part: header.part.0,
                table: header.table,
                generation: header.generation,
                rows: landed.rows,
                bytes: landed.bytes,
                columns: landed.columns,
                path: landed.path,
            });
            let failure = |error: crate::lake::LakeError| {
                let hint = "put right what the message names on the relay's side, then extract again";
                unusable(error.code(), error.to_string(), hint)
            };
            Landing { unit, part: part.map_err(failure) }
        });
    }

    async fn landed(&mut self, landing: Result<Landing, JoinError>) -> Result<(), End> {
        let Landing { unit, part } = landing.map_err(|error| broken(&error.to_string()))?;
        let part = part.map_err(End::Failed)?;
        *self.landed_bytes.entry(part.table.clone()).or_default() += part.bytes;
        let due = self.ledger.handle_landed(unit, part);
        self.checkpoint(due).await
    }

    async fn checkpoint(&mut self, due: Option<Due>) -> Result<(), End> {
        let Some(Due { entry, parts }) = due else { return Ok(()) };
        let run = (self.number, self.lease.0);
        let kept = self.node.store.checkpoint(run, self.checkpoints, &entry.0, &parts).await;
        kept.map_err(|error| End::Lost(error.to_string()))?;
        self.checkpoints += 1;
        Ok(())
    }

    async fn finish(&mut self, summary: Summary) -> Result<(), End> {
        while let Some(landing) = self.landings.join_next().await {
            self.landed(landing).await?;
        }
        if !self.ledger.is_settled() {
            return Err(broken("a unit lacks parts that the engine announced"));
        }
        let result = words::result(summary, &self.landed_bytes, self.progress.clone());
        let outcome = Outcome { result, ..Outcome::default() };
        let read = ending::read_completely(&self.node, (self.number, self.lease), outcome).await;
        read.map_err(|error| End::Lost(error.to_string()))
    }
}

fn broken(reason: &str) -> End {
    End::Failed(unusable(
        "internal",
        format!("the run cannot be proven complete: {reason}"),
        "run it again; if it fails in the same way, report it with the relay's log",
    ))
}
