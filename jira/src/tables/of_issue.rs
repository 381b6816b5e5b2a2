//! Tables whose rows come from a resource of each issue: a request for each issue that has something to tell, so they are read only when
//! they are named.

use super::issues;
use super::{ChildLists, ColumnSpec, ColumnType, Element, TableSpec, flag, int, made, text};

/// A resource that each issue has.
#[derive(Debug)]
pub(crate) struct OfIssue {
    /// Below the site's base address; `{id}` stands for the issue's id.
    pub(crate) path: &'static str,
    /// Parameters of every request.
    pub(crate) query: &'static [(&'static str, &'static str)],
    /// Rows asked for in one page by `start` and `limit`; without it an answer is whole.
    pub(crate) page: Option<u64>,
    /// Where in the answer the rows are.
    pub(crate) answer: Answer,
    /// Which issues it is asked for.
    pub(crate) only: Only,
}

/// Where an answer holds its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is the list.
    List,
    /// It is the only row.
    Row,
    /// The list is this member; the second, if there is one, counts what the list should hold.
    Member(&'static str, Option<&'static str>),
    /// The members of this member are rows: a name and a value.
    Names(&'static str),
}

/// Which issues a resource is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Only {
    /// All: no page of issues tells whether there is something.
    All,
    /// Those whose row of `issues` has more than zero in this column.
    Counted(usize),
    /// Those of projects with a service desk.
    OfServiceDesk,
}

impl OfIssue {
    /// Whether a path is this resource's, with a number for the id.
    pub(crate) fn has_path(&self, path: &str) -> bool {
        let found = self
            .path
            .split_once("{id}")
            .and_then(|(before, after)| path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)));
        found.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

const ISSUE_ID: ColumnSpec = made("issue_id", ColumnType::I64, "id of the issue");

/// The place of the person in [`WATCHERS`] and [`VOTES`].
const PERSON: usize = 1;

const PEOPLE: ChildLists =
    ChildLists { element: Element::User(PERSON), key_column: PERSON, is_distinct: true, ..ChildLists::PLAIN };

pub(crate) static REMOTE_LINKS: TableSpec = TableSpec {
    name: "issue_remote_links",
    key: &["issue_id", "remote_link_id"],
    source: "GET /rest/api/2/issue/{id}/remotelink, for each issue",
    columns: &[
        ISSUE_ID,
        int("remote_link_id", "id"),
        text("global_id", "globalId"),
        text("relationship", "relationship"),
        text("application_type", "application.type"),
        text("application_name", "application.name"),
        text("url", "object.url"),
        text("title", "object.title"),
        text("summary", "object.summary"),
        flag("resolved", "object.status.resolved"),
        text("kind_title", "object.icon.title"),
        text("status_title", "object.status.icon.title"),
        text("status_url", "object.status.icon.link"),
    ],
    varied: &["remote_link_id", "global_id", "url", "title"],
    is_default: false,
    children: Some(ChildLists { key_column: 1, ..ChildLists::PLAIN }),
    of_issue: Some(OfIssue {
        path: "/rest/api/2/issue/{id}/remotelink",
        query: &[],
        page: None,
        answer: Answer::List,
        only: Only::All,
    }),
    ..TableSpec::PLAIN
};

pub(crate) static WATCHERS: TableSpec = TableSpec {
    name: "issue_watchers",
    key: &["issue_id", "user_id"],
    source: "GET /rest/api/2/issue/{id}/watchers: watchers[], for each issue that is watched",
    columns: &[ISSUE_ID, super::user("user_id", "the person")],
    is_default: false,
    asks: &["watches"],
    children: Some(PEOPLE),
    of_issue: Some(OfIssue {
        path: "/rest/api/2/issue/{id}/watchers",
        query: &[],
        page: None,
        answer: Answer::Member("watchers", Some("watchCount")),
        only: Only::Counted(issues::WATCHES),
    }),
    ..TableSpec::PLAIN
};

pub(crate) static VOTES: TableSpec = TableSpec {
    name: "issue_votes",
    key: &["issue_id", "user_id"],
    source: "GET /rest/api/2/issue/{id}/votes: voters[], for each issue with votes",
    columns: &[ISSUE_ID, super::user("user_id", "the person")],
    is_default: false,
    asks: &["votes"],
    children: Some(PEOPLE),
    of_issue: Some(OfIssue {
        path: "/rest/api/2/issue/{id}/votes",
        query: &[],
        page: None,
        answer: Answer::Member("voters", Some("votes")),
        only: Only::Counted(issues::VOTES),
    }),
    ..TableSpec::PLAIN
};

pub(crate) const PROPERTY_KEY: usize = 1;
pub(crate) const PROPERTY_VALUE: usize = 2;

pub(crate) static PROPERTIES: TableSpec = TableSpec {
    name: "issue_properties",
    key: &["issue_id", "property_key"],
    source: "GET /rest/api/2/issue/{id}?properties=*all: properties, for each issue",
    columns: &[
        ISSUE_ID,
        made("property_key", ColumnType::Text, "the name of a member of properties"),
        made("value", ColumnType::Json, "its value"),
    ],
    varied: &["value"],
    is_default: false,
    children: Some(ChildLists { key_column: PROPERTY_KEY, ..ChildLists::PLAIN }),
    of_issue: Some(OfIssue {
        path: "/rest/api/2/issue/{id}",
        query: &[("fields", "created"), ("properties", "*all")],
        page: None,
        answer: Answer::Names("properties"),
        only: Only::All,
    }),
    ..TableSpec::PLAIN
};

pub(crate) static TRANSITIONS: TableSpec = TableSpec {
    name: "issue_transitions",
    key: &["issue_id", "transition_id"],
    source: "issues[].transitions[]: what the account that reads may do with the issue",
    columns: &[
        ISSUE_ID,
        int("transition_id", "id"),
        text("name", "name"),
        int("to_status_id", "to.id"),
        text("to_status_name", "to.name"),
        flag("has_screen", "hasScreen"),
        flag("is_available", "isAvailable"),
    ],
    is_default: false,
    expands: Some("transitions"),
    children: Some(ChildLists {
        members: &["transitions"],
        key_column: 1,
        is_distinct: true,
        ..ChildLists::PLAIN
    }),
    ..TableSpec::PLAIN
};
