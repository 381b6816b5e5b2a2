use super::*;

fn load_text(text: &str, variables: &[(&str, &str)]) -> Result<Config, Error> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("agent.toml");
    std::fs::write(&path, text).unwrap();
    let environment =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load_from(&ConfigFile::Named(path), environment)
}

fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
    load_text(text, variables).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_complete() {
    let config = load_text("", &[]).unwrap();
    assert_eq!(config.limits.max_runs, 4);
    assert!(config.allow_jira.is_empty() && config.jira.is_empty() && config.relay.ca_file.get().is_none());
}

#[test]
fn the_example_of_a_local_account_in_the_defaults_is_right() {
    let example: String = DEFAULTS
        .lines()
        .skip_while(|line| *line != "# [[jira]]")
        .map(|line| format!("{}\n", line.trim_start_matches("# ")))
        .collect();
    let config = load_text(&example, &[]).unwrap();
    assert_eq!(config.jira[0].username, "reader");
    assert!(config.jira[0].password_file.get().is_some() && config.jira[0].ca_file.get().is_some());
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let text = "allow_jira = [\"https://a\"]\n[limits]\nmax_runs = 2\nmax_parallel = 3\n";
    let variables = [
        ("UPLINK_AGENT_LIMITS__MAX_RUNS", "7"),
        ("UPLINK_AGENT_ALLOW_JIRA", "https://b, https://c/jira"),
        ("PATH", "/bin"),
    ];
    let config = load_text(text, &variables).unwrap();
    assert_eq!((config.limits.max_runs, config.limits.max_parallel), (7, 3));
    assert_eq!(config.allow_jira, ["https://b", "https://c/jira"]);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_right_one() {
    let message = refusal("[limits]\nmax_runs = 2\nmax_paralel = 3\n", &[]);
    assert!(message.contains("`limits.max_paralel`") && message.contains("agent.toml, line 3"), "{message}");
    assert!(message.contains("did you mean `limits.max_parallel`?"), "{message}");
    let misplaced = refusal("max_runs = 2\n", &[]);
    assert!(misplaced.contains("did you mean `limits.max_runs`?"), "{misplaced}");
}

#[test]
fn an_unknown_key_of_an_entry_is_refused() {
    let message = refusal("[[jira]]\nurl = \"https://a\"\nuser = \"x\"\n", &[]);
    assert!(
        message.contains("`jira[].user`")
            && message.contains("`jira[].username`")
            && message.contains("line 3"),
        "{message}"
    );
}

#[test]
fn an_unknown_variable_is_refused_by_its_name() {
    let message = refusal("", &[("UPLINK_AGENT_LINK__CONECT_TIMEOUT_MS", "5")]);
    assert!(message.contains("environment variable UPLINK_AGENT_LINK__CONECT_TIMEOUT_MS"), "{message}");
    assert!(message.contains("`link.connect_timeout_ms`"), "{message}");
}

#[test]
fn a_wrong_type_names_file_line_and_key() {
    let message = refusal("[limits]\nmax_runs = \"many\"\n", &[]);
    assert!(message.contains("`limits.max_runs`") && message.contains("agent.toml, line 2"), "{message}");
}

#[test]
fn a_value_out_of_range_names_the_range() {
    let message = refusal("[limits]\nmax_runs = 0\n", &[]);
    assert!(
        message.contains("`limits.max_runs`")
            && message.contains("from 1 to 64")
            && message.contains("line 2"),
        "{message}"
    );
    let variable = refusal("", &[("UPLINK_AGENT_LIMITS__PART_MIB", "900")]);
    assert!(variable.contains("UPLINK_AGENT_LIMITS__PART_MIB"), "{variable}");
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_its_name() {
    let message = refusal("[limits\n", &[]);
    assert!(message.contains("agent.toml"), "{message}");
    assert_eq!(load_text("[limits\n", &[]).unwrap_err().exit_code(), crate::error::EXIT_USAGE);
}

#[test]
fn a_named_file_must_exist_and_a_standard_one_need_not() {
    let nowhere = std::env::temp_dir().join("uplink-agent-no-such-folder/agent.toml");
    assert!(load_from(&ConfigFile::Named(nowhere.clone()), HashMap::new()).is_err());
    assert!(load_from(&ConfigFile::Standard(nowhere), HashMap::new()).is_ok());
}

#[test]
fn paths_count_from_the_folder_of_the_file() {
    let config =
        load_text("jira_ca_file = \"ca.pem\"\n[relay]\nca_file = \"/etc/relay.pem\"\n", &[]).unwrap();
    let jira_ca = config.jira_ca_file.get().unwrap();
    assert!(jira_ca.is_absolute() && jira_ca.ends_with("ca.pem"));
    assert_eq!(config.relay.ca_file.get().unwrap(), Path::new("/etc/relay.pem"));
}
