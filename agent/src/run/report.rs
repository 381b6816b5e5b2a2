//! The engine's figures and failures in the words of the wire.

use crate::policy::Decision;
use jira::{Phase, Summary};
use protocol::control::{Failure, Progress, RunResult, RunWarning, TableResult};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Kinds of warnings that one result names; with [`MAX_WARNING_CHARS`] they fit a control message.
const MAX_WARNINGS: usize = 200;
/// Characters of one warning.
const MAX_WARNING_CHARS: usize = 300;

/// How far a run is, as the relay shows it.
pub(super) fn progress(engine: &jira::Progress, bytes_sent: u64) -> Progress {
    Progress {
        phase: phase(engine.phase).to_owned(),
        issues_total: engine.issues_total,
        issues_read: engine.issues_read,
        rows: engine.rows.clone(),
        requests: engine.requests,
        retries: engine.retries,
        bytes_read: engine.bytes_read,
        bytes_sent,
        in_flight: engine.in_flight,
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::LoggingIn => "login",
        Phase::Reading => "issues",
        Phase::CatchingUp => "catch_up",
        Phase::Proving => "proof",
    }
}

/// Brings the last figures up to the result: the engine leaves some out when its caller is slow.
pub(super) fn complete(progress: &mut Progress, summary: &Summary) {
    progress.rows.clone_from(&summary.rows);
    progress.requests = summary.requests;
    progress.retries = summary.retries;
    progress.bytes_read = summary.bytes_read;
    progress.in_flight = 0;
    let read = summary.rows.get("issues").copied().or(progress.issues_total).unwrap_or_default();
    progress.issues_read = progress.issues_read.max(read);
    progress.issues_total = progress.issues_total.map(|total| total.min(progress.issues_read));
}

/// What a finished run read.
pub(super) fn result(
    summary: &Summary,
    bytes_sent: &BTreeMap<String, u64>,
    last: &Progress,
    decisions: &[Decision],
) -> RunResult {
    let (policy, warned): (Vec<jira::Warning>, Vec<jira::Warning>) =
        summary.warnings.iter().cloned().partition(jira::Warning::is_policy);
    // The line that a rule stands on stays on the premises.
    let decided = decisions.iter().map(|decision| jira::Warning {
        code: decision.code.clone(),
        message: decision.message.clone(),
        count: decision.count,
    });
    let policy: Vec<jira::Warning> = decided.chain(policy).collect();
    let figure =
        |figures: &BTreeMap<String, u64>, table: &str| figures.get(table).copied().unwrap_or_default();
    let real = summary.rows.iter().filter(|(table, _)| !table.starts_with('_'));
    let tables = real.map(|(table, rows)| {
        let read = TableResult {
            rows: *rows,
            columns: figure(&summary.columns, table),
            bytes_read: figure(&summary.bytes_by_table, table),
            bytes_sent: figure(bytes_sent, table),
        };
        (table.clone(), read)
    });
    RunResult {
        tables: tables.collect(),
        watermark_ms: summary.watermark.as_ref().map(|watermark| watermark.until.timestamp_millis()),
        issues_counted: summary.issues_total,
        warnings: warnings(&warned),
        policy: warnings(&policy),
        progress: last.clone(),
    }
}

/// All kinds of warnings, up to what fits one message; the rest is counted together.
fn warnings(all: &[jira::Warning]) -> Vec<RunWarning> {
    let wire = |warning: &jira::Warning| RunWarning {
        code: warning.code.clone(),
        message: warning.message.chars().take(MAX_WARNING_CHARS).collect(),
        count: warning.count,
    };
    let mut told: Vec<RunWarning> = all.iter().take(MAX_WARNINGS).map(wire).collect();
    let rest = all.get(MAX_WARNINGS..).unwrap_or_default();
    if !rest.is_empty() {
        told.push(RunWarning {
            code: "further_warnings".to_owned(),
            message: format!("warnings of {} further kinds; the agent's log has them", rest.len()),
            count: rest.iter().fold(0, |sum, warning| sum.saturating_add(warning.count)),
        });
    }
    told
}

/// The engine's error for a person: what failed and why is its text, the hint is the next step.
pub(crate) fn failure_of(error: &jira::Error) -> Failure {
    Failure { code: error.code().to_owned(), message: error.to_string(), hint: hint(error).to_owned() }
}

fn hint(error: &jira::Error) -> &'static str {
    match error.code() {
        "login_refused" | "login_changed" => {
            "check the account in a browser, then give the right password with `uplinkctl connection update NAME --password-stdin`"
        }
        "login_passwords_off" => {
            "create a personal access token as this account in Jira, then give it with `uplinkctl connection update NAME --api-token-stdin`"
        }
        "login_captcha" => {
            "log in once as this account in a browser and answer the CAPTCHA, then extract again; a personal access token is not subject to it"
        }
        "login_anonymous" | "login_sso" => {
            "use an address of Jira that the single sign-on leaves to REST, or a personal access token (`uplinkctl connection update NAME --api-token-stdin`)"
        }
        "wrong_context_path" => {
            "give the whole address with `uplinkctl connection update NAME --url` and permit it on the premises with --allow-jira"
        }
        "masks_differ" => "extract again; the premises see the key with `uplink-agent mask-key show`",
        "tls_untrusted" => "name the authority of Jira's certificate on the premises with `--jira-ca FILE`",
        "unreachable" => "check from the agent's machine that this address answers, then extract again",
        _ if error.is_retryable_later() => "the same extraction may succeed later",
        _ => "trying again without a change will fail again",
    }
}

/// A run that was stopped on request.
pub(crate) fn cancelled() -> Failure {
    Failure {
        code: "cancelled".to_owned(),
        message: "the run was cancelled".to_owned(),
        hint: "start the extraction again when it is wanted".to_owned(),
    }
}

/// A rule between engine, agent and relay was broken.
pub(crate) fn broken(reason: &str) -> Failure {
    Failure {
        code: "internal".to_owned(),
        message: format!("the run cannot be proven complete: {reason}"),
        hint: "run it again; if it fails in the same way, report it with the agent's log".to_owned(),
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        if write!(text, "{byte:02x}").is_err() {
            text.clear();
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_lower_case_hex() {
        assert_eq!(hex(&[0, 15, 255]), "000fff");
    }

    #[test]
    fn the_last_figures_are_those_of_the_result() {
        let mut progress =
            Progress { issues_total: Some(3000), issues_read: 2504, in_flight: 2, ..Progress::default() };
        let rows = BTreeMap::from([("issues".to_owned(), 3000_u64)]);
        complete(&mut progress, &Summary { rows, requests: 65, ..Summary::default() });
        assert_eq!(
            (progress.issues_total, progress.issues_read, progress.in_flight, progress.requests),
            (Some(3000), 3000, 0, 65)
        );
    }

    #[test]
    fn no_warning_is_lost_when_there_are_many() {
        let warning =
            |n: usize| jira::Warning { code: format!("code_{n}"), message: "m".repeat(999), count: 2 };
        let told = warnings(&(0..MAX_WARNINGS + 5).map(warning).collect::<Vec<_>>());
        assert_eq!(told.len(), MAX_WARNINGS + 1);
        assert_eq!(told.last().unwrap().count, 10);
        assert_eq!(told.iter().map(|warning| warning.count).sum::<u64>(), 2 * (200 + 5));
        assert!(serde_json::to_string(&told).unwrap().len() < 200 << 10);
    }
}
