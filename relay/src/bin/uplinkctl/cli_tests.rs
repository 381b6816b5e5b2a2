//! Every line that the documentation shows parses, and means what it says.

use super::*;
use clap::CommandFactory;

fn parsed(line: &str) -> Command {
    Cli::try_parse_from(line.split_whitespace()).unwrap().command
}

fn refused(line: &str) -> clap::Error {
    Cli::try_parse_from(line.split_whitespace()).unwrap_err()
}

#[test]
fn the_definition_of_the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_lines_of_a_first_session_parse() {
    for line in [
        "uplinkctl pool create sales",
        "uplinkctl uplink create hq",
        "uplinkctl uplink create hq --token-only",
        "uplinkctl connection create jira --pool sales --uplink hq --url https://jira.corp.example/jira --username reader --password-stdin --max-parallel 4",
        "uplinkctl connection create cloud --pool sales --direct --url https://example.atlassian.net --username me@example.com --api-token-stdin --max-parallel 4",
        "uplinkctl connection test jira",
        "uplinkctl extract jira --full --follow",
        "uplinkctl extract jira --delta --follow",
        "uplinkctl extract jira --sweep --every-id",
        "uplinkctl extract jira --delta --sweep",
        "uplinkctl extract jira --full --tables issues,issue_links --projects A,B --created-from 2026-01-01 --jql status=Done",
        "uplinkctl run list",
        "uplinkctl run show run_1",
        "uplinkctl run logs run_1",
        "uplinkctl run cancel run_1",
        "uplinkctl run follow 1",
        "uplinkctl table list --pool sales",
        "uplinkctl table preview issues",
        "uplinkctl table path issues",
        "uplinkctl --relay https://relay.example.com:8443 --key-file k --ca ca.pem --json pool list",
        "uplinkctl pool list --relay https://relay.example.com:8443 --key-file k --ca ca.pem --json",
    ] {
        parsed(line);
    }
}

#[test]
fn the_flags_of_a_connection_arrive_where_they_belong() {
    let line = "uplinkctl connection create jira --pool sales --uplink hq --url https://j/jira --username reader --password-stdin";
    let Command::Connection(ConnectionCommand::Create(create)) = parsed(line) else {
        panic!("another command")
    };
    assert_eq!(
        (create.name.as_str(), create.pool.as_str(), create.url.as_str()),
        ("jira", "sales", "https://j/jira")
    );
    assert_eq!((create.route.uplink.as_deref(), create.route.direct), (Some("hq"), false));
    assert!(create.secret.password_stdin && !create.secret.api_token_stdin);
    assert_eq!(create.max_parallel, 4);
}

#[test]
fn lists_are_split_at_commas_and_dates_are_utc() {
    let line = "uplinkctl extract jira --full --tables issues,projects --created-from 2026-01-31 --created-to 2026-02-01T02:00:00+02:00";
    let Command::Extract(extract) = parsed(line) else { panic!("another command") };
    assert_eq!(extract.choice.tables, ["issues", "projects"]);
    assert_eq!(extract.choice.created_from.unwrap().to_rfc3339(), "2026-01-31T00:00:00+00:00");
    assert_eq!(extract.choice.created_to.unwrap().to_rfc3339(), "2026-02-01T00:00:00+00:00");
    assert!(extract.load.full && !extract.load.delta && !extract.follow);
}

#[test]
fn a_run_may_be_named_by_its_number() {
    assert_eq!(run_id("17").unwrap(), "run_17");
    assert_eq!(run_id("run_17").unwrap(), "run_17");
    assert!(run_id("run_../1").is_err());
}

#[test]
fn wrong_use_ends_with_exit_code_2() {
    for line in [
        "uplinkctl",
        "uplinkctl extract jira",
        "uplinkctl extract jira --full --delta",
        "uplinkctl extract jira --full --sweep",
        "uplinkctl extract jira --delta --every-id",
        "uplinkctl extract jira --full --created-from yesterday",
        "uplinkctl connection create jira --pool sales --url https://j --username u --password-stdin",
        "uplinkctl connection create jira --pool sales --uplink hq --direct --url https://j --username u --password-stdin",
        "uplinkctl connection create jira --pool sales --uplink hq --url https://j --username u --password-stdin --api-token-stdin",
        "uplinkctl connection create jira --pool sales --uplink hq --url https://j --username u --password hunter2",
        "uplinkctl connection create jira --pool sales --uplink hq --url https://j --username u --max-parallel 0",
        "uplinkctl pool create ../etc",
        "uplinkctl pool create Sales",
        "uplinkctl run show x",
    ] {
        assert_eq!(refused(line).exit_code(), 2, "{line}");
    }
}
