//! Commands and flags.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// The agent of Uplink: reads Jira on the premises and streams tables to a relay over one outbound link.
#[derive(Debug, Parser)]
#[command(
    name = "uplink-agent",
    version,
    after_help = "Exit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong use or configuration."
)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
pub struct Common {
    /// Folder of the agent's identity and status [default: /var/lib/uplink-agent as a service, else the user's state folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Configuration file [default: /etc/uplink-agent/agent.toml as a service, else agent.toml in the user's configuration folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Which log lines to write: error, warn, info, debug or trace [default: log.level of the configuration]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
    /// Form of the log lines [default: log.format of the configuration]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Join an uplink: make this agent's keys and register them at the relay with a one-time token
    Enroll(Enroll),
    /// Hold the link to the relay and do its extractions until stopped
    Run(Run),
    /// Say whether the agent runs, is linked and what it does
    Status(StatusFlags),
    /// Stop all work at once, with a reason that the relay shows; runs go on from their checkpoints after `resume`
    Pause(Pause),
    /// Install, start and stop the agent as a service of a machine that has no package for it
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Let the agent work again after `pause`, or try the logins of an account again after two were refused
    Resume(Resume),
    /// Let the running agent read its configuration again; its runs go on from their checkpoints
    Reload,
    /// Say which rules are in force and what they did
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Make, take over or show the key by which columns are pseudonymised
    #[command(subcommand)]
    MaskKey(MaskKeyCommand),
    /// Print the first rows that an extraction would send, after dropping and hashing, and send nothing
    Preview(Preview),
    /// Check everything between the configuration and Jira; say what fails, what to do, and what to tell the network team
    Doctor(Doctor),
    /// Make new keys; the old ones are void once the relay has seen the new ones in use
    RotateKey,
    /// List the other agents of this uplink and whether the premises confirmed them
    Peers,
    /// Confirm the fingerprint of another agent of this uplink: secrets that this one can open are sealed for it as well
    Confirm(Confirm),
    /// Leave the uplink: tell the relay and remove this agent's keys; settings stay
    Leave(Leave),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the log of the running agent, from its file or systemd's journal
    Logs(LogsFlags),
    /// Change how much the running agent logs, for a while and without a restart
    LogLevel(LogLevelFlags),
    /// The audit log: every request to Jira, every instruction of the relay, every part that left
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Signed manifests: what a run took from the premises
    #[command(subcommand)]
    Manifest(ManifestCommand),
}

/// Flags of `status`.
#[derive(Debug, Args)]
pub struct StatusFlags {
    /// Show it again every second until interrupted (with --json: a document a line)
    #[arg(long)]
    pub watch: bool,
}

/// Flags of `logs`.
#[derive(Debug, Args)]
pub struct LogsFlags {
    /// Go on with the lines that come, until interrupted
    #[arg(short, long)]
    pub follow: bool,
    /// How many of the last lines
    #[arg(short = 'n', long, default_value_t = 50, value_name = "N")]
    pub lines: usize,
}

/// Flags of `log-level`.
#[derive(Debug, Args)]
pub struct LogLevelFlags {
    /// The level
    pub level: LogLevel,
    /// How long, like 90s, 10m or 2h; then the level of the configuration is back
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = time)]
    pub keep: std::time::Duration,
}

/// `90s`, `10m`, `2h`; at most a day, so that nobody forgets it.
fn time(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "give a time like 90s, 10m or 2h, at most 24h".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text.strip_suffix(unit).and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    let total = number.saturating_mul(seconds);
    if (1..=24 * 3600).contains(&total) { Ok(std::time::Duration::from_secs(total)) } else { Err(wrong()) }
}

/// Commands about the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Say whether the log is intact, or where it is first broken; needs no network
    Verify(AuditVerify),
    /// Print its last lines
    Tail(AuditTail),
}

/// Flags of `audit verify`.
#[derive(Debug, Args)]
pub struct AuditVerify {
    /// One file, or a folder with a copy of the log [default: the log of the state folder]
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
}

