//! Issues of a walk into rows: which are accepted, and the children that a page held back.

use crate::checkpoint::Accepted;
use crate::client::allow::Read;
use crate::client::allow::cloud::CloudRead;
use crate::decode::{Asked, Envelope, Histories, IssueHead, IssueSeen, PageHead};
use crate::error::Error;
use crate::extraction::of_issue;
use crate::extraction::run::Run;
use crate::extraction::walk::PageTaker;
use crate::extraction::writer::UnitWriter;
use crate::tables::Table;
use crate::undecodable::DecodeError;
use futures_util::StreamExt;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Decides whether an issue that a page shows is taken.
pub(crate) enum Gate {
    /// Once in this unit.
    Once(HashSet<i64>),
    /// Once in this pass, and not at all if an earlier pass read it as it is.
    Pass(Arc<PassGate>),
    /// Only these.
    Wanted(HashSet<i64>),
}

/// What the slices of a pass share.
#[derive(Debug, Default)]
pub(crate) struct PassGate {
    /// Last update, by id, of issues that an earlier pass of this run read after that second was over.
    unchanged: HashMap<i64, i64>,
    taken: Mutex<HashSet<i64>>,
}

impl PassGate {
    pub(crate) fn new(unchanged: HashMap<i64, i64>) -> Self {
        Self { unchanged, taken: Mutex::default() }
    }

    /// Whether an earlier pass read the issue as it is.
    pub(crate) fn is_unchanged(&self, id: i64, updated_ms: i64) -> bool {
        self.unchanged.get(&id) == Some(&updated_ms)
    }

    fn taken(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    fn offer(&mut self, head: &IssueHead<'_>) -> bool {
        match self {
            Self::Once(taken) => taken.insert(head.id),
            Self::Pass(pass) => !pass.is_unchanged(head.id, head.updated_ms) && pass.taken().insert(head.id),
            Self::Wanted(wanted) => wanted.remove(&head.id),
        }
    }

    fn withdraw(&mut self, offered: &[Accepted]) {
        for issue in offered {
            match self {
                Self::Once(taken) => {
                    taken.remove(&issue.id);
                }
                Self::Pass(pass) => {
                    pass.taken().remove(&issue.id);
                }
                Self::Wanted(wanted) => {
                    wanted.insert(issue.id);
                }
            }
        }
    }
}

/// Whose links to other issues are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinksOf {
    /// Nobody's: in the base pass there is nothing older that they could be stale in.
    Nobody,
    /// Of issues that were moved: the other ends show the old key.
    Moved,
    /// Of all: the other ends may not show the link at all.
    All,
}

/// Takes pages of issues with all that the tables need.
pub(crate) struct Rows<'a> {
    run: &'a Run,
    pub(crate) writer: UnitWriter<'a>,
    gate: Gate,
    links_of: LinksOf,
    /// What was accepted, in the order of reading.
    pub(crate) accepted: Vec<Accepted>,
    /// Issues that were gone when their children were asked for.
    pub(crate) vanished: Vec<i64>,
    /// Issues at the other ends of the links that are collected.
    pub(crate) linked: Vec<i64>,
    /// Accepted issues that may have been moved, where links of such issues are collected.
    pub(crate) moved: Vec<i64>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(run: &'a Run, writer: UnitWriter<'a>, gate: Gate) -> Self {
        let links_of = if matches!(gate, Gate::Pass(_)) { LinksOf::Moved } else { LinksOf::Nobody };
        Self {
            run,
            writer,
            gate,
            links_of,
            accepted: Vec::new(),
            vanished: Vec::new(),
            linked: Vec::new(),
            moved: Vec::new(),
        }
    }

    /// Collects the links of all issues.
    pub(crate) fn with_links_of_all(mut self) -> Self {
        self.links_of = LinksOf::All;
        self
    }

    pub(crate) fn accepted_ids(&self) -> Vec<i64> {
        self.accepted.iter().map(|issue| issue.id).collect()
    }

    fn held_back(&self, page: &PageHead) -> Vec<ChildAsk> {
        let ask = |issue: &IssueSeen| {
            let (id, is_cloud) = (issue.id, self.run.client.is_cloud());
            let of_table = move |&table| Some(ChildAsk { id, kind: Child::of(table)?, seen: 0, is_cloud });
            issue.incomplete.iter().filter_map(of_table).collect::<Vec<_>>()
        };
        page.issues.iter().filter(|issue| issue.accepted).flat_map(ask).collect()
    }

    /// Asks for children, as many at once as there are lanes, page after page.
    async fn read_children(&mut self, mut asks: Vec<ChildAsk>) -> Result<(), Error> {
        while !asks.is_empty() {
            let run = self.run;
            let mut answers = futures_util::stream::iter(asks)
                .map(|ask| async move { (ask, run.client.read(&ask.read()).await) })
                .buffer_unordered(run.lanes());
            let mut more = Vec::new();
            while let Some((ask, answer)) = answers.next().await {
                match answer {
                    Ok(json) => more.extend(self.take_children(ask, &json).await?),
                    // Deleted between page and children: the rows that stand already are taken back by the deletion check.
                    Err(Error::NotFound { .. }) => self.vanished.push(ask.id),
                    Err(error) => return Err(error),
                }
            }
            asks = more;
        }
        Ok(())
    }

    async fn take_children(&mut self, ask: ChildAsk, json: &str) -> Result<Option<ChildAsk>, Error> {
        self.writer.count_bytes(ask.kind.table(), json.len());
        let sink = &mut self.writer.sink;
        let taken = sink.children_page(ask.kind.table(), ask.id, json);
        let envelope = taken.map_err(|error| Error::undecodable(ask.read().what(), &error))?;
        let (next, withheld) = ask.after(&envelope);
        if withheld > 0 {
            let (code, message) = ask.kind.withheld();
            self.run.warn(code, message, withheld).await?;
        }
        self.writer.flush().await?;
        Ok(next)
    }
}

