//! The tables of the site's metadata, each a unit, always read whole.

use crate::checkpoint::{Done, Work};
use crate::client::allow::Read;
use crate::error::Error;
use crate::extraction::run::Run;
use crate::extraction::writer::UnitWriter;
use crate::tables::Table;
use std::sync::Arc;

/// A page of users with fewer is the last: no Jira cuts pages below this.
const USERS_PAGE_LEAST: u64 = 50;

/// How a table of metadata is asked for. `None` for tables of issues, and for the fields, which the run itself needs first.
fn read_of(table: Table) -> Option<Read> {
    match table {
        Table::Projects => Some(Read::Project),
        Table::Statuses => Some(Read::Status),
        Table::Priorities => Some(Read::Priority),
        Table::Resolutions => Some(Read::Resolution),
        Table::IssueTypes => Some(Read::IssueType),
        _ => None,
    }
}

/// Reads one table.
pub(crate) async fn read(run: Arc<Run>, table: Table) -> Result<(), Error> {
    if table == Table::Users {
        return read_users(&run).await;
    }
    let Some(read) = read_of(table) else { return Ok(()) };
    let json = run.client.read(&read).await?;
    write(&run, table, &json).await
}

/// Writes a table from its one answer.
pub(crate) async fn write(run: &Run, table: Table, json: &str) -> Result<(), Error> {
    let mut writer = UnitWriter::open(run, table.name(), 0).await;
    feed(&mut writer, table, json)?;
    writer.finish(|stats| Done::new(Work::Metadata { table }, stats)).await
}

fn feed(writer: &mut UnitWriter<'_>, table: Table, json: &str) -> Result<u64, Error> {
    writer.count_bytes(table, json.len());
    writer
        .sink
        .metadata(table, json)
        .map_err(|error| Error::undecodable(format!("the table {table}"), &error))
}

/// Users come in pages without a count. Some accounts may not search for people: then the table is empty, and said so.
async fn read_users(run: &Run) -> Result<(), Error> {
    let table = Table::Users;
    let mut first = Some(ask_users(run, 0).await?);
    let mut writer = UnitWriter::open(run, table.name(), 0).await;
    let mut seen = 0;
    let mut last = String::new();
    loop {
        let json = match first.take() {
            Some(json) => json,
            None => ask_users(run, seen).await?,
        };
        // A server that ignores the offset answers the same page for ever.
        if json == last {
            break;
        }
        let count = feed(&mut writer, table, &json)?;
        writer.flush().await?;
        if count < USERS_PAGE_LEAST {
            break;
        }
        seen += count;
        last = json;
    }
    writer.finish(|stats| Done::new(Work::Metadata { table }, stats)).await
}

async fn ask_users(run: &Run, start_at: u64) -> Result<String, Error> {
    match run.client.read(&Read::UserSearch { start_at }).await {
        Ok(json) => Ok(json),
        Err(
            Error::Forbidden { detail, .. }
            | Error::Unexpected { status: 400, detail, .. }
            | Error::NotFound { detail, .. },
        ) => {
            run.warn(
                "users_withheld",
                &format!("Jira does not let this account search for users: {detail}"),
                1,
            )
            .await?;
            Ok("[]".to_owned())
        }
        Err(error) => Err(error),
    }
}
