//! An agent, enrolled at and linked to a relay that somebody modified.

use protocol::control::{AgentMessage, Failure, RelayMessage};
use protocol::ids::{Lease, RunId};
use protocol::site::SiteAddress;
use protocol::spec::{ConnectionSpec, CredentialKind, ExtractionSpec, Load};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tests::cluster::{Binaries, PASSWORD, Process, USERNAME};
use tests::hostile_relay::{HostileLink, HostileRelay};
use tokio::process::Command;

/// An agent that may read `permitted` and is linked to a hostile relay.
pub(crate) struct Premises {
    pub(crate) agent: Process,
    pub(crate) link: HostileLink,
    pub(crate) relay: HostileRelay,
    dir: TempDir,
}

impl Premises {
    /// With nothing in its configuration.
    pub(crate) async fn new(permitted: &str) -> Self {
        Self::configured(permitted, "", &[]).await
    }

    /// With this configuration; `wrap` is a program with arguments that starts the agent.
    pub(crate) async fn configured(permitted: &str, config: &str, wrap: &[&OsStr]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let mut relay = HostileRelay::start().await;
        std::fs::write(at("ca.pem"), &relay.ca_pem).unwrap();
        std::fs::write(at("token"), relay.token()).unwrap();
        std::fs::write(at("agent.toml"), config).unwrap();
        let mut enrolment = agent(dir.path(), &[]);
        enrolment.args(["enroll", "--relay", &relay.url, "--allow-jira", permitted]);
        enrolment.arg("--relay-ca").arg(at("ca.pem")).arg("--token-file").arg(at("token"));
        let (printed, ()) = tokio::join!(enrolment.output(), relay.enrol_one());
        let printed = printed.unwrap();
        assert!(printed.status.success(), "{printed:?}");
        let mut command = agent(dir.path(), wrap);
        command.args(["run", "--log-format", "json", "--log-level", "debug"]);
        let agent = Process::spawn("agent", command);
        let link = relay.next_link().await;
        Self { agent, link, relay, dir }
    }

    /// The agent's state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Sends a run and gives the failure that the agent answers.
    pub(crate) async fn failure_of(
        &mut self,
        number: u32,
        connection: ConnectionSpec,
        extraction: ExtractionSpec,
    ) -> Failure {
        let run = RunId(format!("run_{number}"));
        let start = RelayMessage::StartRun {
            run: run.clone(),
            lease: Lease(1),
            connection,
            extraction,
            resume_entries: 0,
        };
        self.link.send(&start).await;
        self.link
            .expect(|message| match message {
                AgentMessage::RunFailed { run: failed, failure, .. } if failed == run => Some(failure),
                _ => None,
            })
            .await
    }

    /// A connection of the usual account, its password sealed to the agent.
    pub(crate) fn connection(&self, site: &str) -> ConnectionSpec {
        let site = SiteAddress::parse(site).unwrap();
        let sealed = vec![self.link.sealed(PASSWORD, &site, USERNAME)];
        ConnectionSpec {
            name: "jira".into(),
            site,
            username: USERNAME.into(),
            credential: CredentialKind::Password,
            sealed,
            max_parallel: 4,
        }
    }
}

/// The agent's program on the folder of one test.
fn agent(dir: &Path, wrap: &[&OsStr]) -> Command {
    let program = Binaries::built().path("uplink-agent");
    let mut words = wrap.iter().copied().chain([program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg("--state").arg(dir.join("state")).arg("--config").arg(dir.join("agent.toml"));
    // Without probes of its own, every request is one that the relay brought about.
    command.env("UPLINK_AGENT_HEALTH__EVERY_S", "0");
    command
}

/// A full load of every table.
pub(crate) fn everything() -> ExtractionSpec {
    ExtractionSpec::all(Load::Full)
}
