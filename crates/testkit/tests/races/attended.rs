//! Attended transfers that a phone makes by itself: it holds, calls somebody else, and asks by
//! REFER to join the two (RFC 5589 7). At every stage somebody hangs up or vanishes.

use testkit::{AfterRefer, Hold, millis, secs};

use crate::{Race, SEEDS, race};

/// How far Ann has come when it happens.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// She has asked to send Bob on, and called nobody.
    ReferSent,
    /// Whom she calls rings.
    ConsultRings,
    /// It has answered.
    ConsultAnswered,
    /// She has asked to join the two while it rings.
    JoinsRinging,
    /// She has asked to join the two who talk with her.
    JoinsAnswered,
    /// She hears how far it is.
    IsTold,
}

const STAGES: [Stage; 6] = [
    Stage::ReferSent,
    Stage::ConsultRings,
    Stage::ConsultAnswered,
    Stage::JoinsRinging,
    Stage::JoinsAnswered,
    Stage::IsTold,
];

/// How somebody is there no more.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaves {
    HangsUp,
    /// And knows nothing of its calls when the power is back.
    LosesPower,
    LosesItsCable,
}

const LEAVES: [Leaves; 3] = [Leaves::HangsUp, Leaves::LosesPower, Leaves::LosesItsCable];

const ANN: usize = 0;
const BOB: usize = 1;
const EVE: usize = 2;

/// Ann holds Bob and calls the third phone; `false`: nobody is reached in time, as one in a hundred
/// on a bad network.
fn consults(race: &Race, is_answered: bool) -> bool {
    race.phone(ANN).holds(Hold::SendOnly);
    race.heard("A holds", &[('A', ANN), ('B', BOB)]);
    race.phone(ANN).dials("102");
    let rings = || race.phone(EVE).is_ringing() && race.phone(ANN).hears_it_ring();
    if !race.sim.run_while(secs(10), || !rings()) {
        return false;
    }
    if is_answered {
        race.phone(EVE).answers();
        let is_in = || race.phone(EVE).is_in_call() && race.phone(ANN).is_in_call();
        race.until("it is answered", is_in);
        race.until("it is at rest", || race.phone(ANN).is_at_rest());
    }
    true
}

/// `false`: it did not come so far.
fn comes_to(race: &mut Race, stage: Stage) -> bool {
    let is_answered = match stage {
        Stage::ReferSent => {
            assert!(race.phone(ANN).refers_to("102"));
            return true;
        }
        Stage::ConsultRings | Stage::JoinsRinging => false,
        Stage::ConsultAnswered | Stage::JoinsAnswered => true,
        Stage::IsTold => race.chance.below(2) == 0,
    };
    if !consults(race, is_answered) {
        return false;
    }
    if matches!(stage, Stage::ConsultRings | Stage::ConsultAnswered) {
        return true;
    }
    assert!(race.phone(ANN).joins_its_calls());
    if stage == Stage::IsTold {
        let is_told = || !race.phone(ANN).refer_progress().is_empty() || race.phone(ANN).is_idle();
        race.until("she is told", is_told);
    }
    true
}

fn leaves(race: &mut Race, who: usize, how: Leaves) {
    match how {
        Leaves::HangsUp => {
            // Of two calls the newer one, or both.
            race.phone(who).hangs_up();
            if race.chance.below(2) == 0 {
                race.pause(60);
                race.phone(who).hangs_up();
            }
        }
        Leaves::LosesPower => {
            // When it is back it rings, and nobody is there.
            race.phone(who).just_rings();
            race.phone(who).forgets();
        }
        Leaves::LosesItsCable => race.phone(who).unplug(),
    }
}

/// Nobody who is left is in a call with somebody who is not: both are free, or have each other.
fn have_each_other(race: &Race, [x, y]: [usize; 2]) -> bool {
    let (x, y) = (race.phone(x), race.phone(y));
    let is_so = |situation: &str, a, b| race.sim.is_heard(situation, &[('A', a), ('B', b)]);
    (x.is_idle() && y.is_idle())
        || is_so("talk", x, y)
        || is_so("A holds", x, y)
        || is_so("A holds", y, x)
}

#[test]
fn whoever_leaves_at_whatever_stage_the_others_have_each_other_or_nobody() {
    race(SEEDS, 3, |race| {
        let (stage, how) = (race.pick(&STAGES), race.pick(&LEAVES));
        let after = race.pick(&[AfterRefer::Byes, AfterRefer::ByesAtOnce, AfterRefer::Stays]);
        race.phone(ANN).set(|m| m.after_refer = after);
        race.talk(ANN, BOB);
        if race.chance.below(3) > 0 && !matches!(stage, Stage::ConsultRings) {
            race.phone(EVE).answers_after(millis(700));
        }
        if !comes_to(race, stage) {
            return;
        }
        race.pause(400);
        let who = race.pick(&[ANN, BOB, EVE]);
        leaves(race, who, how);
        let left = match who {
            ANN => [BOB, EVE],
            BOB => [ANN, EVE],
            _ => [ANN, BOB],
        };
        // A leg that waits in vain is missed when its session is refreshed at the latest.
        let what = format!("have they each other: {who} at {stage:?} {how:?}");
        race.sim.run_for(secs(5));
        race.until_within(secs(2_000), &what, || have_each_other(race, left));
        race.sim.run_for(secs(100));
        race.until_within(secs(2_000), &what, || have_each_other(race, left));
        if how == Leaves::LosesItsCable {
            race.phone(who).forgets();
            race.phone(who).plug();
        }
    });
}

#[test]
fn who_is_gone_as_soon_as_its_refer_is_taken_has_joined_the_two_all_the_same() {
    race(SEEDS, 3, |race| {
        race.talk(ANN, BOB);
        let is_answered = race.chance.below(2) == 0;
        if !consults(race, is_answered) {
            return;
        }
        assert!(race.phone(ANN).joins_its_calls());
        let is_taken = || !race.phone(ANN).refer_progress().is_empty() || race.phone(ANN).is_idle();
        race.until("the REFER is taken", is_taken);
        let how = race.pick(&LEAVES);
        leaves(race, ANN, how);
        race.pause(300);
        race.phone(EVE).answers();
        race.heard("B talks with C", &[('B', BOB), ('C', EVE)]);
        race.sim.run_for(secs(20));
        race.heard("B talks with C", &[('B', BOB), ('C', EVE)]);
        if how == Leaves::LosesItsCable {
            race.phone(ANN).forgets();
            race.phone(ANN).plug();
        }
    });
}
