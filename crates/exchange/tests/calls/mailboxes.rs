//! `*9`: an extension listens to its messages.

use std::time::Duration;

use exchange::Input;
use expect_test::expect;
use leg::{
    ClipId, Command, Direction, KnownMessage, LampEvent, LegEvent, LegId, MediaEventKind, Package,
    Record, SubscriptionId, Watched, WrongPinCount,
};
use model::{CallUuid, EndReason, FileId, Number, PhoneShown, Wall};

use crate::support::{A, Pbx, id};

fn message(file: u128, heard: bool) -> KnownMessage {
    let time = Wall(file as i64);
    KnownMessage { file: FileId(file), length_ms: 8_000, caller_number: "200".into(), time, heard }
}

/// 100 has two new messages and an old one, and is set to something.
fn with(set: impl Fn(&mut PhoneShown)) -> Pbx {
    let mut pbx = Pbx::with_phones("", |name, phone| {
        if name == "100" {
            set(phone);
        }
    });
    let messages = vec![message(1, false), message(2, false), message(3, true)];
    let extension = id("100");
    pbx.command(Command::NoteMessages { extension, new: 2, old: 1, messages });
    pbx
}

fn full() -> Pbx {
    with(|_| {})
}

/// The last clip that was declared.
fn clip(pbx: &Pbx) -> u32 {
    let text = &pbx.log;
    let at = text.rfind("; clip ").expect("a clip is declared") + 7;
    text[at..].split(':').next().unwrap().parse().unwrap()
}

/// What sounds is over; what comes then.
fn is_over(pbx: &mut Pbx) -> String {
    let clip = clip(pbx);
    pbx.said();
    pbx.clip_is_over(A, clip);
    pbx.log.clone()
}

/// 100 listens to the first message.
fn listens(pbx: &mut Pbx) {
    pbx.dials("100", "*9");
    is_over(pbx);
    assert!(is_over(pbx).contains(": file1"), "{}", pbx.log);
}

fn counts(pbx: &Pbx) -> (u32, u32) {
    pbx.exchange.tables().mailboxes.counts(id("100"))
}

#[test]
fn messages_are_counted_named_and_played_one_after_the_other() {
    let mut pbx = full();
    pbx.dials("100", "*9");
    for _ in 0..3 {
        let clip = clip(&pbx);
        pbx.clip_is_over(A, clip);
    }
    pbx.run_for(Duration::from_secs(4));
    for _ in 0..2 {
        let clip = clip(&pbx);
        pbx.clip_is_over(A, clip);
    }
    pbx.presses(A, '2');
    for _ in 0..3 {
        let clip = clip(&pbx);
        pbx.clip_is_over(A, clip);
    }
    pbx.run_for(Duration::from_secs(11));
    expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: in0 hears clip 1; clip 1: silence300 Test200 2 Test200 En:MessageMenu
        event 2 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMU
        audio of 1 legs: in0 hears clip 2; clip 2: silence300 En:Message 1
        audio of 1 legs: in0 hears clip 3; clip 3: file1
        audio of 1 legs: silence
        message file1 heard
        audio of 1 legs: in0 hears clip 4; clip 4: silence300 En:Message 2
        audio of 1 legs: in0 hears clip 5; clip 5: file2
        audio of 1 legs: silence
        message file2 heard
        audio of 1 legs: in0 hears clip 6; clip 6: silence300 En:Message 3
        audio of 1 legs: in0 hears clip 7; clip 7: file3
        audio of 1 legs: in0 hears clip 8; clip 8: Test400
        audio of 1 legs: silence
        audio of 0 legs: silence
        in0 end service_done
        event 3 100100 hangup ANSWER
        cdr 100100 Out service_done 14 s
    "#]]
    .assert_eq(&pbx.said());
    assert_eq!(counts(&pbx), (0, 3));
    assert!(pbx.is_empty());
}

