//! Session timers: RFC 4028. They find the peer that is gone without a word, also while it holds
//! and nothing is expected of it.
//!
//! We refresh where the peer leaves it to us: by UPDATE if it takes that, else by a re-INVITE
//! without change. A peer that knows no session timers is asked as often, by OPTIONS if it takes
//! no UPDATE, and every answer of its but "no such dialog" will do.

use core::time::Duration;

use model::{EndReason, Mono};
use serde::{Deserialize, Serialize};
use sip::{Header, Message, Method, Refresher, Writer};

use crate::core::Turn;
use crate::dialog::{Fate, Leg, Phase};
use crate::display;
use crate::glare;
use crate::in_dialog::terminate;
use crate::limits::{MIN_SE_ACCEPTED_S, MIN_SE_S, REFRESH_RETRY, SESSION_EXPIRES_S};
use crate::offer;
use crate::timers::{LegTimer, TimerId};
use crate::transaction::Purpose;

/// RFC 4028 10: the BYE comes this long before the end at most.
const BYE_BEFORE: Duration = Duration::from_secs(32);

/// The session timer of a leg.
#[derive(Debug, Default)]
pub(crate) struct Timed {
    /// The highest Min-SE that was heard; 0: none.
    pub(crate) min_s: u32,
    /// How often our INVITE was refused with 422.
    pub(crate) too_small: u8,
    /// The interval that runs.
    pub(crate) running: Option<Running>,
}

/// A session interval that runs.
#[derive(Debug)]
pub(crate) struct Running {
    /// How it was agreed.
    pub(crate) terms: Terms,
    /// When it ends.
    pub(crate) ends: Mono,
    /// A request that refreshes it is under way.
    pub(crate) asked: bool,
    /// Refreshes it, or ends it.
    pub(crate) timer: TimerId,
}

/// How a session interval was agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// Seconds.
    pub(crate) interval_s: u32,
    /// Who refreshes.
    pub(crate) by: By,
}

/// Who refreshes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// We do.
    Us,
    /// The peer does.
    Peer,
}

impl Timed {
    /// The timer that runs, if one does.
    pub(crate) fn timer(&self) -> Option<TimerId> {
        self.running.as_ref().map(|r| r.timer)
    }

    /// Stops it.
    pub(crate) fn stop(&mut self, turn: &mut Turn<'_>) {
        if let Some(running) = self.running.take() {
            turn.core.timers.stop(running.timer);
        }
    }

    /// The interval that we ask for.
    fn wish_s(&self) -> u32 {
        let running = self.running.as_ref().map_or(SESSION_EXPIRES_S, |r| r.terms.interval_s);
        running.max(self.min_s)
    }

    /// What an INVITE or UPDATE of ours asks for: 7.1, 7.4.
    fn ask(&self, writer: &mut Writer) {
        let by = self.running.as_ref().map_or(By::Us, |r| r.terms.by);
        let refresher = match by {
            By::Us => Refresher::Uac,
            By::Peer => Refresher::Uas,
        };
        let wish = format_args!("{};refresher={}", self.wish_s(), refresher.as_str()).to_string();
        writer.header(Header::SessionExpires, wish);
        writer.header(Header::MinSe, self.min_s.max(MIN_SE_S));
    }
}

/// Asks for a session timer in the INVITE that begins a leg.
pub(crate) fn propose(writer: &mut Writer, timed: &Timed) {
    timed.ask(writer);
}

/// The same in a request inside a dialog whose peer knows what it is.
pub(crate) fn propose_again(writer: &mut Writer, leg: &Leg) {
    if leg.able.timer {
        leg.timed.ask(writer);
    }
}

/// Whether a request asks for too short an interval, so that it gets 422 (8.1, 9). A peer that
/// knows no session timers could not do anything about what a proxy has asked for.
pub(crate) fn is_too_small(request: &Message) -> bool {
    let asked = request.session_expires().ok().flatten();
    asked.is_some_and(|a| a.seconds < MIN_SE_S) && request.has_token(Header::Supported, "timer")
}

/// Settles the interval in our 2xx to an INVITE or UPDATE, and begins it: 9.
pub(crate) fn grant(turn: &mut Turn<'_>, leg: &mut Leg, request: &Message, writer: &mut Writer) {
    let asked = request.session_expires().ok().flatten();
    let min_s = request.min_se().ok().flatten().unwrap_or(0);
    let knows = ["timer"]
        .iter()
        .any(|t| request.has_token(Header::Supported, t) || request.has_token(Header::Require, t));
    leg.able.timer = knows;
    leg.timed.min_s = leg.timed.min_s.max(min_s.min(MIN_SE_ACCEPTED_S));
    let wish_s = asked.map_or(SESSION_EXPIRES_S, |a| a.seconds.min(SESSION_EXPIRES_S));
    let interval_s = wish_s.max(leg.timed.min_s).max(MIN_SE_S);
    let by = match asked.and_then(|a| a.refresher) {
        Some(Refresher::Uac) if knows => By::Peer,
        // Where the choice is ours we refresh: that we do it is certain.
        Some(Refresher::Uac | Refresher::Uas) | None => By::Us,
    };
    if knows || asked.is_some() {
        let refresher = if by == By::Peer { Refresher::Uac } else { Refresher::Uas };
        let granted = format_args!("{interval_s};refresher={}", refresher.as_str()).to_string();
        writer.header(Header::SessionExpires, granted);
        if by == By::Peer {
            writer.header(Header::Require, "timer");
        }
    }
    begin(turn, leg, Terms { interval_s, by });
}

