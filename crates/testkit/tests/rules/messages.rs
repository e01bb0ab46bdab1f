//! Messages: what the caller hears, what is recorded, and that none is lost.

use core::time::Duration;

use model::{EndReason, Spoken};
use testkit::{Outcome, Pace, Phone, Sim, Sound, millis, secs};

use crate::{SEEDS, hears_tone, on_bad_networks, until, until_told};

/// 100 dials 101, whose rule takes a message.
fn voicemail(sim: &Sim) {
    sim.rules("101", "voicemail");
}

/// The caller hears the greeting and the tone, and speaks for so long.
fn leaves_a_message(sim: &Sim, caller: &Phone, time: Duration) {
    caller.dials("101");
    until_told(sim, caller, Spoken::LeaveMessage);
    until(sim, "beep", || caller.hears() == [Sound::TestTone].into());
    sim.run_for(millis(700));
    sim.run_for(time);
}

/// The one message: its length; it holds the voice of its caller and nothing else.
#[track_caller]
fn message(sim: &Sim, voice_hz: f64) -> Duration {
    let messages = sim.messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let message = &messages[0];
    let recorded = sim.recording(message.file).expect("its file is complete");
    assert_eq!(recorded.len(), 1);
    let samples = &recorded[0];
    assert_eq!(samples.len() as u64 / 8, u64::from(message.length_ms));
    let pitch = media::measure::pitch_hz(&samples[4_000..8_000]).expect("somebody speaks");
    assert!((pitch - voice_hz).abs() < 20.0, "{pitch} Hz");
    assert_eq!(message.extension, sim.extension("101"));
    assert_eq!((&*message.caller_number, &*message.caller_name), ("0003*100", "Person 100"));
    Duration::from_millis(message.length_ms.into())
}

/// The pitch of the first phone of a run.
const ANN_HZ: f64 = 610.0;

#[test]
fn a_message_is_what_was_said_between_the_tone_and_the_hanging_up() {
    on_bad_networks(voicemail, |sim, [ann, bob, ..]| {
        ann.set_pace(Pace::Steady);
        leaves_a_message(sim, ann, secs(4));
        ann.hangs_up();
        until(sim, "kept", || !sim.messages().is_empty());
        let length = message(sim, ANN_HZ);
        assert!(length > secs(3) && length < secs(9), "{length:?}");
        assert_eq!(bob.call_count(), 0);
        let reasons: Vec<_> = sim.cdrs().iter().map(|c| c.reason).collect();
        assert_eq!(reasons, [EndReason::CallerHungUp; 2]);
    });
}

#[test]
fn the_hash_key_skips_the_greeting_and_ends_the_message() {
    on_bad_networks(voicemail, |sim, [ann, ..]| {
        ann.set_pace(Pace::Steady);
        ann.dials("101");
        until_told(sim, ann, Spoken::LeaveMessage);
        ann.presses("#");
        let begun = sim.elapsed();
        until(sim, "beep", || ann.hears() == [Sound::TestTone].into());
        assert!(sim.elapsed() - begun < secs(1), "the greeting takes longer");
        sim.run_for(secs(3));
        ann.presses("#");
        until(sim, "over", || matches!(ann.outcome(), Some(Outcome::PeerHungUp(_))));
        until(sim, "kept", || !sim.messages().is_empty());
        message(sim, ANN_HZ);
    });
}

#[test]
fn five_seconds_of_silence_end_a_message() {
    let sim = Sim::seed(4);
    voicemail(&sim);
    let ann = sim.phone("100");
    leaves_a_message(&sim, &ann, secs(3));
    ann.set_pace(Pace::Mute);
    let begun = sim.elapsed();
    until(&sim, "over", || matches!(ann.outcome(), Some(Outcome::PeerHungUp(_))));
    let silent = sim.elapsed() - begun;
    assert!(silent > millis(4_800) && silent < millis(5_800), "{silent:?}");
    until(&sim, "kept", || !sim.messages().is_empty());
    message(&sim, ANN_HZ);
    sim.assert_nothing_left();
}

#[test]
fn a_message_is_three_minutes_long_at_most() {
    let sim = Sim::seed(4);
    voicemail(&sim);
    let ann = sim.phone("100");
    leaves_a_message(&sim, &ann, secs(170));
    assert!(ann.is_in_call());
    sim.run_for(secs(15));
    assert!(matches!(ann.outcome(), Some(Outcome::PeerHungUp(_))));
    assert_eq!(message(&sim, ANN_HZ), secs(180));
    sim.assert_nothing_left();
}

