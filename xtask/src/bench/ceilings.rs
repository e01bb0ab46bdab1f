//! What the generators hold by themselves, so that what they measure of the switch is the switch's.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use loadgen::{CallPlan, Demo, Phones, Streams};

use super::place::Place;
use super::table::Row;

/// Calls of one leg a second, tried one after the other. A call through the switch has two legs.
const CALLS: [f64; 4] = [3000.0, 4000.0, 5000.0, 6000.0];
/// Packets a second.
const PACKETS: usize = 100_000;
const SOCKETS: usize = 16;

/// Phones against a responder of a few lines, streams against themselves.
pub(super) fn generators(place: &Place) -> Result<Vec<Row>> {
    let responder = place.responder()?;
    let demo = place.subject(8, 50, Vec::new())?.demo().clone();
    let mut phones = Phones::new(&Demo { sip: responder.address, ..demo }, Vec::new())?;
    let mut held = 0.0;
    let mut notes = Vec::new();
    for rate in CALLS {
        let count = (rate * place.time(8).as_secs_f64()) as usize;
        let hold = Some(Duration::from_millis(50));
        let report = phones.call(&CallPlan { count, per_second: rate, hold })?;
        notes.push(Row::note(
            &format!("at {rate} calls/s of one leg"),
            format!(
                "{} of {} answered, {} sent again, at most {:?} late",
                report.answered, report.started, report.retransmitted, report.late
            ),
        ));
        if !report.is_clean() {
            break;
        }
        held = rate;
    }
    let mut rows = vec![Row::at_least("phones against a responder, calls/s", held, 3000.0, "")];
    rows.append(&mut notes);

    let mut streams = Streams::new(SOCKETS)?;
    let port = |leg: usize| streams.ports().get((leg + 1) % SOCKETS).copied();
    let legs: Vec<(usize, SocketAddr)> = (0..PACKETS / 50)
        .filter_map(|leg| Some((leg % SOCKETS, SocketAddr::from(([127, 0, 0, 1], port(leg)?)))))
        .collect();
    let report = streams.run(&legs, place.time(4), || Ok(()))?;
    let per_second = report.received as f64 / report.elapsed.as_secs_f64();
    rows.push(Row::at_least("streams against themselves, packets/s", per_second, 99_000.0, ""));
    rows.push(Row::note(
        "streams",
        format!(
            "{} sent, {} received, {} dropped unread, at most {:?} late",
            report.sent, report.received, report.kernel_drops, report.late
        ),
    ));
    Ok(rows)
}
