//! Page beans, users, comments, worklogs and their feeds.

use serde_json::{Value, json};

use super::super::{SimConfig, start};
use super::{everything, small};

fn texts<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().filter_map(|one| one[member].as_str()).collect()
}

#[test]
fn projects_come_by_status_in_page_beans() {
    let (_sim, client) = small();
    let bean = client.v3("project/search?maxResults=4").json();
    assert_eq!((bean["total"].as_u64(), bean["isLast"].as_bool()), (Some(6), Some(false)));
    assert!(bean["nextPage"].as_str().unwrap().ends_with("project/search?startAt=4&maxResults=4"));
    assert!(bean["values"][0]["lead"].is_null() && bean["values"][0]["description"].is_null());
    let rest = client.v3("project/search?startAt=4&expand=lead,description").json();
    assert_eq!((rest["values"].as_array().unwrap().len(), rest["isLast"].as_bool()), (2, Some(true)));
    assert!(
        rest["values"][0]["lead"]["accountId"].is_string() && rest["values"][0]["description"].is_string()
    );
    assert_eq!(client.v3("project/search?maxResults=1000").json()["maxResults"], 100);
    let status = |wanted: &str| client.v3(&format!("project/search?{wanted}")).json()["values"].clone();
    assert_eq!(texts(&status("status=archived"), "key"), ["OLD"]);
    assert_eq!(status("status=archived")[0]["archived"], true);
    assert_eq!(texts(&status("status=deleted"), "key"), ["BIN"]);
    assert_eq!(status("status=live&status=archived").as_array().unwrap().len(), 7);
}

#[test]
fn metadata_comes_bare_and_in_page_beans() {
    let (_sim, client) = small();
    let fields = client.v3("field").json();
    let fields = fields.as_array().unwrap();
    assert!(fields.iter().all(|field| field["key"] == field["id"]));
    for id in ["parent", "statuscategorychangedate", "description"] {
        assert!(fields.iter().any(|field| field["id"] == id), "{id}");
    }
    let sprint = fields.iter().find(|field| field["name"] == "Sprint").unwrap();
    assert_eq!(sprint["schema"]["items"], "json");
    let scoped = fields.iter().filter(|field| field["scope"]["type"] == "PROJECT").count();
    assert_eq!(scoped, 1);
    let searched = client.v3("field/search?maxResults=50&startAt=0").json();
    assert_eq!(searched["total"].as_u64().unwrap(), (fields.len() - scoped) as u64);
    assert_eq!(searched["isLast"], false);
    assert_eq!(client.v3("statuses/search").json()["values"][0]["statusCategory"], "TODO");
    assert_eq!(client.v3("priority/search").json()["total"], 5);
    assert_eq!(client.v3("resolution/search").json()["total"], 5);
    let statuses = client.v3("status").json();
    assert!(statuses.as_array().unwrap().iter().all(|status| status["untranslatedName"] == status["name"]));
    let types = client.v3("issuetype").json();
    let level = |name: &str| {
        types.as_array().unwrap().iter().find(|kind| kind["name"] == name).unwrap()["hierarchyLevel"].clone()
    };
    assert_eq!([level("Epic"), level("Story"), level("Sub-task")], [json!(1), json!(0), json!(-1)]);
}

