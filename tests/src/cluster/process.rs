//! One child process whose output is kept and can be waited on.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A wait that takes longer has failed; generous, since machines are slow and shared.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running child; killed when dropped.
pub struct Process {
    name: &'static str,
    child: Child,
    lines: watch::Receiver<usize>,
    printed: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts a program and keeps what it prints.
    pub fn spawn(name: &'static str, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let printed = Arc::new(Mutex::new(Vec::new()));
        let (count, lines) = watch::channel(0);
        let count = Arc::new(count);
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let readers = vec![
            tokio::spawn(keep_lines(stdout, Arc::clone(&printed), Arc::clone(&count))),
            tokio::spawn(keep_lines(stderr, Arc::clone(&printed), count)),
        ];
        Self { name, child, lines, printed, readers }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the process runs")
    }

    /// Everything printed so far, both streams in the order of arrival.
    pub fn printed(&self) -> String {
        self.printed.lock().expect("no holder panics").join("\n")
    }

    /// Waits for a line that holds `text`.
    pub async fn wait_for(&self, text: &str) -> String {
        self.line(|line| line.contains(text), &format!("`{text}`")).await
    }

    /// Waits for a line of standard output (or error) that satisfies `wanted`.
    pub async fn stdout_line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        self.line(wanted, "its start line").await
    }

    /// How many lines so far hold `text`.
    pub fn times(&self, text: &str) -> usize {
        self.printed.lock().expect("no holder panics").iter().filter(|line| line.contains(text)).count()
    }

    /// Waits until so many lines hold `text`.
    pub async fn wait_for_times(&self, text: &str, times: usize) {
        let mut lines = self.lines.clone();
        let counted = async { while self.times(text) < times && lines.changed().await.is_ok() {} };
        drop(tokio::time::timeout(PATIENCE, counted).await);
        assert!(
            self.times(text) >= times,
            "{} did not print `{text}` {times} times; it printed:\n{}",
            self.name,
            self.printed()
        );
    }

    async fn line(&self, wanted: impl Fn(&str) -> bool, what: &str) -> String {
        let mut lines = self.lines.clone();
        let search = async {
            loop {
                lines.borrow_and_update();
                if let Some(line) =
                    self.printed.lock().expect("no holder panics").iter().find(|line| wanted(line))
                {
                    return Some(line.clone());
                }
                if lines.changed().await.is_err() {
                    return None;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(Some(line)) => line,
            Ok(None) => panic!("{} ended without {what}; it printed:\n{}", self.name, self.printed()),
            Err(_) => {
                panic!("{} did not print {what} in {PATIENCE:?}; it printed:\n{}", self.name, self.printed())
            }
        }
    }

    /// Kills it as `kill -9` does, and gives everything that it printed.
    pub async fn kill(mut self) -> String {
        self.child.kill().await.expect("a child can be killed");
        for reader in self.readers.drain(..) {
            reader.await.expect("a reader does not panic");
        }
        self.printed() + "\n"
    }

    /// Peak resident memory in KiB so far (Linux).
    pub fn peak_rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("the process has a status");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux gives the peak");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of KiB")
    }

    /// CPU seconds used so far, user and system (Linux).
    pub fn cpu_seconds(&self) -> f64 {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("the process has a stat");
        let after_name = stat.rsplit_once(')').expect("the name is in parentheses").1;
        let ticks: f64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<f64>().unwrap_or(0.0))
            .sum();
        ticks / 100.0
    }
}

async fn keep_lines(
    stream: impl AsyncRead + Unpin,
    printed: Arc<Mutex<Vec<String>>>,
    count: Arc<watch::Sender<usize>>,
) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        printed.lock().expect("no holder panics").push(line);
        count.send_modify(|count| *count += 1);
    }
}
