//! Figures for Prometheus, on a loopback port or a Unix socket, only when the configuration asks for it; without that nothing listens.
//!
//! Labels are bounded: methods and path templates are those of the closed list, sites those of the configuration, and a status is only
//! its class. The answer is the text form 0.0.4, made when it is asked for.

use crate::audit::Audit;
use crate::config::Place;
use crate::error::Error;
use crate::health::Health;
use crate::status::{Board, LinkState, Status};
use jira::RequestRecord;
use protocol::control::{JiraHealth, JiraState};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// How long a scraper may take to ask and to read.
const PATIENCE: Duration = Duration::from_secs(5);
/// A longer head is no scraper's.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// After an error of the listener itself.
const REST: Duration = Duration::from_secs(1);

/// Every metric: name, type, help with the unit.
const METRICS: [(&str, &str, &str); 14] = [
    ("uplink_agent_info", "gauge", "Always 1; the version is a label."),
    ("uplink_agent_start_time_seconds", "gauge", "When the process started, in seconds since 1970."),
    ("uplink_link_up", "gauge", "1 while the link to the relay is up."),
    ("uplink_link_round_trip_seconds", "gauge", "Time of the last beat to the relay and back, in seconds."),
    (
        "uplink_work_halted",
        "gauge",
        "1 while no work is taken: paused, outside the hours, or the audit log cannot be written.",
    ),
    ("uplink_runs", "gauge", "Runs in progress."),
    ("uplink_unacknowledged_bytes", "gauge", "Bytes of parts that the relay has not acknowledged."),
    (
        "uplink_jira_healthy",
        "gauge",
        "1 when the Jira answered lately, 0 when it did not; missing while that is not known.",
    ),
    ("uplink_jira_answered_time_seconds", "gauge", "When the Jira last answered, in seconds since 1970."),
    (
        "uplink_jira_requests_total",
        "counter",
        "Requests to Jira by method, path template and class of the status.",
    ),
    ("uplink_jira_request_seconds_total", "counter", "Time that requests to Jira took together, in seconds."),
    ("uplink_jira_bytes_total", "counter", "Bytes of Jira's answers, unpacked."),
    ("uplink_audit_lines", "counter", "Number of the last line of the audit log."),
    ("uplink_errors_total", "counter", "Errors of link and runs since the start."),
];

/// Counts requests. A clone counts together with it.
#[derive(Clone, Default)]
pub(crate) struct Counters(Arc<Mutex<BTreeMap<Labels, Sum>>>);

type Labels = (&'static str, &'static str, &'static str);

#[derive(Clone, Copy, Default)]
struct Sum {
    requests: u64,
    seconds: f64,
    bytes: u64,
}

impl Counters {
    /// A request to Jira ended.
    pub(crate) fn handle_request(&self, record: &RequestRecord) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = sums.entry((record.method, record.path, class(record.status))).or_default();
        sum.requests += 1;
        sum.seconds += record.duration.as_secs_f64();
        sum.bytes = sum.bytes.saturating_add(record.bytes);
    }
}

fn class(status: Option<u16>) -> &'static str {
    match status {
        None => "none",
        Some(200..=299) => "2xx",
        Some(300..=399) => "3xx",
        Some(400..=499) => "4xx",
        Some(_) => "5xx",
    }
}

/// What the figures are taken from.
pub(crate) struct Sources {
    pub(crate) counters: Counters,
    pub(crate) board: Board,
    pub(crate) health: Health,
    pub(crate) audit: Audit,
}

/// Listens until dropped.
///
/// # Errors
/// When the place cannot be listened on.
pub(crate) async fn serve(place: Place, sources: &Sources) -> Result<(), Error> {
    let unable =
        |error: std::io::Error| Error::System { action: "listen for metrics", reason: error.to_string() };
    match place {
        Place::Tcp(address) => {
            let listener = TcpListener::bind(address).await.map_err(unable)?;
            let address = listener.local_addr().map_err(unable)?;
            tracing::info!(event = "metrics_listening", %address, "figures for Prometheus can be read here");
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => answer(stream, sources).await,
                    Err(error) => rest(&error).await,
                }
            }
        }
        #[cfg(unix)]
        Place::Unix(path) => {
            // What a killed agent left; the state folder's lock says that no other one runs.
            drop(std::fs::remove_file(&path));
            let listener = tokio::net::UnixListener::bind(&path).map_err(unable)?;
            tracing::info!(event = "metrics_listening", address = %path.display(), "figures for Prometheus can be read here");
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => answer(stream, sources).await,
                    Err(error) => rest(&error).await,
                }
            }
        }
    }
}

async fn rest(error: &std::io::Error) {
    tracing::warn!(event = "metrics_unheard", %error, "a scraper could not be heard");
    tokio::time::sleep(REST).await;
}

