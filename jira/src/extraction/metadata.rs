//! The tables of the site's metadata, each a unit, always read whole.

use crate::checkpoint::{Done, Work};
use crate::client::allow::{ListAsk, Read};
use crate::decode::{DecodeError, MetadataPage};
use crate::error::Error;
use crate::extraction::run::Run;
use crate::extraction::subjects::{boards, desks, projects, sprints};
use crate::extraction::writer::UnitWriter;
use crate::part::Part;
use crate::tables::Table;
use crate::tables::origin::{Each, Origin, Refused};
use futures_util::StreamExt;
use std::sync::Arc;

/// A page that tells neither its end nor a total is the last if it holds fewer rows: no Jira cuts pages below this.
const PAGE_LEAST: u64 = 50;

/// Reads one table; nothing for a table of issues, and for the fields, which the run itself needs first.
pub(crate) async fn read(run: Arc<Run>, table: Table) -> Result<(), Error> {
    let Some(origin) = Origin::of(table, run.client.is_cloud()) else { return Ok(()) };
    let mut asks = first_asks(&run, table, origin).await?;
    let mut writer = UnitWriter::open(&run, table.name(), 0).await;
    writer.sink.require(table);
    let (mut withheld, mut cut) = (0, 0);
    while !asks.is_empty() {
        let shared = &run;
        let mut answers = futures_util::stream::iter(asks)
            .map(|ask| async move { (ask, ask_one(shared, origin, ask).await) })
            .buffer_unordered(run.lanes());
        let mut more = Vec::new();
        while let Some((ask, answer)) = answers.next().await {
            match answer? {
                Asked::Answer(json) => more.extend(take(&mut writer, ask, &json)?),
                Asked::Withheld => withheld += 1,
                Asked::Cut => cut += 1,
            }
            writer.flush().await?;
        }
        asks = more;
    }
    if withheld > 0 {
        warn_withheld(&run, table, withheld).await?;
    }
    if cut > 0 {
        let message = format!(
            "lists of the table {table} are longer than Jira's search window; it lacks what lies behind"
        );
        run.warn(&format!("{table}_cut"), &message, cut).await?;
    }
    writer.finish(|stats| Done::new(Work::Metadata { table }, stats)).await
}

/// The first answer that a table would be read from.
pub(crate) struct Glance {
    /// About how many rows there are; `None` where nothing tells.
    pub(crate) rows: Option<u64>,
    /// Whether one answer stands for others.
    pub(crate) is_estimate: bool,
    /// About how many requests all of it takes.
    pub(crate) requests: u64,
    /// What the answer gave.
    pub(crate) parts: Vec<Part>,
}

/// Looks at the first page of a table of the site; of the fields the answer is there already.
pub(crate) async fn glance(run: &Run, table: Table, fields: Option<&str>) -> Result<Glance, Error> {
    let mut writer = UnitWriter::open(run, table.name(), 0).await;
    let mut glance = Glance { rows: Some(0), is_estimate: false, requests: 0, parts: Vec::new() };
    if let Some(json) = fields {
        let page = writer.sink.metadata(table, None, json).map_err(|error| undecodable(table, &error))?;
        glance.rows = Some(page.count);
    } else if let Some(origin) = Origin::of(table, run.client.is_cloud()) {
        let asks = first_asks(run, table, origin).await?;
        let count = u64::try_from(asks.len()).unwrap_or(u64::MAX);
        glance.requests = count;
        glance.is_estimate = count > 1;
        if let Some(ask) = asks.first().copied() {
            match ask_one(run, origin, ask).await? {
                Asked::Answer(json) => {
                    let page = feed(&mut writer, (table, ask.of, ask.start_at), &json)?;
                    let (of_one, pages) = of_first_page(origin, ask, &page);
                    glance.rows = of_one.map(|rows| rows.saturating_mul(count));
                    glance.is_estimate |= pages > 1;
                    glance.requests = count.saturating_mul(pages);
                }
                Asked::Withheld | Asked::Cut => glance.rows = None,
            }
        }
    }
    let finished = writer.sink.finish();
    glance.parts = finished.map_err(|error| Error::undecodable(format!("the table {table}"), &error))?.parts;
    Ok(glance)
}

/// About how many rows, and in how many pages, a list has whose first page is known.
fn of_first_page(origin: &Origin, ask: ListAsk, page: &MetadataPage) -> (Option<u64>, u64) {
    if origin.page.is_none() || ask.after(page).is_none() {
        return (Some(page.count), 1);
    }
    // A page that tells nothing of others and is not full is asked after once more, in vain as a rule.
    let is_full = origin.page.is_some_and(|size| page.count >= size);
    let rows = page.total.or((!is_full).then_some(page.count));
    (rows, rows.map_or(2, |rows| rows.div_ceil(page.count.max(1)).max(2)))
}

