//! A leg that we dial: RFC 3261 13.2, 9.1.

use std::sync::Arc;

use leg::{Dial, LegEvent, Target};
use model::{DeviceId, EndReason, ExtensionId, Number};
use sip::{Header, Message, Method, Uri, Writer};

use crate::core::{LegKey, Turn};
use crate::dialog::{
    Able, Ends, Far, Fate, Inviting, Leg, MAX_FORWARDS, Peer, Phase, joined, party,
};
use crate::display::Display;
use crate::flows::FlowUser;
use crate::interface::{Bytes, Flow};
use crate::limits::{FORKS_MAX, LEGS_MAX, T1_64, TOO_SMALL_RETRIES_MAX};
use crate::offer::{self, Media, SDP};
use crate::refer::Refers;
use crate::session_timer::Timed;
use crate::spare::{self, Lost, Spare};
use crate::transaction::{Purpose, Timer, TransactionId, User};
use crate::uas::tag_for;
use crate::{display, early, identity, session_timer, tag, toward, trunk};

/// Contacts of a 3xx that are looked at.
const REDIRECTS_MAX: usize = 10;

/// Letters of our Call-IDs: 130 bits of chance.
const CALL_ID_LETTERS: usize = 26;

/// The exchange begins a leg. `legs` are there already.
pub(crate) fn dial(turn: &mut Turn<'_>, key: LegKey, dial: Dial, legs: usize) -> Option<Box<Leg>> {
    let device = match &dial.target {
        Target::Device { extension, device } => (*extension, *device),
        Target::Trunk { trunk, number } => {
            let to = (*trunk, number.clone());
            return trunk::dial(turn, key, to, dial, legs);
        }
    };
    match try_dial(turn, key, device, dial, legs) {
        Ok(leg) => Some(leg),
        Err(reason) => {
            turn.tell(key, LegEvent::Ended { reason, status: None, elsewhere: false });
            None
        }
    }
}

fn try_dial(
    turn: &mut Turn<'_>,
    key: LegKey,
    (extension, device): (ExtensionId, DeviceId),
    dial: Dial,
    legs: usize,
) -> Result<Box<Leg>, EndReason> {
    if legs >= LEGS_MAX {
        turn.core.counters.bound_hit += 1;
        return Err(EndReason::NodeLimit);
    }
    let registrar = turn.core.registrars.get(&key.0);
    let flows = registrar.map(|r| r.flows(extension, device)).unwrap_or_default();
    let contact = flows.first().ok_or(EndReason::Unreachable)?;
    // RFC 5626 4.2: to one phone by the newest of its flows, by the next if that fails.
    let others: Vec<DeviceId> = flows.iter().skip(1).map(|c| c.device).collect();
    let device = contact.device;
    // RFC 3327: the Path is the route, the Contact the Request-URI.
    let (flow, target, routes) = (contact.flow, contact.uri.clone(), contact.path.clone());
    let peer = Peer { tag: "".into(), target, routes, cseq: None };
    let directory = Arc::clone(&turn.core.directory);
    let entry = directory.tenants.get(&key.0).ok_or(EndReason::Internal)?;
    let domain = entry.domain.as_str();
    let branch = tag::new_branch(entry.key, &mut turn.core.chance);
    let mut leg = Box::new(Leg {
        key,
        far: Far::Phone { extension, device: Some(device) },
        call_id: new_call_id(turn),
        tag: tag_for(turn.core, key.0).ok_or(EndReason::Internal)?,
        local: identity::from(&dial.identity, None, domain),
        remote: called(&peer.target, domain),
        flow,
        lost: false,
        // 8.1.1.5: below 2^31, with room to count up.
        cseq: u32::try_from(1 + turn.core.chance.below(1 << 16)).unwrap_or(1),
        // Replaced as soon as the transaction has a number.
        phase: Phase::Up(Peer::default()),
        unacked: None,
        media: Media::new(turn.core.chance.bits()),
        able: Able::default(),
        reliable: None,
        timed: Timed::default(),
        refers: Refers::default(),
        keys: Default::default(),
        display: Display::default(),
    });
    let ends = Ends {
        local: &leg.local,
        local_tag: &leg.tag,
        remote: &leg.remote,
        call_id: &leg.call_id,
        max_forwards: dial.max_forwards,
    };
    let mut writer = ends.write(turn, &flow, &peer, Method::Invite, leg.cseq, &branch);
    if dial.identity.private {
        writer.header(Header::Privacy, "id");
    }
    if dial.auto_answer {
        display::write_auto_answer(&mut writer, domain);
    }
    session_timer::propose(&mut writer, &leg.timed);
    let text = leg.media.describe(turn, &flow, &dial.offer, None);
    leg.media.own = dial.offer.direction;
    leg.media.local = Some(dial.offer);
    let bytes = turn.core.sealed(writer.finish_with(SDP, &text));
    let spare = Spare::of(others, &bytes);
    let (purpose, user) = (Purpose::Invite, leg.user());
    let transaction = turn
        .request(flow, &branch, Method::Invite, purpose, user, bytes)
        .ok_or(EndReason::NodeLimit)?;
    leg.phase = Phase::Inviting(Inviting { spare, ..Inviting::new(transaction) });
    turn.core.flows.add(&flow, FlowUser::Leg(key.0, key.1));
    let print = turn.core.tag_key(&leg.tag);
    turn.core.by_tag.insert(print, key);
    Ok(leg)
}