/// One question and its answer; scrapers come one after the other.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, sources: &Sources) {
    let talk = async {
        let head = read_head(&mut stream).await?;
        let (status, body) = match head.split_whitespace().take(2).collect::<Vec<_>>().as_slice() {
            ["GET", "/metrics"] => ("200 OK", text(sources)),
            _ => ("404 Not Found", "the figures are at GET /metrics\n".to_owned()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.shutdown().await
    };
    match tokio::time::timeout(PATIENCE, talk).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(event = "scrape_failed", %error, "a scraper went away"),
        Err(_) => tracing::debug!(event = "scrape_failed", "a scraper was too slow"),
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            break;
        }
        head.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn text(sources: &Sources) -> String {
    let sums = sources.counters.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let audit = sources.audit.state().borrow().clone();
    let halted = audit.trouble.is_some();
    render(&sources.board.now(), &sources.health.report(), &sums, (audit.head.seq, halted))
}

/// The text form.
fn render(
    status: &Status,
    jiras: &[JiraHealth],
    sums: &BTreeMap<Labels, Sum>,
    (audit_lines, audit_halted): (u64, bool),
) -> String {
    let mut page = Page::default();
    let flag = |is: bool| f64::from(u8::from(is));
    page.value("uplink_agent_info", &[("version", &status.version)], 1.0);
    page.value("uplink_agent_start_time_seconds", &[], seconds(status.started_ms));
    page.value("uplink_link_up", &[], flag(status.link.state == LinkState::Up));
    if let Some(ms) = status.round_trip_ms {
        page.value("uplink_link_round_trip_seconds", &[], count(ms) / 1000.0);
    }
    page.value("uplink_work_halted", &[], flag(status.halted.is_some() || audit_halted));
    page.value("uplink_runs", &[], count(status.runs.len().try_into().unwrap_or(u64::MAX)));
    page.value("uplink_unacknowledged_bytes", &[], count(status.unacknowledged_bytes));
    for jira in jiras.iter().filter(|jira| jira.state != JiraState::Unknown) {
        page.value("uplink_jira_healthy", &[("site", &jira.site)], flag(jira.state == JiraState::Healthy));
    }
    for (jira, answered) in jiras.iter().filter_map(|jira| Some((jira, jira.answered_ms?))) {
        page.value("uplink_jira_answered_time_seconds", &[("site", &jira.site)], seconds(answered));
    }
    for ((method, path, class), sum) in sums {
        let labels = [("method", *method), ("path", *path), ("status", *class)];
        page.value("uplink_jira_requests_total", &labels, count(sum.requests));
        page.value("uplink_jira_request_seconds_total", &labels, sum.seconds);
        page.value("uplink_jira_bytes_total", &labels, count(sum.bytes));
    }
    page.value("uplink_audit_lines", &[], count(audit_lines));
    page.value("uplink_errors_total", &[], count(status.errors));
    page.into_text()
}

#[expect(clippy::cast_precision_loss, reason = "a figure beyond 2^53 is no longer counted one by one")]
fn count(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// Lines by metric.
#[derive(Default)]
struct Page(BTreeMap<&'static str, String>);

impl Page {
    fn value(&mut self, name: &'static str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        // Writing to a text cannot fail.
        if writeln!(self.0.entry(name).or_default(), "{name}{labels} {value}").is_err() {
            self.0.remove(name);
        }
    }

    fn into_text(mut self) -> String {
        METRICS.iter().fold(String::new(), |mut text, (name, kind, help)| {
            if let Some(lines) = self.0.remove(name) {
                text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}"));
            }
            text
        })
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out_of_their_quotes() {
        let mut page = Page::default();
        page.value("uplink_jira_healthy", &[("site", "a\"}\\\n1")], 1.0);
        assert!(page.into_text().ends_with("uplink_jira_healthy{site=\"a\\\"}\\\\\\n1\"} 1\n"));
    }

    #[test]
    fn whatever_jira_answers_there_are_few_labels() {
        let counters = Counters::default();
        for status in 100..1000 {
            counters.handle_request(&RequestRecord {
                about: "run_1".into(),
                site: "https://jira".into(),
                method: "GET",
                path: "/rest/api/2/field",
                status: Some(status),
                error: None,
                bytes: 1,
                duration: Duration::from_millis(1),
                retry: 0,
            });
        }
        assert!(counters.0.lock().unwrap().len() <= 5);
    }

    #[test]
    fn every_metric_is_documented_with_its_help() {
        let documentation = include_str!("../../docs/logs.md");
        for (name, kind, help) in METRICS {
            assert!(
                documentation.contains(&format!("| `{name}` | {kind} | {help} |")),
                "{name} in docs/logs.md"
            );
        }
    }
}
