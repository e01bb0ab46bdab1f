//! Talks that are recorded: by real phones, with real sound, and through a restart.

use media::measure::strength_dbfs;
use testkit::{Hold, Phone, Settings, Sim, Ways, millis, secs};

/// As loud as a voice is in a recording, and as soft as one that is not in it.
const SPEAKS_DBFS: f64 = -24.0;
const SILENT_DBFS: f64 = -45.0;

/// 100 talks to 101, whose talks are recorded in stereo.
fn talking(sim: &Sim) -> (Phone, Phone) {
    sim.configure(0, |company| {
        let shown = &mut company.phone("101").shown;
        (shown.record_enabled, shown.record_stereo) = (true, true);
    });
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.answers_after(millis(500));
    ann.dials("101");
    sim.run_for(secs(4));
    (ann, bob)
}

/// Whether a phone speaks in a channel throughout a second of it.
fn speaks(channel: &[i16], second: usize, phone: &Phone) -> bool {
    let dbfs = strength_dbfs(&channel[8_000 * second..8_000 * (second + 1)], phone.says_hz());
    assert!(!(SILENT_DBFS..SPEAKS_DBFS).contains(&dbfs), "{dbfs}");
    dbfs > SPEAKS_DBFS
}

#[test]
fn both_voices_are_in_a_recording_each_on_its_side_and_a_whisper_is_not() {
    for (seed, ways) in [(3, Ways::GOOD), (4, Ways::losing(10))] {
        let sim = Sim::with(Settings { seed, ways, ..Settings::default() });
        let (ann, bob) = talking(&sim);
        let eve = sim.phone("102");
        eve.answers_after(millis(300));
        sim.control("101", "whisper 102").unwrap();
        sim.run_for(secs(4));
        bob.hangs_up();
        sim.run_for(secs(2));
        sim.assert_nothing_left();
        let [recorded] = &sim.recorded()[..] else { panic!("{:?}", sim.recorded()) };
        assert_eq!(recorded.extension, sim.extension("101"));
        let channels = sim.recording(recorded.file).expect("its file is complete");
        let [left, right] = &channels[..] else { panic!("{} channels", channels.len()) };
        assert_eq!(left.len() as u64 / 8, u64::from(recorded.length_ms));
        let last = left.len() / 8_000 - 2;
        for second in [1, last] {
            let heard = |channel| [&ann, &bob, &eve].map(|phone| speaks(channel, second, phone));
            assert_eq!(heard(left), [true, false, false], "second {second}, the caller");
            assert_eq!(heard(right), [false, true, false], "second {second}, the called");
        }
    }
}

#[test]
fn a_hold_is_silence_and_a_transfer_goes_on_in_the_same_recording() {
    let sim = Sim::seed(5);
    let (ann, bob) = talking(&sim);
    bob.holds(Hold::SendOnly);
    sim.run_for(secs(4));
    bob.resumes();
    sim.run_for(secs(1));
    let dan = sim.phone("103");
    dan.answers_after(millis(300));
    sim.control("100", "transfer 103").unwrap();
    sim.run_for(secs(6));
    dan.hangs_up();
    sim.run_for(secs(2));
    sim.assert_nothing_left();
    let [recorded] = &sim.recorded()[..] else { panic!("{:?}", sim.recorded()) };
    let channels = sim.recording(recorded.file).expect("its file is complete");
    let [left, right] = &channels[..] else { panic!("{} channels", channels.len()) };
    let last = left.len() / 8_000 - 2;
    let heard = |channel, second| [&ann, &bob, &dan].map(|phone| speaks(channel, second, phone));
    assert_eq!((heard(left, 1), heard(right, 1)), ([true, false, false], [false, true, false]));
    assert_eq!((heard(left, 5), heard(right, 5)), ([false; 3], [false; 3]), "on hold");
    assert_eq!(
        (heard(left, last), heard(right, last)),
        ([false, false, true], [false, true, false]),
        "after the transfer"
    );
}

#[test]
fn a_recording_that_a_killed_process_left_is_told_by_the_next_one() {
    let sim = Sim::seed(6);
    talking(&sim);
    sim.kill();
    sim.run_for(secs(20));
    let [recorded] = &sim.recorded()[..] else { panic!("{:?}", sim.recorded()) };
    assert!(recorded.length_ms > 2_000, "{recorded:?}");
    assert!(sim.recording(recorded.file).is_some());
    let cdr = sim.cdrs().into_iter().find(|cdr| cdr.sub_call_id == recorded.sub_call_id);
    assert_eq!(cdr.expect("its record").extension, sim.extension("101"));
}

#[test]
fn a_full_disk_costs_the_recording_and_not_the_talk() {
    let sim = Sim::seed(7);
    sim.disk_is_full(true);
    let (ann, bob) = talking(&sim);
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.run_for(secs(2));
    sim.assert_nothing_left();
    assert!(sim.recorded().is_empty() && sim.recordings().is_empty());
}
