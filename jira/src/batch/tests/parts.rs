use super::*;
use aws_lc_rs::digest::{SHA256, digest};
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

fn footer(part: &Part) -> ParquetMetaData {
    ParquetRecordBatchReaderBuilder::try_new(part.bytes.clone()).unwrap().metadata().as_ref().clone()
}

fn key_value(footer: &ParquetMetaData, key: &str) -> String {
    let pairs = footer.file_metadata().key_value_metadata().unwrap();
    pairs.iter().find(|pair| pair.key == key).unwrap().value.clone().unwrap()
}

fn story_points() -> Value {
    json!([{"id": "customfield_10016", "name": "Story Points", "custom": true, "schema": {"type": "number"}}])
}

/// Issues whose descriptions do not compress.
fn noisy_page(first: u64, count: u64, text_bytes: usize) -> String {
    let noise = |id: u64| {
        let mut state = id;
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'0' + u8::try_from((state >> 33) % 74).unwrap())
        };
        (0..text_bytes).map(|_| letter()).collect::<String>()
    };
    let issues: Vec<_> =
        (first..first + count).map(|id| issue(id, json!({"description": noise(id)}))).collect();
    page(&issues)
}

#[test]
fn a_part_says_what_it_is_and_what_its_columns_are() {
    let mut sink = sink_with(&story_points(), &[Table::Issues]);
    read(&mut sink, &page(&[issue(9, json!({"customfield_10016": 3})), issue(4, json!({}))]));
    let parts = sink.finish().unwrap().parts;
    let part = &parts[0];
    assert_eq!(
        (part.table.as_str(), part.generation, part.unit.as_str(), part.rows),
        ("issues", 3, "slice-1", 2)
    );
    assert_eq!(part.digest.as_slice(), digest(&SHA256, &part.bytes).as_ref());
    let footer = footer(part);
    assert_eq!(key_value(&footer, "uplink.table"), "issues");
    assert_eq!(key_value(&footer, "uplink.generation"), "3");
    let columns: Vec<Value> = serde_json::from_str(&key_value(&footer, "uplink.columns")).unwrap();
    assert_eq!(columns.len(), part.columns);
    assert_eq!(columns[0], json!({"name": "issue_id", "type": "i64"}));
    assert_eq!(columns[49], json!({"name": "story_points", "type": "f64", "field_id": "customfield_10016"}));

    let reader = ParquetRecordBatchReaderBuilder::try_new(part.bytes.clone()).unwrap();
    let field = |name: &str| reader.schema().field_with_name(name).unwrap().clone();
    assert_eq!(field("story_points").metadata()["jira.field_id"], "customfield_10016");
    assert!(!field("issue_id").is_nullable() && field("issue_key").is_nullable());
    assert_eq!(field("created").data_type().to_string(), "Timestamp(µs, \"UTC\")");
    assert_eq!(field("due_date").data_type(), &DataType::Date32);
}

#[test]
fn the_footer_bounds_ids_and_instants_and_leaves_long_texts_alone() {
    let mut sink = sink();
    let texts = json!({"description": "long", "status": {"name": "Open"}, "comment": {"total": 1, "comments": [{"id": "3", "body": "b"}]}});
    read(&mut sink, &page(&[issue(9, texts.clone()), issue(4, texts)]));
    let finished = sink.finish().unwrap();
    let statistics = |table: &str, column: &str| {
        let part = finished.parts.iter().find(|part| part.table == table).unwrap();
        let footer = footer(part);
        let group = footer.row_group(0).clone();
        let column =
            group.columns().iter().find(|chunk| chunk.column_path().string() == column).unwrap().clone();
        assert_eq!(column.compression(), Compression::ZSTD(Default::default()));
        column.statistics().cloned()
    };
    let bounds = |table: &str, column: &str| match statistics(table, column) {
        Some(Statistics::Int64(bounds)) => (*bounds.min_opt().unwrap(), *bounds.max_opt().unwrap()),
        other => panic!("{table}.{column} has {other:?}"),
    };
    assert_eq!(bounds("issues", "issue_id"), (4, 9));
    assert_eq!(bounds("issue_comments", "issue_id"), (4, 9));
    assert_eq!(bounds("issues", "created"), (1_704_164_645_678_000, 1_704_164_645_678_000));
    let has_bounds =
        |table, column| statistics(table, column).is_some_and(|bounds| bounds.min_bytes_opt().is_some());
    assert!(has_bounds("issues", "status_name"));
    assert!(!has_bounds("issues", "description") && !has_bounds("issues", "labels"));
    assert!(!has_bounds("issue_comments", "body"));
}

