//! Everything that goes to standard output: tables and texts for people, or one JSON document a command.

use crate::error::Error;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;
use std::io::Write;

/// How the user wants to read answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// JSON for machines, or text for people.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether machines read it.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints the document, or what `human` makes of it.
    pub(crate) fn answer(self, document: &Value, human: impl FnOnce() -> String) -> Result<(), Error> {
        if self.json { self.line(&format!("{document:#}")) } else { self.line(human().trim_end()) }
    }

    /// Prints one document on one line (when following), or what `human` makes of it.
    pub(crate) fn entry(self, document: &Value, human: impl FnOnce() -> String) -> Result<(), Error> {
        if self.json { self.line(&document.to_string()) } else { self.line(human().trim_end()) }
    }

    /// Prints a text as it is.
    pub(crate) fn line(self, text: &str) -> Result<(), Error> {
        let mut out = std::io::stdout().lock();
        if !text.is_empty() {
            writeln!(out, "{text}")?;
        }
        out.flush()?;
        Ok(())
    }
}

/// Head of one column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Head<'a> {
    /// Words, to the left.
    Text(&'a str),
    /// Numbers, to the right.
    Number(&'a str),
}

/// A table with a heading and no borders; `empty` stands there when it has no row.
pub(crate) fn table(heads: &[Head<'_>], rows: &[Vec<String>], empty: &str) -> String {
    if rows.is_empty() {
        return empty.to_owned();
    }
    let names = heads.iter().map(|head| match head {
        Head::Text(name) | Head::Number(name) => (*name).to_owned(),
    });
    let mut table = plain_table();
    table.set_header(names.collect::<Vec<_>>());
    for row in rows {
        let cells = row.iter().zip(heads).map(|(text, head)| {
            let alignment =
                if matches!(head, Head::Number(_)) { CellAlignment::Right } else { CellAlignment::Left };
            Cell::new(clean(text)).set_alignment(alignment)
        });
        table.add_row(cells.collect::<Vec<_>>());
    }
    for (at, head) in heads.iter().enumerate() {
        if let (Head::Number(_), Some(column)) = (head, table.column_mut(at)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// Facts about one thing: a name and a value a line, values below each other.
pub(crate) fn facts(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    pairs.iter().map(|(name, value)| format!("{name:<width$}  {}\n", clean(value))).collect()
}

/// A text of the other side on one line, without anything that steers a terminal or turns the direction of writing.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

/// As [`clean`], but line breaks stay.
pub(crate) fn clean_lines(text: &str) -> String {
    text.chars().map(|c| if steers(c) && c != '\n' { ' ' } else { c }).collect()
}

fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// At most `width` characters; what is left out shows as `…`.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Columns that the terminal has, or `otherwise` when standard output is no terminal.
pub(crate) fn terminal_width(otherwise: usize) -> usize {
    console::Term::stdout().size_checked().map_or(otherwise, |(_, columns)| usize::from(columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_words_to_the_left() {
        let rows = [vec!["issues".to_owned(), "20,000".to_owned()], vec!["users".to_owned(), "7".to_owned()]];
        let text = table(&[Head::Text("TABLE"), Head::Number("ROWS")], &rows, "none");
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines, [" TABLE     ROWS", " issues  20,000", " users        7"]);
    }

    #[test]
    fn wide_characters_do_not_push_the_next_column() {
        let rows = [vec!["已完成".to_owned(), "x".to_owned()], vec!["Open".to_owned(), "x".to_owned()]];
        let text = table(&[Head::Text("STATUS"), Head::Text("X")], &rows, "none");
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines, [" STATUS  X", " 已完成  x", " Open    x"]);
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(table(&[Head::Text("NAME")], &[], "no pool yet"), "no pool yet");
    }

    #[test]
    fn facts_stand_below_each_other() {
        assert_eq!(
            facts(&[("name", "sales".into()), ("connections", "2".into())]),
            "name         sales\nconnections  2\n"
        );
    }

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d"), "a [31mb c d");
        assert_eq!(clean_lines("a\nb\r"), "a\nb ");
    }

    #[test]
    fn long_texts_are_shortened_by_characters_not_bytes() {
        assert_eq!(shorten("äöüß", 4), "äöüß");
        assert_eq!(shorten("äöüßx", 4), "äöü…");
    }
}
