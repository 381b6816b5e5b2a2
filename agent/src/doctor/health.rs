//! The relay's public health document over a line that is there already: it shows that plain HTTP reaches a relay, and what time it
//! is there.

use crate::relay_address::RelayAddress;
use bytes::Bytes;
use chrono::DateTime;
use http::header::{DATE, HOST};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// The document is far shorter; a web page is told by its beginning.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What answered to a plain request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// What the answer is.
    pub(super) kind: Kind,
    /// The answer's own time, milliseconds since 1970.
    pub(super) date_ms: Option<i64>,
}

/// What an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A relay's health document, with the relay's version.
    Relay { version: String },
    /// A page for people, with its title.
    WebPage { title: String },
    /// Where it sends to.
    Redirect { target: String },
    /// Something else.
    Other,
}

#[derive(Deserialize)]
struct Health {
    status: String,
    version: String,
}

/// Asks for the document.
///
/// # Errors
/// Why no answer came, in words.
pub(super) async fn ask<S>(stream: S, relay: &RelayAddress, limit: Duration) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match tokio::time::timeout(limit, exchange(stream, relay)).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer came within {} ms", limit.as_millis())),
    }
}

async fn exchange<S>(
    stream: S,
    relay: &RelayAddress,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let path = relay.call("https", "/v1/health");
    let path = path.parse::<http::Uri>()?.path().to_owned();
    let request = Request::get(path).header(HOST, relay.authority()).body(Empty::<Bytes>::new())?;
    let asked = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map(|whole| whole.to_bytes());
        Ok::<_, hyper::Error>((Response::from_parts(head, ()), body.unwrap_or_default()))
    };
    // The connection moves while the answer is awaited; how it ends afterwards is of no interest.
    let (answer, _) = tokio::join!(asked, connection);
    let (head, body) = answer?;
    Ok(judge(&head, &body))
}

fn judge(head: &Response<()>, body: &[u8]) -> Answer {
    let text = |name: http::HeaderName| head.headers().get(name).and_then(|value| value.to_str().ok());
    let date_ms = text(DATE).and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let kind = match (head.status(), serde_json::from_slice::<Health>(body)) {
        (StatusCode::OK, Ok(health)) if matches!(health.status.as_str(), "ok" | "draining") => {
            Kind::Relay { version: safe(&health.version) }
        }
        (status, _) if status.is_redirection() => {
            Kind::Redirect { target: safe(text(http::header::LOCATION).unwrap_or_default()) }
        }
        _ => match title(body) {
            Some(title) => Kind::WebPage { title },
            None => Kind::Other,
        },
    };
    Answer { status: head.status().as_u16(), kind, date_ms: date_ms.map(|date| date.timestamp_millis()) }
}

/// The title of a web page; `None` when it is none.
fn title(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let lower = text.to_ascii_lowercase();
    if !["<html", "<!doctype html", "<head", "<title"].iter().any(|mark| lower.contains(mark)) {
        return None;
    }
    let inside = lower.split_once("<title").and_then(|(before, rest)| {
        let begin = before.len() + "<title".len() + rest.find('>')? + 1;
        let end = begin + lower.get(begin..)?.find("</title")?;
        text.get(begin..end)
    });
    Some(safe(inside.unwrap_or_default().trim()))
}

/// Foreign text, safe to show.
fn safe(text: &str) -> String {
    crate::policy::shortened_line(text).chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, header: (&str, &str), body: &str) -> Answer {
        let head = Response::builder().status(status).header(header.0, header.1).body(()).unwrap();
        judge(&head, body.as_bytes())
    }

    #[test]
    fn only_a_relays_document_is_a_relay() {
        let relay = r#"{"status":"ok","version":"0.1.0","time":"x"}"#;
        let kind = |status, body| answer(status, ("x", "y"), body).kind;
        assert_eq!(kind(200, relay), Kind::Relay { version: "0.1.0".to_owned() });
        assert_eq!(kind(503, relay), Kind::Other);
        assert_eq!(kind(200, r#"{"status":"UP"}"#), Kind::Other);
        assert_eq!(kind(200, r#"{"status":"green","version":"7"}"#), Kind::Other);
        assert_eq!(kind(200, "ok"), Kind::Other);
    }

    #[test]
    fn web_pages_are_told_by_their_title_and_redirects_by_their_target() {
        let page = "<!DOCTYPE html><html><head><TITLE lang=en>\n Guest \u{7}Wi-Fi </TITLE></head></html>";
        assert_eq!(answer(200, ("x", "y"), page).kind, Kind::WebPage { title: "Guest Wi-Fi".to_owned() });
        assert_eq!(answer(403, ("x", "y"), "<html>no").kind, Kind::WebPage { title: String::new() });
        let target = "https://portal.corp/login".to_owned();
        assert_eq!(answer(302, ("location", &target), page).kind, Kind::Redirect { target: target.clone() });
    }

    #[test]
    fn the_date_of_an_answer_is_read() {
        let at = answer(404, ("date", "Sun, 06 Nov 1994 08:49:37 GMT"), "").date_ms;
        assert_eq!(at, Some(784_111_777_000));
        assert_eq!(answer(404, ("date", "soon"), "").date_ms, None);
    }
}
