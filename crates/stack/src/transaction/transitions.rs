//! Every (state, input) pair of the four machines, over both kinds of transport.
//!
//! A table names the pairs that do something; every other pair must do nothing at all.

use core::fmt::Debug;

use super::Timer::{self, A, B, Cancelled, D, E, F, G, H, I, J, K, L, M};
use super::{Action, Actions, Reliability, client, invite_client, invite_server, server};

const TIMERS: [Timer; 13] = [A, B, D, E, F, G, H, I, J, K, L, M, Cancelled];
const WAYS: [Reliability; 2] = [Reliability::Unreliable, Reliability::Reliable];

fn text(action: &Action) -> String {
    match action {
        Action::Send => "send".into(),
        Action::Acknowledge => "ack".into(),
        Action::Deliver => "deliver".into(),
        Action::Start(timer, after) => format!("{timer:?} {}", after.as_millis()),
        Action::StopTimers => "stop".into(),
        Action::Forget => "forget".into(),
        Action::TimedOut => "timed out".into(),
        Action::Unreachable => "unreachable".into(),
    }
}

/// Runs every pair and compares with `table`, lines of `state + input = state: actions`. Lines
/// that begin with `udp` or `tcp` are for one kind of transport, others for both.
fn covers<S: Copy + Debug, In: Copy + Debug>(
    table: &str,
    states: &[S],
    inputs: &[In],
    step: fn(S, In, Reliability, &mut Actions) -> S,
) {
    let mut used = 0;
    for way in WAYS {
        let (mine, others) = match way {
            Reliability::Unreliable => ("udp ", "tcp "),
            Reliability::Reliable => ("tcp ", "udp "),
        };
        let rows: Vec<(&str, &str)> = table
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty() && !l.starts_with(others))
            .map(|l| l.strip_prefix(mine).unwrap_or(l))
            .map(|l| l.split_once(" = ").unwrap())
            .collect();
        for &state in states {
            for &input in inputs {
                let pair = format!("{state:?} + {input:?}");
                let mut actions = Actions::new();
                let next = step(state, input, way, &mut actions);
                let actions: Vec<_> = actions.iter().map(text).collect();
                let got = format!("{next:?}: {}", actions.join(", "));
                let ignored = format!("{state:?}: ");
                let wanted = rows.iter().find(|(p, _)| *p == pair);
                used += usize::from(wanted.is_some());
                let wanted = wanted.map_or(ignored.as_str(), |(_, w)| *w);
                assert_eq!(got.trim_end(), wanted.trim_end(), "{way:?} {pair}");
            }
        }
    }
    let lines = table.lines().map(str::trim).filter(|l| !l.is_empty());
    let expected: usize =
        lines.map(|l| if l.starts_with("udp") || l.starts_with("tcp") { 1 } else { 2 }).sum();
    assert_eq!(used, expected, "a line of the table names a pair that does not exist");
}

#[test]
fn invite_client_does_in_every_state_what_figure_5_says() {
    use invite_client::{Input, State};
    let mut inputs = vec![Input::Provisional, Input::Success, Input::Failure];
    inputs.extend(TIMERS.map(Input::Timer));
    inputs.push(Input::TransportError);
    let states = [
        State::Calling { interval_ms: 1000 },
        State::Proceeding,
        State::Completed,
        State::Accepted,
        State::Terminated,
    ];
    let table = "
        Calling { interval_ms: 1000 } + Timer(A) = Calling { interval_ms: 2000 }: send, A 2000
        Calling { interval_ms: 1000 } + Timer(B) = Terminated: timed out
        Calling { interval_ms: 1000 } + Timer(Cancelled) = Terminated: timed out
        Calling { interval_ms: 1000 } + Provisional = Proceeding: stop, deliver
        Calling { interval_ms: 1000 } + Success = Accepted: stop, deliver, M 32000
        udp Calling { interval_ms: 1000 } + Failure = Completed: stop, ack, deliver, D 32000
        tcp Calling { interval_ms: 1000 } + Failure = Terminated: stop, ack, deliver
        Calling { interval_ms: 1000 } + TransportError = Terminated: unreachable
        Proceeding + Provisional = Proceeding: deliver
        Proceeding + Success = Accepted: stop, deliver, M 32000
        udp Proceeding + Failure = Completed: stop, ack, deliver, D 32000
        tcp Proceeding + Failure = Terminated: stop, ack, deliver
        Proceeding + Timer(Cancelled) = Terminated: timed out
        Proceeding + TransportError = Terminated: unreachable
        Completed + Failure = Completed: ack
        Completed + Timer(D) = Terminated:
        Completed + TransportError = Terminated:
        Accepted + Success = Accepted: deliver
        Accepted + Timer(M) = Terminated:
        Accepted + TransportError = Terminated:
    ";
    covers(table, &states, &inputs, invite_client::step);
}

