//! Real processes for the end-to-end tests: `uplink-relay`, `uplink-agent` and `uplinkctl`, started as a customer would
//! start them, over real TLS, killed without mercy and started again on the same files.

mod binaries;
mod process;

pub use binaries::{Binaries, process_mining_judge, python_judge};
pub use process::Process;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The account that tests log in with.
pub const USERNAME: &str = "reader";
/// Its password; made to be found again in places where it must not be.
pub const PASSWORD: &str = "c4nary/Pass+word=&?%42";

/// A relay and an agent on one machine, with everything that they write below one temporary directory.
pub struct Cluster {
    /// Where relay data and agent state live.
    pub dir: TempDir,
    /// The relay's address, once it listens.
    pub relay_url: String,
    /// Where the programs run.
    pub place: Place,
    relay: Option<Process>,
    agent: Option<Process>,
    relay_logs: String,
    agent_logs: String,
}

/// On which hosts the programs run, and with what beside the usual.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Network namespace of relay and `uplinkctl`.
    pub relay_namespace: Option<String>,
    /// Network namespace of the agent.
    pub agent_namespace: Option<String>,
    /// Address and port for the relay, in place of a free one of the loopback.
    pub listen: Option<String>,
    /// Environment of the relay.
    pub relay_environment: Vec<(String, String)>,
    /// Environment of the agent.
    pub agent_environment: Vec<(String, String)>,
}

impl Place {
    fn relay(&self, program: &str) -> Command {
        command(self.relay_namespace.as_deref(), program, &self.relay_environment)
    }

    fn agent(&self) -> Command {
        command(self.agent_namespace.as_deref(), "uplink-agent", &self.agent_environment)
    }
}