#[test]
fn every_part_of_a_run_has_the_same_schema_whatever_it_holds() {
    let schema_of = |issues: &[Value]| {
        let mut sink = sink_with(&story_points(), &[Table::Issues]);
        read(&mut sink, &page(issues));
        let part = sink.finish().unwrap().parts.remove(0);
        ParquetRecordBatchReaderBuilder::try_new(part.bytes).unwrap().schema().clone()
    };
    let empty = schema_of(&[issue(1, json!({}))]);
    let full = schema_of(&[issue(
        1,
        json!({"customfield_10016": 1, "customfield_999": "unknown", "labels": ["a"]}),
    )]);
    assert_eq!(empty, full);
}

#[test]
fn parts_come_when_they_reach_their_size_and_hold_every_row_once() {
    const PART_BYTES: usize = 3 << 20;
    let schema = Arc::new(IssueSchema::default());
    let mut sink = Sink::new(schema, &[Table::Issues].into(), place(), PART_BYTES);
    let mut parts = Vec::new();
    for first in (0..60).step_by(4) {
        read(&mut sink, &noisy_page(first, 4, 256 << 10));
        let held: usize = sink.sizes().iter().map(|size| size.bytes).sum();
        assert!(held < GROUP_BYTES, "{held}");
        parts.extend(sink.take_ready().unwrap());
    }
    assert!(parts.len() >= 3, "{}", parts.len());
    for part in &parts {
        assert!(
            part.bytes.len() >= PART_BYTES && part.bytes.len() < PART_BYTES + 2 * GROUP_BYTES,
            "{}",
            part.bytes.len()
        );
        assert!(footer(part).row_groups().iter().all(|group| group.num_rows() <= 32));
    }
    let finished = sink.finish().unwrap();
    assert_eq!(finished.rows["issues"], 60);
    parts.extend(finished.parts);
    let ids: Vec<_> = parts.iter().flat_map(part_rows).map(|row| row["issue_id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (0..60).collect::<Vec<_>>());
}

#[test]
fn all_tables_together_stay_within_the_sinks_bound() {
    let mut sink = sink();
    let body = |id: u64| json!({"id": id, "body": "b".repeat(300 << 10)});
    for id in 0..100 {
        let comment = json!({"total": 1, "comments": [body(id)]});
        let worklog = json!({"total": 1, "worklogs": [{"id": id, "comment": "w".repeat(300 << 10)}]});
        let fields = json!({"description": "d".repeat(300 << 10), "comment": comment, "worklog": worklog});
        read(&mut sink, &page(&[issue(id, fields)]));
        let held: usize = sink.sizes().iter().map(|size| size.bytes).sum();
        assert!(held <= BUFFERED_BYTES, "{held}");
    }
    let finished = sink.finish().unwrap();
    assert_eq!(
        (finished.rows["issues"], finished.rows["issue_comments"], finished.rows["issue_worklogs"]),
        (100, 100, 100)
    );
}

#[test]
fn replaced_ids_are_one_sorted_column_without_repeats() {
    let mut sink = sink_with(&json!([]), &[]);
    sink.replaced(&[5, 3, 5]).unwrap();
    sink.replaced(&[1]).unwrap();
    let finished = sink.finish().unwrap();
    assert_eq!(table_rows(&finished, "_replaced"), [1, 3, 5].map(|id| json!({"issue_id": id})));
    assert_eq!(finished.parts[0].columns, 1);
    assert!(finished.rows.is_empty());
}

#[test]
fn many_replaced_ids_do_not_wait_in_memory_for_the_end() {
    let mut sink = Sink::new(Arc::default(), &BTreeSet::new(), place(), 80);
    sink.replaced(&(0..25).rev().collect::<Vec<_>>()).unwrap();
    let ready = sink.take_ready().unwrap();
    assert_eq!(ready.len(), 1);
    assert_eq!(ready[0].rows, 25);
}

#[test]
fn a_sink_that_got_nothing_yields_nothing() {
    let finished = sink().finish().unwrap();
    assert!(finished.parts.is_empty() && finished.rows.is_empty() && finished.warnings.is_empty());
}
