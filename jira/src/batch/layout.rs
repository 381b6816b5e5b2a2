//! The columns of a table in a run: what the catalogue fixes and what the site's custom fields add.

use crate::fields::IssueSchema;
use crate::mask::Masking;
use crate::part::PartColumn;
use crate::tables::{ColumnType, REPLACED_COLUMN, Table};

/// The cells of a row while it is read: every column of the part, then the helpers.
pub(super) fn types(table: Table, schema: &IssueSchema) -> impl Iterator<Item = ColumnType> {
    let spec = table.spec();
    let custom = if table == Table::Issues { schema.custom() } else { &[] };
    let fixed = spec.columns.iter().map(|column| column.column_type);
    let custom = custom.iter().map(|column| column.custom_type.column_type());
    fixed.chain(custom).chain(spec.helpers.iter().map(|column| column.column_type))
}

/// The columns of a part: without those that do not leave, and as the others leave.
pub(crate) fn columns(table: Table, schema: &IssueSchema, masking: &Masking) -> Vec<PartColumn> {
    let masked = |(place, mut column): (usize, PartColumn)| {
        let mask = masking.column(table, place);
        column.column_type = mask.column_type(column.column_type);
        column.mask = mask.label();
        masking.leaves(table, place).then_some(column)
    };
    clear_columns(table, schema).into_iter().enumerate().filter_map(masked).collect()
}

fn clear_columns(table: Table, schema: &IssueSchema) -> Vec<PartColumn> {
    let spec = table.spec();
    let fixed = spec.columns.iter().map(|column| PartColumn {
        name: column.name.to_owned(),
        column_type: column.column_type,
        field_id: None,
        mask: None,
        is_key: spec.key.contains(&column.name),
        is_varied: column.column_type == ColumnType::Timestamp || spec.varied.contains(&column.name),
    });
    let custom = if table == Table::Issues { schema.custom() } else { &[] };
    let custom = custom.iter().map(|column| PartColumn {
        name: column.name.clone(),
        column_type: column.custom_type.column_type(),
        field_id: Some(column.field_id()),
        mask: None,
        is_key: false,
        is_varied: false,
    });
    fixed.chain(custom).collect()
}

/// The only column of `_replaced`.
pub(super) fn replaced_column() -> PartColumn {
    PartColumn {
        name: REPLACED_COLUMN.to_owned(),
        column_type: ColumnType::I64,
        field_id: None,
        mask: None,
        is_key: true,
        is_varied: true,
    }
}

/// What is said of a value that fitted no cell of the column.
pub(super) fn misfit_message(table: Table, schema: &IssueSchema, column: usize) -> String {
    let fixed = table.spec().columns;
    let (name, field, column_type) = match fixed.get(column) {
        Some(column) => (column.name, String::new(), column.column_type),
        None => match column.checked_sub(fixed.len()).and_then(|place| schema.custom().get(place)) {
            Some(custom) => {
                let field = format!(" ({})", custom.field_id());
                (custom.name.as_str(), field, custom.custom_type.column_type())
            }
            None => ("?", String::new(), ColumnType::Text),
        },
    };
    let expected = match column_type {
        ColumnType::I64 => "whole numbers",
        ColumnType::F64 => "numbers",
        ColumnType::Text | ColumnType::Json => "texts",
        ColumnType::Bool => "true or false",
        ColumnType::Date => "days",
        ColumnType::Timestamp => "times",
    };
    format!("values of {table}.{name}{field} that are no {expected} were left null")
}
