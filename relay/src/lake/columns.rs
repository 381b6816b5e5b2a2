//! Columns of parts and of tables: which types there are, what they are called in each format, and how a table's schema grows.

use super::error::{LakeError, PartFault};
use delta_kernel::schema::{DataType, MetadataValue, PrimitiveType, StructField, StructType};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::schema::types::ColumnDescriptor;
use serde::Deserialize;
use std::fmt;

/// The footer's entry that says which Jira field a column holds.
pub(crate) const NOTES_KEY: &str = "uplink.columns";
/// The column of every issue table by which delta loads replace rows.
pub(crate) const ISSUE_ID: &str = "issue_id";

const FIELD_ID_KEY: &str = "jira.field_id";
const NOTE_KEY: &str = "uplink.type";
const MASK_KEY: &str = "uplink.mask";
/// Longest name of a column.
const NAME_BYTES_MAX: usize = 255;

/// What a column of our tables holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    I64,
    F64,
    Text,
    Bool,
    Date,
    Timestamp,
}

impl Kind {
    /// The type of a Parquet column; `None` for types that our tables do not have.
    pub(crate) fn of(column: &ColumnDescriptor) -> Option<Self> {
        if column.max_rep_level() > 0 {
            return None;
        }
        match (column.physical_type(), column.logical_type_ref()) {
            (PhysicalType::INT64, Some(LogicalType::Timestamp(time))) => {
                (time.is_adjusted_to_u_t_c && time.unit == TimeUnit::MICROS).then_some(Self::Timestamp)
            }
            (PhysicalType::INT64, Some(LogicalType::Integer(int))) => {
                (int.bit_width == 64 && int.is_signed).then_some(Self::I64)
            }
            (PhysicalType::INT64, None) => match column.converted_type() {
                ConvertedType::NONE | ConvertedType::INT_64 => Some(Self::I64),
                ConvertedType::TIMESTAMP_MICROS => Some(Self::Timestamp),
                _ => None,
            },
            (PhysicalType::DOUBLE, None) => Some(Self::F64),
            (PhysicalType::BOOLEAN, None) => Some(Self::Bool),
            (PhysicalType::INT32, Some(LogicalType::Date)) => Some(Self::Date),
            (PhysicalType::INT32, None) if column.converted_type() == ConvertedType::DATE => Some(Self::Date),
            (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)) => Some(Self::Text),
            (PhysicalType::BYTE_ARRAY, None) if column.converted_type() == ConvertedType::UTF8 => {
                Some(Self::Text)
            }
            _ => None,
        }
    }

    fn delta(self) -> DataType {
        match self {
            Self::I64 => DataType::LONG,
            Self::F64 => DataType::DOUBLE,
            Self::Text => DataType::STRING,
            Self::Bool => DataType::BOOLEAN,
            Self::Date => DataType::DATE,
            Self::Timestamp => DataType::TIMESTAMP,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::I64 => "i64",
            Self::F64 => "f64",
            Self::Text => "text",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A column of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The type's name in the part's own notes (`json` is text to Parquet).
    pub(crate) note: Option<String>,
    /// Jira's id of the field.
    pub(crate) field_id: Option<String>,
    /// How the premises hashed its values.
    pub(crate) mask: Option<String>,
}

impl Column {
    pub(crate) fn try_new(column: &ColumnDescriptor) -> Result<Self, PartFault> {
        let name = column.name();
        let refused = |c: char| matches!(c, ' ' | ',' | ';' | '{' | '}' | '(' | ')' | '=') || c.is_control();
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(refused) {
            return Err(PartFault::ColumnName(name.chars().take(NAME_BYTES_MAX).collect()));
        }
        let kind = Kind::of(column).ok_or_else(|| PartFault::ColumnType {
            column: name.to_owned(),
            found: format!("{:?} {:?}", column.physical_type(), column.logical_type_ref()),
        })?;
        Ok(Self { name: name.to_owned(), kind, note: None, field_id: None, mask: None })
    }

    fn field(&self) -> StructField {
        let field_id = self.field_id.as_ref().map(|id| (FIELD_ID_KEY, id.as_str()));
        let mask = self.mask.as_ref().map(|mask| (MASK_KEY, mask.as_str()));
        let note = self.note.as_deref().filter(|note| *note != self.kind.name()).map(|note| (NOTE_KEY, note));
        // Every column is nullable in the table, so that a later run may come without it.
        StructField::nullable(&self.name, self.kind.delta()).with_metadata(
            field_id
                .into_iter()
                .chain(note)
                .chain(mask)
                .map(|(key, value)| (key, MetadataValue::from(value))),
        )
    }
}

/// One column in the footer's entry.
#[derive(Debug, Deserialize)]
struct Note {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    field_id: Option<String>,
    #[serde(default)]
    mask: Option<String>,
}

/// Adds the notes of the footer's entry to the columns that it describes.
pub(crate) fn annotate(columns: &mut [Column], notes: &str) -> Result<(), PartFault> {
    let notes: Vec<Note> =
        serde_json::from_str(notes).map_err(|error| PartFault::ColumnNotes(error.to_string()))?;
    if notes.len() != columns.len() {
        return Err(PartFault::ColumnNotes(format!("{} notes for {} columns", notes.len(), columns.len())));
    }
    for (column, note) in columns.iter_mut().zip(notes) {
        if column.name != note.name {
            return Err(PartFault::ColumnNotes(format!("`{}` where `{}` was due", note.name, column.name)));
        }
        column.note = Some(note.kind);
        column.field_id = note.field_id;
        column.mask = note.mask;
    }
    Ok(())
}

/// Columns of several parts of one table, in the order in which they were met.
#[derive(Debug, Default)]
pub(crate) struct Columns(Vec<Column>);

impl Columns {
    /// Adds what a part has beyond the earlier ones.
    pub(crate) fn extend(&mut self, table: &str, columns: &[Column]) -> Result<(), LakeError> {
        for column in columns {
            match self.0.iter().find(|known| same_name(&known.name, &column.name)) {
                None => self.0.push(column.clone()),
                Some(known) if known.name == column.name && known.kind == column.kind => {
                    same_mask(table, column, known.mask.as_deref())?;
                }
                Some(known) => {
                    return Err(changed(table, &column.name, named(&known.name, known.kind), column));
                }
            }
        }
        Ok(())
    }

    /// The schema of a new table.
    pub(crate) fn fields(&self) -> Vec<StructField> {
        self.0.iter().map(Column::field).collect()
    }

    /// The fields that the parts add to a table. Columns that the parts lack stay in the table.
    pub(crate) fn growth(&self, table: &str, schema: &StructType) -> Result<Vec<StructField>, LakeError> {
        let mut added = Vec::new();
        for column in &self.0 {
            match schema.fields().find(|field| same_name(&field.name, &column.name)) {
                None => added.push(column.field()),
                Some(field) if field.name == column.name && field.data_type == column.kind.delta() => {
                    same_mask(table, column, text_of(field, MASK_KEY))?;
                }
                Some(field) => {
                    let was = format!("{} as `{}`", type_name(&field.data_type), field.name);
                    return Err(changed(table, &column.name, was, column));
                }
            }
        }
        Ok(added)
    }
}

/// Clear values and hashes of different keys never share a column.
fn same_mask(table: &str, column: &Column, was: Option<&str>) -> Result<(), LakeError> {
    if column.mask.as_deref() == was {
        return Ok(());
    }
    let named = |mask: Option<&str>| mask.unwrap_or("in clear").to_owned();
    Err(LakeError::Mask {
        table: table.to_owned(),
        column: column.name.clone(),
        was: named(was),
        now: named(column.mask.as_deref()),
    })
}

fn text_of<'f>(field: &'f StructField, key: &str) -> Option<&'f str> {
    match field.metadata.get(key) {
        Some(MetadataValue::String(text)) => Some(text),
        _ => None,
    }
}

