//! The phone's own transactions: plain lists of what is repeated until when (RFC 3261 17).
//!
//! Written apart from the endpoint under test, so that a misunderstanding there does not have its
//! twin here.

use core::time::Duration;

use model::Mono;
use sip::Method;

use super::request::Draft;

/// RFC 3261 17.1.1.1.
pub(super) const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const T4: Duration = Duration::from_secs(5);
/// Timers B, F, H, and D, J of an unreliable transport.
pub(super) const PATIENCE: Duration = Duration::from_secs(32);

/// What a request was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Register,
    Invite(u32),
    ReInvite(u32),
    Cancel(u32),
    Bye(u32),
    Info(u32),
    Prack(u32),
    Refresh(u32),
    Refer(u32),
    /// SUBSCRIBE, of which subscription.
    Watch(u32),
}

/// Something that is repeated at growing distances.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    pub(super) at: Mono,
    interval: Duration,
    longest: Duration,
}

impl Repeat {
    pub(super) fn begin(now: Mono, longest: Duration) -> Repeat {
        Repeat { at: now + T1, interval: T1, longest }
    }

    pub(super) fn again(&mut self, now: Mono) {
        self.interval = (self.interval * 2).min(self.longest);
        self.at = now + self.interval;
    }
}

/// A request of ours that is not over.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) branch: String,
    pub(super) draft: Draft,
    pub(super) purpose: Purpose,
    pub(super) bytes: Vec<u8>,
    pub(super) state: ClientState,
    pub(super) repeat: Option<Repeat>,
    /// B or F while it waits, D or K when it is completed; none while an INVITE rings.
    pub(super) until: Option<Mono>,
    /// The ACK of a final response above 299.
    pub(super) ack: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientState {
    /// Nothing has come.
    Waiting,
    /// A provisional response has come.
    Proceeding,
    /// The final response has come; its repetitions are taken.
    Completed,
}

impl Client {
    pub(super) fn new(
        now: Mono,
        branch: String,
        draft: Draft,
        purpose: Purpose,
        bytes: Vec<u8>,
        is_reliable: bool,
    ) -> Client {
        let longest = if draft.method == Method::Invite { PATIENCE } else { T2 };
        Client {
            branch,
            draft,
            purpose,
            bytes,
            state: ClientState::Waiting,
            repeat: (!is_reliable).then(|| Repeat::begin(now, longest)),
            until: Some(now + PATIENCE),
            ack: None,
        }
    }

    /// A provisional response.
    pub(super) fn proceed(&mut self) {
        if self.state == ClientState::Waiting {
            self.state = ClientState::Proceeding;
            if self.draft.method == Method::Invite {
                self.repeat = None;
                self.until = None;
            }
        }
    }

    /// The final response.
    pub(super) fn complete(&mut self, now: Mono, is_reliable: bool) {
        self.state = ClientState::Completed;
        self.repeat = None;
        let linger = match (is_reliable, self.draft.method) {
            (true, _) => Duration::ZERO,
            (false, Method::Invite) => PATIENCE,
            (false, _) => T4,
        };
        self.until = Some(now + linger);
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        [self.repeat.map(|r| r.at), self.until].into_iter().flatten().min()
    }
}

/// A request of the other side that is not over.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) branch: String,
    pub(super) method: Method,
    /// The response sent last.
    pub(super) last: Option<Vec<u8>>,
    pub(super) state: ServerState,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ServerState {
    /// No final response yet.
    Proceeding,
    /// An INVITE was refused; repeated until the ACK or the end of patience.
    Refused { repeat: Option<Repeat>, until: Mono },
    /// Nothing is left but to know repetitions.
    Done { until: Mono },
}

impl Server {
    pub(super) fn new(branch: &str, method: Method) -> Server {
        let state = ServerState::Proceeding;
        Server { branch: branch.to_owned(), method, last: None, state }
    }

    /// A response was sent.
    pub(super) fn responded(&mut self, now: Mono, status: u16, bytes: Vec<u8>, is_reliable: bool) {
        self.last = Some(bytes);
        if status < 200 {
            return;
        }
        self.state = if self.method == Method::Invite && status >= 300 {
            let repeat = (!is_reliable).then(|| Repeat::begin(now, T2));
            ServerState::Refused { repeat, until: now + PATIENCE }
        } else {
            ServerState::Done { until: now + PATIENCE }
        };
    }

    /// The ACK of a refusal.
    pub(super) fn acknowledged(&mut self, now: Mono) {
        if let ServerState::Refused { .. } = self.state {
            self.state = ServerState::Done { until: now + T4 };
        }
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        match self.state {
            ServerState::Proceeding => None,
            ServerState::Refused { repeat, until } => {
                Some(repeat.map_or(until, |r| r.at.min(until)))
            }
            ServerState::Done { until } => Some(until),
        }
    }
}
