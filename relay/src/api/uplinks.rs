//! Uplinks and their agents.

use super::input::{Body, Place, check_name};
use super::pools::NewName;
use super::problem::Problem;
use crate::clock;
use crate::node::{Node, Shared};
use crate::store::{Agent, Holder, Named, Stopped};
use crate::uplinks::Presence;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use protocol::control::{JiraHealth, JiraState};
use serde_json::{Value, json};

pub(super) async fn list(State(node): State<Shared>) -> Result<Json<Value>, Problem> {
    let mut documents = Vec::new();
    for uplink in node.store.uplinks().await? {
        documents.push(document(&node, &uplink).await?);
    }
    Ok(Json(Value::Array(documents)))
}

pub(super) async fn create(
    State(node): State<Shared>,
    Body(new): Body<NewName>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    check_name("an uplink", &new.name)?;
    let uplink = node.store.create_uplink(&new.name, clock::now_ms()).await?;
    tracing::info!(uplink = uplink.name, "uplink created");
    Ok((StatusCode::CREATED, Json(document(&node, &uplink).await?)))
}

pub(super) async fn show(
    State(node): State<Shared>,
    Place(name): Place<String>,
) -> Result<Json<Value>, Problem> {
    let uplink = node.store.uplink(&name).await?;
    Ok(Json(document(&node, &uplink).await?))
}

/// Deletes an uplink; its agents lose their right at once.
pub(super) async fn remove(
    State(node): State<Shared>,
    Place(name): Place<String>,
) -> Result<StatusCode, Problem> {
    let agents = node.store.agents(&name).await?;
    node.store.delete_uplink(&name).await?;
    for agent in agents {
        node.uplinks.revoke(&agent.agent_id);
    }
    tracing::info!(uplink = name, "uplink deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// Takes an agent's right away and cuts its session.
pub(super) async fn revoke(
    State(node): State<Shared>,
    Place((uplink, agent_id)): Place<(String, String)>,
) -> Result<StatusCode, Problem> {
    node.store.revoke_agent(&uplink, &agent_id, clock::now_ms()).await?;
    node.uplinks.revoke(&agent_id);
    node.uplinks.announce_peers(&uplink);
    tracing::warn!(uplink, agent = agent_id, "agent revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// A person vouches for an agent that was stopped because two machines held its identity.
pub(super) async fn trust(
    State(node): State<Shared>,
    Place((uplink, agent_id)): Place<(String, String)>,
) -> Result<StatusCode, Problem> {
    node.store.trust_agent(&uplink, &agent_id).await?;
    tracing::warn!(event = "agent_trusted", uplink, agent = agent_id, "agent trusted again");
    Ok(StatusCode::NO_CONTENT)
}

async fn document(node: &Node, uplink: &Named) -> Result<Value, Problem> {
    let agents = node.store.agents(&uplink.name).await?;
    let agents: Vec<Value> = agents.iter().map(|agent| agent_document(node, agent)).collect();
    Ok(json!({ "name": uplink.name, "created_at": clock::text(uplink.created_ms), "agents": agents }))
}

fn agent_document(node: &Node, agent: &Agent) -> Value {
    let presence = node.uplinks.presence(&agent.agent_id);
    let health = presence.as_ref().map(health_document);
    json!({
        "agent_id": agent.agent_id,
        "name": agent.name,
        "fingerprint": agent.fingerprint,
        "version": agent.version,
        "update": update_for(&agent.version),
        "signing_key": agent.signing_key,
        "sealing_key": agent.sealing_key,
        "enrolled_at": clock::text(agent.enrolled_ms),
        "online": presence.is_some(),
        "last_seen": agent.last_seen_ms.map(clock::text),
        "health": health,
        "stopped": agent.stopped.as_ref().map(stopped_document),
    })
}

/// The version that an older agent should be brought to: the relay's own. A version of another form is not judged.
fn update_for(version: &str) -> Option<&'static str> {
    let own = env!("CARGO_PKG_VERSION");
    numbers(version).zip(numbers(own)).filter(|(agents, relays)| agents < relays).map(|_| own)
}

fn numbers(version: &str) -> Option<[u64; 3]> {
    let release = version.split(['-', '+']).next()?;
    let numbers: Vec<u64> = release.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

fn stopped_document(why: &Stopped) -> Value {
    let machine = |holder: &Holder| {
        json!({
            "address": holder.address,
            "boot_id": holder.boot_id,
            "version": holder.version,
            "at": clock::text(holder.at_ms),
        })
    };
    json!({
        "code": "cloned",
        "at": clock::text(why.at_ms),
        "reason": why.reason,
        "machines": [machine(&why.first), machine(&why.second)],
    })
}

/// What the agent told last. `healthy` means that every Jira that its premises permit answered it lately; null: not known yet.
fn health_document(here: &Presence) -> Value {
    let said = &here.health;
    let is = |state: JiraState| said.jiras.iter().any(|jira| jira.state == state);
    let healthy = match (is(JiraState::Unhealthy), is(JiraState::Unknown) || said.jiras.is_empty()) {
        (true, _) => Some(false),
        (false, true) => None,
        (false, false) => Some(true),
    };
    let jiras: Vec<Value> = said.jiras.iter().map(jira_document).collect();
    let last_error = said.last_error.as_ref().map(|error| {
        json!({ "at": clock::text(error.at_ms), "about": error.about, "code": error.code, "message": error.message })
    });
    json!({ "runs": here.runs, "paused": said.paused, "mask_key": said.mask_key, "healthy": healthy, "jiras": jiras, "last_error": last_error })
}

fn jira_document(jira: &JiraHealth) -> Value {
    json!({
        "site": jira.site,
        "state": jira.state,
        "answered_at": jira.answered_ms.map(clock::text),
        "asked_at": jira.asked_ms.map(clock::text),
        "version": jira.version,
        "failure": jira.failure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_older_agent_is_told_of_an_update() {
        let own = env!("CARGO_PKG_VERSION");
        assert_eq!(update_for("0.0.9"), Some(own));
        assert_eq!(update_for("0.0.10-rc.1"), Some(own));
        for version in [own, "99.0.0", "", "unknown", "1.2", "v0.0.1"] {
            assert_eq!(update_for(version), None, "{version}");
        }
        assert!(numbers("0.10.0") > numbers("0.9.9"), "versions are no text");
    }
}
