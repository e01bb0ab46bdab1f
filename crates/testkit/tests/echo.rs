//! The echo service: a tone, then what one says comes back.

use expect_test::expect;
use testkit::{Hold, Outcome, Sim, Sound, millis, secs};

#[test]
fn the_echo_plays_its_tone_and_then_sends_back_what_it_hears() {
    let sim = Sim::seed(12);
    let ann = sim.phone("100");
    ann.dials("199");
    sim.run_for(secs(1));
    assert!(ann.is_in_call());
    assert_eq!(ann.hears(), [Sound::TestTone].into());
    sim.run_for(secs(2));
    assert_eq!(ann.hears(), [ann.sound()].into());
    assert_eq!(ann.ssrc_changes(), 0);
    ann.hangs_up();
    sim.run_for(millis(100));
    expect![[r#"
        100 > INVITE 199 (sendrecv)
        100 < 401
        100 > ACK
        100 > INVITE 199 auth (sendrecv)
        100 < 100
        100 < 200 (sendrecv)
        100 > ACK
            ... 3 s
        100 > BYE
        100 < 200 BYE
    "#]]
    .assert_eq(&sim.ladder());
    expect![[r#"
        100 dial-out CALLING
        199 dial-in CALLING
        100 answer ANSWER
        199 hangup CANCEL caller_hung_up
        100 hangup ANSWER caller_hung_up
    "#]]
    .assert_eq(&sim.event_lines());
    sim.assert_nothing_left();
}

#[test]
fn the_echo_sends_digits_back() {
    let sim = Sim::seed(12);
    let ann = sim.phone("100");
    ann.dials("199");
    sim.run_for(secs(3));
    ann.presses("42");
    sim.run_for(secs(2));
    assert_eq!(ann.digits(), "42");
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn the_echo_is_quiet_while_it_is_held() {
    let sim = Sim::seed(12);
    let ann = sim.phone("100");
    ann.dials("199");
    sim.run_for(secs(3));
    ann.holds(Hold::SendOnly);
    sim.run_for(secs(1));
    assert_eq!(ann.hears(), [].into());
    ann.resumes();
    sim.run_for(secs(1));
    assert_eq!(ann.hears(), [ann.sound()].into());
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn the_echo_ends_by_itself_after_ten_minutes() {
    let sim = Sim::seed(12);
    let ann = sim.phone("100");
    ann.dials("199");
    sim.run_for(secs(610));
    assert_eq!(ann.outcome(), Some(Outcome::PeerHungUp(None)));
    sim.assert_nothing_left();
}
