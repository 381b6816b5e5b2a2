//! The tour, step by step.

use crate::build::Programs;
use crate::cli::Flags;
use crate::error::DemoError;
use crate::folder::Folder;
use crate::premises::{Password, Premises};
use crate::process::{Background, Talk, run as run_command, typed};
use crate::tour::{self, Tour};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::process::Command;

/// Longest wait for the agent's link.
const LINK_WAIT: Duration = Duration::from_secs(30);
/// Pause between two looks whether the agent is online.
const LINK_LOOK_EVERY: Duration = Duration::from_millis(100);

/// The whole demo.
pub(crate) async fn run(flags: &Flags) -> Result<(), DemoError> {
    let programs = Programs::beside_us()?;
    let mut tour = Tour::default();
    tour.step("Build the programs: uplink-relay and uplinkctl for the cloud, uplink-agent for the premises, jira-sim");
    tour.command(&programs.typed());
    programs.build()?;
    let start = Instant::now();
    let folder = Folder::fresh(&flags.keep.clone().unwrap_or_else(|| programs.target().join("uplink-demo")))?;
    let premises = Premises::start(flags, &programs, &folder, &mut tour).await?;
    let mut scene = Scene::relay(programs, folder, tour).await?;
    scene.enrol(&premises).await?;
    scene.connect(&premises, flags.parallel).await?;
    scene.extract("Full load: every issue with its comments, worklogs, history and links, and the tables around them", "--full").await?;
    scene.look().await?;
    if let Some(simulator) = &premises.simulator {
        scene.tour.step("Meanwhile on the premises, people work in Jira");
        for change in simulator.change_issues().await? {
            scene.tour.note(&change);
        }
    }
    scene
        .extract("Delta load: only what changed since; all rows of a changed issue are replaced", "--delta")
        .await?;
    scene.prove(&premises).await?;
    let (folder, lake) = (scene.folder.path().to_owned(), scene.lake().await?);
    scene.stop().await;
    premises.stop().await;
    tour::goodbye(&folder, &lake, start.elapsed());
    Ok(())
}

/// The cloud's side of the demo and what it knows of the premises.
struct Scene {
    programs: Programs,
    folder: Folder,
    tour: Tour,
    relay: Background,
    agent: Option<Background>,
    relay_url: String,
}

impl Scene {
    async fn relay(programs: Programs, folder: Folder, mut tour: Tour) -> Result<Self, DemoError> {
        tour.step("In the cloud: a relay. It makes its own certificate authority and an administrator's key");
        tour.command("uplink-relay run --data relay-data --listen 127.0.0.1:0");
        let mut command = Command::new(programs.path("uplink-relay"));
        command.args(["run", "--listen", "127.0.0.1:0", "--json", "--data"]).arg(folder.relay_data());
        command.arg("--config").arg(folder.config("relay"));
        let (relay, ready) =
            Background::announced("uplink-relay", command, folder.log("uplink-relay")).await?;
        let relay_url = ready.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
        tour.note(&format!("listening on {relay_url}; uplinkctl finds it by"));
        tour.command(&format!(
            "export UPLINK_RELAY={relay_url} UPLINK_KEY_FILE=relay-data/admin.key UPLINK_CA=relay-data/ca.pem"
        ));
        Ok(Self { programs, folder, tour, relay, agent: None, relay_url })
    }

    async fn enrol(&mut self, premises: &Premises) -> Result<(), DemoError> {
        self.tour.step("In the cloud: a data pool for the tables, and an uplink for the customer's network");
        self.ctl(&["pool", "create", "sales"]).await?;
        self.tour.command("uplinkctl uplink create hq --token-only");
        let token = self.captured(&["uplink", "create", "hq", "--token-only"]).await?;
        self.tour.note("prints a one-time enrolment token");

        self.tour.step(
            "On the premises: enrol the agent; it makes its keys and permits this one Jira only, for reading",
        );
        let ca = self.folder.relay_data().join("ca.pem");
        self.tour.command(&format!(
            "printf %s TOKEN | uplink-agent enroll --relay {} --token-stdin --relay-ca ca.pem --allow-jira {}",
            self.relay_url, premises.url
        ));
        let mut args = self.agent_args(&[
            "enroll",
            "--relay",
            &self.relay_url,
            "--token-stdin",
            "--allow-jira",
            &premises.url,
        ]);
        args.extend(["--relay-ca".to_owned(), ca.display().to_string()]);
        if let Some(jira_ca) = &premises.jira_ca {
            args.extend(["--jira-ca".to_owned(), jira_ca.display().to_string()]);
        }
        let program = self.programs.path("uplink-agent");
        run_command(&program, &args, Talk::Shown(token.trim()), &[], self.logs()).await?;
        self.start_agent().await
    }

    async fn start_agent(&mut self) -> Result<(), DemoError> {
        self.tour
            .step("On the premises: start the agent; it dials out to the relay over TLS, no port is opened");
        self.tour.command("uplink-agent run");
        let mut command = Command::new(self.programs.path("uplink-agent"));
        command.args(self.agent_args(&["run"]));
        let log = self.folder.log("uplink-agent");
        let mut agent = Background::start("uplink-agent", command, log)?;
        let waiting = Instant::now();
        while !self.is_agent_online().await? {
            agent.check().await?;
            self.relay.check().await?;
            if waiting.elapsed() > LINK_WAIT {
                return Err(agent.not_ready("its link to the relay"));
            }
            // The relay's API tells how things are, not when they change.
            tokio::time::sleep(LINK_LOOK_EVERY).await;
        }
        self.agent = Some(agent);
        self.ctl(&["uplink", "show", "hq"]).await
    }

