//! What a caller sends, parsed with errors that name the member, and never logged: a body may hold what should not be in it.

use super::problem::Problem;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use chrono::{DateTime, NaiveDate, Utc};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Longest name of a pool, uplink or connection.
const NAME_BYTES_MAX: usize = 63;
/// Members that would carry a secret in the clear.
const SECRETS: [&str; 7] = ["password", "secret", "api_token", "apitoken", "token", "passwd", "credentials"];

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

/// A query string.
pub(super) struct Params<T>(pub(super) T);

/// Pieces of the path.
pub(super) struct Place<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        parse(&read(request, state).await?).map(Self)
    }
}

/// The bytes of a body, bounded.
pub(super) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        Problem::new(rejection.status(), "body_unreadable", rejection.body_text())
            .hint("send one JSON document of at most 1 MiB")
    })
}

/// The document in a body.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_json", format!("the body is no JSON document: {error}"))
            .hint("send one JSON document")
    })?;
    refuse_secrets(&value)?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!(" at `{path}`") };
        Problem::input(
            "bad_member",
            format!("the body is wrong{place}: {}", error.inner()),
            "send the members that the API names",
        )
    })
}

fn refuse_secrets(value: &Value) -> Result<(), Problem> {
    let Some(members) = value.as_object() else { return Ok(()) };
    let found = members.keys().find(|key| SECRETS.contains(&key.to_ascii_lowercase().as_str()));
    match found {
        Some(key) => Err(Problem::input(
            "secret_in_clear",
            format!("`{key}` must not be sent to the relay, which never sees a password"),
            "use `uplinkctl connection create`, which seals the secret to the agents; then change this password",
        )),
        None => Ok(()),
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(params)| Self(params)).map_err(|rejection| {
            Problem::new(rejection.status(), "bad_query", rejection.body_text())
                .hint("check the part of the address behind the question mark")
        })
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Place<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(place)| Self(place)).map_err(|rejection| {
            Problem::new(rejection.status(), "bad_path", rejection.body_text()).hint("check the address")
        })
    }
}

/// A name that can also be a folder of the lake on any system.
pub(super) fn check_name(kind: &str, name: &str) -> Result<(), Problem> {
    let starts = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    if starts && name.len() <= NAME_BYTES_MAX && name.bytes().all(plain) {
        return Ok(());
    }
    let detail = format!("`{}` cannot be the name of {kind}", name.escape_debug());
    let hint = "a name starts with a small letter or digit and holds only small letters, digits, `-` and `_`, 63 at most";
    Err(Problem::input("bad_name", detail, hint))
}

/// A time as people write it: `2026-01-31`, `2026-01-31T12:00:00Z`. Gives UTC milliseconds.
pub(super) fn time_ms(member: &'static str, text: &str) -> Result<i64, Problem> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    let day = day.map(|time| time.and_utc());
    let time = day.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc)));
    time.map(|time| time.timestamp_millis()).ok_or_else(|| {
        Problem::input(
            "bad_time",
            format!("`{member}` is no time: `{}`", text.escape_debug()),
            "write a day like 2026-01-31 (UTC) or a time like 2026-01-31T12:00:00Z",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folders_everywhere() {
        for good in ["sales", "0", "a-b_c", &"x".repeat(63)] {
            assert!(check_name("a pool", good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "Sales", "a/b", "..", "a b", "é", &"x".repeat(64)] {
            assert!(check_name("a pool", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn days_and_times_are_read_as_utc() {
        assert_eq!(time_ms("created_from", "1970-01-02").unwrap(), 86_400_000);
        assert_eq!(time_ms("created_from", "1970-01-01T01:00:00+01:00").unwrap(), 0);
        assert!(time_ms("created_from", "yesterday").is_err());
    }
}
