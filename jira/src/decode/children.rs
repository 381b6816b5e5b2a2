//! Children of an issue whose rows take more than one object: links and history entries.

use crate::decode::lenient::{Read, Reader};
use crate::decode::object::{Fill, Into};
use crate::decode::tree::{Member, Node, Section, Target};
use crate::rows::{Cell, RowBuffer};
use crate::tables::{changelog, links};
use serde::de::{IgnoredAny, MapAccess, SeqAccess};

/// Fills the row of one link.
pub(crate) struct LinkRow<'s> {
    pub(crate) node: &'s Node,
    pub(crate) buffer: &'s mut RowBuffer,
    pub(crate) row: usize,
}

impl<'de> Reader<'de> for LinkRow<'_> {
    type Out = ();

    fn scalar(self, _: Cell<'_>) {}

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { node, buffer, row } = self;
        let mut inward = false;
        while let Some(target) = object.next_key_seed(Member(node))? {
            match target {
                Some(Target::Section(Section::Inward)) => {
                    inward |= object.next_value_seed(Read(OtherIssue { buffer, row }))?;
                }
                Some(Target::Section(Section::Outward)) if !inward => {
                    object.next_value_seed(Read(OtherIssue { buffer, row }))?;
                }
                Some(Target::Section(_)) | None => drop(object.next_value::<IgnoredAny>()?),
                Some(target) => object.next_value_seed(Into { target, buffer, row })?,
            }
        }
        let (direction, phrase) =
            if inward { ("inward", links::INWARD_PHRASE) } else { ("outward", links::OUTWARD_PHRASE) };
        buffer.put(links::DIRECTION, row, Cell::Text(direction));
        buffer.copy_text(phrase, links::PHRASE, row);
        Ok(())
    }
}

/// Fills which issue is at the other end; false when it is null or no object.
struct OtherIssue<'s> {
    buffer: &'s mut RowBuffer,
    row: usize,
}

impl<'de> Reader<'de> for OtherIssue<'_> {
    type Out = bool;

    fn scalar(self, _: Cell<'_>) -> bool {
        false
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<bool, A::Error> {
        self.buffer.put(links::OTHER_ID, self.row, Cell::Null);
        self.buffer.put(links::OTHER_KEY, self.row, Cell::Null);
        while let Some(column) = object.next_key_seed(Read(OtherMember))? {
            match column {
                Some(column) => {
                    let target = &Target::Value(column);
                    object.next_value_seed(Into { target, buffer: self.buffer, row: self.row })?;
                }
                None => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(true)
    }
}

/// The column that a member of the other issue fills.
struct OtherMember;

impl Reader<'_> for OtherMember {
    type Out = Option<usize>;

    fn scalar(self, cell: Cell<'_>) -> Option<usize> {
        match cell {
            Cell::Text("id") => Some(links::OTHER_ID),
            Cell::Text("key") => Some(links::OTHER_KEY),
            Cell::Text(_) | Cell::Null | Cell::Bool(_) | Cell::I64(_) | Cell::F64(_) | Cell::Nested => None,
        }
    }
}

/// Fills the rows of one history entry: what its items share once per item. Gives the number of rows, at least one.
pub(crate) struct HistoryRow<'s> {
    pub(crate) head: &'s Node,
    pub(crate) item: &'s Node,
    pub(crate) buffer: &'s mut RowBuffer,
    pub(crate) base: usize,
}

impl<'de> Reader<'de> for HistoryRow<'_> {
    type Out = usize;

    fn scalar(self, _: Cell<'_>) -> usize {
        1
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<usize, A::Error> {
        let Self { head, item, buffer, base } = self;
        let mut items = 0;
        while let Some(target) = object.next_key_seed(Member(head))? {
            match target {
                Some(Target::Section(Section::Items)) => {
                    items = object.next_value_seed(Read(Items { item, buffer, base }))?;
                }
                Some(Target::Section(_)) | None => drop(object.next_value::<IgnoredAny>()?),
                Some(target) => object.next_value_seed(Into { target, buffer, row: base })?,
            }
        }
        let rows = items.max(1);
        for column in changelog::SHARED {
            buffer.repeat(*column, base, base + rows);
        }
        for (row, index) in (base..base + rows).zip(0..) {
            buffer.put(changelog::ITEM_INDEX, row, Cell::I64(index));
        }
        Ok(rows)
    }
}

/// Fills one row per changed field; gives their number.
struct Items<'s> {
    item: &'s Node,
    buffer: &'s mut RowBuffer,
    base: usize,
}

impl<'de> Reader<'de> for Items<'_> {
    type Out = usize;

    fn scalar(self, _: Cell<'_>) -> usize {
        0
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<usize, A::Error> {
        let Self { item, buffer, base } = self;
        buffer.clear(changelog::FIRST_OF_ITEM.., base);
        let mut count = 0;
        while list.next_element_seed(Read(Fill { node: item, buffer, row: base + count }))?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}
