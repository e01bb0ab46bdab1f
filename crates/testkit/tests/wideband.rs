//! Phones of different codecs hear each other; those of one codec are passed on as they are.

use model::Codec;
use testkit::{Hold, Phone, Sim, millis, secs};

const G711: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];

fn talking(sim: &Sim, ours: &[Codec], theirs: &[Codec]) -> (Phone, Phone) {
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.set(|m| m.codecs = ours.to_vec());
    bob.set(|m| m.codecs = theirs.to_vec());
    bob.answers_after(millis(300));
    ann.dials("101");
    sim.run_for(secs(3));
    (ann, bob)
}

/// Each hears the tone of the other, and at its pitch.
fn assert_pitches(sim: &Sim, ann: &Phone, bob: &Phone) {
    sim.assert_talking(ann, bob);
    for (listener, speaker) in [(ann, bob), (bob, ann)] {
        let heard = listener.pitch_hz().expect("something is heard");
        let wanted = speaker.says_hz();
        assert!((heard - wanted).abs() < 8.0, "{}: {heard} and not {wanted}", listener.name());
    }
}

#[test]
fn phones_without_a_codec_in_common_hear_each_other() {
    let table: [(&[Codec], &[Codec]); 6] = [
        (&[Codec::Opus], &G711),
        (&G711, &[Codec::Opus]),
        (&[Codec::G722], &[Codec::Pcmu]),
        (&[Codec::Pcma], &[Codec::G722]),
        (&[Codec::Opus], &[Codec::G722]),
        (&[Codec::G722], &[Codec::Opus]),
    ];
    for (ours, theirs) in table {
        let sim = Sim::seed(1);
        let (ann, bob) = talking(&sim, ours, theirs);
        assert_pitches(&sim, &ann, &bob);
        assert!(!ann.hears_untouched(&bob) && !bob.hears_untouched(&ann), "{ours:?} {theirs:?}");
        ann.hangs_up();
        sim.assert_nothing_left();
    }
}

#[test]
fn phones_of_one_wideband_codec_are_relayed() {
    for codec in [Codec::G722, Codec::Opus] {
        let sim = Sim::seed(2);
        let (ann, bob) = talking(&sim, &[codec], &[codec]);
        assert_pitches(&sim, &ann, &bob);
        assert!(ann.hears_untouched(&bob) && bob.hears_untouched(&ann), "{codec:?}");
        ann.hangs_up();
        sim.assert_nothing_left();
    }
}

#[test]
fn one_codec_serves_end_to_end_where_both_have_it_whatever_they_like_best() {
    let sim = Sim::seed(3);
    let all = [Codec::Opus, Codec::G722, Codec::Pcma];
    let (ann, bob) = talking(&sim, &all, &[Codec::Pcma, Codec::G722]);
    assert_pitches_or_labels(&sim, &ann, &bob);
    let carol = sim.phone("102");
    carol.set(|m| m.codecs = vec![Codec::Pcmu, Codec::Opus]);
    carol.answers_after(millis(300));
    ann.hangs_up();
    sim.run_for(secs(3));
    ann.set(|m| m.codecs = vec![Codec::Opus, Codec::Pcma]);
    ann.dials("102");
    sim.run_for(secs(3));
    sim.assert_talking(&ann, &carol);
    assert!(ann.hears_untouched(&carol) && carol.hears_untouched(&ann), "both in Opus");
    ann.hangs_up();
    sim.assert_nothing_left();
}

/// A relayed packet of G.711 is known by its label and has no pitch.
fn assert_pitches_or_labels(sim: &Sim, ann: &Phone, bob: &Phone) {
    sim.assert_talking(ann, bob);
    let relayed =
        ann.samples_over(millis(250)).is_empty() && bob.samples_over(millis(250)).is_empty();
    assert!(relayed || (ann.hears_untouched(bob) && bob.hears_untouched(ann)));
}

#[test]
fn hold_and_back_leaves_a_transcoded_call_as_it_was() {
    let sim = Sim::seed(4);
    let (ann, bob) = talking(&sim, &[Codec::Opus], &G711);
    ann.holds(Hold::SendOnly);
    sim.run_for(secs(2));
    assert_eq!(bob.hears(), [testkit::Sound::Music].into());
    assert!(ann.hears().is_empty());
    ann.resumes();
    sim.run_for(secs(2));
    assert_pitches(&sim, &ann, &bob);
    bob.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_transcoded_call_is_heard_over_a_lossy_way() {
    for seed in 0..6 {
        let sim = Sim::seed(seed);
        let (ann, bob) = talking(&sim, &[Codec::Opus], &[Codec::G722]);
        let mut ways = testkit::Ways::GOOD;
        ways.rtp_up = testkit::Link { loss: 50, ..testkit::Link::GOOD };
        ann.set_ways(ways);
        bob.set_ways(ways);
        sim.run_for(secs(2));
        assert_pitches(&sim, &ann, &bob);
        ann.hangs_up();
        sim.assert_nothing_left();
    }
}
