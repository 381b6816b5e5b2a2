//! Watching a run until it ends, through restarts of the relay.

mod display;
mod summary;
mod view;

pub(crate) use summary::summary;

use crate::client::Client;
use crate::documents::{self, Run};
use crate::error::Error;
use crate::output::Output;
use display::Display;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// First pause before a broken stream is opened again; it doubles up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a relay may be away before following is given up; the run itself does not need us.
const AWAY_MAX: Duration = Duration::from_secs(600);

/// Shows the progress of a run until it ends; fails when the run does.
pub(crate) async fn run(client: &Client, id: &str, output: Output) -> Result<(), Error> {
    let mut display = Display::new(output);
    let last = tokio::select! {
        last = watch(client, id, &mut display) => last,
        _ = tokio::signal::ctrl_c() => Err(Error::Interrupted { run: id.to_owned() }),
    };
    display.close();
    let run = last?;
    if run.state != "succeeded" {
        return Err(ended(run));
    }
    if output.is_json() { Ok(()) } else { output.line(summary(&run).trim_end()) }
}

fn ended(run: Run) -> Error {
    let failure = run.error.unwrap_or_default();
    let message =
        if failure.message.is_empty() { "no reason is recorded".to_owned() } else { failure.message };
    let message = if run.state == "cancelled" {
        "somebody asked for it; what the tables held before is untouched".to_owned()
    } else {
        message
    };
    Error::RunEnded { run: run.id, state: run.state, message, hint: Some(failure.hint) }
}

async fn watch(client: &Client, id: &str, display: &mut Display) -> Result<Run, Error> {
    let mut pause = PAUSE_FIRST;
    let mut heard = Instant::now();
    loop {
        match stream(client, id, display, &mut heard).await {
            Ok(Some(run)) => return Ok(run),
            Ok(None) => pause = PAUSE_FIRST,
            Err(error) if error.is_passing() && heard.elapsed() < AWAY_MAX => {
                display.notice(&format!("{error}; {id} does not need this program, trying again"));
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Reads one stream: the run when it ended, `None` when the stream did.
async fn stream(
    client: &Client,
    id: &str,
    display: &mut Display,
    heard: &mut Instant,
) -> Result<Option<Run>, Error> {
    let mut lines = client.lines(&["runs", id, "follow"]).await?;
    while let Some(document) = lines.next().await? {
        *heard = Instant::now();
        let run = shown(&document, client, display)?;
        if run.has_ended() {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

fn shown(document: &Value, client: &Client, display: &mut Display) -> Result<Run, Error> {
    let run: Run = documents::read(document, &client.relay())?;
    display.show(document, &run)?;
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Failure;

    #[test]
    fn a_failed_run_ends_with_its_own_reason_and_hint() {
        let failure = Failure {
            code: "login_refused".into(),
            message: "Jira refused the password".into(),
            hint: "set it".into(),
        };
        let error =
            ended(Run { id: "run_2".into(), state: "failed".into(), error: Some(failure), ..Run::default() });
        assert_eq!(
            error.render("follow run_2"),
            "uplinkctl: run_2 failed: Jira refused the password\n  next: set it\n"
        );
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn a_cancelled_run_is_no_success() {
        let error = ended(Run { id: "run_2".into(), state: "cancelled".into(), ..Run::default() });
        assert!(error.to_string().starts_with("run_2 cancelled"));
    }
}