/// Takes what a 2xx to an INVITE or UPDATE of ours grants: 7.2.
pub(crate) fn granted(turn: &mut Turn<'_>, leg: &mut Leg, response: &Message) {
    let terms = match response.session_expires().ok().flatten() {
        Some(granted) => {
            leg.able.timer = true;
            let by = match granted.refresher {
                Some(Refresher::Uas) => By::Peer,
                Some(Refresher::Uac) | None => By::Us,
            };
            Terms { interval_s: granted.seconds.max(MIN_SE_S), by }
        }
        // The peer keeps no time: then we alone do.
        None => Terms { interval_s: leg.timed.wish_s(), by: By::Us },
    };
    begin(turn, leg, terms);
}

/// Takes the Min-SE of a 422. `false`: it asks for what we do not go along with.
pub(crate) fn raise(leg: &mut Leg, response: &Message) -> bool {
    let Some(min_s) = response.min_se().ok().flatten() else { return false };
    if min_s <= leg.timed.wish_s() || min_s > MIN_SE_ACCEPTED_S {
        return false;
    }
    leg.timed.min_s = min_s;
    true
}

/// Begins the interval anew.
pub(crate) fn begin(turn: &mut Turn<'_>, leg: &mut Leg, terms: Terms) {
    resume(turn, leg, terms, terms.lasts());
}

/// Lets an interval run that ends in this time; of its own half of it is past at the first refresh.
pub(crate) fn resume(turn: &mut Turn<'_>, leg: &mut Leg, terms: Terms, left: Duration) {
    leg.timed.stop(turn);
    let first = match terms.by {
        By::Us => left.saturating_sub(terms.lasts().saturating_sub(terms.interval() / 2)),
        By::Peer => left,
    };
    let timer = leg.start(turn, first, LegTimer::Session);
    let ends = turn.now.mono + left;
    leg.timed.running = Some(Running { terms, ends, asked: false, timer });
}

impl Terms {
    fn interval(self) -> Duration {
        Duration::from_secs(u64::from(self.interval_s))
    }

    /// How long the session lives without a refresh: 10.
    fn lasts(self) -> Duration {
        self.interval() - BYE_BEFORE.min(self.interval() / 3)
    }
}

/// The timer has run out: the session is refreshed, or over.
pub(crate) fn due(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    let Some(running) = &leg.timed.running else { return Fate::Lives };
    let (ends, asked) = (running.ends, running.asked);
    let left = ends.since(turn.now.mono);
    // Its slot is empty from here on.
    let wait = if left.is_zero() { Duration::ZERO } else { left.min(REFRESH_RETRY) };
    if left.is_zero() {
        leg.timed.running = None;
        return terminate(turn, leg, EndReason::SessionExpired, None);
    }
    let timer = leg.start(turn, wait, LegTimer::Session);
    if let Some(running) = &mut leg.timed.running {
        running.timer = timer;
    }
    if !asked {
        refresh(turn, leg);
    }
    Fate::Lives
}

/// Asks the peer whether it is still there. Where that cannot be done now it is tried again.
pub(crate) fn refresh(turn: &mut Turn<'_>, leg: &mut Leg) {
    if !matches!(leg.phase, Phase::Up(_)) || leg.unacked.is_some() {
        return;
    }
    let method = match (leg.able.update, leg.able.timer) {
        (true, _) => Method::Update,
        (false, false) => Method::Options,
        (false, true) => return offer::refresh(turn, leg),
    };
    let Some(flow) = leg.way(turn) else { return };
    let Some((mut writer, branch)) = leg.begin(turn, &flow, method) else { return };
    if method == Method::Update {
        propose_again(&mut writer, leg);
        display::write(turn, leg, &mut writer);
    }
    let bytes = writer.finish().into();
    leg.request(turn, flow, &branch, method, Purpose::Refresh, bytes);
    note_asked(leg);
}

/// A request that refreshes is under way.
fn note_asked(leg: &mut Leg) {
    if let Some(running) = &mut leg.timed.running {
        running.asked = true;
    }
}

/// The response to a refresh without an offer.
pub(crate) fn response(turn: &mut Turn<'_>, leg: &mut Leg, response: &Message) -> Fate {
    let status = response.status().unwrap_or(0);
    if status < 200 {
        return Fate::Lives;
    }
    if let Some(running) = &mut leg.timed.running {
        running.asked = false;
    }
    match status {
        200..=299 => {
            leg.display.told();
            offer::refresh_target(leg, response);
            leg.able.learn(response);
            granted(turn, leg, response);
        }
        // 12.2.1.2: the peer knows the dialog no more.
        408 | 481 => return terminate(turn, leg, EndReason::SessionExpired, Some(status)),
        // 7.4: asked again with more.
        422 if raise(leg, response) => refresh(turn, leg),
        // It said that it takes UPDATE, and does not.
        405 | 420 | 501 if leg.able.update => {
            leg.able.update = false;
            leg.display.again();
            refresh(turn, leg);
        }
        _ => {
            // Whom it was to show is told again when the peer is free.
            if let Some(wait) = glare::wait(turn, leg, status, response) {
                leg.display.again();
                display::wait(turn, leg, wait);
            }
            // It is there, which is all that is asked of one that keeps no time. For the others the
            // session goes on until its end, and is asked for again before (10).
            if !leg.able.timer
                && let Some(terms) = leg.timed.running.as_ref().map(|r| r.terms)
            {
                begin(turn, leg, terms);
            }
        }
    }
    Fate::Lives
}
