//! Rows of one table in memory, filled cell by cell in whatever order Jira sends the members.

mod column;

pub(crate) use column::Cell;

use crate::tables::ColumnType;
use arrow_array::ArrayRef;
use arrow_schema::ArrowError;
use column::Column;

/// A value that fitted no cell of its column; the cell is null.
#[derive(Clone, Copy, Debug)]
struct Misfit {
    column: usize,
    row: usize,
}

/// Complete rows, and the cells of the row that is being read.
///
/// Columns are filled independently: a cell may be set again (the last wins), and a column that got nothing is padded with nulls
/// when the row is committed.
#[derive(Debug)]
pub(crate) struct RowBuffer {
    columns: Vec<Column>,
    rows: usize,
    misfits: Vec<Misfit>,
}

impl RowBuffer {
    pub(crate) fn new(types: impl Iterator<Item = ColumnType>) -> Self {
        Self { columns: types.map(Column::new).collect(), rows: 0, misfits: Vec::new() }
    }

    /// Complete rows; also the number of the row that is being read.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of all values.
    pub(crate) fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }

    /// Sets a cell.
    pub(crate) fn put(&mut self, column: usize, row: usize, cell: Cell<'_>) {
        if let Some(target) = self.prepare(column, row)
            && !target.push(cell)
        {
            self.misfits.push(Misfit { column, row });
        }
    }

    /// Sets a text cell to what `write` writes.
    pub(crate) fn put_with(&mut self, column: usize, row: usize, write: impl FnOnce(&mut String)) {
        if let Some(Column::Text(texts)) = self.prepare(column, row) {
            texts.push_with(write);
        }
    }

    /// Sets a cell to null because the value does not fit, which is counted.
    pub(crate) fn put_misfit(&mut self, column: usize, row: usize) {
        self.put(column, row, Cell::Null);
        self.misfits.push(Misfit { column, row });
    }

    /// Sets the cell of an instant, in microseconds.
    pub(crate) fn put_micros(&mut self, column: usize, row: usize, micros: i64) {
        if let Some(target) = self.prepare(column, row) {
            target.push_micros(micros);
        }
    }

    /// The column, ready to append the cell of that row.
    fn prepare(&mut self, column: usize, row: usize) -> Option<&mut Column> {
        let target = self.columns.get_mut(column)?;
        if target.len() > row {
            target.truncate(row);
            self.misfits.retain(|misfit| misfit.column != column || misfit.row < row);
        } else if target.len() < row {
            target.pad(row);
        }
        Some(target)
    }

    /// Whether the cell holds a value.
    pub(crate) fn is_set(&self, column: usize, row: usize) -> bool {
        self.i64_at(column, row).is_some() || self.text_at(column, row).is_some()
    }

    /// Whether two cells of a column hold the same integer or text.
    pub(crate) fn is_equal(&self, column: usize, row: usize, other: usize) -> bool {
        self.i64_at(column, row) == self.i64_at(column, other)
            && self.text_at(column, row) == self.text_at(column, other)
    }

    /// Whether a cell holds true.
    pub(crate) fn is_true(&self, column: usize, row: usize) -> bool {
        self.columns.get(column).is_some_and(|column| column.is_true(row))
    }

    /// Integer or instant in a cell.
    pub(crate) fn i64_at(&self, column: usize, row: usize) -> Option<i64> {
        self.columns.get(column)?.i64_at(row)
    }

    /// Text in a cell.
    pub(crate) fn text_at(&self, column: usize, row: usize) -> Option<&str> {
        self.columns.get(column)?.text_at(row)
    }

    /// Appends a cell as text, as the documentation writes it; false for null.
    pub(crate) fn write_at(&self, column: usize, row: usize, out: &mut String) -> bool {
        self.columns.get(column).is_some_and(|column| column.write_value(row, out))
    }

    /// Copies a text cell to another column of the same row.
    pub(crate) fn copy_text(&mut self, from: usize, to: usize, row: usize) {
        match self.text_at(from, row).map(str::to_owned) {
            Some(text) => self.put(to, row, Cell::Text(&text)),
            None => self.put(to, row, Cell::Null),
        }
    }

    /// Gives all rows from `row` on the value that the column has in `row`.
    pub(crate) fn repeat(&mut self, column: usize, row: usize, rows: usize) {
        if let Some(column) = self.columns.get_mut(column) {
            column.pad(row + 1);
            column.truncate(row + 1);
            column.repeat(row, rows);
        }
    }

    /// Gives all rows from `row` on that number.
    pub(crate) fn fill(&mut self, column: usize, row: usize, value: i64) {
        if row < self.rows {
            self.put(column, row, Cell::I64(value));
            self.repeat(column, row, self.rows);
        }
    }

    /// Takes back the cells of a range of columns from a row on.
    pub(crate) fn clear(&mut self, columns: std::ops::RangeFrom<usize>, row: usize) {
        self.misfits.retain(|misfit| misfit.row < row || !columns.contains(&misfit.column));
        for column in self.columns.get_mut(columns).unwrap_or_default() {
            column.truncate(row);
        }
    }

    /// Makes the rows up to `rows` complete.
    pub(crate) fn commit(&mut self, rows: usize) {
        for column in &mut self.columns {
            column.pad(rows);
        }
        self.rows = rows;
    }

    /// Takes back every row and cell from `rows` on.
    pub(crate) fn truncate(&mut self, rows: usize) {
        for column in &mut self.columns {
            column.truncate(rows);
        }
        self.misfits.retain(|misfit| misfit.row < rows);
        self.rows = self.rows.min(rows);
    }

    /// The columns of the values that fitted no cell, once each time; they are forgotten.
    pub(crate) fn take_misfits(&mut self) -> impl Iterator<Item = usize> + use<> {
        std::mem::take(&mut self.misfits).into_iter().map(|misfit| misfit.column)
    }

    /// Replaces every value of a column by the text that `map` makes of it; null stays null. The column holds texts then.
    pub(crate) fn map_text(&mut self, column: usize, mut map: impl FnMut(&str, &mut String)) {
        if let Some(column) = self.columns.get_mut(column) {
            column.rewrite(|_, text, out| {
                map(text, out);
                true
            });
        }
    }

    /// Makes the cells of these rows null.
    pub(crate) fn blank(&mut self, column: usize, rows: &[usize]) {
        if let Some(column) = self.columns.get_mut(column) {
            column.blank(rows);
        }
    }

    /// As [`Self::map_text`], told the row; where `map` gives false the cell becomes null.
    pub(crate) fn rewrite_text(&mut self, column: usize, map: impl FnMut(usize, &str, &mut String) -> bool) {
        if let Some(column) = self.columns.get_mut(column) {
            column.rewrite(map);
        }
    }

    /// Hands out those of the first `visible` columns that `keep` wants, as arrays, and starts empty.
    pub(crate) fn take(
        &mut self,
        visible: usize,
        keep: impl Fn(usize) -> bool,
    ) -> Result<Vec<ArrayRef>, ArrowError> {
        let columns = self.columns.iter_mut().take(visible).enumerate();
        let kept = columns.filter(|(place, _)| keep(*place));
        let arrays = kept.map(|(_, column)| column.take()).collect();
        for column in &mut self.columns {
            column.truncate(0);
        }
        self.rows = 0;
        arrays
    }
}
