//! Runs of the random driver, as many as wanted: `cargo xtask sim --seeds N --from S --threads T`.

use std::process::ExitCode;
use std::time::Instant;

use testkit::driver::{self, Summary};

/// So many seeds are run before the next line is printed.
const LINE: u64 = 10_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str, otherwise: u64| -> Result<u64, String> {
        let mut at = words.iter().skip_while(|word| *word != name);
        match (at.next(), at.next()) {
            (None, _) => Ok(otherwise),
            (Some(_), Some(text)) => text.parse().map_err(|_| format!("{name} {text}?")),
            (Some(_), None) => Err(format!("{name} wants a number")),
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let wanted = (value("--seeds", LINE), value("--from", 0), value("--threads", cores));
    let (seeds, from, threads) = match wanted {
        (Ok(seeds), Ok(from), Ok(threads)) => (seeds, from, threads),
        (Err(wrong), ..) | (_, Err(wrong), _) | (.., Err(wrong)) => {
            eprintln!("{wrong}");
            return ExitCode::FAILURE;
        }
    };
    // What is injected on purpose, thousands of times, is no news.
    let news = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some("injected fault") {
            news(panic);
        }
    }));
    let begun = Instant::now();
    let (mut done, mut sum) = (0, Summary::default());
    while done < seeds {
        let count = LINE.min(seeds - done);
        let (summary, failures) = driver::many(from + done, count, threads);
        sum.add(&summary);
        done += count;
        let rate = done as f64 / begun.elapsed().as_secs_f64();
        println!("{done} of {seeds} seeds, {rate:.0} a second, {} failed", failures.len());
        if !failures.is_empty() {
            failures.iter().for_each(|failure| eprintln!("\n{failure}"));
            return ExitCode::FAILURE;
        }
    }
    println!(
        "{} events, {} call records; who hears whom was compared {} times, lamps {} times, lists \
         of who talks with the outside {} times",
        sum.events, sum.cdrs, sum.heard, sum.lamps, sum.outside
    );
    for (order, (accepted, refused)) in &sum.orders {
        println!("{order:<20} {accepted:>8} accepted {refused:>8} refused");
    }
    ExitCode::SUCCESS
}
