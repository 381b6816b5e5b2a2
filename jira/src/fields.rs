//! Custom fields to columns: discovered once when a run starts, then carried by its checkpoint, so that every part of the run has
//! the same schema whichever agent writes it.

mod evolution;

pub(crate) use evolution::Landed;

use crate::tables::{ColumnType, Table, issue_sprints, issues};
use crate::undecodable::DecodeError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// What Jira's schema says of a custom field's values, as far as it decides the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CustomType {
    #[serde(rename = "n")]
    Number,
    #[serde(rename = "d")]
    Date,
    #[serde(rename = "t")]
    Timestamp,
    #[serde(rename = "s")]
    Text,
    #[serde(rename = "o")]
    Option,
    #[serde(rename = "u")]
    User,
    #[serde(rename = "g")]
    Group,
    #[serde(rename = "j")]
    Json,
    /// A list of people, kept as JSON.
    #[serde(rename = "p")]
    Users,
    /// A list of anything else, kept as JSON.
    #[serde(rename = "l")]
    List,
    /// A choice with a second one below it, kept as JSON.
    #[serde(rename = "c")]
    Cascade,
    /// The sprints of an issue, kept as JSON.
    #[serde(rename = "i")]
    Sprints,
    /// The key of the epic, kept as JSON.
    #[serde(rename = "e")]
    EpicLink,
}

impl CustomType {
    fn of_schema(schema_type: &str, items: Option<&str>, custom: Option<&str>) -> Self {
        match schema_type {
            _ if custom == Some(issue_sprints::FIELD) => Self::Sprints,
            "any" if custom == Some(issues::EPIC_FIELD) => Self::EpicLink,
            "array" if items == Some("user") => Self::Users,
            "array" => Self::List,
            "option-with-child" => Self::Cascade,
            "number" => Self::Number,
            "date" => Self::Date,
            "datetime" => Self::Timestamp,
            "string" => Self::Text,
            "option" => Self::Option,
            "user" => Self::User,
            "group" => Self::Group,
            _ => Self::Json,
        }
    }

    pub(crate) fn column_type(self) -> ColumnType {
        match self {
            Self::Number => ColumnType::F64,
            Self::Date => ColumnType::Date,
            Self::Timestamp => ColumnType::Timestamp,
            Self::Text | Self::Option | Self::User | Self::Group => ColumnType::Text,
            Self::Json | Self::Users | Self::List | Self::Cascade | Self::Sprints | Self::EpicLink => {
                ColumnType::Json
            }
        }
    }

    /// Whether each of its values is a row of `issue_custom_values`.
    pub(crate) fn holds_several(self) -> bool {
        matches!(self, Self::Users | Self::List | Self::Cascade)
    }
}

/// A custom field and its column. Serialised as a short list: a site may have a thousand, and a checkpoint entry is bounded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, String, CustomType)", into = "(u64, String, CustomType)")]
pub(crate) struct CustomColumn {
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) custom_type: CustomType,
}

impl CustomColumn {
    /// Jira's id of the field.
    pub(crate) fn field_id(&self) -> String {
        format!("customfield_{}", self.number)
    }
}

impl From<(u64, String, CustomType)> for CustomColumn {
    fn from((number, name, custom_type): (u64, String, CustomType)) -> Self {
        Self { number, name, custom_type }
    }
}

impl From<CustomColumn> for (u64, String, CustomType) {
    fn from(column: CustomColumn) -> Self {
        (column.number, column.name, column.custom_type)
    }
}

/// The columns of a run: the fixed ones of the catalogue and one per custom field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct IssueSchema {
    custom: Vec<CustomColumn>,
    /// Whether the site sends documents where Server sends texts. Found anew whenever a run is begun or resumed.
    #[serde(skip)]
    is_cloud: bool,
}

impl IssueSchema {
    /// As [`Self::beside`], for a table that has no columns yet.
    ///
    /// # Errors
    /// When the text is no JSON list.
    #[cfg(test)]
    pub(crate) fn from_field_answer(json: &str) -> Result<Self, DecodeError> {
        Self::beside(json, &Landed::default())
    }