/// One of the built programs, in a network namespace if one is named.
fn command(namespace: Option<&str>, program: &str, environment: &[(String, String)]) -> Command {
    let program = Binaries::built().path(program);
    let mut command = match namespace {
        Some(namespace) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", namespace]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

/// What a command printed.
#[derive(Debug)]
pub struct Printed {
    /// Exit code; -1 when killed.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Printed {
    /// The JSON document that `--json` printed.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.stdout.trim()).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The last of several JSON lines.
    pub fn last_json(&self) -> Value {
        let line = self.stdout.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON line ({error}): {self:?}"))
    }
}

impl Cluster {
    /// Starts a relay, makes pool `sales` and uplink `hq`, enrols an agent that may read `jira_url` and starts it.
    pub async fn start(jira_url: &str) -> Self {
        let mut cluster = Self::relay_only().await;
        cluster.ok(&["pool", "create", "sales"]).await;
        let token = cluster.new_token("hq").await;
        let printed = cluster.enrol(&token, jira_url).await;
        assert_eq!(printed.code, 0, "enrolment failed: {printed:?}");
        cluster.start_agent();
        cluster.agent_online().await;
        cluster
    }

    /// Starts a relay alone, on loopback.
    pub async fn relay_only() -> Self {
        Self::relay_at(Place::default()).await
    }

    /// Starts a relay alone, somewhere else.
    pub async fn relay_at(place: Place) -> Self {
        let dir = tempfile::Builder::new().prefix("uplink-test-").tempdir().expect("temporary directory");
        let mut cluster = Self {
            dir,
            relay_url: String::new(),
            place,
            relay: None,
            agent: None,
            relay_logs: String::new(),
            agent_logs: String::new(),
        };
        cluster.start_relay().await;
        cluster
    }

    /// The relay's data directory.
    pub fn relay_data(&self) -> PathBuf {
        self.dir.path().join("relay-data")
    }

    /// The agent's state directory: all that the premises keep.
    pub fn agent_state(&self) -> PathBuf {
        self.dir.path().join("agent")
    }

    /// The agent's configuration file, which a test may write before it starts the agent.
    pub fn agent_config(&self) -> PathBuf {
        self.dir.path().join("agent.toml")
    }

    /// The flag of the agent's configuration, if a test has written one.
    fn config_args(&self) -> Vec<std::ffi::OsString> {
        let file = self.agent_config();
        if file.exists() { vec!["--config".into(), file.into()] } else { Vec::new() }
    }

    /// Where a table of the connection `jira` lies.
    pub fn table_dir(&self, table: &str) -> PathBuf {
        self.relay_data().join("lake").join("sales").join("jira").join(table)
    }

    /// Starts (or starts again) the relay; a second start listens on the port of the first.
    pub async fn start_relay(&mut self) {
        let first = self.place.listen.as_deref().unwrap_or("127.0.0.1:0");
        let listen = self.relay_url.strip_prefix("https://").unwrap_or(first).to_owned();
        let mut command = self.place.relay("uplink-relay");
        command
            .args(["run", "--json", "--log-format", "json", "--listen", &listen, "--data"])
            .arg(self.relay_data());
        command.env("UPLINK_RELAY_LOG__FILTER", "info,relay=debug,delta_kernel=warn");
        let mut relay = Process::spawn("relay", command);
        let line = relay.stdout_line(|line| line.contains("\"url\"")).await;
        let ready: Value = serde_json::from_str(&line).expect("the relay's start line is JSON");
        self.relay_url = ready["url"].as_str().expect("url").to_owned();
        self.relay = Some(relay);
    }

    /// Starts (or starts again) the agent.
    pub fn start_agent(&mut self) {
        self.start_agent_with(&[]);
    }

    /// The same, with settings from the environment.
    pub fn start_agent_with(&mut self, settings: &[(&str, &str)]) {
        let mut command = self.place.agent();
        command
            .args(["run", "--log-format", "json", "--log-level", "debug", "--state"])
            .arg(self.agent_state())
            .args(self.config_args())
            .envs(settings.iter().copied());
        self.agent = Some(Process::spawn("agent", command));
    }

    /// Starts the agent with a configuration file and no flags of its own for the log.
    pub fn start_agent_at_level_of(&mut self, config: &Path) {
        let mut command = self.place.agent();
        command.args(["run", "--config"]).arg(config).arg("--state").arg(self.agent_state());
        self.agent = Some(Process::spawn("agent", command));
    }

    /// Kills the agent as `kill -9` does.
    pub async fn kill_agent(&mut self) {
        if let Some(agent) = self.agent.take() {
            self.agent_logs.push_str(&agent.kill().await);
        }
    }

    /// Kills the relay as `kill -9` does.
    pub async fn kill_relay(&mut self) {
        if let Some(relay) = self.relay.take() {
            self.relay_logs.push_str(&relay.kill().await);
        }
    }

    /// The relay process.
    pub fn relay(&self) -> &Process {
        self.relay.as_ref().expect("the relay runs")
    }

    /// The agent process.
    pub fn agent(&self) -> &Process {
        self.agent.as_ref().expect("the agent runs")
    }

    /// Everything that the relay printed so far, over all its starts.
    pub fn relay_log(&self) -> String {
        self.relay_logs.clone() + &self.relay.as_ref().map(Process::printed).unwrap_or_default()
    }

    /// Everything that the agent printed so far, over all its starts.
    pub fn agent_log(&self) -> String {
        self.agent_logs.clone() + &self.agent.as_ref().map(Process::printed).unwrap_or_default()
    }

    /// Makes the uplink if it is not there, and a fresh enrolment token of it.
    pub async fn new_token(&self, uplink: &str) -> String {
        let created = self.ctl(&["uplink", "create", uplink, "--token-only"], "").await;
        let printed = if created.code == 0 {
            created
        } else {
            self.ctl(&["uplink", "token", uplink, "--token-only"], "").await
        };
        assert_eq!(printed.code, 0, "no token: {printed:?}");
        printed.stdout.trim().to_owned()
    }

    /// Runs `uplink-agent enroll` with the token on standard input.
    pub async fn enrol(&self, token: &str, jira_url: &str) -> Printed {
        let ca = self.relay_data().join("ca.pem");
        self.enrol_with(token, &["--relay", &self.relay_url, "--allow-jira", jira_url], &ca).await
    }

    /// Runs `uplink-agent enroll` with arguments and an authority of the test's own.
    pub async fn enrol_with(&self, token: &str, args: &[&str], ca: &Path) -> Printed {
        let mut command = self.place.agent();
        command
            .arg("enroll")
            .args(args)
            .arg("--token-stdin")
            .arg("--relay-ca")
            .arg(ca)
            .arg("--state")
            .arg(self.agent_state());
        run(command, token).await
    }

    /// Runs `uplink-agent` with the agent's state folder.
    pub async fn on_premises(&self, args: &[&str], stdin: &str) -> Printed {
        let mut command = Command::new(Binaries::built().path("uplink-agent"));
        command.args(args).arg("--state").arg(self.agent_state()).args(self.config_args());
        run(command, stdin).await
    }

    /// Runs `uplinkctl` against this relay.
    pub async fn ctl(&self, args: &[&str], stdin: &str) -> Printed {
        let mut command = self.place.relay("uplinkctl");
        command.args(args).arg("--relay").arg(&self.relay_url);
        command.arg("--key-file").arg(self.relay_data().join("admin.key"));
        command.arg("--ca").arg(self.relay_data().join("ca.pem"));
        run(command, stdin).await
    }

    /// Runs `uplinkctl --json` and expects success.
    pub async fn ok(&self, args: &[&str]) -> Value {
        let printed = self.ctl(&[args, &["--json"]].concat(), "").await;
        assert_eq!(printed.code, 0, "uplinkctl {args:?} failed: {printed:?}");
        printed.json()
    }

    /// Starts a relay without an agent that reads a Jira itself, by the connection `jira`. `account` are the options that tell the account.
    pub async fn direct(jira_url: &str, account: &[&str], secret: &str) -> Self {
        let cluster = Self::relay_only().await;
        cluster.ok(&["pool", "create", "sales"]).await;
        let printed = cluster.connect_direct(jira_url, account, secret).await;
        assert_eq!(printed.code, 0, "the connection was not made: {printed:?}");
        cluster
    }

    /// Makes the direct connection `jira`.
    pub async fn connect_direct(&self, jira_url: &str, account: &[&str], secret: &str) -> Printed {
        let words = ["connection", "create", "jira", "--pool", "sales", "--direct", "--url", jira_url];
        self.ctl(&[&words, account].concat(), secret).await
    }

    /// Makes the connection `jira` with the test account.
    pub async fn connect(&self, jira_url: &str, password: &str, max_parallel: u32) {
        let parallel = max_parallel.to_string();
        let args = [
            "connection",
            "create",
            "jira",
            "--pool",
            "sales",
            "--uplink",
            "hq",
            "--url",
            jira_url,
            "--username",
            USERNAME,
            "--password-stdin",
            "--max-parallel",
            &parallel,
        ];
        let printed = self.ctl(&args, password).await;
        assert_eq!(printed.code, 0, "the connection was not made: {printed:?}");
    }

    /// Starts an extraction of `jira` and gives the run's id.
    pub async fn extract(&self, args: &[&str]) -> String {
        let run = self.ok(&[&["extract", "jira"], args].concat()).await;
        run["id"].as_str().expect("a run has an id").to_owned()
    }

    /// Follows a run to its end and gives its last document.
    pub async fn ended(&self, run: &str) -> Value {
        self.ctl(&["run", "follow", run, "--json"], "").await.last_json()
    }

    /// Runs an extraction that must succeed.
    pub async fn extracted(&self, args: &[&str]) -> Value {
        let run = self.extract(args).await;
        let document = self.ended(&run).await;
        assert_eq!(
            document["state"],
            "succeeded",
            "{document:#}\nagent: {}\nrelay: {}",
            self.agent_log(),
            self.relay_log()
        );
        document
    }

    /// Waits until the relay holds a live link of the agent.
    pub async fn agent_online(&self) {
        self.relay().wait_for("agent_online").await;
    }
}

async fn run(mut command: Command, stdin: &str) -> Printed {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    for name in ["UPLINK_RELAY", "UPLINK_KEY_FILE", "UPLINK_CA"] {
        command.env_remove(name);
    }
    let mut child = command.spawn().expect("the program starts");
    let mut pipe = child.stdin.take().expect("stdin is piped");
    // A program that refuses its arguments closes its input early; what it printed tells the test.
    drop(pipe.write_all(stdin.as_bytes()).await);
    drop(pipe);
    let output = child.wait_with_output().await.expect("the program ends");
    Printed {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
