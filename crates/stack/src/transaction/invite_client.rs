//! The INVITE client transaction: RFC 3261 17.1.1 as amended by RFC 6026 8.4.

use super::{Action, Actions, Reliability, Timer, doubled};
use crate::limits::{T1, T1_64};

/// States of figure 5 with the Accepted state of RFC 6026 7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The INVITE was sent, nothing was heard. `interval_ms`: of the running Timer A.
    Calling { interval_ms: u32 },
    /// A provisional response came.
    Proceeding,
    /// A final response above 299 came and was acknowledged.
    Completed,
    /// A 2xx came; further ones go to the dialog.
    Accepted,
    /// Nothing is left of it.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A 1xx.
    Provisional,
    /// A 2xx.
    Success,
    /// A 3xx to 6xx.
    Failure,
    /// A timer has run out.
    Timer(Timer),
    /// The way to the peer is gone.
    TransportError,
}

/// A new transaction; its request is sent.
pub(crate) fn begin(way: Reliability, actions: &mut Actions) -> State {
    // 17.1.1.2: Timer A over unreliable transports only, Timer B always.
    actions.push(Action::Send);
    if way == Reliability::Unreliable {
        actions.push(Action::Start(Timer::A, T1));
    }
    actions.push(Action::Start(Timer::B, T1_64));
    State::Calling { interval_ms: 500 }
}

/// One step. One `match` in the order of the figure, and therefore longer than other functions.
pub(crate) fn step(state: State, input: Input, way: Reliability, actions: &mut Actions) -> State {
    use Input as I;
    use State as S;
    match (state, input) {
        // 17.1.1.2: repeat with doubled interval; Timer A has no upper bound but Timer B.
        (S::Calling { interval_ms }, I::Timer(Timer::A)) => {
            let (interval_ms, after) = doubled(interval_ms, u32::MAX);
            actions.push(Action::Send);
            actions.push(Action::Start(Timer::A, after));
            S::Calling { interval_ms }
        }
        // 17.1.1.2: nobody answered at all.
        (S::Calling { .. }, I::Timer(Timer::B)) => {
            actions.push(Action::TimedOut);
            S::Terminated
        }
        // 17.1.1.2: the retransmissions end.
        (S::Calling { .. }, I::Provisional) => {
            actions.push(Action::StopTimers);
            actions.push(Action::Deliver);
            S::Proceeding
        }
        (S::Proceeding, I::Provisional) => {
            actions.push(Action::Deliver);
            S::Proceeding
        }
        // RFC 6026 8.4: the ACK is the dialog's.
        (S::Calling { .. } | S::Proceeding, I::Success) => {
            actions.push(Action::StopTimers);
            actions.push(Action::Deliver);
            actions.push(Action::Start(Timer::M, T1_64));
            S::Accepted
        }
        // 17.1.1.2: the ACK is the transaction's, for every copy of the response.
        (S::Calling { .. } | S::Proceeding, I::Failure) => {
            actions.push(Action::StopTimers);
            actions.push(Action::Acknowledge);
            actions.push(Action::Deliver);
            match way {
                Reliability::Unreliable => {
                    actions.push(Action::Start(Timer::D, T1_64));
                    S::Completed
                }
                Reliability::Reliable => S::Terminated,
            }
        }
        (S::Completed, I::Failure) => {
            actions.push(Action::Acknowledge);
            S::Completed
        }
        // 17.1.1.2
        (S::Completed, I::Timer(Timer::D)) => S::Terminated,
        // RFC 6026 8.4: every copy of a 2xx and every fork's goes to the dialog.
        (S::Accepted, I::Success) => {
            actions.push(Action::Deliver);
            S::Accepted
        }
        (S::Accepted, I::Timer(Timer::M)) => S::Terminated,
        // 9.1: a cancelled INVITE that gets no final response in 64 * T1 is over.
        (S::Calling { .. } | S::Proceeding, I::Timer(Timer::Cancelled)) => {
            actions.push(Action::TimedOut);
            S::Terminated
        }
        // 17.1.4: the user is told, unless it has its final response already.
        (S::Calling { .. } | S::Proceeding, I::TransportError) => {
            actions.push(Action::Unreachable);
            S::Terminated
        }
        (S::Completed | S::Accepted, I::TransportError) => S::Terminated,
        // Ignored: a timer of another state was on its way, or a response no longer counts
        // (1xx after the final one; 3xx-6xx after a 2xx and the other way round).
        (S::Calling { .. }, I::Timer(_))
        | (S::Proceeding, I::Timer(_))
        | (S::Completed, I::Provisional | I::Success | I::Timer(_))
        | (S::Accepted, I::Provisional | I::Failure | I::Timer(_))
        | (S::Terminated, _) => state,
    }
}
