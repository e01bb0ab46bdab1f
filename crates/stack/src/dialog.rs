//! A leg and its dialog: RFC 3261 12.

mod ends;
mod peer;

use core::time::Duration;
use std::sync::Arc;

use leg::LegId;
use model::{DeviceId, EndReason, ExtensionId, TenantId};
use serde::{Deserialize, Serialize};
use sip::{Header, Message, Method, Writer};

pub(crate) use self::ends::Ends;
pub(crate) use self::peer::{Peer, Unusable, joined, party, route_set, token, uri};
use crate::core::{Core, LegKey, Turn};
use crate::display::Display;
use crate::early::Early;
use crate::flows::FlowUser;
use crate::interface::{Bytes, Flow, FlowId};
use crate::keys::Keys;
use crate::offer::Media;
use crate::reason;
use crate::refer::Refers;
use crate::reliable::Reliable;
use crate::session_timer::Timed;
use crate::spare::Spare;
use crate::tag;
use crate::timers::{LegTimer, Timer, TimerId};
use crate::transaction::{Purpose, TransactionId, User};
use crate::trunk::{self, Outside, Stage};

/// Max-Forwards of requests inside a dialog: RFC 3261 8.1.1.6.
pub(crate) const MAX_FORWARDS: u8 = 70;

/// One leg.
#[derive(Debug)]
pub(crate) struct Leg {
    /// Whose and which.
    pub(crate) key: LegKey,
    /// Who the peer is.
    pub(crate) far: Far,
    /// Call-ID of the dialog.
    pub(crate) call_id: Arc<str>,
    /// Our tag.
    pub(crate) tag: Box<str>,
    /// Our From or To without its tag.
    pub(crate) local: Box<str>,
    /// The peer's From or To without its tag.
    pub(crate) remote: Box<str>,
    /// Where requests go.
    pub(crate) flow: Flow,
    /// The connection of `flow` is gone.
    pub(crate) lost: bool,
    /// The CSeq number of our last request.
    pub(crate) cseq: u32,
    /// How far it is.
    pub(crate) phase: Phase,
    /// A 2xx of ours whose ACK has not come.
    pub(crate) unacked: Option<Unacked>,
    /// What was offered and answered.
    pub(crate) media: Media,
    /// What the peer can do, as it said last.
    pub(crate) able: Able,
    /// Our reliable provisional responses, once there was one.
    pub(crate) reliable: Option<Box<Reliable>>,
    /// The session timer.
    pub(crate) timed: Timed,
    /// Transfers that the peer has asked for.
    pub(crate) refers: Refers,
    /// Whom the peer is to be shown.
    pub(crate) display: Display,
    /// Keys that the peer is to be told by INFO.
    pub(crate) keys: Keys,
}

/// What the peer's Allow, Supported and Require said last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Able {
    /// It takes UPDATE (RFC 3311).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) update: bool,
    /// It knows session timers (RFC 4028).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) timer: bool,
    /// Whether its INVITE wants provisional responses to be reliable (RFC 3262).
    pub(crate) reliable: Wanted,
}

/// Whether provisional responses may or must be reliable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wanted {
    /// They must not: the peer does not know how.
    #[default]
    Never,
    /// They may.
    Possible,
    /// They must.
    Required,
}

/// Who the peer of a leg is.
#[derive(Debug)]
pub(crate) enum Far {
    /// A phone.
    Phone {
        /// Whose.
        extension: ExtensionId,
        /// Which of its devices.
        device: Option<DeviceId>,
    },
    /// A trunk.
    Trunk(Box<Outside>),
}

/// How far a leg is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// We dial a trunk, and no INVITE is on its way.
    Seeking(Stage),
    /// It came in and has no final response.
    Invited(Invited),
    /// We dial it and it has no final response.
    Inviting(Inviting),
    /// It was answered.
    Up(Peer),
}

/// A leg that came in and has no final response.
#[derive(Debug)]
pub(crate) struct Invited {
    /// The INVITE, to answer it.
    pub(crate) request: Box<Message>,
    /// Where it came from.
    pub(crate) source: Flow,
    /// Its transaction.
    pub(crate) transaction: TransactionId,
    /// The peer's side of the dialog.
    pub(crate) peer: Peer,
    /// The newest provisional response above 100, which is repeated once a minute.
    pub(crate) provisional: Option<(Bytes, TimerId)>,
    /// Ends it if the exchange says nothing for too long.
    pub(crate) stalled: TimerId,
}

