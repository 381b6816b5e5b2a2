//! SLAs of a customer request: a row for each cycle, the ongoing one last.

use crate::decode::lenient::{Read, Reader};
use crate::decode::object::{Fill, Into};
use crate::decode::tree::{Member, Node, Section, Target};
use crate::rows::{Cell, RowBuffer};
use crate::tables::service_desk::{CYCLE_NO, IS_ONGOING, SHARED};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess};
use serde_json::value::RawValue;

/// Fills the rows of one SLA. Gives their number, which may be none.
pub(crate) struct SlaRows<'s> {
    pub(crate) head: &'s Node,
    pub(crate) cycle: &'s Node,
    pub(crate) buffer: &'s mut RowBuffer,
    pub(crate) base: usize,
}

impl<'de> Reader<'de> for SlaRows<'_> {
    type Out = usize;

    fn scalar(self, _: Cell<'_>) -> usize {
        0
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<usize, A::Error> {
        let Self { head, cycle, buffer, base } = self;
        let (mut completed, mut ongoing) = (None, None);
        while let Some(target) = object.next_key_seed(Member(head))? {
            match target {
                Some(Target::Section(Section::Completed)) => {
                    completed = Some(object.next_value::<&RawValue>()?)
                }
                Some(Target::Section(Section::Ongoing)) => ongoing = Some(object.next_value::<&RawValue>()?),
                Some(Target::Section(_)) | None => drop(object.next_value::<IgnoredAny>()?),
                Some(target) => object.next_value_seed(Into { target, buffer, row: base })?,
            }
        }
        // What is no list holds no cycles.
        let list = completed.map_or("[]", RawValue::get);
        let completed = serde_json::from_str::<Vec<&RawValue>>(list).unwrap_or_default();
        let cycles = completed.into_iter().map(|cycle| (cycle, false));
        let cycles =
            cycles.chain(ongoing.map(|cycle| (cycle, true))).filter(|(cycle, _)| cycle.get() != "null");
        let mut row = base;
        for (json, is_ongoing) in cycles {
            let mut deserializer = serde_json::Deserializer::from_str(json.get());
            let fill = Read(Fill { node: cycle, buffer, row });
            fill.deserialize(&mut deserializer).map_err(A::Error::custom)?;
            buffer.put(IS_ONGOING, row, Cell::Bool(is_ongoing));
            row += 1;
        }
        if row > base {
            for column in SHARED {
                buffer.repeat(*column, base, row);
            }
        }
        for (row, number) in (base..row).zip(0..) {
            buffer.put(CYCLE_NO, row, Cell::I64(number));
        }
        Ok(row - base)
    }
}
