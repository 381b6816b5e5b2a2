//! A look at what a run would read: under the same policy, masked alike, and counted among the bytes of the day.

use super::{Runs, too_busy};
use crate::audit::Instruction;
use crate::breaker::Try;
use crate::policy::volume::Volume;
use crate::policy::{self, Decision, Refusal};
use crate::run::{FromRun, failure_of};
use jira::{Credential, Discovery, FoundTable, JiraClient, Limits, Observer, Site, Spec};
use protocol::control::{
    AgentMessage, DiscoveredColumn, DiscoveredTable, DiscoveryReport, Failure, RunWarning, in_messages,
};
use protocol::ids::RequestId;
use protocol::spec::{ConnectionSpec, ExtractionSpec};
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::Instrument;

/// Sample rows of each table at most, whatever is asked for.
const ROWS_MAX: u32 = 20;

/// What the relay asks.
pub(super) struct Question {
    pub(super) request: RequestId,
    pub(super) connection: ConnectionSpec,
    pub(super) extraction: ExtractionSpec,
    pub(super) rows: u32,
}

/// What is looked at; it has passed the policy.
struct Target {
    site: Site,
    credential: Credential,
    limits: Limits,
    observer: Observer,
    spec: Spec,
    rows: usize,
    login: Try,
    decisions: Vec<Decision>,
    volume: Volume,
}

impl Runs {
    /// Looks, or gives the answer that refuses it.
    pub(super) fn discover(
        &mut self,
        question: Question,
        asked: Option<Instruction>,
    ) -> Option<AgentMessage> {
        let request = question.request.clone();
        let turn = match &self.halt {
            Some(halt) => Err(halt.failure()),
            None => Arc::clone(&self.tests).try_acquire_owned().map_err(|_| too_busy()),
        };
        let admitted = turn.and_then(|turn| self.admit_discovery(&question).map(|target| (turn, target)));
        let (turn, target) = match admitted {
            Ok(admitted) => admitted,
            Err(failure) => {
                self.record_refusal(asked, &failure.code);
                return Some(failed(request, failure));
            }
        };
        if let Err(failure) = self.record(asked) {
            return Some(failed(request, failure));
        }
        let outgoing = self.shared.outgoing.clone();
        let span = tracing::info_span!("discovery", request = %policy::shortened(request.as_str()),
            connection = policy::shortened(&question.connection.name));
        let work = async move {
            let messages = look(target, &request).await;
            drop(turn);
            tell(messages, &outgoing).await;
        };
        self.tasks.spawn(work.instrument(span));
        None
    }

    fn admit_discovery(&self, question: &Question) -> Result<Target, Failure> {
        let Question { request, connection, extraction, rows } = question;
        let refuse = |refusal: Refusal| self.refuse(request.as_str(), connection, &refusal);
        let policy = &self.premises.policy;
        let permitted = policy.admit(connection).map_err(refuse)?;
        let (spec, decisions) = policy.spec(extraction).map_err(refuse)?;
        let site = permitted.engine_site().map_err(refuse)?;
        let (opened, login) = self.open(request.as_str(), permitted, connection)?;
        Ok(Target {
            site,
            credential: opened.credential,
            limits: policy.limits(connection),
            observer: self.premises.audit.observer(&policy::shortened(request.as_str())),
            spec,
            rows: usize::try_from(*rows.min(&ROWS_MAX)).unwrap_or_default(),
            login,
            decisions,
            volume: self.premises.volume.clone(),
        })
    }
}

fn failed(request: RequestId, failure: Failure) -> AgentMessage {
    let report = Some(DiscoveryReport::Failed { failure });
    AgentMessage::Discovered { request, tables: Vec::new(), report }
}

async fn look(mut target: Target, request: &RequestId) -> Vec<AgentMessage> {
    match try_look(&mut target).await {
        Ok(discovery) => {
            tracing::info!(
                event = "discovery_done",
                issues = discovery.issues,
                "what a run would read was looked at"
            );
            messages(discovery, &target, request)
        }
        Err(error) => {
            target.login.ended(Some(error.code()));
            tracing::info!(
                event = "discovery_failed",
                code = error.code(),
                "looking at what a run would read failed"
            );
            vec![failed(request.clone(), failure_of(&error))]
        }
    }
}

async fn try_look(target: &mut Target) -> Result<Discovery, jira::Error> {
    let client = JiraClient::try_new(target.site.clone(), target.credential.clone(), target.limits.clone())?;
    let client = client.observed_by(target.observer.clone());
    client.login().await?;
    target.login.accepted();
    jira::discover(client, target.spec.clone(), target.rows).await
}

/// The answer, if its bytes may still leave today.
fn messages(discovery: Discovery, target: &Target, request: &RequestId) -> Vec<AgentMessage> {
    let note = |decision: &Decision| RunWarning {
        code: decision.code.clone(),
        message: decision.message.clone(),
        count: decision.count,
    };
    let report = DiscoveryReport::Ok {
        issues: discovery.issues,
        requests: discovery.requests,
        asked: discovery.asked,
        policy: target.decisions.iter().map(note).collect(),
    };
    let tables = in_messages(discovery.tables.into_iter().map(table).collect());
    let message = |tables| AgentMessage::Discovered { request: request.clone(), tables, report: None };
    let mut messages: Vec<AgentMessage> = tables.into_iter().map(message).collect();
    let last =
        AgentMessage::Discovered { request: request.clone(), tables: Vec::new(), report: Some(report) };
    messages.push(last);
    let bytes: usize =
        messages.iter().map(|message| serde_json::to_string(message).map_or(0, |text| text.len())).sum();
    let today = chrono::Local::now().date_naive();
    if target.volume.take(u64::try_from(bytes).unwrap_or(u64::MAX), today) {
        return messages;
    }
    let failure = Failure {
        code: "daily_bytes_spent".to_owned(),
        message: "the premises let no more bytes leave today".to_owned(),
        hint: "ask again tomorrow, or without sample rows".to_owned(),
    };
    vec![failed(request.clone(), failure)]
}

fn table(found: FoundTable) -> DiscoveredTable {
    let column = |column: jira::FoundColumn| DiscoveredColumn {
        name: column.name,
        type_name: column.column_type.name().to_owned(),
        field_id: column.field_id,
        mask: column.mask,
    };
    DiscoveredTable {
        table: found.table.name().to_owned(),
        key: found.table.key_columns().iter().map(|name| (*name).to_owned()).collect(),
        columns: found.columns.into_iter().map(column).collect(),
        rows: found.rows,
        is_estimate: found.is_estimate,
        sample: found.sample,
    }
}

async fn tell(messages: Vec<AgentMessage>, outgoing: &mpsc::Sender<FromRun>) {
    for message in messages {
        if outgoing.send(FromRun::Message(message)).await.is_err() {
            tracing::info!(event = "discovery_dropped", "the link went away before the answer could be told");
            return;
        }
    }
}