impl PageTaker for Rows<'_> {
    fn take(&mut self, json: &str, histories: Option<&Histories>) -> Result<PageHead, DecodeError> {
        let mut offered = Vec::new();
        let (gate, narrowing) = (&mut self.gate, &self.run.spec.narrowing);
        let mut refused = 0;
        let mut accept = |head: &IssueHead<'_>| {
            if !narrowing.permits_row_of(head.project_key) {
                refused += 1;
                return false;
            }
            let accepted = gate.offer(head);
            if accepted {
                offered.push(Accepted {
                    id: head.id,
                    created_ms: head.created_ms,
                    updated_ms: head.updated_ms,
                });
            }
            accepted
        };
        let page = self.writer.sink.issue_page_with(json, Asked { histories, accept: &mut accept });
        match &page {
            Ok(_) => {
                self.writer.sink.note_withheld(refused);
                self.run.add_issues_read(offered.len());
                self.accepted.append(&mut offered);
                self.writer.count_bytes(Table::Issues, json.len());
            }
            Err(_) => self.gate.withdraw(&offered),
        }
        page
    }

    async fn settle(&mut self, page: &PageHead) -> Result<(), Error> {
        let links_of = self.links_of;
        let matters = |issue: &&IssueSeen| match links_of {
            LinksOf::Nobody => false,
            LinksOf::Moved => issue.may_be_moved,
            LinksOf::All => true,
        };
        if links_of != LinksOf::Nobody {
            let moved = page.issues.iter().filter(|issue| issue.accepted && issue.may_be_moved);
            self.moved.extend(moved.map(|issue| issue.id));
        }
        self.linked.extend(page.issues.iter().filter(matters).flat_map(|issue| issue.linked.iter().copied()));
        let asks = self.held_back(page);
        self.read_children(asks).await?;
        of_issue::read(self.run, &mut self.writer, page).await?;
        self.writer.flush().await
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Child {
    Comments,
    Worklogs,
}

impl Child {
    fn of(table: Table) -> Option<Self> {
        [Self::Comments, Self::Worklogs].into_iter().find(|kind| kind.table() == table)
    }

    fn table(self) -> Table {
        match self {
            Self::Comments => Table::IssueComments,
            Self::Worklogs => Table::IssueWorklogs,
        }
    }

    fn withheld(self) -> (&'static str, &'static str) {
        match self {
            Self::Comments => {
                ("comments_withheld", "Jira counts comments that it does not show to this account")
            }
            Self::Worklogs => {
                ("worklogs_withheld", "Jira counts work logs that it does not show to this account")
            }
        }
    }
}

/// The children of one issue, from the first one not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ChildAsk {
    id: i64,
    kind: Child,
    seen: u64,
    /// Whether Jira Cloud is asked.
    is_cloud: bool,
}

impl ChildAsk {
    fn read(self) -> Read {
        let (id, start_at) = (self.id, self.seen);
        match self.kind {
            Child::Comments if self.is_cloud => Read::Cloud(CloudRead::Comments { id, start_at }),
            Child::Worklogs if self.is_cloud => Read::Cloud(CloudRead::Worklogs { id, start_at }),
            Child::Comments => Read::IssueComments { id: self.id, start_at: self.seen },
            Child::Worklogs => Read::IssueWorklogs { id: self.id },
        }
    }

    /// What to ask next, and how many children Jira counts but does not show. Advances by what came, not by what was asked for.
    fn after(self, envelope: &Envelope) -> (Option<Self>, u64) {
        let seen = self.seen + envelope.count;
        if seen >= envelope.total {
            return (None, 0);
        }
        let has_pages = self.kind == Child::Comments || self.is_cloud;
        if has_pages && envelope.count > 0 {
            (Some(Self { seen, ..self }), 0)
        } else {
            (None, envelope.total - seen)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(kind: Child, seen: u64) -> ChildAsk {
        ChildAsk { id: 7, kind, seen, is_cloud: false }
    }

    #[test]
    fn comments_advance_by_what_came() {
        let envelope = Envelope { start_at: 0, max_results: 50, total: 120, count: 50 };
        assert_eq!(ask(Child::Comments, 0).after(&envelope), (Some(ask(Child::Comments, 50)), 0));
        assert_eq!(ask(Child::Comments, 100).after(&Envelope { count: 20, ..envelope }), (None, 0));
    }

    #[test]
    fn children_that_are_counted_but_not_shown_are_withheld() {
        let empty = Envelope { start_at: 100, max_results: 50, total: 120, count: 0 };
        assert_eq!(ask(Child::Comments, 100).after(&empty), (None, 20));
        assert_eq!(ask(Child::Worklogs, 0).after(&Envelope { count: 100, ..empty }), (None, 20));
    }
}
