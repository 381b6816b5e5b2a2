//! The closed list of what may be asked of Jira.
//!
//! [`Read`] is the only thing the client can send: a variant for each read, each with typed arguments. There is no way to express a
//! write, another path, or a POST other than the searches and bulk reads that have no form as GET. [`permits`] states the same list for auditors, as method, path and query.

pub(crate) mod cloud;
pub(crate) mod of_issue;

use crate::jql::Jql;
use crate::tables::Table;
use crate::tables::origin::{Origin, PROJECT_ROLES, Paging};
use cloud::CloudRead;
use of_issue::OfIssueAsk;
use serde::Serialize;
use std::sync::Arc;

/// Comments asked for in one page; Jira answers fewer and says so.
const COMMENTS_PER_PAGE: u64 = 1000;

/// One read of Jira.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Read {
    /// Version, kind and clock; needs no login.
    ServerInfo,
    /// Who is logged in.
    Myself,
    /// All fields.
    Field,
    /// All visible projects.
    Project,
    /// A page of a table of the site's metadata.
    List(ListAsk),
    /// The roles of a project.
    ProjectRoles {
        /// The project.
        id: i64,
    },
    /// A page of issues.
    Search(SearchAsk),
    /// A page of an issue's comments.
    IssueComments {
        /// The issue.
        id: i64,
        /// Comments before it.
        start_at: u64,
    },
    /// All worklogs of an issue.
    IssueWorklogs {
        /// The issue.
        id: i64,
    },
    /// What a table keeps with one issue.
    OfIssue(OfIssueAsk),
    /// A page of the work logs that changed or were deleted after a time, with or without their issue.
    WorklogFeed {
        /// Epoch milliseconds.
        since_ms: i64,
        /// Deleted ones.
        deleted: bool,
    },
    /// Work logs by id.
    WorklogList {
        /// At most a thousand.
        ids: Vec<i64>,
    },
    /// What is asked of Jira Cloud alone.
    Cloud(CloudRead),
}

/// What a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// The site.
    Site,
    /// The project, board or the like with this id.
    Id(i64),
    /// Two ids, one below the other.
    Pair(i64, i64),
    /// The group of this name or id. It is only ever a parameter, never part of a path.
    Name(Arc<str>),
}

/// A page of a table of the site's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListAsk {
    pub(crate) table: Table,
    /// What it is asked for.
    pub(crate) of: Of,
    /// Rows before it.
    pub(crate) start_at: u64,
    /// Pages before it.
    pub(crate) pages: u64,
    /// Whether Jira Cloud is asked.
    pub(crate) is_cloud: bool,
}

impl ListAsk {
    /// The first page.
    pub(crate) fn first(table: Table, of: Of, is_cloud: bool) -> Self {
        Self { table, of, start_at: 0, pages: 0, is_cloud }
    }

    fn origin(&self) -> &'static Origin {
        Origin::of(self.table, self.is_cloud).unwrap_or(&Origin::LIST)
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        let origin = self.origin();
        let mut query: Vec<_> =
            origin.query.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        match (origin.each.parameter(), &self.of) {
            (Some(parameter), Of::Id(id)) => query.push((parameter, id.to_string())),
            (Some(parameter), Of::Name(name)) => query.push((parameter, name.to_string())),
            (_, Of::Site | Of::Pair(..)) | (None, Of::Id(_) | Of::Name(_)) => {}
        }
        if let Some(page) = origin.page {
            let [where_name, size_name] = origin.paging.names();
            let place = match origin.paging {
                Paging::StartAt | Paging::Start | Paging::Offset => self.start_at,
                Paging::Numbered => self.pages + 1,
            };
            query.extend([(where_name, place.to_string()), (size_name, page.to_string())]);
        }
        query
    }

    fn path(&self) -> String {
        let template = self.origin().path;
        match &self.of {
            Of::Site | Of::Name(_) => template.to_owned(),
            Of::Id(id) => template.replace("{id}", &id.to_string()),
            Of::Pair(first, second) => {
                template.replace("{id}", &first.to_string()).replace("{second}", &second.to_string())
            }
        }
    }

    fn what(&self) -> String {
        let Self { table, start_at, .. } = self;
        match &self.of {
            Of::Site => format!("the {table} from {start_at}"),
            Of::Id(id) => format!("the {table} of {id} from {start_at}"),
            Of::Pair(first, second) => format!("the {table} of {second} of {first} from {start_at}"),
            Of::Name(_) => format!("the {table} of a group from {start_at}"),
        }
    }
}

