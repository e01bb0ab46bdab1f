//! REFER: the peer asks to be transferred and hears what comes of it. RFC 3515, RFC 3892, RFC 4488.
//!
//! Each REFER that is accepted makes a subscription inside the dialog, which ends with the result.
//! It shares the fate of the call: when that ends, nothing more is said.

mod saved;

use core::time::Duration;

use leg::{LegEvent, ReferId, ReferTo};
use model::Number;
use serde::{Deserialize, Serialize};
use sip::{Header, Message, Method, reason_phrase};

pub(crate) use self::saved::SavedRefers;
use crate::core::Turn;
use crate::dialog::{Far, Fate, Leg, Phase};
use crate::glare;
use crate::interface::Flow;
use crate::limits::{GLARE_RETRIES_MAX, REFER_LASTS_S, REFER_WAIT, REFERS_MAX};
use crate::owed;
use crate::replaces::Named;
use crate::timers::{LegTimer, TimerId};
use crate::transaction::{Purpose, TransactionId};

/// The body of its NOTIFYs: RFC 3420.
const SIPFRAG: &str = "message/sipfrag;version=2.0";

/// The transfers that the peer of a leg has asked for.
#[derive(Debug, Default)]
pub(crate) struct Refers {
    /// Those of which it has not heard the end.
    open: Vec<Refer>,
    /// CSeq number of the first, whose NOTIFYs need no id (2.4.6). Phones that ask for one transfer
    /// look for none.
    first: Option<u32>,
}

/// One REFER.
#[derive(Debug)]
struct Refer {
    /// The number of its CSeq.
    number: u32,
    state: State,
    /// Runs until the answer, then until the end of the subscription.
    timer: Option<TimerId>,
}

#[derive(Debug)]
enum State {
    /// The exchange owes an answer.
    Asked(Box<Asked>),
    /// The peer hears how far it is.
    Followed(Followed),
}

#[derive(Debug)]
struct Asked {
    transaction: TransactionId,
    request: Message,
    source: Flow,
    /// The peer wants to hear nothing of it (RFC 4488).
    quiet: bool,
}

/// What the peer has heard and has still to hear.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Followed {
    /// How far it is.
    newest: u16,
    /// What was told last.
    told: Option<u16>,
    /// Its time is over, whatever became of it.
    #[serde(default)]
    late: bool,
    /// The last NOTIFY was sent.
    #[serde(default)]
    closed: bool,
    /// A NOTIFY has no response yet.
    #[serde(skip)]
    waits: bool,
    /// How often a NOTIFY was sent again.
    #[serde(skip)]
    retries: u8,
}

impl Refers {
    /// The timers that run.
    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerId> {
        self.open.iter().filter_map(|refer| refer.timer)
    }

    /// Stops them; the leg is about to go.
    pub(crate) fn stop(&mut self, turn: &mut Turn<'_>) {
        for mut refer in self.open.drain(..) {
            turn.core.timers.clear(&mut refer.timer);
        }
    }

    fn position(&self, number: u32) -> Option<usize> {
        self.open.iter().position(|refer| refer.number == number)
    }

    fn followed(&mut self, number: u32) -> Option<&mut Followed> {
        let at = self.position(number)?;
        match &mut self.open.get_mut(at)?.state {
            State::Followed(followed) => Some(followed),
            State::Asked(_) => None,
        }
    }

    fn take(&mut self, turn: &mut Turn<'_>, number: u32) -> Option<State> {
        let mut refer = self.open.swap_remove(self.position(number)?);
        turn.core.timers.clear(&mut refer.timer);
        Some(refer.state)
    }

    /// Takes one out that has no answer yet.
    fn take_asked(&mut self, turn: &mut Turn<'_>, number: u32) -> Option<Box<Asked>> {
        let at = self.position(number)?;
        if !matches!(self.open.get(at)?.state, State::Asked(_)) {
            return None;
        }
        match self.take(turn, number)? {
            State::Asked(asked) => Some(asked),
            State::Followed(_) => None,
        }
    }
}

