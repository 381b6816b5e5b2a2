//! The words a user types. Scripts rely on them: a word or flag that stands here is kept.

mod choice;

pub(crate) use choice::{Choice, Discover};

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Each of --relay, --key-file and --ca is taken from the first of: the flag, the environment (UPLINK_RELAY, UPLINK_KEY_FILE, \
UPLINK_CA), the configuration file, and for a relay on this machine ./relay-data/admin.key and ./relay-data/ca.pem.
Exit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong use.";

/// Manages an Uplink relay: data pools, uplinks, data connections, runs and tables.
#[derive(Debug, Parser)]
#[command(name = "uplinkctl", version, about, after_help = AFTER_HELP, subcommand_required = true)]
pub(crate) struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Default, Args)]
pub(crate) struct Global {
    /// Address of the relay [default: https://127.0.0.1:8443]
    #[arg(long, global = true, env = "UPLINK_RELAY", value_name = "URL")]
    pub(crate) relay: Option<String>,
    /// File that holds the administrator's key
    #[arg(long, global = true, env = "UPLINK_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Certificate authority of the relay, PEM [default: those that the system trusts]
    #[arg(long, global = true, env = "UPLINK_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Configuration file with the keys relay, key_file and ca [default: uplinkctl.toml in the user's configuration folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document (one a line when following)
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The first word.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Data pools: named sets of data connections and of the tables that they fill
    #[command(subcommand)]
    Pool(PoolCommand),
    /// Uplinks: customer networks, each served by agents
    #[command(subcommand)]
    Uplink(UplinkCommand),
    /// Data connections: a Jira and how to log in
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Read a Jira into tables
    Extract(Extract),
    /// Show what an extraction would read: tables, columns, sample rows, and about how many rows and requests
    Discover(Discover),
    /// Runs: executions of extractions
    #[command(subcommand)]
    Run(RunCommand),
    /// Tables in the lake
    #[command(subcommand)]
    Table(TableCommand),
}

/// `uplinkctl pool ...`
#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Create a data pool
    Create(Named),
    /// List the data pools
    List,
    /// Show a data pool with its connections and tables
    Show(Named),
    /// Delete a data pool
    Delete(Named),
}

/// `uplinkctl uplink ...`
#[derive(Debug, Subcommand)]
pub(crate) enum UplinkCommand {
    /// Create an uplink and print the line to paste on the premises
    Create(UplinkToken),
    /// List the uplinks
    List,
    /// Show an uplink and its agents
    Show(Named),
    /// Make another one-time enrolment token
    Token(UplinkToken),
    /// Delete an uplink
    Delete(Named),
    /// One agent of an uplink
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Revoke an agent: its link is cut at once and its identity is refused from then on
    Revoke {
        /// Name of the uplink
        #[arg(value_parser = name)]
        uplink: String,
        /// Id or name of the agent
        #[arg(value_parser = agent_name)]
        agent: String,
    },
}

/// `uplinkctl uplink agent ...`
#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Let an agent in again that was stopped because two machines held its identity: the first one that connects counts
    Trust(AgentName),
    /// Remove an agent: its link is cut at once and its identity is refused from then on (the same as `uplink revoke`)
    Remove(AgentName),
}

/// An agent by its uplink and its own id or name.
#[derive(Debug, Args)]
pub(crate) struct AgentName {
    /// Name of the uplink
    #[arg(value_parser = name)]
    pub(crate) uplink: String,
    /// Id or name of the agent
    #[arg(value_parser = agent_name)]
    pub(crate) agent: String,
}

/// A thing by its name.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Name: small letters, digits, `-` and `_`
    #[arg(value_parser = name)]
    pub(crate) name: String,
}

/// `uplinkctl uplink create|token`
#[derive(Debug, Args)]
pub(crate) struct UplinkToken {
    /// Name of the uplink
    #[arg(value_parser = name)]
    pub(crate) name: String,
    /// Print just the one-time enrolment token
    #[arg(long)]
    pub(crate) token_only: bool,
}

