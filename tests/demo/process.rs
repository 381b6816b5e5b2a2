//! Child processes: the ones that go on until the demo ends, and commands of the tour.

use crate::error::DemoError;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// Longest wait for a process to get ready; a site of many issues takes a while to generate.
const READY_WAIT: Duration = Duration::from_secs(180);

/// A process that goes on in the background; killed when dropped.
pub(crate) struct Background {
    name: &'static str,
    child: Child,
    log: PathBuf,
    drain: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts a program whose standard error goes to a log file, and its standard output too.
    pub(crate) fn start(name: &'static str, mut command: Command, log: PathBuf) -> Result<Self, DemoError> {
        let output = append(&log)?;
        command.stdout(Stdio::from(output));
        Self::spawn(name, command, log)
    }

    /// Starts a program that prints one JSON line when it is ready; gives that line.
    pub(crate) async fn announced(
        name: &'static str,
        mut command: Command,
        log: PathBuf,
    ) -> Result<(Self, serde_json::Value), DemoError> {
        command.stdout(Stdio::piped());
        let mut process = Self::spawn(name, command, log)?;
        let stdout =
            process.child.stdout.take().ok_or_else(|| DemoError::System("a pipe is missing".to_owned()))?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(READY_WAIT, lines.next_line())
            .await
            .map_err(|_| process.not_ready("its first line"))?
            .ok()
            .flatten();
        let Some(line) = line else { return Err(process.ended().await) };
        let ready = serde_json::from_str(&line)
            .map_err(|_| process.not_ready(&format!("a JSON line, not `{line}`")))?;
        process.drain = Some(tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} }));
        Ok((process, ready))
    }

    fn spawn(name: &'static str, mut command: Command, log: PathBuf) -> Result<Self, DemoError> {
        let errors = append(&log)?;
        command.stdin(Stdio::null()).stderr(Stdio::from(errors)).kill_on_drop(true);
        let child = quiet_environment(&mut command)
            .spawn()
            .map_err(|error| DemoError::Start { program: name.to_owned(), reason: error.to_string() })?;
        Ok(Self { name, child, log, drain: None })
    }

    /// An error if it has ended.
    pub(crate) async fn check(&mut self) -> Result<(), DemoError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(_)) | Err(_) => Err(self.ended().await),
        }
    }

    /// Says that it was not ready in time.
    pub(crate) fn not_ready(&self, awaited: &str) -> DemoError {
        DemoError::NotReady { program: self.name, awaited: awaited.to_owned(), log: self.log.clone() }
    }

    async fn ended(&mut self) -> DemoError {
        let status =
            self.child.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
        DemoError::Ended { program: self.name, status, log: self.log.clone() }
    }

    /// Stops it and waits until it is gone.
    pub(crate) async fn stop(mut self) {
        // It may have ended by itself, which is just as well.
        self.child.kill().await.ok();
        if let Some(drain) = self.drain.take() {
            drain.abort();
        }
    }
}

fn append(log: &Path) -> Result<std::fs::File, DemoError> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(log);
    file.map_err(|error| DemoError::Folder { path: log.to_owned(), reason: error.to_string() })
}

/// A variable of this machine's own Uplink must not steer the demo's.
fn quiet_environment(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("UPLINK_")) {
            command.env_remove(name);
        }
    }
    command
}

/// What a command reads and where its output goes.
pub(crate) enum Talk<'a> {
    /// Reads this text; its output shows.
    Shown(&'a str),
    /// Reads what the user types or pipes; its output shows.
    Interactive,
    /// Reads this text; its standard output is for us.
    Captured(&'a str),
}

/// Runs a command of the tour to its end and gives what it printed for us.
pub(crate) async fn run<S: AsRef<OsStr>>(
    program: &Path,
    args: &[S],
    talk: Talk<'_>,
    environment: &[(&str, PathBuf)],
    logs: Vec<PathBuf>,
) -> Result<String, DemoError> {
    let shown = typed(program, args);
    let failed =
        |error: std::io::Error| DemoError::Start { program: shown.clone(), reason: error.to_string() };
    let mut command = Command::new(program);
    command.args(args).kill_on_drop(true);
    quiet_environment(&mut command).envs(environment.iter().map(|(name, value)| (name, value)));
    let input = match talk {
        Talk::Shown(input) | Talk::Captured(input) => Some(input),
        Talk::Interactive => None,
    };
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::inherit() });
    command.stdout(if matches!(talk, Talk::Captured(_)) { Stdio::piped() } else { Stdio::inherit() });
    let mut child = command.spawn().map_err(failed)?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // A command that refuses its arguments closes its input early and says why itself.
        pipe.write_all(input.as_bytes()).await.ok();
    }
    let output = child.wait_with_output().await.map_err(failed)?;
    if !output.status.success() {
        return Err(DemoError::Command { command: shown, status: output.status, logs });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as it would be typed.
pub(crate) fn typed<S: AsRef<OsStr>>(program: &Path, args: &[S]) -> String {
    let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let words = args.iter().map(|word| word.as_ref().to_string_lossy().into_owned());
    std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
}
