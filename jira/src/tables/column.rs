//! Columns: what they hold, and how a value of Jira's answer becomes a cell.

use super::ColumnInfo;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// A 64-bit integer.
    I64,
    /// A 64-bit floating-point number.
    F64,
    /// Text as Jira sent it.
    Text,
    /// Text that is compact JSON.
    Json,
    /// True or false.
    Bool,
    /// A day of the calendar.
    Date,
    /// An instant in UTC, in microseconds.
    Timestamp,
}

impl ColumnType {
    /// The type's name in documentation and in a part's metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::I64 => "i64",
            Self::F64 => "f64",
            Self::Text => "text",
            Self::Json => "json",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }
}

/// How a value becomes a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// The value at the path, by the column's type.
    Value,
    /// The user id of the user object at the path.
    User,
    /// The list at the path, reduced to id and name of each entry.
    Refs,
    /// The text at the path; on Jira Cloud a document, of which this column gets the plain text and the next one the document.
    Rich,
    /// Made by the decoder; the path is only a description.
    Made,
}

/// One column of the catalogue.
#[derive(Debug)]
pub(crate) struct ColumnSpec {
    pub(crate) name: &'static str,
    pub(crate) column_type: ColumnType,
    /// Members from the row's object on, joined by dots; where Server and Cloud name them differently both, with a bar between them. Empty
    /// for an element that is a text.
    pub(crate) path: &'static str,
    pub(crate) take: Take,
}

impl ColumnSpec {
    pub(super) fn describe(&self) -> ColumnInfo {
        let path = self.path.replace('|', " or ");
        let source = match self.take {
            Take::Value if path.is_empty() => "the element".to_owned(),
            Take::Value | Take::Made => path,
            Take::Rich => format!("{path} (plain text)"),
            Take::User => format!("{path} (user id)"),
            Take::Refs => format!("{path} (id and name of each)"),
        };
        ColumnInfo { name: self.name, column_type: self.column_type, source }
    }
}

pub(crate) const fn int(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::I64, path, take: Take::Value }
}

pub(crate) const fn float(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::F64, path, take: Take::Value }
}

pub(crate) const fn text(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Text, path, take: Take::Value }
}

pub(crate) const fn json(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Json, path, take: Take::Value }
}

pub(crate) const fn flag(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Bool, path, take: Take::Value }
}

pub(crate) const fn date(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Date, path, take: Take::Value }
}

pub(crate) const fn time(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Timestamp, path, take: Take::Value }
}

pub(crate) const fn user(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Text, path, take: Take::User }
}

pub(crate) const fn refs(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Json, path, take: Take::Refs }
}

/// A text that is a document on Jira Cloud; [`document`] of the same path follows it.
pub(crate) const fn rich(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Text, path, take: Take::Rich }
}

/// The document whose plain text the column before holds; null on Server.
pub(crate) const fn document(name: &'static str, how: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Json, path: how, take: Take::Made }
}

pub(crate) const fn made(name: &'static str, column_type: ColumnType, how: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type, path: how, take: Take::Made }
}
