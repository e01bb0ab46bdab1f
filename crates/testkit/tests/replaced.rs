//! Phones that serve each other: `*3100*1234`, `*3`, and what programs see and end of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use expect_test::expect;
use leg::{AuditProgram, Command, Refusal, Reply};
use model::{ControlGroups, PickupMerge, Rights, Secret};
use testkit::{Device, Outcome, Phone, Sim, Sound, millis, secs};

/// Phones 100, 101 and 102 may replace each other, 103 may not; the PIN of each is 1234.
fn office(seed: u64) -> Sim {
    let sim = Sim::seed(seed);
    sim.configure(0, |company| {
        let document = ControlGroups {
            groups: Some(vec![("desk".into(), ["100", "101", "102"].map(Into::into).into())]),
            phone_replace_groups: Some(vec!["desk".into()]),
            ..ControlGroups::unwritten()
        };
        let find = |name: &str| Some(company.extension_id(name));
        company.control = Arc::new(Rights::compile(document, PickupMerge::Chain, find));
        for name in ["100", "101", "102", "103"] {
            company.phone(name).shown.replace_pin = Some(Secret::new("1234"));
        }
    });
    sim
}

/// Dials a code and says what was heard.
fn told(sim: &Sim, phone: &Phone, code: &str) -> &'static str {
    phone.dials(code);
    let mut heard = BTreeSet::new();
    for _ in 0..30 {
        sim.run_for(millis(100));
        heard.extend(sim.hears(phone));
    }
    let over = phone.outcome();
    assert!(matches!(over, Some(Outcome::PeerHungUp(_))), "{code}: {over:?}");
    match heard.iter().collect::<Vec<_>>()[..] {
        [Sound::TestTone] => "done",
        [Sound::Congestion] => "refused",
        _ => panic!("{code}: {heard:?}"),
    }
}

/// Who rings when `caller` dials `number`, and who is shown there as calling.
fn rings(sim: &Sim, caller: &Phone, number: &str, phones: &[&Phone]) -> String {
    caller.dials(number);
    sim.run_for(secs(1));
    let ringing: Vec<String> = phones
        .iter()
        .filter(|phone| phone.is_ringing())
        .map(|phone| format!("{} for {}", phone.name(), phone.number().unwrap_or_default()))
        .collect();
    caller.hangs_up();
    sim.run_for(secs(1));
    ringing.join(", ")
}

#[test]
fn two_phones_serve_each_other_for_calls_in_and_out_until_either_ends_it() {
    for ends in ["100", "101"] {
        let sim = office(21);
        let (ann, bob, eve) = (sim.phone("100"), sim.phone("101"), sim.phone("102"));
        let all = [&ann, &bob, &eve];
        for phone in all {
            phone.just_rings();
        }
        assert_eq!(told(&sim, &ann, "*3101*1234"), "done");
        assert_eq!(rings(&sim, &eve, "101", &all), "100 for 102");
        assert_eq!(rings(&sim, &eve, "100", &all), "101 for 102");
        assert_eq!(rings(&sim, &ann, "102", &all), "102 for 101", "she calls as him");
        assert_eq!(rings(&sim, &bob, "102", &all), "102 for 100");
        assert_eq!(rings(&sim, &bob, "101", &all), "100 for 100", "he calls her at his number");
        let ending = if ends == "100" { &ann } else { &bob };
        assert_eq!(told(&sim, ending, "*3"), "done");
        assert_eq!(rings(&sim, &eve, "101", &all), "101 for 102");
        assert_eq!(rings(&sim, &ann, "102", &all), "102 for 100");
        assert_eq!(told(&sim, ending, "*3"), "refused", "it is over already");
        sim.assert_nothing_left();
    }
}

