//! Lists whose elements are rows, and the frame (`startAt`, `maxResults`, `total`) that Jira puts around most of them.

use crate::decode::children::{HistoryRow, LinkRow};
use crate::decode::custom::OwnedText;
use crate::decode::lenient::{Count, Read, Reader, Truth};
use crate::decode::object::{Fill, Put, UserId};
use crate::decode::sla::SlaRows;
use crate::decode::sprint::SprintRow;
use crate::decode::tree::Node;
use crate::decode::{Envelope, MetadataPage};
use crate::rows::{Cell, RowBuffer};
use crate::undecodable::DecodeError;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;

/// What an element of a list looks like.
#[derive(Debug)]
pub(crate) enum Shape {
    /// One object, one row.
    Flat(Node),
    /// A link of an issue.
    Link(Node),
    /// A history entry: one row an item.
    History { head: Node, item: Node },
    /// A sprint: an object, or the text of one.
    Sprint(Node),
    /// An SLA of a customer request: one row a cycle.
    Sla { head: Node, cycle: Node },
    /// A person, whose id is the cell of that column.
    User(usize),
    /// A scalar, the cell of that column.
    Text(usize),
}

/// What is done with the row of an element once it is read: false drops it.
pub(crate) type ElementRules<'s> = &'s mut dyn FnMut(&mut RowBuffer, usize) -> bool;

/// A list whose elements are rows of one table.
pub(crate) struct RowList<'s> {
    pub(crate) shape: &'s Shape,
    pub(crate) buffer: &'s mut RowBuffer,
    /// Rows that were there before; a list that is sent twice starts here again.
    pub(crate) base: usize,
    pub(crate) keep: ElementRules<'s>,
}

impl<'de> Reader<'de> for &mut RowList<'_> {
    /// Elements of the list, rows or not; `None` when it was no list.
    type Out = Option<u64>;

    fn scalar(self, _: Cell<'_>) -> Option<u64> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<u64>, A::Error> {
        self.buffer.truncate(self.base);
        let mut count = 0;
        loop {
            let row = self.buffer.rows();
            let element = Element { shape: self.shape, buffer: self.buffer, row };
            let Some(rows) = list.next_element_seed(element)? else { return Ok(Some(count)) };
            count += 1;
            if (self.keep)(self.buffer, row) && rows > 0 {
                self.buffer.commit(row + rows);
            } else {
                self.buffer.truncate(row);
            }
        }
    }
}

/// Reads one element; says how many rows it is.
struct Element<'s> {
    shape: &'s Shape,
    buffer: &'s mut RowBuffer,
    row: usize,
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        let Self { shape, buffer, row } = self;
        match shape {
            Shape::Flat(node) => Read(Fill { node, buffer, row }).deserialize(deserializer).map(|()| 1),
            Shape::Link(node) => Read(LinkRow { node, buffer, row }).deserialize(deserializer).map(|()| 1),
            Shape::History { head, item } => {
                Read(HistoryRow { head, item, buffer, base: row }).deserialize(deserializer)
            }
            Shape::Sprint(node) => {
                Read(SprintRow { node, buffer, row }).deserialize(deserializer).map(|()| 1)
            }
            Shape::Sla { head, cycle } => {
                Read(SlaRows { head, cycle, buffer, base: row }).deserialize(deserializer)
            }
            Shape::User(column) => {
                Read(UserId { buffer, column: *column, row }).deserialize(deserializer).map(|()| 1)
            }
            Shape::Text(column) => {
                Read(Put { buffer, column: *column, row }).deserialize(deserializer).map(|()| 1)
            }
        }
    }
}

/// The frame around a list as Jira sent it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Frame {
    pub(crate) start_at: Option<u64>,
    pub(crate) max_results: Option<u64>,
    pub(crate) total: Option<u64>,
    /// Whether it is the last page.
    pub(crate) is_last: Option<bool>,
    /// Elements of the list; `None` when there was no list.
    pub(crate) count: Option<u64>,
}

impl Frame {
    /// Whether the list is known to hold everything.
    pub(crate) fn is_complete(&self) -> bool {
        matches!((self.total, self.count), (Some(total), Some(count)) if total <= count)
    }
}

/// Reads a frame and hands its list to `list`.
pub(crate) struct Framed<'s, L> {
    pub(crate) list_name: &'static str,
    pub(crate) list: Option<&'s mut L>,
    /// Gets the token by which the next page is asked for.
    pub(crate) token: Option<&'s mut Option<String>>,
}

