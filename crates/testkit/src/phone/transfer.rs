//! The phone transfers: REFER (RFC 3515), with Replaces (RFC 3891), and an INVITE that takes the
//! place of a dialog.

use model::Mono;
use sip::{Header, Method};

use super::agent::{Agent, SDP};
use super::call::{Call, CallState, Outcome, Way, allow};
use super::manner::{AfterRefer, Offer};
use super::message::Seen;
use super::transaction::Purpose;

/// What became of the REFERs of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Referral {
    /// The final responses, oldest first; 0: none came.
    pub(crate) answers: Vec<u16>,
    /// The statuses that NOTIFYs told, oldest first.
    pub(crate) told: Vec<u16>,
}

impl Referral {
    /// Whether a REFER was accepted and its NOTIFYs have not said yet what became of it.
    pub(crate) fn is_open(&self) -> bool {
        let accepted = self.answers.iter().filter(|status| (200..300).contains(*status)).count();
        accepted > self.told.iter().filter(|status| **status >= 200).count()
    }
}

/// The names of a dialog as a Replaces header writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogNames {
    /// Call-ID.
    pub call_id: String,
    /// The tag of who is to let go.
    pub to_tag: String,
    /// The tag of who is at its other end.
    pub from_tag: String,
}

impl DialogNames {
    fn header(&self) -> String {
        let DialogNames { call_id, to_tag, from_tag } = self;
        format!("{call_id};to-tag={to_tag};from-tag={from_tag}")
    }
}

impl Agent {
    /// The dialog of its newest live call, as another phone would name it.
    pub(crate) fn dialog_names(&self) -> Option<DialogNames> {
        self.calls.iter().rev().find(|c| c.is_live()).map(names)
    }

    /// Asks to send the other side of the newest answered call to a number; `false`: there is no
    /// such call.
    pub(crate) fn refer(&mut self, now: Mono, number: &str) -> bool {
        let Some(id) = self.talking().next_back() else { return false };
        let uri = self.uri_of(number);
        self.send_refer(now, id, format!("<{uri}>"));
        true
    }

    /// Asks to join the other sides of its oldest answered call and of its newest call; `false`:
    /// there are no two.
    pub(crate) fn refer_replacing(&mut self, now: Mono) -> bool {
        let Some(first) = self.talking().next() else { return false };
        let newest = self.calls.iter().rev().find(|c| c.is_live() && c.id != first);
        let Some(names) = newest.map(names) else { return false };
        self.refer_to_dialog(now, first, &names);
        true
    }

    /// Asks to join the other side of its newest answered call with any dialog.
    pub(crate) fn refer_to(&mut self, now: Mono, names: &DialogNames) -> bool {
        let Some(id) = self.talking().next_back() else { return false };
        self.refer_to_dialog(now, id, names);
        true
    }

    fn refer_to_dialog(&mut self, now: Mono, id: u32, names: &DialogNames) {
        let mut escaped = String::new();
        for byte in names.header().bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    escaped.push(char::from(byte));
                }
                other => escaped.push_str(&format!("%{other:02X}")),
            }
        }
        let domain = &self.place.domain;
        let to = format!("<sip:someone@{domain}?Replaces={escaped}>");
        self.send_refer(now, id, to);
    }

    fn send_refer(&mut self, now: Mono, id: u32, to: String) {
        let by = format!("<sip:{}@{}>", self.place.login, self.place.domain);
        let contact = format!("<{}>", self.place.contact());
        let Some(call) = self.calls.iter_mut().find(|c| c.id == id) else { return };
        let mut draft = call.dialog.request(Method::Refer, &self.place);
        draft.contact = Some(contact);
        draft.extra.push((Header::ReferTo, to));
        draft.extra.push((Header::ReferredBy, by));
        self.send(now, draft, Purpose::Refer(id));
    }

    /// Calls a number to take the place of a dialog.
    pub(crate) fn dial_replacing(&mut self, now: Mono, number: &str, names: &DialogNames) {
        let replaces = (Header::Replaces, names.header());
        self.invite(now, number, self.manner.max_forwards, vec![replaces]);
    }

    /// Sends an INVITE that begins a call, with these headers besides; which of its calls it is.
    pub(super) fn invite(
        &mut self,
        now: Mono,
        number: &str,
        max_forwards: u8,
        extra: Vec<(Header, String)>,
    ) -> u32 {
        let uri = self.uri_of(number);
        let mut call = self.new_call(Way::Out, number);
        call.dialog.target.clone_from(&uri);
        call.dialog.remote = format!("<{uri}>");
        let mut draft = call.dialog.request(Method::Invite, &self.place);
        call.invite_cseq = draft.cseq;
        draft.max_forwards = max_forwards;
        draft.set(Header::Allow, allow(self.manner.events).to_owned());
        draft.extra.extend(super::reliable::told(&self.manner));
        draft.extra.extend(extra);
        if self.manner.offer == Offer::InInvite {
            draft.body = Some((SDP, call.offer(&self.place, &self.manner)));
        }
        let id = call.id;
        self.calls.push(call);
        self.send(now, draft, Purpose::Invite(id));
        id
    }

    /// The answer to a REFER; 0: none came.
    pub(super) fn refer_answered(&mut self, now: Mono, id: u32, status: u16) {
        let at_once = self.manner.after_refer == AfterRefer::ByesAtOnce;
        let Some(call) = self.call_mut(id) else { return };
        call.referral.answers.push(status);
        match status {
            200..300 if at_once => self.bye(now, id, Outcome::HungUp),
            // RFC 3261 12.2.1.2: the dialog is gone.
            0 | 408 | 481 => self.bye(now, id, Outcome::Lost),
            _ => {}
        }
    }

    /// A NOTIFY in the dialog of a call: how far its REFER is. The status owed.
    pub(super) fn told_of_refer(&mut self, now: Mono, id: u32, seen: &Seen) -> u16 {
        let event = seen.message.text(Header::Event).unwrap_or_default();
        if !event.starts_with("refer") {
            return 489;
        }
        let body = String::from_utf8_lossy(seen.message.body()).into_owned();
        let status = body.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        let Some(status) = status.filter(|_| body.starts_with("SIP/2.0 ")) else {
            self.complaints.push(format!("a NOTIFY that tells nothing: {body}"));
            return 400;
        };
        let byes = self.manner.after_refer == AfterRefer::Byes;
        let Some(call) = self.call_mut(id) else { return 481 };
        call.referral.told.push(status);
        if byes && (200..300).contains(&status) && call.state == CallState::Talking {
            call.wakes.push((now, super::call::Wake::HangUp));
        }
        200
    }

    fn uri_of(&self, number: &str) -> String {
        let mut user = String::new();
        sip::escape_user(number, &mut user);
        format!("sip:{user}@{}", self.place.domain)
    }

    fn talking(&self) -> impl DoubleEndedIterator<Item = u32> {
        self.calls.iter().filter(|c| c.state == CallState::Talking).map(|c| c.id)
    }
}

fn names(call: &Call) -> DialogNames {
    // Before the answer it is an early dialog (RFC 3891 3).
    let tag = Some(&call.dialog.remote_tag).filter(|tag| !tag.is_empty());
    DialogNames {
        call_id: call.dialog.call_id.clone(),
        to_tag: tag.unwrap_or(&call.early_tag).clone(),
        from_tag: call.dialog.local_tag.clone(),
    }
}