/// Writes a table from its one answer.
pub(crate) async fn write(run: &Run, table: Table, json: &str) -> Result<(), Error> {
    let mut writer = UnitWriter::open(run, table.name(), 0).await;
    writer.count_bytes(table, json.len());
    writer.sink.metadata(table, None, json).map_err(|error| undecodable(table, &error))?;
    writer.finish(|stats| Done::new(Work::Metadata { table }, stats)).await
}

fn feed(
    writer: &mut UnitWriter<'_>,
    (table, of, start_at): (Table, Option<i64>, u64),
    json: &str,
) -> Result<MetadataPage, Error> {
    writer.count_bytes(table, json.len());
    writer.sink.metadata_from(table, (of, start_at), json).map_err(|error| undecodable(table, &error))
}

fn undecodable(table: Table, error: &DecodeError) -> Error {
    Error::undecodable(format!("the table {table}"), error)
}

/// Takes an answer; gives what to ask next.
fn take(writer: &mut UnitWriter<'_>, ask: ListAsk, json: &str) -> Result<Option<ListAsk>, Error> {
    let page = feed(writer, (ask.table, ask.of, ask.start_at), json)?;
    let is_paged = Origin::of(ask.table, ask.is_cloud).is_some_and(|origin| origin.page.is_some());
    Ok(ask.after(&page).filter(|_| is_paged))
}

impl ListAsk {
    /// The next page, advanced by what came, not by what was asked for. A server that ignores the offset answers the same rows for ever.
    pub(super) fn after(self, page: &MetadataPage) -> Option<Self> {
        let start_at = self.start_at + page.count;
        let is_last = match (page.is_last, page.total) {
            (Some(is_last), _) => is_last,
            (None, Some(total)) => start_at >= total,
            (None, None) => page.count < PAGE_LEAST,
        };
        (!is_last && page.fresh > 0).then_some(Self { start_at, ..self })
    }
}

/// The first page for each thing that a table is asked for.
async fn first_asks(run: &Run, table: Table, origin: &Origin) -> Result<Vec<ListAsk>, Error> {
    let is_cloud = run.client.is_cloud();
    let ask = |of| ListAsk { table, of, start_at: 0, is_cloud };
    let of_all = |ids: &[i64]| ids.iter().map(|id| ask(Some(*id))).collect();
    Ok(match origin.each {
        Each::SiteOrProject(_) if run.spec.narrowing.has_projects() => of_all(projects(run).await?),
        Each::Site | Each::SiteOrProject(_) => vec![ask(None)],
        Each::Project => of_all(projects(run).await?),
        Each::ScrumBoard => {
            let boards = boards(run).await?.iter().filter(|board| board.shows_sprints);
            of_all(&boards.map(|board| board.id).collect::<Vec<_>>())
        }
        Each::Sprint => of_all(sprints(run).await?),
        Each::ServiceDesk => of_all(&desks(run).await?.iter().map(|desk| desk.id).collect::<Vec<_>>()),
        Each::Board => of_all(&boards(run).await?.iter().map(|board| board.id).collect::<Vec<_>>()),
    })
}

/// What came of one question.
pub(super) enum Asked {
    Answer(String),
    /// Jira does not let this account see it.
    Withheld,
    /// It lies behind Jira's search window.
    Cut,
}

/// Asks one question.
pub(super) async fn ask_one(run: &Run, origin: &Origin, ask: ListAsk) -> Result<Asked, Error> {
    match run.client.read(&Read::List(ask)).await {
        Ok(json) => Ok(Asked::Answer(json)),
        Err(Error::Unexpected { status: 400, .. }) if origin.each == Each::ScrumBoard => {
            // What Jira says of a board that has no sprints.
            Ok(Asked::Answer(r#"{"values":[],"isLast":true}"#.to_owned()))
        }
        Err(
            Error::Forbidden { .. } | Error::NotFound { .. } | Error::Unexpected { status: 400 | 412, .. },
        ) if origin.refused == Refused::IsWithheld => Ok(Asked::Withheld),
        Err(Error::SearchWindow { .. }) if ask.start_at > 0 => Ok(Asked::Cut),
        Err(error) => Err(error),
    }
}

pub(super) async fn warn_withheld(run: &Run, table: Table, count: u64) -> Result<(), Error> {
    let message = format!("Jira does not let this account read what the table {table} holds; it lacks that");
    run.warn(&format!("{table}_withheld"), &message, count).await
}
