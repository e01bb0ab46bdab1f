//! What phones do: most of it right, some of it late, doubled, out of order or spoilt.

use sip::{Header, Message, Method, Reply, Writer};
use stack::Flow;

use super::party::{Call, wired};
use super::world::World;
use crate::Choices;
use crate::seeds::SIP_WORDS;

/// Header lines that some phones send, good and bad.
const MORE: &[&str] = &[
    "",
    "",
    "",
    "",
    "Supported: 100rel, timer, replaces\nSession-Expires: 90;refresher=uac\nMin-SE: 90",
    "Supported: 100rel",
    "Require: 100rel",
    "Require: nonsense",
    "Session-Expires: 1800\nSupported: timer",
    "Session-Expires: 1\nSupported: timer",
    "Record-Route: <sip:p1.example;lr>, <sip:p2.example;lr>",
    "Record-Route: <sip:strict.example>",
    "Contact: <sip:other@192.0.2.99:5099>",
    "Contact: <",
    "Contact: <sip:a@b>, <sip:c@d>",
    "Max-Forwards: 0",
    "Accept: text/plain",
    "Content-Encoding: gzip",
    "Content-Disposition: render;handling=optional",
    "Replaces: x;to-tag=1;from-tag=2",
    "Timestamp: 17",
    "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO, PRACK",
    "Reason: SIP;cause=200;text=\"Call completed elsewhere\"",
    "Privacy: id\nP-Asserted-Identity: <sip:999@acme.example>",
    "RAck: 1 1 INVITE",
    "Event: refer\nSubscription-State: active",
    "Refer-To: <sip:102@acme.example>",
    "Refer-To: <sip:102@acme.example>",
    "Refer-To: <sip:102@acme.example>\nRefer-Sub: false",
    "Refer-To: <sip:102@x?Replaces=call1%3Bto-tag%3Da%3Bfrom-tag%3Db>",
    "Event: refer\nExpires: 0",
];

/// What a carrier asks for.
const CHALLENGE: &str = "Digest realm=\"x\", nonce=\"n\", qop=\"auth\"";

/// A registration, with or without the proof.
pub(super) fn registers(world: &mut World, choices: &mut Choices<'_>) {
    let n = choices.below(world.parties.len());
    let kind = choices.below(16);
    let party = &mut world.parties[n];
    party.cseq += 1;
    let contact = match kind {
        1 => "Contact: *\nExpires: 0".to_owned(),
        2 => format!("Contact: {};expires=0", party.contact()),
        3 => format!("Contact: {};expires=60", party.contact()),
        4 => format!("Contact: {};expires=1", party.contact()),
        5 => format!("Contact: {};q=0.3, <sip:b@192.0.2.44>;expires=100", party.contact()),
        6 => {
            let instance = "+sip.instance=\"<urn:uuid:1>\";reg-id=1";
            format!("Contact: {};{instance}\nSupported: outbound, path", party.contact())
        }
        7 => "Expires: 4294967295".to_owned(),
        8 => format!("Contact: {}\nPath: <sip:edge.example;lr>", party.contact()),
        _ => format!("Contact: {};expires=600", party.contact()),
    };
    let (login, cseq, remote) = (party.login, party.cseq, party.flow.remote);
    let uri = "sip:acme.example";
    let password = if kind == 15 { "wrong" } else { login };
    let proof = party.proof("REGISTER", uri, password).unwrap_or_default();
    let transport = party.flow.transport.as_str();
    let flow = party.flow;
    let branch = world.name("reg");
    let head = format!(
        "REGISTER {uri} SIP/2.0
         Via: SIP/2.0/{transport} {remote};branch=z9hG4bK{branch};rport
         Max-Forwards: 70
         From: <sip:{login}@acme.example>;tag=r
         To: <sip:{login}@acme.example>
         Call-ID: {login}-register
         CSeq: {cseq} REGISTER
         {contact}
         {proof}"
    );
    deliver(world, flow, wired(&head, None), choices);
}

/// An INVITE outside a dialog, with or without the proof.
pub(super) fn invites(world: &mut World, choices: &mut Choices<'_>) {
    let party = choices.below(world.parties.len());
    // Some repeat the Call-ID of a call that there is.
    let old = choices.one_in(8).then(|| world.calls.last().map(|c| c.call_id.clone())).flatten();
    let call_id = old.unwrap_or_else(|| world.name("call"));
    let call = Call {
        party,
        call_id,
        tag: world.name("tag"),
        to: "<sip:101@acme.example>".to_owned(),
        target: "sip:101@acme.example".to_owned(),
        branch: String::new(),
        cseq: 0,
    };
    world.calls.push(call);
    if world.calls.len() > 8 {
        world.calls.remove(0);
    }
    let at = world.calls.len() - 1;
    // The first one brings the challenge, the second the proof.
    request(world, choices, at, "INVITE");
    if !choices.one_in(8) {
        world.calls[at].to = "<sip:101@acme.example>".to_owned();
        request(world, choices, at, "INVITE");
    }
}

