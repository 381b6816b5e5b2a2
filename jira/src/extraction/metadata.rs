//! The tables of the site's metadata, each a unit, always read whole.

use crate::checkpoint::{Done, Work};
use crate::client::allow::{ListAsk, Of, Read};
use crate::decode::MetadataPage;
use crate::error::Error;
use crate::extraction::each;
use crate::extraction::run::Run;
use crate::extraction::writer::UnitWriter;
use crate::tables::Table;
use crate::tables::origin::{Each, Origin, Refused};
use crate::undecodable::DecodeError;
use futures_util::StreamExt;
use std::sync::Arc;

/// A page that tells neither its end nor a total is the last if it holds fewer rows: no Jira cuts pages below this.
const PAGE_LEAST: u64 = 50;

/// Reads one table; nothing for a table of issues, and for the fields, which the run itself needs first.
pub(crate) async fn read(run: Arc<Run>, table: Table) -> Result<(), Error> {
    if table.is_issue_table() || table == Table::Fields {
        return Ok(());
    }
    let mut writer = UnitWriter::open(&run, table.name(), 0).await;
    writer.sink.require(table);
    let (mut withheld, mut cut) = (0, 0);
    if let Some(origin) = readable(&run, table).await? {
        let found = each::found(&run, origin.each).await?;
        withheld = found.withheld;
        let is_cloud = run.client.is_cloud();
        let mut asks: Vec<_> = found.of.into_iter().map(|of| ListAsk::first(table, of, is_cloud)).collect();
        while !asks.is_empty() {
            let shared = &run;
            let mut answers = futures_util::stream::iter(asks)
                .map(|ask| async move {
                    let answer = ask_one(shared, origin, &ask).await;
                    (ask, answer)
                })
                .buffer_unordered(run.lanes());
            let mut more = Vec::new();
            while let Some((ask, answer)) = answers.next().await {
                match answer? {
                    Asked::Answer(json) => match take(&mut writer, origin, &ask, &json)? {
                        Next::Ask(next) => more.push(next),
                        Next::Cut(missing) => cut += missing,
                        Next::End => {}
                    },
                    Asked::Withheld => withheld += 1,
                    Asked::Cut => cut += 1,
                }
                writer.flush().await?;
            }
            asks = more;
        }
    }
    if withheld > 0 {
        warn_withheld(&run, table, withheld).await?;
    }
    if cut > 0 {
        let message = format!(
            "Jira gave fewer rows of the table {table} than it counts, or its lists are longer than Jira's search window; it lacks the others"
        );
        run.warn(&format!("{table}_cut"), &message, cut).await?;
    }
    writer.finish(|stats| Done::new(Work::Metadata { table }, stats)).await
}

/// Where a table comes from; `None`, with a warning, where this Jira does not offer it or it would tell of withheld projects.
pub(super) async fn readable(run: &Run, table: Table) -> Result<Option<&'static Origin>, Error> {
    if table == Table::AuditRecords && run.spec.narrowing.has_projects() {
        let message = format!(
            "the table {table} was left empty: its records name projects that the premises do not permit"
        );
        run.warn("policy_audit_withheld", &message, 1).await?;
        return Ok(None);
    }
    let origin = Origin::of(table, run.client.is_cloud());
    if origin.is_none() {
        let kind = if run.client.is_cloud() { "Cloud" } else { "Server" };
        let message = format!("Jira {kind} has no resource for the table {table}; it is empty");
        run.warn(&format!("{table}_not_offered"), &message, 1).await?;
    }
    Ok(origin)
}

/// Writes a table from its one answer.
pub(crate) async fn write(run: &Run, table: Table, json: &str) -> Result<(), Error> {
    let mut writer = UnitWriter::open(run, table.name(), 0).await;
    writer.count_bytes(table, json.len());
    writer.sink.metadata(table, &Of::Site, json).map_err(|error| undecodable(table, &error))?;
    writer.finish(|stats| Done::new(Work::Metadata { table }, stats)).await
}

