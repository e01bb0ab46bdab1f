//! REGISTER: RFC 3261 10.3.

use sip::{Contact, Header, Message, Method, NameAddr, Writer, application};

use crate::contact::Instance;
use crate::core::Turn;
use crate::dialog::{route_set, token, uri};
use crate::interface::Flow;
use crate::limits::{
    FLOW_TIMER_DATAGRAM_S, FLOW_TIMER_STREAM_S, REGISTER_CONTACTS_MAX, USER_AGENT_BYTES_MAX,
};
use crate::registrar::{Asked, Moved, Refused, Register, Wish};
use crate::uas::Proven;

/// A REGISTER whose sender is proven; gives the devices that have moved to this flow.
pub(crate) fn register(
    turn: &mut Turn<'_>,
    proven: Proven,
    flow: Flow,
    message: &Message,
) -> Moved {
    let tag = crate::uas::tag_for(turn.core, proven.tenant);
    let tag = tag.as_deref();
    if let Err(refusal) = application::check_require(message, &EXTENSIONS) {
        turn.answer(message, &flow, tag, 420, |w| crate::owed::write_refusal(w, &refusal));
        return Moved::new();
    }
    // RFC 3327 5.3: who does not know of Path would not notice what was put into its way.
    if message.has(Header::Path) && !message.has_token(Header::Supported, "path") {
        turn.answer(message, &flow, tag, 420, |w| {
            w.header(Header::Unsupported, "path");
        });
        return Moved::new();
    }
    let outbound = outbound(message);
    if outbound == Outbound::FirstHopLacksIt {
        turn.answer(message, &flow, tag, 439, |_| {});
        return Moved::new();
    }
    // 10.3 step 3 and 5: one registers oneself only. The host may be any name or address that
    // leads here: the login alone says which tenant it is.
    let own = message.to().is_ok_and(|to| {
        let user = to.uri.sip().and_then(|s| s.user());
        let login = user.and_then(|u| turn.core.directory.logins.get(&*u));
        login.is_some_and(|l| (l.tenant, l.extension) == (proven.tenant, proven.extension))
    });
    if !own {
        turn.answer(message, &flow, tag, 403, |_| {});
        return Moved::new();
    }
    let Some(register) = read(proven, flow, message, outbound) else {
        turn.answer(message, &flow, tag, 400, |_| {});
        return Moved::new();
    };
    let bounds = turn.core.config.expires_s;
    let (registrar, mut around) = turn.registrar(proven.tenant);
    match registrar.register(&mut around, bounds, register) {
        Ok(moved) => {
            let registrar = turn.core.registrars.get(&proven.tenant);
            let contacts = registrar.map_or(&[][..], |r| r.of(proven.extension));
            let lines: Vec<String> = contacts.iter().map(|c| c.line(turn.now.mono)).collect();
            turn.answer(message, &flow, tag, 200, |w| {
                listed(w, message, &lines);
                if outbound == Outbound::Applied {
                    // RFC 5626 6: it was done.
                    w.header(Header::Require, "outbound");
                    if is_direct(message) {
                        w.named("Flow-Timer", flow_timer_s(&flow));
                    }
                }
            });
            return moved;
        }
        Err(Refused::TooBrief) => turn.answer(message, &flow, tag, 423, |w| {
            w.header(Header::MinExpires, bounds.min);
        }),
        Err(Refused::OutOfOrder) => turn.answer(message, &flow, tag, 500, |_| {}),
        Err(Refused::TooMany) => turn.answer(message, &flow, tag, 403, |_| {}),
    }
    Moved::new()
}

/// The 200: every contact with its remaining time, and the Path as it was stored (RFC 3327 5.3).
fn listed(w: &mut Writer, message: &Message, lines: &[String]) {
    for line in lines {
        w.header(Header::Contact, line);
    }
    if message.has(Header::Path) {
        w.copy(message, Header::Path);
        w.header(Header::Supported, "path, outbound");
    }
}

