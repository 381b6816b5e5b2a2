//! How a derived value leaves: as it is, hashed or not at all.

use crate::mask::{ColumnMask, Hasher, Mask, Masking};
use crate::rows::RowBuffer;
use crate::tables::Table;
use std::borrow::Cow;

/// Characters of a value in a derived table; what is longer is cut, since the table that it comes from has it whole.
const VALUE_CHARS_MAX: usize = 255;

/// What happens to a value.
#[derive(Clone, Debug, Default)]
pub(super) enum Veil {
    /// It leaves as it is.
    #[default]
    Clear,
    /// It leaves hashed.
    Hash(Hasher),
    /// It does not leave.
    Hide,
}

impl Veil {
    /// Of the cells of a column.
    pub(super) fn of_column(masking: &Masking, table: Table, name: &str) -> Self {
        Self::of_place(masking, table, super::place(table, name))
    }

    /// Of the cells of the column that stands there.
    pub(super) fn of_place(masking: &Masking, table: Table, place: usize) -> Self {
        match masking.column(table, place) {
            // A single value that is no JSON object describes nobody.
            ColumnMask::Keep | ColumnMask::HashPeople(_) => Self::Clear,
            ColumnMask::Drop => Self::Hide,
            ColumnMask::Hash(hasher, _) => Self::Hash(hasher.clone()),
        }
    }

    /// Of the values of a changed field.
    pub(super) fn of_mask(mask: Option<&Mask>) -> Self {
        match mask {
            None => Self::Clear,
            Some(Mask::Drop) => Self::Hide,
            Some(Mask::Hash(hasher)) => Self::Hash(hasher.clone()),
        }
    }

    /// The stricter of the two; the first where both hash.
    pub(super) fn and<'v>(&'v self, other: &'v Self) -> &'v Self {
        match (self, other) {
            (Self::Hide, _) | (Self::Hash(_), Self::Clear | Self::Hash(_)) => self,
            (Self::Clear, _) | (_, Self::Hide) => other,
        }
    }
}

/// Writes the rows of a derived table, each cell under the veil of its column and that of its origin.
pub(super) struct Rows<'a> {
    buffer: &'a mut RowBuffer,
    columns: &'a [Veil],
    row: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(buffer: &'a mut RowBuffer, columns: &'a [Veil]) -> Self {
        let row = buffer.rows();
        Self { buffer, columns, row }
    }

    /// The veil of a column of this table.
    pub(super) fn veil(&self, column: usize) -> &'a Veil {
        const CLEAR: &Veil = &Veil::Clear;
        self.columns.get(column).unwrap_or(CLEAR)
    }

    /// Sets a text cell.
    pub(super) fn text(&mut self, column: usize, origin: &Veil, text: Option<&str>) {
        let Some(text) = text else { return };
        match self.veil(column).and(origin) {
            Veil::Clear => self.buffer.put_with(column, self.row, |out| out.push_str(&shortened(text))),
            Veil::Hash(hasher) => self.buffer.put_with(column, self.row, |out| hasher.write(text, out)),
            Veil::Hide => {}
        }
    }

    /// Sets a number; the veil of its column waits until the rows leave.
    pub(super) fn number(&mut self, column: usize, number: Option<i64>) {
        if let Some(number) = number {
            self.buffer.put(column, self.row, crate::rows::Cell::I64(number));
        }
    }

    /// Sets a flag; the veil of its column waits until the rows leave.
    pub(super) fn flag(&mut self, column: usize, flag: bool) {
        self.buffer.put(column, self.row, crate::rows::Cell::Bool(flag));
    }

    /// Sets an instant, in microseconds. There is no pseudonym of an instant, so one that does not leave in clear does not leave.
    pub(super) fn time(&mut self, column: usize, origin: &Veil, micros: Option<i64>) {
        if let (Veil::Clear, Some(micros)) = (origin, micros) {
            self.buffer.put_micros(column, self.row, micros);
        }
    }

    /// Completes the row.
    pub(super) fn end(&mut self) {
        self.row += 1;
        self.buffer.commit(self.row);
    }
}

/// The veils of all columns of a table.
pub(super) fn of_columns(masking: &Masking, table: Table) -> Vec<Veil> {
    table.spec().columns.iter().map(|column| Veil::of_column(masking, table, column.name)).collect()
}

fn shortened(text: &str) -> Cow<'_, str> {
    // No character has less than one byte.
    if text.len() <= VALUE_CHARS_MAX {
        return text.into();
    }
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        None => text.into(),
        Some((end, _)) => format!("{}\u{2026}", text.get(..end).unwrap_or_default()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_at_a_character_and_says_so() {
        let umlauts = "\u{e4}".repeat(255);
        assert_eq!(shortened(&umlauts), umlauts);
        assert_eq!(shortened(&format!("{umlauts}x")), format!("{umlauts}\u{2026}"));
    }

    #[test]
    fn the_stricter_veil_wins_and_nothing_is_hashed_twice() {
        let (one, other) = (Veil::Hash(Hasher::sha256(b"a")), Veil::Hash(Hasher::sha512(b"b")));
        assert!(matches!(one.and(&Veil::Hide), Veil::Hide) && matches!(Veil::Hide.and(&one), Veil::Hide));
        assert!(
            matches!(Veil::Clear.and(&one), Veil::Hash(_)) && matches!(one.and(&Veil::Clear), Veil::Hash(_))
        );
        let Veil::Hash(kept) = one.and(&other) else { panic!("no hash") };
        assert!(kept.label().starts_with("sha256"), "{}", kept.label());
    }
}
