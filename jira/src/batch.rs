//! Rows of several tables on their way into the parts of one unit.
//!
//! A page counts whole or not at all: after an error the sink is as it was before the page. Rows are kept as plain columns until a
//! table, or all tables together, hold enough of them for a row group; then they are encoded at once.

mod heads;
mod layout;
mod metadata;
mod of_issue;

pub(crate) use heads::decode_heads;
pub(crate) use layout::columns as columns_of_part;

use crate::decode::{
    Asked, ElementRules, Envelope, IssueBuffers, IssueHead, IssueNotes, PageHead, RowList, Trees,
    keep_with_id, read_children, read_page,
};
use crate::derive::Deriver;
use crate::fields::IssueSchema;
use crate::mask::Masking;
use crate::part::{Part, PartWriter};
use crate::rows::RowBuffer;
use crate::tables::{ChildLists, REPLACED, Table, read_for};
use crate::undecodable::DecodeError;
use crate::unit::Place;
use crate::warning::{Warning, Warnings};
use arrow_array::{ArrayRef, Int64Array};
use metadata::Metadata;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Values of one table that make a row group: a reader holds one at a time.
const GROUP_BYTES: usize = 2 << 20;
/// Rows that make a row group even if they are small.
const GROUP_ROWS: usize = 1 << 15;
/// Values of all tables of a sink together; beyond it the largest is encoded. A run has several sinks open at once.
const BUFFERED_BYTES: usize = 4 << 20;

/// What the owner of the Jira withholds: (code, message). See [`Warning::is_policy`].
const WITHHELD_ISSUES: (&str, &str) =
    ("policy_issues_withheld", "issues of projects that the premises do not permit were left out");
const WITHHELD_PROJECTS: (&str, &str) = (
    "policy_projects_withheld",
    "projects that the premises do not permit were left out of the table projects",
);
const WITHHELD_LINKED: (&str, &str) = (
    "policy_links_withheld",
    "links to issues of projects that the premises do not permit were left without the other issue",
);

/// What a sink yields at its end.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The parts not taken before.
    pub(crate) parts: Vec<Part>,
    /// Rows by table, over all parts of the sink.
    pub(crate) rows: BTreeMap<String, u64>,
    pub(crate) warnings: Vec<Warning>,
}

/// Takes Jira's answers and yields the parts of one unit.
pub(crate) struct Sink {
    schema: Arc<IssueSchema>,
    masking: Arc<Masking>,
    place: Place,
    part_bytes: usize,
    first_rows: usize,
    trees: Trees,
    buffers: IssueBuffers,
    deriver: Deriver,
    selection: BTreeSet<Table>,
    metadata: BTreeMap<Table, Metadata>,
    writers: BTreeMap<Table, PartWriter>,
    replaced: Vec<i64>,
    ready: Vec<Part>,
    even_empty: BTreeSet<Table>,
    rows: BTreeMap<String, u64>,
    notes: IssueNotes,
    warnings: Warnings,
}

impl Sink {
    /// A sink for the selected issue tables; metadata tables are taken as they come.
    pub(crate) fn new(
        schema: Arc<IssueSchema>,
        selection: &BTreeSet<Table>,
        place: Place,
        part_bytes: usize,
    ) -> Self {
        let buffer = |table| RowBuffer::new(layout::types(table, &schema));
        let read = read_for(selection);
        let masking = Arc::<Masking>::default();
        let buffers = IssueBuffers::new(|table| read.contains(&table) && !table.is_derived(), buffer);
        Self {
            trees: Trees::new(&schema, |table| read.contains(&table)),
            deriver: Deriver::new(selection, &schema, &masking, buffer),
            selection: selection.clone(),
            schema,
            masking,
            place,
            part_bytes,
            first_rows: 0,
            buffers,
            metadata: BTreeMap::new(),
            writers: BTreeMap::new(),
            replaced: Vec::new(),
            ready: Vec::new(),
            even_empty: BTreeSet::new(),
            rows: BTreeMap::new(),
            notes: IssueNotes::default(),
            warnings: Warnings::default(),
        }
    }

    /// The same, masking what leaves; before any page is read.
    #[must_use]
    pub(crate) fn masked(mut self, masking: Arc<Masking>) -> Self {
        let schema = &self.schema;
        self.deriver = Deriver::new(&self.selection, schema, &masking, |table| {
            RowBuffer::new(layout::types(table, schema))
        });
        self.masking = masking;
        self
    }

    /// The same, with so many rows of each part beside it.
    #[must_use]
    pub(crate) fn showing(self, first_rows: usize) -> Self {
        Self { first_rows, ..self }
    }

