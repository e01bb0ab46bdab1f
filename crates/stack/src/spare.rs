//! Other flows to a phone that we dial: RFC 5626 4.2, 5.3.

use std::collections::VecDeque;

use model::DeviceId;
use sip::{Message, Method};

use crate::core::Turn;
use crate::dialog::{Far, Inviting, Leg, Phase};
use crate::interface::Bytes;
use crate::tag;
use crate::toward::redirected;
use crate::transaction::Purpose;

/// What is needed to dial the same phone on another flow.
#[derive(Debug)]
pub(crate) struct Spare {
    /// The flows that were not tried, the newest first.
    flows: VecDeque<DeviceId>,
    /// The INVITE as it was sent first.
    invite: Bytes,
}

/// What is known of the flow that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Nothing: nobody answered on it.
    Nothing,
    /// It is gone: 430.
    Flow,
}

impl Spare {
    /// None for a phone with a single flow.
    pub(crate) fn of(flows: Vec<DeviceId>, invite: &Bytes) -> Option<Box<Spare>> {
        let others = !flows.is_empty();
        others.then(|| Box::new(Spare { flows: flows.into(), invite: invite.clone() }))
    }
}

/// The INVITE failed on its flow: it goes out on the next. `false`: there is none.
pub(crate) fn failed(turn: &mut Turn<'_>, leg: &mut Leg, lost: Lost) -> bool {
    if let (Lost::Flow, Far::Phone { device: Some(device), .. }) = (lost, &leg.far) {
        let device = *device;
        let (registrar, mut around) = turn.registrar(leg.tenant());
        registrar.remove(&mut around, device);
    }
    again(turn, leg).is_some()
}

fn again(turn: &mut Turn<'_>, leg: &mut Leg) -> Option<()> {
    let tenant = leg.tenant();
    let Phase::Inviting(inviting) = &mut leg.phase else { return None };
    // What rang on the old flow may still ring: the call is not the same on another.
    if !inviting.early.is_empty() {
        return None;
    }
    let spare = inviting.spare.as_mut()?;
    let Far::Phone { extension, device } = &mut leg.far else { return None };
    let registrar = turn.core.registrars.get(&tenant)?;
    let contact = core::iter::from_fn(|| spare.flows.pop_front())
        .find_map(|device| registrar.device(*extension, device))?;
    *device = Some(contact.device);
    let (flow, uri, path) = (contact.flow, contact.uri.clone(), contact.path.clone());
    let invite = Message::parse(spare.invite.to_vec()).ok()?;
    let branch = tag::new_branch(turn.core.key_of(tenant)?, &mut turn.core.chance);
    let via = turn.core.via(&flow, &branch);
    let spare = inviting.spare.take();
    leg.cseq = leg.cseq.saturating_add(1);
    let bytes = redirected(&invite, (&uri, Some(&path)), &sip::written(via), Some(leg.cseq), None);
    leg.follow(turn, flow);
    let user = leg.user();
    let (method, purpose) = (Method::Invite, Purpose::Invite);
    let transaction = turn.request(flow, &branch, method, purpose, user, bytes.into())?;
    leg.phase = Phase::Inviting(Inviting { spare, ..Inviting::new(transaction) });
    Some(())
}