/// A request of a call.
pub(super) fn asks_in_dialog(world: &mut World, choices: &mut Choices<'_>) {
    let method = choices.of(&[
        "BYE",
        "INVITE",
        "INVITE",
        "INVITE",
        "UPDATE",
        "UPDATE",
        "INFO",
        "OPTIONS",
        "REFER",
        "PRACK",
        "NOTIFY",
        "SUBSCRIBE",
        "MESSAGE",
        "ODD",
    ]);
    let at = choices.below(world.calls.len());
    request(world, choices, at, method);
}

/// Writes and delivers a request of the call at `at`.
fn request(world: &mut World, choices: &mut Choices<'_>, at: usize, method: &str) {
    let branch = world.name("b");
    let Some(call) = world.calls.get_mut(at) else { return };
    let party = &mut world.parties[call.party];
    call.cseq += 1;
    let cseq = match choices.below(16) {
        0 => call.cseq.saturating_sub(2),
        1 => call.cseq + 1_000,
        _ => call.cseq,
    };
    if !choices.one_in(16) {
        call.branch = branch;
    }
    let body = choices.below(24);
    let description = party.description(body.min(9), call.cseq);
    let body = match (method, body) {
        ("INVITE" | "UPDATE" | "PRACK", 0..=9) => Some(("application/sdp", description.as_str())),
        ("INVITE" | "UPDATE", 10..=18) => None,
        ("INFO", 0..=10) => Some(("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")),
        ("INFO", 11..=13) => Some(("application/dtmf", "#")),
        (_, 19) => Some(("text/plain", "hello")),
        _ => None,
    };
    let proof = party.proof(method, &call.target, party.login).unwrap_or_default();
    let mut more = choices.of(MORE);
    if method == "REFER" && more.is_empty() {
        more = "Refer-To: <sip:102@acme.example>";
    }
    if method == "SUBSCRIBE" && more.is_empty() {
        more = ["Event: dialog", "Event: message-summary\nExpires: 60"][cseq as usize % 2];
    }
    let contact = if more.contains("Contact:") { String::new() } else { party.contact() };
    let contact = if contact.is_empty() { contact } else { format!("Contact: {contact}") };
    let Call { call_id, tag, to, target, branch, .. } = call;
    let head = format!(
        "{method} {target} SIP/2.0
         Via: SIP/2.0/{transport} {remote};rport;branch=z9hG4bK{branch}
         Max-Forwards: 70
         From: <sip:{login}@acme.example>;tag={tag}
         To: {to}
         Call-ID: {call_id}
         CSeq: {cseq} {method}
         {contact}
         {more}
         {proof}",
        transport = party.flow.transport.as_str(),
        remote = party.flow.remote,
        login = party.login,
    );
    let flow = party.flow;
    deliver(world, flow, wired(&head, body), choices);
}

/// A response to one of the requests that the endpoint has sent.
pub(super) fn answers(world: &mut World, choices: &mut Choices<'_>) {
    let back = choices.below(world.heard.len().min(4));
    let Some((flow, request)) = world.heard.iter().rev().nth(back).cloned() else { return };
    if request.method() == Some(Method::Ack) {
        return;
    }
    let status = choices.of(&[
        100, 180, 180, 183, 183, 199, 200, 200, 200, 200, 200, 202, 300, 302, 401, 404, 407, 408,
        422, 480, 481, 486, 487, 491, 500, 503, 603, 699,
    ]);
    let fork = choices.of(&["t", "t", "t", "t", "t", "fork1", "fork2", ""]);
    // Nobody else is there but the carrier, which is the last.
    let party = world.parties.iter().position(|p| p.flow.remote.ip() == flow.remote.ip());
    let party = party.unwrap_or(world.parties.len() - 1);
    let tag = (!fork.is_empty()).then_some(fork);
    let mut writer = Writer::response(&request, Reply { to_tag: tag, ..Reply::new(status) });
    if !choices.one_in(8) {
        writer.header(Header::Contact, world.parties[party].contact());
    }
    match choices.below(16) {
        0 => writer.header(Header::RecordRoute, "<sip:p1.example;lr>, <sip:p2.example;lr>"),
        1 => writer.header(Header::Require, "100rel").header(Header::RSeq, 1u32),
        2 => writer.header(Header::SessionExpires, "1800;refresher=uac"),
        3..=5 => writer.header(Header::WwwAuthenticate, CHALLENGE),
        6 => writer.header(Header::Contact, "<sip:moved@192.0.2.200>"),
        7 => writer.header(Header::MinSe, 3_600u32),
        _ => &mut writer,
    };
    let body = choices.below(14);
    let bytes = if body < 10 {
        let description = world.parties[party].description(body, 1);
        writer.finish_with("application/sdp", description.as_bytes())
    } else {
        writer.finish()
    };
    joins(world, party, &request, fork);
    deliver(world, flow, bytes, choices);
}