/// A REFER inside the dialog.
pub(crate) fn request(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    flow: Flow,
    cell: &mut Option<Message>,
    named: Named,
) -> Fate {
    let Some(message) = cell.as_ref() else { return Fate::Lives };
    let quiet = message.text(Header::ReferSub).is_some_and(|v| is_false(&v));
    let (status, to) = match admitted(turn, leg).and_then(|()| read(message, named)) {
        // What cannot be told by a NOTIFY is told at once.
        Ok(To::NoDialog) if quiet => (603, None),
        Ok(to) => (202, Some(to)),
        Err(status) => (status, None),
    };
    let Some(to) = to else {
        turn.answer(message, &flow, Some(&leg.tag), status, |w| owed::write(w, status));
        return Fate::Lives;
    };
    let Ok(number) = message.cseq().map(|c| c.number) else { return Fate::Lives };
    let referred_by = message.address(Header::ReferredBy).ok().flatten();
    let referred_by = referred_by.and_then(|by| Number::parse(&by.uri.number()?).ok());
    let Some(transaction) = turn.accept(message, flow, Purpose::Other, leg.user(), None) else {
        return Fate::Lives;
    };
    let Some(request) = cell.take() else { return Fate::Lives };
    let timer = Some(leg.start(turn, REFER_WAIT, LegTimer::Refer(number)));
    let asked = Box::new(Asked { transaction, request, source: flow, quiet });
    leg.refers.open.push(Refer { number, state: State::Asked(asked), timer });
    leg.refers.first.get_or_insert(number);
    let refer = ReferId(number);
    match to {
        To::Somebody(to) => {
            turn.tell(leg.key, LegEvent::Refer { refer, to, referred_by });
            Fate::Lives
        }
        // 2.4.5: as if the INVITE had been sent and refused. A 481 to the REFER itself would tell
        // some phones that the call is gone in which they have sent it.
        To::NoDialog => {
            accept(turn, leg, refer);
            progress(turn, leg, refer, 481)
        }
    }
}

/// Whether a REFER can be taken now; the error is the status owed.
fn admitted(turn: &Turn<'_>, leg: &Leg) -> Result<(), u16> {
    let is_blocked = match leg.far {
        Far::Phone { extension, .. } => turn.core.blocked.contains(&(leg.key.0, extension)),
        Far::Trunk(_) => false,
    };
    match leg.phase {
        _ if leg.is_ending() => Err(481),
        // It may call for help, and nobody else by way of that.
        _ if is_blocked => Err(403),
        Phase::Up(_) if leg.refers.open.len() < REFERS_MAX => Ok(()),
        Phase::Up(_) => Err(491),
        // Nobody is there who could be transferred.
        Phase::Seeking(_) | Phase::Invited(_) | Phase::Inviting(_) => Err(403),
    }
}

/// Where a REFER points.
enum To {
    Somebody(ReferTo),
    /// At a dialog that is not there.
    NoDialog,
}

/// What a REFER asks for; the error is the status owed. None of them is one that ends the dialog
/// (RFC 5057 5.1).
fn read(message: &Message, named: Named) -> Result<To, u16> {
    // 2.4.2: one Refer-To, no more and no less.
    if message.values(Header::ReferTo).take(2).count() != 1 {
        return Err(400);
    }
    let to = message.address(Header::ReferTo).ok().flatten().ok_or(400u16)?;
    match named {
        Named::Malformed => return Err(400),
        Named::Unknown => return Ok(To::NoDialog),
        Named::Leg { stage: crate::replaces::Stage::Up, early_only: true, .. } => {
            return Ok(To::NoDialog);
        }
        Named::Leg { leg, .. } => return Ok(To::Somebody(ReferTo::Replace(leg))),
        Named::Nothing => {}
    }
    let method = to.uri.sip().and_then(|uri| uri.params.value("method"));
    if method.is_some_and(|method| method != "INVITE") {
        return Err(403);
    }
    let number = to.uri.number().and_then(|number| Number::parse(&number).ok());
    number.map(|number| To::Somebody(ReferTo::Number(number))).ok_or(403)
}

