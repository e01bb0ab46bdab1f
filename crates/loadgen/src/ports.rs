//! Ports that nobody uses at the moment.

use std::net::{Ipv4Addr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};

/// Below the range from which Linux takes ports by itself.
const FIRST: u32 = 10_240;
const LAST: u32 = 32_000;

static TAKEN: AtomicU32 = AtomicU32::new(0);

/// A range of `count` UDP ports that are free on the loopback address, the first even. Ranges
/// given out in one process do not overlap; another process begins elsewhere.
pub fn free_range(count: u16) -> Result<RangeInclusive<u16>> {
    let wide = u32::from(count).next_multiple_of(2);
    let room = (LAST - FIRST).checked_sub(wide).filter(|_| count > 0).context("so many ports")?;
    // Processes that start one after the other have neighbouring ids: spread them.
    let spread = std::process::id().wrapping_mul(2_654_435_761) % room;
    let free = (0..room / wide).find_map(|_| {
        let offset = spread.wrapping_add(TAKEN.fetch_add(wide, Ordering::Relaxed)) % room;
        let first = u16::try_from(FIRST + offset / 2 * 2).ok()?;
        let range = first..=first + (count - 1);
        range.clone().all(is_free).then_some(range)
    });
    free.with_context(|| format!("no {count} free UDP ports in a row"))
}

fn is_free(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_begin_even_and_do_not_overlap() {
        let (a, b) = (free_range(20).unwrap(), free_range(7).unwrap());
        assert_eq!(a.start() % 2, 0);
        assert_eq!((a.clone().count(), b.clone().count()), (20, 7));
        assert!(a.end() < b.start() || b.end() < a.start());
    }

    #[test]
    fn a_taken_port_is_not_free() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(!is_free(taken.local_addr().unwrap().port()));
    }

    #[test]
    fn too_many_ports_are_refused() {
        assert!(free_range(30_000).is_err());
        assert!(free_range(0).is_err());
    }
}
