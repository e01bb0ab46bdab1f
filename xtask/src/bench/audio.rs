//! What relaying a packet costs and how long it takes, beside a bare relay.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use loadgen::{CallPlan, RtpReport, Streams};

use super::bare::BareLegs;
use super::place::Place;
use super::table::Row;

/// Calls up while packets are relayed.
const CALLS: usize = 300;
/// Sockets of the generator.
const SOCKETS: usize = 16;
/// Turns of each side, so that a drift of the machine falls on both.
const TURNS: u32 = 3;

/// Figures of one side over all its turns.
#[derive(Debug, Default)]
struct Side {
    cpu: Duration,
    report: RtpReport,
}

impl Side {
    fn add(&mut self, cpu: Duration, report: RtpReport) {
        self.cpu += cpu;
        let sum = &mut self.report;
        sum.sent += report.sent;
        sum.received += report.received;
        sum.foreign += report.foreign;
        sum.kernel_drops += report.kernel_drops;
        sum.late = sum.late.max(report.late);
        sum.delays_ns.extend(report.delays_ns);
    }

    fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.report.received.max(1) as f64
    }
}

/// The switch and a bare relay in turn, with the same packets from the same sockets.
pub(super) fn relay(place: &Place) -> Result<Vec<Row>> {
    let mut streams = Streams::new(SOCKETS)?;
    let mut subject = place.subject(1, 50, streams.ports().to_vec())?;
    subject.register()?;
    let plan = CallPlan { count: CALLS, per_second: 100.0, hold: None };
    let report = subject.phones.call(&plan)?;
    ensure!(report.failed.is_empty(), "calls failed: {:?}", report.failed);
    let legs: Vec<(usize, SocketAddr)> =
        subject.phones.audio_legs().iter().map(|leg| (leg.port, leg.remote)).collect();
    ensure!(legs.len() == 2 * CALLS, "{} legs have audio", legs.len());

    let bare = BareLegs::start(place, &streams, legs.len())?;

    let length = place.time(10);
    // The first packets find sources unlocked and caches cold.
    streams.run(&legs, Duration::from_secs(1), || subject.phones.turn(Duration::ZERO))?;
    let (mut ours, mut theirs) = (Side::default(), Side::default());
    for _ in 0..TURNS {
        let cpu = subject.cpu()?;
        let report = streams.run(&legs, length, || subject.phones.turn(Duration::ZERO))?;
        ours.add(subject.cpu()? - cpu, report);
        let (cpu, report) =
            bare.run(&mut streams, length, || subject.phones.turn(Duration::ZERO))?;
        theirs.add(cpu, report);
    }
    ours.report.delays_ns.sort_unstable();
    theirs.report.delays_ns.sort_unstable();
    subject.phones.hang_up()?;
    Ok(rows(&ours, &theirs))
}

fn rows(ours: &Side, theirs: &Side) -> Vec<Row> {
    let delay = |name: &str, per_mille| {
        let (own, bare) = (ours.report.delay_us(per_mille), theirs.report.delay_us(per_mille));
        Row::at_most(&format!("{name} (bare relay x 1.3)"), own, bare * 1.3, "us")
    };
    let bare = theirs.cpu_us();
    let side = |name: &str, side: &Side| {
        let report = &side.report;
        Row::note(
            name,
            format!(
                "{:.2} us CPU a packet, delay p50 {:.0} p99 {:.0} us, {} sent, {:.3} per mille \
                 lost, {} not as sent, {} dropped unread, at most {:?} late",
                side.cpu_us(),
                report.delay_us(500),
                report.delay_us(990),
                report.sent,
                report.lost_per_mille(),
                report.foreign,
                report.kernel_drops,
                report.late,
            ),
        )
    };
    vec![
        Row::at_most("CPU per relayed packet (bare x 1.2)", ours.cpu_us(), bare * 1.2, "us"),
        delay("one-way delay p50", 500),
        delay("one-way delay p99", 990),
        Row::at_most("lost packets", ours.report.lost_per_mille(), 0.0, "per mille"),
        side("switch", ours),
        side("bare relay", theirs),
    ]
}