    /// Reads the answer of `/field`. No column takes a name under which another field, or a value of another type, landed before.
    ///
    /// # Errors
    /// When the text is no JSON list.
    pub(crate) fn beside(json: &str, landed: &Landed) -> Result<Self, DecodeError> {
        const WHAT: &str = "the list of fields";
        let fields: Vec<Value> =
            serde_json::from_str(json).map_err(|error| DecodeError::json(WHAT, &error))?;
        let mut found: Vec<_> = fields.iter().filter_map(custom_field).collect();
        found.sort_by_key(|(number, ..)| *number);
        found.dedup_by_key(|(number, ..)| *number);
        let mut taken: HashSet<String> = issues::SPEC.columns.iter().map(|c| c.name.to_owned()).collect();
        let mut custom = Vec::with_capacity(found.len());
        for (number, field_name, custom_type) in found {
            let mut name = column_name(field_name);
            while landed.is_taken(&name, number, custom_type) || !taken.insert(name.clone()) {
                name = format!("{name}_{number}");
            }
            custom.push(CustomColumn { number, name, custom_type });
        }
        Ok(Self { custom, is_cloud: false })
    }

    /// The same, of a site of this kind.
    #[must_use]
    pub(crate) fn on_cloud(mut self, is_cloud: bool) -> Self {
        self.is_cloud = is_cloud;
        self
    }

    /// Whether the site sends documents where Server sends texts.
    pub(crate) fn is_cloud(&self) -> bool {
        self.is_cloud
    }

    pub(crate) fn custom(&self) -> &[CustomColumn] {
        &self.custom
    }

    /// The custom field of a type of which only the first counts.
    pub(crate) fn only(&self, custom_type: CustomType) -> Option<&CustomColumn> {
        self.custom.iter().find(|column| column.custom_type == custom_type)
    }

    /// Column by field id, for the `fields` table.
    pub(crate) fn names_by_field(&self) -> HashMap<String, String> {
        self.custom.iter().map(|column| (column.field_id(), column.name.clone())).collect()
    }

    /// How many columns a part of the table has.
    pub(crate) fn column_count(&self, table: Table) -> usize {
        let custom = if table == Table::Issues { self.custom.len() } else { 0 };
        table.spec().columns.len() + custom
    }
}

/// Number, name and type of a custom field; `None` for a system field.
fn custom_field(field: &Value) -> Option<(u64, &str, CustomType)> {
    if field.get("custom") != Some(&Value::Bool(true)) {
        return None;
    }
    let digits = field.get("id")?.as_str()?.strip_prefix("customfield_")?;
    let number: u64 = digits.parse().ok()?;
    if number.to_string() != digits {
        return None;
    }
    let name = field.get("name").and_then(Value::as_str).unwrap_or_default();
    let said = |what: &str| field.get("schema").and_then(|schema| schema.get(what)).and_then(Value::as_str);
    Some((number, name, CustomType::of_schema(said("type").unwrap_or("any"), said("items"), said("custom"))))
}

/// The name of a column before fields of one name were told apart by their numbers, or a field from itself when it changed its type.
pub(crate) fn asked_name(column: &CustomColumn) -> &str {
    let number = format!("_{}", column.number);
    let mut name = column.name.as_str();
    while let Some(shorter) = name.strip_suffix(&number) {
        name = shorter;
    }
    name
}

/// The column name that a field's name asks for: lower case, `_` between words.
pub(crate) fn column_name(field_name: &str) -> String {
    let mut name = String::with_capacity(field_name.len());
    for letter in field_name.to_lowercase().chars() {
        if letter.is_alphanumeric() {
            name.push(letter);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    if name.ends_with('_') {
        name.pop();
    }
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert_str(0, "field_");
    }
    name
}

#[cfg(test)]
mod tests;
