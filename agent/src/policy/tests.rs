use super::premises::LocalAccount;
use super::*;
use crate::cli::Premises;
use crate::identity::tests::paths_in;
use crate::paths::{ConfigFile, Paths};
use protocol::spec::CredentialKind;

fn site(text: &str) -> PermittedSite {
    PermittedSite {
        address: SiteAddress::parse(text).unwrap(),
        ca_pem: None,
        way: jira::Way::default(),
        accounts: Vec::new(),
    }
}

fn policy(sites: &[&str]) -> Policy {
    let defaults = crate::config::load(&ConfigFile::Standard("/nonexistent/agent.toml".into())).unwrap();
    Policy::new(sites.iter().map(|text| site(text)).collect(), defaults.limits, defaults.requests)
}

fn connection(text: &str) -> ConnectionSpec {
    ConnectionSpec {
        name: "jira".to_owned(),
        site: SiteAddress::parse(text).unwrap(),
        username: "reader".to_owned(),
        credential: CredentialKind::Password,
        sealed: Vec::new(),
        max_parallel: 4,
    }
}

fn extraction() -> ExtractionSpec {
    ExtractionSpec::all(Load::Full)
}

#[test]
fn only_the_very_address_that_is_permitted_is_admitted() {
    let policy = policy(&["https://jira.corp.example/jira"]);
    assert!(policy.admit(&connection("https://JIRA.corp.example:443/jira/")).is_ok());
    for foreign in [
        "https://evil.example/jira",
        "https://jira.corp.example.evil.example/jira",
        "https://xjira.corp.example/jira",
        "https://jira-corp.example/jira",
        "https://jira.corp.example:8443/jira",
        "https://jira.corp.example",
        "https://jira.corp.example/jira2",
        "https://jira.corp.example/jira/rest",
        "https://jira.corp.example/JIRA",
        "http://jira.corp.example/jira",
        "https://127.0.0.1/jira",
        "http://169.254.169.254",
    ] {
        let refusal = policy.admit(&connection(foreign)).unwrap_err();
        assert_eq!(refusal.code(), "site_not_permitted", "{foreign} was admitted");
    }
}

#[test]
fn an_address_that_hides_another_one_does_not_even_parse() {
    for text in [
        "https://jira.corp.example@evil.example/jira",
        "https://jira.corp.example/jira/../admin",
        "https://jira.corp.example/jira/%2e%2e/admin",
        "https://jira.corp.example\\@evil.example/jira",
        "https://jira.corp.example/jira?x=https://evil.example",
        "https://jira.corp.example/jira#@evil.example",
        "file:///etc/passwd",
    ] {
        let wire = format!(
            r#"{{"name":"x","site":"{}","username":"u","credential":"password","sealed":[],"max_parallel":1}}"#,
            text.escape_default()
        );
        assert!(serde_json::from_str::<ConnectionSpec>(&wire).is_err(), "{text} parsed");
    }
}

#[test]
fn nothing_is_permitted_by_default() {
    let refusal = policy(&[]).admit(&connection("https://jira.corp.example")).unwrap_err();
    assert!(refusal.failure().message.contains("no Jira yet"));
    assert!(refusal.failure().hint.contains("--allow-jira https://jira.corp.example"));
}

#[test]
fn the_address_that_is_called_is_the_permitted_one() {
    let policy = policy(&["http://127.0.0.1:2990/jira"]);
    let site = policy.admit(&connection("http://127.0.0.1:2990/jira/")).unwrap().engine_site().unwrap();
    assert_eq!(site.base_url.as_str(), "http://127.0.0.1:2990/jira");
}

#[test]
fn an_account_name_cannot_smuggle_a_password_or_a_header() {
    let policy = policy(&["https://jira.corp.example"]);
    for name in ["a:b", "a\r\nX-Evil: 1", &"x".repeat(300)] {
        let mut connection = connection("https://jira.corp.example");
        name.clone_into(&mut connection.username);
        assert_eq!(policy.admit(&connection).unwrap_err(), Refusal::Username);
    }
}

#[test]
fn the_narrower_limit_counts() {
    let policy = policy(&["https://jira.corp.example"]);
    for (asked, granted) in [(0, 1), (1, 1), (4, 4), (8, 8), (9, 8), (u32::MAX, 8)] {
        let mut connection = connection("https://jira.corp.example");
        connection.max_parallel = asked;
        assert_eq!(policy.limits(&connection).max_parallel, granted, "asked {asked}");
    }
}

