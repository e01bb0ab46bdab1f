//! What is still to happen, in the order of (time, sequence).

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use model::Mono;

/// Events in order of time; of the same moment, the one that was put in first comes first.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    next: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Mono,
    sequence: u64,
    event: E,
}

impl<E> Default for Queue<E> {
    fn default() -> Queue<E> {
        Queue { heap: BinaryHeap::new(), next: 0 }
    }
}

impl<E> Queue<E> {
    /// Lets `event` happen at `at`.
    pub(crate) fn push(&mut self, at: Mono, event: E) {
        let sequence = self.next;
        self.next += 1;
        self.heap.push(Reverse(Entry { at, sequence, event }));
    }

    /// When the next event happens.
    pub(crate) fn next_at(&self) -> Option<Mono> {
        self.heap.peek().map(|Reverse(e)| e.at)
    }

    /// Takes the next event.
    pub(crate) fn pop(&mut self) -> Option<(Mono, E)> {
        self.heap.pop().map(|Reverse(e)| (e.at, e.event))
    }

    /// Forgets the events that `keep` does not want.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&E) -> bool) {
        self.heap.retain(|Reverse(e)| keep(&e.event));
    }
}

impl<E> Entry<E> {
    fn key(&self) -> (Mono, u64) {
        (self.at, self.sequence)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Entry<E>) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Entry<E>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Entry<E>) -> Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_one_moment_keep_their_order() {
        let mut queue = Queue::default();
        for (at, name) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')] {
            queue.push(Mono(at), name);
        }
        assert_eq!(queue.next_at(), Some(Mono(1)));
        let order: String = core::iter::from_fn(|| queue.pop().map(|(_, name)| name)).collect();
        assert_eq!(order, "abcd");
    }
}
