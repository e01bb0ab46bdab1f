//! The ways to a trunk: which there are, and an INVITE on the next.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use leg::Dial;
use model::{EndReason, Number, TenantId, Trunk, TrunkHost, TrunkId};
use sip::{Method, Writer, escape_user};

use super::{
    Hop, Outside, Search, Stage, default_port, end, fail, listen, nowhere, search, stop, wait,
};
use crate::core::{LegKey, Turn};
use crate::dialog::{Able, Ends, Far, Fate, Inviting, Leg, Peer, Phase};
use crate::display::Display;
use crate::identity::Shown;
use crate::interface::{Effect, Flow, Site, Transport};
use crate::limits::{LEGS_MAX, REACH_WAIT, TRIES_MAX};
use crate::names::{Known, Question, ordered};
use crate::offer::{Media, SDP};
use crate::refer::Refers;
use crate::session_timer::Timed;
use crate::toward::connecting;
use crate::transaction::Purpose;
use crate::uac::new_call_id;
use crate::uas::tag_for;
use crate::ways::{Open, Waiter, Way};
use crate::{identity, session_timer, tag};

pub(super) fn begin(
    turn: &mut Turn<'_>,
    key: LegKey,
    (id, number): (TrunkId, Number),
    dial: Dial,
    legs: usize,
) -> Result<Box<Leg>, EndReason> {
    if legs >= LEGS_MAX {
        turn.core.counters.bound_hit += 1;
        return Err(EndReason::NodeLimit);
    }
    // Another tenant's trunk does not exist.
    let trunk = turn.core.directory.trunks.get(&id);
    let trunk = trunk.filter(|t| t.tenant == key.0 && t.enabled).ok_or(EndReason::Unreachable)?;
    let domain = domain(turn, key.0, trunk).ok_or(EndReason::Internal)?;
    let local = identity::from(&dial.identity, trunk.from_user.as_deref(), &domain);
    let told = (dial.identity, dial.diversion);
    let search = Search::new(trunk, number, told, dial.max_forwards);
    let mut media = Media::new(turn.core.chance.bits());
    media.own = dial.offer.direction;
    media.local = Some(dial.offer);
    let leg = Box::new(Leg {
        key,
        far: Far::Trunk(Box::new(Outside::new(id, Some(search)))),
        call_id: new_call_id(turn),
        tag: tag_for(turn.core, key.0).ok_or(EndReason::Internal)?,
        local,
        remote: "".into(),
        flow: nowhere(),
        lost: false,
        cseq: u32::try_from(turn.core.chance.below(1 << 16)).unwrap_or(0),
        phase: Phase::Seeking(Stage::Begin),
        unacked: None,
        media,
        able: Able::default(),
        reliable: None,
        timed: Timed::default(),
        refers: Refers::default(),
        keys: Default::default(),
        display: Display::default(),
    });
    let print = turn.core.tag_key(&leg.tag);
    turn.core.by_tag.insert(print, key);
    Ok(leg)
}

pub(super) fn hops(turn: &mut Turn<'_>, host: &TrunkHost, sites: Vec<Site>) -> VecDeque<Hop> {
    let order = ordered(sites, &mut turn.core.chance);
    let order = order.into_iter().take(usize::from(TRIES_MAX));
    order.map(|remote| Hop { host: host.clone(), remote }).collect()
}

pub(super) fn attempt(turn: &mut Turn<'_>, leg: &mut Leg, hop: Hop) -> Fate {
    let key = leg.key;
    let Some(search) = search(leg) else { return fail(turn, leg) };
    search.tries = search.tries.saturating_add(1);
    let transport = search.transport;
    let name = (transport == Transport::Tls).then(|| hop.host.host.as_str().into());
    let way = Way { transport, remote: hop.remote, name };
    match turn.core.ways.open(turn.now.mono, &way, Waiter::Leg(key)) {
        Open::There(flow) => invite(turn, leg, &hop, flow),
        Open::Asked { connect, new } => {
            if new {
                turn.effects.push(connecting(connect, way));
            }
            leg.phase = Phase::Seeking(Stage::Connecting(connect, hop));
            wait(turn, leg, REACH_WAIT);
            Fate::Lives
        }
        Open::Full => {
            turn.core.counters.bound_hit += 1;
            end(turn, leg, EndReason::NodeLimit, None)
        }
    }
}

