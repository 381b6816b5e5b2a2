//! What each issue of a page keeps in resources of its own: asked for after the page, several at once.

use crate::client::allow::Read;
use crate::client::allow::of_issue::OfIssueAsk;
use crate::decode::PageHead;
use crate::error::Error;
use crate::extraction::run::Run;
use crate::extraction::writer::UnitWriter;
use futures_util::StreamExt;

/// Reads what the page's accepted issues owe. Where Jira refuses one, the unit's warnings say so: the issue may be gone, or the feature
/// off, and neither is told apart.
pub(crate) async fn read(run: &Run, writer: &mut UnitWriter<'_>, page: &PageHead) -> Result<(), Error> {
    let owing = page.issues.iter().filter(|issue| issue.accepted);
    let asks = owing.flat_map(|issue| issue.owed.iter().map(|&table| OfIssueAsk { table, id: issue.id }));
    let asks: Vec<OfIssueAsk> = asks.collect();
    let mut answers = futures_util::stream::iter(asks)
        .map(|ask| async move { (ask, run.client.read(&Read::OfIssue(ask)).await) })
        .buffer_unordered(run.lanes());
    while let Some((ask, answer)) = answers.next().await {
        match answer {
            Ok(json) => take(writer, ask, &json)?,
            Err(error) if is_refusal(&error) => writer.sink.note_refused(ask.table),
            Err(error) => return Err(error),
        }
        writer.flush().await?;
    }
    Ok(())
}

fn take(writer: &mut UnitWriter<'_>, ask: OfIssueAsk, json: &str) -> Result<(), Error> {
    writer.count_bytes(ask.table, json.len());
    let taken = writer.sink.of_issue(ask.table, ask.id, json);
    taken.map(drop).map_err(|error| Error::undecodable(Read::OfIssue(ask).what(), &error))
}

/// Whether Jira answered that this account does not get it.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::Forbidden { .. } | Error::NotFound { .. } | Error::Unexpected { status: 400 | 412 | 413, .. }
    )
}
