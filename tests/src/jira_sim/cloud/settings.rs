//! What only a Cloud site has to be told.

/// Form of `created` in the answers of `changelog/bulkfetch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CreatedUnit {
    /// Milliseconds since 1970.
    #[default]
    Milliseconds,
    /// Seconds since 1970. The history of such a site has whole seconds everywhere, so that it is the same from
    /// every resource.
    Seconds,
    /// Text as in the history of one issue, which Atlassian's schema says but its example does not.
    Text,
}

/// The switches of a Cloud site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudConfig {
    /// The id that `/_edge/tenant_info` tells and `/ex/jira/{cloudId}` wants.
    pub cloud_id: String,
    /// Form of the times of `changelog/bulkfetch`.
    pub bulk_created: CreatedUnit,
    /// Most issues on a page of `search/jql` that asks for more than ids and keys.
    pub detailed_page: usize,
    /// Most history entries inside an issue of a search, the newest ones.
    pub embedded_histories: usize,
    /// Most history entries inside a single issue.
    pub issue_histories: usize,
    /// Most comments inside an issue; the total is always said.
    pub embedded_comments: usize,
    /// Most history entries on a page of `changelog/bulkfetch`, whatever is asked for.
    pub bulk_histories: usize,
    /// Leaves pages of a search up to three issues shorter than they might be.
    pub ragged_pages: bool,
    /// Says `isLast: false` on the last page too; only the missing token ends the walk.
    pub is_last_never: bool,
    /// Walks never end by themselves: after the last issue come empty pages, each with the token that led to it.
    pub endless_tokens: bool,
    /// Searches do not know what was created or edited within so many milliseconds; 0 for none. Ids in
    /// `reconcileIssues` are known all the same.
    pub index_lag_ms: i64,
    /// Added to every count that is above 100, since counts are estimates.
    pub count_error: i64,
}

impl Default for CloudConfig {
    fn default() -> Self {
        Self {
            cloud_id: "11223344-a1b2-4c3d-9e4f-5566778899aa".to_owned(),
            bulk_created: CreatedUnit::Milliseconds,
            detailed_page: 100,
            embedded_histories: 40,
            issue_histories: 100,
            embedded_comments: 100,
            bulk_histories: 10_000,
            ragged_pages: false,
            is_last_never: false,
            endless_tokens: false,
            index_lag_ms: 0,
            count_error: 0,
        }
    }
}
