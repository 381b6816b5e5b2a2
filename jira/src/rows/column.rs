//! One column of rows in memory: plain vectors that can be cut back, because a page or an issue may turn out not to count.
//! (Arrow's own builders cannot be cut back.)

use crate::tables::ColumnType;
use crate::timestamp::{parse_date, parse_timestamp, write_date, write_timestamp};
use arrow_array::types::{ArrowPrimitiveType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use std::fmt::Write as _;
use std::sync::Arc;

/// A JSON scalar on its way to a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    I64(i64),
    F64(f64),
    Text(&'a str),
    /// A list or an object where a scalar was due.
    Nested,
}

/// Values of one column.
#[derive(Debug)]
pub(crate) enum Column {
    I64(Numbers<Int64Type>),
    F64(Numbers<Float64Type>),
    Date(Numbers<Date32Type>),
    Timestamp(Numbers<TimestampMicrosecondType>),
    Bool(Bools),
    Text(Texts),
    /// Texts on their way out that stand for values of another type.
    Rewritten {
        was: ColumnType,
        texts: Texts,
    },
}

macro_rules! each {
    ($column:expr, $inner:ident => $body:expr) => {
        match $column {
            Column::I64($inner) => $body,
            Column::F64($inner) => $body,
            Column::Date($inner) => $body,
            Column::Timestamp($inner) => $body,
            Column::Bool($inner) => $body,
            Column::Text($inner) => $body,
            Column::Rewritten { texts: $inner, .. } => $body,
        }
    };
}

impl Column {
    pub(crate) fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::I64 => Self::I64(Numbers::new()),
            ColumnType::F64 => Self::F64(Numbers::new()),
            ColumnType::Date => Self::Date(Numbers::new()),
            ColumnType::Timestamp => Self::Timestamp(Numbers::new()),
            ColumnType::Bool => Self::Bool(Bools::new()),
            ColumnType::Text | ColumnType::Json => Self::Text(Texts::new()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        each!(self, inner => inner.valid.len())
    }

    /// Bytes of the values.
    pub(crate) fn bytes(&self) -> usize {
        each!(self, inner => inner.bytes())
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        if rows < self.len() {
            each!(self, inner => inner.truncate(rows));
        }
    }

    /// Fills up with nulls.
    pub(crate) fn pad(&mut self, rows: usize) {
        let missing = rows.saturating_sub(self.len());
        if missing > 0 {
            each!(self, inner => inner.push_nulls(missing));
        }
    }

    /// Appends the value. False when it does not fit the column's type: then the cell is null.
    pub(crate) fn push(&mut self, cell: Cell<'_>) -> bool {
        if cell == Cell::Null {
            each!(self, inner => inner.push_nulls(1));
            return true;
        }
        match self {
            Self::I64(numbers) => numbers.push(integer(cell)),
            Self::F64(numbers) => numbers.push(float(cell)),
            Self::Date(numbers) => numbers.push(text(cell).and_then(parse_date)),
            Self::Timestamp(numbers) => numbers.push(instant(cell)),
            Self::Bool(bools) => bools.push(boolean(cell)),
            Self::Text(texts) | Self::Rewritten { texts, .. } => texts.push(cell),
        }
    }

    /// Appends an instant; null in a column of anything else.
    pub(crate) fn push_micros(&mut self, micros: i64) {
        match self {
            Self::Timestamp(instants) => drop(instants.push(Some(micros))),
            Self::I64(_)
            | Self::F64(_)
            | Self::Date(_)
            | Self::Bool(_)
            | Self::Text(_)
            | Self::Rewritten { .. } => {
                each!(self, inner => inner.push_nulls(1));
            }
        }
    }

    /// Appends copies of a row's value until there are `rows`.
    pub(crate) fn repeat(&mut self, row: usize, rows: usize) {
        let copies = rows.saturating_sub(self.len());
        each!(self, inner => inner.repeat(row, copies));
    }

    /// Hands the values out as an array and starts empty, without keeping memory.
    pub(crate) fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::I64(numbers) => Arc::new(numbers.take()?),
            Self::F64(numbers) => Arc::new(numbers.take()?),
            Self::Date(numbers) => Arc::new(numbers.take()?),
            Self::Timestamp(numbers) => Arc::new(numbers.take()?.with_timezone("UTC")),
            Self::Bool(bools) => Arc::new(bools.take()),
            Self::Text(texts) => Arc::new(texts.take()?),
            Self::Rewritten { was, texts } => {
                let (was, array) = (*was, texts.take()?);
                *self = Self::new(was);
                Arc::new(array)
            }
        })
    }

    /// Makes the column one of texts, each what `map` makes of the row's value as text; null stays null, and where `map` gives false
    /// the cell becomes null. The next rows are appended in the column's own type: call this when nothing follows but [`Self::take`].
    pub(crate) fn rewrite(&mut self, mut map: impl FnMut(usize, &str, &mut String) -> bool) {
        let mut texts = Texts::new();
        let mut clear = String::new();
        for row in 0..self.len() {
            clear.clear();
            let kept = self.write_value(row, &mut clear) && {
                let start = texts.values.len();
                let kept = map(row, &clear, &mut texts.values);
                if !kept {
                    texts.values.truncate(start);
                }
                kept
            };
            if kept {
                texts.end();
            } else {
                texts.push_nulls(1);
            }
        }
        *self = Self::Rewritten { was: self.column_type(), texts };
    }

    /// Makes these rows null; nothing of their values stays.
    pub(crate) fn blank(&mut self, rows: &[usize]) {
        let mut kept = Self::new(self.column_type());
        for row in 0..self.len() {
            match self.cell_at(row).filter(|_| !rows.contains(&row)) {
                Some(cell) => drop(kept.push(cell)),
                None => each!(&mut kept, inner => inner.push_nulls(1)),
            }
        }
        *self = kept;
    }

    /// An integer or a text of a row.
    fn cell_at(&self, row: usize) -> Option<Cell<'_>> {
        self.text_at(row).map(Cell::Text).or_else(|| self.i64_at(row).map(Cell::I64))
    }

    /// Appends a row's value as text, as the documentation writes it; false for null.
    pub(crate) fn write_value(&self, row: usize, out: &mut String) -> bool {
        match self {
            Self::I64(numbers) => numbers.at(row).map(|value| out.push_str(&value.to_string())).is_some(),
            Self::F64(numbers) => numbers.at(row).map(|value| out.push_str(&value.to_string())).is_some(),
            Self::Date(days) => days.at(row).map(|days| write_date(days, out)).is_some(),
            Self::Timestamp(instants) => {
                instants.at(row).map(|micros| write_timestamp(micros, out)).is_some()
            }
            Self::Bool(bools) => {
                bools.at(row).map(|value| out.push_str(if value { "true" } else { "false" })).is_some()
            }
            Self::Text(texts) | Self::Rewritten { texts, .. } => {
                texts.at(row).map(|text| out.push_str(text)).is_some()
            }
        }
    }

    fn column_type(&self) -> ColumnType {
        match self {
            Self::I64(_) => ColumnType::I64,
            Self::F64(_) => ColumnType::F64,
            Self::Date(_) => ColumnType::Date,
            Self::Timestamp(_) => ColumnType::Timestamp,
            Self::Bool(_) => ColumnType::Bool,
            Self::Text(_) => ColumnType::Text,
            Self::Rewritten { was, .. } => *was,
        }
    }

    /// Integer or instant of a row.
    pub(crate) fn i64_at(&self, row: usize) -> Option<i64> {
        match self {
            Self::I64(numbers) => numbers.at(row),
            Self::Timestamp(numbers) => numbers.at(row),
            Self::F64(_) | Self::Date(_) | Self::Bool(_) | Self::Text(_) | Self::Rewritten { .. } => None,
        }
    }

    /// Whether a row holds true.
    pub(crate) fn is_true(&self, row: usize) -> bool {
        matches!(self, Self::Bool(bools) if bools.at(row) == Some(true))
    }

    /// Text of a row.
    pub(crate) fn text_at(&self, row: usize) -> Option<&str> {
        match self {
            Self::Text(texts) | Self::Rewritten { texts, .. } => texts.at(row),
            Self::I64(_) | Self::F64(_) | Self::Date(_) | Self::Timestamp(_) | Self::Bool(_) => None,
        }
    }
}