/// What keys do while the first message has sounded for some seconds: what comes, and how many
/// new and old messages there are then.
#[test]
fn keys_listen_again_go_on_go_back_delete_and_end() {
    let table = [
        ('1', 4, "message file1 heard; file1", (1, 2)),
        ('1', 2, "file1", (2, 1)),
        ('2', 4, "message file1 heard; Message 2", (1, 2)),
        ('2', 2, "Message 2", (2, 1)),
        ('3', 4, "message file1 removed; Deleted", (1, 1)),
        ('3', 0, "message file1 removed; Deleted", (1, 1)),
        ('*', 4, "message file1 heard; Message 1", (1, 2)),
        ('#', 4, "message file1 heard; end service_done", (1, 2)),
        ('#', 2, "end service_done", (2, 1)),
        ('5', 4, "", (2, 1)),
    ];
    for (key, seconds, comes, left) in table {
        let mut pbx = full();
        listens(&mut pbx);
        pbx.run_for(Duration::from_secs(seconds));
        pbx.said();
        pbx.presses(A, key);
        let said = pbx.said();
        for part in comes.split("; ") {
            assert!(said.contains(part), "{key} after {seconds} s: no {part} in {said}");
        }
        assert_eq!(said.contains("heard"), comes.contains("heard"), "{key} after {seconds} s");
        assert_eq!(said.is_empty(), comes.is_empty(), "{key}: {said}");
        assert_eq!(counts(&pbx), left, "{key} after {seconds} s");
    }
}

#[test]
fn who_deletes_all_is_told_that_nothing_is_left() {
    let mut pbx = full();
    listens(&mut pbx);
    for next in ["Message 1", "Message 1"] {
        pbx.presses(A, '3');
        assert!(pbx.log.contains("En:Deleted"));
        assert!(is_over(&mut pbx).contains(next), "{}", pbx.log);
    }
    pbx.presses(A, '3');
    assert!(is_over(&mut pbx).contains("NoMessages"));
    assert!(is_over(&mut pbx).contains("end service_done"));
    assert_eq!(counts(&pbx), (0, 0));
    assert!(pbx.is_empty());
}