/// What becomes of the `reg-id` of a REGISTER: RFC 5626 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outbound {
    /// There is none, or nothing is made of it.
    Ignored,
    /// Its flow is one of several to the phone.
    Applied,
    /// 439: the phone counts on it, but its first proxy keeps no flow.
    FirstHopLacksIt,
}

fn outbound(message: &Message) -> Outbound {
    let asked = message.contacts().flatten().any(|contact| {
        contact.address().is_some_and(|c| c.params.has("reg-id") && c.params.has("+sip.instance"))
    });
    // The edge proxy says with `ob` that it keeps the flow.
    let kept = || {
        message
            .addresses(Header::Path)
            .flatten()
            .any(|path| path.uri.sip().is_some_and(|uri| uri.params.has("ob")))
    };
    match asked {
        false => Outbound::Ignored,
        true if is_direct(message) || kept() => Outbound::Applied,
        true if message.has_token(Header::Supported, "outbound") => Outbound::FirstHopLacksIt,
        true => Outbound::Ignored,
    }
}

/// Whether the phone itself is at the other end of the flow.
fn is_direct(message: &Message) -> bool {
    message.vias().take(2).count() < 2
}

/// How often the phone shall say that its flow is alive, seconds: RFC 5626 4.4 and 10.
fn flow_timer_s(flow: &Flow) -> u32 {
    if flow.transport.is_reliable() { FLOW_TIMER_STREAM_S } else { FLOW_TIMER_DATAGRAM_S }
}

/// Option tags that a REGISTER may require.
pub(crate) const EXTENSIONS: [&str; 4] = ["path", "outbound", "100rel", "timer"];

/// What a REGISTER asks for; `None`: 400.
fn read(proven: Proven, flow: Flow, message: &Message, outbound: Outbound) -> Option<Register<'_>> {
    debug_assert_eq!(message.method(), Some(Method::Register));
    let expires = message.expires().ok()?;
    let mut contacts = message.contacts();
    let asked = match contacts.next() {
        None => Asked::Fetch,
        Some(Ok(Contact::Star)) => {
            // 10.3 step 6: alone, and with Expires: 0.
            let alone = contacts.next().is_none() && expires == Some(0);
            alone.then_some(Asked::RemoveAll)?
        }
        Some(first) => {
            let mut wishes = Vec::new();
            for contact in core::iter::once(first).chain(contacts) {
                if wishes.len() == REGISTER_CONTACTS_MAX {
                    return None;
                }
                wishes.push(wish(contact.ok()?.address()?, expires, outbound)?);
            }
            Asked::Contacts(wishes)
        }
    };
    let agent = message.value(Header::UserAgent).unwrap_or_default();
    let agent = core::str::from_utf8(agent).unwrap_or("");
    let cut =
        (0..=agent.len().min(USER_AGENT_BYTES_MAX)).rev().find(|n| agent.is_char_boundary(*n));
    let call_id = message.call_id().ok()?;
    token(call_id).ok()?;
    Some(Register {
        extension: proven.extension,
        call_id,
        cseq: message.cseq().ok()?.number,
        flow,
        path: route_set(message, Header::Path).ok()?,
        user_agent: agent.get(..cut.unwrap_or(0)).unwrap_or(""),
        asked,
    })
}

fn wish(contact: &NameAddr<'_>, expires: Option<u32>, outbound: Outbound) -> Option<Wish> {
    let instance = contact.params.unquoted("+sip.instance").map(|urn| Instance {
        urn: urn.into_owned().into(),
        // RFC 5626 9: a number from 1 on.
        reg_id: (outbound == Outbound::Applied)
            .then(|| contact.params.value("reg-id")?.parse().ok().filter(|id| *id > 0))
            .flatten(),
    });
    if let Some(instance) = &instance {
        token(&instance.urn).ok()?;
    }
    Some(Wish {
        uri: uri(&contact.uri).ok()?,
        expires_s: contact.expires().map_or(Some(expires), |e| e.map(Some))?,
        q: contact.q(),
        instance,
    })
}
