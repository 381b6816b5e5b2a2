//! `uplinkctl run ...`

use super::items;
use crate::cli::RunCommand;
use crate::client::Client;
use crate::documents::{self, LogLine, Run};
use crate::error::Error;
use crate::figures::{bytes, count, elapsed, moment_or_dash};
use crate::follow;
use crate::output::{Head, Output, clean, facts, table};
use serde_json::json;

/// Runs the command.
pub(super) async fn run(client: &Client, command: &RunCommand, output: Output) -> Result<(), Error> {
    match command {
        RunCommand::List { connection, limit } => list(client, connection.as_deref(), *limit, output).await,
        RunCommand::Show(run) => {
            let document = client.get(&["runs", &run.run], &[]).await?;
            let run: Run = documents::read(&document, &client.relay())?;
            output.answer(&document, || shown(&run))
        }
        RunCommand::Logs(run) => logs(client, &run.run, output).await,
        RunCommand::Manifest(run) => {
            let document = client.get(&["runs", &run.run, "manifest"], &[]).await?;
            output.answer(&document, || document.to_string())
        }
        RunCommand::Cancel(run) => {
            let document = client.post(&["runs", &run.run, "cancel"], &json!({})).await?;
            let state =
                document.get("state").and_then(serde_json::Value::as_str).unwrap_or("cancelled").to_owned();
            let text = if state == "cancelled" { "is cancelled" } else { "is being cancelled" };
            output.answer(&document, || format!("{} {text}.", run.run))
        }
        RunCommand::Follow(run) => {
            // Asked once before, so that a wrong id or a relay that is not there is an error and not waited for.
            client.get(&["runs", &run.run], &[]).await?;
            follow::run(client, &run.run, output).await
        }
    }
}

async fn list(client: &Client, connection: Option<&str>, limit: u32, output: Output) -> Result<(), Error> {
    let mut query = vec![("limit", limit.to_string())];
    query.extend(connection.map(|name| ("connection", name.to_owned())));
    let document = client.get(&["runs"], &query).await?;
    let runs: Vec<Run> =
        items(&document).iter().map(|run| documents::read(run, &client.relay())).collect::<Result<_, _>>()?;
    output.answer(&document, || listing(&runs))
}

async fn logs(client: &Client, run: &str, output: Output) -> Result<(), Error> {
    let mut lines = client.lines(&["runs", run, "logs"]).await?;
    while let Some(document) = lines.next().await? {
        let line: LogLine = documents::read(&document, &client.relay())?;
        output.entry(&document, || logged(&line))?;
    }
    Ok(())
}

fn logged(line: &LogLine) -> String {
    let at = moment_or_dash(line.at);
    format!("{at}  {:<5}  {}  {}", clean(&line.level), clean(&line.event), clean(&line.message))
}

fn rows_of(run: &Run) -> u64 {
    match (&run.result, &run.progress) {
        (Some(result), _) if !result.tables.is_empty() => {
            result.tables.values().map(|table| table.rows).sum()
        }
        (_, Some(progress)) => progress.rows.values().sum(),
        _ => 0,
    }
}

fn time_of(run: &Run) -> String {
    match (run.started_at, run.ended_at) {
        (Some(start), Some(end)) => elapsed(start, end),
        _ => "-".to_owned(),
    }
}

fn listing(runs: &[Run]) -> String {
    let rows: Vec<_> = runs
        .iter()
        .map(|run| {
            let created = moment_or_dash(run.created_at);
            let (connection, mode) = (run.connection.clone(), run.mode.clone());
            vec![
                run.id.clone(),
                connection,
                mode,
                run.state.clone(),
                created,
                time_of(run),
                count(rows_of(run)),
            ]
        })
        .collect();
    let text = Head::Text;
    let heads = [
        text("RUN"),
        text("CONNECTION"),
        text("LOAD"),
        text("STATE"),
        text("CREATED"),
        Head::Number("TIME"),
        Head::Number("ROWS"),
    ];
    table(&heads, &rows, "There is no run yet; start one: uplinkctl extract CONNECTION --full --follow")
}

fn shown(run: &Run) -> String {
    let progress = run.progress.clone().unwrap_or_default();
    let phase = run.phase.as_deref().filter(|phase| !phase.is_empty() && !run.has_ended());
    let mut text = facts(&[
        ("run", run.id.clone()),
        ("connection", run.connection.clone()),
        ("pool", run.pool.clone()),
        ("load", run.mode.clone()),
        ("state", phase.map_or_else(|| run.state.clone(), |phase| format!("{} ({phase})", run.state))),
        ("created", moment_or_dash(run.created_at)),
        ("started", moment_or_dash(run.started_at)),
        ("ended", moment_or_dash(run.ended_at)),
        ("time", time_of(run)),
        ("handed to an agent", format!("{} times", run.lease.unwrap_or(0))),
        ("rows", count(rows_of(run))),
        (
            "read from Jira",
            format!(
                "{} in {} requests, {} retries",
                bytes(progress.bytes_read),
                count(progress.requests),
                count(progress.retries)
            ),
        ),
        ("sent over the link", bytes(progress.bytes_sent)),
    ]);
    if let Some(error) = &run.error {
        text.push_str(&format!("\nfailed: {}\n  next: {}\n", clean(&error.message), clean(&error.hint)));
    }
    if run.result.is_some() && run.has_ended() {
        text.push('\n');
        text.push_str(&follow::summary(run));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn a_log_line_is_one_line_whatever_it_holds() {
        let line = LogLine {
            at: Some(DateTime::UNIX_EPOCH),
            level: "warn".into(),
            event: "slice_read_again".into(),
            message: "a\nb\u{1b}[0m".into(),
        };
        assert_eq!(logged(&line), "1970-01-01 00:00:00Z  warn   slice_read_again  a b [0m");
    }

    #[test]
    fn a_run_that_has_not_ended_shows_dashes_and_the_rows_so_far() {
        let mut run = Run { id: "run_1".into(), state: "running".into(), ..Run::default() };
        run.progress =
            Some(documents::Progress { rows: [("issues".to_owned(), 1200)].into(), ..Default::default() });
        let text = listing(&[run]);
        assert!(text.contains("1,200") && text.contains('-'), "{text}");
    }
}
