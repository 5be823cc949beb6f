//! No aborted record is read, no committed one is lost, no transaction is torn, and nobody writes who has been replaced.

use std::collections::{BTreeMap, BTreeSet};

use super::super::client::member::says;
use super::super::log::{Part, Value};
use super::super::message::Producer;

/// What the client was told of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing (yet).
    Unknown,
    Committed,
    Aborted,
}

#[derive(Debug)]
struct Attempt {
    id: String,
    producer: Producer,
    /// EndTxn with COMMIT was sent.
    is_commit_asked: bool,
    /// Another process took the id over before that.
    is_fenced: bool,
    outcome: Outcome,
    /// What was written and acknowledged, and must be read if it is committed.
    written: BTreeSet<(Part, u64)>,
    /// What was read.
    read: BTreeSet<(Part, u64)>,
    /// Which input partition of which group it copies, and up to where.
    copies: Option<((usize, u8), i64)>,
}

/// All transactions of a life.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    attempts: Vec<Attempt>,
    /// How often each copy was read.
    copies: BTreeMap<u64, u32>,
}

impl Transactions {
    pub(super) fn new_attempt(&mut self, id: &str, producer: Producer) -> usize {
        self.attempts.push(Attempt {
            id: id.to_owned(),
            producer,
            is_commit_asked: false,
            is_fenced: false,
            outcome: Outcome::Unknown,
            written: BTreeSet::new(),
            read: BTreeSet::new(),
            copies: None,
        });
        self.attempts.len() - 1
    }

    pub(super) fn copies(&mut self, attempt: usize, input: (usize, u8), next: i64) {
        if let Some(attempt) = self.attempts.get_mut(attempt) {
            attempt.copies = Some((input, next));
        }
    }

    pub(super) fn copied_by(&self, attempt: usize) -> Option<((usize, u8), i64)> {
        self.attempts.get(attempt)?.copies
    }

    /// The answer may come late, when others have a later epoch already. (An id that was forgotten gets another producer id;
    /// which of two is the later one cannot be seen from them.)
    pub(super) fn initialised(&mut self, id: &str, producer: Producer) {
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.id == id) {
            let is_older = attempt.producer.0 == producer.0 && attempt.producer.1 < producer.1;
            attempt.is_fenced |= is_older && !attempt.is_commit_asked;
        }
    }

    pub(super) fn written(&mut self, part: Part, values: &[Value]) {
        for value in values {
            if let Some(attempt) = self.attempts.get_mut(value.attempt) {
                attempt.written.insert((part, value.says));
            }
        }
    }

    pub(super) fn commit_asked(&mut self, attempt: usize) -> Result<(), String> {
        let Some(known) = self.attempts.get_mut(attempt) else { return Ok(()) };
        known.is_commit_asked = true;
        match known.outcome {
            Outcome::Aborted => Err(format!("attempt {attempt} is aborted and to be committed")),
            Outcome::Unknown | Outcome::Committed => Ok(()),
        }
    }

    pub(super) fn ended(&mut self, attempt: usize, commit: bool) -> Result<(), String> {
        let Some(known) = self.attempts.get_mut(attempt) else { return Ok(()) };
        known.outcome = if commit { Outcome::Committed } else { Outcome::Aborted };
        if commit && known.is_fenced {
            return Err(format!(
                "attempt {attempt} of {} is committed after another process took over",
                known.id
            ));
        }
        Ok(())
    }

    pub(super) fn value_read(&mut self, part: Part, value: Value) -> Result<(), String> {
        let Some(attempt) = self.attempts.get_mut(value.attempt) else { return Ok(()) };
        if attempt.copies.is_some() {
            *self.copies.entry(value.says).or_insert(0) += 1;
        }
        let why = if attempt.outcome == Outcome::Aborted {
            "it is aborted"
        } else if attempt.is_fenced {
            "another process took over"
        } else if !attempt.is_commit_asked {
            "nobody asked to commit it"
        } else if attempt.read.insert((part, value.says)) {
            return Ok(());
        } else {
            "it was read before"
        };
        Err(format!("{value:?} of {}: {why}", attempt.id))
    }

    /// Every transaction is there as a whole, or not at all.
    pub(super) fn check_whole(&self) -> Result<(), String> {
        for (number, attempt) in self.attempts.iter().enumerate() {
            let missing: Vec<_> = attempt.written.difference(&attempt.read).collect();
            let is_whole = missing.is_empty() && attempt.is_commit_asked;
            let is_there = match attempt.outcome {
                Outcome::Committed => !is_whole,
                Outcome::Aborted => !attempt.read.is_empty(),
                Outcome::Unknown => !attempt.read.is_empty() && !is_whole,
            };
            if is_there {
                return Err(format!("attempt {number}: {missing:?} are missing of {attempt:?}"));
            }
        }
        Ok(())
    }

    /// Every record of an input partition up to what is committed was copied, once; and none after.
    pub(super) fn check_copies(&self, committed: impl Fn(usize, u8) -> i64) -> Result<(), String> {
        let inputs: BTreeSet<(usize, u8)> =
            self.attempts.iter().filter_map(|attempt| attempt.copies).map(|(input, _)| input).collect();
        let mut expected = BTreeMap::new();
        for (group, input) in inputs {
            expected.extend((0..committed(group, input)).map(|offset| (says(group, input, offset), 1)));
        }
        match expected.iter().find(|(says, times)| self.copies.get(says) != Some(times)) {
            Some((says, _)) => Err(format!("{says:#x} was copied {:?} times", self.copies.get(says))),
            None => match self.copies.keys().find(|says| !expected.contains_key(says)) {
                Some(says) => Err(format!("{says:#x} was copied, but its offset is not committed")),
                None => Ok(()),
            },
        }
    }
}
