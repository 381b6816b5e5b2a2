//! A lake that cannot write, files that are gone, other engines: clear errors and no half table.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn file_in_the_way_of_a_directory_is_named_and_nothing_is_written() {
    let f = Fixture::new();
    std::fs::create_dir_all(f.dir.path().join("lake/sales")).unwrap();
    std::fs::write(f.dir.path().join("lake/sales/jira"), "a file").unwrap();
    let bytes = rows(&[(1, "a")]);
    let header = f.header("issues", 1, &bytes);
    let error = f.lake.land(&place("issues"), &header.run, &header, split(&bytes)).await.unwrap_err();
    assert_eq!(error.code(), "lake_unwritable");
    let text = error.to_string();
    assert!(text.contains("cannot write") && text.contains("sales/jira/issues/part-run_1-"), "{text}");
    assert_eq!(std::fs::read(f.dir.path().join("lake/sales/jira")).unwrap(), b"a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_is_called_by_its_name() {
    let full = object_store::Error::Generic {
        store: "LocalFileSystem",
        source: Box::new(std::io::Error::from(std::io::ErrorKind::StorageFull)),
    };
    let through_parquet = parquet::errors::ParquetError::from(std::io::Error::other(full));
    let error = LakeError::parquet("write", "sales/jira/issues/part-x.parquet", through_parquet);
    assert_eq!(error.code(), "lake_full");
    assert!(
        error.to_string().ends_with("free space on the lake's disk, then start the run again"),
        "{error}"
    );
}

#[test]
fn lake_in_the_place_of_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Lake::open(&file).unwrap_err();
    assert!(error.to_string().contains("as the lake"), "{error}");
}

#[tokio::test]
async fn single_threaded_runtime_is_refused_instead_of_hanging() {
    let f = Fixture::new();
    assert!(matches!(f.lake.describe(&place("issues")).await, Err(LakeError::Runtime)));
}

#[tokio::test(flavor = "multi_thread")]
async fn part_that_is_gone_or_has_other_rows_stops_the_commit() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a")])).await;
    let wrong = CommitPart { rows: 2, ..part.clone() };
    let error = f.lake.commit(full(1, "issues", vec![wrong])).await.unwrap_err();
    assert_eq!(error.code(), "part_changed");
    std::fs::remove_file(f.dir.path().join("lake").join(&part.path)).unwrap();
    let error = f.lake.commit(full(1, "issues", vec![part])).await.unwrap_err();
    assert_eq!(error.code(), "file_missing");
    assert_eq!(f.lake.describe(&place("issues")).await.unwrap(), None, "nothing became visible");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_log_is_an_error_that_names_the_table() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a")])).await;
    f.lake.commit(full(1, "issues", vec![part.clone()])).await.unwrap();
    let log = PathBuf::from(f.lake.path(&place("issues"))).join("_delta_log/00000000000000000000.json");
    std::fs::write(log, "{\"add\":").unwrap();
    let error = f.lake.commit(full(2, "issues", vec![part])).await.unwrap_err();
    assert_eq!(error.code(), "delta_failed");
    assert!(error.to_string().contains("table issues"), "{error}");
    assert!(
        f.lake.sweep(&place("issues"), &BTreeSet::new()).await.is_err(),
        "a table that cannot be read is not swept"
    );
    assert_eq!(f.files("issues").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_marked_as_deleted_by_another_engine_stop_a_delta_load_and_not_a_full_one() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a"), (2, "b")])).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    let log = PathBuf::from(f.lake.path(&place("issues"))).join("_delta_log/00000000000000000000.json");
    let marked: Vec<String> = std::fs::read_to_string(&log).unwrap().lines().map(|line| {
        let mut action: Value = serde_json::from_str(line).unwrap();
        if let Some(protocol) = action.get_mut("protocol") {
            *protocol = serde_json::json!({"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]});
        }
        if let Some(add) = action.get_mut("add") {
            add["deletionVector"] = serde_json::json!({"storageType": "i", "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", "sizeInBytes": 40, "cardinality": 1});
        }
        action.to_string()
    }).collect();
    std::fs::write(&log, marked.join("\n")).unwrap();

    let replaced = f.land("_replaced", 2, 1, ids(&[1])).await;
    let error = f.lake.commit(delta(2, "issues", vec![], vec![replaced])).await.unwrap_err();
    assert_eq!(error.code(), "table_changed_elsewhere");
    assert!(error.to_string().contains("Run a full load"), "{error}");
    let part = f.land("issues", 3, 0, rows(&[(5, "e")])).await;
    f.lake.commit(full(3, "issues", vec![part])).await.unwrap();
    assert_eq!(f.texts("issues").await, ["5:e"]);
}
