use super::*;
use std::collections::HashSet;

#[test]
fn names_are_parsed_back_and_unknown_ones_refused() {
    for &table in Table::all() {
        assert_eq!(Table::parse(table.name()), Some(table));
        assert_eq!(serde_json::to_value(table).unwrap(), table.name());
    }
    assert_eq!(Table::parse("attachments"), None);
    assert_eq!(Table::parse(REPLACED), None);
}

#[test]
fn every_key_column_is_a_column_and_names_are_unique() {
    for info in catalogue() {
        let names: HashSet<_> = info.columns.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), info.columns.len(), "{}", info.table);
        assert!(info.key.iter().all(|key| names.contains(key)), "{}", info.table);
    }
}

#[test]
fn the_places_that_the_decoder_knows_by_number_have_the_right_names() {
    let name = |table: Table, place: usize| {
        let spec = table.spec();
        spec.columns.iter().chain(spec.helpers).nth(place).unwrap().name
    };
    for (place, expected) in [
        (issues::ISSUE_ID, "issue_id"),
        (issues::ISSUE_KEY, "issue_key"),
        (issues::PROJECT_KEY, "project_key"),
        (issues::CREATED, "created"),
        (issues::UPDATED, "updated"),
        (issues::VOTES, "votes"),
        (issues::WATCHES, "watches"),
        (issues::COMMENT_COUNT, "comment_count"),
        (issues::WORKLOG_COUNT, "worklog_count"),
        (issues::CHANGELOG_COUNT, "changelog_count"),
        (issues::IS_SUBTASK, "is_subtask"),
        (issues::PARENT_ID, "parent_id"),
        (issues::PARENT_KEY, "parent_key"),
        (issues::ATTACHMENT_COUNT, "attachment_count"),
        (issues::EPIC_KEY, "epic_key"),
    ] {
        assert_eq!(name(Table::Issues, place), expected);
    }
    assert_eq!(name(Table::IssueComments, comments::ISSUE_ID), "issue_id");
    assert_eq!(name(Table::IssueWorklogs, worklogs::ISSUE_ID), "issue_id");
    assert_eq!(name(Table::IssueChangelog, changelog::HISTORY_ID), "history_id");
    assert_eq!(name(Table::IssueChangelog, changelog::ITEM_INDEX), "item_index");
    assert_eq!(name(Table::IssueChangelog, changelog::FIRST_OF_ITEM), "field");
    assert_eq!(name(Table::IssueLinks, links::PHRASE), "phrase");
    assert_eq!(name(Table::IssueLinks, links::OTHER_KEY), "other_issue_key");
    assert_eq!(name(Table::IssueLinks, links::OUTWARD_PHRASE), "outward");
    assert_eq!(name(Table::IssueSprints, issue_sprints::SPRINT_ID), "sprint_id");
    assert_eq!(name(Table::IssueSprints, issue_sprints::ORDINAL), "ordinal");
    assert_eq!(name(Table::IssueSprints, issue_sprints::STATE), "state");
    assert_eq!(name(Table::IssueSprints, issue_sprints::BOARD_ID), "board_id");
    assert_eq!(name(Table::IssueSprints, issue_sprints::IS_CURRENT), "is_current");
    assert_eq!(name(Table::IssueSprints, issue_sprints::STATE_AS_SENT), "state_as_sent");
    assert_eq!(name(Table::IssueVersions, issue_versions::ROLE), "role");
    assert_eq!(name(Table::IssueSubtasks, issue_subtasks::PARENT_KEY), "parent_key");
    assert_eq!(name(Table::IssueCustomValues, issue_custom_values::VALUE_JSON), "value_json");
    assert_eq!(name(Table::IssueProperties, of_issue::PROPERTY_KEY), "property_key");
    assert_eq!(name(Table::IssueProperties, of_issue::PROPERTY_VALUE), "value");
    for table in [Table::BoardIssues, Table::BacklogIssues, Table::SprintIssues] {
        assert_eq!(name(table, agile_issues::ISSUE_KEY), "issue_key");
    }
    for (place, expected) in [
        (service_desk::CYCLE_NO, "cycle_no"),
        (service_desk::IS_ONGOING, "is_ongoing"),
        (service_desk::SHARED[0], "sla_id"),
        (service_desk::SHARED[1], "sla_name"),
    ] {
        assert_eq!(name(Table::JsmSlaCycles, place), expected);
    }
    assert_eq!(name(Table::ServiceDesks, service_desk::DESK_PROJECT_KEY), "project_key");
    for table in Table::of_issues() {
        assert_eq!(name(table, table.spec().issue_column), "issue_id", "{table}");
    }
    assert_eq!(name(Table::Users, metadata::USER_KEY), "key");
    assert_eq!(name(Table::Users, metadata::USER_ACCOUNT_ID), "account_id");
    assert_eq!(name(Table::Fields, metadata::FIELD_COLUMN_NAME), "column_name");
}

#[test]
fn ids_that_are_made_are_made_of_the_right_cells() {
    let name = |table: Table, place: usize| {
        let spec = table.spec();
        spec.columns.iter().chain(spec.helpers).nth(place).unwrap().name
    };
    assert_eq!(name(Table::Epics, site::EPIC_KEY), "epic_key");
    assert_eq!(name(Table::AuditRecords, site::AUDIT_RECORD_ID), "record_id");
    assert_eq!(name(Table::AuditRecords, site::AUDIT_RECORD_ID_AS_SENT), "id");
    for (table, wanted) in [
        (Table::Users, ["user_id", "key", "user_name", "account_id"].as_slice()),
        (Table::GroupMembers, &["user_id", "key", "user_name", "account_id"]),
        (Table::Groups, &["group_id", "id", "name"]),
        (Table::Workflows, &["workflow_id", "id", "name"]),
    ] {
        let (target, sources) = table.spec().first_of[0];
        let places = std::iter::once(&target).chain(sources);
        assert_eq!(places.map(|place| name(table, *place)).collect::<Vec<_>>(), wanted);
    }
}

#[test]
fn what_a_list_is_asked_for_has_a_column_where_it_is_wanted() {
    for &table in Table::all() {
        let [server, cloud] = [false, true].map(|is_cloud| Origin::of(table, is_cloud));
        for origin in [server, cloud].into_iter().flatten() {
            let columns = table.spec().columns;
            let made = [origin.of_column, origin.second_column, origin.ordinal_column].into_iter().flatten();
            assert!(made.into_iter().all(|place| columns[place].take == Take::Made), "{table}");
        }
        let is_somewhere = server.or(cloud).is_some() || table.is_issue_table() || table == Table::Fields;
        assert!(is_somewhere, "{table} comes from nowhere");
    }
}
