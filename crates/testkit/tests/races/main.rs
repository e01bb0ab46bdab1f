//! Races of call control: what happens at the same instant, over networks that lose, delay and
//! reorder. Each line is run with many seeds; who must hear whom is read from the table of
//! `testkit::model`, which knows nothing of the switch.

mod attended;
mod consulting;
mod ends;
mod holds;
mod keys;
mod monitors;
mod parking;
mod pickups;
mod rooms;
mod transfers;

use model::Chance;
use testkit::{Link, Pace, Phone, Settings, Sim, Ways, millis, secs};

/// Seeds of each race.
const SEEDS: u64 = 500;

/// Of one that needs many phones.
const FEW_SEEDS: u64 = 50;

/// One seed of so many is measured with real sound.
const MEASURED: u64 = 20;

/// A race under way.
struct Race {
    sim: Sim,
    chance: Chance,
    seed: u64,
    phones: Vec<Phone>,
}

impl Race {
    /// Phones `100`, `101`, ... on a network as bad as the seed has it.
    fn new(seed: u64, phones: u64) -> Race {
        let settings =
            Settings { seed, companies: 2, pace: Pace::Mute, phones, ..Settings::default() };
        let sim = Sim::with(settings);
        let phones = (0..phones).map(|n| sim.phone(&(100 + n).to_string())).collect();
        let late = Link { late: 100, late_by: millis(400), ..Link::GOOD };
        let link = match seed % 4 {
            0 => Link { jitter: millis(5), ..Link::GOOD },
            1 => Link { jitter: millis(40), ..Link::losing(10) },
            2 => Link { jitter: millis(10), ..late },
            _ => Link { same_lost_max: Some(1), ..Link::losing(20) },
        };
        sim.set_ways(Ways { sip_up: link, sip_down: link, ..Ways::GOOD });
        Race { sim, chance: Chance::from_number(seed ^ 0xACE), seed, phones }
    }

    fn phone(&self, at: usize) -> &Phone {
        &self.phones[at]
    }

    /// A moment of up to so many milliseconds.
    fn pause(&mut self, up_to_ms: u64) {
        let time = millis(self.chance.below(up_to_ms + 1));
        self.sim.run_for(time);
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.chance.below(of.len() as u64)).unwrap()]
    }

    /// One phone calls another, which answers; both talk.
    fn talk(&self, a: usize, b: usize) {
        let (caller, called) = (self.phone(a), self.phone(b));
        // Of a hundred calls on a bad network one or two find nobody in time.
        for _ in 0..5 {
            caller.dials(&called.name());
            if self.sim.run_while(secs(10), || !called.is_ringing()) {
                called.answers();
                self.sim.until_heard("talk", &[('A', caller), ('B', called)]);
                let settled = || caller.is_in_call() && called.is_in_call();
                self.until("both are in the call", settled);
                return;
            }
            caller.hangs_up();
            self.until("given up", || caller.is_idle());
        }
        panic!("seed {}: nobody is reached", self.seed);
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        self.until_within(secs(120), what, is_so);
    }

    #[track_caller]
    fn until_within(&self, time: core::time::Duration, what: &str, is_so: impl Fn() -> bool) {
        assert!(self.sim.run_while(time, || !is_so()), "seed {}: never {what}", self.seed);
    }

    /// What is heard is what the table says; with real sound too, in one seed of some.
    #[track_caller]
    fn heard(&self, situation: &str, cast: &[(char, usize)]) {
        let cast: Vec<(char, &Phone)> = cast.iter().map(|(c, n)| (*c, self.phone(*n))).collect();
        self.sim.until_heard(situation, &cast);
        if self.seed.is_multiple_of(MEASURED) {
            let phones: Vec<&Phone> = cast.iter().map(|(_, phone)| *phone).collect();
            self.sim.assert_sounds_as_named(&phones);
        }
    }

    /// Everybody hangs up; nothing is left.
    fn ends(&self) {
        self.sim.set_ways(Ways::GOOD);
        for _ in 0..60 {
            if self.phones.iter().all(Phone::is_idle) {
                break;
            }
            self.phones.iter().for_each(|phone| _ = phone.hangs_up());
            self.sim.run_for(secs(2));
        }
        let is_over = || self.sim.gauges().calls == 0;
        assert!(self.sim.run_while(secs(800), || !is_over()), "seed {}: a call is left", self.seed);
        self.sim.assert_nothing_left();
    }
}

/// `RACE_SEED` asks for one seed alone.
fn race(seeds: u64, phones: u64, mut flow: impl FnMut(&mut Race)) {
    let one = std::env::var("RACE_SEED").ok().and_then(|text| text.parse().ok());
    for seed in one.map_or(0..seeds, |seed: u64| seed..seed + 1) {
        let mut race = Race::new(seed, phones);
        flow(&mut race);
        race.ends();
    }
}
