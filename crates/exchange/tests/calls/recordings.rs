//! Talks that are recorded: whose, what is in them, when they are over, and that none is lost.

use std::sync::Arc;
use std::time::Duration;

use exchange::Input;
use expect_test::expect;
use leg::{
    CallAction, Command, Direction, EventKind, LegEvent, LegId, MediaEvent, MediaEventKind,
    MonitorMode, Record, RecorderId, Reply,
};
use model::{EndReason, ExtensionId, FileFormat, Number, PhoneShown, RecordFormat};

use crate::support::{A, B, Pbx, id, out, snapshot};

/// Whom 101 rings next.
pub(crate) const C: LegId = LegId(5);

/// Phones by what they want: `r` recorded, `f` forwarded calls too, `s` in stereo, `w` as WAV.
fn phones<'a>(wants: Wants<'a>) -> impl Fn(&str, &mut PhoneShown) + 'a {
    move |name, shown| {
        let of = wants.iter().find(|(of, _)| *of == name).map_or("", |(_, wants)| wants);
        shown.record_enabled = of.contains('r');
        shown.record_transfer = of.contains('f');
        shown.record_stereo = of.contains('s');
        if of.contains('w') {
            shown.record_format = RecordFormat::Wav;
        }
    }
}

/// What phones want, by name.
pub(crate) type Wants<'a> = &'a [(&'a str, &'a str)];

pub(crate) fn with(rules: &str, wants: Wants<'_>) -> Pbx {
    Pbx::with_phones(rules, phones(wants))
}

/// 100 talks with 101, whose talks are recorded as it wants.
pub(crate) fn talking(wants: Wants<'_>) -> Pbx {
    let mut pbx = with("", wants);
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    pbx
}

pub(crate) fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// What the recorders were declared to hear last.
pub(crate) fn recorded(pbx: &mut Pbx) -> String {
    let said = pbx.said();
    let last = said.lines().rev().find(|line| line.starts_with("audio of "));
    let Some(last) = last else { return "as before".to_owned() };
    let recorders = last.split("; ").filter(|part| part.starts_with("recorder "));
    recorders.collect::<Vec<_>>().join("; ")
}

/// The recording of the first conversation's only recorder.
pub(crate) fn recorder(pbx: &Pbx) -> RecorderId {
    let mut steps = pbx.exchange.calls().flat_map(|call| call.steps.values());
    steps.find_map(|step| step.recorder()).expect("something is recorded")
}

/// Media has completed the file, in the call that there is.
pub(crate) fn completes(pbx: &mut Pbx, length_ms: u32) {
    let recorder = recorder(pbx);
    pbx.recorded(A, recorder.0, length_ms);
}

pub(crate) fn newest_leg(pbx: &Pbx) -> LegId {
    pbx.exchange.calls().flat_map(|call| call.legs.keys()).max().unwrap()
}

pub(crate) fn recordings(pbx: &Pbx) -> Vec<leg::Recording> {
    let of = |record: &Record| match record {
        Record::Recording(recording) => Some((**recording).clone()),
        _ => None,
    };
    pbx.records.iter().filter_map(of).collect()
}

/// Whose recording programs are shown, with its name.
fn shown(pbx: &mut Pbx) -> Vec<(ExtensionId, String)> {
    let Reply::Calls(calls) = pbx.command(Command::ListCalls { extension: None }) else { panic!() };
    let of = |view: &std::sync::Arc<leg::CallView>| {
        Some((view.extension.as_ref()?.id, view.record_uuid.clone()?))
    };
    calls.iter().filter_map(of).collect()
}