/// `uplinkctl connection ...`
#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// Create a data connection
    Create(ConnectionCreate),
    /// List the data connections
    List {
        /// Only those of this data pool
        #[arg(long, value_parser = name)]
        pool: Option<String>,
    },
    /// Show a data connection
    Show(Named),
    /// Change a data connection
    Update(ConnectionUpdate),
    /// Delete a data connection
    Delete(Named),
    /// Log in to Jira and say what is found
    Test(Named),
}

/// `uplinkctl connection create`
#[derive(Debug, Args)]
pub(crate) struct ConnectionCreate {
    /// Name of the new data connection
    #[arg(value_parser = name)]
    pub(crate) name: String,
    /// Data pool that it fills
    #[arg(long, value_parser = name)]
    pub(crate) pool: String,
    /// How the Jira is reached.
    #[command(flatten)]
    pub(crate) route: Route,
    /// Base address of the Jira, with its context path
    #[arg(long)]
    pub(crate) url: String,
    /// Account; may be left out with a personal access token
    #[arg(long)]
    pub(crate) username: Option<String>,
    /// Where the secret comes from.
    #[command(flatten)]
    pub(crate) secret: SecretSource,
    /// Authority of the certificate of a direct Jira, PEM (--ca is that of the relay)
    #[arg(long, value_name = "FILE", conflicts_with = "uplink")]
    pub(crate) jira_ca: Option<PathBuf>,
    /// Most requests to this Jira at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) max_parallel: u32,
}

/// How a Jira is reached.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Route {
    /// Through this uplink
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) uplink: Option<String>,
    /// From the relay itself, without an agent: Jira Cloud, or a Jira that the relay reaches
    #[arg(long)]
    pub(crate) direct: bool,
}

/// Where a secret comes from; without any of these it is asked for on the terminal.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub(crate) struct SecretSource {
    /// Read the password from standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Read the password from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Read the API token or personal access token from standard input
    #[arg(long)]
    pub(crate) api_token_stdin: bool,
    /// Read the API token or personal access token from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) api_token_file: Option<PathBuf>,
    /// The agents of the uplink keep the password themselves, in a [[jira]] entry of agent.toml; none is given to the relay
    #[arg(long)]
    pub(crate) secret_on_premises: bool,
}

/// `uplinkctl connection update`
#[derive(Debug, Args)]
pub(crate) struct ConnectionUpdate {
    /// Name of the data connection
    #[arg(value_parser = name)]
    pub(crate) name: String,
    /// Through this uplink from now on; needs the secret again
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) uplink: Option<String>,
    /// New base address; needs the secret again
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// New account; needs the secret again
    #[arg(long)]
    pub(crate) username: Option<String>,
    /// Where a new secret comes from.
    #[command(flatten)]
    pub(crate) secret: SecretSource,
    /// New authority of the certificate of a direct Jira, PEM; an empty file takes it away
    #[arg(long, value_name = "FILE")]
    pub(crate) jira_ca: Option<PathBuf>,
    /// Most requests to this Jira at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) max_parallel: Option<u32>,
}

/// `uplinkctl extract`
#[derive(Debug, Args)]
pub(crate) struct Extract {
    /// Data connection to read
    #[arg(value_parser = name)]
    pub(crate) connection: String,
    /// How much to read.
    #[command(flatten)]
    pub(crate) load: LoadFlags,
    /// What it reads of that.
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// With --delta: load these tables in full, and the others as a delta
    #[arg(long, value_name = "A,B", value_delimiter = ',', conflicts_with = "full")]
    pub(crate) full_tables: Vec<String>,
    /// With --delta: load tables in full that never were, and the others as a delta
    #[arg(long, conflicts_with = "full")]
    pub(crate) full_new: bool,
    /// Show the progress until the run ends
    #[arg(long)]
    pub(crate) follow: bool,
}

