//! What not every phone can: reliable provisional responses (RFC 3262) and session timers
//! (RFC 4028).

use core::time::Duration;

use model::Mono;
use sip::{Header, Method, Refresher};

use super::agent::{Agent, Output, SDP};
use super::call::{Call, Outcome};
use super::description;
use super::manner::{Manner, OffersBy, Reliable};
use super::message::Seen;
use super::transaction::Purpose;

/// A session timer that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    interval_s: u32,
    /// The phone itself refreshes.
    is_mine: bool,
    /// When it refreshes next; for the other side's, the end.
    due: Mono,
    ends: Mono,
}

impl Running {
    fn begin(now: Mono, interval_s: u32, is_mine: bool) -> Running {
        let interval = Duration::from_secs(u64::from(interval_s));
        let ends = now + interval;
        let due = if is_mine { now + interval / 2 } else { ends };
        Running { interval_s, is_mine, due, ends }
    }

    /// When it wants to be looked at.
    pub(super) fn at(&self) -> Mono {
        self.due.min(self.ends)
    }
}

/// What an INVITE says that begins a call.
pub(super) fn told(manner: &Manner) -> Vec<(Header, String)> {
    let mut supported = Vec::new();
    let mut headers = Vec::new();
    match manner.reliable {
        Reliable::Unknown => {}
        Reliable::Supported => supported.push("100rel"),
        Reliable::Required => headers.push((Header::Require, "100rel".to_owned())),
    }
    if let Some(timer) = manner.timer {
        supported.push("timer");
        let refresher = if timer.refreshes { Refresher::Uac } else { Refresher::Uas };
        let wish = format!("{};refresher={}", timer.interval_s, refresher.as_str());
        headers.push((Header::SessionExpires, wish));
    }
    if !supported.is_empty() {
        headers.push((Header::Supported, supported.join(", ")));
    }
    headers
}

impl Call {
    /// What a request says that refreshes the session besides.
    pub(super) fn timer_wish(&self) -> Vec<(Header, String)> {
        let Some(timer) = &self.timer else { return Vec::new() };
        let refresher = if timer.is_mine { Refresher::Uac } else { Refresher::Uas };
        vec![
            (Header::Supported, "timer".to_owned()),
            (
                Header::SessionExpires,
                format!("{};refresher={}", timer.interval_s, refresher.as_str()),
            ),
        ]
    }
}

impl Agent {
    /// A provisional response above 100 to an INVITE of ours; `false`: it does not count.
    pub(super) fn hears_reliably(&mut self, now: Mono, id: u32, seen: &Seen) -> bool {
        let rseq = seen.message.number(Header::RSeq).ok().flatten();
        let rseq = rseq.filter(|_| seen.message.has_token(Header::Require, "100rel"));
        let manner = self.manner.clone();
        let Some(call) = self.calls.iter_mut().find(|c| c.id == id) else { return false };
        let Some(rseq) = rseq else {
            if manner.reliable == Reliable::Required {
                self.complaints.push("a response that is not reliable".to_owned());
            }
            return true;
        };
        if manner.reliable == Reliable::Unknown {
            self.complaints.push("a reliable response that was not asked for".to_owned());
        }
        if call.heard_rseq.is_some_and(|last| last + 1 != rseq) {
            return false;
        }
        call.heard_rseq = Some(rseq);
        call.pracks += 1;
        call.dialog.remote_tag.clone_from(&seen.to_tag);
        call.dialog.target = seen.contact().unwrap_or_default();
        call.dialog.routes = seen.record_route();
        call.dialog.routes.reverse();
        let mut prack = call.dialog.request(Method::Prack, &self.place);
        prack.extra.push((Header::RAck, format!("{rseq} {} INVITE", seen.cseq)));
        if let Some(offer) = description::read(seen.message.body())
            && !call.session.owes_us_answer
            && call.session.last.is_none()
        {
            // The INVITE had no offer, so this is one.
            prack.body = call.answer(&offer, &self.place, &manner).map(|text| (SDP, text));
        }
        self.send(now, prack, Purpose::Prack(id));
        true
    }

