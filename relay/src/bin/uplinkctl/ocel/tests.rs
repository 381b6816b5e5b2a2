use super::*;
use serde_json::{Value, json};

fn time(second: u32) -> String {
    format!("2024-01-01T00:00:{second:02}Z")
}

/// What happened to the issues.
fn events() -> Value {
    json!([
        [1, "created", "Created", time(0), "u1", "create", null, null, null, null, null, null],
        [
            1,
            "change/7/0",
            "In Progress",
            time(1),
            "u2",
            "change",
            "status",
            "jira",
            "1",
            "Open",
            "3",
            "In Progress"
        ],
        [
            1,
            "change/7/1",
            "Sprint changed",
            time(1),
            "u2",
            "change",
            "Sprint",
            "custom",
            "",
            "",
            "12, 13",
            "S12, S13"
        ],
        [
            1,
            "change/8/0",
            "assignee changed",
            time(2),
            "u2",
            "change",
            "assignee",
            "jira",
            null,
            null,
            "u\"3",
            "Gone"
        ],
        [
            1,
            "change/8/1",
            "Link changed",
            time(2),
            null,
            "change",
            "Link",
            "jira",
            null,
            null,
            "A-2",
            "relates to A-2"
        ],
        [2, "created", "Created", time(0), "u1", "create", null, null, null, null, null, null],
        [3, "created", "Created", null, "u1", "create", null, null, null, null, null, null]
    ])
}

/// Two issues in an epic: one is worked on, goes through sprints and versions and is linked to the other.
async fn log(path: &Path) -> Counts {
    let mut ocel = Ocel::create(path).await.unwrap();
    let rows = [
        (
            "issues",
            json!([
                [1, "A-1", "Task", time(0), "u1", null],
                [2, "A-2", "Epic", time(0), "u1", null],
                [3, "A-3", "Sub-task", time(0), "u2", 1]
            ]),
        ),
        ("event_log", events()),
        (
            "field_history",
            json!([
                [1, "jira", "status", 0, time(0), "1", "Open", time(1)],
                [1, "jira", "status", 1, time(1), "3", "In Progress", null],
                [1, "custom", "epic_link", 0, time(0), null, "A-2", null],
                [1, "jira", "fix_versions", 0, time(0), "5, 6", "1.0, 2.0", null],
                [1, "jira", "assignee", 1, time(2), "u4", null, null]
            ]),
        ),
        ("issue_links", json!([[1, "relates to", 2], [1, "blocks", 99]])),
        ("users", json!([["u1", "One"], ["u9", "Nine"]])),
        ("projects", json!([[50, "A", "Alpha"]])),
    ];
    for (table, rows) in rows {
        let source = SOURCES.iter().find(|source| source.table == table).unwrap();
        ocel.add(source, rows.as_array().unwrap().clone()).await.unwrap();
    }
    ocel.finish().await.unwrap()
}

async fn rows(path: &Path, query: &str) -> Vec<String> {
    let mut database = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(&mut database).await.unwrap()
}

#[tokio::test]
async fn a_log_has_its_events_objects_and_relations_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.sqlite");
    let counts = log(&path).await;
    assert_eq!((counts.events, counts.without_time), (6, 1));
    let objects = rows(&path, "select ocel_id || ' ' || ocel_type from object order by 1").await;
    assert_eq!(
        objects,
        [
            "issue:1 issue",
            "issue:2 epic",
            "issue:3 issue",
            "project:50 project",
            "sprint:12 sprint",
            "sprint:13 sprint",
            "user:u\"3 user",
            "user:u1 user",
            "user:u2 user",
            "user:u4 user",
            "user:u9 user",
            "version:5 version",
            "version:6 version"
        ]
    );
    let related = rows(&path, "select ocel_event_id || ' ' || ocel_qualifier || ' ' || ocel_object_id from event_object where ocel_event_id like '1/change%' order by 1").await;
    assert_eq!(
        related,
        [
            "1/change/7/0 case issue:1",
            "1/change/7/0 resource user:u2",
            "1/change/7/1 case issue:1",
            "1/change/7/1 resource user:u2",
            "1/change/7/1 sprint sprint:12",
            "1/change/7/1 sprint sprint:13",
            "1/change/8/0 assignee user:u\"3",
            "1/change/8/0 case issue:1",
            "1/change/8/0 resource user:u2",
            "1/change/8/1 case issue:1",
            "1/change/8/1 linked issue issue:2"
        ]
    );
    let objects = rows(&path, "select ocel_source_id || ' ' || ocel_qualifier || ' ' || ocel_target_id from object_object order by 1").await;
    assert_eq!(
        objects,
        [
            "issue:1 assignee user:u4",
            "issue:1 creator user:u1",
            "issue:1 epic issue:2",
            "issue:1 fix version version:5",
            "issue:1 fix version version:6",
            "issue:1 relates to issue:2",
            "issue:2 creator user:u1",
            "issue:3 creator user:u2",
            "issue:3 parent issue:1"
        ]
    );
    assert_eq!(rows(&path, "pragma foreign_key_check").await, Vec::<String>::new());
}

#[tokio::test]
async fn attributes_of_an_issue_change_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.sqlite");
    log(&path).await;
    let told = rows(&path, "select ocel_time || ' ' || coalesce(ocel_changed_field, '-') || ' ' || coalesce(status, assignee) from object_issue where ocel_id = 'issue:1' order by 1").await;
    assert_eq!(
        told,
        [
            "1970-01-01T00:00:00.000Z - Open",
            "2024-01-01T00:00:01.000Z status In Progress",
            "2024-01-01T00:00:02.000Z assignee u4"
        ]
    );
    let times = rows(&path, "select ocel_time from event_InProgress").await;
    assert_eq!(times, ["2024-01-01T00:00:01.000Z"]);
}
