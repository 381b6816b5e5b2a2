//! The closed list of what may be asked of Jira.
//!
//! [`Read`] is the only thing the client can send: a variant for each read, each with typed arguments. There is no way to express a
//! write, another path, or a POST other than the search. [`permits`] states the same list for auditors, as method, path and query.

pub(crate) mod cloud;

use crate::jql::Jql;
use cloud::CloudRead;
use serde::Serialize;

/// Users asked for in one page: Jira's own cap.
pub(crate) const USERS_PER_PAGE: u64 = 1000;
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
    /// All statuses.
    Status,
    /// All priorities.
    Priority,
    /// All resolutions.
    Resolution,
    /// All issue types.
    IssueType,
    /// A page of users.
    UserSearch {
        /// Users before it.
        start_at: u64,
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
    /// What is asked of Jira Cloud alone.
    Cloud(CloudRead),
}

/// A page of a search.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SearchAsk {
    pub(crate) jql: Jql,
    pub(crate) fields: Vec<String>,
    pub(crate) expand_changelog: bool,
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expand: Vec<&'static str>,
    validate_query: bool,
}

/// The one path that is sent with POST: a long condition does not fit in an address.
const SEARCH_PATH: &str = "/rest/api/2/search";

/// Paths without arguments, each with the parameters it may carry.
const FIXED: [(&str, &[&str]); 9] = [
    ("/rest/api/2/serverInfo", &[]),
    ("/rest/api/2/myself", &[]),
    ("/rest/api/2/field", &[]),
    ("/rest/api/2/project", &["expand", "includeArchived"]),
    ("/rest/api/2/status", &[]),
    ("/rest/api/2/priority", &[]),
    ("/rest/api/2/resolution", &[]),
    ("/rest/api/2/issuetype", &[]),
    ("/rest/api/2/user/search", &["username", "startAt", "maxResults", "includeInactive"]),
];

/// Sub-resources of an issue, each with the parameters it may carry.
const OF_ISSUE: [(&str, &[&str]); 2] = [("comment", &["startAt", "maxResults"]), ("worklog", &[])];

/// Whether a request is on the closed list: `method` as sent, `path` relative to the site's base address, `query` without `?`.
///
/// The client cannot send anything else; this is for whoever wants to check what was sent.
pub fn permits(method: &str, path: &str, query: Option<&str>) -> bool {
    if method == "POST" {
        let is_read = path == SEARCH_PATH || cloud::POSTED.contains(&path);
        return is_read && query.unwrap_or_default().is_empty();
    }
    method == "GET"
        && parameters_of(path).is_some_and(|allowed| names(query).all(|name| allowed.contains(&name)))
}

fn parameters_of(path: &str) -> Option<&'static [&'static str]> {
    if let Some((_, allowed)) = FIXED.iter().chain(&cloud::FIXED).find(|(fixed, _)| *fixed == path) {
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
            Self::Cloud(read) => read.path(),
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
            Self::Status => "/rest/api/2/status",
            Self::Priority => "/rest/api/2/priority",
            Self::Resolution => "/rest/api/2/resolution",
            Self::IssueType => "/rest/api/2/issuetype",
            Self::UserSearch { .. } => "/rest/api/2/user/search",
            Self::Search(_) => SEARCH_PATH,
            Self::IssueComments { .. } => "/rest/api/2/issue/{id}/comment",
            Self::IssueWorklogs { .. } => "/rest/api/2/issue/{id}/worklog",
            Self::Cloud(read) => read.template(),
        }
    }

    /// `POST` for a search, whose condition can be longer than an address; `GET` for everything else.
    pub(crate) fn method(&self) -> &'static str {
        let is_posted = match self {
            Self::Search(_) => true,
            Self::Cloud(read) => read.is_posted(),
            _ => false,
        };
        if is_posted { "POST" } else { "GET" }
    }

    /// Parameters of the address.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Cloud(read) => read.query(),
            Self::Project => {
                vec![("expand", "description,lead".to_owned()), ("includeArchived", "true".to_owned())]
            }
            Self::UserSearch { start_at } => vec![
                ("username", ".".to_owned()),
                ("startAt", start_at.to_string()),
                ("maxResults", USERS_PER_PAGE.to_string()),
                ("includeInactive", "true".to_owned()),
            ],
            Self::IssueComments { start_at, .. } => {
                vec![("startAt", start_at.to_string()), ("maxResults", COMMENTS_PER_PAGE.to_string())]
            }
            Self::ServerInfo
            | Self::Myself
            | Self::Field
            | Self::Status
            | Self::Priority
            | Self::Resolution
            | Self::IssueType
            | Self::Search(_)
            | Self::IssueWorklogs { .. } => Vec::new(),
        }
    }

    /// The body, which only the search has; its presence makes the request a POST.
    pub(crate) fn body(&self) -> Option<String> {
        let ask = match self {
            Self::Search(ask) => ask,
            Self::Cloud(read) => return read.body(),
            _ => return None,
        };
        let body = SearchBody {
            jql: ask.jql.to_string(),
            start_at: ask.start_at,
            max_results: ask.max_results,
            fields: &ask.fields,
            expand: if ask.expand_changelog { vec!["changelog"] } else { Vec::new() },
            validate_query: !ask.jql.names_issues(),
        };
        serde_json::to_string(&body).ok()
    }

    /// Whether the credential is sent with it.
    pub(crate) fn is_authenticated(&self) -> bool {
        !matches!(self, Self::ServerInfo)
    }

    /// What it asks for, for errors and logs.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::Cloud(read) => read.what(),
            Self::Search(ask) => format!("the search `{}` from {}", ask.jql, ask.start_at),
            Self::UserSearch { start_at } => format!("the users from {start_at}"),
            Self::IssueComments { id, .. } => format!("the comments of issue {id}"),
            Self::IssueWorklogs { id } => format!("the worklogs of issue {id}"),
            Self::ServerInfo => "the server information".to_owned(),
            Self::Myself => "the account that is logged in".to_owned(),
            Self::Field => "the fields".to_owned(),
            Self::Project => "the projects".to_owned(),
            Self::Status => "the statuses".to_owned(),
            Self::Priority => "the priorities".to_owned(),
            Self::Resolution => "the resolutions".to_owned(),
            Self::IssueType => "the issue types".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_read() -> Vec<Read> {
        let search = SearchAsk {
            jql: Jql::all(),
            fields: vec!["created".to_owned()],
            expand_changelog: true,
            max_results: 100,
            start_at: 0,
        };
        vec![
            Read::ServerInfo,
            Read::Myself,
            Read::Field,
            Read::Project,
            Read::Status,
            Read::Priority,
            Read::Resolution,
            Read::IssueType,
            Read::UserSearch { start_at: 1000 },
            Read::Search(search),
            Read::IssueComments { id: 10001, start_at: 50 },
            Read::IssueWorklogs { id: 10001 },
        ]
    }

    #[test]
    fn every_read_is_on_the_list() {
        for read in every_read() {
            let method = if read.body().is_some() { "POST" } else { "GET" };
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
            ("GET", "/rest/api/2/issue/1/../../user", None),
            ("GET", "/rest/api/2/issue/X-1/comment", None),
            ("GET", "/rest/api/2/issue//comment", None),
            ("GET", "/rest/api/2/myself", Some("expand=groups")),
            ("GET", "/rest/api/2/field/", None),
            ("get", "/rest/api/2/field", None),
            ("GET", "/rest/auth/1/session", None),
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
