//! `status`: what the running agent does now, and how its link, its runs and each Jira are.

use super::next_command;
use crate::cli::{Common, StatusFlags};
use crate::clock;
use crate::error::{EXIT_DONE, EXIT_FAILED, Error};
use crate::identity::Identity;
use crate::orders::{Pause, read_pause};
use crate::paths::Paths;
use crate::status::{self, LastError, LinkState, Reading, RunStatus, Status};
use protocol::control::{JiraHealth, JiraState};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::Duration;

/// The agent writes its status at most this often.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// Takes the cursor home and clears what was below.
const FROM_THE_TOP: &str = "\u{1b}[H\u{1b}[2J";

/// Exit code 0 means: it runs. A link that is down for now is shown and is no failure of the agent.
pub(super) async fn show(given: &StatusFlags, common: &Common, paths: &Paths) -> Result<u8, Error> {
    if !given.watch {
        return once(common, paths);
    }
    loop {
        if !common.json && std::io::stdout().is_terminal() {
            print!("{FROM_THE_TOP}");
        }
        // An agent that is being restarted comes back; watching goes on.
        if let Err(error) = once(common, paths) {
            println!("{error}");
        }
        std::io::stdout().flush().map_err(|error| Error::System {
            action: "write to standard output",
            reason: error.to_string(),
        })?;
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

fn once(common: &Common, paths: &Paths) -> Result<u8, Error> {
    let identity = Identity::require(paths)?;
    match status::read(paths)? {
        Reading::Running(status) if common.json => {
            println!("{}", json!({"running": true, "status": *status}));
            Ok(EXIT_DONE)
        }
        Reading::Running(status) => {
            // An order that cannot be read is told by the status.
            let pause = read_pause(paths).ok().flatten();
            print!("{}", text(&status, pause.as_ref(), clock::now_ms()));
            Ok(EXIT_DONE)
        }
        Reading::NotRunning(why) => {
            let enrolment = &identity.enrolment;
            if common.json {
                println!(
                    "{}",
                    json!({"running": false, "reason": why, "agent_id": enrolment.agent_id, "uplink": enrolment.uplink,
                    "relay": enrolment.relay, "fingerprint": identity.seeds.fingerprint()?})
                );
                return Ok(EXIT_FAILED);
            }
            println!(
                "Agent {} ({}) of uplink {} at {}",
                enrolment.agent_id, enrolment.name, enrolment.uplink, enrolment.relay
            );
            println!("Fingerprint: {}", identity.seeds.fingerprint()?);
            Err(Error::NotRunning(format!(
                "the agent is not running: {why}; start it with `{}`",
                next_command(common)
            )))
        }
    }
}

/// The whole status as a person reads it.
fn text(status: &Status, pause: Option<&Pause>, now_ms: i64) -> String {
    let mut lines = vec![
        format!(
            "Agent {} ({}) of uplink {}, version {}, process {}, since {}",
            status.agent_id, status.name, status.uplink, status.version, status.pid, status.started_at
        ),
        format!("Fingerprint: {}", status.fingerprint),
        format!("Link to {}: {}", status.relay, link(status)),
    ];
    match (pause, &status.halted) {
        (Some(pause), _) => {
            lines.push(format!(
                "Paused since {} by {}: {}",
                clock::text(pause.since_ms),
                pause.by,
                pause.reason
            ));
        }
        (None, Some(reason)) => lines.push(format!("No work is taken: {reason}")),
        (None, None) => {}
    }
    lines.extend(status.audit_trouble.iter().map(|reason| format!("No work is taken: {reason}")));
    if status.health.is_empty() {
        lines.push("Permitted to read: nothing".to_owned());
    }
    for jira in &status.health {
        lines.push(format!("Jira {}: {}", jira.site, health(jira, now_ms)));
        let failure = jira.failure.iter();
        lines.extend(failure.map(|it| format!("  {} [{}]; {}", it.message, it.code, it.hint)));
    }
    if status.runs.is_empty() {
        lines.push("Runs: none".to_owned());
    }
    lines.extend(status.runs.iter().map(run));
    if status.unacknowledged_bytes > 0 && !status.runs.is_empty() {
        lines.push(format!("Sent or waiting, not yet acknowledged: {} bytes", status.unacknowledged_bytes));
    }
    lines.extend(status.last_error.iter().map(|it| format!("Last error, {}", error(it))));
    lines.extend(status.earlier_errors.iter().map(|it| format!("  before, {}", error(it))));
    lines.join("\n") + "\n"
}

fn link(status: &Status) -> String {
    let state = match status.link.state {
        LinkState::Connecting => "connecting".to_owned(),
        LinkState::Up => "up".to_owned(),
        LinkState::Waiting => format!(
            "down, next attempt at {}",
            status.link.next_attempt_at.as_deref().unwrap_or("any moment")
        ),
        LinkState::Refused => match status.link.next_attempt_at.as_deref() {
            Some(at) => format!("refused by the relay until somebody acts (see below), asked again at {at}"),
            None => {
                "refused by the relay for good: enrol this agent anew, or `uplink-agent leave`".to_owned()
            }
        },
        LinkState::Stopped => "stopped".to_owned(),
    };
    let mut text = format!("{state} (since {})", status.link.since);
    if let Some(ms) = status.round_trip_ms.filter(|_| status.link.state == LinkState::Up) {
        // Writing to a text cannot fail.
        if write!(text, ", a beat and its answer take {ms} ms").is_err() {
            text.clear();
        }
    }
    text
}

fn health(jira: &JiraHealth, now_ms: i64) -> String {
    let ago = |ms: i64| format!("{} s ago", now_ms.saturating_sub(ms).max(0) / 1000);
    let answered =
        jira.answered_ms.map_or_else(|| "never answered".to_owned(), |ms| format!("answered {}", ago(ms)));
    let asked = jira.asked_ms.map_or_else(|| "not asked yet".to_owned(), |ms| format!("asked {}", ago(ms)));
    let state = match jira.state {
        JiraState::Healthy => "healthy",
        JiraState::Unhealthy => "NOT healthy",
        JiraState::Unknown => "not known",
    };
    let version = jira.version.as_ref().map(|version| format!(", version {version}")).unwrap_or_default();
    format!("{state}, {answered}, {asked}{version}")
}

fn run(run: &RunStatus) -> String {
    let (progress, rates) = (&run.progress, &run.rates);
    let total = progress.issues_total.map(|total| format!(" of {total}")).unwrap_or_default();
    format!(
        "Run {} of {} since {}: {}, {}{total} issues read ({:.0}/s), {} requests ({:.1}/s), {} bytes read ({:.0}/s), {} bytes sent ({:.0}/s)",
        run.run,
        run.connection,
        run.started_at,
        progress.phase,
        progress.issues_read,
        rates.issues,
        progress.requests,
        rates.requests,
        progress.bytes_read,
        rates.bytes_read,
        progress.bytes_sent,
        rates.bytes_sent
    )
}

fn error(error: &LastError) -> String {
    format!("{} ({}): {} [{}]", error.at, error.about, error.message, error.code)
}
