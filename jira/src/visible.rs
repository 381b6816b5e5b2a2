//! What an account sees of a site: the figures of a connection test.

use crate::client::JiraClient;
use crate::client::allow::{Read, SearchAsk};
use crate::decode::decode_heads;
use crate::error::Error;
use crate::jql::Jql;
use serde::de::IgnoredAny;

/// What an account sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visible {
    /// Projects.
    pub projects: u64,
    /// Issues, as Jira counts them.
    pub issues: u64,
}

impl JiraClient {
    /// Counts what the account sees, with two requests. Only after [`JiraClient::login`].
    ///
    /// # Errors
    /// As any read.
    pub async fn visible(&self) -> Result<Visible, Error> {
        let ask = SearchAsk {
            jql: Jql::all(),
            fields: vec!["created".to_owned()],
            expand_changelog: false,
            max_results: 0,
            start_at: 0,
        };
        let (count, list) = (Read::Search(ask), Read::Project);
        let (counted, listed) = tokio::try_join!(self.read(&count), self.read(&list))?;
        let issues = decode_heads(&counted).map_err(|error| Error::undecodable(count.what(), &error))?.total;
        let undecodable =
            |error: serde_json::Error| Error::Undecodable { what: list.what(), detail: error.to_string() };
        let projects: Vec<IgnoredAny> = serde_json::from_str(&listed).map_err(undecodable)?;
        Ok(Visible { projects: u64::try_from(projects.len()).unwrap_or(u64::MAX), issues })
    }
}
