//! The walk over Jira Cloud: pages by token, and issues by their ids.
//!
//! Jira Cloud shows thousands of ids at once, but about a hundred issues with their fields, and a walk by time asks for a second again with each
//! page. So the slices of a full load are listed by id and read in full hundreds, the histories of several hundreds by one request.

use super::{CUT_PAGES_MAX, Heads, PageTaker, Walk, asks_for_less};
use crate::batch::decode_heads;
use crate::client::allow::Read;
use crate::client::allow::cloud::{CHANGELOG_ISSUES_MAX, CloudRead, CloudSearch, ISSUES_BY_ID_MAX};
use crate::decode::{Histories, PageHead};
use crate::error::Error;
use crate::jql::{Axis, Jql};
use crate::paging::range::Range;
use crate::tables::Table;
use crate::undecodable::DecodeError;

/// Issues read by id whose histories are asked for at once: what is held in memory until they are there.
const ISSUES_PER_HISTORIES: usize = 2 * ISSUES_BY_ID_MAX;

/// Histories that are held at once are at most this part of the largest answer, except those of a single issue.
const HISTORIES_PART: usize = 4;

/// An answer with issues read by id.
struct Answer {
    what: String,
    json: String,
    shown: Vec<i64>,
}

impl Walk<'_> {
    /// Reads a slice by the ids that Jira Cloud lists in it. What it lists and does not show is missing to the proof of the load, which
    /// searches for it.
    pub(super) async fn listed(&mut self, slice: Range, taker: &mut impl PageTaker) -> Result<(), Error> {
        let jql = self.run.jql(slice).by_time(slice.axis);
        let mut token = None;
        loop {
            let page = self.run.cloud_ids(jql.clone(), token.take()).await?;
            self.by_id(&page.ids, taker).await?;
            token = page.next;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// Reads these issues, as far as they exist and the spec asks for them.
    pub(super) async fn cloud_issues(
        &mut self,
        ids: &[i64],
        taker: &mut impl PageTaker,
    ) -> Result<(), Error> {
        if !self.run.is_narrowed() {
            return self.by_id(ids, taker).await;
        }
        // Jira Cloud refuses a condition that names an issue which is not there.
        let mut there = Heads { is_cloud: true, ..Heads::default() };
        Walk::over_heads(self.run).by_id(ids, &mut there).await?;
        let mut there: Vec<i64> = there.seen.into_keys().collect();
        there.sort_unstable();
        let anytime = Range::new(Axis::Updated, i64::MIN, i64::MAX);
        for some in there.chunks(ISSUES_BY_ID_MAX) {
            self.by_token(self.run.jql(anytime).issues(some), taker).await?;
        }
        Ok(())
    }

    /// Reads issues by id, which Jira Cloud answers leaving out those that are gone.
    async fn by_id(&mut self, ids: &[i64], taker: &mut impl PageTaker) -> Result<(), Error> {
        let (mut left, mut lot) = (ids, ISSUES_PER_HISTORIES);
        while !left.is_empty() {
            let (some, behind) = left.split_at(left.len().min(lot));
            let answers = self.answers_by_id(some).await?;
            let shown: Vec<i64> = answers.iter().flat_map(|answer| answer.shown.iter().copied()).collect();
            let histories = match self.wanted_histories(&shown).await {
                Err(error) if asks_for_less(&error) && some.len() > 1 => {
                    lot = some.len() / 2;
                    continue;
                }
                histories => histories?,
            };
            left = behind;
            for Answer { what, json, .. } in answers {
                let page = taker
                    .take(&json, histories.as_ref())
                    .map_err(|error| Error::undecodable(what, &error))?;
                drop(json);
                taker.settle(&page).await?;
            }
        }
        Ok(())
    }

    /// Fewer at once are asked for where an answer is too large or too slow; one whose JSON ends early is asked for again.
    async fn answers_by_id(&mut self, ids: &[i64]) -> Result<Vec<Answer>, Error> {
        let (mut answers, mut cut) = (Vec::new(), 0);
        let mut left = ids;
        while !left.is_empty() {
            let most = usize::try_from(self.page).unwrap_or(usize::MAX).clamp(1, ISSUES_BY_ID_MAX);
            let (some, behind) = left.split_at(left.len().min(most));
            let read = Read::Cloud(CloudRead::Issues {
                issues: some.to_vec(),
                fields: self.fields.clone(),
                expand: self.expand.clone(),
            });
            let json = match self.run.client.read_shrinkable(&read).await {
                Ok(json) => json,
                Err(error) if asks_for_less(&error) && some.len() > 1 => {
                    self.ask_for_less(u64::try_from(some.len() / 2).unwrap_or(1));
                    continue;
                }
                Err(error) => return Err(error),
            };
            match decode_heads(&json, true) {
                Ok(page) => {
                    let shown = page.issues.iter().map(|issue| issue.id).collect();
                    answers.push(Answer { what: read.what(), json, shown });
                    (left, cut) = (behind, 0);
                }
                Err(DecodeError::Truncated { .. }) if cut < CUT_PAGES_MAX => cut += 1,
                Err(error) => return Err(Error::undecodable(read.what(), &error)),
            }
        }
        Ok(answers)
    }

    /// Reads all issues of a condition by token. The token is of a snapshot of Jira Cloud's: what changes meanwhile shifts nothing.
    pub(super) async fn by_token(&mut self, jql: Jql, taker: &mut impl PageTaker) -> Result<(), Error> {
        let jql = jql.by_key();
        let mut token = None;
        loop {
            let asked = token.take();
            let page = self.token_page(jql.clone(), asked.clone(), taker).await?;
            token = page.next.filter(|next| asked.as_ref() != Some(next));
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// One page of Jira Cloud. A smaller one is asked for when it is too large or too slow; one whose JSON ends early is asked for again.
    pub(super) async fn token_page(
        &mut self,
        jql: Jql,
        token: Option<String>,
        taker: &mut impl PageTaker,
    ) -> Result<PageHead, Error> {
        let mut cut = 0;
        loop {
            let (fields, max_results) = (self.fields.clone(), self.page);
            let ask = CloudSearch {
                jql: jql.clone().bounded(),
                fields,
                expand: self.expand.clone(),
                max_results,
                token: token.clone(),
            };
            let read = Read::Cloud(CloudRead::Search(ask));
            let json = match self.run.client.read_shrinkable(&read).await {
                Ok(json) => json,
                Err(error) if asks_for_less(&error) && max_results > 1 => {
                    self.ask_for_less(max_results / 2);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let ids = match self.ids_for_histories(&json) {
                Ok(ids) => ids,
                Err(DecodeError::Truncated { .. }) if cut < CUT_PAGES_MAX => {
                    cut += 1;
                    continue;
                }
                Err(error) => return Err(Error::undecodable(read.what(), &error)),
            };
            let histories = match self.wanted_histories(&ids).await {
                Err(error) if asks_for_less(&error) && max_results > 1 => {
                    self.ask_for_less(max_results / 2);
                    continue;
                }
                histories => histories?,
            };
            match taker.take(&json, histories.as_ref()) {
                Ok(page) => {
                    drop(json);
                    taker.settle(&page).await?;
                    return Ok(page);
                }
                Err(DecodeError::Truncated { .. }) if cut < CUT_PAGES_MAX => cut += 1,
                Err(error) => return Err(Error::undecodable(read.what(), &error)),
            }
        }
    }

    /// The issues of a page whose histories are to be asked for.
    fn ids_for_histories(&self, json: &str) -> Result<Vec<i64>, DecodeError> {
        if !self.expand_changelog {
            return Ok(Vec::new());
        }
        Ok(decode_heads(json, true)?.issues.iter().map(|issue| issue.id).collect())
    }

    /// All histories of these issues, if histories are wanted.
    async fn wanted_histories(&mut self, issues: &[i64]) -> Result<Option<Histories>, Error> {
        if self.expand_changelog { self.histories(issues).await.map(Some) } else { Ok(None) }
    }

    /// All histories of these issues. Fewer at once are asked for where an answer is too large or too slow.
    ///
    /// # Errors
    /// `BodyTooLarge` where those of several issues are more than may be held in memory: fewer issues at once have fewer.
    async fn histories(&mut self, issues: &[i64]) -> Result<Histories, Error> {
        let limit_bytes = self.run.client.limits().max_page_bytes / HISTORIES_PART;
        let (mut histories, mut held) = (Histories::default(), 0);
        for some in issues.chunks(CHANGELOG_ISSUES_MAX) {
            let mut token = None;
            loop {
                let (named, most) = (some.to_vec(), self.histories_page);
                let read = Read::Cloud(CloudRead::Changelogs { issues: named, most, token: token.take() });
                let json = match self.run.client.read_shrinkable(&read).await {
                    Ok(json) => json,
                    Err(error) if asks_for_less(&error) && most > 1 => {
                        self.histories_page = most / 2;
                        // From the first one again: a token may be of pages of one size.
                        histories.forget(some);
                        held = 0;
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                self.run.count_bytes(Table::IssueChangelog, json.len());
                token = histories.add(&json).map_err(|error| Error::undecodable(read.what(), &error))?;
                held += json.len();
                if token.is_none() {
                    break;
                }
                if held > limit_bytes && issues.len() > 1 {
                    return Err(Error::BodyTooLarge { what: read.what(), limit_bytes });
                }
            }
        }
        Ok(histories)
    }
}
