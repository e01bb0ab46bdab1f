//! One call at a phone: its dialog, its session, how far it has come.

use core::net::SocketAddr;
use core::time::Duration;

use model::{Codec, Mono};
use sip::{Header, Method};

use super::description::{self, Described, EVENTS_PAYLOAD_TYPE, Own};
use super::manner::{Events, Hold, Manner};
use super::message::{Party, Seen};
use super::request::{Draft, Place};
use super::transaction::Repeat;
use super::voice::{Channel, Ear, Mouth};

/// How far a call has come, as the person at the phone sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Dialled; nothing has been heard above 100.
    Calling,
    /// Dialled; the switch said 180, 183 or the like.
    Progressing(u16),
    /// The phone rings.
    Ringing,
    /// Answered.
    Talking,
    /// Over.
    Over(Outcome),
}

/// How a call ended, as the phone saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The switch refused it with this status.
    Refused(u16),
    /// This phone refused it with this status.
    Declined(u16),
    /// This phone gave up before the answer.
    GaveUp,
    /// The switch cancelled it, with this Reason.
    Cancelled(Option<String>),
    /// This phone hung up.
    HungUp,
    /// The other side hung up, with this Reason.
    PeerHungUp(Option<String>),
    /// The switch did not answer any more.
    Lost,
}

/// Who began a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The phone.
    Out,
    /// The other side.
    In,
}

/// What a call waits for by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    Answer,
    Refuse(u16),
    /// Offer the session anew after a 491.
    OfferAgain,
    HangUp,
}

/// A 2xx without its ACK (RFC 3261 13.3.1.4).
#[derive(Debug)]
pub(super) struct Unacked {
    pub(super) cseq: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) repeat: Repeat,
    pub(super) until: Mono,
    /// The 2xx carried an offer, so the ACK carries the answer.
    pub(super) owes_answer: bool,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: u32,
    pub(crate) way: Way,
    /// The number that was dialled, or that calls.
    pub(crate) number: String,
    pub(crate) state: CallState,
    pub(super) dialog: Dialog,
    /// Ours: the CSeq of the INVITE, and whether a response has come to it.
    pub(super) invite_cseq: u32,
    pub(super) is_heard: bool,
    pub(super) wants_cancel: bool,
    /// The ACK of the 2xx with this CSeq, for its repetitions.
    pub(super) ack: Option<(u32, Vec<u8>)>,
    /// Theirs: the INVITE that waits for a final response.
    pub(super) invite: Option<Seen>,
    pub(super) unacked: Option<Unacked>,
    pub(super) wakes: Vec<(Mono, Wake)>,
    pub(super) session: Session,
    /// A re-INVITE of ours is under way.
    pub(super) is_offering: bool,
    pub(super) rejected_offers: u32,
    pub(crate) mouth: Mouth,
    pub(crate) ear: Ear,
    /// Digits that came by INFO.
    pub(crate) info_digits: String,
    /// Ours: the RSeq that was acknowledged last.
    pub(super) heard_rseq: Option<u32>,
    /// Theirs: the reliable response whose PRACK has not come.
    pub(super) unpracked: Option<Unpracked>,
    /// The RSeq sent last.
    pub(super) rseq: u32,
    /// Reliable responses acknowledged, by either side.
    pub(crate) pracks: u32,
    /// The session timer that runs.
    pub(super) timer: Option<super::reliable::Running>,
    /// How often the session was refreshed, by either side.
    pub(crate) refreshes: u32,
    /// The call by which a carrier leads this one on.
    pub(super) led_by: Option<u32>,
    /// The tag of the early dialog that was heard of last.
    pub(super) early_tag: String,
    /// What became of its REFERs.
    pub(crate) referral: super::transfer::Referral,
    /// Whom the switch has shown last at the other end; `None`: what was dialled.
    pub(crate) shown: Option<Party>,
}