    /// The status for a PRACK.
    pub(super) fn acknowledges(&mut self, id: u32, seen: &Seen) -> u16 {
        let Some(call) = self.call_mut(id) else { return 481 };
        let rack = seen.message.rack().ok().flatten();
        if call.unpracked.is_none() || rack.is_none_or(|r| r.rseq != call.rseq) {
            return 481;
        }
        call.pracks += 1;
        200
    }

    /// A reliable response has arrived: what waited for that goes on.
    pub(super) fn answer_if_waited_for(&mut self, now: Mono, id: u32) {
        let Some(call) = self.call_mut(id) else { return };
        if call.unpracked.take().is_some_and(|u| u.then_answer) {
            self.accept(now, id);
        }
    }

    /// What a provisional response says of its reliability.
    pub(super) fn reliability(&mut self, id: u32, invite: &Seen) -> Vec<(Header, String)> {
        let knows = [Header::Supported, Header::Require]
            .iter()
            .any(|header| invite.message.has_token(*header, "100rel"));
        if !knows || self.manner.reliable == Reliable::Unknown {
            return Vec::new();
        }
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        call.rseq += 1;
        let rseq = call.rseq.to_string();
        vec![(Header::Require, "100rel".to_owned()), (Header::RSeq, rseq)]
    }

    /// What a 2xx of ours says of the session timer, which begins.
    pub(super) fn grant(&mut self, now: Mono, id: u32, seen: &Seen) -> Vec<(Header, String)> {
        let asked = seen.message.session_expires().ok().flatten();
        let own = self.manner.timer;
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        let (Some(asked), Some(own)) = (asked, own) else { return Vec::new() };
        let interval_s = asked.seconds.min(own.interval_s);
        let refresher = asked.refresher.unwrap_or(Refresher::Uas);
        if call.timer.is_some() {
            call.refreshes += 1;
        }
        call.timer = Some(Running::begin(now, interval_s, refresher == Refresher::Uas));
        let mut headers = vec![
            (Header::SessionExpires, format!("{interval_s};refresher={}", refresher.as_str())),
            (Header::Supported, "timer".to_owned()),
        ];
        if refresher == Refresher::Uac {
            headers.push((Header::Require, "timer".to_owned()));
        }
        headers
    }

    /// What a 2xx to us grants.
    pub(super) fn granted(&mut self, now: Mono, id: u32, seen: &Seen) {
        let keeps_time = self.manner.timer.is_some();
        let granted = seen.message.session_expires().ok().flatten();
        let Some(call) = self.call_mut(id).filter(|c| c.is_live()) else { return };
        let Some(granted) = granted.filter(|_| keeps_time) else { return };
        if call.timer.is_some() {
            call.refreshes += 1;
        }
        let is_mine = granted.refresher != Some(Refresher::Uas);
        call.timer = Some(Running::begin(now, granted.seconds, is_mine));
    }

    /// A refresh without an offer was refused, or with status 0 not answered.
    pub(super) fn refresh_refused(&mut self, now: Mono, id: u32, status: u16) {
        if matches!(status, 0 | 408 | 481) {
            self.bye(now, id, Outcome::Lost);
        }
    }

    /// Repeats, gives up, refreshes, hangs up: what is due.
    pub(super) fn tick_reliable(&mut self, now: Mono, id: u32) {
        let offers_by = self.manner.offers_by;
        let Some(call) = self.calls.iter_mut().find(|c| c.id == id) else { return };
        if let Some(unpracked) = &mut call.unpracked {
            if unpracked.until <= now {
                return self.decline(now, id, 504);
            }
            if unpracked.repeat.at <= now {
                unpracked.repeat.again(now);
                self.out.push(Output::Sip(unpracked.bytes.clone()));
            }
        }
        let Some(timer) = &mut call.timer else { return };
        if timer.ends <= now {
            return self.bye(now, id, Outcome::Lost);
        }
        if timer.due > now {
            return;
        }
        // Tried again soon if it does not work out.
        timer.due = now + Duration::from_secs(40);
        match offers_by {
            OffersBy::Invite => self.reinvite(now, id),
            OffersBy::Update => {
                let mut draft = call.dialog.request(Method::Update, &self.place);
                draft.extra.extend(call.timer_wish());
                self.send(now, draft, Purpose::Refresh(id));
            }
        }
    }
}
