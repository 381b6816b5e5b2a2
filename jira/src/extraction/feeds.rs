//! Work logs by their feeds: a work log is changed or deleted without its issue's `updated` saying so.
//!
//! Jira tells changed and deleted work logs by id, from a time on, a thousand a page, and nothing that is younger than a minute. Changed ones are
//! looked up for their issues, from as far before the watermark as passes reach back; a full load asks for those since its start. Of deleted
//! ones only the keeper of the tables knows whose they were, and it names only issues that still show one; so that feed is asked from far
//! before the watermark, for those that were deleted while a long full load ran. The feeds are read before the passes: what a pass reads
//! afterwards needs no second reading. After passes of more than four minutes the changed ones are asked for again.

use crate::client::allow::Read;
use crate::error::Error;
use crate::extraction::passes::OVERLAP_MS;
use crate::extraction::run::Run;
use crate::landed::LandedQuestion;
use crate::tables::{Table, read_for};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Work logs in one look-up, and in one question about deleted ones: Jira's own cap for the former.
const WORKLOGS_PER_ASK: usize = 1_000;
/// No full load takes longer than a week.
const LOAD_AT_MOST_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Jira tells of nothing that is younger.
const BLIND_MS: i64 = 60 * 1000;
/// Pages of one feed. A billion changes are more than a delta load is for; a feed that does not end is a fault.
const PAGES_MAX: u32 = 1_000_000;

/// A page of a feed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    values: Vec<Change>,
    #[serde(default)]
    until: Option<i64>,
    /// Some versions say the one, some the other.
    #[serde(default, alias = "isLastPage")]
    last_page: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    worklog_id: i64,
}

/// A work log, as far as it is needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Worklog {
    issue_id: String,
}

/// Whether changes that a feed asked at `asked_ms` has not told yet are older than what a load asks that starts at the watermark.
pub(crate) fn is_out_of_sight(asked_ms: i64, watermark_ms: i64) -> bool {
    asked_ms.saturating_sub(BLIND_MS) < watermark_ms.saturating_sub(OVERLAP_MS)
}

/// The issues whose work logs were changed since a time.
pub(crate) async fn changed(run: &Run, since_ms: i64) -> Result<BTreeSet<i64>, Error> {
    let read = read_for(&run.spec.tables);
    let mut issues = BTreeSet::new();
    if read.contains(&Table::IssueWorklogs) || read.contains(&Table::Issues) {
        for worklogs in feed(run, since_ms.saturating_sub(OVERLAP_MS), false).await?.chunks(WORKLOGS_PER_ASK)
        {
            issues.extend(issues_of(run, worklogs).await?);
        }
    }
    Ok(issues)
}

/// The issues that show work logs which were deleted. Where their table did not land, nothing of a deleted one is kept.
pub(crate) async fn deleted(run: &Run, since_ms: i64) -> Result<BTreeSet<i64>, Error> {
    let mut issues = BTreeSet::new();
    if run.spec.tables.contains(&Table::IssueWorklogs) {
        for worklogs in
            feed(run, since_ms.saturating_sub(LOAD_AT_MOST_MS), true).await?.chunks(WORKLOGS_PER_ASK)
        {
            let question = LandedQuestion::OwnersOfWorklogs { worklogs: worklogs.to_vec() };
            issues.extend(run.ask(question).await?.ids()?);
        }
    }
    Ok(issues)
}

/// Ids of work logs that changed, or were deleted, from a time on.
async fn feed(run: &Run, since_ms: i64, deleted: bool) -> Result<Vec<i64>, Error> {
    let mut since_ms = since_ms.max(0);
    let mut ids = BTreeSet::new();
    for _ in 0..PAGES_MAX {
        let read = Read::WorklogFeed { since_ms, deleted };
        let page: Page = match run.client.read(&read).await {
            Ok(json) => parse(&read, &json)?,
            Err(Error::NotFound { .. } | Error::Forbidden { .. }) => {
                let message = "Jira does not tell this account which work logs changed or were deleted without their issue; a full load brings them";
                run.warn("worklog_feed_withheld", message, 1).await?;
                break;
            }
            Err(error) => return Err(error),
        };
        ids.extend(page.values.iter().map(|change| change.worklog_id));
        let until = page.until.filter(|until| *until > since_ms);
        match (page.last_page, until) {
            (Some(false), Some(until)) => since_ms = until,
            _ => break,
        }
    }
    Ok(ids.into_iter().collect())
}

/// The issues that these work logs belong to, as far as the account sees them.
async fn issues_of(run: &Run, worklogs: &[i64]) -> Result<Vec<i64>, Error> {
    let read = Read::WorklogList { ids: worklogs.to_vec() };
    let found: Vec<Worklog> = parse(&read, &run.client.read(&read).await?)?;
    Ok(found.iter().filter_map(|worklog| worklog.issue_id.parse().ok()).collect())
}

fn parse<T: serde::de::DeserializeOwned>(read: &Read, json: &str) -> Result<T, Error> {
    serde_json::from_str(json)
        .map_err(|error| Error::Undecodable { what: read.what(), detail: error.to_string() })
}
