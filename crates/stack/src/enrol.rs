//! Our registrations with trunks: RFC 3261 10.2, as a client.
//!
//! An enrolment is kept for every enabled trunk of a tenant that lives here: it registers where
//! the trunk wants that, keeps the way to it open, and asks for the names of its hosts so that
//! their calls are known. Its waits and transactions carry a [`LegKey`] that no leg ever has.

mod kept;
mod place;
mod register;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use model::{Mono, Trunk, TrunkHost};
use sip::{Header, Message, Method};

use self::kept::key_of;
pub(crate) use self::kept::{SavedEnrolment, reconcile, restore};
use self::place::{address, transport};
use crate::core::{LegKey, Turn};
use crate::interface::{ConnectId, Effect, Flow, LookupId, Site, Transport};
use crate::limits::{
    ENROL_AGAIN_FIRST, ENROL_AGAIN_LONGEST, ENROL_EXPIRES_MAX_S, ENROL_REFUSALS_MAX,
    KEEP_ALIVE_DATAGRAM, KEEP_ALIVE_STREAM, NAMES_ASKED_EVERY, REACH_WAIT, ROUTES_MAX, TRIES_MAX,
};
use crate::login::Login;
use crate::names::{Known, Question, ordered};
use crate::tag::trunk_token;
use crate::timers::{LegTimer, Timer, TimerId};
use crate::toward::connecting;
use crate::transaction::{Purpose, TransactionId, User};
use crate::trunk::default_port;
use crate::uac::new_call_id;
use crate::uas::tag_for;
use crate::ways::{Open, Waiter, Way};

/// What keeps the way to a trunk open, whatever stands in between: RFC 5626 4.4.1.
const KEEP_ALIVE: &[u8] = b"\r\n\r\n";

/// What is kept of a trunk besides calls.
#[derive(Debug)]
pub(crate) struct Enrolment {
    key: LegKey,
    /// The trunk as it was when this began.
    trunk: Arc<Trunk>,
    call_id: Arc<str>,
    tag: Box<str>,
    cseq: u32,
    /// Seconds that are asked for: the trunk may have wanted more.
    expires_s: u32,
    hosts: VecDeque<TrunkHost>,
    hops: VecDeque<Hop>,
    tries: u8,
    stage: Stage,
    /// The registration that stands, until it runs out.
    stands: Option<Stands>,
    login: Option<Login>,
    /// Rounds over all hosts that came to nothing, one after the other.
    failures: u32,
    /// Times that the password was refused, one after the other.
    refusals: u32,
    timer: Option<TimerId>,
}

/// A registration that stands.
#[derive(Clone, Debug)]
struct Stands {
    flow: Flow,
    hop: Hop,
    /// When it is to be refreshed.
    refresh: Mono,
    /// When it runs out.
    until: Mono,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hop {
    host: TrunkHost,
    remote: SocketAddr,
}

/// What it waits for.
#[derive(Debug)]
enum Stage {
    /// Its time.
    Resting,
    /// The addresses of a host.
    Asking(LookupId, TrunkHost),
    /// A connection.
    Connecting(ConnectId, Hop),
    /// The answer to a REGISTER.
    Registering(Flow, Hop),
    /// A changed configuration: the password was refused too often.
    GivenUp,
}

/// Whether our registrations with trunks stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is to be registered.
    NotWanted,
    /// It stands.
    Registered,
    /// It does not.
    Missing,
}

