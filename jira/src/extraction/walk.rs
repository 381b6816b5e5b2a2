//! The walk over a range, done: asks for the pages that `paging` names and hands them on.

mod cloud;

use crate::asks::Asks;
use crate::batch::decode_heads;
use crate::client::allow::cloud::HISTORIES_PER_PAGE;
use crate::client::allow::{Read, SearchAsk};
use crate::decode::{Histories, PageHead};
use crate::error::{Error, UnreachableCause};
use crate::extraction::run::{HEADS_PER_PAGE, Run, head_fields};
use crate::extraction::scope;
use crate::jql::{Axis, Jql};
use crate::paging::keyset::{KeySet, Seen, Step};
use crate::paging::range::Range;
use crate::paging::second::{Second, SecondStep};
use crate::project::ProjectKey;
use crate::tables::read_for;
use crate::undecodable::DecodeError;
use std::collections::HashMap;

/// Times that a page whose JSON ends early is asked for.
const CUT_PAGES_MAX: u32 = 4;

/// Issues named in one search: a page of them.
const IDS_PER_SEARCH: usize = 100;

/// Takes the pages of a walk.
pub(crate) trait PageTaker: Send {
    /// Takes a page, with the histories of its issues where they come apart; an error leaves everything as it was before.
    fn take(&mut self, json: &str, histories: Option<&Histories>) -> Result<PageHead, DecodeError>;

    /// Does what the page asks for besides.
    fn settle(&mut self, page: &PageHead) -> impl Future<Output = Result<(), Error>> + Send;
}

/// When an issue was created and last updated, epoch milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
}

/// Keeps ids with their times.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// By id.
    pub(crate) seen: HashMap<i64, Times>,
    /// Whether the site is Jira Cloud.
    pub(crate) is_cloud: bool,
}

impl PageTaker for Heads {
    fn take(&mut self, json: &str, _: Option<&Histories>) -> Result<PageHead, DecodeError> {
        let page = decode_heads(json, self.is_cloud)?;
        self.seen.extend(
            page.issues.iter().map(|issue| {
                (issue.id, Times { created_ms: issue.created_ms, updated_ms: issue.updated_ms })
            }),
        );
        Ok(page)
    }

    async fn settle(&mut self, _page: &PageHead) -> Result<(), Error> {
        std::future::ready(Ok(())).await
    }
}

/// How pages are asked for.
pub(crate) struct Walk<'a> {
    run: &'a Run,
    fields: Vec<String>,
    expand_changelog: bool,
    /// What tables want shown besides fields and histories.
    expand: Vec<&'static str>,
    page: u64,
    /// Histories in one page of Jira Cloud.
    histories_page: u64,
    /// From this second on the site's clock is still running: what is not proven there is read again by the next pass.
    open_from: i64,
}

impl<'a> Walk<'a> {
    /// A walk over ids and times.
    pub(crate) fn over_heads(run: &'a Run) -> Self {
        Self {
            run,
            fields: head_fields(),
            expand_changelog: false,
            expand: Vec::new(),
            page: HEADS_PER_PAGE,
            histories_page: HISTORIES_PER_PAGE,
            open_from: i64::MAX,
        }
    }

    /// A walk over all that the tables need.
    pub(crate) fn over_rows(run: &'a Run, asks: Asks, page: u64, open_from: i64) -> Self {
        let expand = read_for(&run.spec.tables).iter().filter_map(|table| table.spec().expands).collect();
        let Asks { fields, histories } = asks;
        Self {
            run,
            fields,
            expand_changelog: histories,
            expand,
            page,
            histories_page: HISTORIES_PER_PAGE,
            open_from,
        }
    }

    /// Reads a slice of a full load, in whatever order costs least.
    pub(crate) async fn slice(&mut self, slice: Range, taker: &mut impl PageTaker) -> Result<(), Error> {
        if self.run.client.is_cloud() {
            self.listed(slice, taker).await
        } else {
            self.range(slice, taker).await
        }
    }

    /// Walks over the whole range.
    pub(crate) async fn range(&mut self, range: Range, taker: &mut impl PageTaker) -> Result<(), Error> {
        let mut keys = KeySet::new(range);
        let mut step = keys.first();
        loop {
            step = match step {
                Step::Page(left) => {
                    let page = self.first_page(self.run.jql(left).by_time(left.axis), taker).await?;
                    keys.handle_page(page.total, &seen(&page, left.axis))
                }
                Step::Second(second) => {
                    self.second(Range::of_second(range.axis, second), taker).await?;
                    keys.handle_second_read()
                }
                Step::Done => return Ok(()),
                Step::Stuck => {
                    let detail =
                        "Jira counts issues there that it does not show (its index may need a rebuild)"
                            .to_owned();
                    return Err(Error::Incomplete { slice: range.to_string(), detail });
                }
            };
        }
    }

    async fn second(&mut self, second: Range, taker: &mut impl PageTaker) -> Result<(), Error> {
        if self.second_of(second, &[], taker).await? {
            return Ok(());
        }
        for project in project_keys(self.run).await? {
            if !self.second_of(second, std::slice::from_ref(&project), taker).await? {
                let detail = format!(
                    "project {project} alone has more issues of that second than Jira's search window"
                );
                return Err(Error::Incomplete { slice: second.to_string(), detail });
            }
        }
        Ok(())
    }

