//! What media is asked to record, and what is told of a recording afterwards.

use std::sync::Arc;
use std::time::Duration;

use exchange::Input;
use leg::{
    CallAction, Direction, LegEvent, MediaEvent, MediaEventKind, MonitorMode, Record, RecorderId,
    ReferId, ReferTo,
};
use model::EndReason;

use crate::recordings::{
    C, completes, newest_leg, number, recorded, recorder, recordings, talking, with,
};
use crate::replaces::replaces;
use crate::support::{A, B, id, snapshot};

#[test]
fn a_talk_is_recorded_through_its_pauses_for_four_hours() {
    let pbx = talking(&[("101", "r")]);
    let audio = pbx.audio.as_ref().expect("they talk");
    let [recorder] = audio.recorders.as_slice() else { panic!("{audio:?}") };
    assert_eq!((recorder.silence_ms, recorder.max_ms), (None, 4 * 3_600_000));
    assert_eq!(audio.hears.len(), 2);
}

#[test]
fn a_recording_is_of_the_moment_when_it_began() {
    let mut pbx = talking(&[("101", "r")]);
    let answered = pbx.now.wall;
    pbx.run_for(Duration::from_secs(7));
    pbx.ends(A, EndReason::CallerHungUp, None);
    pbx.run_for(Duration::from_secs(1));
    completes(&mut pbx, 7_000);
    let times: Vec<_> = recordings(&pbx).iter().map(|r| (r.extension, r.time)).collect();
    assert_eq!(times, [(id("101"), answered)]);
}

#[test]
fn both_sides_of_a_forwarded_call_are_heard() {
    for (wants, heard) in [("rf", "out1+in0"), ("rfs", "in0 | out1")] {
        let mut pbx = with("101: transfer 102", &[("101", wants)]);
        pbx.dials("100", "101");
        let target = newest_leg(&pbx);
        pbx.answers(target);
        let said = recorded(&mut pbx);
        assert!(said.ends_with(&format!(" hears {heard}")), "{wants}: {said}");
    }
}

#[test]
fn who_joins_is_once_in_a_recording_of_one_channel() {
    let mut pbx = talking(&[("101", "r")]);
    let call = pbx.call_api_id();
    let join = CallAction::Monitor(MonitorMode::Conference, number("102"));
    pbx.control("101", call, join).unwrap();
    let joins = newest_leg(&pbx);
    pbx.answers(joins);
    let said = recorded(&mut pbx);
    let (_, heard) = said.split_once(" hears ").expect("a recorder");
    let mut heard: Vec<_> = heard.split('+').collect();
    heard.sort_unstable();
    let mut expected = ["in0", "out1"].map(str::to_owned).to_vec();
    expected.push(joins.to_string());
    assert_eq!(heard, expected);
}

#[test]
fn who_is_parked_and_taken_up_again_goes_on_in_the_same_recording() {
    let mut pbx = talking(&[("100", "r")]);
    let call = pbx.call_api_id();
    let before = recorder(&pbx);
    pbx.control("101", call, CallAction::Park(Some(1))).unwrap();
    pbx.run_for(Duration::from_secs(5));
    assert!(recordings(&pbx).is_empty());
    pbx.control("101", call, CallAction::Transfer(Some(number("102")))).unwrap();
    pbx.rings(C);
    pbx.answers(C);
    assert_eq!(recorded(&mut pbx), format!("recorder {} hears in0+{C}", before.0));
    pbx.ends(A, EndReason::CallerHungUp, None);
    completes(&mut pbx, 9_000);
    let lengths: Vec<_> = recordings(&pbx).iter().map(|r| (r.extension, r.length_ms)).collect();
    assert_eq!(lengths, [(id("100"), 9_000)]);
}

#[test]
fn what_is_told_of_another_recorder_changes_nothing() {
    let mut pbx = talking(&[("101", "r")]);
    let call = pbx.exchange.calls().next().unwrap().id;
    let other = RecorderId(recorder(&pbx).0 + 7);
    for kind in [
        MediaEventKind::Recorded { recorder: other, length_ms: 5_000 },
        MediaEventKind::RecordingFailed(other),
    ] {
        pbx.input(Input::Media(MediaEvent { call, leg: B, kind }));
    }
    assert!(recordings(&pbx).is_empty());
    pbx.ends(A, EndReason::CallerHungUp, None);
    completes(&mut pbx, 5_000);
    assert_eq!(recordings(&pbx).len(), 1);
}

#[test]
fn what_breaks_off_in_the_middle_is_named_at_the_end_only_if_it_was_long_enough() {
    for (before_ms, is_one) in [(999, false), (1_000, true)] {
        let mut pbx = talking(&[("101", "r")]);
        pbx.run_for(Duration::from_millis(before_ms));
        let call = pbx.exchange.calls().next().unwrap().id;
        let failed = MediaEventKind::RecordingFailed(recorder(&pbx));
        pbx.input(Input::Media(MediaEvent { call, leg: B, kind: failed }));
        // They talk on while its file is looked for.
        pbx.run_for(Duration::from_secs(5));
        pbx.ends(A, EndReason::CallerHungUp, None);
        completes(&mut pbx, 960);
        let named = pbx.records.iter().filter_map(|record| match record {
            Record::Event(event) => event.record.as_deref().map(str::to_owned),
            _ => None,
        });
        let named: Vec<_> = named.collect();
        let told = recordings(&pbx);
        let told: Vec<_> = told.iter().map(|r| leg::record_uuid(r.extension, r.file)).collect();
        assert_eq!((named.len() == 1, named), (is_one, told), "{before_ms}");
    }
}

