//! The INVITE server transaction: RFC 3261 17.2.1 as amended by RFC 6026 8.5 and 8.7.

use super::{Action, Actions, Reliability, Timer, doubled};
use crate::limits::{T1, T1_64, T4};

/// States of figure 7 with the Accepted state of RFC 6026 7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No final response yet.
    Proceeding,
    /// A final response above 299 was sent. `interval_ms`: of the running Timer G.
    Completed { interval_ms: u32 },
    /// Its ACK came; further ones are absorbed.
    Confirmed,
    /// A 2xx was sent; repeating it is the dialog's.
    Accepted,
    /// Nothing is left of it.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The INVITE once more.
    Request,
    /// An ACK that matches this transaction.
    Ack,
    /// The user sends a 1xx.
    Provisional,
    /// The user sends a 2xx.
    Success,
    /// The user sends a 3xx to 6xx.
    Failure,
    /// A timer has run out.
    Timer(Timer),
    /// The way to the peer is gone.
    TransportError,
}

/// One step. One `match` in the order of the figure, and therefore longer than other functions.
pub(crate) fn step(state: State, input: Input, way: Reliability, actions: &mut Actions) -> State {
    use Input as I;
    use State as S;
    match (state, input) {
        // 17.2.1: answered with the newest provisional response.
        (S::Proceeding, I::Request) => {
            actions.push(Action::Send);
            S::Proceeding
        }
        (S::Proceeding, I::Provisional) => {
            actions.push(Action::Send);
            S::Proceeding
        }
        // RFC 6026 8.5: L bounds how long copies of the INVITE are absorbed.
        (S::Proceeding, I::Success) => {
            actions.push(Action::Send);
            actions.push(Action::Forget);
            actions.push(Action::Start(Timer::L, T1_64));
            S::Accepted
        }
        // 17.2.1: G over unreliable transports only.
        (S::Proceeding, I::Failure) => {
            actions.push(Action::Send);
            if way == Reliability::Unreliable {
                actions.push(Action::Start(Timer::G, T1));
            }
            actions.push(Action::Start(Timer::H, T1_64));
            S::Completed { interval_ms: 500 }
        }
        (S::Completed { .. }, I::Request) => {
            actions.push(Action::Send);
            state
        }
        (S::Completed { interval_ms }, I::Timer(Timer::G)) => {
            let (interval_ms, after) = doubled(interval_ms, 4_000);
            actions.push(Action::Send);
            actions.push(Action::Start(Timer::G, after));
            S::Completed { interval_ms }
        }
        // 17.2.1: I absorbs copies of the ACK.
        (S::Completed { .. }, I::Ack) => {
            actions.push(Action::StopTimers);
            match way {
                Reliability::Unreliable => {
                    actions.push(Action::Forget);
                    actions.push(Action::Start(Timer::I, T4));
                    S::Confirmed
                }
                Reliability::Reliable => S::Terminated,
            }
        }
        // 17.2.1: the ACK never came; the peer has its refusal or is gone, so nobody need know.
        (S::Completed { .. }, I::Timer(Timer::H)) => S::Terminated,
        (S::Confirmed, I::Timer(Timer::I)) => S::Terminated,
        // RFC 6026 8.7: the ACK of a 2xx is the dialog's.
        (S::Accepted, I::Ack) => {
            actions.push(Action::Deliver);
            S::Accepted
        }
        (S::Accepted, I::Success) => {
            actions.push(Action::Send);
            actions.push(Action::Forget);
            S::Accepted
        }
        (S::Accepted, I::Timer(Timer::L)) => S::Terminated,
        // 17.2.4: the user is told while it still owes a response.
        (S::Proceeding, I::TransportError) => {
            actions.push(Action::Unreachable);
            S::Terminated
        }
        (S::Completed { .. } | S::Confirmed | S::Accepted, I::TransportError) => S::Terminated,
        // Ignored: an ACK before any final response is a peer's mistake; copies are absorbed
        // after ACK and 2xx; the user has sent its final response; a timer of another state.
        (S::Proceeding, I::Ack | I::Timer(_))
        | (S::Completed { .. }, I::Provisional | I::Success | I::Failure | I::Timer(_))
        | (
            S::Confirmed,
            I::Request | I::Ack | I::Provisional | I::Success | I::Failure | I::Timer(_),
        )
        | (S::Accepted, I::Request | I::Provisional | I::Failure | I::Timer(_))
        | (S::Terminated, _) => state,
    }
}
