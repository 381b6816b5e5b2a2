//! What an account sees of a site: the figures of a connection test.

use crate::batch::decode_heads;
use crate::client::JiraClient;
use crate::client::allow::cloud::CloudRead;
use crate::client::allow::{ListAsk, Of, Read, SearchAsk};
use crate::error::Error;
use crate::jql::Jql;
use crate::mask::Narrowing;
use crate::project::ProjectKey;
use crate::tables::Table;
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
        let projects = self.projects().await?;
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
        if self.is_cloud() {
            let count = Read::Cloud(CloudRead::Count { jql: jql.bounded() });
            let counted: Counted = parse(&count, &self.read(&count).await?)?;
            return Ok(Visible { projects, issues: counted.count });
        }
        let ask = SearchAsk {
            jql,
            fields: vec!["created".to_owned()],
            expand: Vec::new(),
            max_results: 0,
            start_at: 0,
        };
        let count = Read::Search(ask);
        let counted = self.read(&count).await?;
        let issues =
            decode_heads(&counted, false).map_err(|error| Error::undecodable(count.what(), &error))?.total;
        Ok(Visible { projects, issues })
    }
}

impl JiraClient {
    /// The projects that the account sees, archived ones included.
    ///
    /// # Errors
    /// As any read.
    pub(crate) async fn projects(&self) -> Result<Vec<Project>, Error> {
        if !self.is_cloud() {
            let read = Read::Project;
            return parse(&read, &self.read(&read).await?);
        }
        let mut projects: Vec<Project> = Vec::new();
        loop {
            let start_at = u64::try_from(projects.len()).unwrap_or(u64::MAX);
            let first = ListAsk::first(Table::Projects, Of::Site, true);
            let read = Read::List(ListAsk { start_at, ..first });
            let page: ProjectPage = parse(&read, &self.read(&read).await?)?;
            let is_last = page.is_last || page.values.is_empty();
            projects.extend(page.values);
            if is_last {
                return Ok(projects);
            }
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(read: &Read, json: &str) -> Result<T, Error> {
    serde_json::from_str(json)
        .map_err(|error| Error::Undecodable { what: read.what(), detail: error.to_string() })
}

/// What is counted of a project, or needed to name it in a search.
#[derive(Deserialize)]
pub(crate) struct Project {
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) archived: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectPage {
    values: Vec<Project>,
    #[serde(default)]
    is_last: bool,
}

#[derive(Deserialize)]
struct Counted {
    count: u64,
}
