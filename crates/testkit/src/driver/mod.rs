//! The random driver: twenty phones of two customers, parties outside, programs and operators who
//! do whatever comes to their minds, and what must hold after each of their acts.
//!
//! A run is made of a seed; what was done in it is a [`Script`], which can be done again. A script
//! that fails is made as short as it goes before it is shown.
//!
//! Read in this order: [`act`] (what can be done), `choose` (what is done next), `stage` (where it
//! is done), `outside` (who is behind the trunks), `rules`, `talks`, `lamps`, `dialogs`,
//! `consulted` and `lists` (what must hold), `home` (how it ends), `shorten`.

pub mod act;
mod choose;
mod consulted;
mod dialogs;
mod home;
mod lamps;
mod lists;
mod outside;
mod rules;
mod shorten;
mod stage;
mod talks;

use core::fmt;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use model::Chance;

use self::act::Act;
use self::stage::Stage;

pub use self::shorten::shortened;

/// Acts of one run.
const ACTS: usize = 40;

/// One act, and how long everybody waits after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub act: Act,
    /// How long time passes then, milliseconds.
    pub wait_ms: u64,
}

/// What is done in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Decides every chance of the run.
    pub seed: u64,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        self.steps
            .iter()
            .try_for_each(|step| writeln!(f, "{:>7} ms after: {}", step.wait_ms, step.act))
    }
}

/// Something did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was done until then.
    pub script: Script,
    /// What did not hold.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.what, self.script)
    }
}

/// What came of runs, so that one sees that something has happened in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How often an order was accepted and how often it was refused, by its first word.
    pub orders: BTreeMap<String, (u64, u64)>,
    /// Events that were written.
    pub events: u64,
    /// Call records that were written.
    pub cdrs: u64,
    /// How often the table of who hears whom was asked and had an answer.
    pub heard: u64,
    /// How often a lamp was compared with what it is about.
    pub lamps: u64,
    /// How often somebody was found to talk with the outside, and looked for in the lists.
    pub outside: u64,
    /// Defects that were injected and met.
    pub defects: u64,
    /// The hash of everything that happened; of several runs, of all.
    pub hash: u64,
}

impl Summary {
    /// Adds what came of another run.
    pub fn add(&mut self, other: &Summary) {
        for (name, (yes, no)) in &other.orders {
            let sum = self.orders.entry(name.clone()).or_default();
            *sum = (sum.0 + yes, sum.1 + no);
        }
        self.events += other.events;
        self.cdrs += other.cdrs;
        self.heard += other.heard;
        self.lamps += other.lamps;
        self.outside += other.outside;
        self.defects += other.defects;
        self.hash = self.hash.rotate_left(5) ^ other.hash;
    }
}

/// A run of this seed.
pub fn run(seed: u64) -> Result<Summary, Failure> {
    let mut chance = Chance::from_number(seed ^ 0xD21F);
    let mut steps = Vec::new();
    perform(seed, &mut steps, |stage, done| (done < ACTS).then(|| choose::step(stage, &mut chance)))
        .map_err(|what| Failure { script: Script { seed, steps }, what })
}

/// Does what a script says.
pub fn replay(script: &Script) -> Result<Summary, String> {
    let mut next = script.steps.iter().cloned();
    perform(script.seed, &mut Vec::new(), |_, _| next.next())
}

/// Everything that happens in a run of this seed, to the byte.
pub fn trace(seed: u64) -> String {
    let mut chance = Chance::from_number(seed ^ 0xD21F);
    let mut stage = Stage::new(seed, true);
    for _ in 0..ACTS {
        let step = choose::step(&stage, &mut chance);
        stage.perform(&step);
    }
    stage.sim.trace()
}

/// Runs until there is no next step, then everybody goes home. What was done is added to `steps`
/// before it is done.
fn perform(
    seed: u64,
    steps: &mut Vec<Step>,
    mut next: impl FnMut(&Stage, usize) -> Option<Step>,
) -> Result<Summary, String> {
    // It outlives the unwinding, so that it does not print its ladder.
    let mut stage = Stage::new(seed, false);
    let played = catch_unwind(AssertUnwindSafe(|| {
        while let Some(step) = next(&stage, steps.len()) {
            steps.push(step.clone());
            stage.perform(&step);
            rules::hold(&stage)?;
            if stage.can_tell_who_hears_whom(&step) {
                talks::are_heard(&mut stage)?;
            }
            if stage.can_tell_what_lamps_show(&step) {
                lamps::are_right(&mut stage)?;
            }
            if stage.is_plain && stage.can_tell_what_lamps_show(&step) {
                lists::are_right(&mut stage)?;
            }
        }
        home::everybody_goes_home(&mut stage)
    }));
    match played {
        Ok(Ok(())) => Ok(stage.summary()),
        Ok(Err(what)) => Err(what),
        Err(panic) => Err(said(panic.as_ref())),
    }
}

/// What a panic said.
fn said(panic: &(dyn core::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic".to_owned())
}

/// Runs `count` seeds from `from` on, on so many threads; what failed, shortened, and what came of
/// all. After some failures no further seed is begun.
pub fn many(from: u64, count: u64, threads: u64) -> (Summary, Vec<Failure>) {
    /// More tell nothing new.
    const ENOUGH: usize = 5;
    let threads = threads.max(1);
    let worker = |first: u64| {
        let mut sum = Summary::default();
        let mut failures = Vec::new();
        let mut seed = from + first;
        while seed < from + count && failures.len() < ENOUGH {
            match run(seed) {
                Ok(summary) => sum.add(&summary),
                Err(failure) => failures.push(shortened(failure)),
            }
            seed += threads;
        }
        (sum, failures)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|n| scope.spawn(move || worker(n))).collect();
        let mut sum = Summary::default();
        let mut failures = Vec::new();
        for done in workers {
            match done.join() {
                Ok((summary, failed)) => {
                    sum.add(&summary);
                    failures.extend(failed);
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        (sum, failures)
    })
}
