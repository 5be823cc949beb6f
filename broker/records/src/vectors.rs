//! Bytes known to be right, for tests: reference vectors of the record formats.

/// Bytes of hexadecimal text; white space is skipped.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.bytes().filter_map(|byte| char::from(byte).to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// T, the time of most vectors.
pub(crate) const T: i64 = 1_700_000_000_000;

/// Two records without compression at offsets 100 and 101, leader epoch 5.
pub(crate) const A: &str = "00000000000000640000004d000000050228152d3f0000000000010000018bcfe568000000018bcfe56805ff\
    ffffffffffffffffffffffffff0000000226000000010a68656c6c6f040268040102026e010e000a02026b0100";

/// A after a cleaning at T that dropped its first record, with a delete horizon of T + one day.
pub(crate) const B: &str = "00000000000000640000003c000000050296ea75a50040000000010000018bd50bc4000000018bcfe56805ff\
    ffffffffffffffffffffffffff000000011400f5efb25202026b0100";

/// An emptied batch kept for its producer: offsets 100 and 101, pid 4000, epoch 3, sequence 7.
pub(crate) const C: &str = "0000000000000064000000310000000502167288fd001000000001ffffffffffffffff0000018bcfe5680500\
    00000000000fa000030000000700000000";

/// A COMMIT marker at offset 50, time T, pid 4000, epoch 3, coordinator epoch 12.
pub(crate) const D: &str = "000000000000003200000042000000050267bf99af0030000000000000018bcfe568000000018bcfe5680000\
    00000000000fa00003ffffffff000000012000000008000000010c00000000000c00";

/// Magic 1, offset 7, time T, `k` = `v`.
pub(crate) const E: &str = "00000000000000070000001839268c3301000000018bcfe56800000000016b0000000176";

/// Magic 0, offset 7, no key, value `v`.
pub(crate) const F: &str = "00000000000000070000000fd20cbff50000ffffffff0000000176";

/// A wrapper of magic 1, lz4, holding offset 10 (T, `a` = `x`) and 11 (T + 5, `b` = `y`).
pub(crate) const G: &str = "000000000000000b0000006ddba9f41d01030000018bcfe56805ffffffff0000005704224d18604082480000\
    800000000000000000000000187f05825201000000018bcfe5680000000001610000000178000000000000000100000018ffc16c280100\
    0000018bcfe568050000000162000000017900000000";
