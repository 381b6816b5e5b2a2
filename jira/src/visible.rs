//! What an account sees of a site: the figures of a connection test.

use crate::client::JiraClient;
use crate::client::allow::{Read, SearchAsk};
use crate::decode::decode_heads;
use crate::error::Error;
use crate::jql::Jql;
use crate::spec::{Narrowing, ProjectKey};
use serde::Deserialize;

/// What an account sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visible {
    /// Projects.
    pub projects: u64,
    /// Issues, as Jira counts them.
    pub issues: u64,
}

impl JiraClient {
    /// Counts what the account sees of what may be read, with two requests. Only after [`JiraClient::login`].
    ///
    /// # Errors
    /// As any read.
    pub async fn visible(&self, narrowing: &Narrowing) -> Result<Visible, Error> {
        let list = Read::Project;
        let listed = self.read(&list).await?;
        let undecodable =
            |error: serde_json::Error| Error::Undecodable { what: list.what(), detail: error.to_string() };
        let projects: Vec<Project> = serde_json::from_str(&listed).map_err(undecodable)?;
        let permitted = projects.iter().filter(|project| narrowing.permits_project(&project.key));
        let projects = u64::try_from(permitted.clone().count()).unwrap_or(u64::MAX);
        let jql = if narrowing.has_projects() {
            let keys =
                permitted.filter(|project| !project.archived).map(|project| ProjectKey::parse(&project.key));
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            if keys.is_empty() {
                return Ok(Visible { projects, issues: 0 });
            }
            Jql::all().projects(&keys)
        } else {
            Jql::all()
        };
        let ask = SearchAsk {
            jql,
            fields: vec!["created".to_owned()],
            expand_changelog: false,
            max_results: 0,
            start_at: 0,
        };
        let count = Read::Search(ask);
        let counted = self.read(&count).await?;
        let issues = decode_heads(&counted).map_err(|error| Error::undecodable(count.what(), &error))?.total;
        Ok(Visible { projects, issues })
    }
}

#[derive(Deserialize)]
struct Project {
    #[serde(default)]
    key: String,
    #[serde(default)]
    archived: bool,
}