/// A leg that we dial and that has no final response.
#[derive(Debug)]
pub(crate) struct Inviting {
    /// The INVITE's transaction.
    pub(crate) transaction: TransactionId,
    /// The forks that were heard: early dialogs (12.1.2).
    pub(crate) early: Vec<Early>,
    /// Any response was heard.
    pub(crate) heard: bool,
    /// Other flows to the same phone, if it has any: RFC 5626 4.2.
    pub(crate) spare: Option<Box<Spare>>,
}

/// A 2xx of ours whose ACK has not come: RFC 3261 13.3.1.4.
#[derive(Debug)]
pub(crate) struct Unacked {
    /// The CSeq number of its INVITE.
    pub(crate) cseq: u32,
    /// The 2xx.
    pub(crate) bytes: Bytes,
    /// Where it goes.
    pub(crate) flow: Flow,
    /// Until it is sent again.
    pub(crate) interval: Duration,
    /// Repeats it.
    pub(crate) repeat: TimerId,
    /// Ends the wait.
    pub(crate) lost: TimerId,
    /// It began the leg.
    pub(crate) first: bool,
    /// It carried an offer, whose answer the ACK brings.
    pub(crate) offer: bool,
    /// The exchange has ended the leg, and why: RFC 3261 15 wants the ACK before our BYE.
    pub(crate) ending: Option<EndReason>,
}

/// Whether a leg goes on after it was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes on.
    Lives,
    /// It is over.
    Over,
}

impl Inviting {
    /// Nothing was heard yet.
    pub(crate) fn new(transaction: TransactionId) -> Inviting {
        Inviting { transaction, early: Vec::new(), heard: false, spare: None }
    }
}

impl Able {
    /// Takes what a message says; what it does not speak of stays as it was.
    pub(crate) fn learn(&mut self, message: &Message) {
        if message.has(Header::Allow) {
            self.update = message.has_token(Header::Allow, "UPDATE");
        }
        let requires = |tag| message.has_token(Header::Require, tag);
        if message.has(Header::Supported) || requires("timer") {
            self.timer = message.has_token(Header::Supported, "timer") || requires("timer");
        }
        self.reliable = if requires("100rel") {
            Wanted::Required
        } else if message.has_token(Header::Supported, "100rel") {
            Wanted::Possible
        } else {
            Wanted::Never
        };
    }
}

impl Leg {
    /// Its tenant.
    pub(crate) fn tenant(&self) -> TenantId {
        self.key.0
    }

    /// Its number.
    pub(crate) fn id(&self) -> LegId {
        self.key.1
    }

    /// The user of its transactions.
    pub(crate) fn user(&self) -> User {
        User::Leg(self.key.0, self.key.1)
    }

    /// The peer's side, once there is one.
    pub(crate) fn peer(&self) -> Option<&Peer> {
        match &self.phase {
            Phase::Invited(invited) => Some(&invited.peer),
            Phase::Seeking(_) | Phase::Inviting(_) => None,
            Phase::Up(peer) => Some(peer),
        }
    }

    /// Whether a request belongs to this dialog: RFC 3261 12.2.2. Its To tag is ours already.
    pub(crate) fn matches(&self, request: &Message) -> bool {
        let tag = request.from_tag().unwrap_or("");
        request.call_id().is_ok_and(|call_id| self.is_with(call_id, tag))
    }

    /// Whether this is the Call-ID and the peer's tag of this dialog, or of an early one of it.
    pub(crate) fn is_with(&self, call_id: &str, tag: &str) -> bool {
        let knows = match &self.phase {
            Phase::Seeking(_) => false,
            Phase::Invited(invited) => *invited.peer.tag == *tag,
            Phase::Inviting(inviting) => inviting.early.iter().any(|e| *e.peer.tag == *tag),
            Phase::Up(peer) => *peer.tag == *tag,
        };
        knows && *call_id == *self.call_id
    }

    /// Whether the exchange has ended it, and only its ACK is waited for.
    pub(crate) fn is_ending(&self) -> bool {
        self.unacked.as_ref().is_some_and(|u| u.ending.is_some())
    }