#[test]
fn a_talk_is_recorded_from_the_answer_to_the_end_and_told_when_its_file_is_complete() {
    let mut pbx = talking(&[("101", "r")]);
    let [(whose, name)] = &shown(&mut pbx)[..] else { panic!() };
    let (whose, name) = (*whose, name.clone());
    assert_eq!(whose, id("101"));
    pbx.run_for(Duration::from_secs(7));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(!pbx.is_empty(), "the file is not complete yet");
    assert!(pbx.listed().is_empty());
    completes(&mut pbx, 7_000);
    assert!(pbx.is_empty());
    expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 2 legs: in0 hears out1, out1 hears in0; recorder 2 hears out1+in0
        event 3 100101 answer ANSWER
        event 4 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        event 5 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 7 s
        out1 end caller_hung_up
        event 6 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 7 s
        recording for 100101 of 7000 ms
    "#]]
    .assert_eq(&pbx.said());
    // Everything that names it says the same.
    let [recording] = &recordings(&pbx)[..] else { panic!() };
    assert_eq!(leg::record_uuid(recording.extension, recording.file), name);
    assert!(name.starts_with("100101-") && name.len() == 7 + 32, "{name}");
    assert_eq!(name, name.to_uppercase());
    let hangups = pbx.records.iter().filter_map(|record| match record {
        Record::Event(event) if event.kind == EventKind::Hangup => Some(event),
        _ => None,
    });
    let named: Vec<_> = hangups.map(|e| (e.extension, e.record.as_deref())).collect();
    assert_eq!(named, [(id("100"), None), (id("101"), Some(&*name))]);
    let cdr = pbx.records.iter().find_map(|record| match record {
        Record::Cdr(cdr) if cdr.extension == whose => Some(cdr),
        _ => None,
    });
    let cdr = cdr.unwrap();
    assert_eq!((&cdr.sub_call_id, cdr.call), (&recording.sub_call_id, recording.call));
}

