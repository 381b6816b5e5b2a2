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
    let (token, expires_ms) = enrol::issue(&node.store, &uplink, minutes).await?;
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
    let (agent_id, uplink) = match enrol::redeem(&node.store, &request, clock::now_ms()).await {
        Ok(enrolled) => enrolled,
        Err(error) => {
            tracing::warn!(name = request.name, %error, "enrolment refused");
            return Err(error.into());
        }
    };
    tracing::info!(agent = agent_id, name = request.name, uplink, "agent enrolled");
    Ok(Json(EnrolAnswer { agent_id: agent_id.into(), uplink, relay_id: node.relay_id.clone() }))
}
