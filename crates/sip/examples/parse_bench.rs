//! What reading and answering one INVITE costs: nanoseconds and heap allocations per message.
//!
//! `cargo run --release -p sip --example parse_bench`. The time of copying the received bytes into
//! the message's own buffer (one allocation) is shown apart and is not part of the others.

use std::hint::black_box;
use std::time::{Duration, Instant};

use sip::{Message, Reply, Writer, sdp, validate};

const INVITE: &[u8] = include_bytes!("../tests/messages/invite.sip");
const ROUNDS: u32 = 2_000;
const BATCHES: u32 = 200;

/// Runs `work` on fresh buffers; the best batch is what the code costs without disturbance.
fn measure(name: &str, goal: &str, work: impl Fn(Vec<u8>)) {
    let mut best = Duration::MAX;
    for _ in 0..BATCHES {
        let buffers: Vec<_> = (0..ROUNDS).map(|_| INVITE.to_vec()).collect();
        let begin = Instant::now();
        for buffer in buffers {
            work(black_box(buffer));
        }
        best = best.min(begin.elapsed());
    }
    let buffer = INVITE.to_vec();
    let allocations = allocation_counter::measure(|| work(buffer)).count_total;
    let ns = best.as_nanos() / u128::from(ROUNDS);
    println!("{name:<44} {ns:>6} ns {allocations:>3} allocations   goal {goal}");
}

fn typed(m: &Message) {
    black_box(m.top_via().expect("a Via").branch);
    black_box(m.from().expect("a From").tag);
    black_box(m.to().expect("a To").tag);
    black_box(m.cseq().expect("a CSeq").number);
    black_box(m.contact().expect("Contacts").expect("a Contact").uri.as_str());
    black_box(m.call_id().expect("a Call-ID"));
}

fn main() {
    println!("INVITE of {} bytes", INVITE.len());
    measure("nothing but giving the buffer back", "-", |bytes| drop(black_box(bytes)));
    measure("parse", "800 ns", |bytes| drop(black_box(Message::parse(bytes))));
    measure("parse, Via From To CSeq Contact Call-ID typed", "2500 ns", |bytes| {
        typed(&Message::parse(bytes).expect("a message"));
    });
    measure("parse, validate", "-", |bytes| {
        let m = Message::parse(bytes).expect("a message");
        black_box(validate(&m)).expect("a valid message");
    });
    measure("parse, answer with 200", "-", |bytes| {
        let m = Message::parse(bytes).expect("a message");
        let reply = Reply { to_tag: Some("0123456789"), ..Reply::new(200) };
        black_box(Writer::response(&m, reply).finish());
    });
    measure("parse, read the session description", "-", |bytes| {
        let m = Message::parse(bytes).expect("a message");
        black_box(sdp::parse(m.body())).expect("a description");
    });
}