/// A phone that was called takes part in the dialog.
fn joins(world: &mut World, party: usize, request: &Message, tag: &str) {
    let (Ok(call_id), Ok(Some(contact))) = (request.call_id(), request.contact()) else { return };
    let known = world.calls.iter().any(|c| c.call_id == call_id);
    if known || tag.is_empty() || request.method() != Some(Method::Invite) {
        return;
    }
    world.calls.push(Call {
        party,
        call_id: call_id.to_owned(),
        tag: tag.to_owned(),
        to: request.text(Header::From).unwrap_or_default().into_owned(),
        target: contact.uri.as_str().to_owned(),
        branch: String::new(),
        cseq: 0,
    });
}

/// Something that was said before, again, perhaps from elsewhere.
pub(super) fn repeats(world: &mut World, choices: &mut Choices<'_>) {
    let back = choices.below(world.said.len());
    let Some((mut flow, bytes)) = world.said.iter().rev().nth(back).cloned() else { return };
    if choices.one_in(16) {
        flow = world.parties[choices.below(world.parties.len())].flow;
    }
    deliver(world, flow, bytes, choices);
}

/// The ACK to a final response of an INVITE.
pub(super) fn acknowledges(world: &mut World, choices: &mut Choices<'_>) {
    let back = choices.below(4);
    let final_ones = world.replies.iter().rev().filter(|(_, m)| {
        World::is_method(m, Method::Invite) && m.status().is_some_and(|s| s >= 200)
    });
    let Some((flow, response)) = { final_ones }.nth(back).cloned() else { return };
    let (Ok(call_id), Ok(from), Ok(cseq)) = (response.call_id(), response.from(), response.cseq())
    else {
        return;
    };
    let Some(call) = world.calls.iter().find(|c| c.call_id == call_id) else { return };
    let good = response.status().is_some_and(|s| s < 300);
    let branch = match response.top_via().ok().and_then(|v| v.branch) {
        Some(same) if !good => same.to_owned(),
        _ => format!("z9hG4bKack{}", world.next_name),
    };
    let body = choices.below(12);
    let description = world.parties[call.party].description(body.min(9), 1);
    let body = (body < 6).then_some(("application/sdp", description.as_str()));
    let head = format!(
        "ACK {target} SIP/2.0
         Via: SIP/2.0/{transport} {remote};rport;branch={branch}
         Max-Forwards: 70
         From: {from}
         To: {to}
         Call-ID: {call_id}
         CSeq: {number} ACK",
        target = call.target,
        transport = flow.transport.as_str(),
        remote = flow.remote,
        from = String::from_utf8_lossy(from.raw),
        to = response.text(Header::To).unwrap_or_default(),
        number = cseq.number,
    );
    world.next_name += 1;
    let bytes = wired(&head, body);
    deliver(world, flow, bytes, choices);
}

/// CANCEL of an INVITE that was said.
pub(super) fn cancels(world: &mut World, choices: &mut Choices<'_>) {
    let back = choices.below(4);
    let invites = world.said.iter().rev().filter(|(_, bytes)| bytes.starts_with(b"INVITE"));
    let Some((flow, bytes)) = { invites }.nth(back).cloned() else { return };
    let Ok(invite) = Message::parse(bytes) else { return };
    deliver(world, flow, Writer::cancel(&invite).finish(), choices);
}

/// A message of any kind with a few bytes changed.
pub(super) fn spoils(world: &mut World, choices: &mut Choices<'_>) {
    let back = choices.below(world.said.len());
    let Some((flow, mut bytes)) = world.said.iter().rev().nth(back).cloned() else { return };
    for _ in 0..=choices.below(4) {
        spoil(&mut bytes, choices);
    }
    world.receive(flow, bytes);
}

fn spoil(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let from = choices.below(bytes.len() + 1);
    let to = (from + choices.below(24)).min(bytes.len());
    match choices.below(4) {
        0 => drop(bytes.drain(from..to)),
        1 => drop(bytes.splice(from..from, choices.of(SIP_WORDS).bytes())),
        2 => drop(bytes.splice(from..to, choices.of(SIP_WORDS).bytes())),
        _ => {
            if let Some(byte) = bytes.get_mut(from) {
                *byte = choices.byte();
            }
        }
    }
}

/// Most messages arrive as they are, some are spoilt on the way.
fn deliver(world: &mut World, flow: Flow, mut bytes: Vec<u8>, choices: &mut Choices<'_>) {
    if choices.one_in(12) {
        spoil(&mut bytes, choices);
    }
    world.receive(flow, bytes);
}