/// A new Call-ID of ours.
pub(crate) fn new_call_id(turn: &mut Turn<'_>) -> Arc<str> {
    let mut call_id = String::with_capacity(CALL_ID_LETTERS);
    turn.core.chance.token(CALL_ID_LETTERS, &mut call_id);
    call_id.into()
}

/// Our To: the user that registered, in the tenant's domain.
fn called(contact: &str, domain: &str) -> Box<str> {
    let uri = Uri::parse(contact).ok();
    let user = uri.as_ref().and_then(|u| u.sip()).and_then(|s| s.raw_user);
    match user {
        Some(user) => joined(&["<sip:", user, "@", domain, ">"]),
        None => joined(&["<sip:", domain, ">"]),
    }
}

/// A response to the INVITE.
pub(crate) fn response(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    id: TransactionId,
    response: &Message,
) -> Fate {
    let status = response.status().unwrap_or(0);
    let Phase::Inviting(inviting) = &mut leg.phase else {
        // A further fork's 2xx: the first has won (13.2.2.4).
        trunk::entrust(turn, leg, id);
        orphan(turn, id, response);
        return Fate::Lives;
    };
    let heard = core::mem::replace(&mut inviting.heard, true);
    if !heard {
        trunk::heard(turn, leg, status);
    }
    match status {
        0..=100 => {
            // The first sign of life: the device is there, whatever it will do.
            if !heard {
                turn.tell(leg.key, LegEvent::Progress { status: 100, early: None });
            }
            Fate::Lives
        }
        101..=199 => {
            early::progress(turn, leg, status, response);
            Fate::Lives
        }
        200..=299 => {
            trunk::found(turn, leg);
            answered(turn, leg, id, response)
        }
        // RFC 4028 7.3: the same again with a longer session interval.
        422 if leg.timed.too_small < TOO_SMALL_RETRIES_MAX
            && session_timer::raise(leg, response)
            && invite_again(turn, leg, id).is_some() =>
        {
            leg.timed.too_small += 1;
            Fate::Lives
        }
        300.. if matches!(leg.far, Far::Trunk(_)) => trunk::refused(turn, leg, response, heard),
        // RFC 5626 5.3.2: what stands before the phone has lost the flow to it.
        430 if spare::failed(turn, leg, Lost::Flow) => Fate::Lives,
        300.. => {
            if let Some(number) = redirected(status, response) {
                turn.tell(leg.key, LegEvent::Redirected(number));
            }
            let reason = end_reason(status, heard);
            let status = Some(status);
            turn.tell(leg.key, LegEvent::Ended { reason, status, elsewhere: false });
            Fate::Over
        }
    }
}