    async fn is_agent_online(&self) -> Result<bool, DemoError> {
        let uplink = self.json(&["uplink", "show", "hq"]).await?;
        Ok(uplink.pointer("/agents/0/online").and_then(Value::as_bool).unwrap_or(false))
    }

    async fn connect(&mut self, premises: &Premises, parallel: u32) -> Result<(), DemoError> {
        self.tour.step("In the cloud: describe the data connection; the password is sealed to the agent before it leaves this command");
        let parallel = parallel.to_string();
        let mut args: Vec<&str> = "connection create jira --pool sales --uplink hq".split(' ').collect();
        args.extend(["--url", &premises.url, "--username", &premises.username, "--max-parallel", &parallel]);
        let file;
        let talk = match &premises.password {
            Password::Known(password) => {
                args.push("--password-stdin");
                Talk::Shown(password)
            }
            Password::Asked { piped } => {
                args.extend(piped.then_some("--password-stdin"));
                Talk::Interactive
            }
            Password::File(path) => {
                file = path.display().to_string();
                args.extend(["--password-file", &file]);
                Talk::Shown("")
            }
        };
        self.tour.command(&format!("uplinkctl {}", args.join(" ")));
        self.run_ctl(&args, talk).await?;
        self.tour.step("Through the relay and the agent: log in to Jira and see what the account sees");
        self.ctl(&["connection", "test", "jira"]).await
    }

    async fn extract(&mut self, what: &str, load: &str) -> Result<(), DemoError> {
        self.tour.step(what);
        self.ctl(&["extract", "jira", load, "--follow"]).await
    }

    async fn look(&mut self) -> Result<(), DemoError> {
        self.tour.step("Look into a table");
        self.ctl(&["table", "list", "--pool", "sales"]).await?;
        let columns = "issue_key,project_key,type_name,status_name,assignee_id,created,summary";
        self.ctl(&["table", "preview", "issues", "--rows", "5", "--columns", columns]).await
    }

    /// Compares the rows of every table with what Jira holds.
    async fn prove(&mut self, premises: &Premises) -> Result<(), DemoError> {
        let landed = self.landed_rows().await?;
        let Some(simulator) = &premises.simulator else { return Ok(()) };
        self.tour.step("Compare with what the simulated Jira really holds");
        let truth = simulator.true_rows().await?;
        let (text, wrong) = tour::compare(&landed, &truth);
        tour::text(&text);
        if wrong.is_empty() { Ok(()) } else { Err(DemoError::Wrong(wrong.join(", "))) }
    }

    async fn landed_rows(&self) -> Result<BTreeMap<String, u64>, DemoError> {
        let tables = self.json(&["table", "list", "--pool", "sales"]).await?;
        let rows = tables.as_array().into_iter().flatten().filter_map(|table| {
            let name = table.get("table").and_then(Value::as_str)?;
            Some((name.to_owned(), table.get("rows").and_then(Value::as_u64)?))
        });
        Ok(rows.collect())
    }

    /// The folder of the tables of this connection.
    async fn lake(&self) -> Result<PathBuf, DemoError> {
        let path = self.captured(&["table", "path", "issues"]).await?;
        Ok(Path::new(path.trim()).parent().unwrap_or(Path::new("")).to_owned())
    }

    async fn stop(self) {
        if let Some(agent) = self.agent {
            agent.stop().await;
        }
        self.relay.stop().await;
    }

    fn agent_args(&self, args: &[&str]) -> Vec<String> {
        let mut args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let state = self.folder.agent_state().display().to_string();
        args.extend([
            "--state".to_owned(),
            state,
            "--config".to_owned(),
            self.folder.config("agent").display().to_string(),
        ]);
        args
    }

    /// Shows and runs a command of `uplinkctl`.
    async fn ctl(&self, args: &[&str]) -> Result<(), DemoError> {
        self.tour.command(&typed(Path::new("uplinkctl"), args));
        self.run_ctl(args, Talk::Shown("")).await.map(drop)
    }

    async fn captured(&self, args: &[&str]) -> Result<String, DemoError> {
        self.run_ctl(args, Talk::Captured("")).await
    }

    async fn json(&self, args: &[&str]) -> Result<Value, DemoError> {
        let text = self.captured(&[args, &["--json"]].concat()).await?;
        serde_json::from_str(&text).map_err(|error| DemoError::Printed {
            command: typed(Path::new("uplinkctl"), args),
            reason: error.to_string(),
        })
    }

    async fn run_ctl(&self, args: &[&str], talk: Talk<'_>) -> Result<String, DemoError> {
        let data = self.folder.relay_data();
        let environment = [
            ("UPLINK_RELAY", PathBuf::from(&self.relay_url)),
            ("UPLINK_KEY_FILE", data.join("admin.key")),
            ("UPLINK_CA", data.join("ca.pem")),
        ];
        run_command(&self.programs.path("uplinkctl"), args, talk, &environment, self.logs()).await
    }

    fn logs(&self) -> Vec<PathBuf> {
        ["uplink-relay", "uplink-agent"]
            .map(|program| self.folder.log(program))
            .into_iter()
            .filter(|log| log.exists())
            .collect()
    }
}
