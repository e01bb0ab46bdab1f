//! How long a busy shard lets datagrams gather before it looks at its sockets again.
//!
//! To fall asleep and be woken costs a thread about as much as the message that it is woken for,
//! and a phone's answer is there a moment after the request. So where datagrams come closely, a few
//! are taken at once, as an interface card does with its packets. Where they do not, each is taken
//! at once; so is everything that comes by the queue, whatever the sockets do.
//!
//! Who sends the next request only when the last one is answered would be slowed down by it, and
//! the fewer come the longer they would gather. So they gather only while half as many come as
//! before.

use core::time::Duration;

use model::Mono;

use crate::limits;

/// The rate of datagrams, and what is made of it.
#[derive(Debug)]
pub(super) struct Gathering {
    state: State,
    /// Since when the datagrams of this measurement are counted.
    since: Mono,
    datagrams: u32,
    /// When the sockets were read last.
    read: Mono,
    /// Not everything that waited was taken.
    left_some: bool,
}

/// What is done with datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Each is taken at once; that does not change before `from`.
    Free {
        /// One came in each, by the last measurement.
        gap: Duration,
        from: Mono,
    },
    /// They gather since this measurement began.
    Begun(Gathers),
    /// They gather for longer.
    Settled(Gathers),
}

/// How they gather.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gathers {
    /// For how long.
    length: Duration,
    /// One came in each when none gathered.
    free_gap: Duration,
    /// Then it is measured again without.
    until: Mono,
}

/// What was seen of the datagrams.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// One came in each of these, by a whole measurement.
    Gap(Duration),
    /// When the sockets were read, so long after the measurement's beginning, too few were there.
    Few(Duration),
}

impl State {
    fn next(self, now: Mono, seen: Seen) -> State {
        match (self, seen) {
            (State::Free { gap: before, from }, Seen::Gap(gap)) => {
                let length = length(gap);
                // A busy time that began within the measurement before would look less busy than it
                // is.
                let was_busy = before <= limits::GATHER_GAP_MAX;
                if length.is_zero() || !was_busy || now < from {
                    return State::Free { gap, from };
                }
                let until = now + limits::GATHER_TRUSTED;
                State::Begun(Gathers { length, free_gap: gap, until })
            }
            (State::Begun(gathers) | State::Settled(gathers), Seen::Gap(gap)) => {
                let length = length(gap.min(gathers.free_gap));
                if gap > gathers.free_gap * 2 {
                    // Fewer come than before: they may wait for us.
                    gathers.free(now + limits::GATHER_AGAIN)
                } else if now >= gathers.until || length.is_zero() {
                    // Others may have come who do: it is measured without.
                    gathers.free(now)
                } else {
                    State::Settled(Gathers { length, ..gathers })
                }
            }
            (State::Begun(gathers), Seen::Few(after)) if after > limits::GATHER_BEGINS => {
                gathers.free(now + limits::GATHER_AGAIN)
            }
            // The busy time is over, or who made it waits for us.
            (State::Settled(gathers), Seen::Few(_)) => gathers.free(now),
            (State::Free { .. } | State::Begun(_), Seen::Few(_)) => self,
        }
    }

    /// For how long they gather; zero: they do not.
    fn length(self) -> Duration {
        match self {
            State::Free { .. } => Duration::ZERO,
            State::Begun(gathers) | State::Settled(gathers) => gathers.length,
        }
    }
}

impl Gathers {
    /// They cease to, until `from` at least.
    fn free(self, from: Mono) -> State {
        State::Free { gap: self.free_gap, from }
    }
}

impl Gathering {
    pub(super) fn new(now: Mono) -> Gathering {
        let state = State::Free { gap: Duration::MAX, from: now };
        Gathering { state, since: now, datagrams: 0, read: now, left_some: false }
    }

    /// The sockets were read at `now`: so many datagrams came, and `left_some` were left for later.
    pub(super) fn took(&mut self, now: Mono, datagrams: usize, left_some: bool) {
        let datagrams = u32::try_from(datagrams).unwrap_or(u32::MAX);
        self.datagrams = self.datagrams.saturating_add(datagrams);
        let looked = now.since(self.read);
        (self.read, self.left_some) = (now, left_some);
        let measured = now.since(self.since);
        let is_whole = measured >= limits::GATHER_MEASURED;
        let before = self.state;
        if is_whole {
            self.state = before.next(now, Seen::Gap(measured / self.datagrams.max(1)));
        } else if looked > limits::GATHER_GAP_MAX * datagrams * 3 / 2 {
            self.state = before.next(now, Seen::Few(measured));
        }
        if is_whole || self.state != before {
            (self.since, self.datagrams) = (now, 0);
        }
    }