#[test]
fn the_caller_s_wish_counts_before_the_called_one_s_and_stereo_has_the_caller_on_the_left() {
    let table: [(Wants<'_>, &str, &[&str]); 7] = [
        (&[], "", &[]),
        (&[("100", "r")], "in0+out1", &["100"]),
        (&[("100", "rs")], "in0 | out1", &["100"]),
        (&[("101", "rs")], "in0 | out1", &["101"]),
        (&[("100", "r"), ("101", "rs")], "in0+out1", &["100"]),
        // The one is not enough for the other.
        (&[("100", "f"), ("101", "s")], "", &[]),
        (&[("100", "s"), ("101", "r")], "out1+in0", &["101"]),
    ];
    for (wants, heard, whose) in table {
        let mut pbx = talking(wants);
        let said = recorded(&mut pbx);
        let said = said.split_once(" hears ").map_or("", |(_, heard)| heard);
        assert_eq!(said, heard, "{wants:?}");
        let shown: Vec<_> = shown(&mut pbx).into_iter().map(|(whose, _)| whose).collect();
        assert_eq!(shown, whose.iter().map(|name| id(name)).collect::<Vec<_>>(), "{wants:?}");
    }
}

#[test]
fn a_forwarded_call_is_recorded_only_for_who_wants_that_too() {
    for (wants, is_recorded) in [("r", false), ("f", false), ("rf", true)] {
        let mut pbx = with("101: transfer 102", &[("101", wants)]);
        pbx.dials("100", "101");
        let target = newest_leg(&pbx);
        pbx.answers(target);
        let heard = recorded(&mut pbx);
        assert_eq!(heard.contains("recorder"), is_recorded, "{wants}: {heard}");
        if is_recorded {
            assert_eq!(shown(&mut pbx)[0].0, id("101"));
            pbx.ends(A, EndReason::CallerHungUp, None);
            completes(&mut pbx, 2_000);
            assert!(pbx.said().contains("recording for 100101 of 2000 ms"));
        } else {
            pbx.ends(A, EndReason::CallerHungUp, None);
        }
        assert!(pbx.is_empty());
    }
}

#[test]
fn what_nobody_hears_is_not_recorded_and_whispers_never_are() {
    let mut table = String::new();
    let mut pbx = talking(&[("101", "rs")]);
    let call = pbx.call_api_id();
    let mut line = |pbx: &mut Pbx, what: &str| {
        let heard = recorded(pbx);
        table.push_str(&format!("{what}: {heard}\n"));
    };
    line(&mut pbx, "they talk");
    pbx.control("101", call, CallAction::Hold).unwrap();
    line(&mut pbx, "a program holds for it");
    pbx.control("101", call, CallAction::Offhold).unwrap();
    pbx.offers(B, Direction::SendOnly);
    line(&mut pbx, "it holds");
    pbx.offers(B, Direction::SendRecv);
    pbx.offers(A, Direction::SendOnly);
    line(&mut pbx, "its far party holds");
    pbx.offers(A, Direction::SendRecv);
    pbx.said();
    for mode in [MonitorMode::Eavesdrop, MonitorMode::Whisper, MonitorMode::Conference] {
        pbx.control("101", call, CallAction::Monitor(mode, number("102"))).unwrap();
        let monitor = newest_leg(&pbx);
        pbx.answers(monitor);
        line(&mut pbx, &format!("{mode:?}"));
        pbx.ends(monitor, EndReason::CalleeHungUp, None);
        pbx.said();
    }
    expect![[r#"
        they talk: recorder 2 hears in0 | out1
        a program holds for it: recorder 2 hears  | 
        it holds: recorder 2 hears  | 
        its far party holds: recorder 2 hears  | 
        Eavesdrop: recorder 2 hears in0 | out1
        Whisper: recorder 2 hears in0 | out1
        Conference: recorder 2 hears in0+out4 | out1+out4
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_recording_goes_with_its_extension_through_transfers_and_is_over_with_its_part() {
    // 100 sends 101 on to 102: 101 goes on to be recorded.
    let mut pbx = talking(&[("101", "rs")]);
    let call = pbx.call_api_id();
    pbx.said();
    pbx.control("100", call, CallAction::Transfer(Some(number("102")))).unwrap();
    pbx.rings(C);
    pbx.answers(C);
    assert_eq!(recorded(&mut pbx), "recorder 2 hears out2 | out1");
    // 101 sends 102 on to 103: its recording is over, and nobody else wants one.
    let call = pbx.listed()[0].1;
    pbx.control("101", call, CallAction::Transfer(Some(number("103")))).unwrap();
    pbx.rings(out(3));
    pbx.answers(out(3));
    assert_eq!(recorded(&mut pbx), "");
    completes(&mut pbx, 9_000);
    assert!(pbx.said().contains("recording for 100101 of 9000 ms"));
    assert!(shown(&mut pbx).is_empty());
}

#[test]
fn who_waits_for_a_consultation_is_recorded_on_in_the_same_file_when_that_is_over() {
    let mut pbx = talking(&[("100", "r")]);
    let call = pbx.call_api_id();
    let before = recorder(&pbx);
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    pbx.answers(C);
    pbx.said();
    pbx.ends(C, EndReason::CalleeHungUp, None);
    assert_eq!(recorder(&pbx), before);
    assert_eq!(recorded(&mut pbx), "recorder 2 hears in0+out1");
}

#[test]
fn who_consults_is_recorded_with_both_and_the_next_talk_is_the_next_one_s() {
    let mut pbx = talking(&[("101", "r"), ("102", "r")]);
    let call = pbx.call_api_id();
    pbx.said();
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    pbx.rings(C);
    assert_eq!(recorded(&mut pbx), "recorder 2 hears ");
    pbx.answers(C);
    assert_eq!(recorded(&mut pbx), "recorder 2 hears out1+out2");
    pbx.ends(B, EndReason::CalleeHungUp, None);
    let heard = recorded(&mut pbx);
    assert!(heard.ends_with(" hears out2+in0") && !heard.starts_with("recorder 2 "), "{heard}");
    let whose: Vec<_> = shown(&mut pbx).into_iter().map(|(whose, _)| whose).collect();
    assert_eq!(whose, [id("102")]);
    completes(&mut pbx, 9_000);
    assert!(pbx.said().contains("recording for 100101 of 9000 ms"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    completes(&mut pbx, 3_000);
    assert!(pbx.said().contains("recording for 100102 of 3000 ms"));
    assert!(pbx.is_empty());
}

#[test]
fn parking_ends_the_part_and_its_recording_and_who_takes_the_parked_has_its_own() {
    let mut pbx = talking(&[("101", "r"), ("102", "r")]);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Park(Some(1))).unwrap();
    assert_eq!(recorded(&mut pbx), "");
    completes(&mut pbx, 9_000);
    assert!(pbx.said().contains("recording for 100101 of 9000 ms"));
    pbx.control("101", call, CallAction::Transfer(Some(number("102")))).unwrap();
    pbx.rings(C);
    pbx.answers(C);
    assert_eq!(shown(&mut pbx).into_iter().map(|(of, _)| of).collect::<Vec<_>>(), [id("102")]);
    pbx.ends(A, EndReason::CallerHungUp, None);
    completes(&mut pbx, 3_000);
    assert!(pbx.said().contains("recording for 100102 of 3000 ms"));
    assert!(pbx.is_empty());
}

#[test]
fn what_is_shorter_than_a_second_or_has_failed_is_no_recording() {
    for (length_ms, is_one) in [(999, false), (1_000, true)] {
        let mut pbx = talking(&[("101", "r")]);
        pbx.ends(A, EndReason::CallerHungUp, None);
        completes(&mut pbx, length_ms);
        assert_eq!(recordings(&pbx).len() == 1, is_one, "{length_ms}");
        assert!(pbx.is_empty());
    }
    let mut pbx = talking(&[("101", "r")]);
    let call = pbx.exchange.calls().next().unwrap().id;
    let failed = MediaEventKind::RecordingFailed(recorder(&pbx));
    pbx.said();
    pbx.input(Input::Media(MediaEvent { call, leg: B, kind: failed }));
    // Whether there is a file of an earlier process; they talk on, and nothing begins again.
    let said = pbx.said();
    assert!(said.contains("find recording 2") && !said.contains("recorder"), "{said}");
    pbx.input(Input::Media(MediaEvent { call, leg: B, kind: failed }));
    pbx.offers(B, Direction::SendOnly);
    assert_eq!(recorded(&mut pbx), "");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty() && recordings(&pbx).is_empty());
}

/// The recordings that hangup events name.
fn named(pbx: &Pbx) -> Vec<String> {
    let of = |record: &Record| match record {
        Record::Event(event) if event.kind == EventKind::Hangup => {
            event.record.as_deref().map(str::to_owned)
        }
        _ => None,
    };
    pbx.records.iter().filter_map(of).collect()
}

/// The names of the recordings that were told.
fn told(pbx: &Pbx) -> Vec<String> {
    recordings(pbx).iter().map(|r| leg::record_uuid(r.extension, r.file)).collect()
}

#[test]
fn an_event_names_a_recording_exactly_when_it_is_kept() {
    // How long the talk was, and the sound of it that the disk has.
    for (talk_ms, length_ms, is_one) in [
        (999, 960, false),
        (999, 0, false),
        (1_000, 980, true),
        (1_000, 1, true),
        (1_000, 0, false),
    ] {
        let mut pbx = talking(&[("101", "r")]);
        pbx.run_for(Duration::from_millis(talk_ms));
        pbx.ends(A, EndReason::CallerHungUp, None);
        completes(&mut pbx, length_ms);
        assert_eq!(told(&pbx).len() == 1, is_one, "{talk_ms} {length_ms}");
        assert!(pbx.is_empty());
        // A file without any sound is a defect of the disk, and nobody knows of it before.
        if length_ms > 0 {
            assert_eq!(named(&pbx), told(&pbx), "{talk_ms} {length_ms}");
        }
    }
}

#[test]
fn a_part_that_was_short_but_rang_long_names_no_recording() {
    let mut pbx = with("", &[("100", "r")]);
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.run_for(Duration::from_secs(5));
    pbx.answers(B);
    pbx.run_for(Duration::from_millis(300));
    pbx.ends(B, EndReason::CalleeHungUp, None);
    completes(&mut pbx, 300);
    assert!(named(&pbx).is_empty() && told(&pbx).is_empty() && pbx.is_empty());
}

#[test]
fn the_time_of_a_recording_goes_on_where_its_call_is_carried_on() {
    let mut pbx = talking(&[("101", "r")]);
    pbx.run_for(Duration::from_secs(7));
    pbx.moves_to_a_clock_that_began(Duration::from_secs(5));
    pbx.run_for(Duration::from_millis(100));
    pbx.ends(A, EndReason::CallerHungUp, None);
    completes(&mut pbx, 990);
    assert_eq!((named(&pbx).len(), named(&pbx)), (1, told(&pbx)));
}

#[test]
fn a_recording_is_to_become_what_its_own_extension_wanted_when_it_began() {
    // MP3 is what phones want that say nothing.
    let format = |wav: bool| if wav { FileFormat::Wav } else { FileFormat::Mp3 };
    for (caller, called, expected) in [("rw", "r", true), ("r", "rw", false), ("", "rw", true)] {
        let mut pbx = talking(&[("100", caller), ("101", called)]);
        // What they want from now on counts for the next one.
        let mut later = snapshot();
        for extension in later.extensions.values_mut() {
            if let Some(phone) = &mut Arc::make_mut(extension).phone {
                let wants = if expected { RecordFormat::Opus } else { RecordFormat::Wav };
                (phone.shown.record_enabled, phone.shown.record_format) = (true, wants);
            }
        }
        pbx.input(Input::Snapshot(Arc::new(later)));
        pbx.run_for(Duration::from_secs(3));
        pbx.ends(A, EndReason::CallerHungUp, None);
        completes(&mut pbx, 3_000);
        let formats: Vec<_> = recordings(&pbx).iter().map(|r| r.format).collect();
        assert_eq!(formats, [format(expected)], "{caller} {called}");
    }
    // One after the other in one call, each its own.
    let mut pbx = talking(&[("101", "rw"), ("102", "r")]);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    pbx.rings(C);
    pbx.answers(C);
    pbx.ends(B, EndReason::CalleeHungUp, None);
    completes(&mut pbx, 9_000);
    pbx.ends(A, EndReason::CallerHungUp, None);
    completes(&mut pbx, 3_000);
    let formats: Vec<_> = recordings(&pbx).iter().map(|r| (r.extension, r.format)).collect();
    assert_eq!(formats, [(id("101"), FileFormat::Wav), (id("102"), FileFormat::Mp3)]);
}

#[test]
fn a_full_recording_is_told_while_the_talk_goes_on() {
    let mut pbx = talking(&[("101", "r")]);
    completes(&mut pbx, 14_400_000);
    assert_eq!(recordings(&pbx).len(), 1);
    pbx.offers(B, Direction::SendOnly);
    assert_eq!(recorded(&mut pbx), "", "no second one begins");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn nobody_waits_for_a_recording_for_ever() {
    let mut pbx = talking(&[("101", "r")]);
    pbx.ends(A, EndReason::CallerHungUp, None);
    pbx.run_for(Duration::from_millis(9_999));
    assert!(!pbx.is_empty());
    pbx.run_for(Duration::from_millis(1));
    assert!(pbx.is_empty());
}

#[test]
fn a_recording_goes_on_where_its_call_is_carried_on() {
    let mut pbx = talking(&[("101", "rs")]);
    let (before, heard) = (shown(&mut pbx), recorded(&mut pbx));
    pbx.moves_to_a_clock_that_began(Duration::from_secs(900));
    assert_eq!((shown(&mut pbx), recorded(&mut pbx)), (before, heard));
    pbx.ends(A, EndReason::CallerHungUp, None);
    completes(&mut pbx, 5_000);
    assert!(pbx.is_empty() && recordings(&pbx).len() == 1);
}

#[test]
fn a_killed_process_s_recording_is_looked_for_and_told() {
    for is_found in [true, false] {
        let mut pbx = talking(&[("101", "r")]);
        pbx.moves_to_a_clock_that_began(Duration::from_secs(900));
        let call = pbx.exchange.calls().next().unwrap().id;
        pbx.said();
        pbx.input(Input::EndCall { call, reason: EndReason::Restart });
        let said = pbx.said();
        assert!(said.contains("find recording 2"), "{said}");
        assert!(said.contains("cdr 100101 In restart"), "{said}");
        pbx.input(Input::EndAll(EndReason::Drained));
        let recorder = recorder(&pbx);
        let kind = match is_found {
            true => MediaEventKind::Recorded { recorder, length_ms: 5_000 },
            false => MediaEventKind::RecordingFailed(recorder),
        };
        pbx.input(Input::Media(MediaEvent { call, leg: B, kind }));
        assert_eq!(recordings(&pbx).len() == 1, is_found);
        assert!(pbx.is_empty());
    }
}

#[test]
fn who_has_joined_in_and_holds_is_not_recorded() {
    let mut pbx = talking(&[("101", "r")]);
    let call = pbx.call_api_id();
    let joins = CallAction::Monitor(MonitorMode::Conference, number("102"));
    pbx.control("101", call, joins).unwrap();
    let monitor = newest_leg(&pbx);
    pbx.answers(monitor);
    assert!(recorded(&mut pbx).contains(&format!("{monitor}")));
    pbx.offers(monitor, Direction::SendOnly);
    let heard = recorded(&mut pbx);
    assert!(!heard.contains(&format!("{monitor}")) && heard.contains("in0"), "{heard}");
}
