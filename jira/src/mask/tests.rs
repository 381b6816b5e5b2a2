use super::*;
use crate::batch::Sink;
use crate::mask::hash::Hasher;
use crate::spec::{Mode, Spec};
use crate::unit::Place;
use crate::unit::UnitId;
use arrow_array::{Array, RecordBatch, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use std::sync::Arc;

mod named_tables;

fn rules(rules: &[(&str, Mask)]) -> Masks {
    let rule = |(selector, mask): &(&str, Mask)| MaskRule {
        selector: ColumnSelector::parse(selector).unwrap(),
        mask: mask.clone(),
    };
    Masks::try_new(rules.iter().map(rule).collect()).unwrap()
}

fn hash() -> Mask {
    Mask::Hash(Hasher::hmac_sha256(&[7; 32]).unwrap())
}

fn of(text: &str) -> String {
    let mut out = String::new();
    let Mask::Hash(hasher) = hash() else { unreachable!() };
    hasher.write(text, &mut out);
    out
}

fn schema() -> IssueSchema {
    let field = |number: u64, name: &str, schema: serde_json::Value| json!({"id": format!("customfield_{number}"), "name": name, "custom": true, "schema": schema});
    let fields = json!([
        field(1, "Secret Code", json!({"type": "string"})),
        field(2, "Approvers", json!({"type": "array", "items": "user"})),
        field(3, "Story Points", json!({"type": "number"})),
        field(4, "Plugin Thing", json!({"type": "any"})),
        field(5, "Code Words", json!({"type": "array", "items": "string"})),
        field(
            6,
            "Sprint",
            json!({"type": "array", "items": "string", "custom": "com.pyxis.greenhopper.jira:gh-sprint"})
        ),
        field(7, "Epic Link", json!({"type": "any", "custom": "com.pyxis.greenhopper.jira:gh-epic-link"})),
    ]);
    IssueSchema::from_field_answer(&fields.to_string()).unwrap()
}

fn person(id: &str) -> serde_json::Value {
    json!({"key": id, "name": format!("{id}-name"), "displayName": format!("{id} Display"), "emailAddress": format!("{id}@corp.example")})
}

/// A page of one issue in which every value that could be masked is a canary.
fn page() -> String {
    let change = |field: &str, kind: &str, value: &str| json!({"field": field, "fieldtype": kind, "from": format!("{value}-id"), "fromString": format!("{value}-text"), "to": null, "toString": null});
    json!({"startAt": 0, "maxResults": 1, "total": 1, "issues": [{
        "id": "10001", "key": "AAA-1",
        "fields": {
            "project": {"id": "1", "key": "AAA"}, "created": "2024-01-01T00:00:00.000+0000", "updated": "2024-01-01T00:00:00.000+0000",
            "summary": "canary-summary", "labels": ["canary-label", "other"], "assignee": person("canary-assignee"),
            "timespent": 7, "duedate": "2024-02-03", "resolutiondate": "2024-01-02T03:04:05.678+0000",
            "issuelinks": [
                {"id": "1", "type": {"id": "1", "name": "Blocks", "inward": "is blocked by", "outward": "blocks"}, "outwardIssue": {"id": "5", "key": "SECRET-5"}},
                {"id": "2", "type": {"id": "1", "name": "Blocks", "inward": "is blocked by", "outward": "blocks"}, "outwardIssue": {"id": "6", "key": "AAA-6"}}
            ],
            "customfield_1": "canary-code", "customfield_2": [person("canary-approver")], "customfield_3": 5.5,
            "customfield_4": {"who": person("canary-plugin")}, "customfield_5": ["canary-word"],
            "customfield_6": ["Sprint@1[id=7,state=ACTIVE,name=canary-sprint,startDate=<null>,goal=canary-goal]"],
            "customfield_7": "CANARY-7", "components": [{"id": "77", "name": "canary-component"}],
            "fixVersions": [{"id": "78", "name": "canary-version"}]
        },
        "changelog": {"startAt": 0, "maxResults": 9, "total": 1, "histories": [{"id": "1", "author": person("canary-author"), "created": "2024-01-01T00:00:00.000+0000", "items": [
            change("assignee", "jira", "canary-old-assignee"), change("summary", "jira", "canary-old-summary"),
            change("Secret Code", "custom", "canary-old-code"), change("Former Name", "custom", "canary-former"),
            change("Story Points", "custom", "clear-points"), change("status", "jira", "clear-status")
        ]}]}
    }]})
    .to_string()
}

/// The parts of the page under a narrowing, by table.
fn landed(narrowing: &Narrowing) -> BTreeMap<String, RecordBatch> {
    let schema = Arc::new(schema());
    let tables = Table::all().iter().copied().filter(|table| table.is_issue_table());
    let spec = Spec { narrowing: narrowing.clone(), ..Spec::all(tables, Mode::Full) };
    let masking = Arc::new(spec.masking(&schema).unwrap());
    let selection = spec.tables;
    let place = Place { unit: UnitId::new("u"), generation: 0 };
    let mut sink = Sink::new(schema, &selection, place, usize::MAX).masked(masking);
    sink.issue_page(&page(), &mut |_| true).unwrap();
    let parts = sink.finish().unwrap().parts.into_iter();
    let batch = |bytes: bytes::Bytes| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
        reader.last().unwrap().unwrap()
    };
    parts.map(|part| (part.table, batch(part.bytes))).collect()
}

