//! `*9`: a message is left, heard by its owner and deleted, on good and bad networks.

use core::time::Duration;

use model::Spoken;
use testkit::{Outcome, Pace, Phone, Settings, Sim, Sound, secs};

use crate::{on_bad_networks, until, until_told};

/// 100 leaves a message for 101 that is so long; the database has it.
fn left(sim: &Sim, ann: &Phone, time: Duration) {
    sim.rules("101", "voicemail");
    ann.set_pace(Pace::Steady);
    ann.dials("101");
    until_told(sim, ann, Spoken::LeaveMessage);
    ann.presses("#");
    until(sim, "beep", || ann.hears() == [Sound::TestTone].into());
    sim.run_for(time);
    ann.hangs_up();
    until(sim, "kept", || !sim.messages().is_empty());
    sim.tells_of_messages("101");
}

fn is_shown(bob: &Phone, counts: &str) -> bool {
    let line = format!("Voice-Message: {counts}");
    bob.lamp_text("101").is_some_and(|text| text.contains(&line))
}

/// The owner dials, and the message sounds.
fn hears_it(sim: &Sim, bob: &Phone) {
    bob.dials("*9");
    until_told(sim, bob, Spoken::Message);
    until(sim, "her voice", || bob.hears() == [Sound::Phone("100".into())].into());
}

#[test]
fn a_message_is_heard_and_deleted_by_its_owner_and_stays_so() {
    on_bad_networks(
        |_| {},
        |sim, [ann, bob, ..]| {
            bob.watches_messages("101");
            until(sim, "watched", || is_shown(bob, "0/0"));
            left(sim, ann, secs(6));
            until(sim, "lit", || is_shown(bob, "1/0"));
            hears_it(sim, bob);
            bob.presses("3");
            until_told(sim, bob, Spoken::NoMessages);
            until(sim, "over", || matches!(bob.outcome(), Some(Outcome::PeerHungUp(_))));
            until(sim, "off", || is_shown(bob, "0/0"));
            bob.unwatches();
        },
    );
}

#[test]
fn after_a_restart_what_was_heard_is_old_and_what_was_deleted_is_gone() {
    let sim = Sim::with(Settings { seed: 3, pace: Pace::Sparse, ..Settings::default() });
    let [ann, bob] = ["100", "101"].map(|name| sim.phone(name));
    left(&sim, &ann, secs(6));
    hears_it(&sim, &bob);
    sim.run_for(secs(4));
    bob.hangs_up();
    sim.run_for(secs(1));
    sim.kill();
    until(&sim, "up again", || sim.lives() > 1);
    sim.run_for(secs(2));
    sim.tells_of_messages("101");
    bob.watches_messages("101");
    until(&sim, "an old one", || is_shown(&bob, "0/1"));
    bob.unwatches();
    hears_it(&sim, &bob);
    bob.presses("3");
    until_told(&sim, &bob, Spoken::Deleted);
    sim.kill();
    let before = sim.lives();
    until(&sim, "up again", || sim.lives() > before);
    sim.run_for(secs(2));
    sim.tells_of_messages("101");
    until(&sim, "the call is over", || !bob.is_in_call());
    bob.dials("*9");
    until_told(&sim, &bob, Spoken::NoMessages);
    until(&sim, "over", || !bob.is_in_call());
    sim.assert_nothing_left();
}
