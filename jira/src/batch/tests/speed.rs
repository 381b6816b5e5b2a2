//! How fast pages become parts, as a ratio to merely reading over the same text. A measurement, run by hand:
//! `cargo test --release -p jira -- --ignored --nocapture speed`.

use super::*;
use serde::de::IgnoredAny;
use std::time::{Duration, Instant};

const PAGES: u64 = 20;
const ISSUES: u64 = 100;
const ROUNDS: u32 = 4;
const CUSTOM_FIELDS: u64 = 80;

struct Words(u64);

impl Words {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn text(&mut self, words: u64) -> String {
        const SYLLABLES: [&str; 16] = [
            "ka", "ro", "ti", "build ", "the ", "fails ", "mün", "\r\n", "log ", "on ", "ser", "ver ",
            "with ", "\"x\" ", "err", "or ",
        ];
        (0..words).map(|_| SYLLABLES[usize::try_from(self.next(16)).unwrap()]).collect()
    }

    fn user(&mut self) -> Value {
        let number = self.next(300);
        json!({"self": format!("https://jira.corp.example/rest/api/2/user?username=user{number}"), "name": format!("user{number}"),
            "key": format!("JIRAUSER{number}"), "emailAddress": format!("user{number}@corp.example"),
            "avatarUrls": {"48x48": format!("https://jira.corp.example/secure/useravatar?ownerId={number}&avatarId=10876")},
            "displayName": format!("User {number}"), "active": true, "timeZone": "Europe/Berlin"})
    }

    fn time(&mut self) -> String {
        format!(
            "2024-0{}-1{}T1{}:2{}:3{}.{:03}+0000",
            self.next(9) + 1,
            self.next(9),
            self.next(9),
            self.next(9),
            self.next(9),
            self.next(1000)
        )
    }
}

fn custom_value(place: u64, words: &mut Words) -> Value {
    if words.next(4) != 0 {
        return Value::Null;
    }
    match place % 6 {
        0 => json!(words.next(40)),
        1 => json!("2024-05-06"),
        2 => json!(words.text(6)),
        3 => {
            json!({"self": "https://jira.corp.example/rest/api/2/customFieldOption/1", "value": "Red", "id": "1"})
        }
        4 => words.user(),
        _ => {
            json!([{"self": "https://jira.corp.example/rest/api/2/customFieldOption/2", "value": "A", "id": "2"}])
        }
    }
}

fn schema_type(place: u64) -> &'static str {
    ["number", "date", "string", "option", "user", "array"][usize::try_from(place % 6).unwrap()]
}

fn typical_issue(id: u64, words: &mut Words) -> Value {
    let status = json!({"self": "https://jira.corp.example/rest/api/2/status/3", "description": "being worked on",
        "iconUrl": "https://jira.corp.example/images/icons/statuses/inprogress.png", "name": "In Progress", "id": "3",
        "statusCategory": {"id": 4, "key": "indeterminate", "colorName": "yellow", "name": "In Progress"}});
    let comment = |n: u64, words: &mut Words| {
        json!({"self": "https://jira.corp.example/rest/api/2/issue/1/comment/1", "id": (id * 10 + n).to_string(),
            "author": words.user(), "updateAuthor": words.user(), "body": words.text(60), "created": words.time(), "updated": words.time()})
    };
    let comments: Vec<_> = (0..3).map(|n| comment(n, words)).collect();
    let history = |n: u64, words: &mut Words| {
        json!({"id": (id * 10 + n).to_string(), "author": words.user(), "created": words.time(), "items": [
            {"field": "status", "fieldtype": "jira", "from": "1", "fromString": "Open", "to": "3", "toString": "In Progress"},
            {"field": "assignee", "fieldtype": "jira", "from": null, "fromString": null, "to": "JIRAUSER4", "toString": "User 4"}]})
    };
    let histories: Vec<_> = (0..5).map(|n| history(n, words)).collect();
    let mut issue = issue(
        id,
        json!({
            "summary": words.text(12), "description": words.text(400), "status": status, "labels": ["one", "two"],
            "project": {"id": "10000", "key": "AB", "name": "Alpha"}, "creator": words.user(), "reporter": words.user(),
            "assignee": words.user(), "created": words.time(), "updated": words.time(), "workratio": -1,
            "comment": {"comments": comments, "total": 3, "maxResults": 3, "startAt": 0},
            "worklog": {"worklogs": [], "total": 0, "maxResults": 20, "startAt": 0}, "issuelinks": []
        }),
    );
    issue["changelog"] = json!({"startAt": 0, "maxResults": 5, "total": 5, "histories": histories});
    for place in 0..CUSTOM_FIELDS {
        issue["fields"][format!("customfield_{}", 10_000 + place)] = custom_value(place, words);
    }
    issue
}

