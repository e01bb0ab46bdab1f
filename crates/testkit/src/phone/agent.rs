//! The phone as a value: datagrams, moments and the person's wishes in; datagrams out.

use core::net::SocketAddr;

use model::{Chance, Mono};
use sip::{Header, Method};

use super::call::{ALLOW, Call, CallState, Dialog, Outcome, Session, Wake, Way};
use super::manner::{Manner, WhenCalled};
use super::request::{Draft, Place, Transport};
use super::transaction::{Client, ClientState, Purpose, Server};
use super::voice::{Ear, Mouth};
use super::watch::Watch;

/// Something that the phone sends.
#[derive(Debug)]
pub(crate) enum Output {
    Sip(Vec<u8>),
    Rtp { from: u16, to: SocketAddr, bytes: Vec<u8> },
}

/// How its registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// Not asked for, or removed.
    No,
    /// Asked for.
    Asking,
    /// The last REGISTER was answered 200.
    Yes,
    /// The last REGISTER was refused with this status; 0: not answered.
    Refused(u16),
}

/// The phone's REGISTER requests.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) state: Registered,
    pub(super) call_id: String,
    pub(super) tag: String,
    pub(super) cseq: u32,
    /// When it registers anew.
    pub(super) refresh: Option<Mono>,
    pub(super) expires_s: u32,
    /// The contacts that the last 200 listed.
    pub(super) contacts: Vec<String>,
}

/// The nonce that the switch gave last, so that refreshes need no challenge.
#[derive(Clone, Debug)]
pub(super) struct Nonce {
    pub(super) challenge: String,
    pub(super) count: u32,
}

/// A phone.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) place: Place,
    pub(crate) manner: Manner,
    /// It neither hears nor says anything: the cable is out.
    pub(crate) is_unplugged: bool,
    pub(super) chance: Chance,
    pub(super) clients: Vec<Client>,
    pub(super) servers: Vec<Server>,
    /// Those that go on, and those that have ended, oldest first.
    pub(crate) calls: Vec<Call>,
    pub(crate) past: Vec<Call>,
    pub(super) next_call: u32,
    pub(super) registration: Registration,
    pub(super) nonce: Option<Nonce>,
    pub(crate) watches: Vec<Watch>,
    pub(super) next_watch: u32,
    /// Messages that it could not read, with the reason.
    pub(crate) complaints: Vec<String>,
    pub(super) out: Vec<Output>,
}

impl Agent {
    pub(crate) fn new(place: Place, manner: Manner, mut chance: Chance) -> Agent {
        let registration = Registration {
            state: Registered::No,
            call_id: token(&mut chance, 16),
            tag: token(&mut chance, 8),
            cseq: 0,
            refresh: None,
            expires_s: manner.expires_s,
            contacts: Vec::new(),
        };
        Agent {
            place,
            manner,
            is_unplugged: false,
            chance,
            clients: Vec::new(),
            servers: Vec::new(),
            calls: Vec::new(),
            past: Vec::new(),
            next_call: 0,
            registration,
            nonce: None,
            watches: Vec::new(),
            next_watch: 0,
            complaints: Vec::new(),
            out: Vec::new(),
        }
    }

    /// What it sends since it was last asked.
    pub(crate) fn outputs(&mut self) -> Vec<Output> {
        let out = core::mem::take(&mut self.out);
        if self.is_unplugged { Vec::new() } else { out }
    }

