//! Custom fields: the column that each fills, and the value in it.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::value::RawValue;

use super::adf;
use super::columns::{self, ColumnType};
use super::value::{Cell, compact, date, get, json, members, string, time, user};

/// The column of one custom field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CustomColumn {
    pub(super) field_id: String,
    pub(super) name: String,
    pub(super) kind: ColumnType,
    pub(super) schema_type: String,
    /// `schema.custom`.
    pub(super) plugin_type: String,
    /// Whether Cloud's values are documents, of which the column holds the plain text.
    is_area: bool,
}

/// The custom columns for the list of `/field`, lowest field number first.
pub(super) fn columns(fields: &[Value]) -> Vec<CustomColumn> {
    let mut custom: Vec<(u64, &Value)> = (fields.iter())
        .filter(|field| field["custom"] == true)
        .filter_map(|field| Some((field["id"].as_str()?.strip_prefix("customfield_")?.parse().ok()?, field)))
        .collect();
    custom.sort_by_key(|(number, _)| *number);
    let fixed = columns::of("issues").map(|(columns, _)| columns).unwrap_or_default();
    let mut taken: BTreeSet<String> = fixed.into_iter().map(|(name, _)| name).collect();
    let mut found = Vec::new();
    for (number, field) in custom {
        let mut name = column_name(field["name"].as_str().unwrap_or_default());
        if taken.contains(&name) {
            name = format!("{name}_{number}");
        }
        taken.insert(name.clone());
        let schema_type = field["schema"]["type"].as_str().unwrap_or("any").to_owned();
        let kind = match schema_type.as_str() {
            "number" => ColumnType::F64,
            "date" => ColumnType::Date,
            "datetime" => ColumnType::Ts,
            "string" | "option" | "user" | "group" => ColumnType::Text,
            _ => ColumnType::Json,
        };
        let plugin_type = field["schema"]["custom"].as_str().unwrap_or_default().to_owned();
        let is_area = plugin_type.ends_with(":textarea");
        let field_id = format!("customfield_{number}");
        found.push(CustomColumn { field_id, name, kind, schema_type, plugin_type, is_area });
    }
    found
}

/// The column name that a field's name asks for.
pub(super) fn column_name(field_name: &str) -> String {
    let mut name = String::new();
    for char in field_name.chars().flat_map(char::to_lowercase) {
        let kept = char.is_ascii_lowercase()
            || char.is_ascii_digit()
            || (!char.is_ascii() && char.is_alphanumeric());
        if kept {
            name.push(char);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_matches('_');
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return format!("field_{name}");
    }
    name.to_owned()
}

/// The cell of a value; one that does not fit its column is null.
pub(super) fn cell(column: &CustomColumn, raw: Option<&RawValue>) -> Cell {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Cell::Null };
    match column.kind {
        ColumnType::F64 => {
            let text = string(Some(raw)).unwrap_or_else(|| raw.get().to_owned());
            text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).map_or(Cell::Null, Cell::F64)
        }
        ColumnType::Date => date(Some(raw)),
        ColumnType::Ts => time(Some(raw)),
        ColumnType::Text if column.is_area && raw.get().starts_with('{') => adf::plain(Some(raw)),
        ColumnType::Text => text(column, raw),
        _ => json(Some(raw)),
    }
}

fn text(column: &CustomColumn, raw: &RawValue) -> Cell {
    if let Some(plain) = string(Some(raw)) {
        return Cell::Text(plain);
    }
    let object = members(Some(raw));
    let named = match column.schema_type.as_str() {
        "option" => string(get(&object, "value")),
        "group" => string(get(&object, "name")),
        "user" => match user(Some(raw)) {
            Cell::Text(id) => Some(id),
            _ => None,
        },
        _ => None,
    };
    Cell::Text(named.unwrap_or_else(|| compact(raw.get())))
}
