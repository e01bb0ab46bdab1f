//! Wherever a leg of 100 can be.

use leg::{CallAction, LegId};
use model::{ControlGroups, EndReason};

use super::{number, secs};
use crate::support::{B, Pbx, out};

/// The number of the clip that sounds to a leg.
pub(super) fn clip(pbx: &Pbx, leg: LegId) -> u32 {
    let call = pbx.exchange.calls().find(|call| call.legs.get(leg).is_some()).unwrap();
    let audio = exchange::audio::desired(call, pbx.exchange.snapshot());
    audio.clips.iter().find(|clip| clip.leg == leg).expect("something sounds").id.0
}

pub(super) fn sounds_to_its_end(pbx: &mut Pbx, leg: LegId) {
    let clip = clip(pbx, leg);
    pbx.clip_is_over(leg, clip);
}

pub(super) fn presses(pbx: &mut Pbx, leg: LegId, keys: &str) {
    keys.chars().for_each(|key| pbx.presses(leg, key));
}

pub(super) fn opens_mailbox(pbx: &mut Pbx) -> LegId {
    let leg = pbx.dials("100", "*9");
    presses(pbx, leg, "2468#");
    leg
}

pub(super) fn plays_message(pbx: &mut Pbx) -> LegId {
    let leg = opens_mailbox(pbx);
    sounds_to_its_end(pbx, leg);
    sounds_to_its_end(pbx, leg);
    leg
}

/// 102 and 103 talk, and 100 listens to 103.
pub(super) fn listens(pbx: &mut Pbx, code: &str) -> LegId {
    pbx.allow(ControlGroups { allow_all: Some(true), ..ControlGroups::default() });
    pbx.dials("102", "103");
    pbx.answers(B);
    pbx.dials("100", &format!("{code}103"))
}

pub(super) fn talks(pbx: &mut Pbx) -> LegId {
    let leg = pbx.dials("100", "103");
    pbx.answers(B);
    leg
}

pub(super) fn is_parked(pbx: &mut Pbx) -> LegId {
    let leg = talks(pbx);
    let call = pbx.call_api_id();
    pbx.control("103", call, CallAction::Park(Some(5))).unwrap();
    leg
}

pub(super) fn is_sent_on(pbx: &mut Pbx, to: &str) -> LegId {
    let leg = talks(pbx);
    let call = pbx.call_api_id();
    pbx.control("103", call, CallAction::Transfer(Some(number(to)))).unwrap();
    leg
}

/// A place, and how 100 comes there.
pub(super) type Somewhere = (&'static str, fn(&mut Pbx) -> LegId);

/// All places where 100 can have a leg.
pub(super) const ANYWHERE: [Somewhere; 24] = [
    ("in a talk", talks),
    ("leaving a message: the greeting", |pbx| pbx.dials("100", "101")),
    ("leaving a message: the tone", |pbx| {
        let leg = pbx.dials("100", "101");
        pbx.presses(leg, '#');
        leg
    }),
    ("leaving a message: recorded", |pbx| {
        let leg = pbx.dials("100", "101");
        sounds_to_its_end(pbx, leg);
        sounds_to_its_end(pbx, leg);
        leg
    }),
    ("its mailbox: counted", opens_mailbox),
    ("its mailbox: named", |pbx| {
        let leg = opens_mailbox(pbx);
        sounds_to_its_end(pbx, leg);
        leg
    }),
    ("its mailbox: played", plays_message),
    ("its mailbox: between two", |pbx| {
        let leg = plays_message(pbx);
        sounds_to_its_end(pbx, leg);
        leg
    }),
    ("its mailbox: deleted", |pbx| {
        let leg = plays_message(pbx);
        pbx.presses(leg, '3');
        leg
    }),
    ("the echo: the tone", |pbx| pbx.dials("100", "199")),
    ("the echo", |pbx| {
        let leg = pbx.dials("100", "199");
        pbx.run_for(secs(3));
        leg
    }),
    ("a room, alone", |pbx| pbx.dials("100", "*8101")),
    ("a room, with others", |pbx| {
        pbx.dials("101", "*8101");
        pbx.run_for(secs(61));
        pbx.dials("100", "*8101")
    }),
    ("listening", |pbx| listens(pbx, "*4")),
    ("whispering", |pbx| listens(pbx, "*5")),
    ("joined in", |pbx| listens(pbx, "*6")),
    ("parked", is_parked),
    ("parked, while it rings back", |pbx| {
        let leg = is_parked(pbx);
        pbx.run_for(secs(180));
        pbx.rings(out(2));
        leg
    }),
    ("a sound of a rule", |pbx| pbx.dials("100", "102")),
    ("behind the sound of a rule, while it rings", |pbx| {
        let leg = pbx.dials("100", "102");
        sounds_to_its_end(pbx, leg);
        pbx.rings(B);
        leg
    }),
    ("sent on, while it rings", |pbx| {
        let leg = is_sent_on(pbx, "74951234567");
        pbx.rings(out(2));
        leg
    }),
    ("given back", |pbx| {
        let leg = is_sent_on(pbx, "74951234567");
        pbx.rings(out(2));
        pbx.ends(out(2), EndReason::Busy, Some(486));
        pbx.rings(out(3));
        leg
    }),
    ("at the tone behind a call", |pbx| {
        let leg = pbx.dials("100", "102");
        sounds_to_its_end(pbx, leg);
        pbx.ends(B, EndReason::Busy, Some(486));
        leg
    }),
    ("at the tone behind a code", |pbx| pbx.dials("100", "*3")),
];
