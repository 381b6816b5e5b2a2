//! `uplink-agent doctor`: every failure that it can name is produced for real and answered with its own code, sentence and remedy; and
//! every check is also shown something that only looks right.

mod bundle;
mod catalogue;
mod clock;
mod enrolment;
mod jira;
mod jira_login;
mod jira_way;
#[cfg(target_os = "linux")]
mod network;
mod preflight;
mod premises;
mod proxy;
mod relay;
mod tls;
mod upgrade;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tests::cluster::{Binaries, Cluster, Printed};
use tests::middlebox::{Authority, Certificates, Conduct, Head, TlsServer, Validity};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// A machine on the premises with a state folder of its own.
pub(crate) struct Machine {
    dir: TempDir,
    environment: Vec<(String, String)>,
}

impl Machine {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// A file with this text.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs `doctor --json` with arguments.
    async fn doctor(&self, args: &[&str], stdin: &str) -> Printed {
        self.run(&[&["doctor", "--json"], args].concat(), stdin).await
    }

    async fn run(&self, args: &[&str], stdin: &str) -> Printed {
        self.run_program(Command::new(Binaries::built().path("uplink-agent")), args, stdin).await
    }

    async fn run_program(&self, command: Command, args: &[&str], stdin: &str) -> Printed {
        self.run_on(&self.state(), command, args, stdin).await
    }

    /// The same on another state folder.
    async fn run_on(&self, state: &Path, mut command: Command, args: &[&str], stdin: &str) -> Printed {
        command.args(args).arg("--state").arg(state);
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        let mut pipe = child.stdin.take().expect("stdin is piped");
        // A program that refuses its arguments closes its input early; what it printed tells the test.
        drop(pipe.write_all(stdin.as_bytes()).await);
        drop(pipe);
        printed(child.wait_with_output().await.expect("the program ends"))
    }

    /// Checks the way to a relay that is not enrolled at.
    async fn look_at(&self, relay: &str, ca_pem: &str) -> Printed {
        let ca = self.file("ca.pem", ca_pem);
        self.doctor(&["--relay", relay, "--relay-ca", &ca.display().to_string()], "").await
    }
}

/// What a program printed.
pub(crate) fn printed(output: std::process::Output) -> Printed {
    Printed {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The finding of a check.
#[track_caller]
pub(crate) fn finding<'a>(document: &'a Value, check: &str) -> &'a Value {
    let checks = document["checks"].as_array().expect("a list of checks");
    let found = checks.iter().find(|found| found["check"] == check);
    found.unwrap_or_else(|| panic!("no check {check} in {document:#}"))
}

#[track_caller]
pub(crate) fn passes(document: &Value, checks: &[&str]) {
    for check in checks {
        assert_eq!(finding(document, check)["outcome"], "pass", "{check}: {document:#}");
    }
}

/// Exactly this check failed, with this code, these words, a remedy, and exit code 1.
#[track_caller]
pub(crate) fn fails(printed: &Printed, check: &str, code: &str, words: &[&str]) -> Value {
    let document = printed.json();
    assert_eq!(printed.code, 1, "{printed:?}");
    assert_eq!(document["ok"], false);
    let found = finding(&document, check);
    assert_eq!(
        (found["outcome"].as_str(), found["code"].as_str()),
        (Some("fail"), Some(code)),
        "{document:#}"
    );
    assert!(found["remedy"].as_str().is_some_and(|remedy| remedy.len() > 20), "no remedy: {found:#}");
    let sentence = found["found"].as_str().unwrap_or_default();
    for word in words {
        assert!(sentence.contains(word), "`{word}` is not in: {sentence}");
    }
    let failed = document["checks"].as_array().unwrap().iter().filter(|found| found["outcome"] == "fail");
    assert_eq!(failed.count(), 1, "one cause has several failures: {document:#}");
    document
}

#[track_caller]
pub(crate) fn are_skipped(document: &Value, checks: &[&str]) {
    for check in checks {
        assert_eq!(finding(document, check)["outcome"], "skipped", "{check}: {document:#}");
    }
}

/// A relay's own authority.
pub(crate) fn ca_of(cluster: &Cluster) -> String {
    std::fs::read_to_string(cluster.relay_data().join("ca.pem")).unwrap()
}

pub(crate) fn same() -> Head {
    std::sync::Arc::new(str::to_owned)
}

/// Passes everything on to a relay, with heads changed.
pub(crate) fn pass_on(cluster: &Cluster, request: Head, answer: Head) -> Conduct {
    let address = cluster.relay_url.trim_start_matches("https://").parse().unwrap();
    Conduct::PassOn { address, relay_ca: cluster.relay_data().join("ca.pem"), request, answer }
}

/// A server with a good certificate and the authority to trust for it.
pub(crate) async fn server(conduct: Conduct) -> (TlsServer, String) {
    let authority = Authority::new("Corp Authority");
    let pem = authority.pem();
    (TlsServer::start(authority, Certificates::One(&["127.0.0.1"], Validity::Now), conduct).await, pem)
}

/// A server that answers every request the same.
pub(crate) async fn answering(answer: &'static str) -> (TlsServer, String) {
    server(Conduct::Answer(std::sync::Arc::new(move |_| answer.as_bytes().to_vec()))).await
}

/// Runs `doctor` with an agent's state folder and configuration.
pub(crate) async fn doctor_of(cluster: &Cluster) -> Printed {
    cluster.on_premises(&["doctor", "--json"], "").await
}

/// Without the failure that this machine is not enrolled, where that is not looked at.
pub(crate) fn only_jira(mut printed: Printed) -> Printed {
    let mut document = printed.json();
    assert_eq!(finding(&document, "identity")["code"], "not_enrolled");
    let checks = document["checks"].as_array_mut().unwrap();
    checks.retain(|check| check["check"] != "identity");
    let ok = checks.iter().all(|check| check["outcome"] != "fail");
    document["ok"] = ok.into();
    printed.code = i32::from(!ok);
    printed.stdout = document.to_string();
    printed
}

/// Waits until the agent's own status says that it is linked.
pub(crate) async fn linked(cluster: &Cluster) {
    let up = async {
        loop {
            let mut command = Command::new(Binaries::built().path("uplink-agent"));
            command.args(["status", "--json", "--state"]).arg(cluster.agent_state());
            let output = command.output().await.unwrap();
            let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            if status["status"]["link"]["state"] == "up" {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), up).await.expect("the agent links in time");
}

/// The files below a folder.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