fn masked(masks: &[(&str, Mask)]) -> BTreeMap<String, RecordBatch> {
    landed(&Narrowing { masks: rules(masks), ..Narrowing::default() })
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let array = batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
    let array = array.as_any().downcast_ref::<StringArray>().unwrap_or_else(|| panic!("{column} is no text"));
    (0..array.len()).map(|row| array.is_valid(row).then(|| array.value(row).to_owned())).collect()
}

fn text(batch: &RecordBatch, column: &str) -> Option<String> {
    texts(batch, column).remove(0)
}

#[test]
fn values_of_any_type_become_the_hash_of_their_text() {
    let tables = masked(&[
        ("issues.summary", hash()),
        ("issues.time_spent_seconds", hash()),
        ("issues.due_date", hash()),
        ("issues.resolved_at", hash()),
        ("issues.labels", hash()),
        ("issues.customfield_3", hash()),
        ("issues.is_subtask", hash()),
    ]);
    let issues = &tables["issues"];
    assert_eq!(text(issues, "summary"), Some(of("canary-summary")));
    assert_eq!(text(issues, "time_spent_seconds"), Some(of("7")));
    assert_eq!(text(issues, "due_date"), Some(of("2024-02-03")));
    assert_eq!(text(issues, "resolved_at"), Some(of("2024-01-02T03:04:05.678000Z")));
    assert_eq!(text(issues, "story_points"), Some(of("5.5")));
    assert_eq!(text(issues, "labels"), Some(format!(r#"["{}","{}"]"#, of("canary-label"), of("other"))));
    assert_eq!(text(issues, "is_subtask"), None, "null stays null");
    let metadata = issues.schema().field_with_name("summary").unwrap().metadata().clone();
    assert_eq!(metadata["uplink.mask"], format!("hmac-sha256/{}", fingerprint(&[7; 32])));
}

#[test]
fn a_dropped_column_is_not_there_and_the_others_keep_their_places() {
    let tables = masked(&[("*.summary", Mask::Drop), ("issues.secret_code", Mask::Drop)]);
    let issues = &tables["issues"];
    assert!(issues.column_by_name("summary").is_none() && issues.column_by_name("secret_code").is_none());
    assert_eq!(text(issues, "assignee_id").as_deref(), Some("canary-assignee"));
    assert_eq!(issues.num_columns(), Table::Issues.spec().columns.len() + 7 - 2);
}

#[test]
fn a_mask_of_a_text_holds_for_the_document_of_jira_cloud_beside_it() {
    for (text, document) in [
        ("issues.description", "issues.description_adf"),
        ("issues.environment", "issues.environment_adf"),
        ("issue_comments.body", "issue_comments.body_adf"),
        ("*.comment", "issue_worklogs.comment_adf"),
    ] {
        let (table, name) = document.split_once('.').unwrap();
        let table = Table::parse(table).unwrap();
        let place = table.spec().columns.iter().position(|column| column.name == name).unwrap();
        let column_under = |masks: &[(&str, Mask)]| {
            let narrowing = Narrowing { masks: rules(masks), ..Narrowing::default() };
            let spec = Spec { narrowing, ..Spec::all([table], Mode::Full) };
            spec.masking(&schema()).unwrap().column(table, place).clone()
        };
        assert!(matches!(column_under(&[(text, Mask::Drop)]), ColumnMask::Drop), "{document}");
        assert!(matches!(column_under(&[(text, hash())]), ColumnMask::Hash(_, Form::Json)), "{document}");
        // The stricter of two holds, so a document can be dropped whose text is hashed.
        assert!(matches!(column_under(&[(text, hash()), (document, Mask::Drop)]), ColumnMask::Drop));
    }
    let only_document = masked(&[("issues.description_adf", Mask::Drop)]);
    assert!(only_document["issues"].column_by_name("description").is_some());
}

#[test]
fn a_change_of_a_masked_field_is_masked_too_and_so_is_one_of_a_field_without_a_column() {
    let tables = masked(&[("issues.summary", Mask::Drop), ("issues.customfield_1", hash())]);
    let from = texts(&tables["issue_changelog"], "from_text");
    let clear = |text: &str| Some(text.to_owned());
    assert_eq!(from[0], clear("canary-old-assignee-text"));
    assert_eq!(from[1], None, "the old value of a dropped column");
    assert_eq!(from[2], Some(of("canary-old-code-text")));
    assert_eq!(
        from[3],
        Some(of("canary-former-text")),
        "it may have been the masked field under a former name"
    );
    assert_eq!((&from[4], &from[5]), (&clear("clear-points-text"), &clear("clear-status-text")));
}

#[test]
fn nothing_of_a_person_is_left_when_people_are_hashed_and_ids_still_join() {
    let tables = masked(&[("people", hash())]);
    let (issues, history) = (&tables["issues"], &tables["issue_changelog"]);
    assert_eq!(text(issues, "assignee_id"), Some(of("canary-assignee")));
    assert_eq!(text(issues, "approvers"), Some(format!(r#"["{}"]"#, of("canary-approver"))));
    assert_eq!(text(history, "author_id"), Some(of("canary-author")));
    assert_eq!(texts(history, "from_id")[0], Some(of("canary-old-assignee-id")));
    assert_eq!(text(issues, "summary").as_deref(), Some("canary-summary"));
    let everything = format!("{tables:?}");
    for person in [
        "canary-assignee",
        "canary-approver",
        "canary-author",
        "canary-plugin",
        "canary-old-assignee",
        "corp.example",
    ] {
        assert!(!everything.contains(person), "{person} is in {everything}");
    }
}

#[test]
fn what_tells_rows_apart_is_neither_dropped_nor_changed_in_type() {
    let refused = |selector: &str, mask: Mask| {
        let selector = ColumnSelector::parse(selector).unwrap();
        Masks::try_new(vec![MaskRule { selector, mask }]).is_err()
    };
    for selector in ["issues.issue_id", "*.issue_id", "issue_comments.issue_id", "issue_comments.comment_id"]
    {
        assert!(refused(selector, Mask::Drop) && refused(selector, hash()), "{selector}");
    }
    assert!(refused("users.user_id", Mask::Drop) && !refused("users.user_id", hash()));
    let people = rules(&[("people", Mask::Drop)]);
    assert!(people.excludes(Table::Users) && !people.excludes(Table::Issues));
}

#[test]
fn a_selector_that_no_site_can_meet_is_refused() {
    for selector in
        ["summary", "issues.", "nowhere.summary", "issue_comments.boddy", "issues.a b", "issues.*"]
    {
        assert!(ColumnSelector::parse(selector).is_err(), "{selector}");
    }
    assert_eq!(rules(&[("issues.story_pints", Mask::Drop)]).unmatched(&schema()), ["issues.story_pints"]);
}

#[test]
fn of_several_rules_the_strictest_holds() {
    let tables = masked(&[("issues.summary", hash()), ("*.summary", Mask::Drop)]);
    assert!(tables["issues"].column_by_name("summary").is_none());
}

#[test]
fn links_to_projects_that_are_not_permitted_do_not_say_where_they_lead() {
    let permitted_projects = vec![crate::project::ProjectKey::parse("AAA").unwrap()];
    let tables = landed(&Narrowing { permitted_projects, ..Narrowing::default() });
    let links = &tables["issue_links"];
    assert_eq!(texts(links, "other_issue_key"), [None, Some("AAA-6".to_owned())]);
    assert_eq!(links.column_by_name("other_issue_id").unwrap().null_count(), 1);
}

/// The cells of a column of `field_history`, by field.
fn told(batch: &RecordBatch, column: &str) -> BTreeMap<String, Option<String>> {
    texts(batch, "field").into_iter().flatten().zip(texts(batch, column)).collect()
}

#[test]
fn a_masked_column_does_not_come_back_through_the_derived_tables() {
    let tables = masked(&[
        ("issues.summary", Mask::Drop),
        ("issues.customfield_1", hash()),
        ("issues.issue_key", hash()),
    ]);
    let (events, fields) = (&tables["event_log"], &tables["field_history"]);
    assert_eq!(text(events, "case_id"), Some(of("AAA-1")));
    assert_eq!(texts(events, "old_value")[2], None, "the old value of a dropped column");
    assert_eq!(texts(events, "old_value")[3], Some(of("canary-old-code-text")));
    let values = told(fields, "value_text");
    assert_eq!(values["secret_code"], None, "the last value");
    assert_eq!((&values["issue_key"], &values["summary"]), (&Some(of("AAA-1")), &None));
    let everything = format!("{tables:?}");
    for secret in ["canary-summary", "canary-old-summary", "canary-code", "canary-old-code", "AAA-1\""] {
        assert!(!everything.contains(secret), "{secret} is in {everything}");
    }
}

#[test]
fn people_are_hashed_once_and_alike_in_the_derived_tables() {
    let tables = masked(&[("people", hash())]);
    let events = &tables["event_log"];
    assert_eq!(texts(events, "resource")[1], Some(of("canary-author")));
    assert_eq!(texts(events, "old_id")[1], Some(of("canary-old-assignee-id")));
    assert_eq!(told(&tables["field_history"], "author_id")["status"], Some(of("canary-author")));
}

#[test]
fn masks_of_the_source_and_of_the_derived_column_both_hold() {
    let rules = [
        ("issue_changelog.author_id", Mask::Drop),
        ("issue_changelog.created", Mask::Drop),
        ("event_log.old_value", hash()),
        ("event_log.activity", hash()),
        ("field_history.valid_from", hash()),
        ("issues.status_name", Mask::Drop),
    ];
    let tables = masked(&rules);
    let (events, fields) = (&tables["event_log"], &tables["field_history"]);
    assert_eq!(texts(events, "resource")[1], None);
    assert_eq!(events.column_by_name("timestamp").unwrap().null_count(), events.num_rows() - 1);
    assert_eq!(texts(events, "old_value")[1], Some(of("canary-old-assignee-text")));
    assert_eq!(texts(events, "activity")[6], Some(of("status changed")));
    assert_eq!(text(fields, "valid_from"), Some(of("2024-01-01T00:00:00.000000Z")));
    assert_eq!(told(fields, "author_id")["assignee"], None);
}

#[test]
fn a_value_that_other_tables_hold_once_more_is_masked_there_too() {
    let tables = masked(&[
        ("issues.labels", hash()),
        ("issues.code_words", hash()),
        ("issues.sprint", Mask::Drop),
        ("issues.epic_link", hash()),
        ("people", hash()),
    ]);
    assert_eq!(texts(&tables["issue_labels"], "label"), [Some(of("canary-label")), Some(of("other"))]);
    let values = &tables["issue_custom_values"];
    assert_eq!(texts(values, "value_text"), [Some(of("canary-approver")), Some(of("canary-word"))]);
    assert_eq!(texts(values, "value_json"), [None, None]);
    assert_eq!(texts(values, "value_id"), [None, None]);
    assert!(tables["issue_sprints"].column_by_name("name").is_none());
    assert_eq!(tables["issue_sprints"].num_columns(), 2);
    assert_eq!(text(&tables["issues"], "epic_key"), Some(of("CANARY-7")));
}

#[test]
fn a_table_whose_key_would_tell_a_masked_value_is_not_read() {
    let masks = rules(&[("issues.components", hash()), ("issues.labels", Mask::Drop)]);
    for (table, is_excluded) in [
        (Table::IssueComponents, true),
        (Table::IssueLabels, true),
        (Table::IssueVersions, false),
        (Table::Issues, false),
    ] {
        assert_eq!(masks.excludes(table), is_excluded, "{table}");
    }
}