fn timed(mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

#[test]
#[ignore = "a measurement, not a check"]
fn speed_of_a_page_to_parts() {
    let mut words = Words(7);
    let mut typical_page = |number: u64| {
        let issues: Vec<_> = (0..ISSUES).map(|n| typical_issue(number * ISSUES + n, &mut words)).collect();
        page(&issues)
    };
    let pages: Vec<_> = (0..PAGES).map(&mut typical_page).collect();
    let fields: Vec<_> = (0..CUSTOM_FIELDS)
        .map(|place| {
            json!({"id": format!("customfield_{}", 10_000 + place), "name": format!("Field {place}"), "custom": true,
                "schema": {"type": schema_type(place)}})
        })
        .collect();
    let schema = Arc::new(IssueSchema::from_field_answer(&Value::from(fields).to_string()).unwrap());
    let megabytes = pages.iter().map(String::len).sum::<usize>() as f64 / 1e6 * f64::from(ROUNDS);
    let sink_of = |tables: &[Table]| {
        let tables = tables.iter().copied().collect();
        Sink::new(Arc::clone(&schema), &tables, place(), 4 << 20)
    };
    let new_sink = || sink_of(&ISSUE_TABLES);

    let over = timed(|| {
        (0..ROUNDS).for_each(|_| pages.iter().for_each(|page| drop(serde_json::from_str::<IgnoredAny>(page))))
    });
    let decoded = timed(|| {
        (0..ROUNDS).for_each(|_| {
            pages.iter().for_each(|page| {
                read(&mut new_sink(), page);
            });
        });
    });
    let to_parts = |tables: &[Table]| {
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let mut sink = sink_of(tables);
            for page in &pages {
                read(&mut sink, page);
                bytes += sink.take_ready().unwrap().iter().map(|part| part.bytes.len()).sum::<usize>();
            }
            bytes += sink.finish().unwrap().parts.iter().map(|part| part.bytes.len()).sum::<usize>();
        }
        bytes
    };
    let mut bytes = 0;
    let whole = timed(|| bytes = to_parts(&ISSUE_TABLES));
    let with_derived = [&ISSUE_TABLES[..], &[Table::EventLog, Table::FieldHistory]].concat();
    let mut bytes_with_derived = 0;
    let derived = timed(|| bytes_with_derived = to_parts(&with_derived));
    let speed = |time: Duration| megabytes / time.as_secs_f64();
    println!(
        "{megabytes:.0} MB of JSON, {:.1} KB an issue",
        megabytes * 1000.0 / (PAGES * ISSUES) as f64 / f64::from(ROUNDS)
    );
    println!("read over:          {:7.0} MB/s", speed(over));
    println!(
        "to columns:         {:7.0} MB/s, {:.2} of reading over",
        speed(decoded),
        speed(decoded) / speed(over)
    );
    println!(
        "to columns & parts: {:7.0} MB/s, {:.2} of reading over",
        speed(whole),
        speed(whole) / speed(over)
    );
    println!(
        "and derived tables: {:7.0} MB/s, {:.2} of the bytes",
        speed(derived),
        bytes_with_derived as f64 / bytes as f64
    );
    println!("parts are {:.3} of the JSON", bytes as f64 / 1e6 / megabytes);
}