    /// Reads a search answer. `accept` is asked once per issue before any of its rows is kept; false drops it and its children.
    ///
    /// # Errors
    /// When the answer is cut, no JSON, or lacks its frame, or an issue lacks id, key or creation time.
    pub(crate) fn issue_page(
        &mut self,
        json: &str,
        accept: &mut dyn FnMut(&IssueHead<'_>) -> bool,
    ) -> Result<PageHead, DecodeError> {
        self.issue_page_with(json, Asked { histories: None, accept })
    }

    /// The same, with histories that came from a resource of their own.
    ///
    /// # Errors
    /// As [`Self::issue_page`].
    pub(crate) fn issue_page_with(&mut self, json: &str, asked: Asked<'_>) -> Result<PageHead, DecodeError> {
        let before = self.buffers.marks();
        let head = read_page(json, &self.trees, &mut self.buffers, &mut self.notes, asked)?;
        let buffers = &self.buffers;
        self.deriver.page(|table| Some((buffers.of(table)?, *before.of(table)?)), &head.issues);
        self.drop_unselected();
        self.settle()?;
        Ok(head)
    }

    /// Takes back rows that were read only because others are derived from them.
    fn drop_unselected(&mut self) {
        for table in read_for(&self.selection).difference(&self.selection) {
            if let Some(buffer) = self.buffers.of_mut(*table) {
                buffer.truncate(0);
            }
        }
    }

    /// Issues of a page were left out because of their project.
    pub(crate) fn note_withheld(&mut self, issues: u64) {
        if issues > 0 {
            self.warnings.add(WITHHELD_ISSUES.0, WITHHELD_ISSUES.1, issues);
        }
    }

    /// Reads a page of one issue's children from their own resource; nothing is kept when their table is not selected.
    ///
    /// # Errors
    /// When the answer is cut, no JSON, or has no list, or the table has no such resource.
    pub(crate) fn children_page(
        &mut self,
        table: Table,
        issue_id: i64,
        json: &str,
    ) -> Result<Envelope, DecodeError> {
        const WHAT: &str = "a page of an issue's children";
        let spec = table.spec();
        let (Some(ChildLists { frame: Some(frame), key_column, .. }), Some(shape)) =
            (&spec.children, self.trees.shape(table))
        else {
            let detail = format!("{table} has no resource of its own");
            return Err(DecodeError::Shape { what: WHAT, detail });
        };
        let mut nowhere = RowBuffer::new(std::iter::empty());
        let buffer = self.buffers.of_mut(table).unwrap_or(&mut nowhere);
        let base = buffer.rows();
        let mut without_id = 0;
        let keep: ElementRules<'_> =
            &mut |buffer, row| keep_with_id(buffer, *key_column, row, &mut without_id);
        let envelope = read_children(WHAT, json, frame.list, RowList { shape, buffer, base, keep })?;
        buffer.fill(spec.issue_column, base, issue_id);
        self.notes.without_id += without_id;
        self.deriver.children(table, issue_id, buffer, base..buffer.rows());
        self.drop_unselected();
        self.settle()?;
        Ok(envelope)
    }

    /// Notes the ids of issues that this pass has read again or found deleted.
    ///
    /// # Errors
    /// When a part cannot be encoded.
    pub(crate) fn replaced(&mut self, ids: &[i64]) -> Result<(), DecodeError> {
        self.replaced.extend_from_slice(ids);
        if self.replaced.len() * size_of::<i64>() >= self.part_bytes.min(BUFFERED_BYTES) {
            self.flush_replaced()?;
        }
        Ok(())
    }

    /// Makes the sink yield at least one part of the table, without rows if need be, so that the table exists with its columns.
    pub(crate) fn require(&mut self, table: Table) {
        self.even_empty.insert(table);
    }

    /// The parts that have reached their size.
    ///
    /// # Errors
    /// When a part cannot be encoded.
    pub(crate) fn take_ready(&mut self) -> Result<Vec<Part>, DecodeError> {
        for writer in self.writers.values_mut() {
            if writer.bytes() >= self.part_bytes {
                self.ready.extend(writer.finish()?);
            }
        }
        Ok(std::mem::take(&mut self.ready))
    }

    /// Encodes what is left.
    ///
    /// # Errors
    /// When a part cannot be encoded.
    pub(crate) fn finish(mut self) -> Result<Finished, DecodeError> {
        self.count_misfits();
        for &table in Table::all() {
            if self.buffer_mut(table).is_some_and(|buffer| buffer.rows() > 0) {
                self.flush(table)?;
            }
        }
        self.flush_replaced()?;
        for table in std::mem::take(&mut self.even_empty) {
            if !self.rows.contains_key(table.name()) {
                let part = self.writer(table)?.finish_even_empty()?;
                self.ready.push(part);
                self.rows.insert(table.name().to_owned(), 0);
            }
        }
        for writer in self.writers.values_mut() {
            self.ready.extend(writer.finish()?);
        }
        count_notes(&self.notes, &mut self.warnings);
        Ok(Finished { parts: self.ready, rows: self.rows, warnings: self.warnings.into_vec() })
    }

    /// Encodes tables until what is left in memory is within bounds.
    fn settle(&mut self) -> Result<(), DecodeError> {
        self.count_misfits();
        loop {
            let sizes = self.sizes();
            let full = sizes.iter().find(|size| size.bytes >= GROUP_BYTES || size.rows >= GROUP_ROWS);
            let total: usize = sizes.iter().map(|size| size.bytes).sum();
            let largest = sizes.iter().max_by_key(|size| size.bytes).filter(|_| total > BUFFERED_BYTES);
            let Some(table) = full.or(largest).map(|size| size.table) else { return Ok(()) };
            self.flush(table)?;
        }
    }

    fn sizes(&mut self) -> Vec<Size> {
        let size = |&table: &Table| {
            let buffer = self.buffer_mut(table).filter(|buffer| buffer.rows() > 0)?;
            Some(Size { table, rows: buffer.rows(), bytes: buffer.bytes() })
        };
        Table::all().iter().filter_map(size).collect()
    }

    fn buffer_mut(&mut self, table: Table) -> Option<&mut RowBuffer> {
        if table.is_derived() {
            return self.deriver.buffer_mut(table);
        }
        if table.is_issue_table() {
            return self.buffers.of_mut(table);
        }
        self.metadata.get_mut(&table).map(|metadata| &mut metadata.buffer)
    }

    /// Encodes the rows of one table as a row group.
    fn flush(&mut self, table: Table) -> Result<(), DecodeError> {
        let (visible, masking) = (self.schema.column_count(table), Arc::clone(&self.masking));
        let Some(buffer) = self.buffer_mut(table) else { return Ok(()) };
        let withheld = masking.blank_linked(table, buffer);
        let rows = u64::try_from(buffer.rows()).unwrap_or(u64::MAX);
        let arrays = masking
            .take(table, buffer, visible)
            .map_err(|error| DecodeError::encode(table.name(), &error))?;
        let part_bytes = self.part_bytes;
        let writer = self.writer(table)?;
        writer.write_group(arrays)?;
        let part = if writer.bytes() >= part_bytes { writer.finish()? } else { None };
        self.ready.extend(part);
        *self.rows.entry(table.name().to_owned()).or_default() += rows;
        if withheld > 0 {
            self.warnings.add(WITHHELD_LINKED.0, WITHHELD_LINKED.1, withheld);
        }
        Ok(())
    }

    fn writer(&mut self, table: Table) -> Result<&mut PartWriter, DecodeError> {
        use std::collections::btree_map::Entry;
        Ok(match self.writers.entry(table) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let columns = layout::columns(table, &self.schema, &self.masking);
                let writer = PartWriter::new(table.name(), &columns, self.place.clone())?;
                entry.insert(writer.showing(self.first_rows))
            }
        })
    }

    /// Makes one part of the ids so far, in order.
    fn flush_replaced(&mut self) -> Result<(), DecodeError> {
        let mut ids = std::mem::take(&mut self.replaced);
        if ids.is_empty() {
            return Ok(());
        }
        ids.sort_unstable();
        ids.dedup();
        let mut writer = PartWriter::new(REPLACED, &[layout::replaced_column()], self.place.clone())?;
        for group in ids.chunks(GROUP_ROWS) {
            let array: ArrayRef = Arc::new(Int64Array::from(group.to_vec()));
            writer.write_group(vec![array])?;
        }
        self.ready.extend(writer.finish()?);
        Ok(())
    }

    /// Turns the values that fitted no cell into warnings.
    fn count_misfits(&mut self) {
        for &table in Table::all() {
            let Some(buffer) = self.buffer_mut(table) else { continue };
            for column in buffer.take_misfits() {
                let message = layout::misfit_message(table, &self.schema, column);
                self.warnings.add("value_does_not_fit", message, 1);
            }
        }
    }
}

/// What one table holds in memory.
struct Size {
    table: Table,
    rows: usize,
    bytes: usize,
}

fn count_notes(notes: &IssueNotes, warnings: &mut Warnings) {
    let unsent = |children: &str| {
        format!(
            "Jira sent issues without their {children} although asked: the feature may be off, or hidden from the account"
        )
    };
    for (table, lists) in Table::children() {
        if let Some(frame) = &lists.frame {
            warnings.add(
                frame.unsent,
                unsent(frame.what),
                notes.unsent.of(table).copied().unwrap_or_default(),
            );
        }
    }
    of_issue::count_unsent(notes, warnings);
    let cut = "Jira counted history entries that it did not send; the table lacks them";
    warnings.add("changelog_cut", cut, notes.histories_cut);
    let no_id = "Jira sent entries without the id that would be their key; they are left out";
    warnings.add("entry_without_id", no_id, notes.without_id);
}

#[cfg(test)]
mod tests;
