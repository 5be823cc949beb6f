//! What will happen, and when: the queue of events of one life. Events of the same time keep the order in which they were noted.
//!
//! Events are large and the queue is turned over all the time, so they stay where they were put: what is sorted is where they are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// When, the how manieth, and in which slot.
type Scheduled = Reverse<(i64, u64, usize)>;

/// The events to come; times are in milliseconds.
#[derive(Debug)]
pub struct Agenda<E> {
    queue: BinaryHeap<Scheduled>,
    slots: Vec<Option<E>>,
    free: Vec<usize>,
    numbers: u64,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Agenda { queue: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), numbers: 0 }
    }
}

impl<E> Agenda<E> {
    /// Notes an event.
    pub fn note(&mut self, at: i64, event: E) {
        self.numbers += 1;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = Some(event);
                slot
            }
            None => {
                self.slots.push(Some(event));
                self.slots.len() - 1
            }
        };
        self.queue.push(Reverse((at, self.numbers, slot)));
    }

    /// Takes the next event out, and says when it is.
    pub fn take_next(&mut self) -> Option<(i64, E)> {
        let Reverse((at, _, slot)) = self.queue.pop()?;
        self.free.push(slot);
        Some((at, self.slots[slot].take()?))
    }
}