/// A reliable provisional response without its PRACK (RFC 3262 3).
#[derive(Debug)]
pub(super) struct Unpracked {
    pub(super) bytes: Vec<u8>,
    pub(super) repeat: Repeat,
    pub(super) until: Mono,
    /// The person has answered meanwhile.
    pub(super) then_answer: bool,
}

/// RFC 3261 12.
#[derive(Debug)]
pub(super) struct Dialog {
    pub(super) call_id: String,
    pub(super) local: String,
    pub(super) local_tag: String,
    pub(super) remote: String,
    pub(super) remote_tag: String,
    pub(super) target: String,
    pub(super) routes: Vec<String>,
    pub(super) local_cseq: u32,
    pub(super) remote_cseq: u32,
}

impl Dialog {
    /// A request inside the dialog.
    pub(super) fn request(&mut self, method: Method, place: &Place) -> Draft {
        self.local_cseq += 1;
        let cseq = self.local_cseq;
        self.draft(method, cseq, place)
    }

    /// A request with this CSeq number: an ACK repeats that of its INVITE.
    pub(super) fn draft(&self, method: Method, cseq: u32, place: &Place) -> Draft {
        let tagged = |address: &str, tag: &str| match tag {
            "" => address.to_owned(),
            tag => format!("{address};tag={tag}"),
        };
        let has_contact = matches!(method, Method::Invite | Method::Update);
        Draft {
            method,
            uri: self.target.clone(),
            from: tagged(&self.local, &self.local_tag),
            to: tagged(&self.remote, &self.remote_tag),
            call_id: self.call_id.clone(),
            cseq,
            max_forwards: 70,
            routes: self.routes.clone(),
            contact: has_contact.then(|| format!("<{}>", place.contact())),
            extra: match method {
                Method::Invite => vec![(Header::Allow, ALLOW.to_owned())],
                _ => Vec::new(),
            },
            body: None,
            attempts: 0,
        }
    }

    pub(super) fn matches(&self, seen: &Seen) -> bool {
        self.call_id == seen.call_id
            && self.local_tag == seen.to_tag
            && self.remote_tag == seen.from_tag
    }
}

/// What the phone takes.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, NOTIFY";

/// What a phone takes that sends digits so.
pub(super) fn allow(events: Events) -> &'static str {
    match events {
        Events::Rfc4733 | Events::Info => ALLOW,
        Events::InBand => "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, NOTIFY",
    }
}

/// The audio that was agreed on.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) port: u16,
    pub(super) id: u64,
    pub(super) version: u64,
    /// How the phone holds the other side, what it has offered last, and what the person wants.
    pub(super) hold: Option<Hold>,
    pub(super) offered: Option<Hold>,
    pub(super) wish: Option<Hold>,
    pub(super) remote: Option<Described>,
    pub(super) codec: Option<Codec>,
    /// The description sent last.
    pub(super) last: Option<String>,
    /// It offered last and has no answer yet.
    pub(super) owes_us_answer: bool,
}

