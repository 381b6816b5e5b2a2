//! The tables of the site's metadata, each a unit, always read whole.

use crate::checkpoint::{Done, Work};
use crate::client::allow::{ListAsk, Read};
use crate::decode::MetadataPage;
use crate::error::Error;
use crate::extraction::run::Run;
use crate::extraction::subjects::Board;
use crate::extraction::writer::UnitWriter;
use crate::tables::Table;
use crate::tables::origin::{Each, Origin, Refused};
use futures_util::StreamExt;
use serde::Deserialize;
use std::sync::Arc;

/// A page that tells neither its end nor a total is the last if it holds fewer rows: no Jira cuts pages below this.
const PAGE_LEAST: u64 = 50;

/// Reads one table; nothing for a table of issues, and for the fields, which the run itself needs first.
pub(crate) async fn read(run: Arc<Run>, table: Table) -> Result<(), Error> {
    let Some(origin) = &table.spec().origin else { return Ok(()) };
    let mut asks = first_asks(&run, table, origin).await?;
    let mut writer = UnitWriter::open(&run, table.name(), 0).await;
    writer.sink.require(table);
    let mut withheld = 0;
    while !asks.is_empty() {
        let shared = &run;
        let mut answers = futures_util::stream::iter(asks)
            .map(|ask| async move { (ask, ask_one(shared, origin, ask).await) })
            .buffer_unordered(run.lanes());
        let mut more = Vec::new();
        while let Some((ask, answer)) = answers.next().await {
            match answer? {
                Some(json) => more.extend(take(&mut writer, ask, &json)?),
                None => withheld += 1,
            }
            writer.flush().await?;
        }
        asks = more;
    }
    if withheld > 0 {
        warn_withheld(&run, table, withheld).await?;
    }
    writer.finish(|stats| Done::new(Work::Metadata { table }, stats)).await
}

/// Writes a table from its one answer.
pub(crate) async fn write(run: &Run, table: Table, json: &str) -> Result<(), Error> {
    let mut writer = UnitWriter::open(run, table.name(), 0).await;
    feed(&mut writer, table, None, json)?;
    writer.finish(|stats| Done::new(Work::Metadata { table }, stats)).await
}

fn feed(
    writer: &mut UnitWriter<'_>,
    table: Table,
    of: Option<i64>,
    json: &str,
) -> Result<MetadataPage, Error> {
    writer.count_bytes(table, json.len());
    writer
        .sink
        .metadata(table, of, json)
        .map_err(|error| Error::undecodable(format!("the table {table}"), &error))
}

/// Takes an answer; gives what to ask next.
fn take(writer: &mut UnitWriter<'_>, ask: ListAsk, json: &str) -> Result<Option<ListAsk>, Error> {
    let page = feed(writer, ask.table, ask.of, json)?;
    let is_paged = ask.table.spec().origin.as_ref().is_some_and(|origin| origin.page.is_some());
    Ok(ask.after(&page).filter(|_| is_paged))
}

