//! The life of a registration (RFC 3665 2).

use expect_test::expect;
use leg::{Command, Reply};
use testkit::{Device, Outcome, Registered, Settings, Sim, Ways, millis, secs};

fn listed(sim: &Sim) -> usize {
    match sim.answer_to(0, Command::ListRegistrations { extension: None }) {
        Reply::Registrations(list) => list.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_phone_registers_refreshes_and_removes_itself() {
    let sim = Sim::seed(11);
    let ann = sim.phone("100");
    assert_eq!((ann.contacts().len(), listed(&sim)), (1, 1));
    // At half its hour it refreshes with the nonce it knows, and is not challenged.
    sim.run_for(secs(1_900));
    assert!(ann.is_registered());
    ann.unregisters();
    sim.run_for(secs(1));
    assert_eq!((ann.registration(), listed(&sim)), (Registered::No, 0));
    expect![[r#"
        100 > REGISTER
        100 < 401 REGISTER
        100 > REGISTER auth
        100 < 200 REGISTER
            ... 1800 s
        100 > REGISTER auth
        100 < 401 REGISTER
        100 > REGISTER auth
        100 < 200 REGISTER
            ... 100 s
        100 > REGISTER auth
        100 < 200 REGISTER
    "#]]
    .assert_eq(&sim.whole_ladder());
    sim.assert_nothing_left();
    assert_eq!(sim.gauges().timers, 0);
}

#[test]
fn a_registration_that_is_not_refreshed_runs_out() {
    let sim = Sim::seed(11);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.forgets();
    sim.run_for(secs(3_590));
    assert_eq!(listed(&sim), 2);
    sim.run_for(secs(20));
    assert_eq!(listed(&sim), 1);
    ann.dials("101");
    sim.run_for(secs(1));
    assert_eq!(ann.outcome(), Some(Outcome::Refused(480)));
    sim.assert_nothing_left();
}

#[test]
fn several_contacts_of_one_extension_are_listed_to_each() {
    let sim = Sim::seed(11);
    let (_desk, mobile) = (sim.phone("100"), sim.phone("100"));
    assert_eq!((mobile.contacts().len(), listed(&sim)), (2, 2));
    mobile.unregisters();
    sim.run_for(secs(1));
    assert_eq!((mobile.contacts().len(), listed(&sim)), (1, 1));
}

#[test]
fn a_phone_that_registers_twice_is_still_one_contact() {
    let sim = Sim::seed(11);
    let ann = sim.phone("100");
    ann.forgets();
    ann.registers();
    sim.run_for(secs(1));
    assert_eq!((ann.contacts().len(), listed(&sim)), (1, 1));
}

#[test]
fn too_short_a_time_is_refused_with_the_shortest() {
    let sim = Sim::seed(11);
    let ann = sim.device(Device::of("100").unregistered());
    ann.set(|m| m.expires_s = 10);
    ann.registers();
    sim.run_for(secs(1));
    assert_eq!(ann.registration(), Registered::Refused(423));
    expect![[r#"
        100 > REGISTER
        100 < 401 REGISTER
        100 > REGISTER auth
        100 < 423 REGISTER [Min-Expires: 60]
    "#]]
    .assert_eq(&sim.whole_ladder());
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_answers() {
    let answers = |device: Device| {
        let sim = Sim::with(Settings { seed: 11, ..Default::default() });
        let ann = sim.device(device.unregistered());
        ann.registers();
        sim.run_for(secs(1));
        assert!(!ann.is_registered());
        ann.dials("101");
        sim.run_for(secs(1));
        assert_eq!(ann.outcome(), Some(Outcome::Refused(401)));
        assert_eq!(sim.gauges().transactions, 0);
        ann.received().iter().map(|m| without_chance(m)).collect::<Vec<_>>()
    };
    let wrong = answers(Device::of("100").with_password("wrong"));
    let unknown = answers(Device::of("100").with_login("c0-999"));
    assert_eq!(wrong.len(), 4);
    assert_eq!(wrong, unknown);
}

/// An answer without what is different in any two: what comes by chance, and who asked.
fn without_chance(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let line = |l: &str| match l {
        l if l.starts_with("WWW-Authenticate") => {
            let mut parts: Vec<String> = l.split('"').map(str::to_owned).collect();
            for at in 1..parts.len() {
                if parts[at - 1].ends_with("nonce=") {
                    parts[at] = format!("{} letters", parts[at].len());
                }
            }
            parts.join("\"")
        }
        // Strangers may get compact names.
        l if ["From", "To", "Call-ID", "Via", "f", "t", "i", "v"]
            .iter()
            .any(|h| l.strip_prefix(h).is_some_and(|rest| rest.starts_with(':'))) =>
        {
            l.split(':').next().unwrap_or("").to_owned()
        }
        l => l.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_phone_over_tcp_is_called_on_its_connection() {
    let sim = Sim::seed(11);
    let ann = sim.device(Device::of("100").over_tcp());
    let bob = sim.device(Device::of("101").over_tcp());
    bob.answers_after(millis(100));
    ann.dials("101");
    sim.run_for(secs(2));
    sim.assert_talking(&ann, &bob);
    bob.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_phone_whose_connection_is_cut_is_unreachable_until_it_registers_anew() {
    let sim = Sim::seed(11);
    let ann = sim.phone("100");
    let bob = sim.device(Device::of("101").over_tcp());
    bob.is_cut_off();
    sim.run_for(millis(100));
    assert_eq!(listed(&sim), 1);
    ann.dials("101");
    sim.run_for(secs(1));
    assert_eq!(ann.outcome(), Some(Outcome::Refused(480)));
    bob.registers();
    sim.run_for(secs(1));
    ann.dials("101");
    sim.run_for(secs(1));
    assert!(bob.is_ringing());
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_call_ends_when_a_phone_over_tcp_is_cut_off() {
    for cut in 0..2 {
        let sim = Sim::seed(11);
        let ann = sim.device(Device::of("100").over_tcp());
        let bob = sim.device(Device::of("101").over_tcp());
        bob.answers_after(millis(100));
        ann.dials("101");
        sim.run_for(secs(2));
        sim.assert_talking(&ann, &bob);
        let (gone, stays) = if cut == 0 { (&ann, &bob) } else { (&bob, &ann) };
        gone.is_cut_off();
        gone.forgets();
        // Without audio it is asked, and no way leads to it.
        sim.run_for(secs(70));
        assert!(stays.is_idle(), "{:?}", stays.state());
        assert!(sim.cdrs().iter().all(|c| c.reason == model::EndReason::MediaLost));
        sim.assert_nothing_left();
    }
}

#[test]
fn phones_register_over_a_bad_network() {
    for seed in 0..50 {
        let sim = Sim::with(Settings { seed, ways: Ways::losing(20), ..Default::default() });
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        assert_eq!(listed(&sim), 2);
        ann.unregisters();
        bob.unregisters();
        sim.run_for(secs(40));
        assert_eq!(listed(&sim), 0, "seed {seed}");
        sim.assert_nothing_left();
    }
}

#[test]
fn a_jump_of_the_wall_clock_ends_no_registration() {
    for jump in [-86_400, -3_600, 3_600, 86_400] {
        let sim = Sim::seed(11);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        bob.answers_after(millis(100));
        sim.shift_wall_clock(jump);
        sim.run_for(secs(10));
        ann.dials("101");
        sim.run_for(secs(1));
        sim.assert_talking(&ann, &bob);
        ann.hangs_up();
        sim.assert_nothing_left();
    }
}