/// Delta and most engines take two names that differ in case only for one.
fn same_name(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

fn named(name: &str, kind: Kind) -> String {
    format!("{kind} as `{name}`")
}

fn changed(table: &str, column: &str, was: String, now: &Column) -> LakeError {
    LakeError::ColumnType {
        table: table.to_owned(),
        column: column.to_owned(),
        was,
        now: named(&now.name, now.kind),
    }
}

/// What a table's column is called to a person: our names where they fit, Delta's otherwise.
pub(crate) fn describe(field: &StructField) -> Described {
    let text = |key: &str| text_of(field, key).map(str::to_owned);
    Described {
        type_name: text(NOTE_KEY).unwrap_or_else(|| type_name(&field.data_type)),
        field_id: text(FIELD_ID_KEY),
        mask: text(MASK_KEY),
    }
}

/// What a person is told of a column.
pub(crate) struct Described {
    pub(crate) type_name: String,
    /// Jira's id of the field.
    pub(crate) field_id: Option<String>,
    /// How the premises hashed its values.
    pub(crate) mask: Option<String>,
}

fn type_name(data_type: &DataType) -> String {
    let kind = match data_type {
        DataType::Primitive(PrimitiveType::Long) => Kind::I64,
        DataType::Primitive(PrimitiveType::Double) => Kind::F64,
        DataType::Primitive(PrimitiveType::String) => Kind::Text,
        DataType::Primitive(PrimitiveType::Boolean) => Kind::Bool,
        DataType::Primitive(PrimitiveType::Date) => Kind::Date,
        DataType::Primitive(PrimitiveType::Timestamp) => Kind::Timestamp,
        other => return other.to_string(),
    };
    kind.name().to_owned()
}
