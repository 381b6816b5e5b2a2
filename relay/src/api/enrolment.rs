//! One-time tokens, and the one call that an agent makes before it has a key here.

use super::input::{Place, parse, read};
use super::problem::Problem;
use crate::clock;
use crate::enrol;
use crate::node::Shared;
use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use protocol::enrol::{EnrolAnswer, EnrolRequest};
use protocol::handshake::normalise_host;
use protocol::ids::AgentId;
use protocol::keys::{Signature, SigningPublicKey};
use protocol::proof;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// How long it is good.
    valid_minutes: Option<u32>,
}

/// `POST /v1/uplinks/{name}/tokens`; the body may be empty.
pub(super) async fn token(
    State(node): State<Shared>,
    Place(uplink): Place<String>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let bytes = read(request, &()).await?;
    let new: NewToken = if bytes.is_empty() { NewToken::default() } else { parse(&bytes)? };
    let minutes = new.valid_minutes.unwrap_or(enrol::VALID_MINUTES);
    if minutes == 0 || minutes > enrol::VALID_MINUTES_MAX {
        let detail = format!("`valid_minutes` is {minutes}");
        let hint = format!("give 1 to {} minutes (a day)", enrol::VALID_MINUTES_MAX);
        return Err(Problem::input("bad_validity", detail, hint));
    }
    let (token, expires_ms) = enrol::issue(&node.store, &node.relay_id, &uplink, minutes).await?;
    tracing::info!(uplink, minutes, "enrolment token made");
    Ok((StatusCode::CREATED, Json(json!({ "token": token, "expires_at": clock::text(expires_ms) }))))
}

/// `POST /v1/enrol`: the token is the proof.
pub(super) async fn enrol(
    State(node): State<Shared>,
    request: Request,
) -> Result<Json<EnrolAnswer>, Problem> {
    let bytes = read(request, &()).await?;
    let request: EnrolRequest = serde_json::from_slice(&bytes).map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_enrolment", "the body is no enrolment request")
            .hint("enrol with `uplink-agent enroll` of the relay's version")
    })?;
    let (agent_id, uplink) = match enrol::redeem(&node.store, &node.relay_id, &request, clock::now_ms()).await
    {
        Ok(enrolled) => enrolled,
        Err(error) => {
            tracing::warn!(name = request.name, %error, "enrolment refused");
            return Err(error.into());
        }
    };
    tracing::info!(agent = agent_id, name = request.name, uplink, "agent enrolled");
    node.uplinks.announce_peers(&uplink);
    Ok(Json(EnrolAnswer { agent_id: agent_id.into(), uplink, relay_id: node.relay_id.clone() }))
}

/// What an agent sends to `POST /v1/leave`.
#[derive(Deserialize)]
struct Farewell {
    agent_id: AgentId,
    relay_host: String,
    proof: Signature,
}

/// `POST /v1/leave`: an agent gives its identity up, by the signature of its key. Said twice it means the same.
pub(super) async fn leave(State(node): State<Shared>, request: Request) -> Result<StatusCode, Problem> {
    let bytes = read(request, &()).await?;
    let refused = |detail: &str| {
        Problem::new(StatusCode::FORBIDDEN, "leave_refused", detail)
            .hint("leave with `uplink-agent leave` on the agent's machine, or remove it with `uplinkctl uplink agent remove`")
    };
    let farewell: Farewell =
        serde_json::from_slice(&bytes).map_err(|_| refused("the body is no farewell of an agent"))?;
    let agent = node.store.agent(farewell.agent_id.as_str()).await?;
    let agent = agent.ok_or_else(|| refused("no agent of this id has proven its key"))?;
    let known = normalise_host(&farewell.relay_host);
    let ours = node.names.iter().any(|name| normalise_host(name) == known);
    let keys = SigningPublicKey::parse(&agent.signing_key)
        .into_iter()
        .chain(agent.next_keys.map(|next| next.signing));
    let proven = keys.into_iter().any(|key| {
        proof::check_leave(&farewell.agent_id, &key, &farewell.relay_host, &farewell.proof).is_ok()
    });
    if !ours || !proven {
        return Err(refused("no agent of this id has proven its key"));
    }
    node.store.revoke_agent(&agent.uplink, &agent.agent_id, clock::now_ms()).await?;
    node.uplinks.revoke(&agent.agent_id);
    node.uplinks.announce_peers(&agent.uplink);
    tracing::info!(event = "agent_left", agent = agent.agent_id, name = agent.name, "agent left");
    Ok(StatusCode::NO_CONTENT)
}
