//! Commits: create, replace, once only, growing schemas.

use super::*;
use crate::lake::commit::{Attempt, Job};
use arrow_array::{BooleanArray, Date32Array, Float64Array};

#[tokio::test(flavor = "multi_thread")]
async fn first_commit_creates_the_table_with_schema_rows_and_run() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a"), (2, "b")])).await;
    let done = f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    assert_eq!(done, Committed { version: 0, rows: 2, files: 1, columns: 3, already: false });
    assert_eq!(f.texts("issues").await, ["1:a", "2:b"]);

    let log = f.log("issues").concat();
    let txn = log.iter().find_map(|action| action.get("txn")).unwrap();
    assert_eq!((txn["appId"].as_str(), txn["version"].as_i64()), (Some("uplink/jira/issues"), Some(1)));
    let add = log.iter().find_map(|action| action.get("add")).unwrap();
    let stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    assert_eq!(stats["numRecords"], 2);
    assert_eq!((&stats["minValues"]["issue_id"], &stats["maxValues"]["issue_id"]), (&1.into(), &2.into()));
    assert_eq!((&stats["nullCount"]["updated"], &stats["tightBounds"]), (&0.into(), &true.into()));
    assert!(stats["minValues"]["updated"].as_str().unwrap().starts_with("2023-11-14T22:13:21"), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn full_load_replaces_every_row() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "old"), (2, "old")])).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    let parts = vec![
        f.land("issues", 2, 0, rows(&[(2, "new")])).await,
        f.land("issues", 2, 0, rows(&[(3, "new")])).await,
    ];
    let done = f.lake.commit(full(2, "issues", parts)).await.unwrap();
    assert_eq!(done, Committed { version: 1, rows: 2, files: 2, columns: 3, already: false });
    assert_eq!(f.texts("issues").await, ["2:new", "3:new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commit_tried_again_lands_once() {
    let f = Fixture::new();
    let part = f.land("issues", 7, 0, rows(&[(1, "a")])).await;
    let commit = full(7, "issues", vec![part]);
    f.lake.commit(commit.clone()).await.unwrap();
    let again = f.lake.commit(commit).await.unwrap();
    assert_eq!(again, Committed { version: 0, rows: 1, files: 1, columns: 3, already: true });
    assert_eq!(f.log("issues").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_of_one_run_at_the_same_time_land_once() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a")])).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    let new = f.land("issues", 2, 1, rows(&[(1, "b"), (5, "c")])).await;
    let replaced = f.land("_replaced", 2, 1, ids(&[1, 5])).await;
    let commit = delta(2, "issues", vec![new], vec![replaced]);
    let tries = (0..4).map(|_| f.lake.commit(commit.clone()));
    let done: Vec<_> = futures_util::future::join_all(tries).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().filter(|done| !done.already).count(), 1, "{done:?}");
    assert_eq!(f.texts("issues").await, ["1:b", "5:c"]);
    let txns = f.log("issues").concat().iter().filter(|action| action.get("txn").is_some()).count();
    assert_eq!(txns, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn writer_that_was_overtaken_starts_over_on_the_new_version() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a"), (2, "b")])).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    let new = f.land("issues", 3, 1, rows(&[(1, "new")])).await;
    let replaced = f.land("_replaced", 3, 1, ids(&[1])).await;
    let ours = delta(3, "issues", vec![new], vec![replaced]);
    let theirs = delta(2, "issues", vec![f.land("issues", 2, 1, rows(&[(9, "theirs")])).await], vec![]);

    let files = f.blocking_files();
    let lake = f.lake.clone();
    let handle = tokio::runtime::Handle::current();
    let overtaken = tokio::task::spawn_blocking(move || {
        let engine = files.engine();
        let mut job = Job::new(&files, &engine, &ours);
        let stale = table::open(&files, &engine, &ours.place).unwrap();
        handle.block_on(lake.commit(theirs)).unwrap();
        let first = job.attempt(stale).unwrap();
        let fresh = table::open(&files, &engine, &ours.place).unwrap();
        (first, job.attempt(fresh).unwrap())
    });
    let (first, second) = overtaken.await.unwrap();
    assert!(matches!(first, Attempt::Again(_)), "{first:?}");
    assert!(matches!(second, Attempt::Done(Committed { version: 2, rows: 3, .. })), "{second:?}");
    assert_eq!(f.texts("issues").await, ["1:new", "2:b", "9:theirs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_column_is_null_in_rows_of_earlier_runs() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a"), (2, "b")])).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    let notes = r#"[{"name":"issue_id","type":"i64"},{"name":"story_points","type":"f64","field_id":"customfield_10016"}]"#;
    let wider = annotated(
        vec![
            ("issue_id", Arc::new(Int64Array::from(vec![2, 3]))),
            ("story_points", Arc::new(Float64Array::from(vec![5.0, 8.0]))),
        ],
        Some(notes),
    );
    let wider = f.land("issues", 2, 1, wider).await;
    let replaced = f.land("_replaced", 2, 1, ids(&[2, 3])).await;
    let done = f.lake.commit(delta(2, "issues", vec![wider], vec![replaced])).await.unwrap();
    assert_eq!((done.rows, done.columns), (3, 4));

    let preview = f.lake.preview(&place("issues"), 10).await.unwrap().unwrap();
    let points = |id: i64| {
        let row = preview.rows.iter().find(|row| row["issue_id"] == id).unwrap();
        (row["text"].clone(), row["story_points"].clone())
    };
    assert_eq!(points(1), ("a".into(), Value::Null));
    assert_eq!(points(2), (Value::Null, 5.0.into()));
    let info = f.lake.describe(&place("issues")).await.unwrap().unwrap();
    let column = info.columns.last().unwrap();
    assert_eq!(column.field_id.as_deref(), Some("customfield_10016"));
    assert_eq!((column.type_name.as_str(), info.rows, info.files), ("f64", 3, 2));

    // The old file, which lacks the column, is rewritten in its own schema.
    let replaced = f.land("_replaced", 3, 1, ids(&[1])).await;
    let done = f.lake.commit(delta(3, "issues", vec![], vec![replaced])).await.unwrap();
    assert_eq!((done.rows, done.columns), (2, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_type_is_refused_and_names_both() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a")])).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    let other = parquet(vec![
        ("issue_id", Arc::new(Int64Array::from(vec![1]))),
        ("text", Arc::new(Float64Array::from(vec![1.0]))),
    ]);
    let other = f.land("issues", 2, 0, other).await;
    let error = f.lake.commit(full(2, "issues", vec![other])).await.unwrap_err();
    assert_eq!(error.code(), "column_type_changed");
    let text = error.to_string();
    assert!(text.contains("`text`") && text.contains("holds text") && text.contains("hold f64"), "{text}");
    assert_eq!(f.texts("issues").await, ["1:a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn table_without_rows_exists_with_its_columns() {
    let f = Fixture::new();
    let empty = f.land("issue_links", 1, 0, rows(&[])).await;
    let done = f.lake.commit(full(1, "issue_links", vec![empty])).await.unwrap();
    assert_eq!(done, Committed { version: 0, rows: 0, files: 0, columns: 3, already: false });
    let preview = f.lake.preview(&place("issue_links"), 5).await.unwrap().unwrap();
    assert_eq!((preview.columns.len(), preview.rows.len()), (3, 0));

    let filled = f.land("issue_links", 2, 0, rows(&[(1, "a")])).await;
    f.lake.commit(full(2, "issue_links", vec![filled])).await.unwrap();
    let done = f.lake.commit(full(3, "issue_links", vec![])).await.unwrap();
    assert_eq!((done.rows, done.files, done.version), (0, 0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn run_without_parts_of_a_missing_table_commits_nothing() {
    let f = Fixture::new();
    let done = f.lake.commit(full(1, "issues", vec![])).await.unwrap();
    assert_eq!((done.rows, done.columns), (0, 0));
    assert_eq!(f.lake.describe(&place("issues")).await.unwrap(), None);
    assert_eq!(f.lake.preview(&place("issues"), 5).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_gets_a_checkpoint_every_ten_versions_and_is_read_through_it() {
    let f = Fixture::new();
    for run in 1..=12 {
        let part = f.land("issues", run, 0, rows(&[(run, "a")])).await;
        f.lake.commit(full(run, "issues", vec![part])).await.unwrap();
    }
    let log = PathBuf::from(f.lake.path(&place("issues"))).join("_delta_log");
    assert!(log.join("00000000000000000010.checkpoint.parquet").exists());
    for version in 0..10 {
        std::fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    assert_eq!(f.texts("issues").await, ["12:a"]);
    let old = f.land("issues", 11, 0, rows(&[(1, "late")])).await;
    assert!(
        f.lake.commit(full(11, "issues", vec![old])).await.unwrap().already,
        "an older run never lands after a later one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_previewed_as_json() {
    let f = Fixture::new();
    let notes = r#"[{"name":"issue_id","type":"i64"},{"name":"done","type":"bool"},{"name":"due","type":"date"},{"name":"at","type":"timestamp"},{"name":"score","type":"f64"},{"name":"labels","type":"json","field_id":"labels"}]"#;
    let part = annotated(
        vec![
            ("issue_id", Arc::new(Int64Array::from(vec![i64::MAX]))),
            ("done", Arc::new(BooleanArray::from(vec![true]))),
            ("due", Arc::new(Date32Array::from(vec![19_782]))),
            (
                "at",
                Arc::new(TimestampMicrosecondArray::from(vec![1_700_000_000_123_000]).with_timezone("UTC")),
            ),
            ("score", Arc::new(Float64Array::from(vec![0.5]))),
            ("labels", Arc::new(StringArray::from(vec![r#"["ä"]"#]))),
        ],
        Some(notes),
    );
    let part = f.land("issues", 1, 0, part).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    let preview = f.lake.preview(&place("issues"), 5).await.unwrap().unwrap();
    let expected = serde_json::json!({
        "issue_id": i64::MAX, "done": true, "due": "2024-02-29", "at": "2023-11-14T22:13:20.123Z", "score": 0.5, "labels": "[\"ä\"]"
    });
    assert_eq!(Value::from(preview.rows.first().unwrap().clone()), expected);
    let types: Vec<_> = preview.columns.iter().map(|column| column.type_name.as_str()).collect();
    assert_eq!(types, ["i64", "bool", "date", "timestamp", "f64", "json"]);
}
