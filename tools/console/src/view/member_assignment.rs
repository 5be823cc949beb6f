//! Which partitions a member of a classic group has, as its leader wrote it (`ConsumerProtocolAssignment`).

/// The partitions of an assignment; none if it is no consumer's, or damaged. No length in it is trusted.
pub(crate) fn partitions(mut assignment: &[u8]) -> Option<Vec<(String, i32)>> {
    take::<2>(&mut assignment)?;
    let mut partitions = Vec::new();
    for _ in 0..count(&mut assignment)? {
        let length = usize::from(u16::from_be_bytes(take(&mut assignment)?));
        let (name, rest) = assignment.split_at_checked(length)?;
        assignment = rest;
        let name = std::str::from_utf8(name).ok()?;
        for _ in 0..count(&mut assignment)? {
            partitions.push((name.to_owned(), i32::from_be_bytes(take(&mut assignment)?)));
        }
    }
    Some(partitions)
}

fn count(bytes: &mut &[u8]) -> Option<u32> {
    u32::try_from(i32::from_be_bytes(take(bytes)?)).ok()
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_and_damage_is_not() {
        let whole =
            [&[0, 1, 0, 0, 0, 1, 0, 1][..], b"t", &[0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 5], &[0xff; 4]].concat();
        let expected = vec![("t".to_owned(), 3), ("t".to_owned(), 5)];
        assert_eq!(partitions(&whole), Some(expected));
        for cut in 0..21 {
            assert_eq!(partitions(&whole[..cut]), None, "{cut} bytes");
        }
        assert_eq!(partitions(&[0, 1, 0x7f, 0xff, 0xff, 0xff]), None);
        assert_eq!(partitions(&[0, 1, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