    /// Reads one second by offset; false when Jira's search window is too small for it.
    async fn second_of(
        &mut self,
        second: Range,
        projects: &[ProjectKey],
        taker: &mut impl PageTaker,
    ) -> Result<bool, Error> {
        let jql = self.run.jql(second).projects(projects);
        if self.run.client.is_cloud() {
            return self.by_token(jql, taker).await.map(|()| true);
        }
        match self.by_offset(jql, taker).await? {
            SecondStep::Split => Ok(false),
            SecondStep::Unproven { seen, total } if second.to <= self.open_from => {
                let detail = format!("{seen} issues were shown, but {total} are counted");
                Err(Error::Incomplete { slice: second.to_string(), detail })
            }
            SecondStep::Unproven { .. } | SecondStep::Page(_) | SecondStep::Done => Ok(true),
        }
    }

    /// Reads these issues, as far as they exist and the spec asks for them.
    pub(crate) async fn issues(&mut self, ids: &[i64], taker: &mut impl PageTaker) -> Result<(), Error> {
        if self.run.client.is_cloud() {
            return self.cloud_issues(ids, taker).await;
        }
        let anytime = Range::new(Axis::Updated, i64::MIN, i64::MAX);
        for some in ids.chunks(IDS_PER_SEARCH) {
            let ended = self.by_offset(self.run.jql(anytime).issues(some), taker).await?;
            if let SecondStep::Unproven { seen, total } = ended {
                let detail = format!("{seen} issues were shown, but {total} are counted");
                return Err(Error::Incomplete {
                    slice: "the issues linked to moved ones".to_owned(),
                    detail,
                });
            }
        }
        Ok(())
    }

    /// Reads all issues of a condition by offset, in key order, until that is proven or given up.
    async fn by_offset(&mut self, jql: Jql, taker: &mut impl PageTaker) -> Result<SecondStep, Error> {
        let jql = jql.by_key();
        let mut reading = Second::new(self.run.window());
        let mut step = SecondStep::Page(0);
        while let SecondStep::Page(offset) = step {
            step = match self.page(jql.clone(), offset, taker).await {
                Ok(page) => reading.handle_page(
                    offset,
                    page.total,
                    u64::try_from(page.issues.len()).unwrap_or(u64::MAX),
                ),
                Err(Error::SearchWindow { .. }) => {
                    self.run.lower_window(offset);
                    SecondStep::Split
                }
                Err(error) => return Err(error),
            };
        }
        Ok(step)
    }

    /// One page of a time-ordered walk.
    async fn first_page(&mut self, jql: Jql, taker: &mut impl PageTaker) -> Result<PageHead, Error> {
        if self.run.client.is_cloud() {
            self.token_page(jql, None, taker).await
        } else {
            self.page(jql, 0, taker).await
        }
    }

    /// One page. Smaller ones are asked for when it is too large or too slow, or would reach past Jira's search window; one whose JSON
    /// ends early is asked for again.
    async fn page(&mut self, jql: Jql, start_at: u64, taker: &mut impl PageTaker) -> Result<PageHead, Error> {
        let mut cut = 0;
        let mut within_window = self.run.window().saturating_sub(start_at).max(1);
        loop {
            let max_results = self.page.min(within_window);
            let changelog = self.expand_changelog.then_some("changelog").into_iter();
            let read = Read::Search(SearchAsk {
                jql: jql.clone(),
                fields: self.fields.clone(),
                expand: changelog.chain(self.expand.iter().copied()).collect(),
                max_results,
                start_at,
            });
            let json = match self.run.client.read_shrinkable(&read).await {
                Ok(json) => json,
                Err(Error::SearchWindow { .. }) if max_results > 1 => {
                    within_window = max_results / 2;
                    continue;
                }
                Err(error) if asks_for_less(&error) && max_results > 1 => {
                    self.ask_for_less(max_results / 2);
                    continue;
                }
                Err(error) => return Err(error),
            };
            match taker.take(&json, None) {
                Ok(page) if page.start_at != start_at => {
                    let detail = format!("it starts at {}, though {start_at} was asked for", page.start_at);
                    return Err(Error::Undecodable { what: read.what(), detail });
                }
                Ok(page) => {
                    drop(json);
                    // Jira lowers what is asked for without a word; asking for as much again would be in vain.
                    if page.max_results < max_results {
                        self.page = page.max_results.max(1);
                    }
                    taker.settle(&page).await?;
                    return Ok(page);
                }
                Err(DecodeError::Truncated { .. }) if cut < CUT_PAGES_MAX => cut += 1,
                Err(error) => return Err(Error::undecodable(read.what(), &error)),
            }
        }
    }

    fn ask_for_less(&mut self, page: u64) {
        self.page = page.max(1);
        tracing::debug!(event = "pages_smaller", page = self.page, "smaller pages are asked for");
    }
}

/// What only a smaller page mends.
fn asks_for_less(error: &Error) -> bool {
    matches!(error, Error::BodyTooLarge { .. } | Error::Unreachable { cause: UnreachableCause::Timeout, .. })
}

fn seen(page: &PageHead, axis: Axis) -> Vec<Seen> {
    let time_of = |issue: &crate::decode::IssueSeen| match axis {
        Axis::Created => issue.created_ms,
        Axis::Updated => issue.updated_ms,
    };
    page.issues.iter().map(|issue| Seen { id: issue.id, time_ms: time_of(issue) }).collect()
}

/// The projects to split a second by.
async fn project_keys(run: &Run) -> Result<Vec<ProjectKey>, Error> {
    if !run.spec.projects.is_empty() {
        return Ok(run.spec.projects.clone());
    }
    scope::visible_projects(run).await
}
