//! How long a busy shard lets datagrams gather before it looks at its sockets again.
//!
//! To fall asleep and be woken costs a thread about as much as the message that it is woken for,
//! and a phone's answer is there a moment after the request. So where datagrams come closely, a few
//! are taken at once, as an interface card does with its packets. Where they do not, each is taken
//! at once; so is everything that comes by the queue, whatever the sockets do.
//!
//! Who sends the next request only when the last one is answered would be slowed down by it, and
//! the fewer come the longer they would gather. So they gather only while as many come as before.

use core::time::Duration;

use model::Mono;

use crate::limits;

/// The rate of datagrams, and what is made of it.
#[derive(Debug)]
pub(super) struct Gathering {
    /// Since when the datagrams of this measurement are counted.
    since: Mono,
    datagrams: u32,
    /// For how long they gather, by the last measurement; zero: they do not.
    length: Duration,
    /// Between two datagrams when none gathered.
    free_gap: Duration,
    /// Until then what is done is not changed without need: they gather or are taken at once.
    until: Mono,
    /// When the sockets were read last.
    read: Mono,
    /// Not everything that waited was taken.
    left_some: bool,
}

impl Gathering {
    pub(super) fn new(now: Mono) -> Gathering {
        let (datagrams, length, free_gap, left_some) = Default::default();
        let (since, until, read) = (now, now, now);
        Gathering { since, datagrams, length, free_gap, until, read, left_some }
    }

    /// The sockets were read at `now`: so many datagrams came, and `left_some` were left for later.
    pub(super) fn took(&mut self, now: Mono, datagrams: usize, left_some: bool) {
        let datagrams = u32::try_from(datagrams).unwrap_or(u32::MAX);
        self.datagrams = self.datagrams.saturating_add(datagrams);
        (self.read, self.left_some) = (now, left_some);
        let measured = now.since(self.since);
        if measured >= limits::GATHER_MEASURED {
            self.decide(now, measured / self.datagrams.max(1));
            (self.since, self.datagrams) = (now, 0);
        }
    }

    /// One datagram came in each `gap`.
    fn decide(&mut self, now: Mono, gap: Duration) {
        if self.length.is_zero() {
            self.free_gap = gap;
            if now >= self.until {
                self.length = length(gap);
                self.until = now + limits::GATHER_TRUSTED;
            }
        } else if gap * 3 > self.free_gap * 4 {
            // Fewer come than before: they may wait for us.
            self.length = Duration::ZERO;
            self.until = now + limits::GATHER_AGAIN;
        } else if now >= self.until {
            // Others may have come who do: one measurement without.
            self.length = Duration::ZERO;
        } else {
            self.length = length(gap);
        }
    }

    /// For how long from `now` on the sockets are left alone; `None`: they are waited on.
    pub(super) fn rest(&self, now: Mono) -> Option<Duration> {
        if self.left_some {
            return None;
        }
        self.length.checked_sub(now.since(self.read)).filter(|rest| !rest.is_zero())
    }
}

/// How long datagrams gather of which one comes in each `gap`.
fn length(gap: Duration) -> Duration {
    if gap > limits::GATHER_GAP_MAX {
        return Duration::ZERO;
    }
    (gap * limits::GATHER_DATAGRAMS).min(limits::GATHER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads of one datagram each, so many a second, for a second from `from` on.
    fn second(gathering: &mut Gathering, from: Mono, rate: u64) -> Mono {
        let each = 1_000_000 / rate;
        (1..=rate).for_each(|n| gathering.took(Mono(from.0 + n * each), 1, false));
        Mono(from.0 + rate * each)
    }

    #[test]
    fn datagrams_gather_where_they_come_closely_and_nowhere_else() {
        for (rate, gathers) in
            [(10, false), (400, false), (990, false), (1_010, true), (9_000, true)]
        {
            let mut gathering = Gathering::new(Mono(5_000));
            let end = second(&mut gathering, Mono(5_000), rate);
            assert_eq!(gathering.rest(end).is_some(), gathers, "{rate} a second");
        }
    }

    #[test]
    fn the_more_closely_they_come_the_shorter_they_gather() {
        let lengths = [(1_000, 30_000), (1_250, 30_000), (2_000, 24_000), (20_000, 2_400)];
        for (rate, length_us) in lengths {
            let mut gathering = Gathering::new(Mono(0));
            let end = second(&mut gathering, Mono(0), rate);
            let length = Duration::from_micros(length_us);
            assert_eq!(gathering.rest(end), Some(length), "{rate} a second");
        }
    }

    #[test]
    fn the_rest_is_counted_from_the_last_time_the_sockets_were_read() {
        let mut gathering = Gathering::new(Mono(0));
        let end = second(&mut gathering, Mono(0), 1_000);
        let at = |passed: Duration| gathering.rest(end + passed);
        assert_eq!(at(Duration::ZERO), Some(limits::GATHER_MAX));
        let most = limits::GATHER_MAX - Duration::from_micros(1);
        assert_eq!(at(most), Some(Duration::from_micros(1)));
        assert_eq!(at(limits::GATHER_MAX), None);
        assert_eq!(at(Duration::from_secs(60)), None);
    }

    #[test]
    fn what_was_left_in_a_socket_is_not_left_longer() {
        let mut gathering = Gathering::new(Mono(0));
        let end = second(&mut gathering, Mono(0), 2_000);
        gathering.took(end, 128, true);
        assert_eq!(gathering.rest(end), None);
    }

    #[test]
    fn the_first_datagrams_after_a_busy_time_end_it() {
        let mut gathering = Gathering::new(Mono(0));
        let end = second(&mut gathering, Mono(0), 2_000);
        let later = end + Duration::from_secs(10);
        gathering.took(later, 1, false);
        assert_eq!(gathering.rest(later), None);
    }

    /// A world that sends so many requests and then waits for the answers; gives the datagrams of
    /// ten seconds. To handle one takes 20 us.
    fn who_wait(at_a_time: u64) -> u64 {
        let mut gathering = Gathering::new(Mono(0));
        let (mut now, mut handled) = (Mono(0), 0);
        while now.0 < 10_000_000 {
            now = now + gathering.rest(now).unwrap_or_default();
            gathering.took(now, usize::try_from(at_a_time).unwrap(), false);
            now = Mono(now.0 + at_a_time * 20);
            handled += at_a_time;
        }
        handled
    }

    #[test]
    fn who_waits_for_an_answer_before_the_next_request_is_not_slowed_down() {
        for at_a_time in [1, 10, 32, 47, 64, 128] {
            let handled = who_wait(at_a_time);
            assert!(handled > 450_000, "{at_a_time} at a time: {handled} of 500,000");
        }
    }

    #[test]
    fn now_and_then_nothing_gathers_so_that_more_could_come() {
        let mut gathering = Gathering::new(Mono(0));
        let free = (1..=20_000).filter(|n| {
            let now = Mono(n * 500);
            gathering.took(now, 1, false);
            gathering.rest(now).is_none()
        });
        let free = free.count();
        assert!((600..1_600).contains(&free), "{free} of 20,000, in ten seconds");
    }
}
