//! Objects whose members fill cells of one row.

use crate::decode::adf::Document;
use crate::decode::compact::{write_compact, write_json_text};
use crate::decode::custom::{put_custom, put_text_form};
use crate::decode::lenient::{Read, Reader};
use crate::decode::tree::{Member, Node, Target};
use crate::rows::{Cell, RowBuffer};
use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess};
use serde_json::value::RawValue;

/// Fills one row from the members of an object.
pub(crate) struct Fill<'s> {
    pub(crate) node: &'s Node,
    pub(crate) buffer: &'s mut RowBuffer,
    pub(crate) row: usize,
}

impl<'de> Reader<'de> for Fill<'_> {
    type Out = ();

    fn scalar(self, cell: Cell<'_>) {
        if cell != Cell::Null
            && let Some(column) = self.node.any_column()
        {
            self.buffer.put_misfit(column, self.row);
        }
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(target) = object.next_key_seed(Member(self.node))? {
            match target {
                Some(target) => {
                    object.next_value_seed(Into { target, buffer: self.buffer, row: self.row })?
                }
                None => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Fills what one member is meant for.
pub(crate) struct Into<'s> {
    pub(crate) target: &'s Target,
    pub(crate) buffer: &'s mut RowBuffer,
    pub(crate) row: usize,
}

impl<'de> DeserializeSeed<'de> for Into<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { target, buffer, row } = self;
        match target {
            Target::Value(column) => Read(Put { buffer, column: *column, row }).deserialize(deserializer),
            Target::User(column) => Read(UserId { buffer, column: *column, row }).deserialize(deserializer),
            Target::Document(column) => {
                put_document(buffer, *column, row, <&RawValue>::deserialize(deserializer)?.get());
                Ok(())
            }
            Target::Refs(column) => Read(Refs { buffer, column: *column, row }).deserialize(deserializer),
            Target::Object(node) => Read(Fill { node, buffer, row }).deserialize(deserializer),
            Target::Json(column) => {
                put_json(buffer, *column, row, <&RawValue>::deserialize(deserializer)?.get());
                Ok(())
            }
            Target::Custom(column, custom_type) => {
                put_custom(
                    buffer,
                    (*column, row),
                    *custom_type,
                    <&RawValue>::deserialize(deserializer)?.get(),
                );
                Ok(())
            }
            Target::Section(_) | Target::Several(_) => IgnoredAny::deserialize(deserializer).map(drop),
        }
    }
}

/// Sets a cell to compact JSON; JSON's null is null.
pub(crate) fn put_json(buffer: &mut RowBuffer, column: usize, row: usize, json: &str) {
    if json == "null" {
        buffer.put(column, row, Cell::Null);
    } else {
        buffer.put_with(column, row, |out| write_compact(json, out));
    }
}

/// Sets a cell to the plain text of a document and the cell after it to the document itself; a string is its own text.
fn put_document(buffer: &mut RowBuffer, column: usize, row: usize, json: &str) {
    if let Some(document) = Document::of(json) {
        buffer.put(column, row, document.plain().as_deref().map_or(Cell::Null, Cell::Text));
        put_json(buffer, column + 1, row, json);
    } else if json == "null" {
        buffer.put(column, row, Cell::Null);
    } else {
        put_text_form(buffer, column, row, json);
    }
}

/// Sets a cell to a scalar.
pub(crate) struct Put<'s> {
    pub(crate) buffer: &'s mut RowBuffer,
    pub(crate) column: usize,
    pub(crate) row: usize,
}

impl Reader<'_> for Put<'_> {
    type Out = ();

    fn scalar(self, cell: Cell<'_>) {
        self.buffer.put(self.column, self.row, cell);
    }
}

/// Sets a cell to the user id of a user object: `key`, else `name`, else `accountId`.
pub(crate) struct UserId<'s> {
    pub(crate) buffer: &'s mut RowBuffer,
    pub(crate) column: usize,
    pub(crate) row: usize,
}

