//! Flags of the demo.

use clap::Parser;
use std::path::PathBuf;

/// Shows all of Uplink on this machine: a Jira behind a firewall becomes Delta tables.
#[derive(Debug, Parser)]
#[command(name = "demo", bin_name = "cargo demo", version)]
pub(crate) struct Flags {
    /// Issues of the simulated Jira
    #[arg(long, value_name = "N", default_value_t = 20_000, conflicts_with_all = ["issues", "jira"])]
    pub(crate) count: u32,
    /// Recorded issues for the simulated Jira instead: one Jira issue JSON a line; plain, .gz or .xz
    #[arg(long, value_name = "FILE", conflicts_with = "jira")]
    pub(crate) issues: Option<PathBuf>,
    /// Your own Jira instead of a simulated one: its base address with the context path
    #[arg(long, value_name = "URL", requires = "username")]
    pub(crate) jira: Option<String>,
    /// Account at your own Jira; its password is asked for, or read from standard input
    #[arg(long, value_name = "NAME", requires = "jira")]
    pub(crate) username: Option<String>,
    /// Read the password from this file
    #[arg(long, value_name = "FILE", requires = "jira")]
    pub(crate) password_file: Option<PathBuf>,
    /// PEM file of the authority of your own Jira, if it has one of its own
    #[arg(long, value_name = "FILE", requires = "jira")]
    pub(crate) jira_ca: Option<PathBuf>,
    /// Requests to Jira at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) parallel: u32,
    /// Where everything is kept [default: uplink-demo in cargo's target folder, emptied at each start]
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parsed(line: &str) -> Result<Flags, clap::Error> {
        Flags::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_flags_are_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn the_lines_of_the_readme_parse() {
        assert_eq!(parsed("demo").unwrap().count, 20_000);
        assert!(parsed("demo --issues recorded.jsonl.gz --parallel 8").unwrap().issues.is_some());
        assert!(
            parsed("demo --jira https://jira.corp.example/jira --username reader").unwrap().jira.is_some()
        );
    }

    #[test]
    fn an_own_jira_needs_an_account_and_excludes_the_simulated_one() {
        assert!(parsed("demo --jira https://jira.corp.example").is_err());
        assert!(parsed("demo --jira https://jira.corp.example --username u --issues f").is_err());
        assert!(parsed("demo --username u").is_err());
    }
}
