//! Listening to a call, whispering to it, joining it.

use std::time::Duration;

use exchange::Input;
use expect_test::expect;
use leg::{CallAction, Direction, LegId, MonitorMode, Refusal};
use model::{ControlGroups, DeviceId, EndReason, Number};

use crate::support::{A, B, Pbx, id, out, talking};

/// 102, who listens.
const M: LegId = LegId(5);

fn monitor(mode: MonitorMode, number: &str) -> CallAction {
    CallAction::Monitor(mode, Number::parse(number).unwrap())
}

/// 100 talks with 101, and 102 monitors 101.
fn monitored(mode: MonitorMode) -> Pbx {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, monitor(mode, "102")).unwrap();
    pbx.answers(M);
    pbx.said();
    pbx.audited();
    pbx
}

/// What was declared last of who hears whom.
fn audio(pbx: &mut Pbx) -> String {
    let said = pbx.said();
    let last = said.lines().rev().find_map(|l| l.strip_prefix("audio of "));
    last.map_or("as before", |l| l.split_once(": ").unwrap().1).to_owned()
}

fn groups(eavesdrop: &[(&str, &str)], whisper: &[(&str, &str)]) -> ControlGroups {
    let listed = |rights: &[(&str, &str)]| {
        rights.iter().map(|(who, group)| ((*who).into(), vec![(*group).into()])).collect()
    };
    ControlGroups {
        groups: Some(vec![("desk".into(), vec!["101".into()])]),
        eavesdrop: listed(eavesdrop),
        whisper: listed(whisper),
        ..ControlGroups::default()
    }
}

const MODES: [MonitorMode; 3] =
    [MonitorMode::Eavesdrop, MonitorMode::Whisper, MonitorMode::Conference];