#[test]
fn behind_the_last_message_one_goes_back_but_not_on() {
    let mut pbx = full();
    listens(&mut pbx);
    pbx.presses(A, '2');
    pbx.presses(A, '2');
    pbx.presses(A, '2');
    assert!(pbx.said().ends_with("clip 6: Test400\n"));
    pbx.presses(A, '2');
    assert_eq!(pbx.said(), "", "there is no further one");
    pbx.presses(A, '*');
    assert!(pbx.log.contains("Message 2"), "{}", pbx.log);
    pbx.presses(A, '2');
    pbx.presses(A, '3');
    assert!(pbx.said().contains("file3 removed"));
    pbx.presses(A, '2');
    pbx.presses(A, '3');
    assert!(!pbx.said().contains("removed"), "no key deletes what was not played");
    pbx.presses(A, '*');
    assert!(pbx.said().contains("Message 2"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_hangs_up_has_heard_what_sounded_long_enough_but_a_lost_line_has_not() {
    let table = [
        (EndReason::CallerHungUp, 4, (1, 2)),
        (EndReason::CallerHungUp, 2, (2, 1)),
        (EndReason::TransportLost, 4, (2, 1)),
    ];
    for (reason, seconds, left) in table {
        let mut pbx = full();
        listens(&mut pbx);
        pbx.run_for(Duration::from_secs(seconds));
        pbx.ends(A, reason, None);
        assert_eq!(counts(&pbx), left, "{reason:?} after {seconds} s");
        assert!(pbx.is_empty());
    }
}

#[test]
fn a_damaged_message_is_passed_over_and_stays_new() {
    let mut pbx = full();
    listens(&mut pbx);
    let broken = ClipId(clip(&pbx));
    pbx.media(A, MediaEventKind::ClipBroken(broken));
    is_over(&mut pbx);
    pbx.run_for(Duration::from_secs(4));
    assert!(pbx.log.contains("Message 2"), "{}", pbx.log);
    assert_eq!(counts(&pbx), (2, 1));
    pbx.input(Input::EndAll(EndReason::Drained));
    assert!(pbx.is_empty());
}

#[test]
fn who_holds_hears_the_message_from_its_beginning_when_it_is_back() {
    let mut pbx = full();
    listens(&mut pbx);
    pbx.run_for(Duration::from_secs(2));
    pbx.offers(A, Direction::SendOnly);
    pbx.run_for(Duration::from_secs(2));
    pbx.said();
    pbx.offers(A, Direction::SendRecv);
    assert!(pbx.log.contains("clip 4: file1"), "{}", pbx.log);
    assert_eq!(counts(&pbx), (2, 1));
    pbx.offers(A, Direction::SendOnly);
    pbx.clip_is_over(A, 4);
    assert_eq!(counts(&pbx), (2, 1), "nobody has heard it");
    pbx.run_for(Duration::from_secs(400));
    assert!(pbx.is_empty(), "nobody holds a mailbox for ever");
    assert_eq!(counts(&pbx), (2, 1));
}

#[test]
fn who_goes_on_from_what_it_did_not_hear_has_not_heard_it() {
    let mut pbx = full();
    listens(&mut pbx);
    pbx.run_for(Duration::from_secs(4));
    pbx.offers(A, Direction::SendOnly);
    pbx.presses(A, '2');
    assert!(pbx.said().contains("Message 2"));
    assert_eq!(counts(&pbx), (2, 1));
}

#[test]
fn an_empty_mailbox_says_so_and_ends() {
    let mut pbx = Pbx::new();
    pbx.dials("101", "*9");
    pbx.clip_is_over(A, 1);
    expect![[r#"
        event 1 100101 dial-out CALLING
        audio of 1 legs: in0 hears clip 1; clip 1: silence300 En:NoMessages
        event 2 100101 answer ANSWER
        in0 answer 20000 SendRecv PCMU
        audio of 0 legs: silence
        in0 end service_done
        event 3 100101 hangup ANSWER
        cdr 100101 Out service_done 0 s
    "#]]
    .assert_eq(&pbx.said());
    assert!(pbx.is_empty());
}

#[test]
fn without_voicemail_the_code_is_refused() {
    let mut pbx = with(|phone| phone.vm_enabled = false);
    pbx.dials("100", "*9");
    assert!(pbx.said().contains("in0 end forbidden"));
    assert!(pbx.is_empty());
}

fn locked() -> Pbx {
    with(|phone| phone.vm_pin = Some("4711".into()))
}

fn presses_all(pbx: &mut Pbx, leg: LegId, keys: &str) {
    for key in keys.chars() {
        pbx.presses(leg, key);
    }
}

#[test]
fn the_pin_opens_the_mailbox() {
    let mut pbx = locked();
    pbx.dials("100", "*9");
    assert!(pbx.log.contains("En:EnterCode") && !pbx.log.contains("Message"), "{}", pbx.log);
    presses_all(&mut pbx, A, "4711");
    assert!(!pbx.log.contains("MessageMenu"), "it ends with the hash key");
    pbx.presses(A, '#');
    assert!(pbx.log.contains("MessageMenu"), "{}", pbx.log);
}

#[test]
fn three_wrong_pins_end_the_call_and_five_lock_the_mailbox() {
    let mut pbx = locked();
    pbx.dials("100", "*9");
    presses_all(&mut pbx, A, "1234#");
    assert!(pbx.said().contains("En:WrongCode En:EnterCode"));
    presses_all(&mut pbx, A, "47110#");
    assert!(pbx.said().contains("En:WrongCode En:EnterCode"));
    presses_all(&mut pbx, A, "471");
    // The hash key was forgotten.
    pbx.run_for(Duration::from_secs(11));
    assert!(pbx.log.contains("hears congestion"), "{}", pbx.log);
    pbx.run_for(Duration::from_secs(3));
    assert!(pbx.said().contains("in0 end forbidden"));
    assert!(pbx.is_empty());
    let again = pbx.dials("100", "*9");
    presses_all(&mut pbx, again, "1#1#");
    presses_all(&mut pbx, again, "4711#");
    assert!(!pbx.log.contains("MessageMenu"), "five wrong ones lock it");
    pbx.run_for(Duration::from_secs(3));
    pbx.said();
    pbx.dials("100", "*9");
    assert!(pbx.log.contains("hears congestion"));
    pbx.run_for(Duration::from_secs(15 * 60));
    pbx.said();
    let later = pbx.dials("100", "*9");
    presses_all(&mut pbx, later, "4711#");
    assert!(pbx.log.contains("MessageMenu"));
    let written = format!("{:?}{:?}", pbx.records, pbx.exchange);
    assert!(!written.contains("keys: Keys(\""), "no key is shown");
}

/// The wrong PINs that were written down.
fn wrong_pins(pbx: &Pbx) -> Vec<WrongPinCount> {
    let count = |record: &Record| match record {
        Record::WrongPins(count) => Some(*count),
        _ => None,
    };
    pbx.records.iter().filter_map(count).collect()
}

#[test]
fn a_mailbox_that_was_locked_stays_so_in_the_next_process() {
    let mut pbx = locked();
    for keys in ["1#1#1#", "1#1#"] {
        let leg = pbx.dials("100", "*9");
        presses_all(&mut pbx, leg, keys);
        pbx.run_for(Duration::from_secs(4));
    }
    let written = wrong_pins(&pbx);
    assert_eq!(written.len(), 10, "of the pair and of all together");
    assert_eq!(written.iter().map(|count| count.wrong).max(), Some(5));

    let mut next = locked();
    next.now.wall = pbx.now.wall;
    next.input(Input::WrongPins(written));
    assert_eq!(wrong_pins(&next), [], "what is there already is not written again");
    next.dials("100", "*9");
    assert!(next.log.contains("hears congestion"), "{}", next.log);
    next.run_for(Duration::from_secs(15 * 60));
    next.said();
    let leg = next.dials("100", "*9");
    presses_all(&mut next, leg, "4711#");
    assert!(next.log.contains("MessageMenu"), "{}", next.log);
}

#[test]
fn a_right_pin_is_written_down_only_if_it_forgives_something() {
    let mut pbx = locked();
    for (keys, expected) in [("4711##", vec![]), ("1#4711##", vec![1, 1, 0]), ("4711##", vec![])] {
        pbx.records.clear();
        let leg = pbx.dials("100", "*9");
        presses_all(&mut pbx, leg, keys);
        pbx.run_for(Duration::from_secs(4));
        let wrong: Vec<u8> = wrong_pins(&pbx).iter().map(|count| count.wrong).collect();
        assert_eq!(wrong, expected, "{keys}");
    }
}

#[test]
fn silence_is_no_guess_but_ends_the_call() {
    let mut pbx = locked();
    for _ in 0..2 {
        let leg = pbx.dials("100", "*9");
        pbx.run_for(Duration::from_secs(300));
        assert!(pbx.said().contains(&format!("{leg} end forbidden")));
    }
    let leg = pbx.dials("100", "*9");
    presses_all(&mut pbx, leg, "4711#");
    assert!(pbx.log.contains("MessageMenu"));
}

#[test]
fn a_mailbox_goes_on_in_another_process_and_what_was_pressed_of_a_pin_is_not_written_down() {
    let mut pbx = locked();
    pbx.dials("100", "*9");
    presses_all(&mut pbx, A, "471");
    pbx.moves_to_a_clock_that_began(Duration::from_secs(100));
    presses_all(&mut pbx, A, "1#");
    assert!(pbx.said().contains("WrongCode"), "the first keys are forgotten");
    presses_all(&mut pbx, A, "4711#");
    assert!(is_over(&mut pbx).contains("Message 1"));
    assert!(is_over(&mut pbx).contains("file1"));
    pbx.run_for(Duration::from_secs(2));
    pbx.moves_to_a_clock_that_began(Duration::from_secs(100));
    assert!(pbx.log.contains("file1"), "it sounds again: {}", pbx.log);
    pbx.run_for(Duration::from_secs(2));
    pbx.presses(A, '3');
    assert!(pbx.log.contains("file1 removed"));
    assert!(is_over(&mut pbx).contains("Message 1"));
    assert!(is_over(&mut pbx).contains("file2"));
}

#[test]
fn the_lamp_follows_at_once_and_a_program_can_end_the_call() {
    let mut pbx = full();
    let resource = Number::parse("100").unwrap();
    let watched = Watched { by: id("100"), package: Package::MessageSummary, resource };
    pbx.input(Input::Lamp(LampEvent::Asked { id: SubscriptionId(1), watched }));
    listens(&mut pbx);
    pbx.run_for(Duration::from_secs(4));
    pbx.presses(A, '2');
    assert!(pbx.said().contains("lamp 100: 1 new, 2 old"));
    pbx.presses(A, '3');
    assert!(pbx.said().contains("lamp 100: 0 new, 2 old"));
    let call = pbx.call_api_id();
    assert_ne!(call.uuid, CallUuid(0));
    pbx.command(Command::Hangup { extension: id("100"), call });
    assert!(pbx.said().contains("in0 end api_hangup"));
    assert!(pbx.is_empty());
    pbx.event(A, LegEvent::Acknowledged);
}
