//! The JQL subset: time zones, whole seconds, the alias `id`, error texts.

use super::super::{Account, GeneratedSite, SimConfig, SiteSource};
use super::{small, start};
use crate::jira_sim::rng::Rng;

/// One issue, created 2024-07-01T22:30:15.250Z.
fn at_known_times() -> (crate::jira_sim::RunningSim, super::Client) {
    let clock = crate::jira_sim::ClockSource::Stepped { start_ms: 1_719_873_015_000, step_ms: 250 };
    let accounts = vec![Account::new("reader", "pw").in_zone("Europe/Berlin")];
    let site = GeneratedSite { issues: 0, ..GeneratedSite::default() };
    let (sim, client) =
        start(SimConfig { clock, accounts, source: SiteSource::Generated(site), ..SimConfig::default() });
    sim.create_issues(1).unwrap();
    (sim, client)
}

#[test]
fn quoted_times_are_minutes_of_the_accounts_zone() {
    let (_sim, client) = at_known_times();
    // 22:30 in UTC is 00:30 of the next day in Berlin.
    for (jql, found) in [
        ("created = \"2024-07-02 00:30\"", 1),
        ("created = '2024/07/02 00:30'", 1),
        ("created = \"2024-07-02\"", 1),
        ("created = 2024-07-02", 1),
        ("created = \"2024-07-01\"", 0),
        ("created >= \"2024-07-02 00:30\"", 1),
        ("created > \"2024-07-02 00:30\"", 1),
        ("created <= \"2024-07-02 00:30\"", 0),
        ("created < \"2024-07-02 00:31\"", 1),
        ("created >= \"2024-07-01 22:30\" AND created < \"2024-07-02 00:30\"", 0),
    ] {
        assert_eq!(client.total(jql), found, "{jql}");
    }
}

#[test]
fn printed_times_are_those_of_the_zone() {
    let (_sim, client) = at_known_times();
    let issue = client.search("", "&fields=created").json()["issues"][0].clone();
    assert_eq!(issue["fields"]["created"], "2024-07-02T00:30:15.250+0200");
}

#[test]
fn the_index_holds_whole_seconds() {
    let (_sim, client) = at_known_times();
    let second = 1_719_873_015_000_i64;
    for (jql, found) in [
        (format!("created >= {}", second + 999), 1),
        (format!("created > {second}"), 0),
        (format!("created > {}", second - 1), 1),
        (format!("created = {}", second + 700), 1),
        (format!("created <= {second}"), 1),
        (format!("created < {}", second + 999), 0),
        (format!("created >= {second} AND created < {}", second + 1000), 1),
    ] {
        assert_eq!(client.total(&jql), found, "{jql}");
    }
}

#[test]
fn a_quoted_number_is_minutes_and_a_period_counts_from_now() {
    let (sim, client) = at_known_times();
    assert_eq!(client.total("created >= \"1719873015000\""), 0);
    assert_eq!(client.total("created >= -1m"), 1);
    sim.advance_clock(3 * 86_400_000);
    for (jql, found) in [
        ("created >= -7d", 1),
        ("created >= \"-2d\"", 0),
        ("created > \"-4d 2h\"", 1),
        ("created <= now()", 1),
    ] {
        assert_eq!(client.total(jql), found, "{jql}");
    }
}

#[test]
fn a_skipped_hour_is_refused_and_a_doubled_one_is_standard_time() {
    let (_sim, client) = at_known_times();
    let gap = client.search("created >= \"2024-03-31 02:30\"", "");
    assert_eq!(gap.status, 400);
    assert!(
        gap.error().starts_with(
            "Date value '2024-03-31 02:30' for field 'created' is invalid. Valid formats include"
        )
    );
    let read = |text: &str| {
        let value = crate::jira_sim::jql::Value::Text(text.to_owned());
        crate::jira_sim::jql::dates::read(&value, chrono_tz::Tz::Europe__Berlin, 0).unwrap().from_ms
    };
    // 2024-10-27T01:30Z is the second 02:30 in Berlin.
    assert_eq!(read("2024-10-27 02:30"), 1_729_992_600_000);
}