#[test]
fn what_is_written_of_a_call_names_who_is_served() {
    let sim = office(22);
    let (ann, _bob, eve) = (sim.phone("100"), sim.phone("101"), sim.phone("102"));
    told(&sim, &ann, "*3101*1234");
    ann.dials("102");
    sim.run_for(secs(1));
    eve.answers();
    sim.run_for(secs(2));
    assert_eq!((sim.calls_of("101").len(), sim.calls_of("100").len()), (1, 0));
    ann.hangs_up();
    sim.run_for(secs(1));
    expect![[r#"
        100 dial-out CALLING
        100 answer ANSWER
        100 hangup ANSWER service_done
        101 dial-out CALLING
        102 dial-in CALLING
        102 answer ANSWER
        101 answer ANSWER
        101 hangup ANSWER caller_hung_up
        102 hangup ANSWER caller_hung_up
    "#]]
    .assert_eq(&sim.event_lines());
    let names: Vec<_> = sim.cdrs().iter().map(|cdr| cdr.extension_name.to_string()).collect();
    let expected = ["100", "101", "102"].map(|name| format!("0003*{name}@pbx.example"));
    assert_eq!(names, expected);
    sim.assert_nothing_left();
}

#[test]
fn the_rules_of_who_is_served_count_and_not_those_of_the_phone() {
    let sim = office(23);
    let (ann, bob, eve) = (sim.phone("100"), sim.phone("101"), sim.phone("102"));
    let dan = sim.phone("103");
    let all = [&ann, &bob, &dan];
    for phone in all {
        phone.just_rings();
    }
    sim.rules("100", "transfer 103");
    told(&sim, &ann, "*3101*1234");
    assert_eq!(rings(&sim, &eve, "101", &all), "100 for 102", "her own rules are not his");
    assert_eq!(rings(&sim, &eve, "100", &all), "103 for 102");
    sim.assert_nothing_left();
}

#[test]
fn whatever_is_refused_sounds_the_same_and_the_audit_says_why() {
    let sim = office(24);
    let (ann, dan) = (sim.phone("100"), sim.phone("103"));
    let (bob, eve) = (sim.phone("101"), sim.phone("102"));
    let codes = ["*3101*9999", "*3555*1234", "*3103*1234", "*3199*1234", "*3100*1234"];
    for code in codes {
        assert_eq!(told(&sim, &ann, code), "refused", "{code}");
    }
    assert_eq!(told(&sim, &dan, "*3100*1234"), "refused");
    sim.configure(0, |company| company.phone("102").shown.replace_pin = None);
    assert_eq!(told(&sim, &ann, "*3102*1234"), "refused", "it may not be replaced");
    assert_eq!(told(&sim, &ann, "*3101*1234"), "done");
    assert_eq!(told(&sim, &ann, "*3101*1234"), "refused", "a second one");
    assert_eq!(told(&sim, &eve, "*3101*1234"), "refused", "one for each");
    assert_eq!(told(&sim, &bob, "*3102*1234"), "refused");
    expect![[r#"
        100 replace 101: may not, phone_replace_groups: wrong PIN
        100 replace 555: may not, nothing
        100 replace 103: may not, nothing
        100 replace 199: may not, nothing
        100 replace 100: may not, phone_replace_groups: nobody replaces itself
        103 replace 100: may not, nothing
        100 replace 102: may not, phone_replace_groups: it may not be replaced
        100 replace 101: may, phone_replace_groups
        101 replace 101: may not, phone_replace_groups: nobody replaces itself
        102 replace 101: may not, phone_replace_groups: one of the two is replaced already
        100 replace 102: may not, phone_replace_groups: it may not be replaced
    "#]]
    .assert_eq(&sim.whole_audit());
    // Nor do events and records tell more of one refusal than of another.
    let told: BTreeSet<_> = sim.cdrs().iter().map(|cdr| (cdr.reason, cdr.status)).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    sim.assert_nothing_left();
}

#[test]
fn five_wrong_pins_lock_the_code_for_a_quarter_of_an_hour() {
    let sim = office(25);
    let (ann, eve) = (sim.phone("100"), sim.phone("102"));
    for _ in 0..5 {
        assert_eq!(told(&sim, &ann, "*3101*0000"), "refused");
    }
    assert_eq!(told(&sim, &ann, "*3101*1234"), "refused", "the right one is not looked at");
    assert_eq!(told(&sim, &eve, "*3101*1234"), "done", "others are not locked");
    assert_eq!(told(&sim, &eve, "*3"), "done");
    sim.run_for(secs(900));
    assert_eq!(told(&sim, &ann, "*3101*1234"), "done");
    sim.assert_nothing_left();
}

#[test]
fn what_wrong_pins_have_locked_stays_locked_over_restarts_and_no_longer() {
    let sim = office(32);
    let (ann, eve) = (sim.phone("100"), sim.phone("102"));
    for _ in 0..5 {
        assert_eq!(told(&sim, &ann, "*3101*0000"), "refused");
    }
    for lives in 2..4 {
        sim.kill();
        sim.run_for(secs(5));
        assert_eq!(sim.lives(), lives);
        assert_eq!(told(&sim, &ann, "*3101*1234"), "refused", "the right one is not looked at");
        assert_eq!(told(&sim, &eve, "*3101*1234"), "done", "others are not locked");
        assert_eq!(told(&sim, &eve, "*3"), "done");
    }
    // Until a quarter of an hour after the last wrong one.
    sim.run_for(secs(900 - 30));
    assert_eq!(told(&sim, &ann, "*3101*1234"), "done");
    sim.assert_nothing_left();
}

#[test]
fn wrong_pins_before_a_restart_count_with_those_after_it_unless_the_right_one_came_between() {
    for is_right_between in [false, true] {
        let sim = office(33);
        let ann = sim.phone("100");
        for _ in 0..4 {
            assert_eq!(told(&sim, &ann, "*3101*0000"), "refused");
        }
        if is_right_between {
            assert_eq!(told(&sim, &ann, "*3101*1234"), "done");
            assert_eq!(told(&sim, &ann, "*3"), "done");
        }
        sim.kill();
        sim.run_for(secs(5));
        assert_eq!(told(&sim, &ann, "*3101*0000"), "refused");
        let expected = if is_right_between { "done" } else { "refused" };
        assert_eq!(told(&sim, &ann, "*3101*1234"), expected);
        sim.assert_nothing_left();
    }
}

#[test]
fn a_clock_that_is_set_back_locks_no_longer() {
    let sim = office(34);
    let ann = sim.phone("100");
    for _ in 0..5 {
        assert_eq!(told(&sim, &ann, "*3101*0000"), "refused");
    }
    for _ in 0..2 {
        sim.shift_wall_clock(-86_400);
        sim.kill();
        sim.run_for(secs(400));
        assert_eq!(told(&sim, &ann, "*3101*1234"), "refused");
    }
    sim.run_for(secs(600));
    sim.kill();
    sim.run_for(secs(5));
    assert_eq!(told(&sim, &ann, "*3101*1234"), "done");
    sim.assert_nothing_left();
}

#[test]
fn no_pin_is_written_down() {
    let sim = office(26);
    let ann = sim.phone("100");
    told(&sim, &ann, "*3101*1234");
    told(&sim, &ann, "*3102*98765");
    let written = format!("{:?} {:?} {}", sim.events(), sim.cdrs(), sim.whole_audit());
    assert!(written.contains("*3101") && written.contains("*3102"), "{written}");
    assert!(!written.contains("1234\"") && !written.contains("98765"), "{written}");
    sim.assert_nothing_left();
}

#[test]
fn it_outlasts_a_restart_and_a_new_registration() {
    let sim = office(27);
    let (ann, bob, eve) = (sim.phone("100"), sim.phone("101"), sim.phone("102"));
    let all = [&ann, &bob];
    for phone in all {
        phone.just_rings();
    }
    told(&sim, &ann, "*3101*1234");
    ann.registers();
    bob.unregisters();
    sim.run_for(secs(1));
    bob.registers();
    sim.run_for(secs(1));
    assert_eq!(rings(&sim, &eve, "101", &all), "100 for 102");
    sim.kill();
    sim.run_for(secs(5));
    assert_eq!(sim.lives(), 2);
    assert_eq!(rings(&sim, &eve, "101", &all), "100 for 102");
    assert_eq!(told(&sim, &bob, "*3"), "done");
    sim.kill();
    sim.run_for(secs(5));
    assert_eq!(rings(&sim, &eve, "101", &all), "101 for 102", "its end outlasts it too");
    sim.assert_nothing_left();
}

#[test]
fn a_second_device_is_among_those_that_serve() {
    let sim = office(28);
    let (ann, eve) = (sim.phone("100"), sim.phone("102"));
    let mobile = sim.device(Device::of("100"));
    let all = [&ann, &mobile];
    for phone in all {
        phone.just_rings();
    }
    told(&sim, &ann, "*3101*1234");
    assert_eq!(rings(&sim, &eve, "101", &all), "100 for 102, 100b for 102");
    // The own number rings the own other devices, whoever's they are.
    assert_eq!(rings(&sim, &ann, "101", &all), "100b for 101");
    sim.assert_nothing_left();
}

#[test]
fn a_call_in_progress_stays_where_it_is() {
    let sim = office(29);
    let (ann, bob, eve) = (sim.phone("100"), sim.phone("101"), sim.phone("102"));
    bob.answers_after(millis(300));
    eve.dials("101");
    sim.run_for(secs(1));
    told(&sim, &ann, "*3101*1234");
    sim.assert_talking(&eve, &bob);
    assert_eq!((sim.calls_of("101").len(), sim.calls_of("100").len()), (1, 0));
    eve.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn programs_see_who_serves_whom_and_end_it() {
    let sim = office(30);
    let (ann, bob, eve) = (sim.phone("100"), sim.phone("101"), sim.phone("102"));
    let pairs = || match sim.answer_to(0, Command::ListReplaced) {
        Reply::Replaced(pairs) => {
            pairs.iter().map(|pair| format!("{} {}", pair.by.name, pair.with.name)).collect()
        }
        other => vec![format!("{other:?}")],
    };
    assert_eq!(pairs(), Vec::<String>::new());
    told(&sim, &ann, "*3101*1234");
    assert_eq!(pairs(), ["0003*100 0003*101"]);
    let end = |name| {
        let program = AuditProgram {
            user: model::UserId(7),
            login: "robot".into(),
            application: "crm".into(),
        };
        let (extension, program) = (sim.extension(name), Arc::new(program));
        sim.answer_to(0, Command::EndReplace { extension, program })
    };
    assert!(matches!(end("102"), Reply::Refused(Refusal::NotReplaced)));
    assert!(matches!(end("101"), Reply::Done));
    assert!(matches!(end("100"), Reply::Refused(Refusal::NotReplaced)));
    assert_eq!(pairs(), Vec::<String>::new());
    bob.just_rings();
    assert_eq!(rings(&sim, &eve, "101", &[&ann, &bob]), "101 for 102");
    sim.assert_nothing_left();
}

#[test]
fn an_extension_that_is_gone_serves_nobody() {
    let sim = office(31);
    let (ann, eve) = (sim.phone("100"), sim.phone("102"));
    told(&sim, &ann, "*3101*1234");
    sim.configure(0, |company| company.extensions.retain(|e| e.name.as_str() != "101"));
    ann.just_rings();
    assert_eq!(rings(&sim, &eve, "100", &[&ann]), "100 for 102");
    sim.assert_nothing_left();
}