#[test]
fn invite_server_does_in_every_state_what_figure_7_says() {
    use invite_server::{Input, State};
    let mut inputs =
        vec![Input::Request, Input::Ack, Input::Provisional, Input::Success, Input::Failure];
    inputs.extend(TIMERS.map(Input::Timer));
    inputs.push(Input::TransportError);
    let states = [
        State::Proceeding,
        State::Completed { interval_ms: 4000 },
        State::Confirmed,
        State::Accepted,
        State::Terminated,
    ];
    let table = "
        Proceeding + Request = Proceeding: send
        Proceeding + Provisional = Proceeding: send
        Proceeding + Success = Accepted: send, forget, L 32000
        udp Proceeding + Failure = Completed { interval_ms: 500 }: send, G 500, H 32000
        tcp Proceeding + Failure = Completed { interval_ms: 500 }: send, H 32000
        Proceeding + TransportError = Terminated: unreachable
        Completed { interval_ms: 4000 } + Request = Completed { interval_ms: 4000 }: send
        Completed { interval_ms: 4000 } + Timer(G) = Completed { interval_ms: 4000 }: send, G 4000
        udp Completed { interval_ms: 4000 } + Ack = Confirmed: stop, forget, I 5000
        tcp Completed { interval_ms: 4000 } + Ack = Terminated: stop
        Completed { interval_ms: 4000 } + Timer(H) = Terminated:
        Completed { interval_ms: 4000 } + TransportError = Terminated:
        Confirmed + Timer(I) = Terminated:
        Confirmed + TransportError = Terminated:
        Accepted + Ack = Accepted: deliver
        Accepted + Success = Accepted: send, forget
        Accepted + Timer(L) = Terminated:
        Accepted + TransportError = Terminated:
    ";
    covers(table, &states, &inputs, invite_server::step);
}

#[test]
fn client_does_in_every_state_what_figure_6_says() {
    use client::{Input, State};
    let mut inputs = vec![Input::Provisional, Input::Final];
    inputs.extend(TIMERS.map(Input::Timer));
    inputs.push(Input::TransportError);
    let states = [
        State::Trying { interval_ms: 3000 },
        State::Proceeding,
        State::Completed,
        State::Terminated,
    ];
    let table = "
        Trying { interval_ms: 3000 } + Timer(E) = Trying { interval_ms: 4000 }: send, E 4000
        Trying { interval_ms: 3000 } + Timer(F) = Terminated: timed out
        Trying { interval_ms: 3000 } + Provisional = Proceeding: deliver
        udp Trying { interval_ms: 3000 } + Final = Completed: stop, deliver, forget, K 5000
        tcp Trying { interval_ms: 3000 } + Final = Terminated: stop, deliver
        Trying { interval_ms: 3000 } + TransportError = Terminated: unreachable
        Proceeding + Timer(E) = Proceeding: send, E 4000
        Proceeding + Timer(F) = Terminated: timed out
        Proceeding + Provisional = Proceeding: deliver
        udp Proceeding + Final = Completed: stop, deliver, forget, K 5000
        tcp Proceeding + Final = Terminated: stop, deliver
        Proceeding + TransportError = Terminated: unreachable
        Completed + Timer(K) = Terminated:
        Completed + TransportError = Terminated:
    ";
    covers(table, &states, &inputs, client::step);
}

#[test]
fn server_does_in_every_state_what_figure_8_says() {
    use server::{Input, State};
    let mut inputs = vec![Input::Request, Input::Provisional, Input::Final];
    inputs.extend(TIMERS.map(Input::Timer));
    inputs.push(Input::TransportError);
    let states = [State::Trying, State::Proceeding, State::Completed, State::Terminated];
    let table = "
        Trying + Provisional = Proceeding: send
        udp Trying + Final = Completed: send, J 32000
        tcp Trying + Final = Terminated: send
        Trying + TransportError = Terminated: unreachable
        Proceeding + Request = Proceeding: send
        Proceeding + Provisional = Proceeding: send
        udp Proceeding + Final = Completed: send, J 32000
        tcp Proceeding + Final = Terminated: send
        Proceeding + TransportError = Terminated: unreachable
        Completed + Request = Completed: send
        Completed + Timer(J) = Terminated:
        Completed + TransportError = Terminated:
    ";
    covers(table, &states, &inputs, server::step);
}

#[test]
fn timer_intervals_double_as_the_figures_say() {
    let mut actions = Actions::new();
    let mut state = invite_client::begin(Reliability::Unreliable, &mut actions);
    for _ in 0..6 {
        state = invite_client::step(
            state,
            invite_client::Input::Timer(A),
            Reliability::Unreliable,
            &mut actions,
        );
    }
    let mut other = client::begin(Reliability::Unreliable, &mut actions);
    for _ in 0..4 {
        other = client::step(other, client::Input::Timer(E), Reliability::Unreliable, &mut actions);
    }
    let starts: Vec<_> = actions.iter().map(text).filter(|t| t != "send").collect();
    assert_eq!(
        starts.join(", "),
        "A 500, B 32000, A 1000, A 2000, A 4000, A 8000, A 16000, A 32000, \
         E 500, F 32000, E 1000, E 2000, E 4000, E 4000"
    );
}

#[test]
fn a_reliable_transport_repeats_nothing() {
    let mut actions = Actions::new();
    invite_client::begin(Reliability::Reliable, &mut actions);
    client::begin(Reliability::Reliable, &mut actions);
    let text: Vec<_> = actions.iter().map(text).collect();
    assert_eq!(text.join(", "), "send, B 32000, send, F 32000");
}