/// Refer-Sub: RFC 4488 4.
fn is_false(value: &str) -> bool {
    value.split(';').next().is_some_and(|word| word.trim().eq_ignore_ascii_case("false"))
}

/// The exchange tries it.
pub(crate) fn accept(turn: &mut Turn<'_>, leg: &mut Leg, refer: ReferId) -> Fate {
    let number = refer.0;
    let Some(asked) = leg.refers.take_asked(turn, number) else { return Fate::Lives };
    let mut writer = turn.response(&asked.request, &asked.source, 202, Some(&leg.tag));
    writer.header(Header::Contact, turn.core.contact(&asked.source, &leg.tag));
    if asked.quiet {
        writer.header(Header::ReferSub, "false");
    }
    turn.respond(asked.transaction, 202, writer.finish().into());
    if asked.quiet {
        return Fate::Lives;
    }
    let lasts = Duration::from_secs(REFER_LASTS_S.into());
    let timer = Some(leg.start(turn, lasts, LegTimer::Refer(number)));
    let followed =
        Followed { newest: 100, told: None, late: false, closed: false, waits: false, retries: 0 };
    leg.refers.open.push(Refer { number, state: State::Followed(followed), timer });
    // 2.4.4: told at once that it is tried.
    pump(turn, leg, number);
    Fate::Lives
}

/// The exchange does not try it.
pub(crate) fn refuse(turn: &mut Turn<'_>, leg: &mut Leg, refer: ReferId, status: u16) -> Fate {
    let Some(asked) = leg.refers.take_asked(turn, refer.0) else { return Fate::Lives };
    let status = if (400..700).contains(&status) { status } else { 603 };
    answer(turn, leg, &asked, status);
    Fate::Lives
}

fn answer(turn: &mut Turn<'_>, leg: &Leg, asked: &Asked, status: u16) {
    let mut writer = turn.response(&asked.request, &asked.source, status, Some(&leg.tag));
    owed::write(&mut writer, status);
    turn.respond(asked.transaction, status, writer.finish().into());
}

/// The exchange says how far it is.
pub(crate) fn progress(turn: &mut Turn<'_>, leg: &mut Leg, refer: ReferId, status: u16) -> Fate {
    if let Some(followed) = leg.refers.followed(refer.0)
        && followed.newest < 200
        && (100..700).contains(&status)
    {
        followed.newest = status;
        pump(turn, leg, refer.0);
    }
    Fate::Lives
}

/// Tells the peer what it has not heard, if it has answered what it was told before.
fn pump(turn: &mut Turn<'_>, leg: &mut Leg, number: u32) {
    let Some(followed) = leg.refers.followed(number) else { return };
    let over = followed.newest >= 200 || followed.late;
    let news = followed.told != Some(followed.newest) || over;
    if followed.waits || followed.closed || !news {
        return;
    }
    followed.told = Some(followed.newest);
    followed.closed = over;
    followed.waits = true;
    let (status, late) = (followed.newest, followed.late);
    let sent = notify(turn, leg, number, (status, late));
    if sent.is_none()
        && let Some(followed) = leg.refers.followed(number)
    {
        // Nothing that came back would be heard of.
        followed.waits = false;
        if over {
            leg.refers.take(turn, number);
        }
    }
}

