//! Why a command about the service failed.

use std::io;
use std::path::PathBuf;

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
