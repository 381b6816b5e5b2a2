//! Custom fields that hold several values: a row of `issue_custom_values` for each.

use crate::decode::compact::write_compact;
use crate::decode::custom::put_number;
use crate::decode::lenient::{Read, Reader};
use crate::rows::{Cell, RowBuffer};
use crate::tables::issue_custom_values as values;
use crate::timestamp::parse_timestamp;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess};
use serde_json::value::RawValue;

/// Appends a row for each value of a field; `json` is what Jira sent for it.
pub(crate) fn write_values(buffer: &mut RowBuffer, field_id: &str, json: &str) {
    let elements = match json.as_bytes().first() {
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(json).unwrap_or_default(),
        Some(b'{') => choice_and_child(json),
        _ => Vec::new(),
    };
    for (element, ordinal) in elements.iter().map(|element| element.get()).zip(0..) {
        let row = buffer.rows();
        if element == "null" {
            continue;
        }
        buffer.put(values::FIELD_ID, row, Cell::Text(field_id));
        buffer.put(values::ORDINAL, row, Cell::I64(ordinal));
        write_value(buffer, row, element);
        buffer.commit(row + 1);
    }
}

/// The two levels of a cascading choice.
fn choice_and_child(json: &str) -> Vec<&RawValue> {
    #[derive(serde::Deserialize)]
    struct Choice<'a> {
        #[serde(borrow, default)]
        child: Option<&'a RawValue>,
    }
    let Ok(whole) = serde_json::from_str::<&RawValue>(json) else { return Vec::new() };
    let child = serde_json::from_str::<Choice<'_>>(json).ok().and_then(|choice| choice.child);
    std::iter::once(whole).chain(child).collect()
}

fn write_value(buffer: &mut RowBuffer, row: usize, json: &str) {
    match json.as_bytes().first() {
        Some(b'"') => {
            let Ok(text) = serde_json::from_str::<String>(json) else {
                return buffer.put_misfit(values::VALUE_TEXT, row);
            };
            buffer.put(values::VALUE_TEXT, row, Cell::Text(&text));
            if parse_timestamp(&text).is_some() {
                buffer.put(values::VALUE_TS, row, Cell::Text(&text));
            }
        }
        Some(b'{') => {
            let read = Read(Names).deserialize(&mut serde_json::Deserializer::from_str(json));
            read.unwrap_or_default().write(buffer, row);
            buffer.put_with(values::VALUE_JSON, row, |out| write_compact(json, out));
        }
        Some(b'[') => buffer.put_with(values::VALUE_JSON, row, |out| write_compact(json, out)),
        Some(b't' | b'f') => buffer.put(values::VALUE_TEXT, row, Cell::Text(json)),
        _ => {
            put_number(buffer, values::VALUE_NUM, row, json);
            buffer.put(values::VALUE_TEXT, row, Cell::Text(json));
        }
    }
}

/// What tells who or what an object is.
#[derive(Default)]
struct Named {
    members: [Option<String>; MEMBERS.len()],
}

const MEMBERS: [&str; 6] = ["id", "value", "name", "key", "accountId", "displayName"];
const ID: usize = 0;
const VALUE: usize = 1;
const NAME: usize = 2;
const KEY: usize = 3;
const ACCOUNT: usize = 4;
const DISPLAY: usize = 5;

impl Named {
    fn write(&self, buffer: &mut RowBuffer, row: usize) {
        let first = |places: &[usize]| places.iter().find_map(|&place| self.members[place].as_deref());
        let is_person = self.members[DISPLAY].is_some();
        let id = first(&[ID]).or_else(|| first(&[KEY, NAME, ACCOUNT]).filter(|_| is_person));
        let text = first(&[VALUE, DISPLAY, NAME, KEY]);
        buffer.put(values::VALUE_ID, row, id.map_or(Cell::Null, Cell::Text));
        buffer.put(values::VALUE_TEXT, row, text.map_or(Cell::Null, Cell::Text));
    }
}

/// Reads the members of an object that name it.
struct Names;

impl<'de> Reader<'de> for Names {
    type Out = Named;

    fn scalar(self, _: Cell<'_>) -> Named {
        Named::default()
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Named, A::Error> {
        let mut named = Named::default();
        while let Some(place) = object.next_key_seed(Read(NameMember))? {
            match place {
                Some(place) => named.members[place] = object.next_value_seed(Read(AsText))?,
                None => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(named)
    }
}

struct NameMember;

impl Reader<'_> for NameMember {
    type Out = Option<usize>;

    fn scalar(self, cell: Cell<'_>) -> Option<usize> {
        let Cell::Text(name) = cell else { return None };
        MEMBERS.iter().position(|member| *member == name)
    }
}

/// A text, or a whole number as text.
struct AsText;

impl Reader<'_> for AsText {
    type Out = Option<String>;

    fn scalar(self, cell: Cell<'_>) -> Option<String> {
        match cell {
            Cell::Text(text) => Some(text.to_owned()),
            Cell::I64(number) => Some(number.to_string()),
            Cell::Null | Cell::Bool(_) | Cell::F64(_) | Cell::Nested => None,
        }
    }
}
