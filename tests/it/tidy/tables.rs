//! The document of the tables, and the tables of other extractors that ours must have, or a reason.

use jira::{DeltaStrategy, TableInfo};
use std::fmt::Write;

/// Every table that any of the extractors offers that we compare with, by the names of our own.
const PEERS: &str = "issues issue_changelog issue_changelog_items issue_comments issue_worklogs issue_links issue_sprints issue_labels issue_components \
    issue_versions issue_attachments issue_custom_values projects components versions users fields statuses issue_types priorities resolutions \
    link_types boards board_columns sprints event_log field_history issue_remote_links issue_watchers issue_votes issue_properties \
    issue_transitions field_contexts field_options board_issues sprint_issues backlog_issues epics groups group_members project_roles role_actors \
    security_levels permission_grants notification_schemes workflows workflow_schemes screens filters dashboards labels audit_records jsm_requests \
    jsm_sla_cycles jsm_organizations service_desks request_types server_info";

/// Those of them that are no table here, and why.
const LEFT_OUT: &[(&str, &str)] = &[(
    "issue_changelog_items",
    "`issue_changelog` has a row per changed field already; author and time of the entry are in each of them",
)];

#[test]
fn every_table_of_the_peers_is_one_of_ours_or_has_a_reason() {
    assert_eq!(PEERS.split_whitespace().count(), 58);
    let is_ours = |name: &str| jira::Table::parse(name).is_some();
    let missing: Vec<_> = PEERS
        .split_whitespace()
        .filter(|name| !is_ours(name) && !LEFT_OUT.iter().any(|(left, _)| left == name))
        .collect();
    assert!(missing.is_empty(), "neither a table nor a reason: {missing:?}");
    for (name, _) in LEFT_OUT {
        assert!(
            PEERS.split_whitespace().any(|peer| peer == *name) && !is_ours(name),
            "{name} needs no reason"
        );
    }
}

const HEAD: &str = "# Tables

Generated from the code. Times are UTC with microseconds; ids that Jira makes numeric are 64-bit integers; a user is named by the user's key on Server and \
Data Center and by the account id on Cloud. A column of type `json` is text that holds compact JSON. Tables and columns are the same for all kinds of Jira; \
a column that one of them does not tell is null there.

The issue tables are replaced issue by issue in a delta load; the others are replaced whole in every load. `issues` has one more column per custom field, \
named after the field, with the field's id in the column's metadata (`jira.field_id`); two fields of one name never share a column.

An extraction that names no table reads all that are not optional. Optional ones are read when `--tables` names them: most of them need an administrator's \
account, or a request for each issue, project, board, group or field. What Jira refuses is counted by a warning of the run, and the table holds the rest. What a \
table of a delta load holds of things that change without their issue (the name of a component, the state of a sprint) is as old as the last change of the \
issue; the tables of these things have them as they are.
";

/// The whole document.
pub(super) fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## All tables\n\n| table | key | Server, Data Center | Cloud | delta load | |\n|---|---|---|---|---|---|\n");
    for table in jira::catalogue() {
        writeln!(
            text,
            "| [{0}](#{0}) | {1} | {2} | {3} | {4} | {5} |",
            table.table.name(),
            table.key.join(", "),
            source(table.server.as_ref()),
            source(table.cloud.as_ref()),
            delta(table.delta),
            if table.is_default { "" } else { "optional" }
        )
        .unwrap();
    }
    for table in jira::catalogue() {
        section(&mut text, &table);
    }
    text.push_str("\n## What other extractors have and this one has not\n\n| table | why not |\n|---|---|\n");
    for (name, reason) in LEFT_OUT {
        writeln!(text, "| {name} | {reason} |").unwrap();
    }
    text + &left_out()
}

/// What no table holds.
fn left_out() -> String {
    let mut text = String::from(
        "\n## What is left out\n\nMembers of Jira's answers that no table holds; recorded answers of real sites have no others (`[]` stands for the elements of a \
         list, `*` for any one member, `**` for any number of them).\n\n| in the answers for | member | why |\n|---|---|---|\n",
    );
    for left in jira::LEFT_OUT {
        let table = if left.table.is_empty() { "any table" } else { left.table };
        writeln!(text, "| {table} | `{}` | {} |", left.path, left.reason).unwrap();
    }
    text
}

fn section(text: &mut String, table: &TableInfo) {
    write!(text, "\n## {}\n\nKey: {}. ", table.table.name(), table.key.join(", ")).unwrap();
    match (&table.server, &table.cloud) {
        (Some(server), Some(cloud)) if server == cloud => write!(text, "Source: {server}.").unwrap(),
        (server, cloud) => {
            write!(
                text,
                "Server and Data Center: {}. Cloud: {}.",
                source(server.as_ref()),
                source(cloud.as_ref())
            )
            .unwrap();
        }
    }
    write!(text, " Delta load: {}.", delta(table.delta)).unwrap();
    if !table.is_default {
        text.push_str(" Optional: read only when it is named.");
    }
    if !table.note.is_empty() {
        write!(text, "\n\n{}", table.note).unwrap();
    }
    text.push_str("\n\n| column | type | from |\n|---|---|---|\n");
    for column in &table.columns {
        let from = column.source.replace('|', "\\|");
        writeln!(text, "| {} | {} | {from} |", column.name, column.column_type.name()).unwrap();
    }
}

fn source(told: Option<&String>) -> &str {
    told.map_or("not offered", String::as_str)
}

fn delta(strategy: DeltaStrategy) -> &'static str {
    match strategy {
        DeltaStrategy::ByIssue => "replaced issue by issue",
        DeltaStrategy::DerivedByIssue => "made again issue by issue",
        DeltaStrategy::Whole => "read and replaced whole",
    }
}
