//! A leg from what was saved of it.

use std::borrow::Cow;

use leg::{Identity, Session};
use model::EndReason;
use sip::sdp::OfferShape;
use sip::{Message, Method};
use smallvec::SmallVec;

use super::form::Blob;
use super::form::{SavedLeg, SavedMedia, SavedPhase, SavedSearch, SavedTrunk};
use super::{Moved, SavedLine, nowhere};
use crate::core::{LegKey, Turn};
use crate::dialog::{Far, Invited, Inviting, Leg, Peer, Phase, Unacked};
use crate::display::Display;
use crate::flows::FlowUser;
use crate::interface::{Bytes, Effect, Flow, FlowId};
use crate::limits::{PROVISIONAL_INTERVAL, STALLED, T1, T1_64};
use crate::offer::Media;
use crate::refer::Refers;
use crate::saved_dialog::{SavedEarly, early_of_version_1};
use crate::session_timer::Timed;
use crate::timers::LegTimer;
use crate::transaction::{
    Machine, Purpose, Timer, Transaction, TransactionId, User, invite_client, invite_server,
};
use crate::trunk::{self, Outside, Search, Stage};

pub(super) fn restore_trunk(turn: &Turn<'_>, saved: SavedTrunk) -> Outside {
    let trunk = turn.core.directory.trunks.get(&saved.trunk);
    let search = trunk.zip(saved.search).map(|(trunk, search)| {
        let SavedSearch { number, private, identity, diversion, max_forwards } = search;
        let identity = identity.unwrap_or(Identity { private, ..Identity::nobody() });
        Search::new(trunk, number, (identity, diversion), max_forwards)
    });
    let mut outside = Outside::new(saved.trunk, search);
    outside.name = saved.name;
    outside.login = saved.login;
    outside
}

pub(super) fn restore(
    turn: &mut Turn<'_>,
    key: LegKey,
    saved: SavedLeg<'_>,
    moved: &Moved,
) -> Option<Box<Leg>> {
    let flow = moved.flow(saved.flow);
    let is_trunk = saved.trunk.is_some();
    let far = match saved.trunk {
        Some(trunk) => Far::Trunk(Box::new(restore_trunk(turn, trunk))),
        None => Far::Phone { extension: saved.extension, device: saved.device },
    };
    let mut leg = Box::new(Leg {
        key,
        far,
        call_id: saved.call_id.into(),
        tag: saved.tag.into(),
        local: saved.local.into(),
        remote: saved.remote.into(),
        flow: flow.unwrap_or_else(|| nowhere(saved.flow)),
        lost: saved.lost || flow.is_none(),
        cseq: saved.cseq,
        // Replaced below.
        phase: Phase::Up(Peer::default()),
        unacked: None,
        media: restored_media(saved.media),
        able: saved.able,
        reliable: None,
        timed: Timed::default(),
        refers: Refers::default(),
        keys: Default::default(),
        display: Display::default(),
    });
    let flow = leg.flow;
    leg.phase = match saved.phase {
        SavedPhase::Seeking => {
            trunk::resume(turn, &mut leg);
            Phase::Seeking(Stage::Begin)
        }
        SavedPhase::Up(peer) => Phase::Up(peer.into_owned()),
        SavedPhase::Invited { request, source, peer, provisional } => {
            let request = Box::new(Message::parse(request.0.into_owned()).ok()?);
            let peer = peer.into_owned();
            let source = moved.flow(source).unwrap_or_else(|| nowhere(source));
            let transaction = invited(turn, key, &request, source, provisional.as_ref())?;
            let provisional = provisional.map(|bytes| {
                let timer = leg.start(turn, PROVISIONAL_INTERVAL, LegTimer::Provisional);
                (bytes.0.into(), timer)
            });
            let stalled = leg.start(turn, STALLED, LegTimer::Stalled);
            Phase::Invited(Invited { request, source, transaction, peer, provisional, stalled })
        }
        SavedPhase::Inviting { request, proceeding, early, forks, heard } => {
            let way = match is_trunk && leg.lost {
                true => Flow { id: FlowId::BY_ADDRESS, ..flow },
                false => flow,
            };
            let transaction = inviting(turn, key, request?, way, proceeding)?;
            let toward = leg.toward(Purpose::Invite);
            if toward.is_some() {
                // Its proof was not kept, so it is not sent again.
                turn.core.transactions.stop_repeating(transaction, &mut turn.core.timers);
                if let Some(invite) = turn.core.transactions.get_mut(transaction) {
                    invite.toward = toward;
                }
                if !heard {
                    trunk::listen(turn, &mut leg);
                }
            }
            let heard_of = leg.media.remote.clone();
            let of_version_1 = early.into_iter().map(|(tag, described)| {
                early_of_version_1(tag.into(), heard_of.clone().filter(|_| described))
            });
            let early = of_version_1.chain(forks.into_iter().map(SavedEarly::restore)).collect();
            Phase::Inviting(Inviting { transaction, early, heard, spare: None })
        }
    };
    if let Some(unacked) = saved.unacked {
        leg.unacked = Some(Unacked {
            cseq: unacked.cseq,
            bytes: unacked.bytes.0.into(),
            interval: T1,
            repeat: leg.start(turn, T1, LegTimer::Answer),
            lost: leg.start(turn, moved.left(unacked.lost), LegTimer::AnswerLost),
            first: unacked.first,
            offer: unacked.offer,
            ending: unacked.ending.then(|| unacked.why.unwrap_or(EndReason::CallerHungUp)),
            flow: unacked.flow.and_then(|f| moved.flow(f)).unwrap_or(flow),
        });
    }
    if let Some(reliable) = saved.reliable {
        leg.reliable = Some(reliable.restore(turn, &leg, moved));
    }
    if let Some(timed) = saved.timed {
        timed.restore(turn, &mut leg, moved);
    }
    if let Some(refers) = saved.refers {
        refers.restore(turn, &mut leg, moved);
    }
    leg.display.restore(saved.display.map(Cow::into_owned));
    let Leg { media, .. } = &mut *leg;
    media.remember(turn, &flow);
    if !leg.lost {
        turn.core.flows.add(&leg.flow, FlowUser::Leg(key.0, key.1));
    }
    let print = turn.core.tag_key(&leg.tag);
    turn.core.by_tag.insert(print, key);
    if key.1.is_incoming() {
        turn.core.incoming = turn.core.incoming.max((key.1.0 >> 1).saturating_add(1));
    }
    Some(leg)
}