#[test]
fn who_listens_has_a_call_of_its_own_and_is_over_with_the_extension() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, monitor(MonitorMode::Eavesdrop, "102")).unwrap();
    pbx.rings(M);
    pbx.answers(M);
    let listed = pbx.listed();
    let listed: Vec<_> = listed.iter().map(|(n, c, r)| (&n[5..], *c == call, *r)).collect();
    assert_eq!(listed, [("100", true, true), ("101", true, true), ("102", false, true)]);
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
    expect![[r#"
        audio of 3 legs: in0 hears out1, out1 hears in0
        event 1 100102 dial-in CALLING
        out2 dial as 101 "Monitor Phone 101" offering 20004 SendRecv PCMA,PCMU
        audio of 3 legs: in0 hears out1, out1 hears in0, out2 hears out1+in0
        event 2 100102 answer ANSWER
        audio of 0 legs: silence
        event 5 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 0 s
        out1 end caller_hung_up
        event 6 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 0 s
        out2 end monitor_over
        event 3 100102 hangup ANSWER
        cdr 100102 In monitor_over 0 s
    "#]]
    .assert_eq(&pbx.said());
    assert_eq!(pbx.audited(), "0003*102 may eavesdrop 0003*101 by api (robot): token\n");
}

/// Everything that may happen to a call that is monitored, in each mode.
#[test]
fn each_mode_is_heard_by_whom_it_shall_be_whatever_the_call_does() {
    let mut table = String::new();
    for mode in MODES {
        let mut line =
            |what: &str, heard: String| table.push_str(&format!("{mode:?} {what}: {heard}\n"));
        let mut pbx = talking();
        let call = pbx.call_api_id();
        pbx.control("101", call, monitor(mode, "102")).unwrap();
        pbx.said();
        pbx.answers(M);
        line("begins", audio(&mut pbx));
        pbx.control("101", call, CallAction::Hold).unwrap();
        line("held by the extension", audio(&mut pbx));
        pbx.control("101", call, CallAction::Offhold).unwrap();
        line("held no more", audio(&mut pbx));
        pbx.control("100", call, CallAction::Hold).unwrap();
        line("held by the far party", audio(&mut pbx));
        pbx.control("100", call, CallAction::Offhold).unwrap();
        pbx.offers(B, Direction::SendOnly);
        line("held by the extension's phone", audio(&mut pbx));
        pbx.offers(B, Direction::SendRecv);
        pbx.offers(M, Direction::SendOnly);
        line("held by the monitor's phone", audio(&mut pbx));
        pbx.offers(M, Direction::SendRecv);
        pbx.said();
        pbx.ends(M, EndReason::CalleeHungUp, None);
        line("monitor gone", audio(&mut pbx));
        for (who, gone) in [("extension gone", B), ("far party gone", A)] {
            let mut pbx = monitored(mode);
            pbx.ends(gone, EndReason::CallerHungUp, None);
            assert!(pbx.said().contains("out2 end monitor_over"), "{mode:?}, {who}");
            assert!(pbx.is_empty());
        }
    }
    expect![[r#"
        Eavesdrop begins: in0 hears out1, out1 hears in0, out2 hears out1+in0
        Eavesdrop held by the extension: in0 hears music, out2 hears out1
        Eavesdrop held no more: in0 hears out1, out1 hears in0, out2 hears out1+in0
        Eavesdrop held by the far party: out1 hears music, out2 hears out1+music
        Eavesdrop held by the extension's phone: in0 hears music, out2 hears out1
        Eavesdrop held by the monitor's phone: in0 hears out1, out1 hears in0
        Eavesdrop monitor gone: in0 hears out1, out1 hears in0
        Whisper begins: in0 hears out1, out1 hears in0+out2, out2 hears out1+in0
        Whisper held by the extension: in0 hears music, out1 hears out2, out2 hears out1
        Whisper held no more: in0 hears out1, out1 hears in0+out2, out2 hears out1+in0
        Whisper held by the far party: out1 hears music+out2, out2 hears out1+music
        Whisper held by the extension's phone: in0 hears music, out2 hears out1
        Whisper held by the monitor's phone: in0 hears out1, out1 hears in0+out2
        Whisper monitor gone: in0 hears out1, out1 hears in0
        Conference begins: in0 hears out1+out2, out1 hears in0+out2, out2 hears out1+in0
        Conference held by the extension: in0 hears music, out1 hears out2, out2 hears out1
        Conference held no more: in0 hears out1+out2, out1 hears in0+out2, out2 hears out1+in0
        Conference held by the far party: out1 hears music+out2, out2 hears out1+music
        Conference held by the extension's phone: in0 hears music, out2 hears out1
        Conference held by the monitor's phone: in0 hears out1+out2, out1 hears in0+out2
        Conference monitor gone: in0 hears out1, out1 hears in0
    "#]]
    .assert_eq(&table);
}

#[test]
fn several_listen_and_hear_who_has_joined_but_not_who_whispers() {
    let mut pbx = monitored(MonitorMode::Conference);
    let call = pbx.call_api_id();
    pbx.control("101", call, monitor(MonitorMode::Whisper, "103")).unwrap();
    pbx.answers(out(3));
    let heard = audio(&mut pbx).replace(", ", "\n");
    expect![[r#"
        in0 hears out1+out2
        out1 hears in0+out2+out3
        out2 hears out1+in0
        out3 hears out1+in0+out2"#]]
    .assert_eq(&heard);
}

#[test]
fn who_rings_to_listen_can_neither_be_picked_up_nor_sent_on() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, monitor(MonitorMode::Eavesdrop, "102")).unwrap();
    pbx.rings(M);
    let own = pbx.listed()[2].1;
    let number = || Number::parse("103").unwrap();
    let all = [
        CallAction::Pickup(number()),
        CallAction::Transfer(Some(number())),
        CallAction::Hold,
        monitor(MonitorMode::Eavesdrop, "103"),
    ];
    pbx.said();
    for action in all {
        assert_eq!(pbx.control("102", own, action), Err(Refusal::NotAnswered));
    }
    assert_eq!(pbx.said(), "");
    pbx.redirects(M, "103");
    let said = pbx.said();
    assert!(said.contains("cdr 100102 In refused"), "{said}");
    assert!(!said.contains("dial"), "no forward of the phone is followed: {said}");
    assert_eq!(pbx.listed().len(), 2);
}

#[test]
fn who_rings_to_listen_is_called_off_when_the_call_is_over() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, monitor(MonitorMode::Whisper, "102")).unwrap();
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.said().contains("out2 end cancelled"));
    assert!(pbx.is_empty());
}

