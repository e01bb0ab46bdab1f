//! The four transaction machines of RFC 3261 17 and the table of the running ones.
//!
//! A machine is a function of (state, input) that pushes [`Action`]s; it holds no message, no
//! clock and no address. What those actions mean for one transaction is in [`table`].

pub(crate) mod client;
pub(crate) mod invite_client;
pub(crate) mod invite_server;
pub(crate) mod server;
pub(crate) mod table;
#[cfg(test)]
mod transitions;

use core::time::Duration;

use smallvec::SmallVec;

pub(crate) use table::{Initial, Purpose, Transaction, TransactionId, Transactions, User};

/// The timers of RFC 3261 table 4 and RFC 6026.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Repeats an INVITE until anything is heard.
    A,
    /// Ends an INVITE that nobody answers.
    B,
    /// Absorbs copies of a final response to INVITE.
    D,
    /// Repeats another request until its final response.
    E,
    /// Ends another request that nobody answers.
    F,
    /// Repeats a final response to INVITE until its ACK.
    G,
    /// Ends the wait for that ACK.
    H,
    /// Absorbs copies of that ACK.
    I,
    /// Answers copies of another request.
    J,
    /// Absorbs copies of a final response to another request.
    K,
    /// Absorbs copies of an INVITE that got a 2xx.
    L,
    /// Waits for further 2xx of forks.
    M,
    /// Ends an INVITE whose CANCEL brought no final response (9.1).
    Cancelled,
}

impl Timer {
    /// Whether it repeats something; the others bound a transaction's life. One of each runs at
    /// most.
    fn repeats(self) -> bool {
        match self {
            Timer::A | Timer::E | Timer::G => true,
            Timer::B
            | Timer::D
            | Timer::F
            | Timer::H
            | Timer::I
            | Timer::J
            | Timer::K
            | Timer::L
            | Timer::M
            | Timer::Cancelled => false,
        }
    }
}

/// Whether the transport repeats what is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reliability {
    /// UDP.
    Unreliable,
    /// TCP and what runs on it.
    Reliable,
}

/// What a machine wants done, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send the request of a client, the newest response of a server.
    Send,
    /// Send the ACK of a final response above 299.
    Acknowledge,
    /// Give the message at hand to the user.
    Deliver,
    /// Start a timer; it replaces the one of its kind.
    Start(Timer, Duration),
    /// Stop both timers.
    StopTimers,
    /// The message is needed no more.
    Forget,
    /// Tell the user that no answer came.
    TimedOut,
    /// Tell the user that the way to the peer is gone.
    Unreachable,
}

/// What one step wants done.
pub(crate) type Actions = SmallVec<[Action; 4]>;

/// The next interval of a repeating timer.
fn doubled(interval_ms: u32, max_ms: u32) -> (u32, Duration) {
    let next = interval_ms.saturating_mul(2).min(max_ms);
    (next, Duration::from_millis(u64::from(next)))
}

/// The machine of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// We invited.
    InviteClient(invite_client::State),
    /// We were invited.
    InviteServer(invite_server::State),
    /// We requested something else.
    Client(client::State),
    /// Something else was requested of us.
    Server(server::State),
}

impl Machine {
    /// Whether nothing is left of it.
    pub(crate) fn is_terminated(self) -> bool {
        matches!(
            self,
            Machine::InviteClient(invite_client::State::Terminated)
                | Machine::InviteServer(invite_server::State::Terminated)
                | Machine::Client(client::State::Terminated)
                | Machine::Server(server::State::Terminated)
        )
    }

    /// A timer has run out.
    pub(crate) fn timer(self, timer: Timer, way: Reliability, actions: &mut Actions) -> Machine {
        match self {
            Machine::InviteClient(s) => Machine::InviteClient(invite_client::step(
                s,
                invite_client::Input::Timer(timer),
                way,
                actions,
            )),
            Machine::InviteServer(s) => Machine::InviteServer(invite_server::step(
                s,
                invite_server::Input::Timer(timer),
                way,
                actions,
            )),
            Machine::Client(s) => {
                Machine::Client(client::step(s, client::Input::Timer(timer), way, actions))
            }
            Machine::Server(s) => {
                Machine::Server(server::step(s, server::Input::Timer(timer), way, actions))
            }
        }
    }

    /// The way to the peer is gone.
    pub(crate) fn transport_error(self, way: Reliability, actions: &mut Actions) -> Machine {
        match self {
            Machine::InviteClient(s) => Machine::InviteClient(invite_client::step(
                s,
                invite_client::Input::TransportError,
                way,
                actions,
            )),
            Machine::InviteServer(s) => Machine::InviteServer(invite_server::step(
                s,
                invite_server::Input::TransportError,
                way,
                actions,
            )),
            Machine::Client(s) => {
                Machine::Client(client::step(s, client::Input::TransportError, way, actions))
            }
            Machine::Server(s) => {
                Machine::Server(server::step(s, server::Input::TransportError, way, actions))
            }
        }
    }

    /// A response has come (for the client machines).
    pub(crate) fn response(self, status: u16, way: Reliability, actions: &mut Actions) -> Machine {
        match self {
            Machine::InviteClient(s) => {
                let input = match status {
                    0..=199 => invite_client::Input::Provisional,
                    200..=299 => invite_client::Input::Success,
                    300.. => invite_client::Input::Failure,
                };
                Machine::InviteClient(invite_client::step(s, input, way, actions))
            }
            Machine::Client(s) => {
                let input = match status {
                    0..=199 => client::Input::Provisional,
                    200.. => client::Input::Final,
                };
                Machine::Client(client::step(s, input, way, actions))
            }
            // Responses are looked up among client transactions only.
            Machine::InviteServer(_) | Machine::Server(_) => self,
        }
    }

    /// The user sends a response (for the server machines).
    pub(crate) fn respond(self, status: u16, way: Reliability, actions: &mut Actions) -> Machine {
        match self {
            Machine::InviteServer(s) => {
                let input = match status {
                    0..=199 => invite_server::Input::Provisional,
                    200..=299 => invite_server::Input::Success,
                    300.. => invite_server::Input::Failure,
                };
                Machine::InviteServer(invite_server::step(s, input, way, actions))
            }
            Machine::Server(s) => {
                let input = match status {
                    0..=199 => server::Input::Provisional,
                    200.. => server::Input::Final,
                };
                Machine::Server(server::step(s, input, way, actions))
            }
            Machine::InviteClient(_) | Machine::Client(_) => self,
        }
    }

    /// The request has come once more (for the server machines).
    pub(crate) fn again(self, way: Reliability, actions: &mut Actions) -> Machine {
        match self {
            Machine::InviteServer(s) => Machine::InviteServer(invite_server::step(
                s,
                invite_server::Input::Request,
                way,
                actions,
            )),
            Machine::Server(s) => {
                Machine::Server(server::step(s, server::Input::Request, way, actions))
            }
            Machine::InviteClient(_) | Machine::Client(_) => self,
        }
    }

    /// An ACK has come (for the INVITE server machine).
    pub(crate) fn ack(self, way: Reliability, actions: &mut Actions) -> Machine {
        match self {
            Machine::InviteServer(s) => Machine::InviteServer(invite_server::step(
                s,
                invite_server::Input::Ack,
                way,
                actions,
            )),
            Machine::InviteClient(_) | Machine::Client(_) | Machine::Server(_) => self,
        }
    }
}
