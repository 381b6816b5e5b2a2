//! Cloud's rate limit: headers on normal answers, and the 429 in its several forms.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::Inner;
use super::super::limiter::Verdict;
use crate::jira_sim::reply::Reply;

/// The reason of the limit on bursts, the only one for API tokens.
const BURST: &str = "jira-burst-based";

/// The headers of an answer that the limit lets pass.
pub(super) fn normal(reply: Reply, verdict: Verdict) -> Reply {
    let near = verdict.remaining * 5 < verdict.limit.tokens;
    reply
        .header("x-ratelimit-limit", verdict.limit.tokens.to_string())
        .header("x-ratelimit-remaining", verdict.remaining.to_string())
        .header("x-ratelimit-nearlimit", near.to_string())
}

/// The answer to a request too many.
pub(super) fn exceeded(inner: &Inner, verdict: Verdict) -> Reply {
    let reply = refusal(inner, Some(verdict.retry_after_seconds), BURST, false);
    reply.header("x-ratelimit-limit", verdict.limit.tokens.to_string()).header("x-ratelimit-remaining", "0")
}

/// A 429, as JSON or as the page of the edge; without `Retry-After` where the header is lost.
pub(crate) fn refusal(inner: &Inner, retry_after_seconds: Option<u64>, reason: &str, html: bool) -> Reply {
    let mut reply = if html {
        Reply::html(429, PAGE.to_owned())
    } else {
        let messages = ["The request has been rate-limited. Please try again later."];
        Reply::json(429, &json!({ "errorMessages": messages, "errors": {}, "status": 429 }))
    };
    if !reason.is_empty() {
        reply = reply.header("ratelimit-reason", reason);
    }
    let Some(seconds) = retry_after_seconds else { return reply };
    let ms = inner.clock.now_ms() + i64::try_from(seconds).unwrap_or(0) * 1000;
    let reset = DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default();
    reply
        .header("retry-after", seconds.to_string())
        .header("x-ratelimit-reset", reset.format("%Y-%m-%dT%H:%MZ").to_string())
}

const PAGE: &str = "<!DOCTYPE html><html lang=\"en\"><head><title>Oops - an error has occurred</title></head><body class=\" error-page error429\"></body></html>";