impl<'de> Reader<'de> for UserId<'_> {
    type Out = ();

    fn scalar(self, cell: Cell<'_>) {
        match cell {
            Cell::Null => self.buffer.put(self.column, self.row, Cell::Null),
            Cell::Bool(_) | Cell::I64(_) | Cell::F64(_) | Cell::Text(_) | Cell::Nested => {
                self.buffer.put_misfit(self.column, self.row);
            }
        }
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        self.buffer.put(self.column, self.row, Cell::Null);
        let mut best = 0;
        while let Some(rank) = object.next_key_seed(Read(UserMember))? {
            if rank < best || rank == 0 {
                object.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = PutKnown { buffer: self.buffer, column: self.column, row: self.row };
            if object.next_value_seed(Read(value))? {
                best = rank;
            }
        }
        Ok(())
    }
}

/// How well a member of a user object identifies the user; 0 not at all.
struct UserMember;

impl Reader<'_> for UserMember {
    type Out = u8;

    fn scalar(self, cell: Cell<'_>) -> u8 {
        match cell {
            Cell::Text("key") => 3,
            Cell::Text("name") => 2,
            Cell::Text("accountId") => 1,
            Cell::Text(_) | Cell::Null | Cell::Bool(_) | Cell::I64(_) | Cell::F64(_) | Cell::Nested => 0,
        }
    }
}

/// Sets a cell unless the value is null or no scalar; says whether it did.
struct PutKnown<'s> {
    buffer: &'s mut RowBuffer,
    column: usize,
    row: usize,
}

impl Reader<'_> for PutKnown<'_> {
    type Out = bool;

    fn scalar(self, cell: Cell<'_>) -> bool {
        let known = !matches!(cell, Cell::Null | Cell::Nested);
        if known {
            self.buffer.put(self.column, self.row, cell);
        }
        known
    }
}

/// Sets a cell to a list of `{"id":"..","name":".."}`.
struct Refs<'s> {
    buffer: &'s mut RowBuffer,
    column: usize,
    row: usize,
}

impl<'de> Reader<'de> for Refs<'_> {
    type Out = ();

    fn scalar(self, cell: Cell<'_>) {
        let cell = if cell == Cell::Null { Cell::Null } else { Cell::Nested };
        self.buffer.put(self.column, self.row, cell);
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut text = String::from("[");
        while list.next_element_seed(Read(Reference { out: &mut text }))?.is_some() {}
        text.push(']');
        self.buffer.put(self.column, self.row, Cell::Text(&text));
        Ok(())
    }
}

/// Writes one entry of [`Refs`]; nothing for what is no object.
struct Reference<'o> {
    out: &'o mut String,
}

impl<'de> Reader<'de> for Reference<'_> {
    type Out = ();

    fn scalar(self, _: Cell<'_>) {}

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let (mut id, mut name) = (String::new(), String::new());
        while let Some(place) = object.next_key_seed(Read(RefMember))? {
            match place {
                Some(RefPart::Id) => object.next_value_seed(Read(JsonText { out: &mut id }))?,
                Some(RefPart::Name) => object.next_value_seed(Read(JsonText { out: &mut name }))?,
                None => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        let or_null = |text: String| if text.is_empty() { "null".to_owned() } else { text };
        if self.out.len() > 1 {
            self.out.push(',');
        }
        self.out.push_str("{\"id\":");
        self.out.push_str(&or_null(id));
        self.out.push_str(",\"name\":");
        self.out.push_str(&or_null(name));
        self.out.push('}');
        Ok(())
    }
}

enum RefPart {
    Id,
    Name,
}

struct RefMember;

impl Reader<'_> for RefMember {
    type Out = Option<RefPart>;

    fn scalar(self, cell: Cell<'_>) -> Self::Out {
        match cell {
            Cell::Text("id") => Some(RefPart::Id),
            Cell::Text("name") => Some(RefPart::Name),
            Cell::Text(_) | Cell::Null | Cell::Bool(_) | Cell::I64(_) | Cell::F64(_) | Cell::Nested => None,
        }
    }
}

/// Writes a scalar as a JSON string; nothing for anything else.
struct JsonText<'o> {
    out: &'o mut String,
}

impl Reader<'_> for JsonText<'_> {
    type Out = ();

    fn scalar(self, cell: Cell<'_>) {
        self.out.clear();
        match cell {
            Cell::Text(text) => write_json_text(text, self.out),
            Cell::I64(number) => write_json_text(&number.to_string(), self.out),
            Cell::Null | Cell::Bool(_) | Cell::F64(_) | Cell::Nested => {}
        }
    }
}
