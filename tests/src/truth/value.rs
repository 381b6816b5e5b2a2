//! Cells, and reading them from JSON that is otherwise left as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// One value of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// A whole number.
    I64(i64),
    /// A number with a fraction.
    F64(f64),
    /// Text, also JSON text.
    Text(String),
    /// Yes or no.
    Bool(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970 in UTC.
    Ts(i64),
}

impl Cell {
    /// The cell as JSON: a date as text, a timestamp as its number.
    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::I64(number) | Self::Ts(number) => (*number).into(),
            Self::F64(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Bool(flag) => (*flag).into(),
            Self::Date(days) => {
                let epoch = chrono::NaiveDate::default();
                let date = epoch.checked_add_signed(chrono::TimeDelta::days(i64::from(*days)));
                date.map_or(Value::Null, |date| date.format("%Y-%m-%d").to_string().into())
            }
        }
    }
}

/// The name of a member; borrowed unless it has escapes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl std::borrow::Borrow<str> for Name<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The members of a JSON object, each as its own text.
pub(super) type Members<'a> = BTreeMap<Name<'a>, &'a RawValue>;

/// Reads an object; anything else has no members.
pub(super) fn members(raw: Option<&RawValue>) -> Members<'_> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// Reads an array; anything else has no elements.
pub(super) fn elements(raw: Option<&RawValue>) -> Vec<&RawValue> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// A member that is there and not null.
pub(super) fn get<'a>(members: &Members<'a>, name: &str) -> Option<&'a RawValue> {
    members.get(name).copied().filter(|raw| raw.get() != "null")
}

pub(super) fn string(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

/// A string, or the text of a number.
pub(super) fn text(raw: Option<&RawValue>) -> Cell {
    let Some(raw) = raw else { return Cell::Null };
    Cell::Text(string(Some(raw)).unwrap_or_else(|| raw.get().to_owned()))
}

/// A whole number, also one in quotes as Jira writes ids.
pub(super) fn number(raw: Option<&RawValue>) -> Cell {
    let Some(raw) = raw else { return Cell::Null };
    let parsed = raw.get().trim_matches('"').parse();
    parsed.map_or(Cell::Null, Cell::I64)
}

pub(super) fn boolean(raw: Option<&RawValue>) -> Cell {
    match raw.map(RawValue::get) {
        Some("true") => Cell::Bool(true),
        Some("false") => Cell::Bool(false),
        _ => Cell::Null,
    }
}

/// A platform time: with or without fraction, offset with or without colon, or `Z`.
pub(super) fn time(raw: Option<&RawValue>) -> Cell {
    string(raw).as_deref().and_then(micros).map_or(Cell::Null, Cell::Ts)
}

pub(super) fn micros(text: &str) -> Option<i64> {
    let text = match text.strip_suffix('Z') {
        Some(bare) => format!("{bare}+0000"),
        None => text.to_owned(),
    };
    let parsed = chrono::DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z").ok()?;
    Some(parsed.timestamp_micros())
}

pub(super) fn date(raw: Option<&RawValue>) -> Cell {
    string(raw).as_deref().and_then(days).map_or(Cell::Null, Cell::Date)
}

pub(super) fn days(text: &str) -> Option<i32> {
    let parsed = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    i32::try_from(parsed.signed_duration_since(chrono::NaiveDate::default()).num_days()).ok()
}

/// The user's key, else name, else account id.
pub(super) fn user(raw: Option<&RawValue>) -> Cell {
    let object = members(raw);
    let found = ["key", "name", "accountId"].into_iter().find_map(|name| get(&object, name));
    text(found)
}

/// JSON without white space between its tokens.
pub(super) fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for char in json.chars() {
        if !quoted && matches!(char, ' ' | '\n' | '\r' | '\t') {
            continue;
        }
        if quoted {
            quoted = escaped || char != '"';
            escaped = !escaped && char == '\\';
        } else {
            quoted = char == '"';
        }
        out.push(char);
    }
    out
}

/// The compact JSON of a value; null for null and absent.
pub(super) fn json(raw: Option<&RawValue>) -> Cell {
    raw.filter(|raw| raw.get() != "null").map_or(Cell::Null, |raw| Cell::Text(compact(raw.get())))
}
