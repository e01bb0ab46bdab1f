//! Requests within a dialog, ACK and CANCEL.

use std::collections::BTreeMap;

use model::Now;
use sip::{Message, Method};

use super::Endpoint;
use crate::core::{LegKey, Turn};
use crate::dialog::{Far, Leg};
use crate::interface::{Effect, Flow};
use crate::replaces::Named;
use crate::transaction::{Machine, Purpose, TransactionId, User, invite_server};
use crate::uas::{Proven, same_ip};
use crate::{auth, in_dialog, offer, replaces, trunk, uas, watch};

/// The leg that a request with our tag in To belongs to.
pub(super) fn leg_of(
    turn: &Turn<'_>,
    legs: &BTreeMap<LegKey, Box<Leg>>,
    message: &Message,
) -> Option<LegKey> {
    let tag = message.to_tag()?;
    let key = turn.core.by_tag.get(&turn.core.tag_key(tag))?;
    legs.get(key)?.matches(message).then_some(*key)
}

/// Whether a request comes from where the peer of a leg is.
pub(super) fn is_near(turn: &Turn<'_>, leg: &Leg, flow: &Flow) -> bool {
    let ip = flow.remote.ip();
    same_ip(leg.flow.remote.ip(), ip)
        || match &leg.far {
            Far::Trunk(outside) => trunk::is_at(turn, outside.trunk, ip),
            Far::Phone { .. } => false,
        }
}

impl Endpoint {
    /// An ACK that no transaction has absorbed: that of a 2xx.
    pub(super) fn ack(
        &mut self,
        now: Now,
        flow: Flow,
        message: &Message,
        effects: &mut Vec<Effect>,
    ) {
        let turn = Turn { core: &mut self.core, now, effects };
        let near = |leg: &Leg| is_near(&turn, leg, &flow);
        let key = leg_of(&turn, &self.legs, message);
        let key = key.filter(|k| self.legs.get(k).is_some_and(|l| near(l)));
        match key {
            Some(key) => {
                self.with_leg(now, key, effects, |turn, leg| in_dialog::ack(turn, leg, message));
            }
            // 17.1.1.3: nothing is ever said to an ACK. Those of our answers without state come
            // here too.
            None => self.core.counters.dropped += 1,
        }
    }

    /// CANCEL for an INVITE that is there: RFC 3261 9.2.
    pub(super) fn cancel(
        &mut self,
        now: Now,
        flow: Flow,
        id: TransactionId,
        message: &Message,
        effects: &mut Vec<Effect>,
    ) {
        let mut turn = Turn { core: &mut self.core, now, effects };
        let Some(transaction) = turn.core.transactions.get(id) else { return };
        let open = transaction.machine == Machine::InviteServer(invite_server::State::Proceeding);
        let (user, purpose) = (transaction.user, transaction.purpose);
        let key = match user {
            User::Leg(tenant, leg) => Some((tenant, leg)),
            User::Nobody | User::Cancelling { .. } => None,
        };
        // 9.2: the To tag of the CANCEL's response is that of the INVITE's.
        let tag = key.and_then(|k| self.legs.get(&k)).map(|l| l.tag.clone());
        let writer = turn.response(message, &flow, 200, tag.as_deref());
        turn.send(turn.reply_flow(message, &flow), writer.finish().into());
        let Some(key) = key.filter(|_| open) else { return };
        self.with_leg(now, key, effects, |turn, leg| match purpose {
            Purpose::Invite => uas::cancelled(turn, leg, message),
            _ => offer::reject(turn, leg, 487),
        });
    }

    /// A request with a To tag.
    pub(super) fn inside(
        &mut self,
        now: Now,
        flow: Flow,
        cell: &mut Option<Message>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(message) = cell.as_ref() else { return };
        let mut turn = Turn { core: &mut self.core, now, effects };
        if let Some(key) = watch::of(&turn, message) {
            return watch::inside(&mut turn, key, flow, message);
        }
        let Some(key) = leg_of(&turn, &self.legs, message) else {
            return turn.refuse(message, &flow, 481, |_| {});
        };
        let leg = self.legs.get(&key);
        let near = leg.is_some_and(|l| is_near(&turn, l, &flow));
        if !near {
            // From elsewhere the tags alone are no proof: the same phone must show its password.
            // A trunk has none to show.
            let Some(Far::Phone { extension, .. }) = leg.map(|l| &l.far) else {
                return turn.refuse(message, &flow, 403, |_| {});
            };
            match auth::prove(&mut turn, &flow, message) {
                Ok(Proven { tenant, extension: e, .. }) if tenant == key.0 && e == *extension => {}
                Ok(_) => return turn.refuse(message, &flow, 403, |_| {}),
                Err(freshness) => return auth::challenge(&mut turn, message, &flow, freshness),
            }
        }
        let named = match message.method() {
            Some(Method::Refer) => replaces::of_refer(&turn, &self.legs, key.0, message),
            _ => Named::Nothing,
        };
        self.with_leg(now, key, effects, |turn, leg| {
            in_dialog::request(turn, leg, flow, cell, named)
        });
    }
}
