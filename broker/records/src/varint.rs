//! Zig-zag variable-length integers as records hold them (`ByteUtils`): base-128 groups, least significant first.
//!
//! Readers move a slice forward and return `None` at its end or when a number is longer than its type allows.

/// The most bytes a 32-bit number takes.
pub(crate) const INT_BYTES_MAX: usize = 5;
/// The most bytes a 64-bit number takes.
pub(crate) const LONG_BYTES_MAX: usize = 10;

/// Reads a 32-bit number.
#[inline]
pub(crate) fn read_int(input: &mut &[u8]) -> Option<i32> {
    match read_short(input) {
        Some(raw) => Some(unzigzag_int(raw)),
        None => read_group(input, INT_BYTES_MAX).map(|raw| unzigzag_int(raw as u32)),
    }
}

/// Reads a 64-bit number.
#[inline]
pub(crate) fn read_long(input: &mut &[u8]) -> Option<i64> {
    match read_short(input) {
        Some(raw) => Some(unzigzag_long(u64::from(raw))),
        None => read_group(input, LONG_BYTES_MAX).map(unzigzag_long),
    }
}

/// A number of one or two bytes: nearly all there are.
#[inline]
fn read_short(input: &mut &[u8]) -> Option<u32> {
    match **input {
        [first, ref rest @ ..] if first < 0x80 => {
            *input = rest;
            Some(u32::from(first))
        }
        [first, second, ref rest @ ..] if second < 0x80 => {
            *input = rest;
            Some(u32::from(first & 0x7f) | u32::from(second) << 7)
        }
        _ => None,
    }
}

/// Bits past the width of the type are dropped, as Kafka drops them.
#[cold]
fn read_group(input: &mut &[u8], bytes_max: usize) -> Option<u64> {
    let mut raw = 0u64;
    for (index, &byte) in input.iter().take(bytes_max).enumerate() {
        raw |= u64::from(byte & 0x7f) << (7 * index as u32);
        if byte < 0x80 {
            *input = input.get(index + 1..)?;
            return Some(raw);
        }
    }
    None
}

/// Appends a 32-bit number.
#[inline]
pub(crate) fn write_int(out: &mut Vec<u8>, value: i32) {
    write_long(out, i64::from(value));
}

/// Appends a 64-bit number; a 32-bit one has the same encoding.
#[inline]
pub(crate) fn write_long(out: &mut Vec<u8>, value: i64) {
    let mut raw = zigzag_long(value);
    while raw >= 0x80 {
        out.push((raw as u8) | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Bytes that [`write_int`] and [`write_long`] take for a number.
#[inline]
pub(crate) fn size(value: i64) -> usize {
    let bits = 64 - (zigzag_long(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[inline]
fn zigzag_long(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
fn unzigzag_int(raw: u32) -> i32 {
    ((raw >> 1) as i32) ^ -((raw & 1) as i32)
}

#[inline]
fn unzigzag_long(raw: u64) -> i64 {
    ((raw >> 1) as i64) ^ -((raw & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::hex;
    use proptest::prelude::*;

    #[test]
    fn vectors() {
        #[track_caller]
        fn check(value: i64, bytes: &str) {
            let mut out = Vec::new();
            write_long(&mut out, value);
            assert_eq!(out, hex(bytes));
            assert_eq!(size(value), out.len());
            assert_eq!(read_long(&mut out.as_slice()), Some(value));
            if let Ok(int) = i32::try_from(value) {
                assert_eq!(read_int(&mut out.as_slice()), Some(int));
            }
        }
        check(0, "00");
        check(-1, "01");
        check(1, "02");
        check(63, "7e");
        check(-64, "7f");
        check(64, "8001");
        check(300, "d804");
        check(i64::from(i32::MAX), "feffffff0f");
        check(i64::from(i32::MIN), "ffffffff0f");
        check(-86_399_995, "f5efb252");
        check(i64::MAX, "feffffffffffffffff01");
        check(i64::MIN, "ffffffffffffffffff01");
    }

    #[test]
    fn too_long_or_short() {
        #[track_caller]
        fn check(bytes: &str, int: Option<i32>, long: Option<i64>) {
            assert_eq!(read_int(&mut hex(bytes).as_slice()), int);
            assert_eq!(read_long(&mut hex(bytes).as_slice()), long);
        }
        check("", None, None);
        check("80", None, None);
        check("ffffffffff", None, None);
        check("ffffffffff01", None, Some(-(1 << 35)));
        check("ffffffffffffffffffff", None, None);
    }

    proptest! {
        #[test]
        fn round_trip(value: i64) {
            let mut out = Vec::new();
            write_long(&mut out, value);
            prop_assert_eq!(size(value), out.len());
            let mut input = out.as_slice();
            prop_assert_eq!(read_long(&mut input), Some(value));
            prop_assert!(input.is_empty());
            prop_assert_eq!(read_long(&mut &out[..out.len() - 1]), None);
        }
    }
}
