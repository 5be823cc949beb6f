//! What must hold of groups and transactions, one file each. The checker sees what clients were told, as no coordinator can.
//!
//! Not promised, because the protocol before KIP-890's second part does not either: that a request which its sender has given up
//! is not carried out later, behind another one. So a connection keeps its order here, and what is late dies with it.

mod offsets;
mod ownership;
mod transactions;

use gregor_model::ProducerEpoch;

use self::offsets::Offsets;
use self::ownership::Ownership;
use self::transactions::Transactions;
use super::log::{Author, Part, Value};
use super::message::Producer;

/// See the module.
#[derive(Debug, Default)]
pub struct Checker {
    ownership: Ownership,
    offsets: Offsets,
    transactions: Transactions,
    violation: Option<String>,
    /// How many assignments were taken over by members.
    pub assignments: u64,
    /// How many offsets were acknowledged.
    pub commits: u64,
    /// How many transactions were committed.
    pub transactions_committed: u64,
}

impl Checker {
    /// The first violation.
    pub fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// Notes a violation, unless there was one before.
    pub fn violated(&mut self, invariant: &str, how: impl FnOnce() -> String) {
        self.violation.get_or_insert_with(|| format!("{invariant}: {}", how()));
    }

    fn note(&mut self, outcome: Result<(), String>, invariant: &str) {
        if let Err(how) = outcome {
            self.violated(invariant, || how);
        }
    }

    /// A member took over an assignment.
    pub fn assigned(&mut self, group: usize, generation: i32, owner: &str, inputs: &[u8]) {
        self.assignments += 1;
        let outcome = self.ownership.assigned(group, generation, owner, inputs);
        self.note(outcome, "no partition is owned by two members of one generation");
    }

    /// A member sends a commit.
    pub fn offset_offered(&mut self, (group, generation): (usize, i32), input: u8, offset: i64) {
        if self.ownership.is_newest(group, generation) {
            self.offsets.offered(&format!("group-{group}"), input.into(), offset);
        }
    }

    /// A member was told that its offset is committed.
    pub fn offset_acknowledged(&mut self, group: &str, input: u8, offset: i64) {
        self.commits += 1;
        self.offsets.acknowledged(group, input.into(), offset);
    }

    /// The coordinator (not one that only takes itself for it) tells an offset.
    pub fn offset_fetched(&mut self, group: &str, input: i32, offset: i64) {
        let outcome = self.offsets.fetched(group, input, offset);
        self.note(outcome, "committed offsets never go back");
    }

    /// A process begins a transaction.
    pub fn new_attempt(&mut self, id: &str, producer: Producer) -> usize {
        self.transactions.new_attempt(id, producer)
    }

    /// The transaction copies records of an input partition of a group, up to that offset.
    pub fn copies(&mut self, attempt: usize, (group, input): (usize, u8), next: i64) {
        self.transactions.copies(attempt, (group, input), next);
    }

    /// InitProducerId was answered: what others with an earlier epoch of that id had not asked to be committed by now, must not be.
    pub fn initialised(&mut self, id: &str, producer: Producer) {
        self.transactions.initialised(id, producer);
    }

    /// A producer was told that its records are written.
    pub fn written(&mut self, part: Part, values: &[Value]) {
        self.transactions.written(part, values);
    }

    /// EndTxn with COMMIT is sent.
    pub fn commit_asked(&mut self, attempt: usize) {
        let outcome = self.transactions.commit_asked(attempt);
        self.note(outcome, "a transaction is decided once");
    }

    /// EndTxn was answered with success.
    pub fn ended(&mut self, attempt: usize, commit: bool) {
        self.transactions_committed += u64::from(commit);
        let outcome = self.transactions.ended(attempt, commit);
        self.note(outcome, "no zombie commits");
        if let Some(((group, input), next)) = self.transactions.copied_by(attempt).filter(|_| commit) {
            self.offsets.acknowledged(&format!("group-{group}"), input.into(), next);
        }
    }

    /// A read_committed consumer got a record.
    pub fn value_read(&mut self, part: Part, value: Value, author: Option<Author>) {
        let epoch = author.map_or(ProducerEpoch(-1), |author| author.producer.1);
        let outcome = self.transactions.value_read(part, value);
        self.note(
            outcome.map_err(|how| format!("{how} (epoch {}, {part:?})", epoch.0)),
            "no aborted record is read",
        );
    }

    /// Nothing happens any more, and the consumers have read everything.
    pub fn at_the_end(&mut self) {
        let committed = |group: usize, input: u8| self.offsets.floor(&format!("group-{group}"), input.into());
        let copies = self.transactions.check_copies(committed);
        let whole = self.transactions.check_whole();
        self.note(whole, "transactions are read whole or not at all, and once");
        self.note(copies, "what is copied is copied once");
    }

    /// What is committed for an input partition of a group that copies, as its coordinator tells in the end.
    pub fn committed_in_the_end(&mut self, group: usize, input: u8, offset: i64) {
        self.offsets.acknowledged(&format!("group-{group}"), input.into(), offset);
    }
}
