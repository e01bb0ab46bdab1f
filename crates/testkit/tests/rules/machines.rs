//! Sounds that rules play, calls that are answered and go on, and that a machine never beats a
//! person.

use model::Spoken;
use testkit::{Outcome, Phone, Sim, Sound, millis, secs};

use crate::{hears_tone, on_bad_networks, talking, until, until_told};

/// The pitch of the sound that rules play; no phone has it.
const SOUND_HZ: f64 = 3_000.0;

fn with_sound(sim: &Sim, rules: &str) {
    sim.sound(1, secs(4), SOUND_HZ);
    sim.rules("101", rules);
}

fn is_hung_up(phone: &Phone) -> bool {
    matches!(phone.outcome(), Some(Outcome::PeerHungUp(_)))
}

#[test]
fn a_final_sound_is_heard_and_the_caller_hung_up() {
    on_bad_networks(
        |sim| with_sound(sim, "playfile sound=1"),
        |sim, [ann, bob, ..]| {
            ann.dials("101");
            until(sim, "heard", || hears_tone(ann, SOUND_HZ));
            let begun = sim.elapsed();
            until(sim, "over", || is_hung_up(ann));
            let heard = sim.elapsed() - begun;
            assert!(heard > millis(3_500) && heard < secs(8), "{heard:?}");
            assert_eq!(bob.call_count(), 0);
        },
    );
}

#[test]
fn after_a_sound_the_caller_hears_the_next_one_ring_and_talks_with_who_answers() {
    on_bad_networks(
        |sim| with_sound(sim, "playfile+ sound=1; transfer 102"),
        |sim, [ann, _, carol, ..]| {
            ann.dials("101");
            until(sim, "heard", || hears_tone(ann, SOUND_HZ));
            until(sim, "ringing", || carol.is_ringing());
            until(sim, "ringback", || ann.hears() == [Sound::Ringback].into());
            carol.answers();
            talking(sim, ann, carol);
            carol.hangs_up();
            until(sim, "over", || is_hung_up(ann));
        },
    );
}

#[test]
fn an_answered_caller_whom_nobody_takes_hears_the_busy_tone_for_three_seconds() {
    for rules in ["playfile+ sound=1; transfer 102", "playfile+ sound=1; busy"] {
        on_bad_networks(
            |sim| with_sound(sim, rules),
            |sim, [ann, _, carol, ..]| {
                carol.refuses_after(secs(1), 486);
                ann.dials("101");
                until(sim, "busy", || ann.hears_busy_tone());
                let known = sim.elapsed();
                until(sim, "over", || is_hung_up(ann));
                // A second or so of the three is over before the cadence is known.
                let heard = sim.elapsed() - known;
                assert!(heard > millis(500) && heard < secs(7), "{heard:?}");
            },
        );
    }
}

#[test]
fn a_hangup_rule_ends_an_answered_call_without_a_tone() {
    let sim = Sim::seed(1);
    with_sound(&sim, "playfile+ sound=1; hangup");
    let ann = sim.phone("100");
    ann.dials("101");
    until(&sim, "heard", || hears_tone(&ann, SOUND_HZ));
    until(&sim, "over", || is_hung_up(&ann) || ann.hears_busy_tone());
    assert!(is_hung_up(&ann));
    sim.assert_nothing_left();
}

#[test]
fn a_sound_whose_file_is_gone_counts_as_played() {
    let sim = Sim::seed(1);
    sim.configure(0, |company| company.sound(1, 4_000));
    sim.rules("101", "playfile+ sound=1; transfer 102");
    let (ann, carol) = (sim.phone("100"), sim.phone("102"));
    ann.dials("101");
    sim.run_for(secs(2));
    assert!(carol.is_ringing());
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn who_holds_while_a_machine_plays_hears_nothing_until_resumed() {
    let sim = Sim::seed(1);
    with_sound(&sim, "playfile sound=1");
    let ann = sim.phone("100");
    ann.dials("101");
    until(&sim, "heard", || hears_tone(&ann, SOUND_HZ));
    ann.holds(testkit::Hold::SendOnly);
    sim.run_for(secs(1));
    assert_eq!(ann.hears(), [].into());
    ann.resumes();
    sim.run_for(secs(1));
    assert!(hears_tone(&ann, SOUND_HZ));
    until(&sim, "over", || is_hung_up(&ann));
    sim.assert_nothing_left();
}

#[test]
fn a_colleague_who_answers_has_the_call_although_a_machine_was_ready_first() {
    on_bad_networks(
        |sim| {
            sim.rules("101", "transfer 102 103");
            sim.rules("102", "voicemail");
        },
        |sim, [ann, _, _, dave, _]| {
            ann.dials("101");
            until(sim, "ringing", || dave.is_ringing());
            sim.run_for(secs(10));
            assert!(ann.outcome().is_none() && !ann.is_in_call());
            dave.answers();
            talking(sim, ann, dave);
            ann.hangs_up();
            until(sim, "over", || dave.is_idle());
            assert!(sim.messages().is_empty());
        },
    );
}

#[test]
fn the_machine_has_the_call_when_the_colleague_declines_or_the_time_is_over() {
    for declines in [true, false] {
        on_bad_networks(
            |sim| {
                sim.rules("101", "transfer 102 103 12s");
                sim.rules("102", "voicemail");
            },
            |sim, [ann, _, _, dave, _]| {
                ann.dials("101");
                until(sim, "ringing", || dave.is_ringing());
                sim.run_for(secs(5));
                assert!(!ann.is_in_call());
                if declines {
                    dave.refuses(603);
                }
                until_told(sim, ann, Spoken::LeaveMessage);
                until(sim, "stopped", || dave.is_idle());
                ann.hangs_up();
                until(sim, "over", || dave.is_idle());
            },
        );
    }
}

#[test]
fn a_machine_that_is_ready_keeps_nobody_of_a_cascade_waiting() {
    on_bad_networks(
        |sim| {
            sim.rules("101", "cascade 102@0 103@60 120s");
            sim.rules("102", "voicemail");
        },
        |sim, [ann, _, _, dave, _]| {
            ann.dials("101");
            until(sim, "ringing", || dave.is_ringing());
            assert!(sim.elapsed() < secs(20), "no dead air");
            dave.answers();
            talking(sim, ann, dave);
            ann.hangs_up();
            until(sim, "over", || dave.is_idle());
        },
    );
}