#[test]
fn all_users_are_found_page_by_page_also_the_deactivated() {
    let (sim, client) = start(SimConfig::cloud(50, 7));
    let mut all = Vec::new();
    loop {
        let page = client.v3(&format!("users/search?startAt={}&maxResults=50", all.len())).json();
        let page = page.as_array().unwrap().clone();
        all.extend(page.clone());
        if page.is_empty() {
            break;
        }
    }
    assert_eq!(all, sim.user_list());
    assert!(all.iter().any(|user| user["active"] == false));
    assert!(
        all.iter().any(|user| user["emailAddress"].is_null())
            && all.iter().any(|user| user["emailAddress"].is_string())
    );
    for kind in ["atlassian", "app", "customer"] {
        assert!(all.iter().any(|user| user["accountType"] == kind), "{kind}");
    }
    assert!(
        all.iter().any(|user| user["timeZone"].is_null()) && all.iter().any(|user| user["timeZone"] == "")
    );
    assert!(all.iter().any(|user| user["accountId"].as_str().unwrap().contains(':')));
    assert!(all.iter().all(|user| user["key"].is_null() && user["name"].is_null()));
    let mut ids: Vec<&str> = all.iter().map(|user| user["accountId"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
    assert_eq!(client.v3("user/search").status, 400);
    let found = client.v3("user/search?query=a").json();
    assert!(found.as_array().unwrap().iter().all(|user| user["active"] == true));
}

#[test]
fn comments_come_by_at_most_100() {
    let (sim, client) = small();
    let key = sim.keys()[5].clone();
    for number in 0..130 {
        sim.add_comment(&key, None, &format!("comment {number}")).unwrap();
    }
    let page = |query: &str| client.v3(&format!("issue/{key}/comment?{query}")).json();
    let total = page("")["total"].as_u64().unwrap();
    for (query, start, most, shown) in [
        ("", 0, 100, 100),
        ("maxResults=100000", 0, 100, 100),
        ("startAt=-5&maxResults=0", 0, 1, 1),
        ("maxResults=-1", 0, 1, 1),
        ("startAt=100", 100, 100, total - 100),
        ("startAt=5000", 5000, 100, 0),
    ] {
        let page = page(query);
        let found = page["comments"].as_array().unwrap().len() as u64;
        assert_eq!(
            (page["startAt"].as_u64(), page["maxResults"].as_u64(), found),
            (Some(start), Some(most), shown),
            "{query}"
        );
    }
    let embedded = client.issue(&key)["fields"]["comment"].clone();
    assert_eq!(
        (embedded["comments"].as_array().unwrap().len(), embedded["total"].as_u64()),
        (100, Some(total))
    );
    assert_eq!(client.v3("issue/WEB-99999/comment?orderBy=updated").status, 400);
    assert_eq!(client.v3("issue/WEB-99999/comment").status, 404);
    let first = page("maxResults=1")["comments"][0].clone();
    assert_ne!(page("maxResults=1&orderBy=-created")["comments"][0]["id"], first["id"]);
    let ids: Vec<u64> = vec![first["id"].as_str().unwrap().parse().unwrap(), 1];
    let listed = client.post3("comment/list", &json!({ "ids": ids })).json();
    assert_eq!((listed["total"].as_u64(), &listed["values"][0]), (Some(1), &first));
}

#[test]
fn worklogs_are_complete_in_their_resource_and_cut_inside_an_issue() {
    let (sim, client) = small();
    let key = sim.keys()[5].clone();
    for number in 0..30 {
        sim.add_worklog(&key, 60 + number, "work").unwrap();
    }
    let page = client.v3(&format!("issue/{key}/worklog")).json();
    let all = page["worklogs"].as_array().unwrap();
    assert_eq!((page["maxResults"].as_u64(), page["total"].as_u64()), (Some(5000), Some(all.len() as u64)));
    let embedded = client.issue(&key)["fields"]["worklog"].clone();
    assert_eq!((embedded["worklogs"].as_array().unwrap().len(), &embedded["total"]), (20, &page["total"]));
    let middle = client.v3(&format!("issue/{key}/worklog?startAt=3&maxResults=2")).json();
    assert_eq!(middle["worklogs"].as_array().unwrap()[..], all[3..5]);
    let last = chrono::DateTime::parse_from_str(
        all.last().unwrap()["started"].as_str().unwrap(),
        "%Y-%m-%dT%H:%M:%S%.f%z",
    );
    let after = last.unwrap().timestamp_millis() - 1;
    let late = client.v3(&format!("issue/{key}/worklog?startedAfter={after}")).json();
    assert_eq!(late["total"], 1);
}

#[test]
fn feeds_tell_of_worklogs_after_a_minute() {
    let (sim, client) = small();
    let (key, since) = (sim.keys()[5].clone(), sim.now_ms());
    let kept = sim.add_worklog(&key, 60, "kept").unwrap();
    let lost = sim.add_worklog(&key, 60, "lost").unwrap();
    sim.delete_worklog(&key, lost).unwrap();
    let feed = |kind: &str| client.v3(&format!("worklog/{kind}?since={since}")).json();
    let ids = |page: &Value| {
        page["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["worklogId"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (feed("updated")["values"].clone(), feed("updated")["lastPage"].as_bool()),
        (json!([]), Some(true))
    );
    sim.advance_clock(61_000);
    assert_eq!((ids(&feed("updated")), ids(&feed("deleted"))), (vec![kept], vec![lost]));
    let listed = client.post3("worklog/list", &json!({ "ids": [kept, lost, 1] })).json();
    assert_eq!(texts(&listed, "id"), [kept.to_string()]);
    let many: Vec<u64> = (0..1001).collect();
    for ids in [json!(many), Value::Null] {
        assert_eq!(client.post3("worklog/list", &json!({ "ids": ids })).status, 400);
    }
    let (mut since, mut all, mut pages) = (0, Vec::new(), 0);
    loop {
        let page = client.v3(&format!("worklog/updated?since={since}")).json();
        all.extend(ids(&page));
        pages += 1;
        if page["lastPage"] == true {
            break;
        }
        assert!(page["nextPage"].is_string());
        since = page["until"].as_i64().unwrap();
    }
    let issues = client.walk(&everything(&["worklog"])).0;
    let total: u64 = issues.iter().map(|issue| issue["fields"]["worklog"]["total"].as_u64().unwrap()).sum();
    assert_eq!((all.len() as u64, pages), (total, total.div_ceil(1000)));
}

#[test]
fn many_issues_come_by_id_with_invisible_ones_missing() {
    let (sim, client) = small();
    let moved = sim.keys()[20].clone();
    let target = if moved.starts_with("WEB") { "APP" } else { "WEB" };
    let now = sim.move_issue(&moved, target);
    let keys = [sim.keys()[9].clone(), "WEB-99999".to_owned(), sim.keys()[2].clone(), moved];
    let found =
        client.post3("issue/bulkfetch", &json!({ "issueIdsOrKeys": keys, "fields": ["summary"] })).json();
    let found_keys = texts(&found["issues"], "key");
    let ids: Vec<u64> = super::ids(found["issues"].as_array().unwrap());
    assert!(ids.is_sorted() && ids.len() >= 3, "{found_keys:?}");
    if let Ok(now) = now {
        assert!(found_keys.contains(&now.key.as_str()));
    }
    let many: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    assert_eq!(client.post3("issue/bulkfetch", &json!({ "issueIdsOrKeys": many })).status, 400);
}