/// Lets `work` happen to an enrolment; `false`: the key is a leg's.
pub(crate) fn with(
    turn: &mut Turn<'_>,
    key: LegKey,
    work: impl FnOnce(&mut Turn<'_>, &mut Enrolment),
) -> bool {
    let Some(mut enrolment) = turn.core.enrolments.remove(&key) else { return false };
    work(turn, &mut enrolment);
    turn.core.enrolments.insert(key, enrolment);
    true
}

impl Enrolment {
    fn new(turn: &mut Turn<'_>, trunk: Arc<Trunk>) -> Option<Enrolment> {
        let asked = trunk.registration.map_or(0, |r| r.expires_s);
        Some(Enrolment {
            key: key_of(&trunk),
            call_id: new_call_id(turn),
            tag: tag_for(turn.core, trunk.tenant)?,
            cseq: 0,
            expires_s: asked.clamp(1, ENROL_EXPIRES_MAX_S),
            hosts: VecDeque::new(),
            hops: VecDeque::new(),
            tries: 0,
            stage: Stage::Resting,
            stands: None,
            login: None,
            failures: 0,
            refusals: 0,
            timer: None,
            trunk,
        })
    }

    /// Whether the registration stands.
    pub(crate) fn standing(&self, now: Mono) -> Standing {
        match (&self.stands, self.trunk.registration) {
            (_, None) => Standing::NotWanted,
            (Some(stands), Some(_)) if stands.until > now => Standing::Registered,
            (_, Some(_)) => Standing::Missing,
        }
    }

    /// How many timers it has.
    pub(crate) fn timers(&self) -> usize {
        usize::from(self.timer.is_some())
    }

    /// Its time has come.
    pub(crate) fn wake(&mut self, turn: &mut Turn<'_>) {
        turn.core.timers.clear(&mut self.timer);
        match &self.stage {
            Stage::Resting => {}
            Stage::Asking(lookup, _) => turn.core.names.forget(*lookup, self.key),
            Stage::Connecting(connect, _) => {
                turn.core.ways.forget(*connect, Waiter::Leg(self.key));
            }
            // Its transaction ends by itself; a name may have moved meanwhile.
            Stage::Registering(..) | Stage::GivenUp => {
                self.ask_names(turn);
                return self.rest(turn, NAMES_ASKED_EVERY);
            }
        }
        let was_seeking = !matches!(self.stage, Stage::Resting);
        self.stage = Stage::Resting;
        if was_seeking {
            return self.next(turn);
        }
        self.ask_names(turn);
        if self.trunk.registration.is_none() {
            return self.rest(turn, NAMES_ASKED_EVERY);
        }
        match self.stands.clone() {
            Some(stands) if stands.refresh > turn.now.mono => {
                turn.send(stands.flow, KEEP_ALIVE.into());
                self.sleep(turn, &stands);
            }
            Some(stands) if stands.until > turn.now.mono => {
                self.begin_round();
                self.hops.push_front(stands.hop.clone());
                self.next(turn);
            }
            Some(_) | None => {
                self.stands = None;
                self.begin_round();
                self.next(turn);
            }
        }
    }

    fn begin_round(&mut self) {
        self.tries = 0;
        self.hosts = self.trunk.hosts.iter().take(ROUTES_MAX).cloned().collect();
        self.hops.clear();
    }

    /// Keeps the addresses of the hosts known, so that their calls are.
    fn ask_names(&mut self, turn: &mut Turn<'_>) {
        let transport = transport(&self.trunk);
        for host in self.trunk.hosts.iter().take(ROUTES_MAX).filter(|h| address(h).is_none()) {
            let question = Question {
                host: host.host.to_ascii_lowercase().into(),
                port: host.port,
                transport,
            };
            if let Known::Asked(lookup, ask) =
                turn.core.names.ask(turn.now.mono, question, self.key)
                && let Some(Question { host, port, transport }) = ask
            {
                turn.effects.push(Effect::Resolve { lookup, host, port, transport });
            }
        }
    }

    /// Goes on to the next address.
    fn next(&mut self, turn: &mut Turn<'_>) {
        let (now, transport) = (turn.now.mono, transport(&self.trunk));
        loop {
            if self.tries >= TRIES_MAX {
                return self.failed(turn);
            }
            if let Some(hop) = self.hops.pop_front() {
                return self.attempt(turn, hop);
            }
            let Some(host) = self.hosts.pop_front() else { return self.failed(turn) };
            if let Some(ip) = address(&host) {
                let port = host.port.unwrap_or(default_port(transport));
                self.hops.push_back(Hop { remote: SocketAddr::new(ip, port), host });
                continue;
            }
            let name = host.host.to_ascii_lowercase().into();
            let question = Question { host: name, port: host.port, transport };
            match turn.core.names.ask(now, question, self.key) {
                Known::Sites(sites) => self.found(turn, &host, sites),
                Known::Asked(lookup, ask) => {
                    if let Some(Question { host, port, transport }) = ask {
                        turn.effects.push(Effect::Resolve { lookup, host, port, transport });
                    }
                    self.stage = Stage::Asking(lookup, host);
                    return self.rest(turn, REACH_WAIT);
                }
            }
        }
    }

    fn found(&mut self, turn: &mut Turn<'_>, host: &TrunkHost, sites: Vec<Site>) {
        let order = ordered(sites, &mut turn.core.chance).into_iter();
        let hop = |remote| Hop { host: host.clone(), remote };
        self.hops = order.take(usize::from(TRIES_MAX)).map(hop).collect();
    }

    fn attempt(&mut self, turn: &mut Turn<'_>, hop: Hop) {
        self.tries = self.tries.saturating_add(1);
        let transport = transport(&self.trunk);
        let name = (transport == Transport::Tls).then(|| hop.host.host.as_str().into());
        let way = Way { transport, remote: hop.remote, name };
        match turn.core.ways.open(turn.now.mono, &way, Waiter::Leg(self.key)) {
            Open::There(flow) => self.register(turn, flow, hop),
            Open::Asked { connect, new } => {
                if new {
                    turn.effects.push(connecting(connect, way));
                }
                self.stage = Stage::Connecting(connect, hop);
                self.rest(turn, REACH_WAIT);
            }
            Open::Full => {
                turn.core.counters.bound_hit += 1;
                self.failed(turn);
            }
        }
    }

    /// A name that it waits for was looked up.
    pub(crate) fn resolved(&mut self, turn: &mut Turn<'_>, lookup: LookupId, sites: Vec<Site>) {
        let Stage::Asking(asked, host) = &self.stage else { return };
        if *asked != lookup {
            return;
        }
        let host = host.clone();
        self.stage = Stage::Resting;
        self.found(turn, &host, sites);
        self.next(turn);
    }

    /// A connection that it waits for is there, or cannot be had.
    pub(crate) fn connected(
        &mut self,
        turn: &mut Turn<'_>,
        connect: ConnectId,
        flow: Option<Flow>,
    ) {
        let Stage::Connecting(asked, hop) = &self.stage else { return };
        if *asked != connect {
            return;
        }
        let hop = hop.clone();
        self.stage = Stage::Resting;
        match flow {
            Some(flow) => self.register(turn, flow, hop),
            None => self.next(turn),
        }
    }

    /// The answer to a REGISTER.
    pub(crate) fn response(&mut self, turn: &mut Turn<'_>, id: TransactionId, message: &Message) {
        let status = message.status().unwrap_or(0);
        let Stage::Registering(flow, hop) = &self.stage else { return };
        let (flow, hop) = (*flow, hop.clone());
        if status < 200 {
            return;
        }
        if let Ok(cseq) = message.cseq() {
            self.cseq = self.cseq.max(cseq.number);
        }
        let toward = turn.core.transactions.get(id).and_then(|t| t.toward.as_ref());
        if let Some(login) = toward.and_then(|t| t.login.clone()) {
            self.login = Some(login);
        }
        self.stage = Stage::Resting;
        match status {
            200..=299 => self.registered(turn, flow, hop, message),
            // 10.2.8: it wants longer ones.
            423 => {
                let least = message.number(Header::MinExpires).ok().flatten();
                match least.filter(|least| *least > self.expires_s) {
                    Some(least) if least <= ENROL_EXPIRES_MAX_S => {
                        self.expires_s = least;
                        self.register(turn, flow, hop);
                    }
                    Some(_) | None => self.next(turn),
                }
            }
            401 | 403 | 407 => {
                // Whoever goes on with a wrong password is banned.
                self.login = None;
                self.refusals = self.refusals.saturating_add(1);
                self.stands = None;
                if self.refusals >= ENROL_REFUSALS_MAX {
                    self.stage = Stage::GivenUp;
                    return self.rest(turn, NAMES_ASKED_EVERY);
                }
                self.failed(turn);
            }
            _ => self.next(turn),
        }
    }

    fn registered(&mut self, turn: &mut Turn<'_>, flow: Flow, hop: Hop, message: &Message) {
        let token = turn.core.key_of(self.key.0).map(|key| trunk_token(key, &self.trunk));
        let own = message.contacts().flatten().find_map(|contact| {
            let address = contact.address()?;
            let user = address.uri.sip()?.user()?;
            (Some(&*user) == token.as_deref()).then(|| address.expires().flatten()).flatten()
        });
        let whole = message.expires().ok().flatten();
        let granted = own.or(whole).unwrap_or(self.expires_s).min(ENROL_EXPIRES_MAX_S);
        if granted == 0 {
            return self.next(turn);
        }
        (self.failures, self.refusals) = (0, 0);
        let granted = Duration::from_secs(granted.into());
        // Half of the time, a tenth more or less, so that not all come at once.
        let share = 45 + turn.core.chance.below(11);
        let refresh = granted.mul_f64(f64::from(u32::try_from(share).unwrap_or(50)) / 100.0);
        let now = turn.now.mono;
        let stands = Stands { flow, hop, refresh: now + refresh, until: now + granted };
        self.sleep(turn, &stands);
        self.stands = Some(stands);
    }

    /// Until the refresh, or until the way wants to be kept open.
    fn sleep(&mut self, turn: &mut Turn<'_>, stands: &Stands) {
        let reliable = stands.flow.transport.is_reliable();
        let every = if reliable { KEEP_ALIVE_STREAM } else { KEEP_ALIVE_DATAGRAM };
        let left = stands.refresh.since(turn.now.mono);
        self.rest(turn, left.min(every));
    }

    /// No answer came, or its way is gone.
    pub(crate) fn unanswered(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.stage, Stage::Registering(..)) {
            self.stage = Stage::Resting;
            self.next(turn);
        }
    }

    /// A connection is gone. What stood on it is registered anew at once.
    pub(crate) fn flow_closed(&mut self, turn: &mut Turn<'_>, flow: crate::FlowId) {
        let lost = self
            .stands
            .as_ref()
            .is_some_and(|stands| stands.flow.transport.is_reliable() && stands.flow.id == flow);
        if lost {
            self.stands = None;
            if matches!(self.stage, Stage::Resting) {
                let after = turn.core.chance.below(1_000);
                self.rest(turn, Duration::from_millis(after));
            }
        }
    }

    /// No host has taken it: later again (RFC 5626 4.5).
    fn failed(&mut self, turn: &mut Turn<'_>) {
        self.stage = Stage::Resting;
        self.failures = self.failures.saturating_add(1);
        let doubled = 1 << self.failures.saturating_sub(1).min(16);
        let longest = ENROL_AGAIN_FIRST.saturating_mul(doubled).min(ENROL_AGAIN_LONGEST);
        let half = longest / 2;
        let millis = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
        let after = half + Duration::from_millis(turn.core.chance.below(millis));
        self.rest(turn, after);
    }

    fn rest(&mut self, turn: &mut Turn<'_>, after: Duration) {
        turn.core.timers.clear(&mut self.timer);
        let timer = Timer::Leg(self.key.0, self.key.1, LegTimer::Reach);
        self.timer = Some(turn.core.timers.start(turn.now.mono, after, timer));
    }

    /// The trunk is gone, or is another: the registration is taken back, once and without waiting
    /// for an answer.
    fn leave(&mut self, turn: &mut Turn<'_>) {
        if let Some(stands) = self.stands.take()
            && let Some((branch, bytes)) = self.request(turn, &stands.flow, &stands.hop, 0)
        {
            let what = (Method::Register, Purpose::Register, User::Nobody);
            turn.begin_request(stands.flow, &branch, what, bytes.into(), None);
        }
        self.forget(turn);
    }

    /// Stops whatever it has running.
    pub(crate) fn forget(&mut self, turn: &mut Turn<'_>) {
        turn.core.timers.clear(&mut self.timer);
        turn.core.names.drop_leg(self.key);
        turn.core.ways.drop_leg(self.key);
        for id in turn.core.transactions.of(User::Leg(self.key.0, self.key.1)) {
            turn.drop_transaction(id);
        }
    }
}
