//! Columns that do not leave as they are: dropped, or pseudonymised by a hash, before any batch exists.
//!
//! A hashed column is text, whatever it was; null stays null. A list is hashed element by element, any other JSON value as a whole.
//! The hash is over the text that the clear column would hold, and over nothing else, so that equal values of different columns and
//! tables stay equal and can be joined.
//!
//! The history of an issue tells old and new values of its fields: a change of a masked field is masked like the field, see [`changes`].

mod again;
mod changes;
mod hash;
mod json;
mod narrowing;
mod rule;

pub use hash::{Hasher, KEY_BYTES_MIN, fingerprint};
pub use narrowing::Narrowing;
pub use rule::{ColumnSelector, Mask, MaskRule, Masks};

use crate::columns::Unchosen;
use crate::fields::{CustomType, IssueSchema};
use crate::rows::RowBuffer;
use crate::tables::{ColumnType, Table, agile, agile_issues, links, metadata, service_desk, site};
use crate::warning::Warning;
use again::Values;
use arrow_array::ArrayRef;
use arrow_schema::ArrowError;
use changes::{Changes, stricter};
use json::Form;
use std::collections::{BTreeMap, BTreeSet};

/// What happens to one column of a run.
#[derive(Clone, Debug, Default)]
pub(crate) enum ColumnMask {
    /// It leaves as it is.
    #[default]
    Keep,
    /// It does not leave.
    Drop,
    /// It leaves hashed.
    Hash(Hasher, Form),
    /// Values that describe people leave hashed, others as they are: nobody knows what the plugin of such a field puts into it.
    HashPeople(Hasher),
}

/// The masks of a run and its choice of columns, settled for the columns that the site has.
#[derive(Debug, Default)]
pub(crate) struct Masking {
    tables: BTreeMap<Table, Vec<ColumnMask>>,
    /// As the premises alone mask them, to tell what was done by their order.
    ordered: BTreeMap<Table, Vec<ColumnMask>>,
    unchosen: Unchosen,
    changes: Option<Changes>,
    values: Values,
    unmatched: Vec<String>,
    narrowing: Narrowing,
}

impl Masking {
    /// Settles what is narrowed, and what a user wants hashed and has not chosen, for the columns that this site has.
    pub(crate) fn settle(
        narrowing: Narrowing,
        pseudonyms: &Masks,
        unchosen: Unchosen,
        schema: &IssueSchema,
    ) -> Self {
        let masks = &narrowing.masks_with(pseudonyms);
        if masks.is_empty() {
            return Self { unchosen, narrowing, ..Self::default() };
        }
        let settled = |masks: &Masks| -> BTreeMap<Table, Vec<ColumnMask>> {
            Table::all().iter().map(|&table| (table, columns_of(masks, table, schema))).collect()
        };
        let tables = settled(masks);
        let ordered = if pseudonyms.is_empty() { tables.clone() } else { settled(&narrowing.masks) };
        let changes = Changes::settle(masks, schema, &tables);
        let values = Values::settle(schema, tables.get(&Table::Issues).map_or(&[], Vec::as_slice));
        let unmatched = masks.unmatched(schema);
        Self { tables, ordered, unchosen, changes, values, unmatched, narrowing }
    }

    /// Whether a row of a site's metadata may leave.
    pub(crate) fn permits_metadata(&self, table: Table, buffer: &RowBuffer, row: usize) -> bool {
        match table {
            Table::Projects => self.narrowing.permits_row_of(buffer.text_at(metadata::PROJECT_KEY, row)),
            // On Server a board does not say its project; there only those of the permitted ones are asked for.
            Table::Boards => {
                let key = buffer.text_at(agile::BOARD_PROJECT_KEY, row);
                key.is_none_or(|key| self.narrowing.permits_project(key))
            }
            Table::ServiceDesks => {
                self.narrowing.permits_row_of(buffer.text_at(service_desk::DESK_PROJECT_KEY, row))
            }
            // A board of a permitted project may show issues of others.
            Table::BoardIssues | Table::BacklogIssues | Table::SprintIssues => {
                let key = buffer.text_at(agile_issues::ISSUE_KEY, row).and_then(|key| key.rsplit_once('-'));
                self.narrowing.permits_row_of(key.map(|(project, _)| project))
            }
            // A board shows issues of other projects too.
            Table::Epics => {
                let key = buffer.text_at(site::EPIC_KEY, row).and_then(|key| key.rsplit_once('-'));
                self.narrowing.permits_row_of(key.map(|(project, _)| project))
            }
            _ => true,
        }
    }

