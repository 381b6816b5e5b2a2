//! Rows of the site's metadata: lists whose elements are told apart by their keys.

use super::{Sink, WITHHELD_ISSUES, WITHHELD_PROJECTS, layout};
use crate::client::allow::Of;
use crate::decode::{MetadataPage, RowList, Shape, Trees, read_rows};
use crate::rows::Cell;
use crate::rows::RowBuffer;
use crate::tables::origin::{Each, Origin};
use crate::tables::{Table, metadata, site};
use crate::undecodable::DecodeError;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Rows of one table of the site's metadata.
pub(super) struct Metadata {
    shape: Shape,
    pub(super) buffer: RowBuffer,
    /// The places of the key columns.
    key: Vec<usize>,
    /// Hashes of the keys so far: people change while their pages are read, and then one comes twice.
    seen: HashSet<u64>,
}

impl Metadata {
    fn new(table: Table, buffer: RowBuffer) -> Self {
        let spec = table.spec();
        let place = |name: &&str| spec.columns.iter().position(|column| column.name == *name);
        let key = spec.key.iter().filter_map(place).collect();
        Self { shape: Trees::of_metadata(table), buffer, key, seen: HashSet::new() }
    }
}

impl Sink {
    /// Reads a list of the site's metadata: bare, in a frame, or below the members that the table's origin names. `of` is the id of what it was
    /// asked for. An element whose key came before is no second row. The table gets a part even if it stays without rows.
    ///
    /// # Errors
    /// When the answer is cut, no JSON, or no list, or the table is no metadata table.
    pub(crate) fn metadata(
        &mut self,
        table: Table,
        of: &Of,
        json: &str,
    ) -> Result<MetadataPage, DecodeError> {
        self.metadata_from(table, (of, 0), json)
    }

    /// The same, of a page before which there are so many elements.
    ///
    /// # Errors
    /// As [`Self::metadata`].
    pub(crate) fn metadata_from(
        &mut self,
        table: Table,
        (of, start_at): (&Of, u64),
        json: &str,
    ) -> Result<MetadataPage, DecodeError> {
        const WHAT: &str = "a list of metadata";
        if table.is_issue_table() {
            return Err(DecodeError::Shape { what: WHAT, detail: format!("{table} is read from searches") });
        }
        let names = if table == Table::Fields { self.schema.names_by_field() } else { HashMap::new() };
        let types = layout::types(table, &self.schema);
        let entry = self.metadata.entry(table);
        let Metadata { shape, buffer, key, seen } =
            entry.or_insert_with(|| Metadata::new(table, RowBuffer::new(types)));
        let (mut without_id, mut withheld) = (0, 0);
        let mut fresh = HashSet::new();
        let masking = &self.masking;
        let origin = Origin::of(table, self.schema.is_cloud()).unwrap_or(&Origin::LIST);
        let (base, mut ordinal) = (buffer.rows(), start_at);
        let keep = &mut |buffer: &mut RowBuffer, row: usize| {
            let at = ordinal;
            ordinal += 1;
            if !masking.permits_metadata(table, buffer, row) {
                withheld += 1;
                return false;
            }
            complete(table, buffer, row, &names);
            place(origin, buffer, (of, at), row);
            let has_key = key.iter().all(|&column| buffer.is_set(column, row));
            without_id += u64::from(!has_key);
            has_key && {
                let hash = key_hash(buffer, key, row);
                !seen.contains(&hash) && fresh.insert(hash)
            }
        };
        let mut page = read_rows(WHAT, json, origin.list, RowList { shape, buffer, base, keep })?;
        page.fresh = u64::try_from(fresh.len()).unwrap_or(u64::MAX);
        seen.extend(fresh);
        self.notes.without_id += without_id;
        if withheld > 0 {
            let is_of_issues = matches!(
                table,
                Table::Epics | Table::BoardIssues | Table::BacklogIssues | Table::SprintIssues
            );
            let (code, message) = if is_of_issues { WITHHELD_ISSUES } else { WITHHELD_PROJECTS };
            self.warnings.add(code, message, withheld);
        }
        self.even_empty.insert(table);
        self.settle()?;
        Ok(page)
    }
}

/// The cells that tell what the list was asked for, and where in it the row stands.
fn place(origin: &Origin, buffer: &mut RowBuffer, (of, at): (&Of, u64), row: usize) {
    let (first, second) = match of {
        Of::Site | Of::Name(_) => (None, None),
        Of::Id(id) => (Some(*id), None),
        Of::Pair(first, second) => (Some(*first), Some(*second)),
    };
    let is_field = matches!(origin.each, Each::CustomField | Each::ChoiceField | Each::ChoiceContext);
    match (origin.of_column, of, first) {
        (None, ..) => {}
        (Some(column), Of::Name(name), _) => buffer.put(column, row, Cell::Text(name)),
        (Some(column), _, Some(number)) if is_field => {
            buffer.put(column, row, Cell::Text(&format!("customfield_{number}")));
        }
        (Some(column), _, id) => buffer.put(column, row, id.map_or(Cell::Null, Cell::I64)),
    }
    if let Some(column) = origin.second_column {
        buffer.put(column, row, second.map_or(Cell::Null, Cell::I64));
    }
    if let Some(column) = origin.ordinal_column {
        let ordinal = i64::try_from(at).unwrap_or(i64::MAX);
        buffer.put(column, row, Cell::I64(ordinal));
    }
}

/// Cells of a metadata row that need more than one member.
fn complete(table: Table, buffer: &mut RowBuffer, row: usize, names: &HashMap<String, String>) {
    for (target, sources) in table.spec().first_of {
        if let Some(source) = sources.iter().find(|&&column| buffer.text_at(column, row).is_some()) {
            buffer.copy_text(*source, *target, row);
        }
    }
    match table {
        Table::Fields => {
            let name = buffer.text_at(metadata::FIELD_ID, row).and_then(|id| names.get(id));
            buffer.put(metadata::FIELD_COLUMN_NAME, row, name.map_or(Cell::Null, |name| Cell::Text(name)));
        }
        Table::AuditRecords if buffer.text_at(site::AUDIT_RECORD_ID_AS_SENT, row).is_some() => {
            buffer.copy_text(site::AUDIT_RECORD_ID_AS_SENT, site::AUDIT_RECORD_ID, row);
        }
        Table::AuditRecords => {
            let id = row_hash(table, buffer, row);
            buffer.put(site::AUDIT_RECORD_ID, row, Cell::Text(&id));
        }
        _ => {}
    }
}

/// What stands for the id of a row that Jira gives none: FNV-1a (128 bits) over its other cells, whole numbers as text and instants as
/// microseconds, each with a unit separator behind it. The same in every run.
fn row_hash(table: Table, buffer: &RowBuffer, row: usize) -> String {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut text = String::new();
    for column in 1..table.spec().columns.len() {
        if let Some(number) = buffer.i64_at(column, row) {
            text.push_str(&number.to_string());
        }
        text.push_str(buffer.text_at(column, row).unwrap_or_default());
        text.push('\u{1f}');
    }
    let first: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let hash = text.bytes().fold(first, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    format!("{hash:032x}")
}

fn key_hash(buffer: &RowBuffer, key: &[usize], row: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    for &column in key {
        (buffer.i64_at(column, row), buffer.text_at(column, row)).hash(&mut hasher);
    }
    hasher.finish()
}
