//! What leaves of the tables that are read only when they are named.

use super::*;
use crate::client::allow::Of;
use crate::project::ProjectKey;
use crate::spec::{Mode, Spec};
use crate::warning::Warning;

/// A sink under a narrowing, for these tables.
fn sink(narrowing: &Narrowing, tables: &[Table]) -> Sink {
    let schema = Arc::new(schema());
    let spec = Spec { narrowing: narrowing.clone(), ..Spec::all(tables.iter().copied(), Mode::Full) };
    let masking = Arc::new(spec.masking(&schema).unwrap());
    let place = Place { unit: UnitId::new("u"), generation: 0 };
    Sink::new(schema, &tables.iter().copied().collect(), place, usize::MAX).masked(masking)
}

/// The one part of a sink, and its warnings.
fn only_part(sink: Sink) -> (RecordBatch, Vec<Warning>) {
    let mut finished = sink.finish().unwrap();
    assert_eq!(finished.parts.len(), 1);
    let bytes = finished.parts.remove(0).bytes;
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    (reader.last().unwrap().unwrap(), finished.warnings)
}

fn permitted(key: &str) -> Narrowing {
    Narrowing { permitted_projects: vec![ProjectKey::parse(key).unwrap()], ..Narrowing::default() }
}

#[test]
fn a_board_does_not_show_issues_of_projects_that_are_not_permitted() {
    let issues = json!({"startAt": 50, "total": 53, "issues": [
        {"id": "1", "key": "SECRET-1", "fields": {"flagged": true}}, {"id": "2", "key": "AAA-2"}, {"id": "3"}
    ]});
    for table in [Table::BoardIssues, Table::BacklogIssues, Table::SprintIssues] {
        let mut sink = sink(&permitted("AAA"), &[table]);
        sink.metadata_from(table, (&Of::Id(9), 50), &issues.to_string()).unwrap();
        let (rows, warnings) = only_part(sink);
        let numbers = |column: &str| {
            let array = rows.column_by_name(column).unwrap();
            array.as_any().downcast_ref::<arrow_array::Int64Array>().unwrap().values().to_vec()
        };
        assert_eq!((numbers("issue_id"), numbers("rank")), (vec![2], vec![51]), "{table}");
        let told: Vec<_> = warnings.iter().map(|warning| (warning.code.as_str(), warning.count)).collect();
        assert_eq!(told, [("policy_issues_withheld", 2)], "{table}");
    }
}

#[test]
fn a_service_desk_of_a_project_that_is_not_permitted_is_left_out() {
    let mut sink = sink(&permitted("AAA"), &[Table::ServiceDesks]);
    let desks = json!({"isLastPage": true, "values": [
        {"id": "1", "projectKey": "SECRET", "projectName": "canary"}, {"id": "2", "projectKey": "AAA", "projectName": "ours"}
    ]});
    sink.metadata(Table::ServiceDesks, &Of::Site, &desks.to_string()).unwrap();
    assert_eq!(texts(&only_part(sink).0, "name"), [Some("ours".to_owned())]);
}

#[test]
fn people_in_properties_are_masked_like_people_elsewhere() {
    let properties =
        json!({"properties": {"of.a.plugin": {"who": person("canary-plugin")}, "plain": 7}}).to_string();
    let mut hashed = sink(
        &Narrowing { masks: rules(&[("people", hash())]), ..Narrowing::default() },
        &[Table::IssueProperties],
    );
    hashed.of_issue(Table::IssueProperties, 7, &properties).unwrap();
    let values = texts(&only_part(hashed).0, "value");
    assert!(!values[0].as_deref().unwrap().contains("canary"), "{values:?}");
    assert_eq!(values[1].as_deref(), Some("7"));

    let mut dropped = sink(
        &Narrowing { masks: rules(&[("people", Mask::Drop)]), ..Narrowing::default() },
        &[Table::IssueProperties],
    );
    dropped.of_issue(Table::IssueProperties, 7, &properties).unwrap();
    assert!(only_part(dropped).0.column_by_name("value").is_none());
}

#[test]
fn watchers_and_voters_are_hashed_with_people_and_not_read_without_them() {
    let answer = json!({"watchCount": 1, "watchers": [person("canary-watcher")]}).to_string();
    let mut hashed = sink(
        &Narrowing { masks: rules(&[("people", hash())]), ..Narrowing::default() },
        &[Table::IssueWatchers],
    );
    hashed.of_issue(Table::IssueWatchers, 7, &answer).unwrap();
    assert_eq!(texts(&only_part(hashed).0, "user_id"), [Some(of("canary-watcher"))]);
    let dropped = rules(&[("people", Mask::Drop)]);
    assert!(dropped.excludes(Table::IssueWatchers) && dropped.excludes(Table::IssueVotes));
    let counted = rules(&[("issues.watches", Mask::Drop)]);
    assert!(counted.excludes(Table::IssueWatchers) && !counted.excludes(Table::IssueVotes));
}