/// A page of a search.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SearchAsk {
    pub(crate) jql: Jql,
    pub(crate) fields: Vec<String>,
    /// What is shown besides the fields.
    pub(crate) expand: Vec<&'static str>,
    pub(crate) max_results: u64,
    pub(crate) start_at: u64,
}

/// The body of a search, in Jira's words.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SearchBody<'a> {
    jql: String,
    start_at: u64,
    max_results: u64,
    fields: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    expand: &'a [&'static str],
    validate_query: bool,
}

/// Paths that are sent with POST: a long condition, or many ids, do not fit in an address.
const SEARCH_PATH: &str = "/rest/api/2/search";
const WORKLOG_LIST_PATH: &str = "/rest/api/2/worklog/list";
const WORKLOG_UPDATED_PATH: &str = "/rest/api/2/worklog/updated";
const WORKLOG_DELETED_PATH: &str = "/rest/api/2/worklog/deleted";

/// Paths without arguments, each with the parameters it may carry.
const FIXED: [(&str, &[&str]); 6] = [
    ("/rest/api/2/serverInfo", &[]),
    ("/rest/api/2/myself", &[]),
    ("/rest/api/2/field", &[]),
    (WORKLOG_UPDATED_PATH, &["since"]),
    (WORKLOG_DELETED_PATH, &["since"]),
    ("/rest/api/2/project", &["expand", "includeArchived"]),
];

/// Sub-resources of an issue, each with the parameters it may carry.
const OF_ISSUE: [(&str, &[&str]); 2] = [("comment", &["startAt", "maxResults"]), ("worklog", &[])];

/// Whether a request is on the closed list: `method` as sent, `path` relative to the site's base address, `query` without `?`.
///
/// The client cannot send anything else; this is for whoever wants to check what was sent.
pub fn permits(method: &str, path: &str, query: Option<&str>) -> bool {
    if method == "POST" {
        let is_read = [SEARCH_PATH, WORKLOG_LIST_PATH].contains(&path) || cloud::POSTED.contains(&path);
        return is_read && query.unwrap_or_default().is_empty();
    }
    method == "GET"
        && (parameters_of(path).is_some_and(|allowed| names(query).all(|name| allowed.contains(&name)))
            || is_list(path, query)
            || of_issue::permits(path, query))
}

/// Whether it is asked for a table of the site's metadata.
fn is_list(path: &str, query: Option<&str>) -> bool {
    let origins =
        Table::all().iter().flat_map(|table| [false, true].map(|is_cloud| Origin::of(*table, is_cloud)));
    let origins = origins.flatten().chain([&PROJECT_ROLES]);
    origins.filter(|origin| origin.has_path(path)).any(|origin| {
        let mut sent = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        sent.all(|(name, value)| origin.permits(&name, &value))
    })
}

fn parameters_of(path: &str) -> Option<&'static [&'static str]> {
    if let Some((_, allowed)) = FIXED.iter().find(|(fixed, _)| *fixed == path) {
        return Some(allowed);
    }
    let (resources, below) = match path.strip_prefix(cloud::ISSUE_PREFIX) {
        Some(below) => (cloud::OF_ISSUE, below),
        None => (OF_ISSUE, path.strip_prefix("/rest/api/2/issue/")?),
    };
    let (id, resource) = below.split_once('/')?;
    let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    resources.iter().find(|(name, _)| is_id && *name == resource).map(|(_, allowed)| *allowed)
}

fn names(query: Option<&str>) -> impl Iterator<Item = &str> {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
}

