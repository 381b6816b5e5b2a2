//! Errors as `application/problem+json` (RFC 9457): what failed, a stable code, and what to do next. What only the operator
//! can put right goes to the log in full and to the caller in short.

use crate::enrol::EnrolError;
use crate::lake::LakeError;
use crate::store::StoreError;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use protocol::control::Failure;
use serde::Serialize;

/// An error on its way to the caller.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    pub(crate) code: String,
    detail: String,
    hint: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        let code = code.into();
        Self {
            kind: format!("urn:uplink:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            hint: String::new(),
        }
    }

    /// What to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The caller's input is wrong.
    pub(crate) fn input(code: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).hint(hint)
    }

    /// A refusal with the words of a run's failure.
    pub(crate) fn conflict(failure: Failure) -> Self {
        Self::new(StatusCode::CONFLICT, failure.code, failure.message).hint(failure.hint)
    }

    /// Wrong input, with the words of a run's failure.
    pub(crate) fn refused(failure: Failure) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, failure.code, failure.message).hint(failure.hint)
    }

    fn internal(error: &impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed on our side");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the relay could not do this")
            .hint("the relay's log says why; try again when that is put right")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::Missing { kind, .. } => {
                Self::new(StatusCode::NOT_FOUND, format!("{kind}_not_found"), detail)
                    .hint(format!("check the name; `uplinkctl {kind} list` shows what exists"))
            }
            StoreError::Exists { kind, .. } => {
                Self::new(StatusCode::CONFLICT, format!("{kind}_exists"), detail)
                    .hint("choose another name, or delete the old one first")
            }
            StoreError::InUse { kind, .. } => {
                Self::new(StatusCode::CONFLICT, format!("{kind}_in_use"), detail)
                    .hint("delete or end what uses it first")
            }
            StoreError::Step(_) => Self::new(StatusCode::CONFLICT, "run_state", detail)
                .hint("look at the run with `uplinkctl run show`"),
            StoreError::StaleLease { .. } => {
                Self::new(StatusCode::CONFLICT, "stale_lease", detail).hint("look at the run again")
            }
            StoreError::Database { .. } | StoreError::Migrate(_) | StoreError::Corrupt { .. } => {
                Self::internal(&detail)
            }
        }
    }
}

impl From<LakeError> for Problem {
    fn from(error: LakeError) -> Self {
        tracing::error!(%error, "the lake failed a request");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.code(), error.to_string())
            .hint("put right what the message names, then try again")
    }
}

impl From<EnrolError> for Problem {
    fn from(error: EnrolError) -> Self {
        let detail = error.to_string();
        let again = "make a new one with `uplinkctl uplink token` on the relay's side";
        match error {
            EnrolError::Token(error) => {
                Self::input(error.code(), detail, "copy the whole token, from `upl1.` on")
            }
            EnrolError::Unknown => Self::new(StatusCode::FORBIDDEN, "token_unknown", detail).hint(again),
            EnrolError::Foreign => Self::new(StatusCode::FORBIDDEN, "token_foreign", detail).hint(
                "give --relay the address of the relay that made it, or have a new one made on this relay",
            ),
            EnrolError::Expired(_) => Self::new(StatusCode::FORBIDDEN, "token_expired", detail).hint(again),
            EnrolError::Used(_) => Self::new(StatusCode::FORBIDDEN, "token_used", detail)
                .hint(format!("if you did not use it, revoke the agent that did; then {again}")),
            EnrolError::KeyKnown(_) => Self::new(StatusCode::CONFLICT, "key_enrolled", detail)
                .hint("the agent can run as it is; to enrol anew, use an empty state directory"),
            EnrolError::Text(_) => {
                Self::input("agent_text", detail, "set a shorter name in the agent's configuration")
            }
            EnrolError::Random => Self::internal(&detail),
            EnrolError::Store(error) => error.into(),
        }
    }
}
