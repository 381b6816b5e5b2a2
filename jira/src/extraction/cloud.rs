//! What reading Jira Cloud asks differently: pages by token, and estimated counts.

use crate::batch::decode_heads;
use crate::client::allow::Read;
use crate::client::allow::cloud::{CloudRead, CloudSearch};
use crate::decode::PageHead;
use crate::error::Error;
use crate::extraction::run::{Run, head_fields};
use crate::jql::Jql;
use crate::tables::Table;
use serde::Deserialize;

/// Ids and times in one page: Jira's own cap.
pub(crate) const HEADS_PER_PAGE: u64 = 5000;

/// A page of ids.
pub(crate) struct Ids {
    pub(crate) ids: Vec<i64>,
    /// By which the next page is asked for.
    pub(crate) next: Option<String>,
}

impl Run {
    /// About how many issues a condition has.
    pub(crate) async fn estimate(&self, jql: Jql) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Answer {
            count: u64,
        }
        let read = Read::Cloud(CloudRead::Count { jql: jql.bounded() });
        let json = self.client.read(&read).await?;
        let answer: Answer = serde_json::from_str(&json)
            .map_err(|error| Error::Undecodable { what: read.what(), detail: error.to_string() })?;
        Ok(answer.count)
    }

    /// A page of ids and times.
    pub(crate) async fn cloud_heads(
        &self,
        jql: Jql,
        max_results: u64,
        token: Option<String>,
    ) -> Result<PageHead, Error> {
        let max_results = max_results.clamp(1, HEADS_PER_PAGE);
        let ask =
            CloudSearch { jql: jql.bounded(), fields: head_fields(), expand: Vec::new(), max_results, token };
        let read = Read::Cloud(CloudRead::Search(ask));
        let json = self.client.read(&read).await?;
        self.count_bytes(Table::Issues, json.len());
        decode_heads(&json, true).map_err(|error| Error::undecodable(read.what(), &error))
    }

    /// Counts by looking at every id.
    pub(super) async fn count_ids(&self, jql: Jql) -> Result<u64, Error> {
        let (mut count, mut token) = (0, None);
        loop {
            let page = self.cloud_ids(jql.clone(), token.take()).await?;
            count += u64::try_from(page.ids.len()).unwrap_or_default();
            token = page.next;
            if token.is_none() {
                return Ok(count);
            }
        }
    }

    /// A page of nothing but ids, of which Jira Cloud gives many more than of issues with fields.
    pub(crate) async fn cloud_ids(&self, jql: Jql, token: Option<String>) -> Result<Ids, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            issues: Vec<Issue>,
            #[serde(default)]
            next_page_token: Option<String>,
        }
        #[derive(Deserialize)]
        struct Issue {
            id: String,
        }
        let fields = vec!["id".to_owned()];
        let ask = CloudSearch {
            jql: jql.bounded(),
            fields,
            expand: Vec::new(),
            max_results: HEADS_PER_PAGE,
            token: token.clone(),
        };
        let read = Read::Cloud(CloudRead::Search(ask));
        let json = self.client.read(&read).await?;
        self.count_bytes(Table::Issues, json.len());
        let undecodable = |detail| Error::Undecodable { what: read.what(), detail };
        let answer: Answer = serde_json::from_str(&json).map_err(|error| undecodable(error.to_string()))?;
        let id_of = |issue: &Issue| {
            issue.id.parse().map_err(|_| undecodable("an issue's id is no number".to_owned()))
        };
        let ids: Vec<i64> = answer.issues.iter().map(id_of).collect::<Result<_, _>>()?;
        // A token that repeats itself, or of an empty page, leads nowhere.
        let next = answer.next_page_token.filter(|next| token.as_ref() != Some(next) && !ids.is_empty());
        Ok(Ids { ids, next })
    }
}