impl ListAsk {
    /// The next page, advanced by what came, not by what was asked for. A server that ignores the offset answers the same rows for ever.
    fn after(self, page: &MetadataPage) -> Option<Self> {
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
    let of_all = |ids: &[i64]| ids.iter().map(|id| ListAsk { table, of: Some(*id), start_at: 0 }).collect();
    Ok(match origin.each {
        Each::SiteOrProject(_) if run.spec.narrowing.has_projects() => of_all(projects(run).await?),
        Each::Site | Each::SiteOrProject(_) => vec![ListAsk { table, of: None, start_at: 0 }],
        Each::Project => of_all(projects(run).await?),
        Each::ScrumBoard => {
            let boards = boards(run).await?.iter().filter(|board| board.shows_sprints);
            of_all(&boards.map(|board| board.id).collect::<Vec<_>>())
        }
        Each::Board => of_all(&boards(run).await?.iter().map(|board| board.id).collect::<Vec<_>>()),
    })
}

/// The answer to one question; `None` if Jira does not let this account see it.
async fn ask_one(run: &Run, origin: &Origin, ask: ListAsk) -> Result<Option<String>, Error> {
    match run.client.read(&Read::List(ask)).await {
        Ok(json) => Ok(Some(json)),
        Err(Error::Unexpected { status: 400, .. }) if origin.each == Each::ScrumBoard => {
            // What Jira says of a board that has no sprints.
            Ok(Some(r#"{"values":[],"isLast":true}"#.to_owned()))
        }
        Err(Error::Forbidden { .. } | Error::NotFound { .. } | Error::Unexpected { status: 400, .. })
            if origin.refused == Refused::IsWithheld =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn warn_withheld(run: &Run, table: Table, count: u64) -> Result<(), Error> {
    let message = format!("Jira does not let this account read what the table {table} holds; it lacks that");
    run.warn(&format!("{table}_withheld"), &message, count).await
}

/// The ids of the projects that are read.
async fn projects(run: &Run) -> Result<&[i64], Error> {
    #[derive(Deserialize)]
    struct Project {
        id: String,
        key: String,
    }
    let read = || async {
        let json = run.client.read(&Read::Project).await?;
        let listed: Vec<Project> = serde_json::from_str(&json)
            .map_err(|error| Error::Undecodable { what: Read::Project.what(), detail: error.to_string() })?;
        let is_asked = |key: &str| {
            let asked = &run.spec.projects;
            asked.is_empty() || asked.iter().any(|wanted| wanted.as_str().eq_ignore_ascii_case(key))
        };
        let read = listed
            .iter()
            .filter(|project| is_asked(&project.key) && run.spec.narrowing.permits_project(&project.key));
        Ok(read.filter_map(|project| project.id.parse().ok()).collect())
    };
    run.subjects.projects.get_or_try_init(read).await.map(Vec::as_slice)
}

/// The boards that are read.
async fn boards(run: &Run) -> Result<&[Board], Error> {
    let read = || async {
        let table = Table::Boards;
        let Some(origin) = &table.spec().origin else { return Ok(Vec::new()) };
        let mut asks = first_asks_of_boards(run, table).await?;
        let mut boards: Vec<Board> = Vec::new();
        let mut withheld = 0;
        while let Some(ask) = asks.pop() {
            let Some(json) = ask_one(run, origin, ask).await? else {
                withheld += 1;
                continue;
            };
            let (found, page) = boards_of(&json, &boards)?;
            boards.extend(found);
            asks.extend(ask.after(&page));
        }
        if withheld > 0 && !run.spec.tables.contains(&table) {
            warn_withheld(run, table, withheld).await?;
        }
        Ok(boards)
    };
    run.subjects.boards.get_or_try_init(read).await.map(Vec::as_slice)
}

async fn first_asks_of_boards(run: &Run, table: Table) -> Result<Vec<ListAsk>, Error> {
    if !run.spec.narrowing.has_projects() {
        return Ok(vec![ListAsk { table, of: None, start_at: 0 }]);
    }
    Ok(projects(run).await?.iter().map(|id| ListAsk { table, of: Some(*id), start_at: 0 }).collect())
}

/// The boards of a page that are not known yet, and what the page says of itself.
fn boards_of(json: &str, known: &[Board]) -> Result<(Vec<Board>, MetadataPage), Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page {
        values: Vec<Listed>,
        #[serde(default)]
        is_last: Option<bool>,
        #[serde(default)]
        total: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Listed {
        id: i64,
        #[serde(default, rename = "type")]
        kind: String,
    }
    let page: Page = serde_json::from_str(json)
        .map_err(|error| Error::Undecodable { what: "the boards".to_owned(), detail: error.to_string() })?;
    let is_known = |id: i64| known.iter().any(|board| board.id == id);
    let fresh: Vec<Board> = page
        .values
        .iter()
        .filter(|listed| !is_known(listed.id))
        .map(|listed| Board { id: listed.id, shows_sprints: listed.kind != "kanban" })
        .collect();
    let length = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let told = MetadataPage {
        count: length(page.values.len()),
        fresh: length(fresh.len()),
        is_last: page.is_last,
        total: page.total,
    };
    Ok((fresh, told))
}