pub(super) fn restored_media(saved: SavedMedia<'_>) -> Media {
    let owned = |session: Option<Cow<'_, Session>>| session.map(|s| Box::new(s.into_owned()));
    let mut media = Media::new(0);
    media.origin = saved.origin;
    media.version = saved.version;
    media.local = owned(saved.local);
    media.remote = owned(saved.remote);
    media.own = saved.own;
    media.wanted = owned(saved.wanted);
    media.shape = saved.shape.map(|s| {
        let line = |(kind, protocol, format): SavedLine<'_>| sip::sdp::Media {
            kind: kind.into(),
            protocol: protocol.into(),
            format: format.into(),
        };
        let media: SmallVec<_> = s.media.into_iter().map(line).collect();
        Box::new(OfferShape { media, audio: s.audio, time: s.time })
    });
    media
}

/// The server transaction of an INVITE that has no final response.
pub(super) fn invited(
    turn: &mut Turn<'_>,
    key: LegKey,
    request: &Message,
    source: Flow,
    provisional: Option<&Blob<'_>>,
) -> Option<TransactionId> {
    let print = turn.core.server_key(request, Method::Invite.as_str())?;
    let initial = turn.core.initial(request)?;
    let machine = Machine::InviteServer(invite_server::State::Proceeding);
    let user = User::Leg(key.0, key.1);
    let mut transaction = Transaction::new(print, machine, source, Purpose::Invite, user);
    transaction.message = provisional.map(|b| (&*b.0).into());
    let call_id = initial.call_id.clone();
    transaction.initial = Some(Box::new(initial));
    turn.effects.push(Effect::InviteTaken { tenant: key.0, call_id });
    Some(turn.insert(transaction))
}

/// The client transaction of an INVITE that has no final response.
pub(super) fn inviting(
    turn: &mut Turn<'_>,
    key: LegKey,
    request: Blob<'_>,
    flow: Flow,
    proceeding: bool,
) -> Option<TransactionId> {
    let bytes: Bytes = (&*request.0).into();
    let request = Message::parse(request.0.into_owned()).ok()?;
    let branch = request.top_via().ok()?.branch?;
    let print = turn.core.client_key(branch, Method::Invite);
    let state = if proceeding {
        invite_client::State::Proceeding
    } else {
        invite_client::State::Calling { interval_ms: 500 }
    };
    let (machine, user) = (Machine::InviteClient(state), User::Leg(key.0, key.1));
    let mut transaction = Transaction::new(print, machine, flow, Purpose::Invite, user);
    transaction.message = Some(bytes);
    let id = turn.insert(transaction);
    if !proceeding {
        let (now, timers) = (turn.now.mono, &mut turn.core.timers);
        if !flow.transport.is_reliable() {
            turn.core.transactions.start_timer(id, now, timers, Timer::A, T1);
        }
        turn.core.transactions.start_timer(id, now, timers, Timer::B, T1_64);
    }
    Some(id)
}
