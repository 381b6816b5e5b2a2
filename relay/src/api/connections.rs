//! Data connections. The relay keeps their secrets sealed: to the agents, and then it cannot open them, or to itself where it reads the
//! Jira directly.

use super::input::{Body, Place, check_name};
use super::problem::Problem;
use crate::clock;
use crate::direct;
use crate::node::{Node, Shared};
use crate::store::Connection;
use crate::uplinks::Order;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use protocol::control::{Failure, TestReport};
use protocol::seal::SealedSecret;
use protocol::site::SiteAddress;
use protocol::spec::CredentialKind;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// How long a login to Jira may take before the caller hears so.
const TEST_WAIT: Duration = Duration::from_secs(60);
/// How long an agent that has just come is waited for.
const READY_WAIT: Duration = Duration::from_secs(3);
/// Between two looks at it.
const READY_LOOK: Duration = Duration::from_millis(50);
/// Requests in flight if nothing is said: gentle to an old Jira.
const PARALLEL: u32 = 4;
/// Most requests in flight that a connection may ask for.
const PARALLEL_MAX: u32 = 64;
/// Longest account name.
const USERNAME_MAX: usize = 255;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewConnection {
    name: Option<String>,
    pool: String,
    mode: Mode,
    uplink: Option<String>,
    url: String,
    #[serde(default)]
    username: String,
    credential: CredentialKind,
    /// Left out when replacing: the secret stays as it is.
    sealed: Option<Vec<SealedSecret>>,
    /// Authority of the certificate of a direct Jira, PEM; left out when replacing: it stays; empty: none.
    ca_pem: Option<String>,
    max_parallel: Option<u32>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Uplinked,
    Direct,
}

pub(super) async fn list(State(node): State<Shared>) -> Result<Json<Value>, Problem> {
    let connections = node.store.connections().await?;
    Ok(Json(connections.iter().map(document).collect()))
}

pub(super) async fn show(
    State(node): State<Shared>,
    Place(name): Place<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(document(&node.store.connection(&name).await?)))
}

pub(super) async fn create(
    State(node): State<Shared>,
    Body(new): Body<NewConnection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let name = new.name.clone().ok_or_else(|| {
        Problem::input("bad_member", "the body is wrong: `name` is missing", "give the connection a name")
    })?;
    check_name("a connection", &name)?;
    let connection = settle(&node, name, new, None).await?;
    node.store.create_connection(&connection).await?;
    announce(&node, &connection);
    tracing::info!(connection = connection.name, "connection created");
    Ok((StatusCode::CREATED, Json(document(&connection))))
}

pub(super) async fn replace(
    State(node): State<Shared>,
    Place(name): Place<String>,
    Body(new): Body<NewConnection>,
) -> Result<Json<Value>, Problem> {
    let old = node.store.connection(&name).await?;
    if new.name.as_ref().is_some_and(|new| *new != name) {
        let hint = "leave `name` out, or create a new connection";
        return Err(Problem::input(
            "name_fixed",
            "a connection cannot be renamed: its tables carry its name",
            hint,
        ));
    }
    if new.pool != old.pool {
        let hint = "create a new connection in the other pool";
        return Err(Problem::input(
            "pool_fixed",
            "a connection cannot change its pool: its tables lie there",
            hint,
        ));
    }
    let connection = settle(&node, name, new, Some(&old)).await?;
    node.store.replace_connection(&connection).await?;
    announce(&node, &connection);
    tracing::info!(connection = connection.name, "connection replaced");
    Ok(Json(document(&connection)))
}

