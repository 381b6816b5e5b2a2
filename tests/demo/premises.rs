//! The customer's side of the demo: a simulated Jira, or the user's own.

use crate::build::Programs;
use crate::cli::Flags;
use crate::error::DemoError;
use crate::folder::Folder;
use crate::process::{Background, typed};
use crate::simulator::Simulator;
use crate::tour::Tour;
use serde_json::Value;
use std::io::IsTerminal;
use std::path::PathBuf;
use tokio::process::Command;

/// The Jira of the demo.
pub(crate) struct Premises {
    /// Its base address.
    pub(crate) url: String,
    /// The account.
    pub(crate) username: String,
    /// Where the password comes from.
    pub(crate) password: Password,
    /// Authority of its certificate.
    pub(crate) jira_ca: Option<PathBuf>,
    /// Its control interface, if it is a simulated one.
    pub(crate) simulator: Option<Simulator>,
    process: Option<Background>,
}

/// Where the password comes from.
pub(crate) enum Password {
    /// The simulator said it.
    Known(String),
    /// `uplinkctl` asks for it, or reads it from what was piped into the demo.
    Asked { piped: bool },
    /// A file.
    File(PathBuf),
}

impl Premises {
    /// Starts the simulator, or takes the user's own Jira as it is.
    pub(crate) async fn start(
        flags: &Flags,
        programs: &Programs,
        folder: &Folder,
        tour: &mut Tour,
    ) -> Result<Self, DemoError> {
        match (&flags.jira, &flags.username) {
            (Some(url), Some(username)) => Ok(Self::own(flags, url, username, tour)),
            _ => Self::simulated(flags, programs, folder, tour).await,
        }
    }

    fn own(flags: &Flags, url: &str, username: &str, tour: &mut Tour) -> Self {
        tour.step(&format!(
            "The Jira is your own: {url}, read as {username}. Nothing will be written to it."
        ));
        let password = match &flags.password_file {
            Some(file) => Password::File(file.clone()),
            None => Password::Asked { piped: !std::io::stdin().is_terminal() },
        };
        let (url, username) = (url.to_owned(), username.to_owned());
        Self { url, username, password, jira_ca: flags.jira_ca.clone(), simulator: None, process: None }
    }

    async fn simulated(
        flags: &Flags,
        programs: &Programs,
        folder: &Folder,
        tour: &mut Tour,
    ) -> Result<Self, DemoError> {
        let (what, source) = match &flags.issues {
            Some(file) => (
                format!("recorded issues of {}", file.display()),
                vec!["--issues".into(), file.display().to_string()],
            ),
            None => (
                format!("{} generated issues", flags.count),
                vec!["--issues-count".into(), flags.count.to_string()],
            ),
        };
        tour.step(&format!("On the premises: a simulated Jira Server 9.12 with {what}"));
        let mut args = source;
        args.extend(["--context".to_owned(), "/jira".to_owned()]);
        let program = programs.path("jira-sim");
        tour.command(&typed(&program, &args));
        let mut command = Command::new(&program);
        command.args(&args).arg("--json");
        let log = folder.log("jira-sim");
        let (process, ready) = Background::announced("jira-sim", command, log.clone()).await?;
        let said = |name: &str| ready.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (url, username) = (said("url"), said("username"));
        let issues = ready.get("issues").and_then(Value::as_u64).unwrap_or(0);
        tour.note(&format!("{url} with {issues} issues, account `{username}`"));
        let simulator = Some(Simulator::of(&url, log)?);
        Ok(Self {
            url,
            username,
            password: Password::Known(said("password")),
            jira_ca: None,
            simulator,
            process: Some(process),
        })
    }

    /// Stops the simulator.
    pub(crate) async fn stop(self) {
        if let Some(process) = self.process {
            process.stop().await;
        }
    }
}