    /// For how long from `now` on the sockets are left alone; `None`: they are waited on.
    pub(super) fn rest(&self, now: Mono) -> Option<Duration> {
        if self.left_some {
            return None;
        }
        let length = self.state.length();
        length.checked_sub(now.since(self.read)).filter(|rest| !rest.is_zero())
    }
}

/// How long datagrams gather of which one comes in each `gap`.
fn length(gap: Duration) -> Duration {
    if !(limits::GATHER_GAP_MIN..=limits::GATHER_GAP_MAX).contains(&gap) {
        return Duration::ZERO;
    }
    (gap * limits::GATHER_DATAGRAMS).min(limits::GATHER_MAX)
}

#[cfg(test)]
mod tests {
    use core::hash::{BuildHasher, BuildHasherDefault};
    use std::collections::BTreeSet;
    use std::hash::DefaultHasher;

    use super::*;

    const NOW: Mono = Mono(60_000_000);
    const BUSY: Duration = Duration::from_micros(500);
    const QUIET: Duration = Duration::from_millis(20);

    fn free(gap: Duration, from: Mono) -> State {
        State::Free { gap, from }
    }

    /// They gather because one came in each `free_gap`.
    fn gathers(free_gap: Duration, until: Mono) -> Gathers {
        Gathers { length: length(free_gap), free_gap, until }
    }

    #[test]
    fn each_state_after_each_thing_seen() {
        let (again, trusted) = (NOW + limits::GATHER_AGAIN, NOW + limits::GATHER_TRUSTED);
        let (later, soon) = (Mono(NOW.0 + 1), limits::GATHER_BEGINS);
        let begun = State::Begun(gathers(BUSY, later));
        let settled = State::Settled(gathers(BUSY, later));
        let (few, few_late) = (Seen::Few(soon), Seen::Few(soon + Duration::from_micros(1)));
        let (many, half, less) = (Seen::Gap(BUSY), Seen::Gap(BUSY * 2), Seen::Gap(BUSY * 3));
        let twice = Seen::Gap(BUSY / 2);
        let flood = Seen::Gap(limits::GATHER_GAP_MIN / 2);
        let closer = Gathers { length: length(BUSY / 2), ..gathers(BUSY, later) };
        let over = |state: fn(Gathers) -> State| state(gathers(BUSY, NOW));
        let table = [
            (free(BUSY, NOW), many, State::Begun(gathers(BUSY, trusted))),
            (free(BUSY, later), many, free(BUSY, later)),
            (free(QUIET, NOW), many, free(BUSY, NOW)),
            (free(BUSY, NOW), Seen::Gap(QUIET), free(QUIET, NOW)),
            (free(BUSY, NOW), flood, free(limits::GATHER_GAP_MIN / 2, NOW)),
            (free(BUSY, NOW), few_late, free(BUSY, NOW)),
            (begun, many, settled),
            (begun, half, settled),
            (begun, twice, State::Settled(closer)),
            (begun, less, free(BUSY, again)),
            (begun, flood, free(BUSY, NOW)),
            (begun, few, begun),
            (begun, few_late, free(BUSY, again)),
            (over(State::Begun), many, free(BUSY, NOW)),
            (settled, many, settled),
            (settled, half, settled),
            (settled, twice, State::Settled(closer)),
            (settled, less, free(BUSY, again)),
            (settled, flood, free(BUSY, NOW)),
            (settled, few, free(BUSY, NOW)),
            (settled, few_late, free(BUSY, NOW)),
            (over(State::Settled), many, free(BUSY, NOW)),
        ];
        for (state, seen, after) in table {
            assert_eq!(state.next(NOW, seen), after, "{state:?}, {seen:?}");
        }
    }

    /// Reads of one datagram each, so many a second, for a second from `from` on.
    fn second(gathering: &mut Gathering, from: Mono, rate: u64) -> Mono {
        let each = 1_000_000 / rate;
        (1..=rate).for_each(|n| gathering.took(Mono(from.0 + n * each), 1, false));
        Mono(from.0 + rate * each)
    }

    #[test]
    fn datagrams_gather_where_they_come_closely_and_nowhere_else() {
        for (rate, gathers) in
            [(10, false), (400, false), (990, false), (1_010, true), (9_000, true), (11_000, false)]
        {
            let mut gathering = Gathering::new(Mono(5_000));
            let end = second(&mut gathering, Mono(5_000), rate);
            assert_eq!(gathering.rest(end).is_some(), gathers, "{rate} a second");
        }
    }

