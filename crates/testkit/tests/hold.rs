//! Hold (RFC 5359 2.1) in every form that phones have for it, and back.

use expect_test::expect;
use testkit::{Hold, Phone, Sim, Sound, millis, secs};

fn talking(sim: &Sim) -> (Phone, Phone) {
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.answers_after(millis(500));
    ann.dials("101");
    sim.run_for(secs(2));
    sim.assert_talking(&ann, &bob);
    sim.begin_ladder();
    (ann, bob)
}

#[test]
fn either_phone_holds_in_any_form_and_the_other_hears_music() {
    for form in Hold::ALL {
        for holder in 0..2 {
            let sim = Sim::seed(6);
            let (ann, bob) = talking(&sim);
            let (holder, held) = if holder == 0 { (&ann, &bob) } else { (&bob, &ann) };
            for _ in 0..2 {
                holder.holds(form);
                sim.run_for(secs(3));
                assert_eq!(held.hears(), [Sound::Music].into(), "{form:?}");
                assert_eq!(holder.hears(), [].into(), "{form:?}");
                holder.resumes();
                sim.run_for(secs(1));
                sim.assert_talking(&ann, &bob);
            }
            assert_eq!(held.ssrc_changes(), 0, "{form:?}");
            held.hangs_up();
            sim.assert_nothing_left();
        }
    }
}

#[test]
fn the_ladder_of_hold_and_resume() {
    let sim = Sim::seed(6);
    let (ann, _bob) = talking(&sim);
    ann.holds(Hold::SendOnly);
    sim.run_for(secs(5));
    ann.resumes();
    sim.run_for(secs(1));
    expect![[r#"
        100 > INVITE (sendonly)
        100 < 200 (recvonly)
        100 > ACK
            ... 5 s
        100 > INVITE (sendrecv)
        100 < 200 (sendrecv)
        100 > ACK
    "#]]
    .assert_eq(&sim.ladder());
}

#[test]
fn the_ladder_of_a_hold_without_an_address() {
    let sim = Sim::seed(6);
    let (_ann, bob) = talking(&sim);
    bob.holds(Hold::NoAddress);
    sim.run_for(secs(5));
    bob.resumes();
    sim.run_for(secs(1));
    expect![[r#"
        101 > INVITE (sendrecv to nowhere)
        101 < 200 (recvonly)
        101 > ACK
            ... 5 s
        101 > INVITE (sendrecv)
        101 < 200 (sendrecv)
        101 > ACK
    "#]]
    .assert_eq(&sim.ladder());
}

#[test]
fn when_both_hold_nobody_hears_anything_until_both_are_back() {
    for form in Hold::ALL {
        let sim = Sim::seed(6);
        let (ann, bob) = talking(&sim);
        ann.holds(form);
        sim.run_for(secs(1));
        bob.holds(form);
        sim.run_for(secs(1));
        assert_eq!((ann.hears(), bob.hears()), ([].into(), [].into()), "{form:?}");
        ann.resumes();
        sim.run_for(secs(1));
        assert_eq!((ann.hears(), bob.hears()), ([Sound::Music].into(), [].into()), "{form:?}");
        bob.resumes();
        sim.run_for(secs(1));
        sim.assert_talking(&ann, &bob);
        ann.hangs_up();
        sim.assert_nothing_left();
    }
}

#[test]
fn both_may_press_hold_at_the_same_moment() {
    let sim = Sim::seed(6);
    let (ann, bob) = talking(&sim);
    ann.holds(Hold::SendOnly);
    bob.holds(Hold::SendOnly);
    sim.run_for(secs(6));
    assert_eq!((ann.hears(), bob.hears()), ([].into(), [].into()));
    ann.resumes();
    bob.resumes();
    sim.run_for(secs(6));
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_held_call_is_not_taken_for_dead() {
    let sim = Sim::seed(6);
    let (ann, bob) = talking(&sim);
    ann.holds(Hold::Inactive);
    sim.run_for(secs(600));
    assert_eq!(bob.hears(), [Sound::Music].into());
    ann.resumes();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_call_can_end_while_it_is_held() {
    for ender in 0..2 {
        let sim = Sim::seed(6);
        let (ann, bob) = talking(&sim);
        ann.holds(Hold::SendOnly);
        sim.run_for(secs(1));
        if ender == 0 {
            ann.hangs_up()
        } else {
            bob.hangs_up()
        };
        sim.assert_nothing_left();
        assert!(ann.is_idle() && bob.is_idle());
    }
}
