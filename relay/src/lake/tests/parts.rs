//! Landing: what is refused, and that nothing of it stays.

use super::*;
use crate::lake::footer::Footer;
use arrow_array::{Int32Array, ListArray, types::Int32Type};
use proptest::prelude::*;

async fn refusal(f: &Fixture, header: &PartHeader, bytes: &Bytes) -> PartFault {
    let result = f.lake.land(&place("issues"), &header.run, header, split(bytes)).await;
    match result {
        Err(LakeError::Part { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn part_that_is_not_as_announced_is_refused_and_leaves_nothing() {
    let f = Fixture::new();
    let bytes = rows(&[(1, "a"), (2, "b")]);
    let good = f.header("issues", 1, &bytes);
    let short = PartHeader { bytes: good.bytes + 1, ..good.clone() };
    assert!(matches!(refusal(&f, &short, &bytes).await, PartFault::Length { .. }));
    let other = PartHeader { digest: "00".repeat(32), ..good.clone() };
    assert!(matches!(refusal(&f, &other, &bytes).await, PartFault::Digest));
    let more = PartHeader { rows: 3, ..good.clone() };
    assert!(matches!(refusal(&f, &more, &bytes).await, PartFault::Rows { announced: 3, got: 2 }));
    let elsewhere = PartHeader { table: "users".to_owned(), ..good };
    assert!(matches!(refusal(&f, &elsewhere, &bytes).await, PartFault::Elsewhere { .. }));
    assert!(!Path::new(&f.lake.path(&place("issues"))).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn same_part_sent_again_lands_and_other_bytes_under_its_name_do_not() {
    let f = Fixture::new();
    let bytes = rows(&[(1, "a")]);
    let header = f.header("issues", 1, &bytes);
    let first = f.lake.land(&place("issues"), &header.run, &header, split(&bytes)).await.unwrap();
    let again = f.lake.land(&place("issues"), &header.run, &header, split(&bytes)).await.unwrap();
    assert_eq!((first.columns, &first), (3, &again));
    assert_eq!(first.path, format!("sales/jira/issues/part-run_1-{}.parquet", header.part));

    let others = rows(&[(2, "b")]);
    let forged = PartHeader { part: header.part.clone(), ..f.header("issues", 1, &others) };
    let error = f.lake.land(&place("issues"), &forged.run, &forged, split(&others)).await.unwrap_err();
    assert_eq!(error.code(), "part_name_reused");
    assert_eq!(std::fs::read(f.dir.path().join("lake").join(&first.path)).unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_leave_the_table_are_refused() {
    let f = Fixture::new();
    let bytes = rows(&[(1, "a")]);
    let good = f.header("issues", 1, &bytes);
    for pool in ["..", "", "a/b", "Sales", "a.b", "x\u{0}", &"p".repeat(65)] {
        let elsewhere = TablePlace { pool: pool.to_owned(), ..place("issues") };
        let error = f.lake.land(&elsewhere, &good.run, &good, split(&bytes)).await.unwrap_err();
        assert_eq!(error.code(), "name_refused", "{pool}");
        assert_eq!(f.lake.describe(&elsewhere).await.unwrap_err().code(), "name_refused");
    }
    for part in ["../0001-000001", "0001", "", "0001-00000x"] {
        let header = PartHeader { part: PartId(part.to_owned()), ..good.clone() };
        let error = f.lake.land(&place("issues"), &good.run, &header, split(&bytes)).await.unwrap_err();
        assert_eq!(error.code(), "name_refused", "{part}");
    }
    let run = RunId("../run_1".to_owned());
    let header = PartHeader { run: run.clone(), ..good };
    assert_eq!(
        f.lake.land(&place("issues"), &run, &header, split(&bytes)).await.unwrap_err().code(),
        "name_refused"
    );
    for path in [
        "sales/jira/users/part-run_1-0001-000001.parquet",
        "sales/jira/issues/../users/part-x.parquet",
        "/etc/passwd",
    ] {
        let part = CommitPart { path: path.to_owned(), generation: 0, rows: 1 };
        let error = f.lake.commit(full(1, "issues", vec![part])).await.unwrap_err();
        assert_eq!(error.code(), "name_refused", "{path}");
    }
}

#[test]
fn columns_that_tables_do_not_have_are_refused() {
    let id = || -> (&str, ArrayRef) { ("issue_id", Arc::new(Int64Array::from(vec![1]))) };
    let narrow = parquet(vec![id(), ("small", Arc::new(Int32Array::from(vec![1])))]);
    assert!(matches!(Footer::parse(&narrow), Err(PartFault::ColumnType { column, .. }) if column == "small"));
    let zoneless = parquet(vec![id(), ("at", Arc::new(TimestampMicrosecondArray::from(vec![1])))]);
    assert!(matches!(Footer::parse(&zoneless), Err(PartFault::ColumnType { column, .. }) if column == "at"));
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
    assert!(matches!(
        Footer::parse(&parquet(vec![id(), ("list", Arc::new(list))])),
        Err(PartFault::Footer(_))
    ));
    let twice = parquet(vec![id(), ("Issue_Id", Arc::new(Int64Array::from(vec![1])))]);
    assert!(matches!(Footer::parse(&twice), Err(PartFault::ColumnName(_))));
    let spaced = parquet(vec![id(), ("story points", Arc::new(Int64Array::from(vec![1])))]);
    assert!(matches!(Footer::parse(&spaced), Err(PartFault::ColumnName(_))));
    for notes in ["{", "[]", r#"[{"name":"other","type":"i64"}]"#] {
        assert!(
            matches!(Footer::parse(&annotated(vec![id()], Some(notes))), Err(PartFault::ColumnNotes(_))),
            "{notes}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_truncation_of_a_part_is_refused() {
    let f = Fixture::new();
    let whole = rows(&[(1, "a"), (2, "b")]);
    for length in (0..whole.len()).step_by(7) {
        let cut = whole.slice(..length);
        let header = f.header("issues", 1, &cut);
        assert!(matches!(refusal(&f, &header, &cut).await, PartFault::Footer(_)), "{length} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_bytes_are_answered_and_never_a_panic(noise in prop::collection::vec(any::<u8>(), 0..200), length in any::<u32>()) {
        let mut bytes = b"PAR1".to_vec();
        bytes.extend(&noise);
        let honest = u32::try_from(noise.len()).unwrap();
        for announced in [length, honest] {
            let mut file = bytes.clone();
            file.extend(announced.to_le_bytes());
            file.extend(b"PAR1");
            prop_assert!(Footer::parse(&Bytes::from(file)).is_err());
        }
    }

    #[test]
    fn part_with_changed_bytes_is_read_or_refused_and_never_a_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = rows(&[(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]).to_vec();
        let from = bytes.len() / 3;
        for (index, value) in changes {
            let at = from + index.index(bytes.len() - from);
            bytes[at] = value;
        }
        // What still parses must also give statistics without a panic.
        if let Ok(footer) = Footer::parse(&Bytes::from(bytes)) {
            let _stats = stats::FileStats::of(&footer.meta).to_array();
        }
    }
}
