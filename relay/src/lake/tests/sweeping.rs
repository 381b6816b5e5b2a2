//! Sweeping: what goes and what stays.

use super::*;

fn name(part: &CommitPart) -> String {
    part.path.rsplit('/').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sweep_keeps_live_files_wanted_parts_and_what_went_lately() {
    let f = Fixture::new();
    let old = f.land("issues", 1, 0, rows(&[(1, "a"), (2, "b")])).await;
    f.lake.commit(full(1, "issues", vec![old.clone()])).await.unwrap();
    let new = f.land("issues", 2, 1, rows(&[(1, "new")])).await;
    let replaced = f.land("_replaced", 2, 1, ids(&[1])).await;
    f.lake.commit(delta(2, "issues", vec![new.clone()], vec![replaced.clone()])).await.unwrap();
    let wanted = f.land("issues", 3, 0, rows(&[(8, "of a run under way")])).await;
    let orphan = f.land("issues", 3, 0, rows(&[(9, "of no checkpoint")])).await;
    let keep = BTreeSet::from([wanted.path.clone()]);

    assert_eq!(f.lake.sweep(&place("issues"), &keep).await.unwrap(), 1);
    let files = f.files("issues");
    assert!(!files.contains(&name(&orphan)));
    assert!([&old, &new, &wanted].iter().all(|part| files.contains(&name(part))), "{files:?}");
    assert!(files.iter().any(|file| file.contains("-rw-")), "the live copy stays");
    assert_eq!(f.texts("issues").await, ["1:new", "2:b"]);

    assert_eq!(f.lake.sweep(&place("_replaced"), &BTreeSet::new()).await.unwrap(), 1);
    assert!(f.files("_replaced").is_empty());
    assert_eq!(
        f.lake.sweep(&place("users"), &keep).await.unwrap(),
        0,
        "a table that nobody has written is no error"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn file_removed_longer_ago_than_the_retention_goes() {
    let f = Fixture::new();
    let old = f.land("issues", 1, 0, rows(&[(1, "a")])).await;
    f.lake.commit(full(1, "issues", vec![old.clone()])).await.unwrap();
    let new = f.land("issues", 2, 0, rows(&[(1, "b")])).await;
    f.lake.commit(full(2, "issues", vec![new])).await.unwrap();
    // Eight days pass: the log says so.
    let log = PathBuf::from(f.lake.path(&place("issues"))).join("_delta_log/00000000000000000001.json");
    let text = std::fs::read_to_string(&log).unwrap();
    let aged: Vec<String> = text
        .lines()
        .map(|line| {
            let mut action: Value = serde_json::from_str(line).unwrap();
            if let Some(at) = action.pointer_mut("/remove/deletionTimestamp") {
                *at = (at.as_i64().unwrap() - 8 * 86_400_000).into();
            }
            action.to_string()
        })
        .collect();
    std::fs::write(&log, aged.join("\n")).unwrap();
    assert_eq!(f.lake.sweep(&place("issues"), &BTreeSet::new()).await.unwrap(), 1);
    assert!(!f.files("issues").contains(&name(&old)));
    assert_eq!(f.texts("issues").await, ["1:b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_written_files_of_a_crash_go() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a")])).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    let dir = PathBuf::from(f.lake.path(&place("issues")));
    std::fs::write(dir.join("part-run_2-0001-000000.parquet#1"), "half").unwrap();
    std::fs::write(dir.join("_delta_log/00000000000000000001.json#3"), "half").unwrap();
    std::fs::write(dir.join("notes.txt"), "not ours").unwrap();
    assert_eq!(f.lake.sweep(&place("issues"), &BTreeSet::new()).await.unwrap(), 2);
    assert_eq!(f.files("issues").len(), 2, "{:?}", f.files("issues"));
    assert_eq!(f.texts("issues").await, ["1:a"]);
}
