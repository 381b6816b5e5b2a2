use super::*;
use crate::identity::tests::paths_in;
use crate::paths::ConfigFile;
use jira::Mode;

/// Rules of a configuration file with this text; a key for pseudonyms is there.
fn rules(text: &str) -> Result<Rules, Error> {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("agent.toml");
    std::fs::write(&file, text).unwrap();
    let paths = Paths { config: ConfigFile::Named(file), ..paths_in(place.path()) };
    let config = crate::config::load(&paths.config)?;
    MaskKey::draw().unwrap().keep(&config, &paths).unwrap();
    Rules::load(&config, &paths)
}

fn spec(tables: &[Table], projects: &[&str]) -> Spec {
    Spec {
        projects: projects.iter().map(|key| ProjectKey::parse(key).unwrap()).collect(),
        ..Spec::all(tables.iter().copied(), Mode::Full)
    }
}

fn codes(decisions: &[Decision]) -> Vec<&str> {
    decisions.iter().map(|decision| decision.code.as_str()).collect()
}

#[test]
fn a_wish_for_everything_gets_what_is_permitted_and_is_told_so_with_the_line() {
    let rules = rules("[policy]\nprojects = [\"A\"]\ndeny_tables = [\"users\"]\n").unwrap();
    let (spec, decisions) = rules.narrow(spec(Table::all(), &[]), true).unwrap();
    assert!(!spec.tables.contains(&Table::Users) && spec.tables.contains(&Table::Issues));
    assert!(spec.narrowing.permits_project("A") && !spec.narrowing.permits_project("B"));
    assert_eq!(codes(&decisions), ["policy_tables_withheld", "policy_projects_narrowed"]);
    assert!(decisions[0].place.ends_with("agent.toml, line 3"), "{decisions:?}");
    assert!(decisions[1].place.ends_with("agent.toml, line 2"), "{decisions:?}");
}

#[test]
fn a_wish_for_what_is_not_permitted_is_refused_and_a_mixed_one_is_narrowed() {
    let rules =
        rules("[policy]\nprojects = [\"A\", \"B\"]\ndeny_projects = [\"B\"]\ntables = [\"issues\"]\n")
            .unwrap();
    let refused = |spec: Spec| rules.narrow(spec, false).unwrap_err().code();
    assert_eq!(refused(spec(&[Table::Users], &[])), "table_not_permitted");
    assert_eq!(refused(spec(&[Table::Issues, Table::Users], &[])), "table_not_permitted");
    assert_eq!(refused(spec(&[Table::Issues], &["B", "C"])), "project_not_permitted");
    let (narrowed, decisions) = rules.narrow(spec(&[Table::Issues], &["a", "C"]), false).unwrap();
    assert_eq!(narrowed.projects, [ProjectKey::parse("a").unwrap()]);
    assert_eq!(codes(&decisions), ["policy_projects_withheld"]);
}

#[test]
fn a_condition_is_refused_as_soon_as_something_is_masked() {
    let asked = || Spec { jql: Some("assignee = bob".to_owned()), ..spec(&[Table::Issues], &[]) };
    let masked = "[[mask]]\ncolumns = [\"people\"]\nwith = \"hmac-sha256\"\n";
    assert!(rules("").unwrap().narrow(asked(), false).is_ok());
    assert_eq!(rules(masked).unwrap().narrow(asked(), false).unwrap_err().code(), "jql_not_permitted");
    let allowed = format!("[policy]\njql = \"allow\"\n{masked}");
    assert!(rules(&allowed).unwrap().narrow(asked(), false).is_ok());
}

#[test]
fn dropping_people_leaves_the_table_of_users_out() {
    let rules = rules("[[mask]]\ncolumns = [\"people\"]\nwith = \"drop\"\n").unwrap();
    let (spec, decisions) = rules.narrow(spec(Table::all(), &[]), true).unwrap();
    assert!(!spec.tables.contains(&Table::Users) && spec.check().is_ok());
    assert_eq!(codes(&decisions), ["policy_tables_withheld"]);
}

#[test]
fn a_mask_that_cannot_be_carried_out_is_refused_with_its_line() {
    for (text, said) in [
        ("[[mask]]\ncolumns = [\"issues.issue_id\"]\nwith = \"drop\"\n", "tells rows apart"),
        ("[[mask]]\ncolumns = [\"isues.summary\"]\nwith = \"drop\"\n", "no table `isues`"),
        ("[[mask]]\ncolumns = []\nwith = \"drop\"\n", "no column is named"),
        ("[[mask]]\ncolumns = [\"people\"]\nwith = \"md5\"\n", "md5"),
        ("[[mask]]\ncolumns = [\"people\"]\nwith = \"drop\"\nsalt_file = \"x\"\n", "take a salt"),
    ] {
        let error = rules(text).unwrap_err();
        assert!(matches!(error, Error::BadValue { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains(said) && message.contains("agent.toml"), "{message}");
    }
}

#[test]
fn only_listed_accounts_may_be_used() {
    let rules = rules("[policy]\naccounts = [\"reader\"]\n").unwrap();
    assert!(rules.admit_account("reader").is_ok());
    assert_eq!(rules.admit_account("admin").unwrap_err().code(), "account_not_permitted");
}

#[test]
fn every_rule_is_explained_with_its_line() {
    let rules = rules("[policy]\nhours = [\"mon 08:00-09:00\"]\n\n[[mask]]\ncolumns = [\"people\"]\nwith = \"hmac-sha256\"\n").unwrap();
    let line = |wanted: &str| {
        let found = rules.explained().into_iter().find(|(rule, _)| rule.contains(wanted));
        found.unwrap_or_else(|| panic!("no rule {wanted}")).1
    };
    assert!(line("hours").ends_with("line 2") && line("hmac-sha256: people").ends_with("line 4"));
    assert_eq!(line("tables that may be read"), "the defaults");
}