    /// The peer's side of the dialog of one of its messages, whose tag this is.
    pub(crate) fn peer_tagged(&mut self, tag: &str) -> Option<&mut Peer> {
        match &mut self.phase {
            Phase::Seeking(_) => None,
            Phase::Invited(invited) => Some(&mut invited.peer),
            Phase::Inviting(inviting) => {
                inviting.early.iter_mut().map(|e| &mut e.peer).find(|p| *p.tag == *tag)
            }
            Phase::Up(peer) => Some(peer),
        }
    }

    /// Lets requests go to where the peer's last one came from.
    pub(crate) fn follow(&mut self, turn: &mut Turn<'_>, flow: Flow) {
        if self.flow == flow && !self.lost {
            return;
        }
        let user = FlowUser::Leg(self.tenant(), self.id());
        turn.core.flows.remove(&self.flow, user);
        turn.core.flows.add(&flow, user);
        self.flow = flow;
        self.lost = false;
    }

    /// Where a request can go now. The device may have come back on another connection; to a trunk
    /// a new one is made.
    pub(crate) fn way(&mut self, turn: &mut Turn<'_>) -> Option<Flow> {
        match &self.far {
            Far::Phone { extension, device } if self.lost => {
                let registrar = turn.core.registrars.get(&self.tenant())?;
                let (extension, device) = (*extension, (*device)?);
                let contact = registrar.device(extension, device);
                let contact = contact.or_else(|| registrar.returned(extension, device, &self.flow));
                let flow = contact?.flow;
                self.follow(turn, flow);
                Some(flow)
            }
            Far::Trunk(_) if self.lost => Some(Flow { id: FlowId::BY_ADDRESS, ..self.flow }),
            Far::Phone { .. } | Far::Trunk(_) => Some(self.flow),
        }
    }

    /// Starts one of its timers.
    pub(crate) fn start(&self, turn: &mut Turn<'_>, after: Duration, timer: LegTimer) -> TimerId {
        let timer = Timer::Leg(self.tenant(), self.id(), timer);
        turn.core.timers.start(turn.now.mono, after, timer)
    }

    /// Begins a request inside the dialog, with the next CSeq: RFC 3261 12.2.1.1.
    pub(crate) fn begin(
        &mut self,
        turn: &mut Turn<'_>,
        flow: &Flow,
        method: Method,
    ) -> Option<(Writer, String)> {
        let (branch, cseq) = self.next(turn)?;
        let mut writer = self.write(turn, flow, self.peer()?, method, cseq, &branch);
        if matches!(self.far, Far::Trunk(_)) {
            let uri = self.peer()?.route().0.to_owned();
            self.prove(turn, flow, (method, &uri), &mut writer);
        }
        Some((writer, branch))
    }

    /// The same in the dialog with this peer, of those that a leg may have before it is up.
    pub(crate) fn begin_to(
        &mut self,
        turn: &mut Turn<'_>,
        flow: &Flow,
        method: Method,
        peer: &Peer,
    ) -> Option<(Writer, String)> {
        let (branch, cseq) = self.next(turn)?;
        let mut writer = self.write(turn, flow, peer, method, cseq, &branch);
        self.prove(turn, flow, (method, peer.route().0), &mut writer);
        Some((writer, branch))
    }

    /// Branch and CSeq number of the next request.
    fn next(&mut self, turn: &mut Turn<'_>) -> Option<(String, u32)> {
        let key = turn.core.key_of(self.tenant())?;
        self.cseq = self.cseq.saturating_add(1);
        Some((tag::new_branch(key, &mut turn.core.chance), self.cseq))
    }

    /// Adds what a trunk wants as a proof.
    fn prove(
        &mut self,
        turn: &mut Turn<'_>,
        flow: &Flow,
        (method, uri): (Method, &str),
        writer: &mut Writer,
    ) {
        let tenant = self.tenant();
        if let Far::Trunk(outside) = &mut self.far {
            outside.proof = outside.prove(turn, tenant, flow, (method.as_str(), uri));
            if let Some((header, proof)) = &outside.proof {
                writer.header(*header, proof);
            }
        }
    }