fn integer(cell: Cell<'_>) -> Option<i64> {
    /// Above this, a floating-point number no longer says which integer was meant.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match cell {
        Cell::I64(value) => Some(value),
        Cell::Text(text) => text.parse().ok(),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole and within the exact range, checked beside it"
        )]
        Cell::F64(value) if value.fract() == 0.0 && value.abs() < EXACT => Some(value as i64),
        Cell::F64(_) | Cell::Bool(_) | Cell::Null | Cell::Nested => None,
    }
}

fn float(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::F64(value) => Some(value),
        #[expect(clippy::cast_precision_loss, reason = "a number column holds what a double can")]
        Cell::I64(value) => Some(value as f64),
        Cell::Text(text) => text.parse().ok().filter(|value: &f64| value.is_finite()),
        Cell::Bool(_) | Cell::Null | Cell::Nested => None,
    }
}

fn boolean(cell: Cell<'_>) -> Option<bool> {
    match cell {
        Cell::Bool(value) => Some(value),
        Cell::Text("true") => Some(true),
        Cell::Text("false") => Some(false),
        Cell::Text(_) | Cell::I64(_) | Cell::F64(_) | Cell::Null | Cell::Nested => None,
    }
}

/// Microseconds since 1970 of a time as text, or as the number of seconds or milliseconds that histories of Jira Cloud carry.
fn instant(cell: Cell<'_>) -> Option<i64> {
    /// As seconds in the year 5138, as milliseconds in 1973: no issue of Jira is that old or that new.
    const SECONDS_END: i64 = 100_000_000_000;
    match cell {
        Cell::I64(number) if number.abs() < SECONDS_END => number.checked_mul(1_000_000),
        Cell::I64(number) => number.checked_mul(1000),
        cell => text(cell).and_then(parse_timestamp),
    }
}

