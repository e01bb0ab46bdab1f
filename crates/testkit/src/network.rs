//! The way of a datagram: how long it takes, whether it arrives, how often.

use core::time::Duration;

use std::collections::BTreeMap;

use model::Chance;
use smallvec::SmallVec;

/// One direction of a way between two places.
///
/// With [`Link::jitter`], [`Link::late`] and [`Link::twice`] at zero, datagrams arrive in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// How long a datagram takes at least.
    pub delay: Duration,
    /// Up to this much is added, evenly spread.
    pub jitter: Duration,
    /// Datagrams of a thousand that are lost.
    pub loss: u16,
    /// How often one and the same datagram may be lost, so that patience always pays; `None`: as
    /// often as chance will have it.
    pub same_lost_max: Option<u8>,
    /// Datagrams of a thousand that take [`Link::late_by`] longer, so that others overtake them.
    pub late: u16,
    /// How much longer late ones take.
    pub late_by: Duration,
    /// Datagrams of a thousand that arrive twice.
    pub twice: u16,
}

impl Link {
    /// 10 ms, and nothing ever goes wrong.
    pub const GOOD: Link = Link {
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
        loss: 0,
        same_lost_max: None,
        late: 0,
        late_by: Duration::ZERO,
        twice: 0,
    };

    /// Like [`Link::GOOD`], but so many of a hundred datagrams are lost, no datagram more often
    /// than twice: whoever repeats it often enough gets through, whatever the seed.
    pub const fn losing(percent: u16) -> Link {
        Link { loss: percent * 10, same_lost_max: Some(2), ..Link::GOOD }
    }

    /// A bad day: a fifth lost, some late, some twice.
    pub const BAD: Link = Link {
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(15),
        loss: 200,
        same_lost_max: Some(2),
        late: 50,
        late_by: Duration::from_millis(400),
        twice: 50,
    };

    /// When the copies of one datagram arrive, counted from now; none: it is lost.
    pub fn carry(&self, chance: &mut Chance) -> SmallVec<[Duration; 2]> {
        let mut arrivals = SmallVec::new();
        let hits = |of_thousand: u16, chance: &mut Chance| {
            of_thousand > 0 && chance.below(1_000) < u64::from(of_thousand)
        };
        if hits(self.loss, chance) {
            return arrivals;
        }
        let copies = if hits(self.twice, chance) { 2 } else { 1 };
        for _ in 0..copies {
            let mut takes = self.delay;
            if !self.jitter.is_zero() {
                let most = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX);
                takes += Duration::from_micros(chance.below(most));
            }
            if hits(self.late, chance) {
                takes += self.late_by;
            }
            arrivals.push(takes);
        }
        arrivals
    }
}

/// How often each datagram was lost so far.
#[derive(Debug, Default)]
pub(crate) struct Losses(BTreeMap<u64, u8>);

impl Losses {
    /// When the copies of this datagram arrive, counted from now; none: it is lost.
    pub(crate) fn carry(
        &mut self,
        link: &Link,
        bytes: &[u8],
        chance: &mut Chance,
    ) -> SmallVec<[Duration; 2]> {
        let arrivals = link.carry(chance);
        let Some(max) = link.same_lost_max.filter(|_| arrivals.is_empty()) else { return arrivals };
        let lost = self.0.entry(hash(bytes)).or_default();
        if *lost >= max {
            return SmallVec::from_slice(&[link.delay]);
        }
        *lost += 1;
        arrivals
    }
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, b: &u8| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01B3);
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, step)
}

/// All ways between one phone and the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// SIP from the phone.
    pub sip_up: Link,
    /// SIP to the phone.
    pub sip_down: Link,
    /// RTP from the phone.
    pub rtp_up: Link,
    /// RTP to the phone.
    pub rtp_down: Link,
}

impl Ways {
    /// Nothing ever goes wrong.
    pub const GOOD: Ways =
        Ways { sip_up: Link::GOOD, sip_down: Link::GOOD, rtp_up: Link::GOOD, rtp_down: Link::GOOD };

    /// So many of a hundred SIP datagrams are lost in each direction; RTP arrives.
    pub const fn losing(percent: u16) -> Ways {
        Ways { sip_up: Link::losing(percent), sip_down: Link::losing(percent), ..Ways::GOOD }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_link_carries_everything_once_and_in_order() {
        let mut chance = Chance::from_number(1);
        for _ in 0..100 {
            assert_eq!(Link::GOOD.carry(&mut chance).as_slice(), [Duration::from_millis(10)]);
        }
    }

    #[test]
    fn a_losing_link_loses_about_what_it_says() {
        let mut chance = Chance::from_number(1);
        let lost = (0..10_000).filter(|_| Link::losing(20).carry(&mut chance).is_empty()).count();
        assert!((1_800..2_200).contains(&lost), "{lost}");
    }

    #[test]
    fn the_same_datagram_is_lost_at_most_twice() {
        let mut chance = Chance::from_number(1);
        let mut losses = Losses::default();
        let link = Link { loss: 1_000, ..Link::losing(20) };
        let arrives = |losses: &mut Losses, bytes: &[u8], chance: &mut Chance| {
            !losses.carry(&link, bytes, chance).is_empty()
        };
        let tries: Vec<_> = (0..4).map(|_| arrives(&mut losses, b"a", &mut chance)).collect();
        assert_eq!(tries, [false, false, true, true]);
        assert!(!arrives(&mut losses, b"b", &mut chance));
    }

    #[test]
    fn the_same_seed_loses_the_same() {
        let run = |seed| {
            let mut chance = Chance::from_number(seed);
            (0..100).map(|_| Link::BAD.carry(&mut chance)).collect::<Vec<_>>()
        };
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }
}