impl<'de, L> Reader<'de> for Framed<'_, L>
where
    for<'l> &'l mut L: Reader<'de, Out = Option<u64>>,
{
    /// `None` when the value was no object.
    type Out = Option<Frame>;

    fn scalar(self, _: Cell<'_>) -> Option<Frame> {
        None
    }

    fn object<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Option<Frame>, A::Error> {
        let mut frame = Frame::default();
        while let Some(part) = object.next_key_seed(Read(FrameMember(self.list_name)))? {
            match (part, &mut self.list) {
                (FramePart::StartAt, _) => frame.start_at = object.next_value_seed(Read(Count))?,
                (FramePart::MaxResults, _) => frame.max_results = object.next_value_seed(Read(Count))?,
                (FramePart::Total, _) => frame.total = object.next_value_seed(Read(Count))?,
                (FramePart::Token, _) => {
                    let token = object.next_value_seed(Read(OwnedText))?;
                    if let Some(kept) = &mut self.token {
                        **kept = token;
                    }
                }
                (FramePart::IsLast, _) => frame.is_last = object.next_value_seed(Read(Truth))?,
                (FramePart::List, Some(list)) => frame.count = object.next_value_seed(Read(&mut **list))?,
                (FramePart::List | FramePart::Other, _) => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Some(frame))
    }
}

enum FramePart {
    StartAt,
    MaxResults,
    Total,
    IsLast,
    List,
    Token,
    Other,
}

struct FrameMember(&'static str);

impl Reader<'_> for FrameMember {
    type Out = FramePart;

    fn scalar(self, cell: Cell<'_>) -> FramePart {
        match cell {
            Cell::Text("startAt" | "start") => FramePart::StartAt,
            Cell::Text("maxResults") => FramePart::MaxResults,
            Cell::Text("total") => FramePart::Total,
            Cell::Text("nextPageToken") => FramePart::Token,
            Cell::Text("isLast" | "isLastPage") => FramePart::IsLast,
            Cell::Text(name) if name == self.0 => FramePart::List,
            Cell::Text(_) | Cell::Null | Cell::Bool(_) | Cell::I64(_) | Cell::F64(_) | Cell::Nested => {
                FramePart::Other
            }
        }
    }
}

/// Reads the whole text with one reader.
pub(crate) fn read_text<'de, R: Reader<'de>>(
    what: &'static str,
    json: &'de str,
    reader: R,
) -> Result<R::Out, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let out = Read(reader).deserialize(&mut deserializer);
    out.and_then(|out| deserializer.end().map(|()| out)).map_err(|error| DecodeError::json(what, &error))
}

/// Reads a framed list of an issue's children.
pub(crate) fn read_children(
    what: &'static str,
    json: &str,
    list_name: &'static str,
    mut rows: RowList<'_>,
) -> Result<Envelope, DecodeError> {
    let frame = read_text(what, json, Framed { list_name, list: Some(&mut rows), token: None });
    let frame = frame.and_then(|frame| match frame {
        Some(Frame { count: Some(count), start_at, max_results, total, .. }) => Ok(Envelope {
            start_at: start_at.unwrap_or_default(),
            max_results: max_results.unwrap_or(count),
            total: total.unwrap_or(count),
            count,
        }),
        _ => Err(DecodeError::Shape { what, detail: format!("there is no list of {list_name}") }),
    });
    if frame.is_err() {
        rows.buffer.truncate(rows.base);
    }
    frame
}

/// Reads a list of a site's metadata: bare, or below the members that `list` joins by dots. Without these an object is the only element.
pub(crate) fn read_rows(
    what: &'static str,
    json: &str,
    list: &'static str,
    mut rows: RowList<'_>,
) -> Result<MetadataPage, DecodeError> {
    let is_object = json.trim_start().starts_with('{');
    let frame = if is_object && list.is_empty() {
        read_text(what, &format!("[{json}]"), &mut rows)
            .map(|count| Some(Frame { count, ..Frame::default() }))
    } else if is_object {
        let (above, list_name) = list.rsplit_once('.').unwrap_or(("", list));
        below(what, json, above)
            .and_then(|json| read_text(what, json, Framed { list_name, list: Some(&mut rows), token: None }))
    } else {
        read_text(what, json, &mut rows).map(|count| Some(Frame { count, ..Frame::default() }))
    };
    let page = frame.and_then(|frame| match frame {
        Some(Frame { count: Some(count), total, is_last, .. }) => {
            Ok(MetadataPage { count, fresh: 0, is_last, total })
        }
        Some(_) | None => Err(DecodeError::Shape { what, detail: "there is no list".to_owned() }),
    });
    if page.is_err() {
        rows.buffer.truncate(rows.base);
    }
    page
}

/// The text of the value below these members.
fn below<'j>(what: &'static str, json: &'j str, members: &str) -> Result<&'j str, DecodeError> {
    let mut json = json;
    for member in members.split('.').filter(|member| !member.is_empty()) {
        let object: HashMap<Cow<'_, str>, &'j RawValue> =
            serde_json::from_str(json).map_err(|error| DecodeError::json(what, &error))?;
        let found = object.get(member).copied();
        let no_member = || DecodeError::Shape { what, detail: format!("there is no {member}") };
        json = found.ok_or_else(no_member)?.get();
    }
    Ok(json)
}
