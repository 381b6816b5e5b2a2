//! Replacing rows by issue: delta loads, and the later passes of a full load.

use super::*;
use parquet::file::metadata::ParquetMetaDataReader;

#[tokio::test(flavor = "multi_thread")]
async fn delta_load_replaces_all_rows_of_the_issues_that_it_read() {
    let f = Fixture::new();
    let first = f.land("issue_comments", 1, 0, rows(&[(1, "a1"), (1, "a2"), (2, "b1"), (3, "c1")])).await;
    let second = f.land("issue_comments", 1, 0, rows(&[(7, "g1"), (8, "h1")])).await;
    f.lake.commit(full(1, "issue_comments", vec![first, second.clone()])).await.unwrap();

    // Issue 1 has one comment left, issue 3 none, issue 9 is new; 7 and 8 are as they were.
    let new = f.land("issue_comments", 2, 1, rows(&[(1, "a1 edited"), (9, "i1")])).await;
    let replaced = f.land("_replaced", 2, 1, ids(&[1, 3, 9])).await;
    let done = f.lake.commit(delta(2, "issue_comments", vec![new], vec![replaced])).await.unwrap();
    assert_eq!((done.rows, done.files), (5, 3));
    assert_eq!(f.texts("issue_comments").await, ["1:a1 edited", "2:b1", "7:g1", "8:h1", "9:i1"]);

    let log = f.log("issue_comments");
    let removed: Vec<_> = log.last().unwrap().iter().filter_map(|action| action.get("remove")).collect();
    assert_eq!(removed.len(), 1, "only the file with rows of changed issues is rewritten");
    assert!(!second.path.ends_with(removed[0]["path"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn file_whose_rows_are_all_replaced_goes_without_a_copy() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a"), (2, "b")])).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    let replaced = f.land("_replaced", 2, 1, ids(&[1, 2])).await;
    let done = f.lake.commit(delta(2, "issues", vec![], vec![replaced])).await.unwrap();
    assert_eq!((done.rows, done.files), (0, 0));
    assert_eq!(f.files("issues").len(), 1, "no copy was written");
    assert!(f.texts("issues").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn file_within_the_bounds_but_without_a_replaced_row_stays() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a"), (5, "b")])).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    let new = f.land("issues", 2, 1, rows(&[(3, "c")])).await;
    let replaced = f.land("_replaced", 2, 1, ids(&[3])).await;
    let done = f.lake.commit(delta(2, "issues", vec![new], vec![replaced])).await.unwrap();
    assert_eq!((done.rows, done.files), (3, 2));
    assert!(f.log("issues").concat().iter().all(|action| action.get("remove").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn run_that_changed_nothing_is_known_after_its_parts_are_swept() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a")])).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    let empty = f.land("issues", 2, 1, rows(&[])).await;
    let none = f.land("_replaced", 2, 1, ids(&[])).await;
    let commit = delta(2, "issues", vec![empty], vec![none]);
    let done = f.lake.commit(commit.clone()).await.unwrap();
    assert_eq!(done, Committed { version: 1, rows: 1, files: 1, columns: 3, already: false });
    for table in ["issues", "_replaced"] {
        assert_eq!(f.lake.sweep(&place(table), &BTreeSet::new()).await.unwrap(), 1);
    }
    assert_eq!(f.lake.commit(commit).await.unwrap(), Committed { already: true, ..done });
    assert_eq!(f.texts("issues").await, ["1:a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn later_pass_of_a_full_load_replaces_what_earlier_passes_read() {
    let f = Fixture::new();
    let stale = f.land("issues", 1, 0, rows(&[(100, "of an earlier run")])).await;
    f.lake.commit(full(1, "issues", vec![stale])).await.unwrap();
    let base = f.land("issues", 2, 0, rows(&[(1, "a0"), (2, "b0"), (3, "c0"), (4, "d0"), (5, "e0")])).await;
    let pass_1 = f.land("issues", 2, 1, rows(&[(2, "b1"), (3, "c1")])).await;
    let pass_2 = f.land("issues", 2, 2, rows(&[(3, "c2")])).await;
    // Pass 1 found issue 4 deleted; pass 2 read issue 3 again.
    let replaced =
        vec![f.land("_replaced", 2, 1, ids(&[2, 3, 4])).await, f.land("_replaced", 2, 2, ids(&[3])).await];
    let commit = Commit { replaced, ..full(2, "issues", vec![base, pass_1, pass_2]) };
    let done = f.lake.commit(commit).await.unwrap();
    assert_eq!((done.rows, done.files), (4, 3));
    assert_eq!(f.texts("issues").await, ["1:a0", "2:b1", "3:c2", "5:e0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_of_a_delta_load_replace_live_rows_and_each_other() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a0"), (2, "b0"), (3, "c0")])).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    let pass_1 = f.land("issues", 2, 1, rows(&[(1, "a1"), (2, "b1")])).await;
    let pass_2 = f.land("issues", 2, 2, rows(&[(2, "b2")])).await;
    let replaced =
        vec![f.land("_replaced", 2, 1, ids(&[1, 2])).await, f.land("_replaced", 2, 2, ids(&[2])).await];
    f.lake.commit(delta(2, "issues", vec![pass_1, pass_2], replaced)).await.unwrap();
    assert_eq!(f.texts("issues").await, ["1:a1", "2:b2", "3:c0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_written_before_a_crash_are_written_again_and_count_once() {
    let f = Fixture::new();
    let part = f.land("issues", 1, 0, rows(&[(1, "a"), (2, "b"), (3, "c")])).await;
    f.lake.commit(full(1, "issues", vec![part.clone()])).await.unwrap();
    let new = f.land("issues", 2, 1, rows(&[(2, "new")])).await;
    let replaced = f.land("_replaced", 2, 1, ids(&[2])).await;

    // The relay wrote the copy and died before the commit.
    let (files, ids_path) = (f.blocking_files(), replaced.path.clone());
    let name = part.path.rsplit('/').next().unwrap().to_owned();
    let copy = tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        replaced::read_ids(&files, &ids_path, 1, &mut found).unwrap();
        let size = files.head(&part.path).unwrap().size;
        let dir = place("issues").dir();
        let source = merge::Source { dir: &dir, name: &name, size, generation: 0 };
        let replaced = replaced::ReplacedIds::new(found);
        merge::without_replaced(&files, source, &replaced, 2).unwrap()
    });
    assert!(matches!(copy.await.unwrap(), merge::Remains::Copy(_)));
    let before = f.files("issues");

    f.lake.commit(delta(2, "issues", vec![new], vec![replaced])).await.unwrap();
    assert_eq!(f.files("issues"), before, "the repeated commit used the same names");
    assert_eq!(f.texts("issues").await, ["1:a", "2:new", "3:c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_groups_without_a_replaced_row_are_copied_as_they_are() {
    let f = Fixture::new();
    let all: Vec<(i64, String)> = (0..20).map(|id| (id, format!("text {id} {}", "ß".repeat(50)))).collect();
    let all: Vec<(i64, &str)> = all.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let source = rows(&all);
    let part = f.land("issues", 1, 0, source.clone()).await;
    f.lake.commit(full(1, "issues", vec![part])).await.unwrap();
    // Row groups hold 0-3, 4-7, ... : the second loses one row, the fourth all.
    let replaced = f.land("_replaced", 2, 1, ids(&[5, 12, 13, 14, 15])).await;
    f.lake.commit(delta(2, "issues", vec![], vec![replaced])).await.unwrap();

    let gone = [5, 12, 13, 14, 15];
    let mut expected: Vec<_> =
        all.iter().filter(|row| !gone.contains(&row.0)).map(|row| format!("{}:{}", row.0, row.1)).collect();
    expected.sort();
    assert_eq!(f.texts("issues").await, expected);

    let copy = f.files("issues").into_iter().find(|name| name.contains("-rw-")).unwrap();
    let copy = Bytes::from(std::fs::read(PathBuf::from(f.lake.path(&place("issues"))).join(copy)).unwrap());
    let old = ParquetMetaDataReader::new().parse_and_finish(&source).unwrap();
    let new = ParquetMetaDataReader::new().parse_and_finish(&copy).unwrap();
    let group_rows: Vec<_> = new.row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(group_rows, [4, 3, 4, 4]);
    for (before, after) in [(0, 0), (2, 2), (4, 3)] {
        for (a, b) in old.row_group(before).columns().iter().zip(new.row_group(after).columns()) {
            let slice = |bytes: &Bytes, range: (u64, u64)| {
                bytes.slice(usize::try_from(range.0).unwrap()..usize::try_from(range.0 + range.1).unwrap())
            };
            assert_eq!(slice(&source, a.byte_range()), slice(&copy, b.byte_range()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_delta_loads_in_a_row_give_what_a_plain_map_gives() {
    let f = Fixture::new();
    let mut truth: std::collections::BTreeMap<i64, String> =
        (0..40).map(|id| (id, format!("r1-{id}"))).collect();
    let base: Vec<_> = truth.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let parts = vec![
        f.land("issues", 1, 0, rows(&base[..20])).await,
        f.land("issues", 1, 0, rows(&base[20..])).await,
    ];
    f.lake.commit(full(1, "issues", parts)).await.unwrap();
    let mut seed = 42_u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((seed >> 33) % below).unwrap()
    };
    for run in 2..14 {
        let touched: BTreeSet<i64> = (0..8).map(|_| next(60)).collect();
        let deleted: BTreeSet<i64> = touched.iter().copied().filter(|_| next(4) == 0).collect();
        let texts: Vec<_> = touched.difference(&deleted).map(|id| (*id, format!("r{run}-{id}"))).collect();
        let fresh: Vec<_> = texts.iter().map(|(id, text)| (*id, text.as_str())).collect();
        let part = f.land("issues", run, 1, rows(&fresh)).await;
        let replaced = f.land("_replaced", run, 1, ids(&touched.iter().copied().collect::<Vec<_>>())).await;
        let done = f.lake.commit(delta(run, "issues", vec![part], vec![replaced])).await.unwrap();
        truth.retain(|id, _| !deleted.contains(id));
        truth.extend(texts);
        assert_eq!(done.rows, u64::try_from(truth.len()).unwrap());
    }
    let mut expected: Vec<_> = truth.iter().map(|(id, text)| format!("{id}:{text}")).collect();
    expected.sort();
    assert_eq!(f.texts("issues").await, expected);
}
