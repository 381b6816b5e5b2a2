//! What a finished run brought: a line a table, then the totals, the watermark and every warning.

use crate::documents::{Run, RunResult, TableResult};
use crate::figures::{bytes, count, count_or_dash, elapsed, moment_or_dash, percent};
use crate::output::{Head, clean, table};

/// The report of a finished run.
pub(crate) fn summary(run: &Run) -> String {
    let result = run.result.clone().unwrap_or_default();
    let mut text = tables(run, &result);
    text.push_str("\n\n");
    text.push_str(&totals(run, &result));
    text.push_str(&warnings(&result));
    text.push_str(&policy(&result));
    text
}

fn tables(run: &Run, result: &RunResult) -> String {
    let is_delta = run.mode == "delta";
    let mut heads = vec![Head::Text("TABLE"), Head::Number(if is_delta { "ROWS READ" } else { "ROWS" })];
    if is_delta {
        heads.push(Head::Number("ROWS NOW"));
    }
    heads.extend([Head::Number("COLUMNS"), Head::Number("FROM JIRA"), Head::Number("OVER THE LINK")]);
    let rows: Vec<_> = result
        .tables
        .iter()
        .map(|(name, table)| {
            let mut row = vec![name.clone(), count(table.rows)];
            if is_delta {
                row.push(count_or_dash(table.rows_after));
            }
            row.extend([count(table.columns), from_jira(table), bytes(table.bytes_sent)]);
            row
        })
        .collect();
    table(&heads, &rows, "The run touched no table.")
}

/// What is made from issues comes on the pages of `issues`, where their bytes are counted.
fn from_jira(table: &TableResult) -> String {
    let on_issue_pages = table.bytes_read == 0 && table.rows > 0;
    if on_issue_pages { "with issues".to_owned() } else { bytes(table.bytes_read) }
}

fn totals(run: &Run, result: &RunResult) -> String {
    let progress = run.progress.clone().unwrap_or_default();
    let rows: u64 = result.tables.values().map(|table| table.rows).sum();
    let read = progress.bytes_read.max(result.tables.values().map(|table| table.bytes_read).sum());
    let sent = progress.bytes_sent.max(result.tables.values().map(|table| table.bytes_sent).sum());
    let time = match (run.started_at.or(run.created_at), run.ended_at) {
        (Some(start), Some(end)) => format!(" in {}", elapsed(start, end)),
        _ => String::new(),
    };
    let share = percent(sent, read).map(|share| format!(" ({share})")).unwrap_or_default();
    format!(
        "{} {}: {} rows{time}; {} from Jira in {} requests ({} retries), {} over the link{share}.\nComplete up to {}.\n",
        run.id,
        run.state,
        count(rows),
        bytes(read),
        count(progress.requests),
        count(progress.retries),
        bytes(sent),
        moment_or_dash(result.watermark),
    )
}

fn warnings(result: &RunResult) -> String {
    if result.warnings.is_empty() {
        return "No warning: Jira withheld nothing that it admits.\n".to_owned();
    }
    let lines = result.warnings.iter().map(|warning| {
        format!(
            "warning: {} ({} times; {})\n",
            clean(&warning.message),
            count(warning.count),
            clean(&warning.code)
        )
    });
    lines.collect()
}

/// What the premises took away is no loss but a decision, and is told apart from warnings.
fn policy(result: &RunResult) -> String {
    let lines = result.policy.iter().map(|note| {
        format!(
            "policy of the premises: {} ({}; {})\n",
            clean(&note.message),
            count(note.count),
            clean(&note.code)
        )
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Progress, Warning};
    use chrono::{TimeDelta, Utc};

    fn finished(mode: &str) -> Run {
        let start = chrono::DateTime::<Utc>::UNIX_EPOCH;
        let table = |rows, rows_after, bytes_read| TableResult {
            rows,
            columns: 52,
            rows_after: Some(rows_after),
            bytes_read,
            bytes_sent: 3_000_000,
        };
        let result = RunResult {
            tables: [
                ("issue_links".to_owned(), table(7, 90, 0)),
                ("issues".to_owned(), table(20_000, 20_100, 45_600_000)),
            ]
            .into(),
            watermark: Some(start),
            warnings: vec![],
            policy: vec![],
        };
        Run {
            id: "run_3".into(),
            mode: mode.into(),
            state: "succeeded".into(),
            started_at: Some(start),
            ended_at: Some(start + TimeDelta::milliseconds(42_100)),
            progress: Some(Progress { requests: 240, retries: 2, ..Progress::default() }),
            result: Some(result),
            ..Run::default()
        }
    }

    #[test]
    fn a_full_load_shows_rows_columns_and_bytes_of_each_table() {
        let text = summary(&finished("full"));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines[0].split_whitespace().collect::<Vec<_>>().join(" "),
            "TABLE ROWS COLUMNS FROM JIRA OVER THE LINK"
        );
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>().join(" "),
            "issue_links 7 52 with issues 3.00 MB"
        );
        assert_eq!(
            lines[2].split_whitespace().collect::<Vec<_>>().join(" "),
            "issues 20,000 52 45.6 MB 3.00 MB"
        );
        assert_eq!(
            lines[4],
            "run_3 succeeded: 20,007 rows in 42.1 s; 45.6 MB from Jira in 240 requests (2 retries), 6.00 MB over the link (13.2 %)."
        );
        assert_eq!(lines[5], "Complete up to 1970-01-01 00:00:00Z.");
        assert!(lines[6].starts_with("No warning"));
    }

    #[test]
    fn a_delta_load_shows_what_was_read_and_what_the_table_holds_now() {
        let text = summary(&finished("delta"));
        assert!(text.contains("ROWS READ") && text.contains("ROWS NOW") && text.contains("20,100"), "{text}");
    }

    #[test]
    fn what_the_premises_took_away_is_shown_as_their_decision() {
        let mut run = finished("full");
        if let Some(result) = &mut run.result {
            let (code, message) = ("policy_columns_hashed".into(), "columns of users were hashed".into());
            result.policy.push(Warning { code, message, count: 4 });
        }
        let text = summary(&run);
        assert!(
            text.contains("policy of the premises: columns of users were hashed (4; policy_columns_hashed)"),
            "{text}"
        );
        assert!(text.contains("No warning"), "{text}");
    }

    #[test]
    fn every_warning_is_shown_with_its_count() {
        let mut run = finished("full");
        if let Some(result) = &mut run.result {
            result.warnings.push(Warning {
                code: "worklogs_hidden".into(),
                message: "Jira hid worklogs".into(),
                count: 1200,
            });
        }
        assert!(summary(&run).contains("warning: Jira hid worklogs (1,200 times; worklogs_hidden)"));
    }
}
