//! Recorded issues: what the recording lacks stays lacking, and changes work all the same.

use std::io::Write;

use serde_json::{Value, json};

use super::super::{Edit, JiraSim, SimConfig};
use super::start;

/// Two issues as an archive leaves them: no nulls, no history, one link inside and one out of the recording.
fn lines() -> String {
    let user = json!({ "name": "new.name", "key": "old", "displayName": "\u{dc}ser", "active": true, "timeZone": "Europe/Berlin" });
    let link = |id: &str, side: &str, other: &str, key: &str| {
        json!({ "id": id, "type": { "id": "1", "name": "Blocks", "inward": "is blocked by", "outward": "blocks" },
        side: { "id": other, "key": key, "fields": { "summary": "s" } } })
    };
    let issue = |id: &str, key: &str, links: Value| {
        json!({ "id": id, "key": key, "fields": {
        "project": { "id": "10", "key": "AC", "name": "Acme" }, "issuetype": { "id": "1", "name": "Bug", "subtask": false },
        "status": { "id": "6", "name": "Closed", "statusCategory": { "id": 3, "key": "done", "name": "Done" } },
        "created": "2015-01-30T00:43:49.000+0000", "updated": "2015-02-02T18:32:28.123+0000", "summary": "a\u{2028}b", "creator": user,
        "issuelinks": links, "comment": { "comments": [{ "id": "7", "author": user, "body": "hi", "created": "2015-02-02T15:53:48.000+0000" }], "maxResults": 1, "total": 1, "startAt": 0 } } })
    };
    let first = issue(
        "100",
        "AC-1",
        json!([link("5", "outwardIssue", "101", "AC-2"), link("6", "inwardIssue", "999", "XX-9")]),
    );
    let second = issue("101", "AC-2", json!([link("5", "inwardIssue", "100", "AC-1")]));
    format!("{first}\n\n{second}\n")
}

fn file(ending: &str, bytes: &[u8]) -> tempfile::TempPath {
    let mut file = tempfile::Builder::new().suffix(ending).tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.into_temp_path()
}

#[test]
fn plain_gzip_and_xz_give_the_same_site() {
    let plain = lines();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(plain.as_bytes()).unwrap();
    let mut xz = Vec::new();
    lzma_rs::xz_compress(&mut plain.as_bytes(), &mut xz).unwrap();
    for (ending, bytes) in
        [(".ndjson", plain.clone().into_bytes()), (".gz", gz.finish().unwrap()), (".xz", xz)]
    {
        let path = file(ending, &bytes);
        let (sim, client) = start(SimConfig::recorded(&*path));
        assert_eq!(sim.keys(), ["AC-1", "AC-2"]);
        let page = client.search("project = AC ORDER BY key ASC", "&fields=*all&expand=changelog").json();
        let issue = &page["issues"][0];
        assert_eq!(issue["changelog"], json!({ "startAt": 0, "maxResults": 0, "total": 0, "histories": [] }));
        assert_eq!(
            (&issue["fields"]["summary"], &issue["fields"]["comment"]["total"]),
            (&"a\u{2028}b".into(), &1.into())
        );
        assert!(issue["fields"].get("worklog").is_none());
        assert_eq!(issue["fields"]["issuelinks"][1]["inwardIssue"]["key"], "XX-9");
        assert_eq!(client.api("status").json()[0]["statusCategory"]["key"], "done");
        assert_eq!(client.api("user/search?username=.").json()[0]["key"], "old");
        assert_eq!(client.api("project/AC").json()["name"], "Acme");
    }
}

#[test]
fn recorded_issues_can_be_changed() {
    let path = file(".ndjson", lines().as_bytes());
    let (sim, client) = start(SimConfig::recorded(&*path));
    sim.edit_issue("AC-2", &Edit { summary: Some("changed".into()), ..Edit::default() }).unwrap();
    let page = client.search("key = AC-1", "&fields=*all").json();
    assert_eq!(page["issues"][0]["fields"]["issuelinks"][0]["outwardIssue"]["fields"]["summary"], "changed");
    sim.rename_user("new.name", "newer.name", "Newer").unwrap();
    assert_eq!(
        client.api("issue/AC-1").json()["fields"]["comment"]["comments"][0]["author"]["name"],
        "newer.name"
    );
    sim.delete_issue("AC-2").unwrap();
    assert_eq!(client.api("issue/AC-1").json()["fields"]["issuelinks"].as_array().unwrap().len(), 1);
    assert_eq!(sim.create_issues(1).unwrap()[0].key, "AC-3");
}

#[test]
fn a_line_that_is_no_issue_is_named() {
    let path = file(".ndjson", b"{\"id\":\"1\",\"key\":\"A-1\",\"fields\":{}}\n");
    let error = JiraSim::start(SimConfig::recorded(&*path)).unwrap_err().to_string();
    assert!(error.contains("line 1") && error.contains("project"), "{error}");
    assert!(JiraSim::start(SimConfig::recorded("/nowhere/issues.gz")).is_err());
}
