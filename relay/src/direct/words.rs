//! The engine's figures and failures in the words of the wire, which the relay stores and shows whoever read.

use jira::{Dialect, Phase, Summary};
use protocol::control::{Failure, Progress, RunResult, RunWarning, TableResult};
use std::collections::BTreeMap;

/// How far a run is.
pub(super) fn progress(engine: &jira::Progress, bytes_landed: u64) -> Progress {
    Progress {
        phase: phase(engine.phase).to_owned(),
        issues_total: engine.issues_total,
        issues_read: engine.issues_read,
        rows: engine.rows.clone(),
        requests: engine.requests,
        retries: engine.retries,
        bytes_read: engine.bytes_read,
        bytes_sent: bytes_landed,
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

/// What a finished run read; the last progress is brought up to it.
pub(super) fn result(summary: Summary, landed: &BTreeMap<String, u64>, mut last: Progress) -> RunResult {
    last.rows.clone_from(&summary.rows);
    (last.requests, last.retries, last.bytes_read) = (summary.requests, summary.retries, summary.bytes_read);
    last.in_flight = 0;
    last.issues_read = last.issues_read.max(summary.rows.get("issues").copied().unwrap_or_default());
    let figure =
        |figures: &BTreeMap<String, u64>, table: &str| figures.get(table).copied().unwrap_or_default();
    let tables = summary.rows.iter().filter(|(table, _)| !table.starts_with('_')).map(|(table, rows)| {
        let read = TableResult {
            rows: *rows,
            columns: figure(&summary.columns, table),
            bytes_read: figure(&summary.bytes_by_table, table),
            bytes_sent: figure(landed, table),
        };
        (table.clone(), read)
    });
    RunResult {
        tables: tables.collect(),
        watermark_ms: summary.watermark.map(jira::Watermark::epoch_ms),
        issues_counted: summary.issues_total,
        warnings: summary.warnings.into_iter().map(warning).collect(),
        policy: Vec::new(),
        progress: last,
    }
}

fn warning(it: jira::Warning) -> RunWarning {
    RunWarning { code: it.code, message: it.message, count: it.count }
}

/// The engine's error for a person: what failed and why is its text, the hint is the next step.
pub(super) fn failure(error: &jira::Error) -> Failure {
    let hint = match error.code() {
        "login_refused" | "login_anonymous" | "login_changed" => {
            "check account and token in a browser, then give them again: `uplinkctl connection update NAME --username ACCOUNT --api-token-stdin`"
        }
        "login_passwords_off" => {
            "create a personal access token as this account in Jira, then give it: `uplinkctl connection update NAME --api-token-stdin`"
        }
        "tls_untrusted" => {
            "give the authority of Jira's certificate: `uplinkctl connection update NAME --jira-ca FILE`"
        }
        "wrong_context_path" => "give the whole address: `uplinkctl connection update NAME --url URL`",
        "unreachable" => {
            "check that the relay's machine reaches this address; behind a firewall read it through an uplink"
        }
        "cancelled" => "start the extraction again when it is wanted",
        _ if error.is_retryable_later() => "the same extraction may succeed later",
        _ => "trying again without a change will fail again",
    };
    Failure { code: error.code().to_owned(), message: error.to_string(), hint: hint.to_owned() }
}

/// The kind of Jira as a test reports it.
pub(super) fn deployment(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Server | Dialect::DataCenter => "server",
        Dialect::Cloud => "cloud",
    }
}