pub(super) async fn remove(
    State(node): State<Shared>,
    Place(name): Place<String>,
) -> Result<StatusCode, Problem> {
    node.store.delete_connection(&name).await?;
    tracing::info!(connection = name, "connection deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// The agents of the uplink may have something to seal again for each other.
fn announce(node: &Node, connection: &Connection) {
    if let Some(uplink) = &connection.uplink {
        node.uplinks.announce_peers(uplink);
    }
}

/// Checks what was sent and completes it.
async fn settle(
    node: &Node,
    name: String,
    new: NewConnection,
    old: Option<&Connection>,
) -> Result<Connection, Problem> {
    check_mode(&new)?;
    let ca_pem = check_authority(&new, old)?;
    let site = SiteAddress::parse(&new.url).map_err(|error| {
        Problem::input("bad_url", error.to_string(), "give Jira's base address as its users type it")
    })?;
    let max_parallel = new.max_parallel.unwrap_or(PARALLEL);
    if max_parallel == 0 || max_parallel > PARALLEL_MAX {
        let detail = format!("`max_parallel` is {max_parallel}");
        return Err(Problem::input("bad_parallel", detail, format!("give 1 to {PARALLEL_MAX}")));
    }
    check_username(&new)?;
    let sealed = match (new.sealed, old) {
        (Some(sealed), _) => sealed,
        (None, Some(old)) if old.url == site.as_str() && old.username == new.username => old.sealed.clone(),
        (None, Some(_)) => {
            let detail = "the secret is sealed for the old address and account";
            return Err(Problem::input(
                "secret_needed",
                detail,
                "give the secret again with the new address or account",
            ));
        }
        (None, None) => Vec::new(),
    };
    match &new.uplink {
        Some(uplink) => check_sealed(node, uplink, &sealed).await?,
        None => check_sealed_to_relay(node, &sealed)?,
    }
    let now = clock::now_ms();
    Ok(Connection {
        name,
        pool: new.pool,
        mode: if new.uplink.is_some() { "uplinked" } else { direct::MODE }.to_owned(),
        uplink: new.uplink,
        url: site.as_str().to_owned(),
        username: new.username,
        credential: new.credential,
        sealed,
        ca_pem,
        max_parallel,
        created_ms: old.map_or(now, |old| old.created_ms),
        updated_ms: now,
    })
}

fn check_mode(new: &NewConnection) -> Result<(), Problem> {
    match (new.mode, &new.uplink) {
        (Mode::Uplinked, Some(_)) | (Mode::Direct, None) => Ok(()),
        (Mode::Uplinked, None) => {
            let detail = "an uplinked connection needs its uplink";
            Err(Problem::input("uplink_needed", detail, "name the uplink whose agents reach this Jira"))
        }
        (Mode::Direct, Some(_)) => {
            let detail = "a direct connection has no uplink";
            Err(Problem::input(
                "uplink_not_needed",
                detail,
                "leave `uplink` out, or make the connection uplinked",
            ))
        }
    }
}

/// The authority of a direct Jira's certificate, where it has one of its own.
fn check_authority(new: &NewConnection, old: Option<&Connection>) -> Result<Option<String>, Problem> {
    let Some(pem) = &new.ca_pem else { return Ok(old.and_then(|old| old.ca_pem.clone())) };
    if pem.is_empty() {
        return Ok(None);
    }
    if new.mode == Mode::Uplinked {
        let detail = "the authority of an uplinked Jira is given on the premises";
        return Err(Problem::input("authority_on_premises", detail, "use `--jira-ca` of uplink-agent there"));
    }
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        return Err(Problem::input("bad_authority", "`ca_pem` holds no certificate", "give a PEM file"));
    }
    Ok(Some(pem.clone()))
}

/// A secret that the relay cannot open is a mistake to tell now, not at the first run.
fn check_sealed_to_relay(node: &Node, sealed: &[SealedSecret]) -> Result<(), Problem> {
    if node.direct.keys().find(sealed).is_some() {
        return Ok(());
    }
    let detail = "the secret of a direct connection must be sealed to this relay's own key";
    Err(Problem::input(
        "sealed_to_nobody",
        detail,
        "read the key from `/v1/direct`, seal the secret to it and give it again",
    ))
}

/// `GET /v1/direct`: what secrets of direct connections are sealed to.
pub(super) async fn direct_key(State(node): State<Shared>) -> Json<Value> {
    let keys = node.direct.keys();
    Json(json!({ "fingerprint": keys.fingerprint(), "sealing_key": keys.sealing_key() }))
}

fn check_username(new: &NewConnection) -> Result<(), Problem> {
    let printable = new.username.len() <= USERNAME_MAX && !new.username.chars().any(char::is_control);
    if !printable || (new.username.is_empty() && new.credential == CredentialKind::Password) {
        let detail = "`username` must be the account's name in Jira";
        return Err(Problem::input(
            "bad_username",
            detail,
            "only a personal access token goes without a user name",
        ));
    }
    Ok(())
}

/// A secret that no agent of the uplink can open is a mistake to tell now, not at the first run.
async fn check_sealed(node: &Node, uplink: &str, sealed: &[SealedSecret]) -> Result<(), Problem> {
    let agents = node.store.agents(uplink).await?;
    let fits = |secret: &SealedSecret| agents.iter().any(|agent| agent.opens(secret));
    if sealed.is_empty() || sealed.iter().any(fits) {
        return Ok(());
    }
    let detail = format!("the secret is sealed to no agent that is enrolled at uplink `{uplink}`");
    Err(Problem::input("sealed_to_nobody", detail, "enrol an agent first, then give the secret again"))
}

/// `POST /v1/connections/{name}/test`: an agent of the uplink, or the relay itself, tries to log in.
pub(super) async fn test(
    State(node): State<Shared>,
    Place(name): Place<String>,
) -> Result<Json<TestReport>, Problem> {
    let connection = node.store.connection(&name).await?;
    let Some(uplink) = connection.uplink.clone() else {
        let test = tokio::time::timeout(TEST_WAIT, direct::test(&node, &connection)).await;
        return Ok(Json(test.unwrap_or_else(|_| timed_out("Jira"))));
    };
    let orders = ready_agent(&node, &uplink, &connection.sealed).await.ok_or_else(|| no_agent(&uplink))?;
    let (answer, report) = oneshot::channel();
    let order = Order::Test { connection: Box::new(connection.spec()?), answer };
    if orders.try_send(order).is_err() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "agent_busy",
            "the agent takes no more orders at the moment",
        )
        .hint("try again in a few seconds"));
    }
    match tokio::time::timeout(TEST_WAIT, report).await {
        Ok(Ok(report)) => Ok(Json(report)),
        Ok(Err(_)) => Err(no_agent(&uplink)),
        Err(_) => Ok(Json(timed_out("the agent"))),
    }
}

