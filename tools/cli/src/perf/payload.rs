//! Payloads of records to test with: random letters, lines of a file, or numbers (`ProducerPerformance`). Pure.

/// What records hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// So many random letters.
    Random(usize),
    /// One of these by chance.
    Lines(Vec<Vec<u8>>),
    /// The record's number.
    Counting,
}

impl Payload {
    /// The lines of a file, divided by `delimiter`; none at the end where nothing follows.
    pub fn lines(text: &[u8], delimiter: &str) -> Payload {
        let text = String::from_utf8_lossy(text);
        let mut lines: Vec<Vec<u8>> = text.split(delimiter).map(|line| line.as_bytes().to_vec()).collect();
        while lines.len() > 1 && lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        Payload::Lines(lines)
    }
}

/// Makes one payload after the other, always the same ones, without allocating.
#[derive(Debug)]
pub struct Payloads {
    payload: Payload,
    state: u64,
    buffer: Vec<u8>,
}

impl Payloads {
    /// Starts from the beginning.
    pub fn new(payload: Payload) -> Payloads {
        let size = if let Payload::Random(size) = payload { size } else { 0 };
        Payloads { payload, state: 0x9e37_79b9_7f4a_7c15, buffer: vec![0; size] }
    }

    /// The payload of record `number`.
    pub fn next(&mut self, number: u64) -> &[u8] {
        match &self.payload {
            Payload::Random(_) => {
                for chunk in self.buffer.chunks_mut(8) {
                    let random = next_random(&mut self.state).to_le_bytes();
                    for (slot, byte) in chunk.iter_mut().zip(random) {
                        *slot = b'A' + ((u16::from(byte) * 26) >> 8) as u8;
                    }
                }
                &self.buffer
            }
            Payload::Lines(lines) => {
                let count = lines.len().max(1) as u64;
                let at = usize::try_from(next_random(&mut self.state) % count).unwrap_or(0);
                lines.get(at).map(Vec::as_slice).unwrap_or_default()
            }
            Payload::Counting => {
                self.buffer = number.to_string().into_bytes();
                &self.buffer
            }
        }
    }
}

/// xorshift64*: good enough for letters, and faster than the network.
fn next_random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_lines_and_numbers() {
        let mut random = Payloads::new(Payload::Random(1000));
        let first = random.next(0).to_vec();
        assert!(first.iter().all(u8::is_ascii_uppercase));
        assert!((b'A'..=b'Z').all(|letter| first.contains(&letter)));
        assert_ne!(random.next(1), first);

        let lines = Payload::lines(b"a\nb\n\nc\n\n", "\n");
        assert_eq!(lines, Payload::Lines([&b"a"[..], b"b", b"", b"c"].map(<[u8]>::to_vec).to_vec()));
        let mut lines = Payloads::new(lines);
        let seen: std::collections::BTreeSet<Vec<u8>> = (0..100).map(|n| lines.next(n).to_vec()).collect();
        assert_eq!(seen.len(), 4);

        let mut counting = Payloads::new(Payload::Counting);
        assert_eq!([counting.next(0).to_vec(), counting.next(12).to_vec()], [b"0".to_vec(), b"12".to_vec()]);
    }
}