#[test]
fn no_table_named_means_every_table() {
    assert_eq!(engine_spec(&extraction()).unwrap().tables, Table::defaults().collect());
}

#[test]
fn unknown_tables_are_refused_with_the_known_ones() {
    let mut wire = extraction();
    wire.tables = vec!["issues".to_owned(), "../secrets".to_owned()];
    let refusal = engine_spec(&wire).unwrap_err();
    assert_eq!(refusal.code(), "table_unknown");
    assert!(refusal.failure().hint.contains("issue_changelog"));
    wire.tables = vec!["_replaced".to_owned()];
    assert_eq!(engine_spec(&wire).unwrap_err().code(), "table_unknown");
}

#[test]
fn project_keys_are_taken_by_their_grammar_only() {
    for key in ["", "A B", "A) OR (1=1", "\"A\"", "A,B", "ключ", "A-1", "../A"] {
        let mut wire = extraction();
        wire.projects = vec![key.to_owned()];
        assert_eq!(engine_spec(&wire).unwrap_err().code(), "project_refused", "{key} was taken");
    }
    let mut many = extraction();
    many.projects = vec!["A".to_owned(); MAX_PROJECTS + 1];
    assert_eq!(engine_spec(&many).unwrap_err().code(), "project_refused");
}

#[test]
fn times_that_no_jira_knows_are_refused() {
    for ms in [-1, i64::MIN, i64::MAX, 253_402_300_800_000] {
        let mut wire = extraction();
        wire.created_from_ms = Some(ms);
        assert_eq!(engine_spec(&wire).unwrap_err().code(), "time_refused");
        wire = extraction();
        wire.load = Load::Delta { since_ms: ms };
        assert_eq!(engine_spec(&wire).unwrap_err().code(), "time_refused");
    }
}

#[test]
fn jql_that_leaves_its_parentheses_or_is_too_long_is_refused() {
    let mut wire = extraction();
    wire.jql = Some("project = A) OR (project = B".to_owned());
    assert_eq!(engine_spec(&wire).unwrap_err().code(), "extraction_refused");
    wire.jql = Some("x".repeat(MAX_JQL_BYTES + 1));
    assert_eq!(engine_spec(&wire).unwrap_err().code(), "jql_refused");
}

fn paths_with(place: &tempfile::TempDir) -> Paths {
    paths_in(place.path())
}

#[test]
fn addresses_of_enrolment_configuration_and_command_line_are_all_permitted_once() {
    let place = tempfile::tempdir().unwrap();
    let paths = paths_with(&place);
    let premises = |text: &str| Premises { allow_jira: vec![text.to_owned()], jira_ca: None };
    remember(&paths, &premises("https://enrolled")).unwrap();
    remember(&paths, &premises("https://enrolled/")).unwrap();
    let text = "allow_jira = [\"https://configured\"]\n[[jira]]\nurl = \"https://configured\"\nusername = \"reader\"\npassword_file = \"pw\"\n";
    std::fs::write(paths.config.path(), text).unwrap();
    let config = crate::config::load(&paths.config).unwrap();
    let sites = gather(&config, &paths, &premises("https://given")).unwrap();
    let names: Vec<_> = sites.iter().map(|site| site.address.as_str()).collect();
    assert_eq!(names, ["https://given", "https://enrolled", "https://configured"]);
    let account =
        LocalAccount { username: "reader".to_owned(), secret: LocalSecret::File(place.path().join("pw")) };
    assert_eq!(sites[2].accounts, [account]);
}

#[test]
fn a_wrong_address_or_certificate_file_is_refused_by_name() {
    let place = tempfile::tempdir().unwrap();
    let paths = paths_with(&place);
    let wrong = Premises { allow_jira: vec!["jira.corp.example".to_owned()], jira_ca: None };
    assert!(remember(&paths, &wrong).unwrap_err().to_string().contains("--allow-jira"));
    let empty = place.path().join("ca.pem");
    std::fs::write(&empty, "not a certificate").unwrap();
    let given = Premises { allow_jira: Vec::new(), jira_ca: Some(empty) };
    assert!(remember(&paths, &given).unwrap_err().to_string().contains("ca.pem"));
}
