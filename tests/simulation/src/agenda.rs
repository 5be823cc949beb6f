//! What will happen, and when: the queue of events of one life. Events of the same time keep the order in which they were noted.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

#[derive(Debug)]
struct Scheduled<E> {
    at: i64,
    number: u64,
    event: E,
}

impl<E> PartialEq for Scheduled<E> {
    fn eq(&self, other: &Scheduled<E>) -> bool {
        self.number == other.number
    }
}

impl<E> Eq for Scheduled<E> {}

impl<E> PartialOrd for Scheduled<E> {
    fn partial_cmp(&self, other: &Scheduled<E>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Scheduled<E> {
    fn cmp(&self, other: &Scheduled<E>) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// The events to come; times are in milliseconds.
#[derive(Debug)]
pub struct Agenda<E> {
    queue: BinaryHeap<Reverse<Scheduled<E>>>,
    numbers: u64,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Agenda { queue: BinaryHeap::new(), numbers: 0 }
    }
}

impl<E> Agenda<E> {
    /// Notes an event.
    pub fn note(&mut self, at: i64, event: E) {
        self.numbers += 1;
        self.queue.push(Reverse(Scheduled { at, number: self.numbers, event }));
    }

    /// Takes the next event out, and says when it is.
    pub fn take_next(&mut self) -> Option<(i64, E)> {
        let Reverse(next) = self.queue.pop()?;
        Some((next.at, next.event))
    }
}
