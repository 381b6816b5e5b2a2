//! What reading Jira Cloud asks differently: pages by token, estimated counts, histories from a resource of their own.

use crate::client::allow::Read;
use crate::client::allow::cloud::{CHANGELOG_ISSUES_MAX, CloudRead, CloudSearch};
use crate::decode::{Histories, PageHead, decode_heads};
use crate::error::Error;
use crate::extraction::run::{Run, head_fields};
use crate::jql::Jql;
use crate::tables::Table;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Ids and times in one page: Jira's own cap.
pub(crate) const HEADS_PER_PAGE: u64 = 5000;

/// Issues without a field.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ids {
    issues: Vec<IgnoredAny>,
    #[serde(default)]
    next_page_token: Option<String>,
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
            let asked: Option<String> = token.take();
            let page = self.cloud_ids(jql.clone(), asked.clone()).await?;
            count += u64::try_from(page.issues.len()).unwrap_or_default();
            // A token that repeats itself, or of an empty page, leads nowhere.
            token =
                page.next_page_token.filter(|next| asked.as_ref() != Some(next) && !page.issues.is_empty());
            if token.is_none() {
                return Ok(count);
            }
        }
    }

    /// A page of nothing but ids, of which Jira Cloud gives many more than of issues with fields.
    async fn cloud_ids(&self, jql: Jql, token: Option<String>) -> Result<Ids, Error> {
        let fields = vec!["id".to_owned()];
        let ask = CloudSearch {
            jql: jql.bounded(),
            fields,
            expand: Vec::new(),
            max_results: HEADS_PER_PAGE,
            token,
        };
        let read = Read::Cloud(CloudRead::Search(ask));
        let json = self.client.read(&read).await?;
        self.count_bytes(Table::Issues, json.len());
        serde_json::from_str(&json)
            .map_err(|error| Error::Undecodable { what: read.what(), detail: error.to_string() })
    }

    /// All histories of these issues.
    pub(crate) async fn histories(&self, issues: &[i64]) -> Result<Histories, Error> {
        let mut histories = Histories::default();
        for issues in issues.chunks(CHANGELOG_ISSUES_MAX) {
            let mut token = None;
            loop {
                let ask = CloudRead::Changelogs { issues: issues.to_vec(), token: token.take() };
                let read = Read::Cloud(ask);
                let json = self.client.read(&read).await?;
                self.count_bytes(Table::IssueChangelog, json.len());
                token = histories.add(&json).map_err(|error| Error::undecodable(read.what(), &error))?;
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(histories)
    }
}
