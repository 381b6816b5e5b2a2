//! Values of an issue that other tables hold once more: what is masked in `issues` is masked there too.

use crate::fields::{CustomType, IssueSchema};
use crate::mask::json::describes_people;
use crate::mask::rule::{Mask, Masks};
use crate::mask::{ColumnMask, stricter};
use crate::rows::RowBuffer;
use crate::tables::{ColumnSpec, Table, issue_custom_values as values};
use std::collections::HashMap;

/// Columns, each with the columns of `issues` that hold the same values.
const AGAIN: &[(Table, &str, &[&str])] = &[
    (Table::IssueLabels, "label", &["labels"]),
    (Table::IssueSubtasks, "issue_key", &["issue_key"]),
    (Table::IssueSubtasks, "parent_id", &["parent_id"]),
    (Table::IssueSubtasks, "parent_key", &["parent_key", "issue_key"]),
    (Table::Labels, "label", &["labels"]),
    (Table::Epics, "epic_key", &["issue_key"]),
    (Table::Epics, "summary", &["summary"]),
    // The name of an epic is its summary on newer sites.
    (Table::Epics, "name", &["summary"]),
];

/// Tables of which nothing may leave when one of these columns of `issues` is masked: their keys would tell it all the same.
const TELLING: &[(Table, &[&str])] = &[
    (Table::IssueComponents, &["components"]),
    (Table::IssueWatchers, &["watches"]),
    (Table::IssueVotes, &["votes"]),
    (Table::IssueVersions, &["fix_versions", "affects_versions"]),
];

/// The mask of a fixed column, its own or that of what it repeats.
pub(super) fn of_column(
    masks: &Masks,
    table: Table,
    column: &ColumnSpec,
    schema: &IssueSchema,
) -> Option<Mask> {
    let own = masks.of_fixed(table, column).cloned();
    let repeated = AGAIN.iter().filter(|(of, name, _)| *of == table && *name == column.name);
    let of_issues = repeated.flat_map(|(_, _, names)| *names).map(|name| of_issue_column(masks, name));
    let of_field = custom_type_behind(table, column)
        .and_then(|custom_type| masks.of_custom(schema.only(custom_type)?))
        .cloned();
    of_issues.fold(stricter(own, of_field), stricter)
}

/// The custom field whose value a fixed column tells.
fn custom_type_behind(table: Table, column: &ColumnSpec) -> Option<CustomType> {
    let is_key = table.key_columns().contains(&column.name);
    match table {
        Table::Issues if column.name == "epic_key" => Some(CustomType::EpicLink),
        Table::IssueSprints if !is_key => Some(CustomType::Sprints),
        _ => None,
    }
}

fn of_issue_column(masks: &Masks, name: &str) -> Option<Mask> {
    let column = Table::Issues.spec().columns.iter().find(|column| column.name == name)?;
    masks.of_fixed(Table::Issues, column).cloned()
}

/// Whether a table would tell what is masked in `issues`, whatever were done to its columns.
pub(super) fn tells(masks: &Masks, table: Table) -> bool {
    let telling = TELLING.iter().filter(|(of, _)| *of == table).flat_map(|(_, names)| *names);
    let is_dropped = |mask: Option<Mask>| mask == Some(Mask::Drop);
    telling.into_iter().any(|name| of_issue_column(masks, name).is_some())
        || (matches!(table, Table::IssueLabels | Table::Labels)
            && is_dropped(of_issue_column(masks, "labels")))
}

/// The masks of custom fields that hold several values, by the id of the field.
#[derive(Debug, Default)]
pub(super) struct Values(HashMap<String, ColumnMask>);

impl Values {
    /// From the masks of the columns of `issues`.
    pub(super) fn settle(schema: &IssueSchema, issues: &[ColumnMask]) -> Self {
        let masks = issues.iter().skip(Table::Issues.spec().columns.len());
        let masked = schema.custom().iter().zip(masks).filter(|(_, mask)| !matches!(mask, ColumnMask::Keep));
        Self(masked.map(|(field, mask)| (field.field_id(), mask.clone())).collect())
    }

    /// Masks the values of every row whose field is masked: what tells a value is hashed, and what cannot be is null.
    pub(super) fn apply(&self, buffer: &mut RowBuffer) {
        if self.0.is_empty() {
            return;
        }
        let masks: Vec<Option<&ColumnMask>> =
            (0..buffer.rows()).map(|row| self.of_row(buffer, row)).collect();
        let masked: Vec<usize> = (0..masks.len()).filter(|&row| masks[row].is_some()).collect();
        if masked.is_empty() {
            return;
        }
        // A person is told by the id, which is hashed as in every column of people; anything else as in the list of the issue's row.
        let whole: Vec<Option<String>> = masked.iter().map(|&row| told_by(buffer, row)).collect();
        for column in [values::VALUE_NUM, values::VALUE_TS, values::VALUE_ID, values::VALUE_JSON] {
            buffer.blank(column, &masked);
        }
        buffer.rewrite_text(values::VALUE_TEXT, |row, text, out| {
            let Ok(place) = masked.binary_search(&row) else {
                out.push_str(text);
                return true;
            };
            match masks[row] {
                Some(ColumnMask::Hash(hasher, _) | ColumnMask::HashPeople(hasher)) => {
                    hasher.write(whole[place].as_deref().unwrap_or(text), out);
                    true
                }
                Some(ColumnMask::Drop | ColumnMask::Keep) | None => false,
            }
        });
    }

    fn of_row(&self, buffer: &RowBuffer, row: usize) -> Option<&ColumnMask> {
        let mask = self.0.get(buffer.text_at(values::FIELD_ID, row)?)?;
        let is_about = match mask {
            ColumnMask::HashPeople(_) => {
                buffer.text_at(values::VALUE_JSON, row).is_some_and(describes_people)
            }
            ColumnMask::Drop | ColumnMask::Hash(..) | ColumnMask::Keep => true,
        };
        is_about.then_some(mask)
    }
}

/// The text of which a masked value's hash is taken: the user id of a person, else the value as JSON sends it.
fn told_by(buffer: &RowBuffer, row: usize) -> Option<String> {
    let json = buffer.text_at(values::VALUE_JSON, row)?;
    let told = if describes_people(json) { buffer.text_at(values::VALUE_ID, row) } else { Some(json) };
    told.map(str::to_owned)
}
