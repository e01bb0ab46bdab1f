//! Phones behind NAT: what they tell of themselves leads nowhere.

use testkit::{Device, Hold, Sim, Sound, millis, secs};

#[test]
fn two_phones_behind_nat_talk_hold_and_hang_up() {
    for caller_is in [true, false] {
        for called_is in [true, false] {
            let sim = Sim::seed(18);
            let device = |name: &str, is_behind: bool| {
                let device = Device::of(name);
                sim.device(if is_behind { device.behind_nat() } else { device })
            };
            let (ann, bob) = (device("100", caller_is), device("101", called_is));
            bob.answers_after(millis(500));
            ann.dials("101");
            sim.run_for(secs(2));
            sim.assert_talking(&ann, &bob);
            ann.holds(Hold::SendOnly);
            sim.run_for(secs(1));
            assert_eq!(bob.hears(), [Sound::Music].into());
            ann.resumes();
            sim.run_for(secs(1));
            sim.assert_talking(&ann, &bob);
            bob.hangs_up();
            sim.run_for(secs(1));
            assert!(ann.is_idle());
            sim.assert_nothing_left();
        }
    }
}

#[test]
fn a_phone_behind_nat_rings_after_a_restart() {
    let sim = Sim::seed(18);
    let ann = sim.phone("100");
    let bob = sim.device(Device::of("101").behind_nat());
    sim.kill();
    sim.run_for(secs(1));
    ann.dials("101");
    sim.run_for(secs(1));
    assert!(bob.is_ringing());
    bob.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.assert_nothing_left();
}
