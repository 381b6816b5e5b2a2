//! `service`: the agent as a service of a machine that has no package for it. One interface, one file a platform; each platform is
//! files to write and commands to run, so all three are compiled and tested as text everywhere, and carried out where they belong.
#![expect(clippy::print_stdout, reason = "this module is the command's voice on standard output")]

pub(crate) mod error;
mod launchd;
mod plan;
mod systemd;
mod windows;

use crate::cli::ServiceCommand;
use crate::error::{EXIT_DONE, EXIT_FAILED, Error};
use crate::paths;
pub use error::ServiceError;
use plan::Step;
use serde::Serialize;
use std::path::{Path, PathBuf};

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
