//! What a life came to: a hash of all that happened, and the lines of its story for those who want to read it.

/// See the module.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    is_told: bool,
}

impl Trace {
    /// Nothing happened yet; with `is_told` its lines are printed.
    pub fn new(is_told: bool) -> Trace {
        Trace { hash: 0xcbf2_9ce4_8422_2325, is_told }
    }

    /// Adds numbers to the hash.
    pub fn mix(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.hash = (self.hash ^ number).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
        }
    }

    /// What it all came to.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Prints a line, when it is wanted; `at` is in milliseconds from the beginning.
    pub fn tell(&self, at: i64, line: impl FnOnce() -> String) {
        if self.is_told {
            println!("{at:>8} {}", line());
        }
    }
}
