//! The server transaction of every request but INVITE: RFC 3261 17.2.2.

use super::{Action, Actions, Reliability, Timer};
use crate::limits::T1_64;

/// States of figure 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No response yet.
    Trying,
    /// A provisional response was sent.
    Proceeding,
    /// The final response was sent and answers copies of the request.
    Completed,
    /// Nothing is left of it.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The request once more.
    Request,
    /// The user sends a 1xx.
    Provisional,
    /// The user sends a 2xx to 6xx.
    Final,
    /// A timer has run out.
    Timer(Timer),
    /// The way to the peer is gone.
    TransportError,
}

/// One step.
pub(crate) fn step(state: State, input: Input, way: Reliability, actions: &mut Actions) -> State {
    use Input as I;
    use State as S;
    match (state, input) {
        // 17.2.2
        (S::Trying | S::Proceeding, I::Provisional) => {
            actions.push(Action::Send);
            S::Proceeding
        }
        (S::Trying | S::Proceeding, I::Final) => {
            actions.push(Action::Send);
            match way {
                Reliability::Unreliable => {
                    actions.push(Action::Start(Timer::J, T1_64));
                    S::Completed
                }
                Reliability::Reliable => S::Terminated,
            }
        }
        (S::Proceeding | S::Completed, I::Request) => {
            actions.push(Action::Send);
            state
        }
        (S::Completed, I::Timer(Timer::J)) => S::Terminated,
        // 17.2.4
        (S::Trying | S::Proceeding, I::TransportError) => {
            actions.push(Action::Unreachable);
            S::Terminated
        }
        (S::Completed, I::TransportError) => S::Terminated,
        // Ignored: in Trying there is nothing to repeat yet; after the final response the user
        // has no more to say; a timer of another state was on its way.
        (S::Trying, I::Request | I::Timer(_))
        | (S::Proceeding, I::Timer(_))
        | (S::Completed, I::Provisional | I::Final | I::Timer(_))
        | (S::Terminated, _) => state,
    }
}