/// To which number a phone sends its caller on (8.1.3.4): the user of its first Contact that has
/// one. Its host is of no account, so that no phone leads a call past the dial plan.
fn redirected(status: u16, response: &Message) -> Option<Number> {
    if !(300..400).contains(&status) {
        return None;
    }
    let contacts = response.contacts().take(REDIRECTS_MAX).flatten();
    contacts
        .filter_map(|contact| contact.address()?.uri.number().map(|n| n.into_owned()))
        .find_map(|number| Number::parse(&number).ok())
}

/// The first 2xx: 13.2.2.4.
fn answered(turn: &mut Turn<'_>, leg: &mut Leg, id: TransactionId, response: &Message) -> Fate {
    let fail = |turn: &mut Turn<'_>, leg: &mut Leg| {
        trunk::entrust(turn, leg, id);
        orphan(turn, id, response);
        let reason = EndReason::ProtocolError;
        turn.tell(leg.key, LegEvent::Ended { reason, status: None, elsewhere: false });
        Fate::Over
    };
    let Ok(peer) = Peer::of(response) else { return fail(turn, leg) };
    let Ok(described) = offer::description(response) else { return fail(turn, leg) };
    let fork = early::take(leg, &peer.tag);
    let before = fork.as_ref().and_then(|f| f.session.clone());
    let described = described.map(|d| Box::new(d.session));
    let (session, is_new) = match (described, before) {
        // 13.2.1: what comes after the answer is no answer.
        (Some(_), Some(agreed)) if fork.as_ref().is_some_and(|f| f.is_agreed()) => (agreed, false),
        (Some(described), _) => (described, true),
        (None, Some(before)) => (before, false),
        (None, None) => return fail(turn, leg),
    };
    // Told already, unless another fork has described itself since.
    let told = !is_new && leg.media.remote.as_ref() == Some(&session);
    let answer = Some(session.clone()).filter(|_| !told);
    leg.media.remote = Some(session);
    // A request of the peer may have come while it was early.
    let cseq = fork.as_ref().and_then(|f| f.peer.cseq);
    leg.phase = Phase::Up(Peer { cseq, ..peer });
    leg.able = fork.map_or_else(Able::default, |f| f.able);
    leg.able.learn(response);
    if let Some(ack) = acknowledge_own(turn, leg, id, response) {
        turn.send(leg.flow, ack);
    }
    session_timer::granted(turn, leg, response);
    let capabilities = crate::uas::peer_capabilities(response);
    turn.tell(leg.key, LegEvent::Answered { answer, capabilities });
    offer::pump(turn, leg);
    Fate::Lives
}

/// Sends the INVITE again with the session interval of now: as before but for branch and CSeq
/// (8.1.3.5).
fn invite_again(turn: &mut Turn<'_>, leg: &mut Leg, id: TransactionId) -> Option<()> {
    let before = turn.core.transactions.get(id)?.message.clone()?;
    let before = Message::parse(before.to_vec()).ok()?;
    let flow = leg.way(turn)?;
    let key = turn.core.key_of(leg.tenant())?;
    let branch = tag::new_branch(key, &mut turn.core.chance);
    leg.cseq = leg.cseq.saturating_add(1);
    let uri = before.uri().ok()?.as_str().to_owned();
    let mut writer = Writer::request(Method::Invite, &uri);
    writer.header(Header::Via, turn.core.via(&flow, &branch));
    for header in Header::KNOWN {
        match header {
            Header::Via
            | Header::SessionExpires
            | Header::MinSe
            | Header::ContentType
            | Header::ContentLength
            | Header::Authorization
            | Header::ProxyAuthorization => {}
            Header::CSeq => {
                writer.header(Header::CSeq, format_args!("{} INVITE", leg.cseq));
            }
            other => {
                writer.copy(&before, *other);
            }
        }
    }
    session_timer::propose(&mut writer, &leg.timed);
    let tenant = leg.tenant();
    if let Far::Trunk(outside) = &mut leg.far {
        outside.proof = outside.prove(turn, tenant, &flow, ("INVITE", &uri));
        if let Some((header, proof)) = &outside.proof {
            writer.header(*header, proof);
        }
    }
    let bytes: Bytes = writer.finish_with(SDP, before.body()).into();
    let transaction = leg.request(turn, flow, &branch, Method::Invite, Purpose::Invite, bytes)?;
    // What the refused one has still to say is nobody's.
    if let Some(refused) = turn.core.transactions.get_mut(id) {
        refused.user = User::Nobody;
    }
    leg.phase = Phase::Inviting(Inviting { heard: true, ..Inviting::new(transaction) });
    Some(())
}

