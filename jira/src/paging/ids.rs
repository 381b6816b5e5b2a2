//! Sorted issue ids as short text: differences as variable-length integers, in Base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Packs ids; they are sorted first.
pub(crate) fn pack(mut ids: Vec<i64>) -> String {
    ids.sort_unstable();
    pack_in_order(&ids)
}

/// Packs numbers in their order: short where neighbours are near.
pub(crate) fn pack_in_order(numbers: &[i64]) -> String {
    let mut bytes = Vec::with_capacity(numbers.len() * 2);
    let mut last = 0_i64;
    for number in numbers {
        let difference = number.wrapping_sub(last);
        // Zigzag, so that a small step back is short too.
        push_varint(&mut bytes, (difference.wrapping_shl(1) ^ (difference >> 63)).cast_unsigned());
        last = *number;
    }
    STANDARD_NO_PAD.encode(bytes)
}

/// Unpacks; `None` where the text was not made by [`pack`].
pub(crate) fn unpack(text: &str) -> Option<Vec<i64>> {
    let bytes = STANDARD_NO_PAD.decode(text).ok()?;
    let mut numbers = Vec::with_capacity(bytes.len() / 2);
    let mut last = 0_i64;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (zigzag, tail) = take_varint(rest)?;
        let difference = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
        last = last.wrapping_add(difference);
        numbers.push(last);
        rest = tail;
    }
    Some(numbers)
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(0x80 | u8::try_from(value & 0x7f).unwrap_or(0));
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap_or(0));
}

fn take_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(u32::try_from(at).ok()? * 7)?;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbouring_ids_take_little_more_than_a_byte() {
        let packed = pack((10_000..10_960).collect());
        assert!(packed.len() < 1400, "{}", packed.len());
        assert_eq!(unpack(&packed), Some((10_000..10_960).collect()));
        assert_eq!(unpack("!"), None);
    }

    proptest! {
        #[test]
        fn any_numbers_come_back_in_order(numbers in proptest::collection::vec(any::<i64>(), 0..200)) {
            prop_assert_eq!(unpack(&pack_in_order(&numbers)), Some(numbers));
        }
    }
}