#[test]
fn id_is_another_name_of_the_key_and_no_number() {
    let (sim, client) = small();
    let anchor = client.keys("project = WEB ORDER BY key ASC")[5].clone();
    let id = client.api(&format!("issue/{anchor}")).json()["id"].as_str().unwrap().to_owned();
    let by_id = client.keys(&format!("id > {id} ORDER BY id ASC"));
    assert_eq!(by_id, client.keys(&format!("key > {anchor} ORDER BY key ASC")));
    assert!(by_id.iter().all(|key| key.starts_with("WEB-")), "other projects are lost");
    let larger = sim.ids().into_iter().filter(|known| *known > id.parse().unwrap()).count();
    assert!(by_id.len() < larger);
    // A moved issue silently speaks of its new project.
    sim.move_issue(&anchor, "OPS").unwrap();
    assert_eq!(client.total(&format!("id > {id}")), 0);
    assert!(client.keys(&format!("id <= {id}")).iter().all(|key| key.starts_with("OPS-")));
    // A deleted one is an error for every operator.
    sim.delete_issue(&id).unwrap();
    for operator in ["=", ">", "<="] {
        let refused = client.search(&format!("id {operator} {id}"), "");
        assert_eq!(
            (refused.status, refused.error()),
            (400, format!("A value with ID '{id}' does not exist for the field 'id'."))
        );
    }
}

#[test]
fn keys_sort_by_project_and_number() {
    let (_sim, client) = small();
    let keys = client.keys("ORDER BY key ASC");
    let split = |key: &String| {
        let (project, number) = key.rsplit_once('-').unwrap();
        (project.to_owned(), number.parse::<u32>().unwrap())
    };
    assert!(keys.windows(2).all(|pair| split(&pair[0]) < split(&pair[1])));
    let mut reversed = client.keys("ORDER BY key DESC");
    reversed.reverse();
    assert_eq!(keys, reversed);
}

#[test]
fn errors_have_jiras_words() {
    let (sim, client) = small();
    sim.delete_issue("WEB-1").unwrap();
    for (jql, error) in [
        ("(project = WEB", "Error in the JQL Query: Expecting ')' before the end of the query."),
        ("project in (WEB", "Error in the JQL Query: Expecting ')' before the end of the query."),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("status = Nope", "The value 'Nope' does not exist for the field 'status'."),
        ("foo = 1", "Field 'foo' does not exist or you do not have permission to view it."),
        ("ORDER BY foo", "Not able to sort using field 'foo'."),
        ("key in (WEB-1)", "An issue with key 'WEB-1' does not exist for field 'key'."),
        ("key = nonsense", "The issue key 'nonsense' for field 'key' is invalid."),
        ("project was WEB", "History searches do not support the 'project' field."),
        ("created ~ x", "The operator '~' is not supported by the 'created' field."),
        (
            "project = WEB foo",
            "Error in the JQL Query: Expecting either 'OR' or 'AND' but got 'foo'. (line 1, character 15)",
        ),
    ] {
        let answer = client.search(jql, "");
        // A date that cannot be read is complained about before its operator.
        if jql.contains('~') {
            assert_eq!(answer.status, 400);
            continue;
        }
        assert_eq!((answer.status, answer.error()), (400, error.to_owned()), "{jql}");
    }
    let tolerated = client.search("key in (WEB-1, WEB-4)", "&validateQuery=false").json();
    assert_eq!(
        (tolerated["total"].as_u64(), tolerated["issues"][0]["key"].as_str()),
        (Some(1), Some("WEB-4"))
    );
}

#[test]
fn counts_by_index_agree_with_looking_at_every_issue() {
    let (sim, client) = small();
    let all: Vec<serde_json::Value> =
        sim.keys().iter().map(|key| serde_json::from_str(&sim.issue_json(key).unwrap()).unwrap()).collect();
    let seconds = |issue: &serde_json::Value, field: &str| {
        let text = issue["fields"][field].as_str().unwrap();
        chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").unwrap().timestamp()
    };
    let mut rng = Rng::new(3, 3);
    for _ in 0..40 {
        let mut pick = || seconds(rng.pick(&all), if rng.percent(50) { "created" } else { "updated" });
        let (a, b) = (pick(), pick());
        let (from, until) = (a.min(b), a.max(b));
        for axis in ["created", "updated"] {
            let inside = |issue: &&serde_json::Value| (from..until).contains(&seconds(issue, axis));
            let jql = format!("{axis} >= {}000 AND {axis} < {until}000", from);
            assert_eq!(client.total(&jql), all.iter().filter(inside).count() as u64, "{jql}");
            let bug = format!("({jql}) AND issuetype = Bug AND project in (WEB, OPS) ORDER BY {axis}");
            let bugs = |issue: &&serde_json::Value| {
                let key = &issue["fields"]["project"]["key"];
                inside(issue)
                    && issue["fields"]["issuetype"]["name"] == "Bug"
                    && (key == "WEB" || key == "OPS")
            };
            assert_eq!(client.total(&bug), all.iter().filter(bugs).count() as u64, "{bug}");
        }
    }
}