pub(super) fn feed(writer: &mut UnitWriter<'_>, ask: &ListAsk, json: &str) -> Result<MetadataPage, Error> {
    let table = ask.table;
    writer.count_bytes(table, json.len());
    writer
        .sink
        .metadata_from(table, (&ask.of, ask.start_at), json)
        .map_err(|error| undecodable(table, &error))
}

pub(super) fn undecodable(table: Table, error: &DecodeError) -> Error {
    Error::undecodable(format!("the table {table}"), error)
}

/// Takes an answer; gives what to ask next.
fn take(writer: &mut UnitWriter<'_>, origin: &Origin, ask: &ListAsk, json: &str) -> Result<Next, Error> {
    let page = feed(writer, ask, json)?;
    Ok(ask.next(origin, &page))
}

/// What follows a page.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    Ask(ListAsk),
    End,
    /// Nothing can be asked any more, although Jira counts so many more rows.
    Cut(u64),
}

impl ListAsk {
    /// The next page, advanced by what came, not by what was asked for. A server that ignores the offset answers the same rows for ever.
    pub(crate) fn next(&self, origin: &Origin, page: &MetadataPage) -> Next {
        let start_at = self.start_at + page.count;
        if origin.page.is_none() {
            let missing = page.total.map_or(0, |total| total.saturating_sub(page.count));
            return if missing > 0 { Next::Cut(missing) } else { Next::End };
        }
        let is_last = match (page.is_last, page.total) {
            (Some(is_last), _) => is_last,
            (None, Some(total)) => start_at >= total,
            (None, None) => page.count < PAGE_LEAST,
        };
        if is_last || page.count == 0 {
            Next::End
        } else if page.fresh > 0 {
            Next::Ask(Self { start_at, pages: self.pages + 1, ..self.clone() })
        } else {
            let missing = page.total.map_or(0, |total| total.saturating_sub(self.start_at));
            if missing > 0 { Next::Cut(missing) } else { Next::End }
        }
    }
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
pub(super) async fn ask_one(run: &Run, origin: &Origin, ask: &ListAsk) -> Result<Asked, Error> {
    match run.read_list(&Read::List(ask.clone())).await {
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
    let message = format!(
        "Jira refused answers that the table {table} is made of (the account may not read them, or this version does not offer them); it lacks those"
    );
    run.warn(&format!("{table}_withheld"), &message, count).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(table: Table, start_at: u64, page: MetadataPage) -> Next {
        let origin = Origin::of(table, false).unwrap();
        ListAsk { start_at, pages: 1, ..ListAsk::first(table, Of::Site, false) }.next(origin, &page)
    }

    #[test]
    fn a_list_ends_where_it_says_and_what_is_never_given_is_counted() {
        let page = |count, fresh, total| MetadataPage { count, fresh, is_last: None, total };
        let asked = |table, start_at| {
            Next::Ask(ListAsk { start_at, pages: 2, ..ListAsk::first(table, Of::Site, false) })
        };
        let screens = Table::Screens;
        assert_eq!(next(screens, 100, page(100, 100, None)), asked(screens, 200));
        assert_eq!(next(screens, 100, page(49, 49, None)), Next::End);
        // A server that ignores the offset.
        assert_eq!(next(screens, 100, page(100, 0, None)), Next::End);
        let schemes = Table::NotificationSchemes;
        assert_eq!(next(schemes, 50, page(10, 10, Some(60))), Next::End);
        assert_eq!(next(schemes, 50, page(50, 0, Some(260))), Next::Cut(210));
        assert_eq!(next(schemes, 50, page(0, 0, Some(60))), Next::End);
        // An answer that has no pages.
        assert_eq!(next(Table::Groups, 0, page(20, 20, Some(25))), Next::Cut(5));
        assert_eq!(next(Table::Groups, 0, page(20, 20, Some(20))), Next::End);
    }
}