fn timed_out(who: &str) -> TestReport {
    let failure = Failure {
        code: "test_timeout".to_owned(),
        message: format!("{who} did not answer within {} seconds", TEST_WAIT.as_secs()),
        hint: "Jira may be slow or out of reach; read the log of whoever reads it".to_owned(),
    };
    TestReport::Failed { failure }
}

/// An agent that can try the login. One that has just come is waited for until it has stored its ticket.
pub(super) async fn ready_agent(
    node: &Node,
    uplink: &str,
    sealed: &[SealedSecret],
) -> Option<mpsc::Sender<Order>> {
    let until = Instant::now() + READY_WAIT;
    loop {
        let found = node.uplinks.any(uplink, sealed);
        if found.is_some() || !node.uplinks.is_coming(uplink, sealed) || Instant::now() >= until {
            return found;
        }
        tokio::time::sleep(READY_LOOK).await;
    }
}

pub(super) fn no_agent(uplink: &str) -> Problem {
    let detail = format!("no agent of uplink `{uplink}` to which the secret is sealed is online");
    Problem::new(StatusCode::CONFLICT, "no_agent_online", detail)
        .hint("start `uplink-agent run` on the premises and look at its log; if the agent is newer than the connection, give the secret again")
}

fn document(it: &Connection) -> Value {
    let sealed_to: Vec<&str> = it.sealed.iter().map(|secret| secret.agent.as_str()).collect();
    json!({
        "name": it.name,
        "pool": it.pool,
        "mode": it.mode,
        "uplink": it.uplink,
        "url": it.url,
        "username": it.username,
        "credential": it.credential,
        "secret_set": !it.sealed.is_empty(),
        "sealed_to": sealed_to,
        "ca_set": it.ca_pem.is_some(),
        "max_parallel": it.max_parallel,
        "created_at": clock::text(it.created_ms),
        "updated_at": clock::text(it.updated_ms),
    })
}
