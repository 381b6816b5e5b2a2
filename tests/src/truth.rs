//! What the tables of a full extraction must hold, cell by cell, from the simulator's own state.
//!
//! Written apart from the extraction engine, by the same description of the tables: each value is read from the
//! whole issue (UTC, every child, no caps), which the simulator also cuts its pages from.

use std::collections::BTreeMap;

use crate::jira_sim::SimHandle;
use issue::Wanted;

mod adf;
mod children;
mod columns;
mod custom;
mod events;
mod history;
mod issue;
mod lists;
mod metadata;
mod of_issue;
mod service_desk;
mod setup;
mod value;

pub use columns::{ColumnType, is_default, is_set_up, names};
pub use value::Cell;

/// A row, one cell a column.
pub type Row = Vec<Cell>;

/// A table that an extraction must yield, rows in no particular order.
#[derive(Debug, Clone, PartialEq)]
pub struct TruthTable {
    /// Names and types in order.
    pub columns: Vec<(String, ColumnType)>,
    /// Names of the key columns.
    pub key: Vec<String>,
    /// All rows.
    pub rows: Vec<Row>,
}

/// The rows that one issue gives, by table.
#[derive(Debug, Clone, PartialEq)]
pub struct IssueRows(BTreeMap<&'static str, Vec<Row>>);

impl IssueRows {
    /// The rows of one of the issue tables; empty for another name.
    #[must_use]
    pub fn into_table(mut self, table: &str) -> Vec<Row> {
        self.0.remove(table).unwrap_or_default()
    }
}

/// All tables that are read by default at once; for sites that fit into memory several times.
#[must_use]
pub fn tables(sim: &SimHandle) -> BTreeMap<String, TruthTable> {
    every(sim, is_default)
}

/// The tables of a site's set-up, which are read only when they are named.
#[must_use]
pub fn set_up_tables(sim: &SimHandle) -> BTreeMap<String, TruthTable> {
    every(sim, is_set_up)
}

fn every(sim: &SimHandle, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, TruthTable> {
    let wanted = names().filter(|name| wanted(name));
    let mut tables: BTreeMap<String, TruthTable> =
        wanted.filter_map(|name| Some((name.to_owned(), empty(sim, name)?))).collect();
    for IssueRows(children) in issues(sim) {
        for (name, rows) in children {
            if let Some(table) = tables.get_mut(name) {
                table.rows.extend(rows);
            }
        }
    }
    for (name, table) in &mut tables {
        table.rows.extend(columns::metadata_rows(sim, name));
    }
    tables
}

/// One table; `None` for a name that no table has.
#[must_use]
pub fn table(sim: &SimHandle, name: &str) -> Option<TruthTable> {
    let mut table = empty(sim, name)?;
    table.rows = rows(sim, name)?.collect();
    Some(table)
}

/// Rows that each table must have that is read by default, in one pass over the issues.
#[must_use]
pub fn counts(sim: &SimHandle) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<String, usize> = names()
        .filter(|name| is_default(name))
        .map(|name| (name.to_owned(), columns::metadata_rows(sim, name).len()))
        .collect();
    for IssueRows(children) in issues(sim) {
        for (table, rows) in children {
            if let Some(count) = counts.get_mut(table) {
                *count += rows.len();
            }
        }
    }
    counts
}

/// A table's columns and key, without rows.
#[must_use]
pub fn empty(sim: &SimHandle, name: &str) -> Option<TruthTable> {
    let (mut columns, key) = columns::of(name)?;
    if name == "issues" {
        let custom = custom::columns(&sim.field_list());
        columns.extend(custom.into_iter().map(|column| (column.name, column.kind)));
    }
    Some(TruthTable { columns, key, rows: Vec::new() })
}

/// The rows of a table one after the other, made as they are asked for.
#[must_use]
pub fn rows<'a>(sim: &'a SimHandle, name: &'a str) -> Option<Box<dyn Iterator<Item = Row> + 'a>> {
    columns::of(name)?;
    if columns::is_issue_table(name) {
        return Some(Box::new(issues_of(sim, Wanted::One(name)).flat_map(move |rows| rows.into_table(name))));
    }
    Some(Box::new(columns::metadata_rows(sim, name).into_iter()))
}

/// The rows of every issue, one issue at a time, in the order of [`SimHandle::ids`], of the tables that are not optional.
pub fn issues(sim: &SimHandle) -> impl Iterator<Item = IssueRows> + '_ {
    issues_of(sim, Wanted::Defaults)
}

fn issues_of<'a>(sim: &'a SimHandle, wanted: Wanted<'a>) -> impl Iterator<Item = IssueRows> + 'a {
    let custom = custom::columns(&sim.field_list());
    sim.ids().into_iter().filter_map(move |id| {
        let json = sim.issue_json(&id.to_string()).ok()?;
        issue::rows(&json, &custom, &|list| sim.issue_list(list, id), wanted)
    })
}

/// A table as one JSON object a line: dates as `yyyy-MM-dd`, timestamps as microseconds since 1970 (UTC).
#[must_use]
pub fn ndjson(sim: &SimHandle, name: &str) -> Option<String> {
    Some(lines(sim, name)?.collect())
}

/// The lines of [`ndjson`], one after the other.
#[must_use]
pub fn lines<'a>(sim: &'a SimHandle, name: &'a str) -> Option<impl Iterator<Item = String> + 'a> {
    let columns = empty(sim, name)?.columns;
    Some(rows(sim, name)?.map(move |row| {
        let mut out = String::new();
        out.push('{');
        for (number, ((column, _), cell)) in columns.iter().zip(&row).enumerate() {
            if number > 0 {
                out.push(',');
            }
            out += &serde_json::Value::from(column.as_str()).to_string();
            out.push(':');
            out += &cell.json().to_string();
        }
        out.push_str("}\n");
        out
    }))
}

#[cfg(test)]
mod tests;
