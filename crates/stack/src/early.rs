//! Early dialogs of an INVITE of ours: its forks (RFC 3261 12.1.2), their reliable provisional
//! responses (RFC 3262 4), and what they may ask before one of them has answered.

use leg::{LegEvent, Session};
use sip::{Header, Message, Method};

use crate::core::Turn;
use crate::dialog::{Able, Fate, Leg, Peer, Phase};
use crate::interface::Flow;
use crate::limits::FORKS_MAX;
use crate::transaction::Purpose;
use crate::{in_dialog, offer};

/// One fork that was heard.
#[derive(Clone, Debug)]
pub(crate) struct Early {
    /// Its side of the dialog. Its target is empty while no response had a usable Contact.
    pub(crate) peer: Peer,
    /// What it can do.
    pub(crate) able: Able,
    /// How it described itself last.
    pub(crate) session: Option<Box<Session>>,
    /// The RSeq of its last reliable response.
    pub(crate) rseq: Option<u32>,
    /// Whether its description came reliably, and so is the answer for good.
    pub(crate) answered: Answered,
}

/// How the answer of a fork came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answered {
    /// Not at all, or as a mere preview.
    Perhaps,
    /// In a reliable response.
    Reliably,
}

impl Early {
    /// Whether offers may go both ways: its answer is agreed (RFC 3311 5.1).
    pub(crate) fn is_agreed(&self) -> bool {
        self.answered == Answered::Reliably
    }
}

/// A provisional response above 100. Its description is early media; it counts as the answer
/// only in the 2xx of the same fork, or when it came reliably.
pub(crate) fn progress(turn: &mut Turn<'_>, leg: &mut Leg, status: u16, response: &Message) {
    let Some(heard) = hear(leg, response) else { return };
    let Phase::Inviting(inviting) = &mut leg.phase else { return };
    let Some(fork) = inviting.early.get_mut(heard.fork) else { return };
    let early = if fork.is_agreed() {
        // RFC 3261 13.2.1: after the answer no description counts any more.
        None
    } else {
        offer::description(response).ok().flatten().map(|d| Box::new(d.session))
    };
    if let Some(session) = &early {
        fork.session = Some(session.clone());
        if heard.rseq.is_some() {
            fork.answered = Answered::Reliably;
        }
        leg.media.remote = Some(session.clone());
    }
    if let Some(rseq) = heard.rseq {
        fork.rseq = Some(rseq);
        let peer = fork.peer.clone();
        acknowledge(turn, leg, &peer, rseq, response);
    }
    turn.tell(leg.key, LegEvent::Progress { status, early });
    offer::pump(turn, leg);
}

/// Which fork a response is of, and its number if it is reliable and the next one.
struct Heard {
    fork: usize,
    rseq: Option<u32>,
}

/// Finds the fork of a response, or takes it in. `None`: there is no room, or the response is
/// reliable and out of its order (RFC 3262 4), so that it counts for nothing.
fn hear(leg: &mut Leg, response: &Message) -> Option<Heard> {
    let tag = response.to_tag().unwrap_or("");
    let Phase::Inviting(inviting) = &mut leg.phase else { return None };
    let known = inviting.early.iter().position(|e| *e.peer.tag == *tag);
    let fork = match known {
        Some(fork) => fork,
        None if inviting.early.len() < FORKS_MAX => {
            let nameless = || Peer { tag: tag.into(), ..Peer::default() };
            let peer = Peer::of(response).unwrap_or_else(|_| nameless());
            inviting.early.push(Early {
                peer,
                able: Able::default(),
                session: None,
                rseq: None,
                answered: Answered::Perhaps,
            });
            inviting.early.len() - 1
        }
        None => return None,
    };
    let early = inviting.early.get_mut(fork)?;
    let is_reliable = response.has_token(Header::Require, "100rel");
    let rseq = response.number(Header::RSeq).ok().flatten().filter(|_| is_reliable);
    if let (Some(rseq), Some(last)) = (rseq, early.rseq)
        && last.checked_add(1) != Some(rseq)
    {
        return None;
    }
    early.able.learn(response);
    if early.peer.target.is_empty()
        && let Ok(peer) = Peer::of(response)
    {
        early.peer = peer;
    } else if let Some(target) = offer::target(response) {
        early.peer.target = target;
    }
    // Without a Contact there is nowhere to send its PRACK to.
    let reachable = !early.peer.target.is_empty();
    Some(Heard { fork, rseq: rseq.filter(|_| reachable) })
}

/// The PRACK of a reliable response: RFC 3262 4. Its transaction repeats it, so copies of the
/// response need no further one.
fn acknowledge(turn: &mut Turn<'_>, leg: &mut Leg, peer: &Peer, rseq: u32, response: &Message) {
    let Ok(cseq) = response.cseq().map(|c| c.number) else { return };
    let Some(flow) = leg.way(turn) else { return };
    let Some((mut writer, branch)) = leg.begin_to(turn, &flow, Method::Prack, peer) else { return };
    writer.header(Header::RAck, format_args!("{rseq} {cseq} INVITE"));
    let bytes = writer.finish().into();
    leg.request(turn, flow, &branch, Method::Prack, Purpose::Prack, bytes);
}

/// A request of a fork that has not answered yet; its order was found right.
pub(crate) fn request(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    flow: Flow,
    cell: &mut Option<Message>,
) -> Fate {
    let Some(message) = cell.as_ref() else { return Fate::Lives };
    match message.method() {
        Some(Method::Update | Method::Invite) => offer::request(turn, leg, flow, cell),
        Some(Method::Options) => {
            turn.answer(message, &flow, Some(&leg.tag), 200, in_dialog::capabilities);
            Fate::Lives
        }
        Some(Method::Info) => {
            in_dialog::info(turn, leg, &flow, message);
            Fate::Lives
        }
        // 15: a callee must not send BYE before its answer; we never sent it a reliable response.
        _ => {
            turn.answer(message, &flow, Some(&leg.tag), 481, |_| {});
            Fate::Lives
        }
    }
}

/// The newest fork to which an offer of ours may go before it has answered.
pub(crate) fn open_to_offers(leg: &Leg) -> Option<Peer> {
    let Phase::Inviting(inviting) = &leg.phase else { return None };
    let open = |e: &&Early| e.is_agreed() && e.able.update;
    inviting.early.iter().rev().find(open).map(|e| e.peer.clone())
}

/// The fork with this tag; it has answered.
pub(crate) fn take(leg: &mut Leg, tag: &str) -> Option<Early> {
    let Phase::Inviting(inviting) = &mut leg.phase else { return None };
    let at = inviting.early.iter().position(|e| *e.peer.tag == *tag)?;
    Some(inviting.early.swap_remove(at))
}
