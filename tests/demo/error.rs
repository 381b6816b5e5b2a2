//! Why the demo stopped, with the log of the process concerned.

use std::path::PathBuf;
use std::process::ExitStatus;

/// Lines of a log that are shown.
const LOG_LINES: usize = 15;

/// Why the demo stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The system refuses something basic.
    #[error("the system refuses: {0}")]
    System(String),
    /// Cargo failed; it has said why.
    #[error("the programs did not build ({0}); the lines above say why")]
    Build(String),
    /// The folder cannot be used.
    #[error("the folder {} cannot be used: {reason}", path.display())]
    Folder { path: PathBuf, reason: String },
    /// A program does not start.
    #[error("{program} does not start: {reason}")]
    Start { program: String, reason: String },
    /// A program ended that should go on.
    #[error("{program} ended too early ({status})")]
    Ended { program: &'static str, status: String, log: PathBuf },
    /// A program did not get ready.
    #[error("{program} was not ready in time: {awaited}")]
    NotReady { program: &'static str, awaited: String, log: PathBuf },
    /// A command of the tour failed; it has said why.
    #[error("`{command}` failed ({status}); the lines above say why")]
    Command { command: String, status: ExitStatus, logs: Vec<PathBuf> },
    /// A command printed something else than expected.
    #[error("`{command}` printed something unexpected: {reason}")]
    Printed { command: String, reason: String },
    /// The simulator's control interface failed.
    #[error("the simulated Jira did not {action}: {reason}")]
    Simulator { action: String, reason: String, log: PathBuf },
    /// The tables are wrong.
    #[error("the tables do not hold what Jira holds: {0}")]
    Wrong(String),
    /// Ctrl-C.
    #[error("stopped; every process that the demo started is stopped too")]
    Interrupted,
}

impl DemoError {
    /// The ends of the logs that say more.
    pub(crate) fn logs(&self) -> String {
        let paths = match self {
            Self::Ended { log, .. } | Self::NotReady { log, .. } | Self::Simulator { log, .. } => {
                std::slice::from_ref(log)
            }
            Self::Command { logs, .. } => logs.as_slice(),
            Self::System(_) | Self::Build(_) | Self::Folder { .. } | Self::Start { .. } => &[],
            Self::Printed { .. } | Self::Wrong(_) | Self::Interrupted => &[],
        };
        paths.iter().map(end_of).collect()
    }
}

fn end_of(path: &PathBuf) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    if text.trim().is_empty() {
        return String::new();
    }
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
    format!("\nThe end of {}:\n{}\n", path.display(), last.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_log_is_shown_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("agent.log");
        let lines: Vec<String> = (0..40).map(|n| format!("line {n}")).collect();
        std::fs::write(&log, lines.join("\n")).unwrap();
        let shown =
            DemoError::Ended { program: "uplink-agent", status: "exit code 1".into(), log: log.clone() }
                .logs();
        assert!(
            shown.contains(&log.display().to_string())
                && shown.contains("line 39")
                && !shown.contains("line 24"),
            "{shown}"
        );
    }
}
