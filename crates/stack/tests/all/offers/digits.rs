//! Digits by INFO, both ways.

use leg::{LegCommand, LegEvent};

use crate::bench::{Bench, Phone, boxed, talking, udp};

#[test]
fn a_digit_by_info_waits_for_the_response_to_the_one_before() {
    let mut b = Bench::new();
    let (alice, leg) = talking(&mut b);
    for key in "12#".chars() {
        b.command(leg, LegCommand::Info(model::Digit::from_char(key).unwrap()));
    }
    for (key, status) in [('1', 200), ('2', 415), ('#', 200)] {
        let info = b.next_of("INFO");
        let text = format!("Signal={key}\r\nDuration=160\r\n");
        assert_eq!(info.body(), text.as_bytes());
        assert!(b.sent.is_empty(), "one at a time");
        alice.answers(&mut b, &info, 100, "");
        assert!(b.sent.is_empty(), "it waits for the final response");
        alice.answers(&mut b, &info, status, "");
    }
    assert!(b.sent.is_empty());
}

/// A phone whose 2xx was lost answered 481 to the key, which ended the call.
#[test]
fn a_digit_by_info_waits_for_the_acknowledgement_of_our_answer() {
    for goes_on in ["ACK", "INVITE"] {
        let mut b = Bench::new();
        let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
        let body = alice.sdp(1, "sendrecv");
        let leg = alice.invites(&mut b, "101", &body);
        b.command(leg, LegCommand::Answer(boxed(10_000)));
        let ok = b.next_of("200");
        b.command(leg, LegCommand::Info(model::Digit::from_char('1').unwrap()));
        assert!(b.sent.is_empty(), "{goes_on}");
        alice.learns(&ok);
        match goes_on {
            "ACK" => alice.acks(&mut b, &ok, ""),
            // It goes on, so the answer has arrived.
            _ => _ = alice.sends(&mut b, "INVITE", "", &body),
        }
        b.next_of("INFO");
    }
}

#[test]
fn digits_come_by_info() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let table = [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some('5')),
        ("application/dtmf-relay", "Signal= *\r\nDuration= 160\r\n", Some('*')),
        ("application/dtmf-relay", "Duration=160\r\nSignal=11", Some('#')),
        ("application/dtmf-relay", "Signal=d\r\n", Some('D')),
        ("application/dtmf", "0", Some('0')),
        ("application/dtmf", "16", None),
        ("application/dtmf", "x", None),
    ];
    for (kind, body, digit) in table {
        alice.sends(&mut b, "INFO", &format!("Content-Type: {kind}"), body);
        assert_eq!(b.next_sent().status(), Some(200), "{body}");
        let told = b.events.pop_front().map(|(_, e)| e);
        let wanted = digit.map(|d| LegEvent::Digit(model::Digit::from_char(d).unwrap()));
        assert_eq!(told, wanted, "{body}");
    }
    alice.sends(&mut b, "INFO", "Content-Type: text/plain", "5");
    b.next_of("415");
    alice.sends(&mut b, "INFO", "", "");
    b.next_of("200");
    b.command(leg, LegCommand::Info(model::Digit::from_char('#').unwrap()));
    let info = b.next_of("INFO");
    assert_eq!(info.body(), b"Signal=#\r\nDuration=160\r\n");
    alice.answers(&mut b, &info, 415, "");
    assert_eq!(b.endpoint.counts().dialogs, 1);
}