#[test]
fn nothing_is_left_of_a_listener_that_cannot_be_rung() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    let (extension, device) = (id("102"), DeviceId(id("102").0 * 10 + 1));
    pbx.input(Input::DeviceDown { extension, device });
    pbx.control("101", call, monitor(MonitorMode::Whisper, "102")).unwrap();
    let said = pbx.said();
    assert!(said.contains("cdr 100102 In unreachable"), "{said}");
    assert_eq!(pbx.listed().len(), 2);
}

#[test]
fn a_monitor_cannot_be_monitored_itself() {
    let mut pbx = monitored(MonitorMode::Eavesdrop);
    let own = pbx.listed()[2].1;
    let refused = pbx.control("102", own, monitor(MonitorMode::Eavesdrop, "103"));
    assert_eq!(refused, Err(Refusal::TooManyParties));
}

#[test]
fn no_more_than_may_listen_to_one_call() {
    let mut pbx = Pbx::with_ports(60);
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    for _ in 0..20 {
        pbx.control("101", call, monitor(MonitorMode::Eavesdrop, "102")).unwrap();
    }
    let refused = pbx.control("100", call, monitor(MonitorMode::Eavesdrop, "102"));
    assert_eq!(refused, Err(Refusal::Full));
    pbx.allow(groups(&[("103", "desk")], &[]));
    pbx.said();
    let leg = pbx.dials("103", "*4101");
    let said = pbx.said();
    assert!(said.contains(&format!("{leg} end ")), "{said}");
}

#[test]
fn a_program_was_told_yes_though_the_last_port_rested_and_nobody_could_be_rung() {
    let mut pbx = Pbx::with_ports(3);
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    let listen = || monitor(MonitorMode::Eavesdrop, "102");
    pbx.control("101", call, listen()).unwrap();
    assert_eq!(pbx.control("101", call, listen()), Err(Refusal::Full));
    pbx.ends(out(2), EndReason::Busy, Some(486));
    assert_eq!(pbx.control("101", call, listen()), Err(Refusal::Full));
    assert_eq!(
        pbx.control("101", call, CallAction::Pickup(Number::parse("102").unwrap())),
        Err(Refusal::Full)
    );
    pbx.run_for(Duration::from_secs(2));
    pbx.control("101", call, listen()).unwrap();
    assert!(pbx.said().contains("out3 dial"));
}

