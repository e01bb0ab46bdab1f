//! Requests of ours inside a dialog that a later one overtakes: the peer refuses them for their
//! CSeq number (RFC 3261 12.2.2), and nothing of what they said may be lost.

use core::time::Duration;

use leg::{Identity, LegCommand, LegEvent, LegId};
use model::{Digit, DisplayName, Number};
use sip::Message;

use crate::bench::{Bench, Phone, boxed, summary, udp};
use crate::transfers::{notified, referred};

fn identify(b: &mut Bench, leg: LegId, number: &str) {
    let number = Number::parse(number).unwrap();
    let identity = Identity::of(number, DisplayName::parse("Somebody").unwrap());
    b.command(leg, LegCommand::Identify(Box::new(identity)));
}

fn press(b: &mut Bench, leg: LegId, key: char) {
    b.command(leg, LegCommand::Info(Digit::from_char(key).unwrap()));
}

/// Alice, who takes UPDATE, is answered.
fn talking() -> (Bench, Phone, LegId) {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    alice.extra = "Allow: INVITE, UPDATE\nSupported: timer";
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    b.look_away();
    (b, alice, leg)
}

/// Two requests arrive the other way round: the later one is taken, the earlier one is not.
fn crossed(b: &mut Bench, alice: &Phone, first: &Message, second: &Message) {
    assert!(first.cseq().unwrap().number < second.cseq().unwrap().number);
    alice.answers(b, second, 200, "");
    alice.answers(b, first, 500, "");
}

#[test]
fn whom_a_phone_is_shown_is_not_lost_when_a_digit_overtakes_it() {
    let (mut b, alice, leg) = talking();
    identify(&mut b, leg, "102");
    press(&mut b, leg, '1');
    let (update, info) = (b.next_of("UPDATE"), b.next_of("INFO"));
    crossed(&mut b, &alice, &update, &info);
    b.run_for(Duration::from_millis(10));
    let again = b.next_of("UPDATE");
    let shown = sip::Header::PAssertedIdentity;
    assert_eq!(again.text(shown), update.text(shown));
    alice.answers(&mut b, &again, 200, "");
    b.run_for(Duration::from_secs(5));
    assert!(b.sent.is_empty());
}

#[test]
fn a_digit_is_not_lost_when_another_request_overtakes_it() {
    let (mut b, alice, leg) = talking();
    press(&mut b, leg, '1');
    press(&mut b, leg, '2');
    identify(&mut b, leg, "102");
    let (info, update) = (b.next_of("INFO"), b.next_of("UPDATE"));
    crossed(&mut b, &alice, &info, &update);
    for key in ['1', '2'] {
        let info = b.next_of("INFO");
        assert_eq!(info.body(), format!("Signal={key}\r\nDuration=160\r\n").as_bytes());
        alice.answers(&mut b, &info, 200, "");
    }
    assert!(b.sent.is_empty());
}

#[test]
fn an_offer_is_made_again_when_a_digit_overtakes_it() {
    let (mut b, alice, leg) = talking();
    b.command(leg, LegCommand::Offer(boxed(30_000)));
    press(&mut b, leg, '1');
    let (offer, info) = (b.next_of("INVITE"), b.next_of("INFO"));
    crossed(&mut b, &alice, &offer, &info);
    assert_eq!(summary(&b.next_sent()), "ACK in dialog");
    assert!(b.events.is_empty(), "it was not refused: {:?}", b.events);
    b.run_for(Duration::from_millis(10));
    let again = b.next_of("INVITE");
    assert_eq!(again.body(), offer.body());
    alice.answers(&mut b, &again, 200, &alice.sdp(2, "sendrecv"));
    assert!(matches!(b.events.pop_front(), Some((_, LegEvent::Answer(_)))));
}

#[test]
fn how_a_transfer_ended_is_told_again_when_a_digit_overtakes_it() {
    let (mut b, mut alice, leg) = talking();
    alice.sends(&mut b, "REFER", "Refer-To: <sip:102@acme.example>", "");
    let (_, refer, _) = referred(&mut b);
    b.command(leg, LegCommand::ReferAccepted { refer });
    b.next_of("202");
    let trying = b.next_of("NOTIFY");
    alice.answers(&mut b, &trying, 200, "");
    b.command(leg, LegCommand::ReferProgress { refer, status: 486 });
    press(&mut b, leg, '1');
    let (done, info) = (b.next_of("NOTIFY"), b.next_of("INFO"));
    crossed(&mut b, &alice, &done, &info);
    let again = b.next_of("NOTIFY");
    assert_eq!(notified(&again), notified(&done));
    alice.answers(&mut b, &again, 200, "");
    assert!(b.sent.is_empty());
    alice.sends(&mut b, "BYE", "", "");
    b.leaves_nothing();
}

/// Each of two requests is sent again because of the other: that has an end.
#[test]
fn a_phone_that_refuses_everything_is_asked_some_times() {
    let (mut b, alice, leg) = talking();
    press(&mut b, leg, '1');
    identify(&mut b, leg, "102");
    let mut asked = 0;
    loop {
        while let Some((_, request)) = b.sent.pop_front() {
            asked += 1;
            alice.answers(&mut b, &request, 500, "");
        }
        b.run_for(Duration::from_secs(1));
        if b.sent.is_empty() {
            break;
        }
        assert!(asked < 100, "for ever");
    }
    assert!(asked > 2, "{asked}");
}
