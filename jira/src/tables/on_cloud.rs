//! Resources of Jira Cloud that take the place of Server's.

use super::origin::{Each, Origin, Paging, Refused};
use super::{Table, groups, site};

/// Rows asked for in one page where Jira caps it there.
const PAGE: u64 = 100;

/// Tables whose rows come from elsewhere on Jira Cloud.
pub(super) static ON_CLOUD: [(Table, Origin); 13] = [
    (
        Table::Projects,
        Origin {
            path: "/rest/api/3/project/search",
            query: &[("expand", "description,lead"), ("status", "live"), ("status", "archived")],
            page: Some(PAGE),
            refused: Refused::Fails,
            ..Origin::LIST
        },
    ),
    (Table::Users, Origin { path: "/rest/api/3/users/search", page: Some(1000), ..Origin::LIST }),
    (
        Table::Filters,
        Origin {
            path: "/rest/api/3/filter/search",
            query: &[("expand", "description,owner,jql,favourite")],
            page: Some(PAGE),
            ..Origin::LIST
        },
    ),
    (
        Table::Dashboards,
        Origin {
            path: "/rest/api/3/dashboard/search",
            query: &[("expand", "description,owner,viewUrl")],
            page: Some(PAGE),
            ..Origin::LIST
        },
    ),
    (Table::Labels, Origin { path: "/rest/api/3/label", page: Some(1000), ..Origin::LIST }),
    (Table::Groups, Origin { path: "/rest/api/3/group/bulk", page: Some(PAGE), ..Origin::LIST }),
    (
        Table::GroupMembers,
        Origin {
            path: "/rest/api/3/group/member",
            query: &[("includeInactiveUsers", "true")],
            each: Each::GroupIn("groupId"),
            page: Some(50),
            of_column: Some(groups::GROUP_ID),
            ..Origin::LIST
        },
    ),
    (
        Table::FieldContexts,
        Origin {
            path: "/rest/api/3/field/customfield_{id}/context",
            each: Each::CustomField,
            page: Some(PAGE),
            of_column: Some(site::FIELD_ID),
            ..Origin::LIST
        },
    ),
    (
        Table::FieldOptions,
        Origin {
            path: "/rest/api/3/field/customfield_{id}/context/{second}/option",
            each: Each::ChoiceContext,
            page: Some(PAGE),
            of_column: Some(site::FIELD_ID),
            second_column: Some(site::CONTEXT_ID),
            ..Origin::LIST
        },
    ),
    (Table::Workflows, Origin { path: "/rest/api/3/workflows/search", page: Some(PAGE), ..Origin::LIST }),
    (
        Table::WorkflowSchemes,
        Origin {
            path: "/rest/api/3/workflowscheme/project",
            each: Each::ProjectIn("projectId"),
            of_column: Some(0),
            ..Origin::LIST
        },
    ),
    (
        Table::IssueTypeSchemes,
        Origin { path: "/rest/api/3/issuetypescheme", page: Some(PAGE), ..Origin::LIST },
    ),
    (
        Table::AuditRecords,
        Origin {
            path: "/rest/api/3/auditing/record",
            page: Some(1000),
            paging: Paging::Offset,
            list: "records",
            ..Origin::LIST
        },
    ),
];
