//! The HTTP API: JSON in and out, errors as problem documents, closed from the first day.

mod connections;
mod discoveries;
mod enrolment;
mod extractions;
mod input;
mod pools;
pub(crate) mod problem;
mod runs;
mod tables;
#[cfg(test)]
mod tests;
mod uplinks;

use crate::clock;
use crate::node::Shared;
use crate::session::accept;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::{StatusCode, header};
use problem::Problem;
use serde_json::{Value, json};

/// Sealed secrets for a hundred agents fit; a page of Jira does not.
const BODY_BYTES_MAX: usize = 1 << 20;

/// All routes.
pub(crate) fn router(node: Shared) -> Router {
    let open = Router::new()
        .route("/v1/health", get(health))
        .route("/v1/enrol", post(enrolment::enrol))
        .route("/v1/leave", post(enrolment::leave))
        .route("/v1/link", get(accept::link));
    let closed = Router::new()
        .route("/v1/pools", get(pools::list).post(pools::create))
        .route("/v1/pools/{name}", get(pools::show).delete(pools::remove))
        .route("/v1/uplinks", get(uplinks::list).post(uplinks::create))
        .route("/v1/uplinks/{name}", get(uplinks::show).delete(uplinks::remove))
        .route("/v1/uplinks/{name}/tokens", post(enrolment::token))
        .route("/v1/uplinks/{name}/agents/{agent_id}", delete(uplinks::revoke))
        .route("/v1/uplinks/{name}/agents/{agent_id}/trust", post(uplinks::trust))
        .route("/v1/connections", get(connections::list).post(connections::create))
        .route(
            "/v1/connections/{name}",
            get(connections::show).put(connections::replace).delete(connections::remove),
        )
        .route("/v1/connections/{name}/test", post(connections::test))
        .route("/v1/direct", get(connections::direct_key))
        .route("/v1/extractions", post(extractions::create))
        .route("/v1/discoveries", post(discoveries::create))
        .route("/v1/runs", get(runs::list))
        .route("/v1/runs/{id}", get(runs::show))
        .route("/v1/runs/{id}/cancel", post(runs::cancel))
        .route("/v1/runs/{id}/follow", get(runs::follow))
        .route("/v1/runs/{id}/logs", get(runs::logs))
        .route("/v1/runs/{id}/manifest", get(runs::manifest))
        .route("/v1/tables", get(tables::list))
        .route("/v1/tables/{pool}/{connection}/{table}", get(tables::show))
        .route("/v1/tables/{pool}/{connection}/{table}/rows", get(tables::rows))
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(node.clone(), authorise));
    open.merge(closed)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(node)
}

async fn authorise(State(node): State<Shared>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if node.admin.accepts(given) {
        return next.run(request).await;
    }
    let (code, detail) = match given {
        None => ("key_missing", "this request carries no administrator's key"),
        Some(_) => ("key_wrong", "this is not the administrator's key of this relay"),
    };
    let problem = Problem::new(StatusCode::UNAUTHORIZED, code, detail)
        .hint("send `Authorization: Bearer <key>`; the key is in admin.key in the relay's data folder (uplinkctl: --key-file)");
    let mut response = problem.into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer"));
    response
}

async fn health(State(node): State<Shared>) -> Json<Value> {
    let status = if node.stop.is_cancelled() { "draining" } else { "ok" };
    Json(
        json!({ "status": status, "version": env!("CARGO_PKG_VERSION"), "time": clock::text(clock::now_ms()) }),
    )
}

async fn nothing_here(request: Request) -> Problem {
    let detail = format!("there is nothing at {}", request.uri().path());
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail)
        .hint("the API lies under /v1; check the address")
}

async fn wrong_method(request: Request) -> Problem {
    let detail = format!("{} does not take {}", request.uri().path(), request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
        .hint("check the method of the request")
}
