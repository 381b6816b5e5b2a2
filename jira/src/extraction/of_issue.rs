//! What each issue of a page keeps in resources of its own: asked for after the page, several at once.

use crate::client::allow::Read;
use crate::client::allow::of_issue::OfIssueAsk;
use crate::decode::{IssueSeen, PageHead};
use crate::error::Error;
use crate::extraction::run::Run;
use crate::extraction::subjects;
use crate::extraction::writer::UnitWriter;
use crate::tables::Table;
use crate::tables::of_issue::Only;
use futures_util::StreamExt;

/// Reads what the page's accepted issues owe. Where Jira refuses one, the unit's warnings say so: the issue may be gone, or the feature
/// off, and neither is told apart.
pub(crate) async fn read(run: &Run, writer: &mut UnitWriter<'_>, page: &PageHead) -> Result<(), Error> {
    let desks = if owes_to_desk(page) { subjects::desks(run).await? } else { &[] };
    let has_desk = |issue: &IssueSeen| desks.iter().any(|desk| desk.project_key == issue.project_key);
    let owing = page.issues.iter().filter(|issue| issue.accepted);
    let of_issue = |issue: &IssueSeen| {
        let (id, has_desk) = (issue.id, has_desk(issue));
        let tables = issue.owed.iter().filter(move |table| has_desk || !is_of_desk(**table));
        tables.map(move |&table| OfIssueAsk { table, id, start: 0 }).collect::<Vec<_>>()
    };
    let mut asks: Vec<OfIssueAsk> = owing.flat_map(of_issue).collect();
    while !asks.is_empty() {
        let mut answers = futures_util::stream::iter(asks)
            .map(|ask| async move { (ask, run.client.read(&Read::OfIssue(ask)).await) })
            .buffer_unordered(run.lanes());
        let mut more = Vec::new();
        while let Some((ask, answer)) = answers.next().await {
            match answer {
                Ok(json) => more.extend(take(writer, ask, &json)?),
                Err(error) if is_refusal(&error) => writer.sink.note_refused(ask.table),
                Err(error) => return Err(error),
            }
            writer.flush().await?;
        }
        asks = more;
    }
    Ok(())
}

fn is_of_desk(table: Table) -> bool {
    table.spec().of_issue.as_ref().is_some_and(|of_issue| of_issue.only == Only::OfServiceDesk)
}

fn owes_to_desk(page: &PageHead) -> bool {
    page.issues.iter().any(|issue| issue.owed.iter().any(|table| is_of_desk(*table)))
}

/// Takes an answer; gives what to ask next.
fn take(writer: &mut UnitWriter<'_>, ask: OfIssueAsk, json: &str) -> Result<Option<OfIssueAsk>, Error> {
    writer.count_bytes(ask.table, json.len());
    let taken = writer.sink.of_issue(ask.table, ask.id, json);
    let page = taken.map_err(|error| Error::undecodable(Read::OfIssue(ask).what(), &error))?;
    let has_more = page.is_last == Some(false) && page.count > 0;
    Ok(has_more.then(|| OfIssueAsk { start: ask.start + page.count, ..ask }))
}

/// Whether Jira answered that this account does not get it.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::Forbidden { .. } | Error::NotFound { .. } | Error::Unexpected { status: 400 | 412 | 413, .. }
    )
}
