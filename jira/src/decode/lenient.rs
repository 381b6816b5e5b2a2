//! A visitor that takes whatever JSON comes: each reader says what it does with a scalar, a list or an object, and what it does not
//! expect is read over and reported as [`Cell::Nested`].

use crate::rows::Cell;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Reads one JSON value of unknown shape.
pub(crate) trait Reader<'de>: Sized {
    type Out;

    /// The value is a scalar, or of a shape that this reader does not read.
    fn scalar(self, cell: Cell<'_>) -> Self::Out;

    /// The value is a list.
    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Out, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.scalar(Cell::Nested))
    }

    /// The value is an object.
    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Out, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.scalar(Cell::Nested))
    }
}

/// Drives a [`Reader`] with serde.
pub(crate) struct Read<R>(pub(crate) R);

impl<'de, R: Reader<'de>> DeserializeSeed<'de> for Read<R> {
    type Value = R::Out;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<R::Out, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Reader<'de>> Visitor<'de> for Read<R> {
    type Value = R::Out;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<R::Out, E> {
        Ok(self.0.scalar(Cell::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<R::Out, E> {
        Ok(self.0.scalar(Cell::Bool(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<R::Out, E> {
        Ok(self.0.scalar(Cell::I64(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<R::Out, E> {
        #[expect(clippy::cast_precision_loss, reason = "beyond i64 only a double is left")]
        let beyond = || Cell::F64(value as f64);
        Ok(self.0.scalar(i64::try_from(value).map_or_else(|_| beyond(), Cell::I64)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<R::Out, E> {
        Ok(self.0.scalar(Cell::F64(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<R::Out, E> {
        Ok(self.0.scalar(Cell::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<R::Out, A::Error> {
        self.0.list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<R::Out, A::Error> {
        self.0.object(object)
    }
}

/// A count that Jira sends as a number; `None` for anything else.
pub(crate) struct Count;

impl Reader<'_> for Count {
    type Out = Option<u64>;

    fn scalar(self, cell: Cell<'_>) -> Option<u64> {
        match cell {
            Cell::I64(value) => u64::try_from(value).ok(),
            Cell::Text(text) => text.parse().ok(),
            Cell::Null | Cell::Bool(_) | Cell::F64(_) | Cell::Nested => None,
        }
    }
}

/// True or false; `None` for anything else.
pub(crate) struct Truth;

impl Reader<'_> for Truth {
    type Out = Option<bool>;

    fn scalar(self, cell: Cell<'_>) -> Option<bool> {
        match cell {
            Cell::Bool(value) => Some(value),
            Cell::Text(_) | Cell::I64(_) | Cell::Null | Cell::F64(_) | Cell::Nested => None,
        }
    }
}
