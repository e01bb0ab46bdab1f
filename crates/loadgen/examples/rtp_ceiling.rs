//! How many RTP packets a second the generator can send and receive by itself, so that what it
//! measures of others is theirs: `cargo run --release -p loadgen --example rtp_ceiling`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use loadgen::Streams;

const SOCKETS: usize = 16;

fn main() -> Result<()> {
    loadgen::process::pin(0)?;
    for per_second in [25_000, 50_000, 100_000, 150_000] {
        let mut streams = Streams::new(SOCKETS)?;
        let legs: Vec<(usize, SocketAddr)> = (0..per_second / 50)
            .filter_map(|leg| {
                let port = *streams.ports().get((leg + 1) % SOCKETS)?;
                Some((leg % SOCKETS, SocketAddr::from(([127, 0, 0, 1], port))))
            })
            .collect();
        let report = streams.run(&legs, Duration::from_secs(4), || Ok(()))?;
        println!(
            "{per_second:>7} packets/s: {} sent, {} received, {} dropped unread, delay p50 \
             {:.1} us p99 {:.1} us, at most {:?} late, took {:.2?}",
            report.sent,
            report.received,
            report.kernel_drops,
            report.delay_us(500),
            report.delay_us(990),
            report.late,
            report.elapsed,
        );
    }
    Ok(())
}