/// A response that no leg waits for: its leg is gone, or another fork has won.
pub(crate) fn orphan(turn: &mut Turn<'_>, id: TransactionId, response: &Message) {
    let status = response.status().unwrap_or(0);
    let Some(transaction) = turn.core.transactions.get(id) else { return };
    let (flow, user, purpose) = (transaction.flow, transaction.user, transaction.purpose);
    match (status, user) {
        // 9.1: only now may the CANCEL go out.
        (100..=199, User::Cancelling { reason }) => turn.send_cancel(id, reason),
        // A sign of life after the last CANCEL, which has stopped the timer that waits for the end.
        (100..=199, User::Nobody) if purpose == Purpose::Invite => turn.await_end(id),
        // The leg was ended while it waited for this: it is not waited for any longer than that.
        (100..=199, _) if purpose == Purpose::Reinvite => {
            let (now, timers) = (turn.now.mono, &mut turn.core.timers);
            let transactions = &mut turn.core.transactions;
            transactions.start_timer(id, now, timers, Timer::Cancelled, T1_64);
        }
        (200..=299, _) if matches!(purpose, Purpose::Invite | Purpose::Reinvite) => {
            let Some(ack) = acknowledge(turn, id, response) else { return };
            turn.send(flow, ack);
            if purpose == Purpose::Invite {
                hang_up(turn, id, flow, response);
            }
        }
        _ => {}
    }
}

/// The ACK of a 2xx, from the 2xx alone; the transaction keeps it for copies of the 2xx.
fn acknowledge(turn: &mut Turn<'_>, id: TransactionId, response: &Message) -> Option<Bytes> {
    let flow = turn.core.transactions.get(id)?.flow;
    let (writer, _) = follow_up(turn, &flow, response, Method::Ack)?;
    remember_ack(turn, id, response, writer)
}

/// Ends an ACK of a 2xx and keeps it, to be sent again for each copy of that.
fn remember_ack(
    turn: &mut Turn<'_>,
    id: TransactionId,
    response: &Message,
    mut writer: Writer,
) -> Option<Bytes> {
    toward::repeat_proof(turn, id, &mut writer);
    let ack = turn.core.sealed(writer.finish());
    let tag = response.to_tag().unwrap_or("");
    let print = turn.core.tag_key(tag);
    let transaction = turn.core.transactions.get_mut(id)?;
    if transaction.acks.len() < FORKS_MAX {
        transaction.acks.push((print, ack.clone()));
    }
    Some(ack)
}

/// The same in the leg's own dialog, which knows its ends already.
fn acknowledge_own(
    turn: &mut Turn<'_>,
    leg: &Leg,
    id: TransactionId,
    response: &Message,
) -> Option<Bytes> {
    let flow = turn.core.transactions.get(id)?.flow;
    let key = turn.core.key_of(leg.tenant())?;
    let cseq = response.cseq().ok()?.number;
    let branch = tag::new_branch(key, &mut turn.core.chance);
    let writer = leg.write(turn, &flow, leg.peer()?, Method::Ack, cseq, &branch);
    remember_ack(turn, id, response, writer)
}

