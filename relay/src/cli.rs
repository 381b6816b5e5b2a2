//! Commands and flags of `uplink-relay`.

use crate::config::{LogFormat, Overrides};
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The cloud side of Uplink: accepts agents, drives runs, lands tables.
#[derive(Debug, Parser)]
#[command(name = "uplink-relay", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM or ctrl-c.
    Run(Run),
    /// Look at the configuration.
    Config {
        /// What to do with it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say whether the configuration can be used, and what it comes to.
    Check(Settings),
}

/// Serve.
#[derive(Debug, Args)]
pub struct Run {
    /// Settings.
    #[command(flatten)]
    pub settings: Settings,
    /// Print one JSON line {url, data, ca, key_file} instead of the text for people.
    #[arg(long)]
    pub json: bool,
}

/// Flags that win over file and environment.
#[derive(Debug, Args)]
pub struct Settings {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of everything that the relay keeps [default: relay-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:8443].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// A name by which agents and people reach the relay; repeatable.
    #[arg(long = "name", value_name = "HOST")]
    pub names: Vec<String>,
    /// Certificate chain of your own (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Form of the log lines on stderr.
    #[arg(long, value_enum, value_name = "FORM")]
    pub log_format: Option<LogFormat>,
}

impl Settings {
    /// The flags as a layer of the configuration.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            data: self.data.clone(),
            listen: self.listen,
            names: self.names.clone(),
            tls_cert: self.tls_cert.clone(),
            tls_key: self.tls_key.clone(),
            log_format: self.log_format,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
