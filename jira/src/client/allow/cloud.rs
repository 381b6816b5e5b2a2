//! What is asked of Jira Cloud alone: issues and their children, which version 3 of its REST API sends with documents. Everything else is
//! asked of version 2, which answers as Server does.

use crate::jql::Jql;
use serde::Serialize;

/// Comments in one page: Jira's own cap.
const COMMENTS_PER_PAGE: u64 = 100;
/// Work log entries in one page: Jira's own cap.
const WORKLOGS_PER_PAGE: u64 = 5000;
/// Histories asked for in one page, a fifth of Jira's own cap: some megabytes.
pub(crate) const HISTORIES_PER_PAGE: u64 = 2000;
/// Issues that one request may ask for by id: Jira's own cap.
pub(crate) const ISSUES_BY_ID_MAX: usize = 100;
/// Issues whose histories one request may ask for: Jira's own cap.
pub(crate) const CHANGELOG_ISSUES_MAX: usize = 1000;

/// One read of Jira Cloud.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CloudRead {
    /// A page of issues.
    Search(CloudSearch),
    /// Issues by id.
    Issues {
        /// At most [`ISSUES_BY_ID_MAX`].
        issues: Vec<i64>,
        /// What of them.
        fields: Vec<String>,
        /// What is shown besides the fields.
        expand: Vec<&'static str>,
    },
    /// About how many issues a condition has.
    Count {
        /// The condition.
        jql: Jql,
    },
    /// A page of the histories of some issues.
    Changelogs {
        /// At most [`CHANGELOG_ISSUES_MAX`].
        issues: Vec<i64>,
        /// Histories in the page.
        most: u64,
        /// Where the page before ended.
        token: Option<String>,
    },
    /// A page of an issue's comments.
    Comments {
        /// The issue.
        id: i64,
        /// Comments before it.
        start_at: u64,
    },
    /// A page of an issue's work log entries.
    Worklogs {
        /// The issue.
        id: i64,
        /// Entries before it.
        start_at: u64,
    },
}

/// A page of a search.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CloudSearch {
    pub(crate) jql: Jql,
    pub(crate) fields: Vec<String>,
    /// What is shown besides the fields.
    pub(crate) expand: Vec<&'static str>,
    pub(crate) max_results: u64,
    /// Where the page before ended.
    pub(crate) token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SearchBody<'a> {
    jql: String,
    max_results: u64,
    fields: &'a [String],
    /// Joined by commas.
    #[serde(skip_serializing_if = "String::is_empty")]
    expand: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IssuesBody<'a> {
    issue_ids_or_keys: Vec<String>,
    fields: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    expand: &'a [&'static str],
}

#[derive(Serialize)]
struct CountBody {
    jql: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangelogBody<'a> {
    issue_ids_or_keys: Vec<String>,
    max_results: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<&'a str>,
}

/// Paths that are sent with POST and change nothing: their conditions and lists do not fit in an address.
pub(super) const POSTED: [&str; 4] = [
    "/rest/api/3/search/jql",
    "/rest/api/3/issue/bulkfetch",
    "/rest/api/3/search/approximate-count",
    "/rest/api/3/changelog/bulkfetch",
];

/// Below an issue.
pub(super) const ISSUE_PREFIX: &str = "/rest/api/3/issue/";
/// Sub-resources of an issue, each with the parameters it may carry.
pub(super) const OF_ISSUE: [(&str, &[&str]); 2] =
    [("comment", &["startAt", "maxResults"]), ("worklog", &["startAt", "maxResults"])];

