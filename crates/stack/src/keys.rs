//! Keys by INFO: one at a time.
//!
//! A peer refuses an INFO that was overtaken by the next one, since its CSeq number is too low
//! (RFC 3261 12.2.2): the digit would be lost. So each waits for the response to the one before.
//! And the first waits for the ACK: a phone whose 2xx was lost has no dialog yet, and says so.

use std::collections::VecDeque;

use model::Digit;
use sip::{Message, Method};

use crate::core::Turn;
use crate::dialog::{Leg, Phase};
use crate::glare;
use crate::limits::{GLARE_RETRIES_MAX, KEYS_MAX};
use crate::transaction::Purpose;

/// The keys that the peer of a leg is to be told.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The key whose INFO has no response yet.
    sent: Option<Digit>,
    /// How often it was sent again.
    retries: u8,
    waiting: VecDeque<Digit>,
}

/// The exchange wants a key told; those beyond [`KEYS_MAX`] are lost.
pub(crate) fn press(turn: &mut Turn<'_>, leg: &mut Leg, digit: Digit) {
    if !matches!(leg.phase, Phase::Up(_)) {
        return;
    }
    if leg.keys.waiting.len() < KEYS_MAX {
        leg.keys.waiting.push_back(digit);
    }
    next(turn, leg);
}

/// The peer has acknowledged its 2xx.
pub(crate) fn acknowledged(turn: &mut Turn<'_>, leg: &mut Leg) {
    next(turn, leg);
}

/// An INFO has had its final response. Another request of ours may have overtaken it, too.
pub(crate) fn told(turn: &mut Turn<'_>, leg: &mut Leg, response: &Message) {
    let is_overtaken = glare::is_overtaken(leg, response);
    let keys = &mut leg.keys;
    match keys.sent.take() {
        Some(digit) if is_overtaken && keys.retries < GLARE_RETRIES_MAX => {
            keys.retries += 1;
            keys.waiting.push_front(digit);
        }
        _ => keys.retries = 0,
    }
    next(turn, leg);
}

fn next(turn: &mut Turn<'_>, leg: &mut Leg) {
    if leg.keys.sent.is_some() || leg.unacked.as_ref().is_some_and(|unacked| unacked.first) {
        return;
    }
    let Some(digit) = leg.keys.waiting.pop_front() else { return };
    let Some(flow) = leg.way(turn) else { return };
    let Some((writer, branch)) = leg.begin(turn, &flow, Method::Info) else { return };
    let text = format!("Signal={}\r\nDuration=160\r\n", digit.as_char());
    let bytes = writer.finish_with("application/dtmf-relay", text.as_bytes()).into();
    leg.keys.sent = Some(digit);
    leg.request(turn, flow, &branch, Method::Info, Purpose::Info, bytes);
}
