//! An answer before it is put on the wire.

use serde_json::{Value, json};

/// Status, headers and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

const JSON: &str = "application/json;charset=UTF-8";
const HTML: &str = "text/html;charset=UTF-8";

impl Reply {
    pub(crate) fn json_bytes(status: u16, body: Vec<u8>) -> Self {
        Self { status, content_type: JSON, headers: Vec::new(), body }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::json_bytes(status, body.to_string().into_bytes())
    }

    pub(crate) fn html(status: u16, body: String) -> Self {
        Self { status, content_type: HTML, headers: Vec::new(), body: body.into_bytes() }
    }

    pub(crate) fn typed(status: u16, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into_bytes() }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, content_type: "", headers: Vec::new(), body: Vec::new() }
    }

    /// Jira's error object.
    pub(crate) fn errors(status: u16, messages: &[String]) -> Self {
        Self::json(status, &json!({ "errorMessages": messages, "errors": {} }))
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::errors(status, &[message.to_owned()])
    }

    /// An error object of Cloud's without `errors`.
    pub(crate) fn errors_only(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "errorMessages": [message] }))
    }

    /// The 404 of a path that no resource has.
    pub(crate) fn unknown_path() -> Self {
        Self::json(404, &json!({ "message": "HTTP 404 Not Found", "status-code": 404, "sub-code": -1 }))
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn is_json(&self) -> bool {
        self.content_type == JSON
    }
}