    /// When [`Agent::tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let clients = self.clients.iter().filter_map(Client::deadline).min();
        let servers = self.servers.iter().filter_map(Server::deadline).min();
        let calls = self.calls.iter().filter_map(Call::deadline).min();
        let watches = self.watches.iter().filter_map(|w| w.refresh).min();
        let all = [clients, servers, calls, watches, self.registration.refresh];
        all.into_iter().flatten().min()
    }

    /// Whether nothing that it has sent waits for an answer.
    pub(crate) fn is_at_rest(&self) -> bool {
        let is_open = |c: &Client| c.state != ClientState::Completed;
        let is_busy = |c: &Call| c.is_offering || c.unacked.is_some() || !c.wakes.is_empty();
        !self.clients.iter().any(is_open) && !self.calls.iter().any(is_busy)
    }

    /// How its registration stands.
    pub(crate) fn registered(&self) -> Registered {
        self.registration.state
    }

    /// The contacts that the last answer to a REGISTER listed.
    pub(crate) fn contacts(&self) -> &[String] {
        &self.registration.contacts
    }

    /// What is not over: for leak checks.
    pub(crate) fn leftovers(&self) -> Option<String> {
        let (clients, servers) = (self.clients.len(), self.servers.len());
        let live = self.calls.len();
        (clients + servers + live > 0).then(|| {
            let name = &self.place.name;
            format!("{name}: {clients} client and {servers} server transactions, {live} calls")
        })
    }

    /// The newest call that goes on, else the newest of all.
    pub(crate) fn call(&self) -> Option<&Call> {
        self.calls.iter().rev().find(|c| c.is_live()).or(self.newest())
    }

    fn newest(&self) -> Option<&Call> {
        self.calls.iter().chain(&self.past).max_by_key(|c| c.id)
    }

    /// A call by its number.
    pub(super) fn call_mut(&mut self, id: u32) -> Option<&mut Call> {
        self.calls.iter_mut().find(|c| c.id == id)
    }

    /// Number of the newest live call in a state that `which` wants.
    pub(super) fn find(&self, which: impl Fn(&Call) -> bool) -> Option<u32> {
        self.calls.iter().rev().find(|c| c.is_live() && which(c)).map(|c| c.id)
    }

    /// Makes a call that has sent and received nothing yet.
    pub(super) fn new_call(&mut self, way: Way, number: &str) -> Call {
        let id = self.next_call;
        self.next_call += 1;
        let (seed, session_id) = (self.chance.bits(), self.chance.bits() >> 12);
        let low = |bits: u64| u32::try_from(bits & 0xFFFF_FFFF).unwrap_or(0);
        let label = u8::try_from(id % 256).unwrap_or(0);
        let sequence = u16::try_from(seed >> 48).unwrap_or(0);
        let state = if way == Way::Out { CallState::Calling } else { CallState::Ringing };
        let port = 4_000 + u16::try_from(id % 10_000).unwrap_or(0) * 2;
        Call {
            id,
            way,
            number: number.to_owned(),
            state,
            dialog: Dialog {
                call_id: token(&mut self.chance, 20),
                local: self.address(),
                local_tag: token(&mut self.chance, 8),
                remote: String::new(),
                remote_tag: String::new(),
                target: String::new(),
                routes: Vec::new(),
                local_cseq: u32::try_from(self.chance.below(1_000)).unwrap_or(0),
                remote_cseq: 0,
            },
            invite_cseq: 0,
            is_heard: false,
            wants_cancel: false,
            ack: None,
            invite: None,
            unacked: None,
            wakes: Vec::new(),
            session: Session {
                port,
                id: session_id,
                version: 1,
                hold: None,
                offered: None,
                wish: None,
                remote: None,
                codec: None,
                last: None,
                owes_us_answer: false,
            },
            is_offering: false,
            rejected_offers: 0,
            mouth: Mouth::new(self.place.number, label, low(seed), sequence),
            ear: Ear::default(),
            info_digits: String::new(),
            heard_rseq: None,
            unpracked: None,
            rseq: 0,
            pracks: 0,
            timer: None,
            refreshes: 0,
            led_by: None,
            early_tag: String::new(),
            referral: Default::default(),
            shown: None,
        }
    }

    /// The phone's address of record, as From and To write it.
    pub(super) fn address(&self) -> String {
        format!("\"{}\" <sip:{}@{}>", self.place.name, self.place.login, self.place.domain)
    }

    /// Registers for its usual time, or with `Some(0)` removes its contact.
    pub(crate) fn register(&mut self, now: Mono, expires_s: u32) {
        let place = &self.place;
        self.registration.cseq += 1;
        self.registration.refresh = None;
        self.registration.expires_s = expires_s;
        let draft = Draft {
            method: Method::Register,
            uri: format!("sip:{}", place.domain),
            from: format!("{};tag={}", self.address(), self.registration.tag),
            to: self.address(),
            call_id: self.registration.call_id.clone(),
            cseq: self.registration.cseq,
            max_forwards: 70,
            routes: Vec::new(),
            contact: Some(format!("<{}>", place.contact())),
            extra: vec![
                (Header::Expires, expires_s.to_string()),
                (Header::Allow, ALLOW.to_owned()),
                (Header::UserAgent, "simulated phone".to_owned()),
            ],
            body: None,
            attempts: 0,
        };
        self.registration.state = Registered::Asking;
        self.send_known(now, draft, Purpose::Register);
    }

    /// Forgets that it is registered, as a phone that lost its power.
    pub(crate) fn forget(&mut self) {
        self.registration.refresh = None;
        self.registration.state = Registered::No;
        self.nonce = None;
        self.watches.clear();
        self.clients.clear();
        self.servers.clear();
        for mut call in self.calls.drain(..) {
            call.unacked = None;
            call.end(Outcome::Lost);
            self.past.push(call);
        }
    }

    /// Its connection is gone.
    pub(crate) fn disconnected(&mut self) {
        // Requests that wait for an answer will be repeated by nobody: they have failed.
        let waiting: Vec<String> = self.clients.iter().map(|c| c.branch.clone()).collect();
        for branch in waiting {
            if let Some(at) = self.clients.iter().position(|c| c.branch == branch) {
                let client = self.clients.remove(at);
                if client.state != ClientState::Completed {
                    self.failed(Mono(0), client.purpose, 0);
                }
            }
        }
    }

    pub(super) fn is_reliable(&self) -> bool {
        self.place.transport == Transport::Tcp
    }

    /// Starts or stops the mouth of a call as its session says.
    pub(super) fn attend(&mut self, now: Mono, id: u32) {
        if let Some(call) = self.calls.iter_mut().find(|c| c.id == id) {
            call.attend(now, &self.manner);
        }
    }

    /// The same for all calls, after its manner has changed.
    pub(crate) fn attend_all(&mut self, now: Mono) {
        for call in &mut self.calls {
            call.attend(now, &self.manner);
        }
    }

    /// Takes one datagram of one of its RTP ports; `false`: nobody listens there.
    pub(crate) fn rtp(&mut self, now: Mono, port: u16, bytes: &[u8]) -> bool {
        if self.is_unplugged {
            return false;
        }
        let Some(call) = self.calls.iter_mut().find(|c| c.is_live() && c.session.port == port)
        else {
            return false;
        };
        call.hear(now, bytes);
        true
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Mono) {
        self.tick_clients(now);
        self.tick_servers(now);
        self.tick_calls(now);
        self.tick_watches(now);
        if self.registration.refresh.is_some_and(|at| at <= now) {
            self.register(now, self.registration.expires_s);
        }
        self.lead_on(now);
        self.bury();
    }

    fn tick_calls(&mut self, now: Mono) {
        let ids: Vec<u32> = self.calls.iter().map(|c| c.id).collect();
        for id in ids {
            let Some(call) = self.calls.iter_mut().find(|c| c.id == id) else { continue };
            if call.mouth.next.is_some_and(|at| at <= now) {
                let from = call.session.port;
                match call.speak(now, &self.manner) {
                    Some((to, bytes)) => self.out.push(Output::Rtp { from, to, bytes }),
                    None => call.mouth.next = None,
                }
            }
            if let Some(unacked) = &mut call.unacked {
                if unacked.until <= now {
                    // RFC 3261 13.3.1.4.
                    call.unacked = None;
                    self.bye(now, id, Outcome::Lost);
                    continue;
                }
                if unacked.repeat.at <= now {
                    unacked.repeat.again(now);
                    let bytes = unacked.bytes.clone();
                    self.out.push(Output::Sip(bytes));
                }
            }
            self.tick_reliable(now, id);
            self.wake(now, id);
        }
    }

    fn wake(&mut self, now: Mono, id: u32) {
        let Some(call) = self.call_mut(id) else { return };
        let due: Vec<Wake> = call.wakes.iter().filter(|w| w.0 <= now).map(|w| w.1).collect();
        call.wakes.retain(|w| w.0 > now);
        for wake in due {
            match wake {
                Wake::Answer => self.accept(now, id),
                Wake::Refuse(status) => self.decline(now, id, status),
                Wake::OfferAgain => self.reinvite(now, id),
                Wake::HangUp => self.bye(now, id, Outcome::HungUp),
            }
        }
    }

    /// Moves calls of which nothing is left to the past.
    pub(super) fn bury(&mut self) {
        let mut at = 0;
        while let Some(call) = self.calls.get(at) {
            if call.is_finished() {
                let call = self.calls.remove(at);
                self.past.push(call);
            } else {
                at += 1;
            }
        }
    }

    /// What it does about a new call.
    pub(super) fn react(&mut self, now: Mono, id: u32) {
        if self.leads(now, id) {
            return;
        }
        match self.manner.when_called {
            WhenCalled::Answers(after) if after.is_zero() => self.accept(now, id),
            WhenCalled::Refuses(after, status) if after.is_zero() => self.decline(now, id, status),
            WhenCalled::Tries => {
                self.respond_invite(now, id, 100, None);
            }
            WhenCalled::Rings => self.ring(now, id),
            WhenCalled::Answers(after) => {
                self.ring(now, id);
                self.wake_later(id, now + after, Wake::Answer);
            }
            WhenCalled::Refuses(after, status) => {
                self.ring(now, id);
                self.wake_later(id, now + after, Wake::Refuse(status));
            }
        }
    }

    fn wake_later(&mut self, id: u32, at: Mono, wake: Wake) {
        if let Some(call) = self.call_mut(id) {
            call.wakes.push((at, wake));
        }
    }
}

/// Content-Type of session descriptions.
pub(super) const SDP: &str = "application/sdp";

/// Random letters.
pub(super) fn token(chance: &mut Chance, letters: usize) -> String {
    let mut text = String::new();
    chance.token(letters, &mut text);
    text
}