/// Sends a NOTIFY: 2.4.4 to 2.4.7.
fn notify(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    number: u32,
    (status, late): (u16, bool),
) -> Option<TransactionId> {
    let at = leg.refers.position(number)?;
    let timer = leg.refers.open.get(at)?.timer;
    let flow = leg.way(turn)?;
    let (mut writer, branch) = leg.begin(turn, &flow, Method::Notify)?;
    writer.header(Header::Contact, turn.core.contact(&flow, &leg.tag));
    if leg.refers.first == Some(number) {
        writer.header(Header::Event, "refer");
    } else {
        writer.header(Header::Event, format_args!("refer;id={number}"));
    }
    match (status, late) {
        (200.., _) => writer.header(Header::SubscriptionState, "terminated;reason=noresource"),
        (_, true) => writer.header(Header::SubscriptionState, "terminated;reason=timeout"),
        (_, false) => {
            let left = timer.map_or(Duration::ZERO, |timer| timer.at().since(turn.now.mono));
            let state = format_args!("active;expires={}", left.as_secs()).to_string();
            writer.header(Header::SubscriptionState, state)
        }
    };
    let body = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status));
    let bytes = writer.finish_with(SIPFRAG, body.as_bytes()).into();
    leg.request(turn, flow, &branch, Method::Notify, Purpose::Referred(number), bytes)
}

/// The response to a NOTIFY. One that refuses it ends the subscription, never the call (RFC 6665
/// 4.2.2, RFC 5057 5.1).
pub(crate) fn response(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    number: u32,
    response: &Message,
) -> Fate {
    let status = response.status().unwrap_or(0);
    let is_overtaken = glare::is_overtaken(leg, response);
    let Some(followed) = leg.refers.followed(number) else { return Fate::Lives };
    if status < 200 {
        return Fate::Lives;
    }
    followed.waits = false;
    if is_overtaken && followed.retries < GLARE_RETRIES_MAX {
        followed.retries += 1;
        (followed.told, followed.closed) = (None, false);
        pump(turn, leg, number);
    } else if followed.closed || status >= 300 {
        leg.refers.take(turn, number);
    } else {
        pump(turn, leg, number);
    }
    Fate::Lives
}

/// A NOTIFY found nobody: nothing more is told of it.
pub(crate) fn unanswered(turn: &mut Turn<'_>, leg: &mut Leg, number: u32) -> Fate {
    if leg.refers.followed(number).is_some() {
        leg.refers.take(turn, number);
    }
    Fate::Lives
}

/// Its timer has run out: the exchange said nothing, or the subscription has lasted long enough.
pub(crate) fn due(turn: &mut Turn<'_>, leg: &mut Leg, number: u32) -> Fate {
    if let Some(at) = leg.refers.position(number)
        && let Some(refer) = leg.refers.open.get_mut(at)
    {
        refer.timer = None;
    }
    if let Some(asked) = leg.refers.take_asked(turn, number) {
        answer(turn, leg, &asked, 500);
    } else if let Some(followed) = leg.refers.followed(number) {
        followed.late = true;
        pump(turn, leg, number);
    }
    Fate::Lives
}

/// SUBSCRIBE inside the dialog of a call: only for what a REFER has made there (2.4.4).
pub(crate) fn subscribe(
    turn: &mut Turn<'_>,
    leg: &mut Leg,
    flow: &Flow,
    message: &Message,
) -> Fate {
    let event = message.event().ok().flatten();
    let number = event.filter(|event| event.is("refer")).map(|event| {
        let id = event.params.value("id");
        id.map_or(leg.refers.first, |id| id.parse().ok())
    });
    let Some(number) = number else {
        turn.answer(message, flow, Some(&leg.tag), 489, |w| owed::write(w, 489));
        return Fate::Lives;
    };
    let Some(number) = number.filter(|number| leg.refers.followed(*number).is_some()) else {
        turn.answer(message, flow, Some(&leg.tag), 481, |_| {});
        return Fate::Lives;
    };
    let expires_s = message.expires().ok().flatten().unwrap_or(REFER_LASTS_S).min(REFER_LASTS_S);
    let contact = turn.core.contact(flow, &leg.tag);
    turn.answer(message, flow, Some(&leg.tag), 200, |w| {
        w.header(Header::Contact, contact).header(Header::Expires, expires_s);
    });
    let timer = leg.start(turn, Duration::from_secs(expires_s.into()), LegTimer::Refer(number));
    let at = leg.refers.position(number);
    let refer = at.and_then(|at| leg.refers.open.get_mut(at));
    if let Some(before) = refer.and_then(|refer| refer.timer.replace(timer)) {
        turn.core.timers.stop(before);
    }
    if let Some(followed) = leg.refers.followed(number) {
        // RFC 6665 4.2.1.2: each SUBSCRIBE is followed by a NOTIFY.
        followed.told = None;
        if expires_s > 0 {
            pump(turn, leg, number);
        }
    }
    Fate::Lives
}

