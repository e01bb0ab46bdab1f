//! What one answered call costs a whole shard, without sockets and threads: allocations by message,
//! bytes of the journal, time; and instructions, which are exact where time is not.
//!
//! `cargo run --release -p testkit --example call_cost`
//!
//! ```text
//! valgrind --tool=callgrind --toggle-collect='*switch_work*' \
//!     target/release/examples/call_cost 200 uncounted
//! ```
//!
//! counts the instructions of the switch alone, without the phones. A second run with 100 calls
//! tells what the beginning cost: what counts is the difference, divided by 100.
//!
//! `call_cost 2000 timed` tells the time of the switch alone, call after call; with `rested` for
//! `timed` the thread sleeps for 16 ms after every third call, as a shard does between what has
//! gathered, and with `awake` it spins for as long.

use std::hint::black_box;
use std::time::{Duration, Instant};

use leg::Record;
use testkit::line::Line;

/// Calls that come together, and the time between two such groups: those of 200 a second.
const TOGETHER: u32 = 3;
const GATHERS: Duration = Duration::from_millis(16);
/// Calls that warm tables and buffers up.
const WARM: u32 = 20;

fn main() {
    let calls: u32 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(2_000);
    let mode = std::env::args().nth(2);
    let mut line = Line::new(match mode.as_deref() {
        None => allocations,
        // Counting allocations costs instructions of its own.
        Some("uncounted") => instructions,
        Some(_) => nanoseconds,
    });
    (0..WARM).for_each(|_| line.call());
    line.take_figures();
    let mut bytes = 0;
    let mut records = 0;
    let mut best = Duration::MAX;
    let mut spent = 0;
    let mut messages = 0;
    let mut steps = std::collections::BTreeMap::new();
    let mut journal = Vec::new();
    for call in 0..calls {
        if call % TOGETHER == 0 {
            pause(mode.as_deref());
        }
        let begun = Instant::now();
        line.call();
        best = best.min(begun.elapsed());
        let figures = line.take_figures();
        spent += figures.spent;
        messages += figures.messages;
        for (step, allocations) in figures.steps {
            *steps.entry(step).or_insert(0) += allocations;
        }
        for step in &figures.records {
            journal.clear();
            switch_work_written(step, &mut journal);
            bytes += journal.len();
            records += 1;
        }
    }
    if mode.is_some_and(|mode| mode != "uncounted") {
        return println!("{:.1} us a call", spent as f64 / 1e3 / f64::from(calls));
    }
    let calls = calls as usize;
    println!("{} messages a call, phones and all {best:?}", messages as usize / calls);
    println!(
        "{} allocations a call, {:.2} a message",
        spent as usize / calls,
        spent as f64 / messages as f64
    );
    for (step, allocations) in steps {
        println!("  {step:10} {:.1}", allocations as f64 / calls as f64);
    }
    println!("{} journal records a call, {} bytes", records / calls, bytes / calls);
}

/// As long as datagrams gather, or nothing.
fn pause(mode: Option<&str>) {
    let begun = Instant::now();
    match mode {
        Some("rested") => std::thread::sleep(GATHERS),
        Some("awake") => {
            while begun.elapsed() < GATHERS {
                std::hint::spin_loop();
            }
        }
        _ => {}
    }
}

fn nanoseconds(work: &mut dyn FnMut()) -> u64 {
    let begun = Instant::now();
    switch_work(work);
    u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// For callgrind, which sees [`switch_work`].
fn instructions(work: &mut dyn FnMut()) -> u64 {
    switch_work(work);
    0
}

fn allocations(work: &mut dyn FnMut()) -> u64 {
    allocation_counter::measure(|| switch_work(work)).count_total
}

#[inline(never)]
fn switch_work(work: &mut dyn FnMut()) {
    work();
    black_box(());
}

/// One journal record's body, as the node writes it.
#[inline(never)]
fn switch_work_written(records: &[Record], to: &mut Vec<u8>) {
    model::cbor::write(to, &black_box(records));
}
