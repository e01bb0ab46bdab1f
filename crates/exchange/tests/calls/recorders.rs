//! What media is asked to record, and what is told of a recording afterwards.

use std::time::Duration;

use exchange::Input;
use leg::{CallAction, MediaEvent, MediaEventKind, MonitorMode, RecorderId};
use model::EndReason;

use crate::recordings::{
    C, completes, newest_leg, number, recorded, recorder, recordings, talking, with,
};
use crate::support::{A, B, id};

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