/// The call ends: what was not answered gets 487 (RFC 3261 15.1.2). A result that waits for the
/// response to an earlier NOTIFY is told before the end.
pub(crate) fn abandon(turn: &mut Turn<'_>, leg: &mut Leg) {
    let numbers: Vec<u32> = leg.refers.open.iter().map(|refer| refer.number).collect();
    for number in numbers {
        if let Some(asked) = leg.refers.take_asked(turn, number) {
            answer(turn, leg, &asked, 487);
        } else if let Some(followed) = leg.refers.followed(number)
            && followed.newest >= 200
        {
            followed.waits = false;
            pump(turn, leg, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use leg::LegId;

    use super::*;

    fn refer(lines: &str) -> Message {
        Message::parse(format!("REFER sip:a SIP/2.0\r\n{lines}\r\n\r\n").into_bytes()).unwrap()
    }

    #[test]
    fn where_a_refer_points() {
        let leg = |stage, early_only| Named::Leg { leg: LegId(4), stage, early_only };
        let (up, calling) = (crate::replaces::Stage::Up, crate::replaces::Stage::Calling);
        let table = [
            ("Refer-To: <sip:102@x>", Named::Nothing, "102"),
            ("r: sip:102@x", Named::Nothing, "102"),
            ("Refer-To: \"A\" <sip:%2A0@x;method=INVITE>", Named::Nothing, "*0"),
            ("Refer-To: <tel:+49-30>", Named::Nothing, "+4930"),
            ("Refer-To: <sip:x>", Named::Nothing, "403"),
            ("Refer-To: <sip:102@x;method=BYE>", Named::Nothing, "403"),
            ("Refer-To: <http://x/>", Named::Nothing, "403"),
            ("Refer-To: <sip:102@x>\r\nRefer-To: <sip:103@x>", Named::Nothing, "400"),
            ("Refer-To: <sip:", Named::Nothing, "400"),
            ("Subject: x", Named::Nothing, "400"),
            ("Refer-To: <sip:102@x>", Named::Malformed, "400"),
            ("Refer-To: <sip:102@x>", Named::Unknown, "no dialog"),
            ("Refer-To: <sip:102@x>", leg(up, false), "in2"),
            ("Refer-To: <sip:102@x>", leg(up, true), "no dialog"),
            ("Refer-To: <sip:102@x>", leg(calling, true), "in2"),
        ];
        for (lines, named, expected) in table {
            let told = match read(&refer(lines), named) {
                Ok(To::Somebody(ReferTo::Number(number))) => number.to_string(),
                Ok(To::Somebody(ReferTo::Replace(leg))) => leg.to_string(),
                Ok(To::NoDialog) => "no dialog".to_owned(),
                Err(status) => status.to_string(),
            };
            assert_eq!(told, expected, "{lines} {named:?}");
        }
    }

    #[test]
    fn refer_sub_is_read() {
        let table = [("false", true), ("FALSE;x=y", true), ("true", false), ("", false)];
        assert!(table.iter().all(|(value, quiet)| is_false(value) == *quiet));
    }
}
