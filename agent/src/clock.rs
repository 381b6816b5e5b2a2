//! Wall-clock time as the agent writes it.

use chrono::{DateTime, SecondsFormat, Utc};

/// UTC milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    Utc::now().timestamp_millis()
}

/// A time for people and files: RFC 3339, UTC, seconds.
pub(crate) fn text(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}