impl Call {
    /// Whether it still goes on.
    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.state, CallState::Over(_))
    }

    /// Whether the phone holds the other side, or is about to.
    pub(crate) fn is_holding(&self) -> bool {
        self.session.hold.is_some() || self.session.wish.is_some()
    }

    /// Whether nothing will be sent for it any more.
    pub(super) fn is_finished(&self) -> bool {
        !self.is_live() && self.unacked.is_none()
    }

    /// Our description: an offer.
    pub(super) fn offer(&mut self, place: &Place, manner: &Manner) -> String {
        self.session.owes_us_answer = true;
        self.describe(place, &manner.codecs, manner.events, None)
    }

    /// Our description: the answer to `offer`; `None`: there is no codec in common.
    pub(super) fn answer(
        &mut self,
        offer: &Described,
        place: &Place,
        manner: &Manner,
    ) -> Option<String> {
        let codec = *offer.codecs.iter().find(|c| manner.codecs.contains(c))?;
        self.session.codec = Some(codec);
        self.session.remote = Some(offer.clone());
        Some(self.describe(place, &[codec], manner.events, Some(offer.direction)))
    }

    /// The other side has answered our offer.
    pub(super) fn answered(&mut self, answer: Described, manner: &Manner) {
        self.session.owes_us_answer = false;
        let codec = answer.codecs.iter().find(|c| manner.codecs.contains(c));
        self.session.codec = codec.copied();
        self.session.remote = Some(answer);
    }

    fn describe(
        &mut self,
        place: &Place,
        codecs: &[Codec],
        events: Events,
        offered: Option<leg::Direction>,
    ) -> String {
        let own = |version| Own {
            at: SocketAddr::new(place.told.ip(), self.session.port),
            origin: (self.session.id, version),
            codecs,
            events,
            hold: self.session.wish,
            offered,
        };
        // RFC 3264 8: the version rises with each change, and only then.
        let mut text = description::write(&own(self.session.version));
        if self.session.last.as_ref().is_some_and(|last| *last != text) {
            self.session.version += 1;
            text = description::write(&own(self.session.version));
        }
        self.session.last = Some(text.clone());
        text
    }

    /// Its RTP port.
    pub(crate) fn rtp_port(&self) -> u16 {
        self.session.port
    }

    /// Where audio goes at the moment.
    pub(crate) fn channel(&self, events: Events) -> Option<Channel> {
        let may_send = match &self.state {
            CallState::Talking | CallState::Progressing(_) | CallState::Ringing => true,
            CallState::Calling | CallState::Over(_) => false,
        };
        let remote = self.session.remote.as_ref().filter(|r| r.direction.receives())?;
        let holds = self.session.hold.is_some() || self.session.wish.is_some();
        if !may_send || holds || self.session.owes_us_first_answer() {
            return None;
        }
        let events = remote.events.filter(|_| events == Events::Rfc4733);
        Some(Channel { to: remote.to?, codec: self.session.codec?, events })
    }

    /// Starts or stops the mouth as the session says.
    pub(super) fn attend(&mut self, now: Mono, manner: &Manner) {
        // Keys are said to the end, whoever else is silent.
        let has_words = manner.pace.period().is_some() || self.mouth.is_pressing();
        let may_speak = self.channel(manner.events).is_some() && has_words;
        match (may_speak, self.mouth.next) {
            (true, None) => self.mouth.next = Some(now),
            (false, Some(_)) => self.mouth.next = None,
            _ => {}
        }
    }

    /// The next packet, if the mouth speaks; where it goes.
    pub(super) fn speak(&mut self, now: Mono, manner: &Manner) -> Option<(SocketAddr, Vec<u8>)> {
        let channel = self.channel(manner.events)?;
        let period = if self.mouth.is_pressing() {
            Duration::from_millis(20)
        } else {
            manner.pace.period()?
        };
        self.mouth.next = Some(now + period);
        Some((channel.to, self.mouth.say(&channel, period)))
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let unacked = self.unacked.as_ref().map(|u| u.repeat.at.min(u.until));
        let wake = self.wakes.iter().map(|(at, _)| *at).min();
        let unpracked = self.unpracked.as_ref().map(|u| u.repeat.at.min(u.until));
        let timer = self.timer.as_ref().map(|t| t.at());
        [unacked, unpracked, timer, wake, self.mouth.next].into_iter().flatten().min()
    }

    /// Takes one datagram of its RTP port.
    pub(super) fn hear(&mut self, now: Mono, bytes: &[u8]) {
        self.ear.hear(now, bytes, EVENTS_PAYLOAD_TYPE);
    }

    /// It is over.
    pub(super) fn end(&mut self, outcome: Outcome) {
        if self.is_live() {
            self.state = CallState::Over(outcome);
            self.mouth.next = None;
            self.wakes.clear();
            self.invite = None;
            self.unpracked = None;
            self.timer = None;
        }
    }
}

impl Session {
    /// Before the first answer there is nothing to send with.
    fn owes_us_first_answer(&self) -> bool {
        self.owes_us_answer && self.codec.is_none()
    }
}
