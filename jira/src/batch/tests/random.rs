use super::*;
use crate::decode::tests::any_json;
use proptest::prelude::*;

const TYPES: [&str; 9] = ["number", "date", "datetime", "string", "option", "user", "group", "array", "any"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_json_in_a_custom_field_lands_or_is_counted(value in any_json(), place in 0..TYPES.len()) {
        let (cell, misfits) = custom_value(TYPES[place], value.clone());
        if cell.is_null() {
            prop_assert_eq!(misfits, u64::from(!value.is_null()));
        } else {
            prop_assert_eq!(misfits, 0);
        }
        if TYPES[place] == "any" && !value.is_null() {
            prop_assert_eq!(cell, Value::from(value.to_string()));
        }
    }

    #[test]
    fn any_json_in_the_members_of_an_issue_keeps_the_page_readable(values in prop::collection::vec(any_json(), 8)) {
        let names = ["status", "summary", "labels", "components", "creator", "comment", "issuelinks", "votes"];
        let fields: serde_json::Map<_, _> = names.map(str::to_owned).into_iter().zip(values.clone()).collect();
        let mut odd = issue(1, fields.into());
        odd["changelog"] = values[0].clone();
        let mut sink = sink();
        let head = read(&mut sink, &page(&[odd, issue(2, json!({}))]));
        prop_assert_eq!(head.issues.len(), 2);
        prop_assert_eq!(table_rows(&sink.finish().unwrap(), "issues").len(), 2);
    }

    #[test]
    fn any_json_among_children_keeps_the_page_readable(values in prop::collection::vec(any_json(), 6), list in prop::collection::vec(any_json(), 0..5)) {
        let names = ["id", "author", "body", "items", "type", "inwardIssue"];
        let mut child: serde_json::Map<_, _> = names.map(str::to_owned).into_iter().zip(values).collect();
        let odd_children = Value::from([vec![child.clone().into()], list].concat());
        child.insert("id".to_owned(), json!("77"));
        let children = Value::from([vec![child.into()], odd_children.as_array().unwrap().clone()].concat());
        let total = children.as_array().unwrap().len();
        let framed = |name: &str| json!({"total": total, name: children});
        let mut all = issue(1, json!({"comment": framed("comments"), "worklog": framed("worklogs"), "issuelinks": children}));
        all["changelog"] = framed("histories");
        let mut sink = sink();
        let head = read(&mut sink, &page(&[all]));
        prop_assert!(head.issues[0].incomplete.is_empty());
        let finished = sink.finish().unwrap();
        for table in ["issue_comments", "issue_worklogs", "issue_changelog", "issue_links"] {
            let rows = table_rows(&finished, table);
            prop_assert!(!rows.is_empty() && rows.iter().all(|row| row["issue_id"] == 1), "{}", table);
        }
    }

    #[test]
    fn any_cut_of_a_page_is_an_error(cut in any::<prop::sample::Index>()) {
        let comment = json!({"total": 1, "comments": [{"id": "1", "body": "text"}]});
        let text = page(&[issue(1, json!({"comment": comment, "labels": ["a"]}))]);
        let length = cut.index(text.len());
        let mut sink = sink();
        let error = sink.issue_page(text.get(..length).unwrap(), &mut |_| true).unwrap_err();
        let truncated = matches!(error, DecodeError::Truncated { .. });
        prop_assert!(truncated, "{}", error);
        prop_assert!(sink.finish().unwrap().parts.is_empty());
    }
}
