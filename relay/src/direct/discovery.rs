//! A look at what a direct run would read.

use super::{reader, spec, words};
use crate::node::Shared;
use crate::store::Connection;
use crate::uplinks::Found;
use jira::{FoundColumn, FoundTable};
use protocol::control::{DiscoveredColumn, DiscoveredTable, DiscoveryReport, Failure};
use protocol::spec::ExtractionSpec;

/// Looks; sample rows of each table at most so many.
pub(crate) async fn discover(
    node: &Shared,
    connection: &Connection,
    extraction: &ExtractionSpec,
    rows: u32,
) -> Found {
    match try_discover(node, connection, extraction, rows).await {
        Ok(found) => found,
        Err(failure) => Found { tables: Vec::new(), report: DiscoveryReport::Failed { failure } },
    }
}

async fn try_discover(
    node: &Shared,
    connection: &Connection,
    extraction: &ExtractionSpec,
    rows: u32,
) -> Result<Found, Failure> {
    let spec = spec::engine_spec(extraction)?;
    let client = reader::client(node, connection)?;
    let rows = usize::try_from(rows).unwrap_or_default();
    let found = jira::discover(client, spec, rows).await.map_err(|error| words::failure(&error))?;
    let report = DiscoveryReport::Ok {
        issues: found.issues,
        requests: found.requests,
        asked: found.asked,
        policy: Vec::new(),
    };
    Ok(Found { tables: found.tables.into_iter().map(table).collect(), report })
}

fn table(found: FoundTable) -> DiscoveredTable {
    let column = |column: FoundColumn| DiscoveredColumn {
        name: column.name,
        type_name: column.column_type.name().to_owned(),
        field_id: column.field_id,
        mask: column.mask,
    };
    DiscoveredTable {
        table: found.table.name().to_owned(),
        key: found.table.key_columns().iter().map(|name| (*name).to_owned()).collect(),
        columns: found.columns.into_iter().map(column).collect(),
        rows: found.rows,
        is_estimate: found.is_estimate,
        sample: found.sample,
    }
}