/// Flags of `audit tail`.
#[derive(Debug, Args)]
pub struct AuditTail {
    /// How many lines
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    pub lines: usize,
}

/// Commands about manifests.
#[derive(Debug, Subcommand)]
pub enum ManifestCommand {
    /// Check the signature of a manifest, and hold it against the audit log; needs no network
    Verify(ManifestVerify),
}

/// Flags of `manifest verify`.
#[derive(Debug, Args)]
pub struct ManifestVerify {
    /// File with the manifest, as `uplinkctl run manifest RUN` printed it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The signing key that must have signed, base64 [default: this agent's own]
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

/// Flags of `confirm`.
#[derive(Debug, Args)]
pub struct Confirm {
    /// The fingerprint as `uplink-agent status` shows it on the other machine
    pub fingerprint: String,
    /// Take a confirmation back; what was sealed for that agent before stays sealed for it
    #[arg(long)]
    pub withdraw: bool,
}

/// Flags of `leave`.
#[derive(Debug, Args)]
pub struct Leave {
    /// Remove the keys even if the relay cannot be told
    #[arg(long)]
    pub force: bool,
}

/// Flags of `enroll`.
#[derive(Debug, Args)]
pub struct Enroll {
    /// The relay's address, like https://relay.example.com:8443
    #[arg(long, value_name = "URL")]
    pub relay: String,
    /// Where the one-time token comes from.
    #[command(flatten)]
    pub token: TokenSource,
    /// PEM file of the authority that signed the relay's certificate; no other is trusted then [default: the system's authorities]
    #[arg(long, value_name = "FILE")]
    pub relay_ca: Option<PathBuf>,
    /// What this agent may read.
    #[command(flatten)]
    pub premises: Premises,
    /// How the agent is called on the relay's side [default: this machine's host name]
    #[arg(long)]
    pub name: Option<String>,
    /// Replace an enrolment that exists, with new keys
    #[arg(long)]
    pub force: bool,
}

/// The token never comes by the command line: every user of the machine can read that.
#[derive(Debug, Default, Args)]
#[group(required = true, multiple = false)]
pub struct TokenSource {
    /// Read the one-time token from standard input
    #[arg(long)]
    pub token_stdin: bool,
    /// Read the one-time token from a file
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Read the one-time token from the systemd credential `enrolment-token`
    #[arg(long)]
    pub token_credential: bool,
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// What this agent may read.
    #[command(flatten)]
    pub premises: Premises,
}

/// Flags of `pause`.
#[derive(Debug, Args)]
pub struct Pause {
    /// Why, for the people who wait for their tables
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Flags of `resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// Forget the refused logins of this account; a pause stays as it is
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Only those at this Jira
    #[arg(long, value_name = "URL", requires = "account")]
    pub site: Option<String>,
}

/// Commands about the policy.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Print every rule with the line that it stands on, or what was decided of a run
    Explain {
        /// The run as the relay names it, like run_17
        run: Option<String>,
    },
}

/// Commands about the key for pseudonyms.
#[derive(Debug, Subcommand)]
pub enum MaskKeyCommand {
    /// Make a key, if there is none, and print its fingerprint
    Create,
    /// Take over the key of another agent of the uplink from standard input
    Import,
    /// Print the fingerprint by which agents and relay compare keys
    Show,
}

/// Flags of `preview`.
#[derive(Debug, Args)]
pub struct Preview {
    /// The Jira to read; it must be permitted
    #[arg(long, value_name = "URL")]
    pub site: String,
    /// The account; leave it out for a personal access token
    #[arg(long, default_value = "", hide_default_value = true)]
    pub username: String,
    /// Read the password from standard input [default: what the premises keep for this account]
    #[arg(long)]
    pub password_stdin: bool,
    /// Only these tables
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    pub tables: Vec<String>,
    /// Only these projects
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub projects: Vec<String>,
    /// So many rows of each table
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub rows: usize,
}

/// Flags of `doctor`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Exit codes: 0 no check failed (notes and skipped checks are no failures), 1 a check failed, 2 wrong use or configuration.\n\
                  docs/doctor.md explains every code."
)]
pub struct Doctor {
    /// Check the way to this relay [default: the one that enrolled this agent]
    #[arg(long, value_name = "URL")]
    pub relay: Option<String>,
    /// PEM file of the authority that signed the certificate of --relay [default: as `enroll`]
    #[arg(long, value_name = "FILE", requires = "relay")]
    pub relay_ca: Option<PathBuf>,
    /// What this agent may read.
    #[command(flatten)]
    pub premises: Premises,
    /// Check only this one of the permitted Jiras
    #[arg(long, value_name = "URL")]
    pub jira: Option<String>,
    /// Log in to Jira as this account, once [default: the accounts of [[jira]] in the configuration]
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    pub username: Option<String>,
    /// Read the account's password from standard input; without --username, a personal access token
    #[arg(long)]
    pub password_stdin: bool,
    /// Write a support bundle (.tar.gz) as well: what was found, versions and configuration, without secrets and Jira data
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
}

/// What the premises permit, beside the configuration.
#[derive(Clone, Debug, Default, Args)]
pub struct Premises {
    /// A Jira that may be read, with its context path; repeat it for several
    #[arg(long, value_name = "URL")]
    pub allow_jira: Vec<String>,
    /// PEM file of the authority that signed Jira's certificate, trusted beside those of the system
    #[arg(long, value_name = "FILE")]
    pub jira_ca: Option<PathBuf>,
}

/// Commands about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read configuration, environment and every file that they name; say what is in force or what is wrong
    Check,
    /// Print every key with its meaning, unit and default
    Defaults,
}

/// Commands about the service.
#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Install the service, so that it starts with the machine once the agent is enrolled
    Install,
    /// Stop the service and remove it; keys, settings and configuration stay
    Uninstall {
        /// Remove keys, settings and configuration as well
        #[arg(long)]
        purge: bool,
    },
    /// Start the service
    Start,
    /// Stop the service until it is started again or the machine restarts
    Stop,
    /// Say whether the service is installed and runs
    Status,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What cannot go on.
    Error,
    /// And what somebody should look at.
    Warn,
    /// And what happens.
    Info,
    /// And every request to Jira.
    Debug,
    /// And everything else.
    Trace,
}

impl LogLevel {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Human on a terminal, otherwise JSON.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_of_flags_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read_with_their_unit_and_bounded() {
        let seconds = |text| time(text).map(|time| time.as_secs()).ok();
        assert_eq!([seconds("90s"), seconds("10m"), seconds("2h")], [Some(90), Some(600), Some(7200)]);
        for text in ["", "10", "m", "0s", "25h", "-1s", "1ü"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_token_has_no_place_on_the_command_line() {
        let enroll = ["uplink-agent", "enroll", "--relay", "https://relay"];
        assert!(Cli::try_parse_from(enroll).is_err(), "a source is required");
        for extra in [
            &["--token", "upl1.secret"][..],
            &["upl1.secret"],
            &["--token-stdin", "upl1.secret"],
            &["--token-stdin=upl1.secret"],
        ] {
            assert!(Cli::try_parse_from(enroll.iter().chain(extra)).is_err(), "{extra:?} was accepted");
        }
        assert!(Cli::try_parse_from(enroll.iter().chain(&["--token-stdin"])).is_ok());
        assert!(Cli::try_parse_from(enroll.iter().chain(&["--token-credential"])).is_ok());
        assert!(Cli::try_parse_from(enroll.iter().chain(&["--token-stdin", "--token-file", "f"])).is_err());
    }

    #[test]
    fn every_command_takes_the_common_flags() {
        for command in [
            &["run"][..],
            &["status"],
            &["doctor"],
            &["config", "check"],
            &["enroll", "--relay", "https://r", "--token-stdin"],
        ] {
            let line = ["uplink-agent"]
                .iter()
                .chain(command)
                .chain(&["--state", "s", "--config", "c", "--json"])
                .copied();
            let cli = Cli::try_parse_from(line).unwrap();
            assert!(cli.common.json && cli.common.state.is_some() && cli.common.config.is_some());
        }
    }
}
