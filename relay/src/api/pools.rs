//! Data pools.

use super::input::{Body, Place, check_name};
use super::problem::Problem;
use crate::clock;
use crate::node::Shared;
use crate::store::Named;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// The body that makes a pool or an uplink.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewName {
    pub(super) name: String,
}

pub(super) async fn list(State(node): State<Shared>) -> Result<Json<Value>, Problem> {
    let pools = node.store.pools().await?;
    Ok(Json(pools.iter().map(document).collect()))
}

pub(super) async fn create(
    State(node): State<Shared>,
    Body(new): Body<NewName>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    check_name("a pool", &new.name)?;
    let pool = node.store.create_pool(&new.name, clock::now_ms()).await?;
    tracing::info!(pool = pool.name, "pool created");
    Ok((StatusCode::CREATED, Json(document(&pool))))
}

pub(super) async fn show(
    State(node): State<Shared>,
    Place(name): Place<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(document(&node.store.pool(&name).await?)))
}

pub(super) async fn remove(
    State(node): State<Shared>,
    Place(name): Place<String>,
) -> Result<StatusCode, Problem> {
    node.store.delete_pool(&name).await?;
    tracing::info!(pool = name, "pool deleted");
    Ok(StatusCode::NO_CONTENT)
}

fn document(pool: &Named) -> Value {
    json!({ "name": pool.name, "created_at": clock::text(pool.created_ms) })
}
