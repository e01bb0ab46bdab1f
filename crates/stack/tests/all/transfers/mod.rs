//! REFER, Replaces, whom a phone is shown, and calls that are answered without a hand.

mod refers;
mod replaces;
mod shown;

use leg::{LegEvent, LegId, ReferId, ReferTo};
use sip::{Header, Message};

use crate::bench::{Bench, summary};

/// The REFER that the exchange was told of last.
pub(crate) fn referred(b: &mut Bench) -> (LegId, ReferId, ReferTo) {
    match b.events.pop_back() {
        Some((leg, LegEvent::Refer { refer, to, .. })) => (leg, refer, to),
        other => panic!("{other:?}: {}", b.ladder),
    }
}

/// Event, Subscription-State and body of a NOTIFY.
pub(crate) fn notified(message: &Message) -> String {
    assert!(summary(message).starts_with("NOTIFY in dialog"), "{message:?}");
    assert!(message.contact().unwrap().is_some(), "RFC 6665 8.1.1");
    let said = |header| message.text(header).unwrap_or_default().into_owned();
    assert_eq!(said(Header::ContentType), "message/sipfrag;version=2.0");
    let body = String::from_utf8(message.body().to_vec()).unwrap();
    format!("{} | {} | {}", said(Header::Event), said(Header::SubscriptionState), body.trim_end())
}

/// The last answer to a request of this method.
fn status(b: &Bench, method: &str) -> u16 {
    let mut sent = b.sent.iter().rev().map(|(_, m)| m);
    let answer = sent.find(|m| m.status().is_some() && m.cseq().unwrap().name == method);
    answer.and_then(Message::status).expect("no answer")
}
