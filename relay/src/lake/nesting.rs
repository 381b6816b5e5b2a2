//! Refuses a Parquet footer whose columns are nested, before the Parquet library reads it.
//!
//! The library builds the schema by recursion without a bound: a hostile footer of a megabyte overflows the stack, which ends the
//! process and cannot be caught. Parts have flat columns only, so it suffices to walk the footer's Thrift (compact protocol) as far
//! as the schema, which is its second field, and to see that no element but the first one has children.

/// Structures within structures that the walk follows; Parquet's own schema elements need four.
const DEPTH_MAX: u32 = 16;

const BOOL_TRUE: u8 = 1;
const BOOL_FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const STRUCT: u8 = 12;

/// `FileMetaData.schema`.
const SCHEMA_FIELD: i64 = 2;
/// `SchemaElement.num_children`.
const CHILDREN_FIELD: i64 = 5;

/// Whether the encoded `FileMetaData` describes a flat table; `None` when it is malformed.
pub(crate) fn is_flat(footer: &[u8]) -> Option<bool> {
    let mut walk = Walk { rest: footer };
    let mut last = 0;
    while let Some((field, kind)) = walk.field(last)? {
        if field == SCHEMA_FIELD && kind == LIST {
            return walk.flat_schema();
        }
        walk.skip(kind, DEPTH_MAX)?;
        last = field;
    }
    None
}

struct Walk<'a> {
    rest: &'a [u8],
}

impl Walk<'_> {
    fn flat_schema(&mut self) -> Option<bool> {
        let (count, kind) = self.list_header()?;
        if kind != STRUCT {
            return None;
        }
        for index in 0..count {
            let children = self.children_of_element()?;
            if index > 0 && children != 0 {
                return Some(false);
            }
        }
        Some(true)
    }

    fn children_of_element(&mut self) -> Option<i64> {
        let (mut children, mut last) = (0, 0);
        while let Some((field, kind)) = self.field(last)? {
            if field == CHILDREN_FIELD && kind == I32 {
                children = self.zigzag()?;
            } else {
                self.skip(kind, DEPTH_MAX)?;
            }
            last = field;
        }
        Some(children)
    }

    /// The next field of a structure: its number and type; `Some(None)` at the structure's end.
    fn field(&mut self, last: i64) -> Option<Option<(i64, u8)>> {
        let header = self.byte()?;
        if header == 0 {
            return Some(None);
        }
        let delta = i64::from(header >> 4);
        let field = if delta == 0 { self.zigzag()? } else { last.checked_add(delta)? };
        Some(Some((field, header & 0x0f)))
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            BOOL_TRUE | BOOL_FALSE => Some(()),
            BYTE => self.byte().map(drop),
            I16 | I32 | I64 => self.varint().map(drop),
            DOUBLE => self.take(8),
            BINARY => {
                let length = self.varint()?;
                self.take(usize::try_from(length).ok()?)
            }
            LIST | SET => {
                let (count, kind) = self.list_header()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            STRUCT => {
                let mut last = 0;
                while let Some((field, kind)) = self.field(last)? {
                    self.skip(kind, depth)?;
                    last = field;
                }
                Some(())
            }
            _ => None,
        }
    }

    /// Within a list a truth value takes a byte of its own; in a field it is part of the header.
    fn skip_element(&mut self, kind: u8, depth: u32) -> Option<()> {
        match kind {
            BOOL_TRUE | BOOL_FALSE => self.byte().map(drop),
            other => self.skip(other, depth),
        }
    }

    fn list_header(&mut self) -> Option<(u64, u8)> {
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        Some((count, header & 0x0f))
    }

    fn zigzag(&mut self) -> Option<i64> {
        let raw = self.varint()?;
        let half = i64::try_from(raw >> 1).ok()?;
        Some(if raw & 1 == 0 { half } else { -half - 1 })
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A footer whose schema is a chain of groups, each the only child of the one before.
    fn chain(depth: u32) -> Vec<u8> {
        let mut footer = vec![0x15, 0x02, 0x19, 0xfc];
        let mut count = depth;
        while count >= 0x80 {
            footer.push(u8::try_from(count & 0x7f).unwrap() | 0x80);
            count >>= 7;
        }
        footer.push(u8::try_from(count).unwrap());
        for _ in 0..depth {
            footer.extend([0x48, 0x01, b'x', 0x15, 0x02, 0x00]);
        }
        footer.push(0);
        footer
    }

    #[test]
    fn deep_chain_of_groups_is_seen_without_following_it() {
        assert_eq!(is_flat(&chain(1_000_000)), Some(false));
    }

    #[test]
    fn root_with_leaves_is_flat() {
        assert_eq!(is_flat(&chain(1)), Some(true));
    }

    #[test]
    fn cut_footer_is_malformed() {
        let whole = chain(3);
        assert_eq!(is_flat(whole.get(..6).unwrap()), None);
        assert_eq!(is_flat(&[]), None);
    }
}
