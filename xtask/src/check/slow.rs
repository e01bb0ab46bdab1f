//! Those who hold connections and say next to nothing, while good calls go on.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use loadgen::CallPlan;
use loadgen::strangers::{connect, request};

use super::place::{Findings, Subject, Wishes};

/// Connections, and how many of them come from one address.
const CONNECTIONS: usize = 1_000;
const FROM_ONE: usize = 200;
/// From each of the other addresses.
const FROM_EACH: usize = 50;
/// How many unfinished ones the switch lets one address hold.
const CAP: usize = 100;
/// When a message that was begun must be whole, and what a timer may be late.
const MESSAGE_TIME: Duration = Duration::from_secs(32);
const SLACK: Duration = Duration::from_secs(5);
/// How long a good call is up.
const HOLD: Duration = Duration::from_millis(200);

/// One who sends a byte a second.
struct Slow {
    source: Ipv4Addr,
    stream: Option<TcpStream>,
    begun: Instant,
    lived: Duration,
}

/// A thousand connections that send one byte a second, two hundred of them from one address.
pub(super) fn slow_tcp(wishes: &Wishes) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut subject = Subject::registered(4)?;
    let to = subject.sip();
    let is_over = AtomicBool::new(false);
    let seconds = (MESSAGE_TIME + SLACK).as_secs() as usize;
    let (slow, calls) = thread::scope(|scope| {
        let slow = scope.spawn(|| drip(to, &is_over));
        let plan = CallPlan { count: seconds, per_second: 1.0, hold: Some(HOLD) };
        let calls = subject.phones.call(&plan);
        is_over.store(true, Ordering::Relaxed);
        let slow = slow.join().ok().context("the slow ones broke")?;
        anyhow::Ok((slow?, calls?))
    })?;
    let completed = format!("{} of {} calls {:?}", calls.completed, calls.started, calls.failed);
    findings.see(calls.failed.is_empty(), completed);
    let open: BTreeMap<Ipv4Addr, usize> =
        slow.iter().filter(|s| s.stream.is_some()).fold(BTreeMap::new(), |mut open, slow| {
            *open.entry(slow.source).or_default() += 1;
            open
        });
    let left: usize = open.values().sum();
    findings.see(left == 0, format!("{left} of {CONNECTIONS} half messages still open"));
    let first = slow.first().context("there are some")?.source;
    let at_once = |s: &&Slow| s.source == first && s.lived < Duration::from_secs(5);
    let refused = slow.iter().filter(at_once).count();
    findings.see(
        refused >= FROM_ONE - CAP,
        format!("{refused} of {FROM_ONE} from one address closed at once"),
    );
    let longest = slow.iter().map(|s| s.lived).max().unwrap_or_default();
    findings
        .see(longest <= MESSAGE_TIME + SLACK, format!("longest {:.1} s", longest.as_secs_f64()));
    let others = slow.iter().filter(|s| s.source != first);
    let shortest = others.map(|s| s.lived).min().unwrap_or_default();
    findings.see(
        shortest >= MESSAGE_TIME - SLACK,
        format!("shortest elsewhere {:.1} s", shortest.as_secs_f64()),
    );
    let broken = cut_everywhere(to, wishes.seed)?;
    findings.see(broken.is_empty(), format!("read otherwise when cut at {broken:?}"));
    let harm = subject.harm()?;
    let none = if harm.is_empty() { "none" } else { harm.as_str() };
    findings.see(harm.is_empty(), format!("harm: {none}"));
    Ok(findings)
}

/// Opens all of them and sends each a byte a second until it is closed or all is over.
fn drip(to: SocketAddr, is_over: &AtomicBool) -> Result<Vec<Slow>> {
    let text = request("OPTIONS", "x", 7, "");
    let mut all = Vec::with_capacity(CONNECTIONS);
    for n in 0..CONNECTIONS {
        let host = if n < FROM_ONE { 1 } else { 2 + u32::try_from((n - FROM_ONE) / FROM_EACH)? };
        let source = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 10, 0, 0)) + host);
        let stream = connect(source, to).with_context(|| format!("connection {n}"))?;
        stream.set_nonblocking(true)?;
        let begun = Instant::now();
        all.push(Slow { source, stream: Some(stream), begun, lived: Duration::ZERO });
    }
    let begin = Instant::now();
    for round in 0.. {
        let byte = [text.get(round).copied().unwrap_or(b' ')];
        for slow in &mut all {
            let Some(stream) = &mut slow.stream else { continue };
            let is_closed = match stream.read(&mut [0; 256]) {
                Ok(0) => true,
                Ok(_) => false,
                Err(error) => error.kind() != ErrorKind::WouldBlock,
            };
            let is_refused = !is_closed && stream.write(&byte).is_err();
            if is_closed || is_refused {
                slow.lived = slow.begun.elapsed();
                slow.stream = None;
            }
        }
        let is_done = all.iter().all(|slow| slow.stream.is_none());
        if is_done || is_over.load(Ordering::Relaxed) {
            break;
        }
        let next = begin + Duration::from_secs(u64::try_from(round)? + 1);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    for slow in all.iter_mut().filter(|slow| slow.stream.is_some()) {
        slow.lived = slow.begun.elapsed();
    }
    Ok(all)
}

/// One request, cut in two at every byte: each way it must be answered as in one piece.
fn cut_everywhere(to: SocketAddr, seed: u64) -> Result<Vec<usize>> {
    let text = request("OPTIONS", "x", seed, "");
    let mut broken = Vec::new();
    for cut in 1..text.len() {
        // Strangers get 200 answers a second in all, and each of them far fewer.
        thread::sleep(Duration::from_millis(10));
        let mut stream = connect(Ipv4Addr::new(127, 11, 0, u8::try_from(1 + cut % 200)?), to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let (head, tail) = text.split_at(cut);
        stream.write_all(head)?;
        stream.write_all(tail)?;
        let mut answer = [0; 4_096];
        let length = stream.read(&mut answer).unwrap_or(0);
        if !answer.get(..length).unwrap_or(&[]).starts_with(b"SIP/2.0 200 ") {
            broken.push(cut);
        }
    }
    Ok(broken)
}
