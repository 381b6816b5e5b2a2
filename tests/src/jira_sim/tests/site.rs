//! The generated site: the same by seed, varied, and consistent with itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::{JiraSim, SimConfig};
use super::small;

fn documents(seed: u64) -> Vec<Value> {
    let config =
        SimConfig { base_url: Some("https://jira.example.com".into()), ..SimConfig::generated(400, seed) };
    let sim = JiraSim::start(config).unwrap();
    sim.keys().iter().map(|key| serde_json::from_str(&sim.issue_json(key).unwrap()).unwrap()).collect()
}

#[test]
fn the_same_seed_gives_the_same_site_and_another_seed_another() {
    assert_eq!(documents(5), documents(5));
    assert_ne!(documents(5), documents(6));
}

#[test]
fn links_are_seen_from_both_sides() {
    let mut ends: BTreeMap<String, Vec<(String, String, bool)>> = BTreeMap::new();
    for issue in documents(5) {
        for link in issue["fields"]["issuelinks"].as_array().unwrap() {
            let outward = link["outwardIssue"].is_object();
            let other = if outward { &link["outwardIssue"] } else { &link["inwardIssue"] };
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            ends.entry(text(&link["id"])).or_default().push((
                text(&issue["key"]),
                text(&other["key"]),
                outward,
            ));
        }
    }
    assert!(ends.len() > 50);
    for (id, ends) in ends {
        let [a, b] = ends.as_slice() else { panic!("link {id} has {} ends", ends.len()) };
        assert!(a.0 == b.1 && a.1 == b.0 && a.2 != b.2, "link {id}: {a:?} {b:?}");
    }
}

#[test]
fn sub_tasks_and_parents_know_each_other() {
    let issues = documents(5);
    let mut pairs = BTreeSet::new();
    for issue in &issues {
        if let Some(parent) = issue["fields"]["parent"]["key"].as_str() {
            assert_eq!(issue["fields"]["issuetype"]["subtask"], true);
            pairs.insert((parent.to_owned(), issue["key"].as_str().unwrap().to_owned()));
        }
    }
    let mut listed = BTreeSet::new();
    for issue in &issues {
        for child in issue["fields"]["subtasks"].as_array().unwrap() {
            listed.insert((
                issue["key"].as_str().unwrap().to_owned(),
                child["key"].as_str().unwrap().to_owned(),
            ));
        }
    }
    assert!(!pairs.is_empty());
    assert_eq!(pairs, listed);
}

#[test]
fn the_site_has_what_real_sites_have() {
    let config = SimConfig::generated(4000, 2);
    let sim = JiraSim::start(config).unwrap();
    let mut bytes = 0;
    let mut most = BTreeMap::from([("histories", 0), ("comments", 0), ("worklogs", 0)]);
    let (mut nulls, mut values, mut large, mut disordered) = (0_u64, 0_u64, 0, 0);
    let mut before = 0;
    for key in sim.keys() {
        let json = sim.issue_json(&key).unwrap();
        bytes += json.len();
        let issue: Value = serde_json::from_str(&json).unwrap();
        let fields = issue["fields"].as_object().unwrap();
        for (name, list) in [
            ("histories", &issue["changelog"]),
            ("comments", &fields["comment"]),
            ("worklogs", &fields["worklog"]),
        ] {
            let count = list[name].as_array().unwrap().len();
            *most.get_mut(name).unwrap() = count.max(most[name]);
        }
        for (name, value) in fields.iter().filter(|(name, _)| name.starts_with("customfield_")) {
            assert!(name.len() > 12);
            if value.is_null() { nulls += 1 } else { values += 1 }
        }
        large += usize::from(fields["description"].as_str().is_some_and(|text| text.len() >= 1_000_000));
        let id: u64 = issue["id"].as_str().unwrap().parse().unwrap();
        disordered += usize::from(id < before);
        before = id;
    }
    assert!(most["histories"] >= 150 && most["comments"] >= 60 && most["worklogs"] >= 25, "{most:?}");
    assert_eq!(large, 1);
    assert!(disordered > 100);
    let null_percent = nulls * 100 / (nulls + values);
    assert!((55..=65).contains(&null_percent), "{null_percent} % of custom values are null");
    let average = (bytes - 1_048_576) / 4000;
    assert!((8_000..=13_500).contains(&average), "{average} bytes an issue");
}

#[test]
fn users_are_renamed_inactive_deleted_and_masked() {
    let (sim, client) = small();
    let users = client.api("user/search?username=.&includeInactive=true&maxResults=1000").json();
    let users = users.as_array().unwrap();
    assert_eq!(users.len(), sim.user_list().len());
    let some = |what: &dyn Fn(&Value) -> bool| assert!(users.iter().any(what));
    some(&|user| user["name"] != user["key"]);
    some(&|user| user["key"].as_str().unwrap().starts_with("JIRAUSER"));
    some(&|user| user["active"] == false);
    some(&|user| user["emailAddress"].as_str().is_some_and(|email| email.contains(" at ")));
    some(&|user| user.get("emailAddress").is_none());
    let page = client.search("", "&maxResults=300&fields=creator,assignee,reporter").text();
    assert!(page.contains(r#"{"active":false,"name":"gone0"#));
    let active = client.api("user/search?username=.&maxResults=1000").json();
    assert!(active.as_array().unwrap().len() < users.len());
    assert_eq!(
        client.api("user/search?username=.&startAt=10&maxResults=7").json().as_array().unwrap().len(),
        7
    );
}

#[test]
fn a_bulk_import_shares_one_second() {
    let (_sim, client) = small();
    let first = client.keys("ORDER BY created ASC")[110].clone();
    let created =
        client.api(&format!("issue/{first}")).json()["fields"]["created"].as_str().unwrap().to_owned();
    let second = chrono::DateTime::parse_from_str(&created, "%Y-%m-%dT%H:%M:%S%.f%z").unwrap().timestamp();
    assert!(client.total(&format!("created >= {second}000 AND created < {}000", second + 1)) >= 150);
}