    /// Sends the BYE; it says why where that is not plain.
    pub(crate) fn bye(&mut self, turn: &mut Turn<'_>, reason: EndReason) {
        let Some(flow) = self.way(turn) else { return };
        let Some((mut writer, branch)) = self.begin(turn, &flow, Method::Bye) else { return };
        reason::write(&mut writer, Method::Bye, reason);
        let bytes = turn.core.sealed(writer.finish());
        self.request(turn, flow, &branch, Method::Bye, Purpose::Bye, bytes);
    }

    /// Everything of a request but its body.
    pub(crate) fn write(
        &self,
        turn: &Turn<'_>,
        flow: &Flow,
        peer: &Peer,
        method: Method,
        cseq: u32,
        branch: &str,
    ) -> Writer {
        let ends = Ends {
            local: &self.local,
            local_tag: &self.tag,
            remote: &self.remote,
            call_id: &self.call_id,
            max_forwards: MAX_FORWARDS,
        };
        ends.write(turn, flow, peer, method, cseq, branch)
    }

    /// Forgets what waits for the ACK of a 2xx.
    pub(crate) fn acknowledged(&mut self, turn: &mut Turn<'_>) -> Option<Unacked> {
        let unacked = self.unacked.take()?;
        turn.core.timers.stop(unacked.repeat);
        turn.core.timers.stop(unacked.lost);
        Some(unacked)
    }

    /// Whether what it names is there; the number of its timers.
    pub(crate) fn check(&self, core: &Core) -> Result<usize, String> {
        let unacked = self.unacked.iter().flat_map(|u| [u.repeat, u.lost]);
        let (stalled, ringing) = match &self.phase {
            Phase::Invited(invited) => {
                (Some(invited.stalled), invited.provisional.as_ref().map(|(_, timer)| *timer))
            }
            Phase::Seeking(_) | Phase::Inviting(_) | Phase::Up(_) => (None, None),
        };
        let reach = match &self.far {
            Far::Trunk(outside) => outside.timer,
            Far::Phone { .. } => None,
        };
        let reliable = self.reliable.iter().flat_map(|r| r.timers());
        let others = self.media.timer().into_iter().chain(self.timed.timer()).chain(reliable);
        let others = others.chain(self.refers.timers()).chain(self.display.timer);
        let mut count = 0;
        for timer in unacked.chain(ringing).chain(stalled).chain(reach).chain(others) {
            count += 1;
            match core.timers.what(timer) {
                Some(Timer::Leg(tenant, leg, _)) if (tenant, leg) == self.key => {}
                other => return Err(format!("{:?} names a timer of {other:?}", self.key)),
            }
        }
        let transaction = match &self.phase {
            Phase::Invited(invited) => Some(invited.transaction),
            Phase::Inviting(inviting) => Some(inviting.transaction),
            Phase::Seeking(_) | Phase::Up(_) => None,
        };
        match transaction {
            Some(id) if core.transactions.get(id).is_none_or(|t| t.user != self.user()) => {
                Err(format!("{:?} waits for a transaction that is gone", self.key))
            }
            _ => Ok(count),
        }
    }

    /// Stops everything that the leg has running; it is about to go.
    pub(crate) fn clear(&mut self, turn: &mut Turn<'_>) {
        self.acknowledged(turn);
        self.media.clear(turn);
        trunk::clear(turn, self);
        self.timed.stop(turn);
        self.refers.stop(turn);
        self.display.stop(turn);
        if let Some(reliable) = &mut self.reliable {
            reliable.stop(turn);
        }
        if let Phase::Invited(invited) = &mut self.phase {
            turn.core.timers.stop(invited.stalled);
            if let Some((_, timer)) = invited.provisional.take() {
                turn.core.timers.stop(timer);
            }
        }
        let tag = turn.core.tag_key(&self.tag);
        turn.core.by_tag.remove(&tag);
        turn.core.flows.remove(&self.flow, FlowUser::Leg(self.tenant(), self.id()));
    }
}

impl Peer {
    /// The peer of a 2xx that lacks a Contact: it is addressed as we called it, so that it gets
    /// its ACK and its BYE.
    pub(crate) fn without_contact(response: &Message) -> Result<Peer, Unusable> {
        let to = response.to().map_err(|_| Unusable)?;
        let target = uri(&to.uri)?;
        Ok(Peer { tag: "".into(), target, routes: Box::default(), cseq: None })
    }
}