fn text(cell: Cell<'_>) -> Option<&str> {
    match cell {
        Cell::Text(text) => Some(text),
        Cell::Bool(_) | Cell::I64(_) | Cell::F64(_) | Cell::Null | Cell::Nested => None,
    }
}

/// Numbers of any width.
#[derive(Debug)]
pub(crate) struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    valid: BooleanBufferBuilder,
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    fn new() -> Self {
        Self { values: Vec::new(), valid: BooleanBufferBuilder::new(0) }
    }

    fn bytes(&self) -> usize {
        self.values.len() * size_of::<T::Native>()
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.valid.truncate(rows);
    }

    fn push_nulls(&mut self, count: usize) {
        self.values.resize(self.values.len() + count, T::Native::default());
        self.valid.append_n(count, false);
    }

    fn push(&mut self, value: Option<T::Native>) -> bool {
        self.values.push(value.unwrap_or_default());
        self.valid.append(value.is_some());
        value.is_some()
    }

    fn at(&self, row: usize) -> Option<T::Native> {
        let value = self.values.get(row)?;
        self.valid.get_bit(row).then_some(*value)
    }

    fn repeat(&mut self, row: usize, copies: usize) {
        match self.at(row) {
            Some(value) => {
                self.values.resize(self.values.len() + copies, value);
                self.valid.append_n(copies, true);
            }
            None => self.push_nulls(copies),
        }
    }

    fn take(&mut self) -> Result<PrimitiveArray<T>, ArrowError> {
        let values = ScalarBuffer::from(std::mem::take(&mut self.values));
        PrimitiveArray::try_new(values, take_nulls(&mut self.valid))
    }
}

/// True or false.
#[derive(Debug)]
pub(crate) struct Bools {
    values: BooleanBufferBuilder,
    valid: BooleanBufferBuilder,
}