/// How much an extraction reads.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct LoadFlags {
    /// Everything; the tables are replaced
    #[arg(long, conflicts_with_all = ["delta", "sweep"])]
    pub(crate) full: bool,
    /// What changed since the last load
    #[arg(long)]
    pub(crate) delta: bool,
    /// Take out what Jira no longer shows and bring back what it shows again, by counts; with --delta in the same run
    #[arg(long)]
    pub(crate) sweep: bool,
    /// With --sweep: compare every id, and links whose two ends differ
    #[arg(long, requires = "sweep")]
    pub(crate) every_id: bool,
}

/// `uplinkctl run ...`
#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// List the latest runs
    List {
        /// Only those of this data connection
        #[arg(long, value_parser = name)]
        connection: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show a run
    Show(RunName),
    /// Print the log of a run
    Logs(RunName),
    /// Print what the agent signed at the end of a run; `uplink-agent manifest verify` checks it on the premises
    Manifest(RunName),
    /// Cancel a run
    Cancel(RunName),
    /// Show the progress of a run until it ends
    Follow(RunName),
}

/// A run by its id.
#[derive(Debug, Args)]
pub(crate) struct RunName {
    /// Id of the run (run_17, or just 17)
    #[arg(value_parser = run_id)]
    pub(crate) run: String,
}

/// `uplinkctl table ...`
#[derive(Debug, Subcommand)]
pub(crate) enum TableCommand {
    /// List the tables
    List {
        /// Only those of this data pool
        #[arg(long, value_parser = name)]
        pool: Option<String>,
    },
    /// Show a table: its key, its columns with their types, and what it is complete for
    Show(TableName),
    /// Print the first rows of a table
    Preview(Preview),
    /// Print where a table lies
    Path(TableName),
    /// Write the events and objects of a data connection into an OCEL 2.0 file (SQLite), for object-centric process mining
    ExportOcel(ExportOcel),
}

/// `uplinkctl table export-ocel`
#[derive(Debug, Args)]
pub(crate) struct ExportOcel {
    /// Data pool
    #[arg(long, value_parser = name)]
    pub(crate) pool: String,
    /// Data connection
    #[arg(long, value_parser = name)]
    pub(crate) connection: String,
    /// The file to write; it must not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// A table by its name, and whose, when several connections fill one of that name.
#[derive(Debug, Args)]
pub(crate) struct TableName {
    /// Name of the table (issues, issue_comments, ...), or of a control table (_runs, _tables, _skipped, _schema_changes)
    #[arg(value_parser = table_name)]
    pub(crate) table: String,
    /// Data pool, when the name alone is not unique
    #[arg(long, value_parser = name)]
    pub(crate) pool: Option<String>,
    /// Data connection, when the name alone is not unique
    #[arg(long, value_parser = name)]
    pub(crate) connection: Option<String>,
}

/// `uplinkctl table preview`
#[derive(Debug, Args)]
pub(crate) struct Preview {
    /// Which table.
    #[command(flatten)]
    pub(crate) table: TableName,
    /// How many rows
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rows: u32,
    /// Only these columns [default: as many as fit]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
}

/// Most characters that a name may have: names become folders of the lake.
const NAME_LENGTH_MAX: usize = 63;

fn name(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    let starts = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts && text.len() <= NAME_LENGTH_MAX && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err("a name starts with a small letter or digit and holds only small letters, digits, `-` and `_`, 63 at most".to_owned())
}

fn table_name(text: &str) -> Result<String, String> {
    match text.strip_prefix('_') {
        Some(control) => name(control).map(|_| text.to_owned()),
        None => name(text),
    }
}

fn agent_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text != "." && text != ".." && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err("an agent is named by its id or host name; `uplinkctl uplink show` lists them".to_owned())
}

fn run_id(text: &str) -> Result<String, String> {
    let number = text.strip_prefix("run_").unwrap_or(text);
    if !number.is_empty() && number.len() <= 18 && number.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(format!("run_{number}"));
    }
    Err("a run is named like run_17; `uplinkctl run list` lists them".to_owned())
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