/// Sends the INVITE. Every try is a transaction of its own, with the same Call-ID and From tag and
/// the next CSeq.
pub(super) fn invite(turn: &mut Turn<'_>, leg: &mut Leg, hop: &Hop, flow: Flow) -> Fate {
    leg.follow(turn, flow);
    leg.cseq = leg.cseq.saturating_add(1);
    let tls = (flow.transport == Transport::Tls).then(|| hop.host.host.as_str().into());
    let Far::Trunk(outside) = &mut leg.far else { return Fate::Over };
    outside.name = tls;
    // What one host has asked of us is no other host's.
    outside.login = None;
    let Some(search) = &outside.search else { return fail(turn, leg) };
    let max_forwards = search.max_forwards;
    let mut target = String::from("sip:");
    escape_user(search.number.as_str(), &mut target);
    target.push('@');
    target.push_str(&hop.host.to_string());
    leg.remote = format!("<{target}>").into();
    let target = target.into();
    let peer = Peer { tag: "".into(), target, routes: Box::default(), cseq: None };
    let Some(key) = turn.core.key_of(leg.tenant()) else {
        return end(turn, leg, EndReason::Internal, None);
    };
    let branch = tag::new_branch(key, &mut turn.core.chance);
    let ends = Ends {
        local: &leg.local,
        local_tag: &leg.tag,
        remote: &leg.remote,
        call_id: &leg.call_id,
        max_forwards,
    };
    let mut writer = ends.write(turn, &flow, &peer, Method::Invite, leg.cseq, &branch);
    identify(turn, leg, &mut writer);
    session_timer::propose(&mut writer, &leg.timed);
    let Some(session) = leg.media.local.take() else {
        return end(turn, leg, EndReason::Internal, None);
    };
    let text = leg.media.describe(turn, &flow, &session, None);
    leg.media.local = Some(session);
    let bytes = writer.finish_with(SDP, &text).into();
    let Some(transaction) =
        leg.request(turn, flow, &branch, Method::Invite, Purpose::Invite, bytes)
    else {
        return end(turn, leg, EndReason::NodeLimit, None);
    };
    leg.phase = Phase::Inviting(Inviting::new(transaction));
    listen(turn, leg);
    Fate::Lives
}

/// What tells a trunk who is calling, besides From.
pub(super) fn identify(turn: &Turn<'_>, leg: &Leg, writer: &mut Writer) {
    let Far::Trunk(outside) = &leg.far else { return };
    let Some(trunk) = turn.core.directory.trunks.get(&outside.trunk) else { return };
    let (Some(search), Some(domain)) = (&outside.search, domain(turn, leg.tenant(), trunk)) else {
        return;
    };
    let shown =
        Shown { identity: &search.identity, diversion: search.diversion.as_ref(), domain: &domain };
    let called = search.number.as_str();
    identity::write(writer, trunk.identity, trunk.forwarding_headers, called, &shown);
}

/// The host of our URIs towards a trunk: its own where we are a user of it, else the tenant's.
pub(super) fn domain(turn: &Turn<'_>, tenant: TenantId, trunk: &Trunk) -> Option<Box<str>> {
    if let (Some(_), Some(host)) = (&trunk.from_user, trunk.hosts.first()) {
        return Some(TrunkHost { port: None, ..host.clone() }.to_string().into());
    }
    turn.core.directory.tenants.get(&tenant).map(|entry| entry.domain.as_str().into())
}

/// Goes on to the next address. Called without an INVITE on its way.
pub(crate) fn next(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    stop(turn, leg);
    leg.phase = Phase::Seeking(Stage::Begin);
    let now = turn.now.mono;
    loop {
        let key = leg.key;
        let Some(search) = search(leg) else { return fail(turn, leg) };
        if search.tries >= TRIES_MAX {
            return fail(turn, leg);
        }
        if let Some(hop) = search.hops.pop_front() {
            if turn.core.bad.is(now, search.transport, hop.remote) {
                search.later.push_back(hop);
                continue;
            }
            return attempt(turn, leg, hop);
        }
        if let Some(host) = search.hosts.pop_front() {
            let bare = host.host.trim_matches(['[', ']']);
            if let Ok(ip) = bare.parse::<IpAddr>() {
                let port = host.port.unwrap_or(default_port(search.transport));
                search.hops.push_back(Hop { remote: SocketAddr::new(ip, port), host });
                continue;
            }
            let name = host.host.to_ascii_lowercase().into();
            let question = Question { host: name, port: host.port, transport: search.transport };
            match turn.core.names.ask(now, question, key) {
                Known::Sites(sites) => {
                    search.hops = hops(turn, &host, sites);
                    continue;
                }
                Known::Asked(lookup, ask) => {
                    if let Some(Question { host, port, transport }) = ask {
                        turn.effects.push(Effect::Resolve { lookup, host, port, transport });
                    }
                    leg.phase = Phase::Seeking(Stage::Asking(lookup, host));
                    wait(turn, leg, REACH_WAIT);
                    return Fate::Lives;
                }
            }
        }
        // Nothing else is left, so what failed lately gets its chance.
        match search.later.pop_front() {
            Some(hop) => return attempt(turn, leg, hop),
            None => return fail(turn, leg),
        }
    }
}
