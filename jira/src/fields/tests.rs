use super::*;

fn schema(fields: &str) -> IssueSchema {
    IssueSchema::from_field_answer(fields).unwrap()
}

fn field(number: u64, name: &str, schema_type: &str) -> String {
    serde_json::json!({"id": format!("customfield_{number}"), "name": name, "custom": true, "schema": {"type": schema_type}})
        .to_string()
}

fn names(schema: &IssueSchema) -> Vec<&str> {
    schema.custom().iter().map(|column| column.name.as_str()).collect()
}

#[test]
fn names_become_snake_case_and_keep_foreign_letters() {
    for (name, column) in [
        ("Story Points", "story_points"),
        ("  --T-Shirt (Size)!! ", "t_shirt_size"),
        ("Größe in m²", "größe_in_m²"),
        ("優先度", "優先度"),
        ("ÜBER", "über"),
        ("2nd contact", "field_2nd_contact"),
        ("***", "field_"),
        ("", "field_"),
    ] {
        assert_eq!(column_name(name), column, "{name}");
    }
}

#[test]
fn later_fields_of_a_taken_name_get_their_number() {
    let list = [
        field(10_030, "Story Points", "number"),
        field(9, "story-points", "number"),
        field(10_016, "STORY POINTS", "string"),
        field(10_001, "Summary", "string"),
        field(10_040, "story points 10016", "string"),
        field(10_041, "", "string"),
        field(10_042, "!", "string"),
    ];
    let schema = schema(&format!("[{}]", list.join(",")));
    let expected = [
        "story_points",
        "summary_10001",
        "story_points_10016",
        "story_points_10030",
        "story_points_10016_10040",
        "field_",
        "field__10042",
    ];
    assert_eq!(names(&schema), expected);
    assert_eq!(schema.names_by_field().get("customfield_9").map(String::as_str), Some("story_points"));
}

#[test]
fn column_types_follow_jiras_schema() {
    let types =
        ["number", "date", "datetime", "string", "option", "user", "group", "array", "any", "version"];
    let list: Vec<_> = types.iter().enumerate().map(|(i, t)| field(i as u64, t, t)).collect();
    let no_schema = r#"{"id":"customfield_77","name":"x","custom":true}"#;
    let schema = schema(&format!("[{},{no_schema}]", list.join(",")));
    let found: Vec<_> = schema.custom().iter().map(|c| c.custom_type.column_type().name()).collect();
    let expected =
        ["f64", "date", "timestamp", "text", "text", "text", "text", "json", "json", "json", "json"];
    assert_eq!(found, expected);
}

#[test]
fn system_fields_and_ids_that_are_no_custom_field_fill_no_column() {
    let schema = schema(
        r#"[{"id":"summary","name":"Summary","custom":false},{"id":"x","custom":true},{"id":"customfield_01","custom":true},
            {"id":"customfield_1x","custom":true},{"name":"none","custom":true},7,null]"#,
    );
    assert!(schema.custom().is_empty());
    assert!(matches!(IssueSchema::from_field_answer("{\"errors\":{}}"), Err(DecodeError::Shape { .. })));
    assert!(matches!(IssueSchema::from_field_answer("<html>"), Err(DecodeError::NotJson { .. })));
}

#[test]
fn a_schema_travels_in_a_checkpoint_unchanged_and_small() {
    let list: Vec<_> =
        (0..1000).map(|i| field(10_000 + i, &format!("A field of the site {i}"), "option")).collect();
    let schema = schema(&format!("[{}]", list.join(",")));
    let text = serde_json::to_string(&schema).unwrap();
    assert!(text.len() < 40_000, "{}", text.len());
    assert_eq!(serde_json::from_str::<IssueSchema>(&text).unwrap(), schema);
}