impl Read {
    /// Path below the site's base address.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::IssueComments { id, .. } => format!("/rest/api/2/issue/{id}/comment"),
            Self::IssueWorklogs { id } => format!("/rest/api/2/issue/{id}/worklog"),
            Self::OfIssue(ask) => ask.path(),
            Self::Cloud(read) => read.path(),
            Self::List(ask) => ask.path(),
            Self::ProjectRoles { id } => PROJECT_ROLES.path.replace("{id}", &id.to_string()),
            fixed => fixed.template().to_owned(),
        }
    }

    /// The path with the ids left out, for logs and records.
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::ServerInfo => "/rest/api/2/serverInfo",
            Self::Myself => "/rest/api/2/myself",
            Self::Field => "/rest/api/2/field",
            Self::Project => "/rest/api/2/project",
            Self::List(ask) => ask.origin().path,
            Self::ProjectRoles { .. } => PROJECT_ROLES.path,
            Self::Search(_) => SEARCH_PATH,
            Self::WorklogFeed { deleted: false, .. } => WORKLOG_UPDATED_PATH,
            Self::WorklogFeed { deleted: true, .. } => WORKLOG_DELETED_PATH,
            Self::WorklogList { .. } => WORKLOG_LIST_PATH,
            Self::IssueComments { .. } => "/rest/api/2/issue/{id}/comment",
            Self::IssueWorklogs { .. } => "/rest/api/2/issue/{id}/worklog",
            Self::OfIssue(ask) => ask.template(),
            Self::Cloud(read) => read.template(),
        }
    }

    /// `POST` for a search, whose condition can be longer than an address; `GET` for everything else.
    pub(crate) fn method(&self) -> &'static str {
        let is_posted = match self {
            Self::Search(_) | Self::WorklogList { .. } => true,
            Self::Cloud(read) => read.is_posted(),
            _ => false,
        };
        if is_posted { "POST" } else { "GET" }
    }

    /// Parameters of the address.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::OfIssue(ask) => ask.query(),
            Self::Cloud(read) => read.query(),
            Self::Project => {
                vec![("expand", "description,lead".to_owned()), ("includeArchived", "true".to_owned())]
            }
            Self::List(ask) => ask.query(),
            Self::IssueComments { start_at, .. } => {
                vec![("startAt", start_at.to_string()), ("maxResults", COMMENTS_PER_PAGE.to_string())]
            }
            Self::WorklogFeed { since_ms, .. } => vec![("since", since_ms.to_string())],
            Self::ServerInfo
            | Self::Myself
            | Self::Field
            | Self::ProjectRoles { .. }
            | Self::Search(_)
            | Self::WorklogList { .. }
            | Self::IssueWorklogs { .. } => Vec::new(),
        }
    }

    /// The body, which only the search has; its presence makes the request a POST.
    pub(crate) fn body(&self) -> Option<String> {
        let ask = match self {
            Self::Search(ask) => ask,
            Self::Cloud(read) => return read.body(),
            Self::WorklogList { ids } => return Some(serde_json::json!({ "ids": ids }).to_string()),
            _ => return None,
        };
        let body = SearchBody {
            jql: ask.jql.to_string(),
            start_at: ask.start_at,
            max_results: ask.max_results,
            fields: &ask.fields,
            expand: &ask.expand,
            validate_query: !ask.jql.names_issues(),
        };
        serde_json::to_string(&body).ok()
    }

    /// Whether the credential is sent with it.
    pub(crate) fn is_authenticated(&self) -> bool {
        !matches!(self, Self::ServerInfo)
    }

    /// Whether Jira Service Management answers only who opts in: it calls some of its lists experimental.
    pub(crate) fn is_experimental(&self) -> bool {
        self.template().starts_with("/rest/servicedeskapi/")
    }

    /// What it asks for, for errors and logs.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::OfIssue(ask) => ask.what(),
            Self::Cloud(read) => read.what(),
            Self::Search(ask) => format!("the search `{}` from {}", ask.jql, ask.start_at),
            Self::List(ask) => ask.what(),
            Self::ProjectRoles { id } => format!("the roles of project {id}"),
            Self::IssueComments { id, .. } => format!("the comments of issue {id}"),
            Self::IssueWorklogs { id } => format!("the worklogs of issue {id}"),
            Self::WorklogFeed { since_ms, deleted: false } => {
                format!("the work logs changed since {since_ms}")
            }
            Self::WorklogFeed { since_ms, deleted: true } => {
                format!("the work logs deleted since {since_ms}")
            }
            Self::WorklogList { ids } => format!("{} work logs by id", ids.len()),
            Self::ServerInfo => "the server information".to_owned(),
            Self::Myself => "the account that is logged in".to_owned(),
            Self::Field => "the fields".to_owned(),
            Self::Project => "the projects".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::origin::Each;

    fn every_read() -> Vec<Read> {
        let search = SearchAsk {
            jql: Jql::all(),
            fields: vec!["created".to_owned()],
            expand: vec!["changelog"],
            max_results: 100,
            start_at: 0,
        };
        let sites = Table::all().iter().flat_map(|&table| [false, true].map(|is_cloud| (table, is_cloud)));
        let lists = sites.flat_map(|(table, is_cloud)| {
            let of = match Origin::of(table, is_cloud) {
                None => Vec::new(),
                Some(origin) if origin.path.contains("{second}") => vec![Of::Pair(7, 8)],
                Some(origin) if origin.path.contains("{id}") => vec![Of::Id(7)],
                Some(origin) if matches!(origin.each, Each::GroupIn(_)) => vec![Of::Name("a group".into())],
                Some(_) => vec![Of::Site, Of::Id(7)],
            };
            of.into_iter().map(move |of| {
                Read::List(ListAsk { start_at: 50, pages: 1, ..ListAsk::first(table, of, is_cloud) })
            })
        });
        let others = vec![
            Read::ServerInfo,
            Read::Myself,
            Read::Field,
            Read::Project,
            Read::ProjectRoles { id: 10000 },
            Read::Search(search),
            Read::IssueComments { id: 10001, start_at: 50 },
            Read::IssueWorklogs { id: 10001 },
            Read::WorklogFeed { since_ms: 5, deleted: false },
            Read::WorklogFeed { since_ms: 5, deleted: true },
            Read::WorklogList { ids: vec![1, 2] },
        ];
        let of_issues = Table::of_each_issue()
            .map(|(table, _)| Read::OfIssue(OfIssueAsk { table, id: 10001, start: 50 }));
        lists.chain(of_issues).chain(others).chain(cloud::tests::every_read()).collect()
    }

    #[test]
    fn every_read_is_on_the_list() {
        for read in every_read() {
            assert_eq!(read.body().is_some(), read.method() == "POST", "{read:?}");
            let method = read.method();
            let query = read
                .query()
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join("&");
            assert!(permits(method, &read.path(), Some(&query)), "{read:?}");
        }
    }

    #[test]
    fn writes_and_other_paths_are_not_on_the_list() {
        for (method, path, query) in [
            ("POST", "/rest/api/2/issue", None),
            ("PUT", "/rest/api/2/issue/1", None),
            ("DELETE", "/rest/api/2/issue/1/comment", None),
            ("POST", "/rest/api/2/issue/1/comment", None),
            ("POST", "/rest/api/2/search", Some("jql=x")),
            ("GET", "/rest/api/2/search", None),
            ("GET", "/rest/api/2/worklog/list", None),
            ("POST", "/rest/api/2/worklog/updated", None),
            ("GET", "/rest/api/2/worklog/updated", Some("expand=properties")),
            ("GET", "/rest/api/2/issue/1/../../user", None),
            ("GET", "/rest/api/2/issue/X-1/comment", None),
            ("GET", "/rest/api/2/issue//comment", None),
            ("GET", "/rest/api/2/myself", Some("expand=groups")),
            ("GET", "/rest/api/2/field/", None),
            ("get", "/rest/api/2/field", None),
            ("GET", "/rest/auth/1/session", None),
            ("GET", "/rest/api/2/project/WEB/components", None),
            ("GET", "/rest/api/2/project//components", None),
            ("GET", "/rest/api/2/project/1/../components", None),
            ("GET", "/rest/api/2/project/1/components", Some("startAt=0")),
            ("GET", "/rest/agile/1.0/board/1/properties", None),
            ("GET", "/rest/agile/1.0/board/1/issue", Some("fields=*all")),
            ("GET", "/rest/agile/1.0/board/1/issue", Some("startAt=x")),
            ("GET", "/rest/agile/1.0/sprint/x/issue", None),
            ("GET", "/rest/api/2/project/WEB/role", None),
            ("GET", "/rest/api/2/project/1/role/2/actors", None),
            ("POST", "/rest/api/2/project/1/role/2", None),
            ("GET", "/rest/api/2/permissionscheme/1/permission/2", None),
            ("GET", "/rest/api/2/group/member", Some("username=x")),
            ("GET", "/rest/api/3/field/summary/context", None),
            ("GET", "/rest/api/3/field/customfield_1/context/defaultValue", None),
            ("GET", "/rest/api/2/filter/1/columns", None),
            ("PUT", "/rest/auditing/1.0/events", None),
            ("POST", "/rest/agile/1.0/board", None),
            ("POST", "/rest/api/3/issue", None),
            ("POST", "/rest/api/3/issue/bulk", None),
            ("PUT", "/rest/api/3/issue/bulkfetch", None),
            ("POST", "/rest/api/3/issue/1/comment", None),
            ("POST", "/rest/api/3/search/jql", Some("jql=x")),
            ("GET", "/rest/api/3/issue/X-1/worklog", None),
        ] {
            assert!(!permits(method, path, query), "{method} {path} was permitted");
        }
    }

    #[test]
    fn a_search_asks_with_a_boolean_validate_query() {
        let Some(Read::Search(ask)) = every_read().into_iter().find(|read| matches!(read, Read::Search(_)))
        else {
            panic!("no search")
        };
        let body = Read::Search(ask).body().unwrap();
        assert_eq!(
            body,
            r#"{"jql":"","startAt":0,"maxResults":100,"fields":["created"],"expand":["changelog"],"validateQuery":true}"#
        );
    }
}