#[test]
fn who_hangs_up_during_the_greeting_the_tone_or_at_once_leaves_no_message() {
    for seed in 0..SEEDS {
        let sim = Sim::seed(seed);
        voicemail(&sim);
        let ann = sim.phone("100");
        ann.dials("101");
        // The greeting takes four seconds, the tone less than one; less than a second is nothing.
        sim.run_for(millis(100 + seed * 25));
        ann.hangs_up();
        sim.assert_nothing_left();
        assert!(sim.messages().is_empty(), "seed {seed}: {:?}", sim.messages());
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_leaves_nothing() {
    let sim = Sim::seed(4);
    voicemail(&sim);
    let ann = sim.phone("100");
    leaves_a_message(&sim, &ann, secs(2));
    sim.disk_is_full(true);
    until(&sim, "over", || matches!(ann.outcome(), Some(Outcome::PeerHungUp(_))));
    sim.assert_nothing_left();
    assert!(sim.messages().is_empty());
}

#[test]
fn the_greeting_of_the_phone_is_heard_in_place_of_the_built_in_one() {
    let sim = Sim::seed(4);
    voicemail(&sim);
    sim.sound(5, secs(2), 3_200.0);
    sim.configure(0, |c| c.phone("101").shown.vm_greeting = Some(5));
    let ann = sim.phone("100");
    ann.dials("101");
    until(&sim, "greeted", || hears_tone(&ann, 3_200.0));
    until(&sim, "beep", || ann.hears() == [Sound::TestTone].into());
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_call_whose_message_is_being_completed_is_in_no_list() {
    let sim = Sim::seed(4);
    voicemail(&sim);
    let ann = sim.phone("100");
    leaves_a_message(&sim, &ann, secs(3));
    assert_eq!(sim.calls_of("101").len(), 1);
    ann.hangs_up();
    sim.run_while(secs(1), || sim.cdrs().is_empty());
    assert_eq!((sim.gauges().calls, sim.messages().len()), (1, 0));
    assert!(sim.calls_of("100").is_empty() && sim.calls_of("101").is_empty());
    until(&sim, "kept", || !sim.messages().is_empty());
    sim.assert_nothing_left();
}

#[test]
fn a_restart_during_the_recording_ends_the_call_and_keeps_the_message() {
    for downtime in [millis(500), secs(60)] {
        let sim = Sim::with(testkit::Settings { downtime, ..testkit::Settings::default() });
        voicemail(&sim);
        let ann = sim.phone("100");
        leaves_a_message(&sim, &ann, secs(5));
        sim.kill();
        sim.run_for(downtime + secs(2));
        let length = message(&sim, ANN_HZ);
        assert!(length > secs(4) && length < secs(7), "{length:?}");
        assert!(sim.cdrs().iter().all(|c| c.reason == EndReason::Restart));
        ann.hangs_up();
        sim.run_for(secs(40));
        sim.assert_nothing_left();
    }
}

#[test]
fn a_kill_between_any_two_things_behind_the_recording_loses_no_message_and_doubles_none() {
    let mut kills = 0;
    for things in 0.. {
        let sim = Sim::seed(6);
        voicemail(&sim);
        let ann = sim.phone("100");
        leaves_a_message(&sim, &ann, secs(3));
        sim.kill_after(things);
        ann.hangs_up();
        sim.run_for(secs(2));
        if sim.is_kill_pending() {
            break;
        }
        kills += 1;
        // It is killed once more while it looks for the message.
        sim.kill_after(2);
        sim.run_for(secs(40));
        sim.is_kill_pending();
        sim.assert_nothing_left();
        message(&sim, ANN_HZ);
    }
    assert!(kills >= 4, "{kills}");
}

#[test]
fn a_restart_while_somebody_is_asked_or_a_machine_plays_leaves_nothing() {
    for seed in 0..40 {
        let sim = Sim::seed(seed);
        sim.sound(1, secs(2), 3_000.0);
        sim.rules("101", "playfile+ sound=1; transfer 102 screened; busy");
        let (ann, carol) = (sim.phone("100"), sim.phone("102"));
        carol.answers_after(secs(1));
        ann.dials("101");
        sim.run_for(millis(400 * seed));
        sim.kill();
        sim.run_for(secs(60));
        assert!(ann.is_idle() && carol.is_idle(), "seed {seed}");
        sim.assert_nothing_left();
    }
}
