//! The RTP ports of one shard: taken and freed as plain values.

use core::ops::RangeInclusive;
use std::collections::{BTreeMap, VecDeque};

use model::{CallId, Mono, TenantId};

use crate::limits;

/// Who holds a port.
pub type PortOwner = (TenantId, CallId);

/// The even ports of a range, each standing for itself (RTP) and the next one (RTCP).
///
/// The port that was freed longest ago is given first, and none before it has rested.
#[derive(Debug)]
pub struct PortSlice {
    size: usize,
    free: VecDeque<(u16, Mono)>,
    taken: BTreeMap<u16, PortOwner>,
}

impl PortSlice {
    /// A slice of all even ports of `range` whose odd neighbour is in it too.
    pub fn new(range: RangeInclusive<u16>) -> PortSlice {
        let last = *range.end();
        let free: VecDeque<_> =
            range.filter(|p| p % 2 == 0 && *p < last).map(|p| (p, Mono(0))).collect();
        PortSlice { size: free.len(), free, taken: BTreeMap::new() }
    }

    /// Takes a port for a call. `None`: all are in use or still resting.
    pub fn take(&mut self, now: Mono, owner: PortOwner) -> Option<u16> {
        let &(port, usable_from) = self.free.front()?;
        if usable_from > now {
            return None;
        }
        self.free.pop_front();
        self.taken.insert(port, owner);
        Some(port)
    }

    /// Gives a port back; a port that is not taken is left alone.
    pub fn free(&mut self, now: Mono, port: u16) {
        if self.taken.remove(&port).is_some() {
            self.free.push_back((port, now + limits::PORT_REST));
        }
    }

    /// Takes a port that a restored call held; `false` if another holds it or it is not ours.
    pub fn claim(&mut self, port: u16, owner: PortOwner) -> bool {
        let Some(at) = self.free.iter().position(|(p, _)| *p == port) else { return false };
        self.free.remove(at);
        self.taken.insert(port, owner);
        true
    }

    /// A port that is in use belongs to another call from now on.
    pub fn pass_on(&mut self, port: u16, owner: PortOwner) {
        if let Some(of) = self.taken.get_mut(&port) {
            *of = owner;
        }
    }

    /// Gives back every port of a call.
    pub fn forget(&mut self, now: Mono, owner: PortOwner) {
        let ports: Vec<u16> =
            self.taken.iter().filter(|(_, o)| **o == owner).map(|(p, _)| *p).collect();
        for port in ports {
            self.free(now, port);
        }
    }

    /// How many more legs could have a port now. Those that rest are not among them: who relied on
    /// one would find none.
    pub fn left(&self, now: Mono) -> usize {
        self.free.partition_point(|(_, usable_from)| *usable_from <= now)
    }

    /// The ports in use, with their owners.
    pub fn taken(&self) -> &BTreeMap<u16, PortOwner> {
        &self.taken
    }

    /// Every port is either free or taken.
    pub fn check(&self) -> Result<(), String> {
        if self.free.len() + self.taken.len() == self.size {
            Ok(())
        } else {
            Err(format!("{} free + {} taken of {}", self.free.len(), self.taken.len(), self.size))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: PortOwner = (TenantId(1), CallId(1));

    #[test]
    fn only_whole_pairs_are_given() {
        let mut slice = PortSlice::new(20_001..=20_006);
        assert_eq!(slice.left(Mono(0)), 2);
        let taken: Vec<_> = (0..3).map(|_| slice.take(Mono(0), CALL)).collect();
        assert_eq!(taken, [Some(20_002), Some(20_004), None]);
    }

    #[test]
    fn a_freed_port_rests_and_comes_last() {
        let mut slice = PortSlice::new(20_000..=20_003);
        let first = slice.take(Mono(0), CALL).unwrap();
        slice.free(Mono(0), first);
        assert_eq!(slice.left(Mono(1)), 1);
        assert_eq!(slice.take(Mono(1), CALL), Some(20_002));
        assert_eq!(slice.left(Mono(1)), 0);
        assert_eq!(slice.take(Mono(1), CALL), None);
        assert_eq!(slice.left(Mono(0) + limits::PORT_REST), 1);
        assert_eq!(slice.take(Mono(0) + limits::PORT_REST, CALL), Some(first));
        slice.check().unwrap();
    }

    #[test]
    fn forgetting_a_call_frees_its_ports_only() {
        let mut slice = PortSlice::new(20_000..=20_007);
        slice.take(Mono(0), CALL);
        slice.take(Mono(0), (TenantId(2), CallId(1)));
        slice.forget(Mono(0), CALL);
        assert_eq!(slice.taken().len(), 1);
        slice.check().unwrap();
        slice.free(Mono(0), 20_000);
        slice.check().unwrap();
    }
}
