//! Values of custom fields: each lands in the column that the field's schema asked for, or becomes null and is counted.

use crate::decode::adf::Document;
use crate::decode::compact::write_compact;
use crate::decode::lenient::{Read, Reader};
use crate::decode::object::{UserId, put_json};
use crate::fields::CustomType;
use crate::rows::{Cell, RowBuffer};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess};

/// Sets the cell at (column, row) from the value's JSON text, which is valid JSON.
pub(crate) fn put_custom(buffer: &mut RowBuffer, at: (usize, usize), custom_type: CustomType, json: &str) {
    let (column, row) = at;
    if json == "null" {
        return buffer.put(column, row, Cell::Null);
    }
    match custom_type {
        CustomType::Json
        | CustomType::Users
        | CustomType::List
        | CustomType::Cascade
        | CustomType::Sprints
        | CustomType::EpicLink => put_json(buffer, column, row, json),
        CustomType::Number => put_number(buffer, column, row, json),
        CustomType::Date | CustomType::Timestamp => put_text_form(buffer, column, row, json),
        CustomType::Text | CustomType::Option | CustomType::User | CustomType::Group
            if json.starts_with('"') =>
        {
            put_text_form(buffer, column, row, json);
        }
        CustomType::Option => put_member(buffer, at, "value", json),
        CustomType::Group => put_member(buffer, at, "name", json),
        CustomType::User if json.starts_with('{') => {
            let user = Read(UserId { buffer, column, row });
            let read = user.deserialize(&mut serde_json::Deserializer::from_str(json));
            if read.is_err() || buffer.text_at(column, row).is_none() {
                put_compact(buffer, column, row, json);
            }
        }
        CustomType::Text => match Document::of(json) {
            Some(document) => {
                buffer.put(column, row, document.plain().as_deref().map_or(Cell::Null, Cell::Text));
            }
            None => put_compact(buffer, column, row, json),
        },
        CustomType::User => put_compact(buffer, column, row, json),
    }
}

fn put_compact(buffer: &mut RowBuffer, column: usize, row: usize, json: &str) {
    buffer.put_with(column, row, |out| write_compact(json, out));
}

/// A JSON string as the text that it stands for; the column's type decides whether it fits.
pub(super) fn put_text_form(buffer: &mut RowBuffer, column: usize, row: usize, json: &str) {
    // Not a string, or one that stands for no text (half of a surrogate pair).
    match serde_json::from_str::<TextForm<'_>>(json) {
        Ok(TextForm(text)) => buffer.put(column, row, Cell::Text(&text)),
        Err(_) => buffer.put_misfit(column, row),
    }
}

#[derive(serde::Deserialize)]
struct TextForm<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

/// A number, or a string that holds one. Read here, not by serde_json: that refuses a whole page for a number beyond a double, and is
/// off by one unit in the last place now and then.
pub(crate) fn put_number(buffer: &mut RowBuffer, column: usize, row: usize, json: &str) {
    if json.starts_with('"') {
        put_text_form(buffer, column, row, json);
    } else {
        buffer.put(column, row, Cell::Text(json));
    }
}

/// The named member of an object where it is a string, else the compact JSON of the whole value.
fn put_member(buffer: &mut RowBuffer, at: (usize, usize), member: &str, json: &str) {
    let (column, row) = at;
    let reader = Read(TextMember { member });
    match reader.deserialize(&mut serde_json::Deserializer::from_str(json)) {
        Ok(Some(text)) => buffer.put(column, row, Cell::Text(&text)),
        Ok(None) | Err(_) => put_compact(buffer, column, row, json),
    }
}

struct TextMember<'m> {
    member: &'m str,
}

impl<'de> Reader<'de> for TextMember<'_> {
    type Out = Option<String>;

    fn scalar(self, _: Cell<'_>) -> Self::Out {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Out, A::Error> {
        let mut found = None;
        while let Some(wanted) = object.next_key_seed(Read(IsName(self.member)))? {
            if wanted {
                found = object.next_value_seed(Read(OwnedText))?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct IsName<'m>(&'m str);

impl Reader<'_> for IsName<'_> {
    type Out = bool;

    fn scalar(self, cell: Cell<'_>) -> bool {
        cell == Cell::Text(self.0)
    }
}

pub(super) struct OwnedText;

impl Reader<'_> for OwnedText {
    type Out = Option<String>;

    fn scalar(self, cell: Cell<'_>) -> Self::Out {
        match cell {
            Cell::Text(text) => Some(text.to_owned()),
            Cell::Null | Cell::Bool(_) | Cell::I64(_) | Cell::F64(_) | Cell::Nested => None,
        }
    }
}
