//! Recorded answers of real sites, where they lie beside the checkout. They are not part of the product.

use super::*;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// The recorded answers, or `None`, said aloud.
pub(super) fn samples() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/jira-samples");
    let path = std::env::var_os("UPLINK_JIRA_SAMPLES").map_or(beside, PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no recorded answers at {}; UPLINK_JIRA_SAMPLES may name their place", path.display());
    None
}

/// The issues of the archive, one a line.
pub(super) fn lines_of(samples: &Path) -> Vec<String> {
    let file = File::open(samples.join("server/tidev-appcelerator/issues-curated.ndjson.gz")).unwrap();
    BufReader::new(MultiGzDecoder::new(file)).lines().map(Result::unwrap).collect()
}

#[test]
fn recorded_issues_land_whole() {
    let Some(samples) = samples() else { return };
    let lines = lines_of(&samples);
    let mut sink = sink();
    for lines in lines.chunks(50) {
        let text = format!(
            r#"{{"startAt":0,"maxResults":50,"total":{},"issues":[{}]}}"#,
            lines.len(),
            lines.join(",")
        );
        let head = read(&mut sink, &text);
        assert!(head.issues.iter().all(|seen| seen.accepted), "{:?}", head.issues);
    }
    let finished = sink.finish().unwrap();
    assert!(
        finished.warnings.iter().all(|warning| warning.code.ends_with("_unsent")),
        "{:?}",
        finished.warnings
    );
    let rows = table_rows(&finished, "issues");
    assert_eq!(rows.len(), lines.len());
    let (mut comments, mut links) = (0, 0);
    for (row, line) in rows.iter().zip(&lines) {
        let sent: Value = serde_json::from_str(line).unwrap();
        let fields = &sent["fields"];
        assert_eq!(row["issue_key"], sent["key"]);
        for (column, member) in
            [("summary", "summary"), ("description", "description"), ("environment", "environment")]
        {
            assert_eq!(
                row[column],
                fields.get(member).cloned().unwrap_or_default(),
                "{} {column}",
                sent["key"]
            );
        }
        assert_eq!(row["status_name"], fields["status"]["name"]);
        assert_eq!(row["labels"], fields["labels"].to_string());
        let list = &fields["comment"];
        let kept = list["comments"].as_array().unwrap().len();
        if list["total"].as_u64().unwrap() <= kept as u64 {
            comments += kept;
        }
        links += fields["issuelinks"].as_array().unwrap().len();
    }
    assert_eq!(
        (table_rows(&finished, "issue_comments").len(), table_rows(&finished, "issue_links").len()),
        (comments, links)
    );
}

#[test]
fn recorded_histories_land_whole() {
    let Some(samples) = samples() else { return };
    let text =
        std::fs::read_to_string(samples.join("server/dc8-changelog/changelog-anonymised.json")).unwrap();
    let sent: Value = serde_json::from_str(&text).unwrap();
    let mut changed = issue(1, json!({}));
    changed["changelog"] = sent["changelog"].clone();
    let mut sink = sink();
    read(&mut sink, &page(&[changed]));
    let finished = sink.finish().unwrap();
    let histories = sent["changelog"]["histories"].as_array().unwrap();
    let items = histories.iter().map(|history| history["items"].as_array().unwrap().len()).sum::<usize>();
    let rows = table_rows(&finished, "issue_changelog");
    assert_eq!(rows.len(), items);
    assert!(rows.iter().all(|row| !row["author_id"].is_null() && !row["created"].is_null()));
}

#[test]
fn recorded_metadata_lands_whole() {
    let Some(samples) = samples() else { return };
    for (table, file) in [
        (Table::Projects, "all_projects"),
        (Table::Statuses, "all_statuses"),
        (Table::Priorities, "all_priorities"),
        (Table::Resolutions, "all_resolutions"),
        (Table::Fields, "all_fields"),
    ] {
        let path = samples.join(format!("server/go-jira-apache/{file}.json"));
        let text = std::fs::read_to_string(path).unwrap();
        let sent: Vec<Value> = serde_json::from_str(&text).unwrap();
        let mut sink = sink_with(&json!([]), &[]);
        assert_eq!(sink.metadata(table, None, &text).unwrap().count, sent.len() as u64);
        let finished = sink.finish().unwrap();
        assert_eq!(warned(&finished), [], "{table}");
        let names: Vec<_> =
            table_rows(&finished, table.name()).iter().map(|row| row["name"].clone()).collect();
        assert_eq!(names, sent.iter().map(|entry| entry["name"].clone()).collect::<Vec<_>>());
    }
}
