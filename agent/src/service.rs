//! `service`: the agent as a service of a machine that has no package for it. One interface, one file a platform; each platform is
//! files to write and commands to run, so all three are compiled and tested as text everywhere, and carried out where they belong.
#![expect(clippy::print_stdout, reason = "this module is the command's voice on standard output")]

mod launchd;
mod plan;
mod systemd;
mod windows;

use crate::cli::ServiceCommand;
use crate::error::{EXIT_DONE, EXIT_FAILED, Error};
use crate::paths;
use plan::Step;
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};

/// Why a command about the service failed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Only root may.
    #[error(
        "only an administrator can {action} a service of this machine; run the same command as root (`sudo uplink-agent service {action}`)"
    )]
    NotRoot {
        /// The subcommand.
        action: &'static str,
    },
    /// No service manager that the agent knows.
    #[error(
        "this machine does not run systemd, so there is no service manager that the agent knows; start `uplink-agent run` by your own means"
    )]
    NoManager,
    /// The package did it already.
    #[error("a package has installed the service already ({}); enrol the agent, then `systemctl enable --now uplink-agent`", unit.display())]
    Packaged {
        /// The package's unit.
        unit: PathBuf,
    },
    /// The service could not execute the program there, or others could replace it.
    #[error("the service cannot use {}: {reason}; copy it first: `sudo install -m 0755 {} /usr/local/bin/uplink-agent`, then run that one's `service install`", program.display(), program.display())]
    Program {
        /// This program.
        program: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A command of the platform failed.
    #[error("`{command}` failed: {reason}")]
    Command {
        /// As typed.
        command: String,
        /// What it said.
        reason: String,
    },
    /// A file of the service could not be written or removed.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// How the service is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct State {
    installed: bool,
    running: bool,
    /// The manager's own words, one line.
    detail: String,
}

/// A platform's service manager.
trait Manager {
    /// Refuses what cannot work, before anything is changed.
    fn check(&self, program: &Path) -> Result<(), ServiceError>;
    fn install(&self, program: &Path) -> Vec<Step>;
    fn uninstall(&self, purge: bool) -> Vec<Step>;
    fn start(&self) -> Vec<Step>;
    fn stop(&self) -> Vec<Step>;
    fn state(&self) -> Result<State, ServiceError>;
    /// What the administrator does after `install`.
    fn next(&self) -> &'static str;
}

fn manager() -> Result<Box<dyn Manager>, ServiceError> {
    if cfg!(windows) {
        Ok(Box::new(windows::TaskScheduler))
    } else if cfg!(target_os = "macos") {
        Ok(Box::new(launchd::Launchd))
    } else if systemd::is_here() {
        Ok(Box::new(systemd::Systemd))
    } else {
        Err(ServiceError::NoManager)
    }
}

/// Does what was asked and gives the exit code; that of `status` is 0 only when the service runs.
///
/// # Errors
/// What kept it from being done.
pub(crate) fn execute(command: &ServiceCommand, json: bool) -> Result<u8, Error> {
    let manager = manager()?;
    match command {
        ServiceCommand::Status => return show(&manager.state()?, json),
        ServiceCommand::Install => {
            require_root("install")?;
            let program = own_program()?;
            manager.check(&program)?;
            plan::carry_out(&manager.install(&program))?;
            say(
                json,
                "installed",
                &format!("The service is installed and starts with the machine.\nNext: {}", manager.next()),
            );
        }
        ServiceCommand::Uninstall { purge } => {
            require_root("uninstall")?;
            plan::carry_out(&manager.uninstall(*purge))?;
            let kept = if *purge {
                "Nothing of it is left."
            } else {
                "Keys, settings and configuration are kept; --purge removes them as well."
            };
            say(json, "uninstalled", &format!("The service is gone. {kept}"));
        }
        ServiceCommand::Start => {
            require_root("start")?;
            plan::carry_out(&manager.start())?;
            return show(&manager.state()?, json);
        }
        ServiceCommand::Stop => {
            require_root("stop")?;
            plan::carry_out(&manager.stop())?;
            say(json, "stopped", "The service is stopped.");
        }
    }
    Ok(EXIT_DONE)
}

/// The command that starts the service of this machine, if it has one.
pub(crate) fn start_command() -> Option<&'static str> {
    let installed = manager().and_then(|manager| manager.state()).is_ok_and(|state| state.installed);
    (installed && !cfg!(windows)).then_some("uplink-agent service start")
}

fn say(json: bool, done: &str, text: &str) {
    if json {
        println!("{}", serde_json::json!({ "done": done }));
    } else {
        println!("{text}");
    }
}

fn show(state: &State, json: bool) -> Result<u8, Error> {
    if json {
        println!("{}", serde_json::json!(state));
    } else {
        let word = match (state.installed, state.running) {
            (false, _) => "not installed",
            (true, false) => "installed, not running",
            (true, true) => "running",
        };
        println!("Service: {word} ({})", state.detail);
    }
    Ok(if state.running { EXIT_DONE } else { EXIT_FAILED })
}

/// Windows asks at the commands themselves.
fn require_root(action: &'static str) -> Result<(), ServiceError> {
    if cfg!(windows) || paths::is_root() { Ok(()) } else { Err(ServiceError::NotRoot { action }) }
}

fn own_program() -> Result<PathBuf, ServiceError> {
    let named = |source| ServiceError::File { action: "find", path: PathBuf::from("uplink-agent"), source };
    std::env::current_exe().and_then(|path| path.canonicalize()).map_err(named)
}
