//! The client transaction of every request but INVITE: RFC 3261 17.1.2.

use super::{Action, Actions, Reliability, Timer, doubled};
use crate::limits::{T1, T1_64, T2, T4};

/// States of figure 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The request was sent, nothing was heard. `interval_ms`: of the running Timer E.
    Trying { interval_ms: u32 },
    /// A provisional response came.
    Proceeding,
    /// The final response came; copies of it are absorbed.
    Completed,
    /// Nothing is left of it.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A 1xx.
    Provisional,
    /// A 2xx to 6xx.
    Final,
    /// A timer has run out.
    Timer(Timer),
    /// The way to the peer is gone.
    TransportError,
}

/// A new transaction; its request is sent.
pub(crate) fn begin(way: Reliability, actions: &mut Actions) -> State {
    actions.push(Action::Send);
    if way == Reliability::Unreliable {
        actions.push(Action::Start(Timer::E, T1));
    }
    actions.push(Action::Start(Timer::F, T1_64));
    State::Trying { interval_ms: 500 }
}

/// One step.
pub(crate) fn step(state: State, input: Input, way: Reliability, actions: &mut Actions) -> State {
    use Input as I;
    use State as S;
    match (state, input) {
        // 17.1.2.2
        (S::Trying { interval_ms }, I::Timer(Timer::E)) => {
            let (interval_ms, after) = doubled(interval_ms, 4_000);
            actions.push(Action::Send);
            actions.push(Action::Start(Timer::E, after));
            S::Trying { interval_ms }
        }
        // 17.1.2.2: in Proceeding the interval is T2.
        (S::Proceeding, I::Timer(Timer::E)) => {
            actions.push(Action::Send);
            actions.push(Action::Start(Timer::E, T2));
            S::Proceeding
        }
        (S::Trying { .. } | S::Proceeding, I::Timer(Timer::F)) => {
            actions.push(Action::TimedOut);
            S::Terminated
        }
        (S::Trying { .. } | S::Proceeding, I::Provisional) => {
            actions.push(Action::Deliver);
            S::Proceeding
        }
        (S::Trying { .. } | S::Proceeding, I::Final) => {
            actions.push(Action::StopTimers);
            actions.push(Action::Deliver);
            match way {
                Reliability::Unreliable => {
                    actions.push(Action::Forget);
                    actions.push(Action::Start(Timer::K, T4));
                    S::Completed
                }
                Reliability::Reliable => S::Terminated,
            }
        }
        (S::Completed, I::Timer(Timer::K)) => S::Terminated,
        // 17.1.4
        (S::Trying { .. } | S::Proceeding, I::TransportError) => {
            actions.push(Action::Unreachable);
            S::Terminated
        }
        (S::Completed, I::TransportError) => S::Terminated,
        // Ignored: copies of the final response are what Completed is for; a timer of another
        // state was on its way.
        (S::Trying { .. } | S::Proceeding, I::Timer(_))
        | (S::Completed, I::Provisional | I::Final | I::Timer(_))
        | (S::Terminated, _) => state,
    }
}