impl CloudRead {
    /// Path below the site's base address.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Comments { id, .. } => format!("{ISSUE_PREFIX}{id}/comment"),
            Self::Worklogs { id, .. } => format!("{ISSUE_PREFIX}{id}/worklog"),
            fixed => fixed.template().to_owned(),
        }
    }

    /// The path with the ids left out.
    pub(super) fn template(&self) -> &'static str {
        match self {
            Self::Search(_) => "/rest/api/3/search/jql",
            Self::Issues { .. } => "/rest/api/3/issue/bulkfetch",
            Self::Count { .. } => "/rest/api/3/search/approximate-count",
            Self::Changelogs { .. } => "/rest/api/3/changelog/bulkfetch",
            Self::Comments { .. } => "/rest/api/3/issue/{id}/comment",
            Self::Worklogs { .. } => "/rest/api/3/issue/{id}/worklog",
        }
    }

    /// Parameters of the address.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let page = |start_at: u64, most: u64| {
            vec![("startAt", start_at.to_string()), ("maxResults", most.to_string())]
        };
        match self {
            Self::Comments { start_at, .. } => page(*start_at, COMMENTS_PER_PAGE),
            Self::Worklogs { start_at, .. } => page(*start_at, WORKLOGS_PER_PAGE),
            Self::Search(_) | Self::Issues { .. } | Self::Count { .. } | Self::Changelogs { .. } => {
                Vec::new()
            }
        }
    }

    /// The body of what is sent with POST.
    pub(super) fn body(&self) -> Option<String> {
        match self {
            Self::Search(ask) => serde_json::to_string(&SearchBody {
                jql: ask.jql.to_string(),
                max_results: ask.max_results,
                fields: &ask.fields,
                expand: ask.expand.join(","),
                next_page_token: ask.token.as_deref(),
            })
            .ok(),
            Self::Issues { issues, fields, expand } => serde_json::to_string(&IssuesBody {
                issue_ids_or_keys: issues.iter().map(i64::to_string).collect(),
                fields,
                expand,
            })
            .ok(),
            Self::Count { jql } => serde_json::to_string(&CountBody { jql: jql.to_string() }).ok(),
            Self::Changelogs { issues, most, token } => serde_json::to_string(&ChangelogBody {
                issue_ids_or_keys: issues.iter().map(i64::to_string).collect(),
                max_results: *most,
                next_page_token: token.as_deref(),
            })
            .ok(),
            _ => None,
        }
    }

    /// Whether it is sent with POST.
    pub(super) fn is_posted(&self) -> bool {
        POSTED.contains(&self.template())
    }

    /// What it asks for, for errors and logs.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Search(ask) => format!("the search `{}`", ask.jql),
            Self::Issues { issues, .. } => format!("{} issues by id", issues.len()),
            Self::Count { jql } => format!("the number of issues of `{jql}`"),
            Self::Changelogs { issues, .. } => format!("the histories of {} issues", issues.len()),
            Self::Comments { id, .. } => format!("the comments of issue {id}"),
            Self::Worklogs { id, .. } => format!("the worklogs of issue {id}"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Read;
    use super::*;

    /// One of each.
    pub(crate) fn every_read() -> Vec<Read> {
        let (jql, fields, token) = (Jql::all().bounded(), vec!["created".to_owned()], Some("t=".to_owned()));
        let search = CloudSearch {
            jql: jql.clone(),
            fields: fields.clone(),
            expand: Vec::new(),
            max_results: 100,
            token: token.clone(),
        };
        let reads = [
            CloudRead::Search(search),
            CloudRead::Issues { issues: vec![7], fields, expand: vec!["transitions"] },
            CloudRead::Count { jql },
            CloudRead::Changelogs { issues: vec![7], most: HISTORIES_PER_PAGE, token },
            CloudRead::Comments { id: 7, start_at: 100 },
            CloudRead::Worklogs { id: 7, start_at: 5000 },
        ];
        reads.map(Read::Cloud).into()
    }

    #[test]
    fn a_search_of_everything_is_bounded_and_carries_its_token_in_the_body() {
        let body = every_read()[0].body().unwrap();
        let sent = r#"{"jql":"created >= 0","maxResults":100,"fields":["created"],"nextPageToken":"t="}"#;
        assert_eq!(body, sent);
    }
}