    #[test]
    fn the_more_closely_they_come_the_shorter_they_gather() {
        let lengths = [(1_000, 30_000), (1_250, 30_000), (2_000, 24_000), (8_000, 6_000)];
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

    /// So many calls begin each second, evenly or by chance, of ten messages, each a millisecond
    /// after the one before was handled; gives the part of `seconds` in which they gathered.
    fn part_that_gathers(gathering: &mut Gathering, seconds: u64, rate: f64, even: bool) -> f64 {
        let chance = BuildHasherDefault::<DefaultHasher>::new();
        let begun = gathering.read;
        let (mut now, end) = (begun, begun + Duration::from_secs(seconds));
        let (mut gathered, mut due, mut call, mut next) = (0, BTreeSet::new(), 0, begun);
        while now < end {
            while next <= now {
                due.insert((next.0, call, 1));
                let drawn = (chance.hash_one(call) as f64 + 1.0) / u64::MAX as f64;
                let gaps = if even { 1.0 } else { -drawn.ln() };
                (call, next) = (call + 1, next + Duration::from_secs_f64(gaps / rate));
            }
            let left = due.split_off(&(now.0 + 1, 0, 0));
            gathering.took(now, due.len(), false);
            let answers = due.iter().filter(|(.., message)| *message < 10);
            let answers = answers.map(|(_, call, message)| (now.0 + 1_000, *call, message + 1));
            due = answers.chain(left).collect();
            let rest = gathering.rest(now);
            gathered += rest.map_or(0, |rest| rest.as_micros());
            now = now + rest.unwrap_or(Duration::from_micros(250));
        }
        gathered as f64 / now.since(begun).as_micros() as f64
    }

    #[test]
    fn calls_whose_messages_follow_each_other_gather_most_of_the_time() {
        for (rate, even, least) in
            [(200.0, true, 0.95), (200.0, false, 0.9), (150.0, false, 0.7), (500.0, false, 0.9)]
        {
            let mut gathering = Gathering::new(Mono(0));
            let part = part_that_gathers(&mut gathering, 120, rate, even);
            assert!(part > least, "{rate} a second, evenly {even}: {part}");
        }
    }

    #[test]
    fn a_busy_time_begins_at_once_and_ends_at_once() {
        let mut gathering = Gathering::new(Mono(0));
        part_that_gathers(&mut gathering, 3, 40.0, true);
        let busy = part_that_gathers(&mut gathering, 6, 200.0, true);
        let quiet = part_that_gathers(&mut gathering, 10, 50.0, true);
        assert!(busy > 0.7 && quiet < 0.02, "{busy} {quiet}");
    }

    #[test]
    fn a_busy_time_that_ends_as_soon_as_they_gather_ends_it_too() {
        let mut gathering = Gathering::new(Mono(0));
        while gathering.rest(gathering.read).is_none() {
            part_that_gathers(&mut gathering, 1, 200.0, true);
        }
        assert!(matches!(gathering.state, State::Begun(_)));
        gathering.since = gathering.read;
        let quiet = part_that_gathers(&mut gathering, 10, 50.0, true);
        assert!(quiet < 0.02, "{quiet}");
    }

    #[test]
    fn the_first_datagrams_after_a_busy_time_end_it() {
        let mut gathering = Gathering::new(Mono(0));
        let end = second(&mut gathering, Mono(0), 2_000);
        let later = end + Duration::from_secs(10);
        gathering.took(later, 1, false);
        assert_eq!(gathering.rest(later), None);
    }

    /// A world that sends so many requests, and the next ones so long after the answers; gives how
    /// many times as many it sends in 20 s where nothing gathers. To handle one takes 20 us.
    fn slowed_down(at_a_time: u64, after: Duration) -> f64 {
        let mut gathering = Gathering::new(Mono(0));
        // A measurement begins before they do.
        let begun = second(&mut gathering, Mono(0), 100) + Duration::from_millis(150);
        let (mut now, mut rounds) = (begun, 0.0);
        let round = after + Duration::from_micros(at_a_time * 20);
        while now < begun + Duration::from_secs(20) {
            now = now + gathering.rest(now).unwrap_or_default().max(after);
            gathering.took(now, usize::try_from(at_a_time).unwrap(), false);
            now = Mono(now.0 + at_a_time * 20);
            rounds += 1.0;
        }
        20.0 / round.as_secs_f64() / rounds
    }

    #[test]
    fn who_waits_for_an_answer_before_the_next_request_is_not_slowed_down_to_half() {
        for at_a_time in [1, 3, 10, 32, 47, 64, 128] {
            for after_us in [0, 100, 500, 1_000, 5_000, 20_000, 50_000] {
                let slower = slowed_down(at_a_time, Duration::from_micros(after_us));
                assert!(slower < 2.0, "{at_a_time} at a time, {after_us} us: {slower}");
            }
        }
    }

    #[test]
    fn now_and_then_nothing_gathers_so_that_more_could_come() {
        let mut gathering = Gathering::new(Mono(0));
        let free = (1..=120_000).filter(|n| {
            let now = Mono(n * 500);
            gathering.took(now, 1, false);
            gathering.rest(now).is_none()
        });
        let free = free.count();
        assert!((2_000..8_000).contains(&free), "{free} of 120,000, in a minute");
    }
}