/// The BYE for a 2xx that nobody wants, from the 2xx alone.
fn hang_up(turn: &mut Turn<'_>, invite: TransactionId, flow: Flow, response: &Message) {
    let Some((writer, branch)) = follow_up(turn, &flow, response, Method::Bye) else { return };
    let bytes = writer.finish().into();
    let what = (Method::Bye, Purpose::Bye, User::Nobody);
    match toward::of(turn, invite) {
        Some(toward) => turn.request_toward(flow, &branch, what, bytes, toward),
        None => turn.request(flow, &branch, Method::Bye, Purpose::Bye, User::Nobody, bytes),
    };
}

/// A request in the dialog that a 2xx of an INVITE of ours has made.
fn follow_up(
    turn: &mut Turn<'_>,
    flow: &Flow,
    response: &Message,
    method: Method,
) -> Option<(Writer, String)> {
    let from = response.from().ok()?;
    let to = response.to().ok()?;
    let tag = from.tag?;
    let key = tag::tenant_key_of_tag(tag)?;
    let cseq = response.cseq().ok()?.number;
    let cseq = if method == Method::Ack { cseq } else { cseq.saturating_add(1) };
    let branch = tag::new_branch(key, &mut turn.core.chance);
    let mut peer = Peer::of(response).or_else(|_| Peer::without_contact(response)).ok()?;
    if peer.tag.is_empty() {
        peer.tag = to.tag.unwrap_or("").into();
    }
    let local = party(&from);
    let remote = party(&to);
    let ends = Ends {
        local: &local,
        local_tag: tag,
        remote: &remote,
        call_id: response.call_id().ok()?,
        max_forwards: MAX_FORWARDS,
    };
    Some((ends.write(turn, flow, &peer, method, cseq, &branch), branch))
}

/// The INVITE found nobody, in time or at all.
pub(crate) fn unanswered(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    if let Far::Trunk(_) = leg.far {
        return trunk::failed(turn, leg, None);
    }
    if spare::failed(turn, leg, Lost::Nothing) {
        return Fate::Lives;
    }
    let heard = matches!(&leg.phase, Phase::Inviting(i) if i.heard);
    let reason = if heard { EndReason::TransportLost } else { EndReason::Unreachable };
    turn.tell(leg.key, LegEvent::Ended { reason, status: None, elsewhere: false });
    Fate::Over
}

/// Why a leg that we dialled was refused, by the final status. `heard`: it had given a sign of
/// life before.
pub(crate) fn end_reason(status: u16, heard: bool) -> EndReason {
    match status {
        486 => EndReason::Busy,
        600 | 603 => EndReason::Declined,
        // Nobody took the request in time: the same as no answer at all.
        408 if heard => EndReason::TransportLost,
        // The device is not there any more, or what stands before it cannot reach it.
        404 | 408 | 410 | 430 | 502 | 503 | 504 | 604 => EndReason::Unreachable,
        488 | 606 => EndReason::NoCommonCodec,
        // 480 and 403 are a person's or a phone's will (do not disturb); 3xx, 401 and 407 are
        // nothing that a phone of ours should say; 487 without a CANCEL of ours neither.
        _ => EndReason::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_reason() {
        let table = [
            (486, EndReason::Busy),
            (600, EndReason::Declined),
            (603, EndReason::Declined),
            (404, EndReason::Unreachable),
            (408, EndReason::Unreachable),
            (410, EndReason::Unreachable),
            (430, EndReason::Unreachable),
            (502, EndReason::Unreachable),
            (503, EndReason::Unreachable),
            (504, EndReason::Unreachable),
            (604, EndReason::Unreachable),
            (488, EndReason::NoCommonCodec),
            (606, EndReason::NoCommonCodec),
            (302, EndReason::Refused),
            (400, EndReason::Refused),
            (401, EndReason::Refused),
            (403, EndReason::Refused),
            (407, EndReason::Refused),
            (480, EndReason::Refused),
            (487, EndReason::Refused),
            (500, EndReason::Refused),
            (607, EndReason::Refused),
        ];
        for (status, reason) in table {
            assert_eq!(end_reason(status, false), reason, "{status}");
        }
        assert_eq!(end_reason(408, true), EndReason::TransportLost);
        assert_eq!(end_reason(404, true), EndReason::Unreachable);
    }
}
