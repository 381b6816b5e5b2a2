//! The answer of a resource that each issue has: its rows, and what it says of their number.

use crate::decode::list::{RowList, read_text};
use crate::decode::object::put_json;
use crate::rows::{Cell, RowBuffer};
use crate::tables::of_issue::{Answer, PROPERTY_KEY, PROPERTY_VALUE};
use crate::undecodable::DecodeError;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

const WHAT: &str = "what belongs to an issue";

/// The members of an object, by name.
type Members<'j> = BTreeMap<Cow<'j, str>, &'j RawValue>;

/// What an answer held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OfIssuePage {
    /// Elements, rows or not.
    pub(crate) count: u64,
    /// What Jira counts; `None` where it does not say.
    pub(crate) total: Option<u64>,
    /// Whether it is the last page; `None` where Jira does not say.
    pub(crate) is_last: Option<bool>,
}

/// Reads an answer. After an error the buffer is as before.
pub(crate) fn read_of_issue(
    json: &str,
    answer: Answer,
    mut rows: RowList<'_>,
) -> Result<OfIssuePage, DecodeError> {
    let page = match answer {
        Answer::List => list(json, &mut rows).map(|count| OfIssuePage { count, ..OfIssuePage::default() }),
        Answer::Row => {
            list(&format!("[{json}]"), &mut rows).map(|count| OfIssuePage { count, ..OfIssuePage::default() })
        }
        Answer::Member(name, counted) => member(json, name, counted, &mut rows),
        Answer::Names(name) => names(json, name, &mut rows),
    };
    if page.is_err() {
        rows.buffer.truncate(rows.base);
    }
    page
}

fn list(json: &str, rows: &mut RowList<'_>) -> Result<u64, DecodeError> {
    read_text(WHAT, json, rows)?.ok_or_else(|| shape("there is no list"))
}

fn member(
    json: &str,
    name: &str,
    counted: Option<&str>,
    rows: &mut RowList<'_>,
) -> Result<OfIssuePage, DecodeError> {
    let members = members(json)?;
    let found = members.get(name).ok_or_else(|| shape(&format!("there is no {name}")))?;
    let count = list(found.get(), rows)?;
    let total = counted.and_then(|counted| members.get(counted)).and_then(|total| total.get().parse().ok());
    let is_last = members.get("isLastPage").and_then(|is_last| is_last.get().parse().ok());
    Ok(OfIssuePage { count, total, is_last })
}

fn names(json: &str, name: &str, rows: &mut RowList<'_>) -> Result<OfIssuePage, DecodeError> {
    let whole = members(json)?;
    let found = whole.get(name).ok_or_else(|| shape(&format!("there is no {name}")))?;
    let named = members(found.get())?;
    for (name, value) in &named {
        let row = rows.buffer.rows();
        put_name(rows.buffer, row, name, value);
        if (rows.keep)(rows.buffer, row) {
            rows.buffer.commit(row + 1);
        } else {
            rows.buffer.truncate(row);
        }
    }
    Ok(OfIssuePage { count: u64::try_from(named.len()).unwrap_or(u64::MAX), ..OfIssuePage::default() })
}

fn put_name(buffer: &mut RowBuffer, row: usize, name: &str, value: &RawValue) {
    buffer.put(PROPERTY_KEY, row, Cell::Text(name));
    put_json(buffer, PROPERTY_VALUE, row, value.get());
}

fn members(json: &str) -> Result<Members<'_>, DecodeError> {
    serde_json::from_str(json).map_err(|error| DecodeError::json(WHAT, &error))
}

fn shape(detail: &str) -> DecodeError {
    DecodeError::Shape { what: WHAT, detail: detail.to_owned() }
}