    /// Takes issues of projects that may not leave out of the rows of links. Gives how many.
    pub(crate) fn blank_linked(&self, table: Table, buffer: &mut RowBuffer) -> u64 {
        if table != Table::IssueLinks || !self.narrowing.has_projects() {
            return 0;
        }
        let project = |row: usize| {
            buffer.text_at(links::OTHER_KEY, row).and_then(|key| key.rsplit_once('-')).map(|(key, _)| key)
        };
        let foreign: Vec<usize> = (0..buffer.rows())
            .filter(|&row| buffer.is_set(links::OTHER_ID, row) || project(row).is_some())
            .filter(|&row| !self.narrowing.permits_row_of(project(row)))
            .collect();
        buffer.blank(links::OTHER_ID, &foreign);
        buffer.blank(links::OTHER_KEY, &foreign);
        u64::try_from(foreign.len()).unwrap_or(u64::MAX)
    }

    /// What happens to the column at `place` of a table.
    pub(crate) fn column(&self, table: Table, place: usize) -> &ColumnMask {
        const KEEP: &ColumnMask = &ColumnMask::Keep;
        self.tables.get(&table).and_then(|columns| columns.get(place)).unwrap_or(KEEP)
    }

    /// The mask of the values of a field that the history calls so.
    pub(crate) fn of_change(&self, field: &str, field_type: &str) -> Option<&Mask> {
        self.changes.as_ref()?.of(field, field_type)
    }

    /// Whether the column at `place` may not leave.
    pub(crate) fn drops(&self, table: Table, place: usize) -> bool {
        matches!(self.column(table, place), ColumnMask::Drop)
    }

    /// Whether the column at `place` leaves: it may, and it is chosen.
    pub(crate) fn leaves(&self, table: Table, place: usize) -> bool {
        let left_out = self.unchosen.get(&table).and_then(|columns| columns.get(place));
        !self.drops(table, place) && left_out != Some(&true)
    }

    /// Whether a fixed column of a table leaves as it is.
    pub(crate) fn is_in_clear(&self, table: Table, column: &str) -> bool {
        let place = table.spec().columns.iter().position(|spec| spec.name == column);
        place.is_some_and(|place| {
            self.leaves(table, place) && matches!(self.column(table, place), ColumnMask::Keep)
        })
    }

    /// How many of a table's columns leave.
    pub(crate) fn leaving(&self, table: Table, columns: usize) -> usize {
        (0..columns).filter(|place| self.leaves(table, *place)).count()
    }

    /// How many columns of a table the premises leave out.
    fn dropped(&self, table: Table) -> usize {
        self.count(table, |mask| matches!(mask, ColumnMask::Drop))
    }

    /// How many columns of a table the premises hash.
    fn hashed(&self, table: Table) -> usize {
        self.count(table, |mask| matches!(mask, ColumnMask::Hash(..) | ColumnMask::HashPeople(_)))
    }

    fn count(&self, table: Table, wanted: impl Fn(&ColumnMask) -> bool) -> usize {
        self.ordered.get(&table).map_or(0, |columns| columns.iter().filter(|mask| wanted(mask)).count())
    }

    /// What was narrowed of the columns of these tables, for the run's result.
    pub(crate) fn notes(&self, tables: &BTreeSet<Table>) -> Vec<Warning> {
        let of = |code: &str, message: String, count: usize| Warning {
            code: code.to_owned(),
            message,
            count: u64::try_from(count).unwrap_or(u64::MAX),
        };
        let mut notes = Vec::new();
        for &table in tables {
            for (count, code, what) in [
                (self.dropped(table), "policy_columns_dropped", "left out"),
                (self.hashed(table), "policy_columns_hashed", "hashed"),
            ] {
                if count > 0 {
                    notes.push(of(
                        code,
                        format!("columns of {table} were {what} by order of the premises"),
                        count,
                    ));
                }
            }
        }
        for selector in &self.unmatched {
            notes.push(of(
                "policy_mask_unmatched",
                format!("a mask names `{selector}`, which this Jira does not have"),
                1,
            ));
        }
        notes
    }