impl Bools {
    fn new() -> Self {
        Self { values: BooleanBufferBuilder::new(0), valid: BooleanBufferBuilder::new(0) }
    }

    fn bytes(&self) -> usize {
        self.values.len() / 8
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.valid.truncate(rows);
    }

    fn push_nulls(&mut self, count: usize) {
        self.values.append_n(count, false);
        self.valid.append_n(count, false);
    }

    fn push(&mut self, value: Option<bool>) -> bool {
        self.values.append(value.unwrap_or_default());
        self.valid.append(value.is_some());
        value.is_some()
    }

    fn at(&self, row: usize) -> Option<bool> {
        (row < self.valid.len() && self.valid.get_bit(row)).then(|| self.values.get_bit(row))
    }

    fn repeat(&mut self, row: usize, copies: usize) {
        let known = row < self.valid.len();
        let (value, valid) = (known && self.values.get_bit(row), known && self.valid.get_bit(row));
        self.values.append_n(copies, value);
        self.valid.append_n(copies, valid);
    }

    fn take(&mut self) -> BooleanArray {
        BooleanArray::new(self.values.finish(), take_nulls(&mut self.valid))
    }
}

/// Texts, end to end.
#[derive(Debug)]
pub(crate) struct Texts {
    values: String,
    ends: Vec<usize>,
    valid: BooleanBufferBuilder,
}

impl Texts {
    fn new() -> Self {
        Self { values: String::new(), ends: Vec::new(), valid: BooleanBufferBuilder::new(0) }
    }

    fn bytes(&self) -> usize {
        self.values.len() + self.ends.len() * size_of::<usize>()
    }

    fn start(&self, row: usize) -> usize {
        row.checked_sub(1).and_then(|before| self.ends.get(before).copied()).unwrap_or_default()
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(self.start(rows));
        self.ends.truncate(rows);
        self.valid.truncate(rows);
    }

    fn push_nulls(&mut self, count: usize) {
        self.ends.resize(self.ends.len() + count, self.values.len());
        self.valid.append_n(count, false);
    }

    fn end(&mut self) {
        self.ends.push(self.values.len());
        self.valid.append(true);
    }

    fn push(&mut self, cell: Cell<'_>) -> bool {
        match cell {
            Cell::Text(text) => self.values.push_str(text),
            Cell::Bool(value) => self.values.push_str(if value { "true" } else { "false" }),
            // Writing to a String cannot fail.
            Cell::I64(value) => drop(write!(self.values, "{value}")),
            Cell::F64(value) => drop(write!(self.values, "{value}")),
            Cell::Null | Cell::Nested => {
                self.push_nulls(1);
                return false;
            }
        }
        self.end();
        true
    }

    /// Appends what `write` writes.
    pub(crate) fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.values);
        self.end();
    }

    fn at(&self, row: usize) -> Option<&str> {
        let end = *self.ends.get(row)?;
        if self.valid.get_bit(row) { self.values.get(self.start(row)..end) } else { None }
    }

    fn repeat(&mut self, row: usize, copies: usize) {
        let (start, Some(&end)) = (self.start(row), self.ends.get(row)) else {
            return self.push_nulls(copies);
        };
        if !self.valid.get_bit(row) {
            return self.push_nulls(copies);
        }
        for _ in 0..copies {
            self.values.extend_from_within(start..end);
            self.end();
        }
    }

    fn take(&mut self) -> Result<StringArray, ArrowError> {
        let values = std::mem::take(&mut self.values).into_bytes();
        let too_long = |_| ArrowError::OffsetOverflowError(values.len());
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        for end in std::mem::take(&mut self.ends) {
            offsets.push(i32::try_from(end).map_err(too_long)?);
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        StringArray::try_new(offsets, Buffer::from_vec(values), take_nulls(&mut self.valid))
    }
}

fn take_nulls(valid: &mut BooleanBufferBuilder) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(valid.finish());
    (nulls.null_count() > 0).then_some(nulls)
}