#[test]
fn a_key_switches_the_mode_as_the_rights_of_the_moment_allow() {
    let mut pbx = monitored(MonitorMode::Eavesdrop);
    pbx.presses(M, '3');
    assert_eq!(pbx.said(), "", "not one frame leaks");
    pbx.allow(groups(&[("102", "desk")], &[]));
    pbx.presses(M, '1');
    assert_eq!(pbx.said(), "");
    pbx.allow(groups(&[("102", "desk")], &[("102", "desk")]));
    pbx.presses(M, '1');
    assert!(audio(&mut pbx).contains("out1 hears in0+out2"));
    pbx.presses(M, '3');
    assert!(audio(&mut pbx).contains("in0 hears out1+out2"));
    pbx.allow(groups(&[], &[]));
    assert_eq!(pbx.said(), "", "what goes on goes on");
    pbx.presses(M, '3');
    assert_eq!(pbx.said(), "");
    pbx.presses(M, '0');
    assert_eq!(pbx.said(), "", "back neither, without any right");
    pbx.presses(M, '7');
    pbx.presses(M, '*');
    let said = pbx.said();
    assert!(said.contains("out2 end callee_hung_up"), "{said}");
    assert!(!said.contains("digit"), "{said}");
    expect![[r#"
        0003*102 may not conference 0003*101 by phone: nothing
        0003*102 may not whisper 0003*101 by phone: nothing
        0003*102 may whisper 0003*101 by phone: whisper
        0003*102 may conference 0003*101 by phone: eavesdrop_and_whisper
        0003*102 may not eavesdrop 0003*101 by phone: nothing
    "#]]
    .assert_eq(&pbx.audited());
}

#[test]
fn in_the_mode_groups_a_program_does_what_the_extension_may_that_it_rings() {
    let mut pbx = Pbx::with("", |_, routing| {
        routing.settings.shown.call_control_api = model::CallControlApi::Groups;
    });
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.said();
    pbx.audited();
    let wanted = || monitor(MonitorMode::Eavesdrop, "102");
    assert_eq!(pbx.control("101", call, wanted()), Err(Refusal::Forbidden));
    assert_eq!(
        pbx.control("101", call, monitor(MonitorMode::Eavesdrop, "79991234567")),
        Err(Refusal::Forbidden)
    );
    assert_eq!(pbx.said(), "");
    pbx.allow(groups(&[("102", "desk")], &[]));
    pbx.control("101", call, wanted()).unwrap();
    assert!(pbx.said().contains("out2 dial as 101 \"Monitor Phone 101\""));
    expect![[r#"
        0003*102 may not eavesdrop 0003*101 by api (robot): nothing
        79991234567 may not eavesdrop 0003*101 by api (robot): nothing
        0003*102 may eavesdrop 0003*101 by api (robot): eavesdrop
    "#]]
    .assert_eq(&pbx.audited());
}

#[test]
fn an_outside_listener_takes_the_call_with_a_key_and_may_switch_nothing() {
    let mut pbx = Pbx::with_rules("");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, monitor(MonitorMode::Eavesdrop, "79991234567")).unwrap();
    pbx.said();
    pbx.audited();
    pbx.answers(M);
    assert!(!audio(&mut pbx).contains("out2 hears in0"), "it hears who calls first");
    pbx.presses(M, '1');
    assert!(audio(&mut pbx).contains("out2 hears out1+in0"));
    pbx.presses(M, '1');
    assert_eq!(pbx.said(), "");
    assert_eq!(pbx.audited(), "79991234567 may not whisper 0003*101 by phone: nothing\n");
}

#[test]
fn a_listener_outlives_a_restart() {
    let mut pbx = monitored(MonitorMode::Whisper);
    pbx.moves_to_a_clock_that_began(Duration::from_secs(10));
    assert!(audio(&mut pbx).contains("out1 hears in0+out2"));
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_rings_to_listen_or_to_take_outlives_a_restart() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, monitor(MonitorMode::Conference, "102")).unwrap();
    pbx.control("101", call, CallAction::Pickup(Number::parse("103").unwrap())).unwrap();
    pbx.moves_to_a_clock_that_began(Duration::from_secs(10));
    pbx.answers(M);
    assert!(audio(&mut pbx).contains("in0 hears out1+out2"));
    pbx.answers(out(3));
    let said = pbx.said();
    assert!(said.contains("in0 hears out3, out3 hears in0"), "{said}");
    assert!(said.contains("out2 end monitor_over"), "{said}");
}

#[test]
fn a_monitor_hears_whom_the_extension_hears_while_it_consults_and_is_over_when_that_leaves() {
    let mut table = String::new();
    for mode in MODES {
        let mut pbx = monitored(mode);
        let call = pbx.call_api_id();
        let number = || Number::parse("103").unwrap();
        pbx.control("101", call, CallAction::AttendedTransfer(number())).unwrap();
        pbx.said();
        pbx.answers(out(3));
        table.push_str(&format!("{mode:?}: {}\n", audio(&mut pbx)));
        pbx.control("101", call, CallAction::Transfer(None)).unwrap();
        let said = pbx.said();
        assert!(said.contains("out2 end monitor_over"), "{mode:?}: {said}");
        assert!(said.contains("in0 hears out3"), "{mode:?}: {said}");
        pbx.ends(A, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty());
    }
    expect![[r#"
        Eavesdrop: in0 hears music, out1 hears out3, out3 hears out1, out2 hears out1+out3
        Whisper: in0 hears music, out1 hears out3+out2, out3 hears out1, out2 hears out1+out3
        Conference: in0 hears music, out1 hears out3+out2, out3 hears out1+out2, out2 hears out1+out3
    "#]]
    .assert_eq(&table);
}

/// Dials a code to listen to 101.
fn eavesdrops(pbx: &mut Pbx) -> LegId {
    pbx.allow(ControlGroups { allow_all: Some(true), ..ControlGroups::default() });
    pbx.dials("103", "*4101")
}

/// Something that 101 does with its far party, 100.
type Act = (&'static str, fn(&mut Pbx));

#[test]
fn a_code_finds_who_consults_or_transfers_at_every_moment() {
    let acts: [Act; 6] = [
        ("consults, it rings", |pbx| does(pbx, CallAction::AttendedTransfer(to("102")))),
        ("consults, it talks", |pbx| {
            does(pbx, CallAction::AttendedTransfer(to("102")));
            pbx.answers(out(2));
        }),
        ("consults in a room", |pbx| does(pbx, CallAction::AttendedTransfer(to("*8102")))),
        ("sends on", |pbx| does(pbx, CallAction::Transfer(Some(to("102"))))),
        ("is waited for", |pbx| {
            let call = pbx.call_api_id();
            pbx.control("100", call, CallAction::AttendedTransfer(to("102"))).unwrap();
        }),
        ("is sent on", |pbx| {
            let call = pbx.call_api_id();
            pbx.control("100", call, CallAction::Transfer(Some(to("102")))).unwrap();
            pbx.rings(out(2));
        }),
    ];
    let mut table = String::new();
    for (what, act) in acts {
        let mut pbx = talking();
        act(&mut pbx);
        pbx.said();
        let leg = eavesdrops(&mut pbx);
        let heard = audio(&mut pbx);
        let own = heard.split(", ").find(|line| line.starts_with(&format!("{leg} hears")));
        table.push_str(&format!("{what}: {}\n", own.unwrap_or("nothing")));
        pbx.input(Input::EndAll(EndReason::Drained));
        assert!(pbx.is_empty(), "{what}");
    }
    expect![[r#"
        consults, it rings: in1 hears out1+ringback
        consults, it talks: in1 hears out1+out2
        consults in a room: in1 hears out1+clip 3; clip 3: silence300 En:AloneInRoom
        sends on: in1 hears out1
        is waited for: in1 hears out1+music
        is sent on: in1 hears out1+ringback
    "#]]
    .assert_eq(&table);
}

fn to(number: &str) -> Number {
    Number::parse(number).unwrap()
}

fn does(pbx: &mut Pbx, action: CallAction) {
    let call = pbx.call_api_id();
    pbx.control("101", call, action).unwrap();
}

#[test]
fn a_code_finds_nobody_who_only_rings_or_listens_to_a_machine() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.rings(B);
    let leg = eavesdrops(&mut pbx);
    assert!(pbx.said().contains(&format!("{leg} end forbidden")));
    pbx.ends(A, EndReason::Cancelled, None);
    pbx.dials("101", "199");
    let leg = eavesdrops(&mut pbx);
    assert!(pbx.said().contains(&format!("{leg} end forbidden")));
}

#[test]
fn monitors_stay_with_the_extension_when_another_of_its_phones_goes_on() {
    for mode in MODES {
        let mut pbx = monitored(mode);
        let call = pbx.call_api_id();
        // A second one still rings.
        pbx.control("101", call, monitor(mode, "103")).unwrap();
        pbx.rings(out(3));
        let new = crate::replaces::replaces(&mut pbx, "101", B);
        let heard = audio(&mut pbx);
        assert!(heard.contains(&format!("{M} hears {new}+in0")), "{mode:?}: {heard}");
        pbx.answers(out(3));
        let heard = audio(&mut pbx);
        assert!(heard.contains(&format!("out3 hears {new}+in0")), "{mode:?}: {heard}");
        pbx.ends(new, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "{mode:?}");
    }
}

#[test]
fn monitors_do_not_go_on_with_another_extension() {
    let mut pbx = monitored(MonitorMode::Eavesdrop);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Pickup(to("103"))).unwrap();
    pbx.answers(out(3));
    let said = pbx.said();
    assert!(said.contains(&format!("{M} end monitor_over")), "{said}");
    assert!(said.contains("in0 hears out3"), "{said}");
}

#[test]
fn who_listens_to_one_leg_is_told_of_its_end_in_the_order_in_which_they_came() {
    let mut pbx = monitored(MonitorMode::Eavesdrop);
    let call = pbx.call_api_id();
    pbx.control("101", call, monitor(MonitorMode::Eavesdrop, "103")).unwrap();
    pbx.answers(out(3));
    pbx.said();
    pbx.ends(A, EndReason::CallerHungUp, None);
    let said = pbx.said();
    let of = |leg: LegId| said.find(&format!("{leg} end monitor_over")).unwrap();
    assert!(of(M) < of(out(3)), "{said}");
}