#[test]
fn who_has_joined_a_talk_is_recorded_and_who_listens_to_its_waiting_party_is_not() {
    for (whom, is_heard) in [("101", true), ("100", false)] {
        let mut pbx = talking(&[("101", "r")]);
        let call = pbx.call_api_id();
        let joins = CallAction::Monitor(MonitorMode::Conference, number("103"));
        pbx.control(whom, call, joins).unwrap();
        let joined = newest_leg(&pbx);
        pbx.answers(joined);
        let heard = recorded(&mut pbx);
        assert!(heard.contains(&joined.to_string()), "either way it is near: {whom}: {heard}");
        pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
        let asked = newest_leg(&pbx);
        pbx.answers(asked);
        let heard = recorded(&mut pbx);
        assert!(heard.contains(&asked.to_string()), "{whom}: {heard}");
        assert_eq!(heard.contains(&joined.to_string()), is_heard, "{whom}: {heard}");
    }
}

#[test]
fn who_has_sent_its_far_party_on_by_refer_is_recorded_until_it_hangs_up() {
    let mut pbx = talking(&[("101", "r")]);
    pbx.run_for(Duration::from_secs(7));
    let to = ReferTo::Number(number("102"));
    pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    pbx.rings(C);
    pbx.answers(C);
    // Nothing of the new talk, which is another's, is in it.
    assert_eq!(recorded(&mut pbx), "recorder 2 hears ");
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert_eq!(recorded(&mut pbx), "");
    completes(&mut pbx, 7_000);
    assert_eq!(recordings(&pbx).len(), 1);
}

#[test]
fn a_recording_goes_on_with_another_phone_of_its_extension() {
    let mut pbx = talking(&[("101", "r")]);
    let new = replaces(&mut pbx, "101", B);
    pbx.event(new, LegEvent::Acknowledged);
    let heard = recorded(&mut pbx);
    assert!(heard.starts_with("recorder 2 hears ") && heard.contains(&new.to_string()), "{heard}");
    assert!(recordings(&pbx).is_empty());
    pbx.ends(A, EndReason::CallerHungUp, None);
    completes(&mut pbx, 9_000);
    assert!(pbx.is_empty() && recordings(&pbx).len() == 1);
}

#[test]
fn a_forwarded_call_is_recorded_on_whatever_its_sides_do() {
    let mut pbx = with("101: transfer 102", &[("101", "rf")]);
    pbx.dials("100", "101");
    let target = newest_leg(&pbx);
    pbx.answers(target);
    pbx.offers(A, Direction::SendOnly);
    pbx.offers(A, Direction::SendRecv);
    let heard = recorded(&mut pbx);
    assert!(heard.ends_with(" hears out1+in0"), "{heard}");
    assert!(recordings(&pbx).is_empty());
}

#[test]
fn who_takes_a_parked_call_back_when_it_rings_is_recorded_anew() {
    let mut pbx = talking(&[("101", "r")]);
    let call = pbx.call_api_id();
    pbx.run_for(Duration::from_secs(7));
    pbx.control("101", call, CallAction::Park(Some(1))).unwrap();
    completes(&mut pbx, 7_000);
    pbx.run_for(Duration::from_secs(180));
    let back = newest_leg(&pbx);
    pbx.rings(back);
    pbx.answers(back);
    let heard = recorded(&mut pbx);
    assert!(heard.contains(&back.to_string()) && heard.contains("in0"), "{heard}");
    pbx.run_for(Duration::from_secs(5));
    pbx.ends(A, EndReason::CallerHungUp, None);
    completes(&mut pbx, 5_000);
    let lengths: Vec<_> = recordings(&pbx).iter().map(|r| r.length_ms).collect();
    assert_eq!(lengths, [7_000, 5_000]);
}

#[test]
fn who_is_sent_on_into_a_voicemail_is_recorded_no_more() {
    let mut pbx = with("102: voicemail", &[("100", "r")]);
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.run_for(Duration::from_secs(7));
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Transfer(Some(number("102")))).unwrap();
    assert_eq!(recorded(&mut pbx), "");
    completes(&mut pbx, 7_000);
    assert_eq!(recordings(&pbx).len(), 1);
    assert!(!pbx.is_empty(), "it speaks to the voicemail");
}

#[test]
fn who_has_parked_has_no_part_in_the_talk_of_who_takes_the_call() {
    let mut pbx = talking(&[]);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Park(Some(1))).unwrap();
    pbx.ends(B, EndReason::Parked, None);
    assert!(!pbx.listed().is_empty(), "the one that has parked is listed");
    // From now on it wants all its talks recorded, forwarded ones too.
    let mut later = snapshot();
    let parker = later.extensions.get_mut(&id("101")).expect("it is there");
    let phone = Arc::make_mut(parker).phone.as_mut().expect("a phone");
    (phone.shown.record_enabled, phone.shown.record_transfer) = (true, true);
    pbx.input(Input::Snapshot(Arc::new(later)));
    pbx.control("101", call, CallAction::Transfer(Some(number("102")))).unwrap();
    pbx.rings(C);
    pbx.answers(C);
    let said = pbx.said();
    assert!(said.contains(&format!("in0 hears {C}")) && !said.contains("recorder"), "{said}");
}