    /// Hands out the rows of a table as arrays, masked, and starts the buffer empty.
    pub(crate) fn take(
        &self,
        table: Table,
        buffer: &mut RowBuffer,
        visible: usize,
    ) -> Result<Vec<ArrayRef>, ArrowError> {
        if table == Table::IssueChangelog
            && let Some(changes) = &self.changes
        {
            changes.apply(buffer);
        }
        if table == Table::IssueCustomValues {
            self.values.apply(buffer);
        }
        for place in (0..visible).filter(|place| self.leaves(table, *place)) {
            match self.column(table, place) {
                ColumnMask::Keep | ColumnMask::Drop => {}
                // The texts of a derived table were masked when they were derived.
                _ if table.is_derived() && table.spec().columns[place].column_type == ColumnType::Text => {}
                ColumnMask::Hash(hasher, form) => {
                    buffer.map_text(place, |text, out| form.write(hasher, text, out));
                }
                ColumnMask::HashPeople(hasher) => buffer.map_text(place, |text, out| {
                    if json::describes_people(text) {
                        Form::Users.write(hasher, text, out);
                    } else {
                        out.push_str(text);
                    }
                }),
            }
        }
        buffer.take(visible, |place| self.leaves(table, place))
    }
}

impl ColumnMask {
    /// The type that a column has under this mask.
    pub(crate) fn column_type(&self, clear: ColumnType) -> ColumnType {
        match self {
            Self::Hash(..) if clear != ColumnType::Json => ColumnType::Text,
            Self::Hash(..) | Self::HashPeople(_) | Self::Keep | Self::Drop => clear,
        }
    }

    /// What the column's metadata says of it.
    pub(crate) fn label(&self) -> Option<String> {
        match self {
            Self::Keep | Self::Drop => None,
            Self::Hash(hasher, _) => Some(hasher.label().to_owned()),
            Self::HashPeople(hasher) => Some(format!("{} of people", hasher.label())),
        }
    }
}

/// What happens to a JSON column that may hold people.
fn people_in_json(masks: &Masks) -> ColumnMask {
    match masks.of_people() {
        Some(Mask::Drop) => ColumnMask::Drop,
        Some(Mask::Hash(hasher)) => ColumnMask::HashPeople(hasher.clone()),
        None => ColumnMask::Keep,
    }
}

fn columns_of(masks: &Masks, table: Table, schema: &IssueSchema) -> Vec<ColumnMask> {
    let fixed = table.spec().columns.iter().map(|column| {
        let form = if column.column_type == ColumnType::Json { Form::Json } else { Form::Plain };
        match again::of_column(masks, table, column, schema) {
            // Nobody knows what a plugin keeps in a property.
            None if table == Table::IssueProperties && column.column_type == ColumnType::Json => {
                people_in_json(masks)
            }
            None => ColumnMask::Keep,
            Some(Mask::Drop) => ColumnMask::Drop,
            Some(Mask::Hash(hasher)) => ColumnMask::Hash(hasher, form),
        }
    });
    let custom = if table == Table::Issues { schema.custom() } else { &[] };
    let custom = custom.iter().map(|column| {
        let form = match column.custom_type {
            CustomType::Users => Form::Users,
            json if json.column_type() == ColumnType::Json => Form::Json,
            _ => Form::Plain,
        };
        match masks.of_custom(column) {
            Some(Mask::Drop) => ColumnMask::Drop,
            Some(Mask::Hash(hasher)) => ColumnMask::Hash(hasher.clone(), form),
            None if column.custom_type.column_type() == ColumnType::Json => people_in_json(masks),
            None => ColumnMask::Keep,
        }
    });
    fixed.chain(custom).collect()
}

#[cfg(test)]
mod tests;
