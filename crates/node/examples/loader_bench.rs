//! What a call's records cost on their way from the journal into the database: processor time of
//! all threads, system calls, bytes.
//!
//! `cargo run --profile quick -p node --example loader_bench [CALLS [ROUND [DATABASE]]]`
//!
//! CALLS calls (6,000) of 8 clients with 50 phones each, ROUND of them (100) in one turn of the
//! loader, into a file of its own or into DATABASE. The records are what the switch writes for one
//! answered call, with other names and times for each.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use leg::Record;
use model::{CallId, CallUuid, Chance, ExtensionId, TenantId, Wall};
use nix::sys::resource::{UsageWho, getrusage};
use node::measure::Loading;
use testkit::line::Line;

/// As the switch has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Clients among whom the calls are spread, and phones of each.
const CLIENTS: u64 = 8;
const PHONES: u64 = 50;
/// Time between two calls.
const GAP_US: i64 = 5_000;
/// How long one lasts.
const LENGTH_US: i64 = 50_000;
/// 2026-01-01.
const BEGIN: Wall = Wall(1_767_225_600_000_000);
/// Parts of the run, of which each is shown: the first ones warm up.
const PARTS: u64 = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let number = |n: usize| std::env::args().nth(n).and_then(|n| n.parse().ok());
    let calls: u64 = number(1).unwrap_or(6_000);
    let round: u64 = number(2).unwrap_or(100);
    let directory = tempfile::tempdir()?;
    let own = directory.path().join("bench.db").display().to_string();
    let location = std::env::args().nth(3).unwrap_or(own);
    let mut script = Script::new();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut loading = Loading::open(&directory.path().join("journal"), &location).await?;
        let mut sum = Spent::default();
        for part in 1..=PARTS {
            let mut spent = Spent::default();
            for _ in 0..calls / PARTS / round {
                let steps: Vec<_> = (0..round).flat_map(|_| script.call()).collect();
                loading.write(&steps);
                let before = Spent::now()?;
                loading.load().await;
                spent = spent.and(&Spent::now()?.since(&before));
            }
            println!("part {part}: {}", spent.of(calls / PARTS / round * round));
            // The first half warms caches up and lets the tables grow.
            if part * 2 > PARTS {
                sum = sum.and(&spent);
            }
        }
        println!("a call: {}", sum.of(calls / PARTS / round * round * (PARTS / 2)));
        Ok(())
    })
}

/// What calls write down.
struct Script {
    template: Vec<Vec<Record>>,
    began: Wall,
    chance: Chance,
    calls: u64,
}

impl Script {
    fn new() -> Script {
        let mut line = Line::new(|work| {
            work();
            0
        });
        line.call();
        line.take_figures();
        line.call();
        let template = line.take_figures().records;
        let times = template.iter().flatten().filter_map(|record| match record {
            Record::Event(event) => Some(event.time),
            _ => None,
        });
        let began = times.min().expect("a call has events");
        Script { template, began, chance: Chance::from_number(7), calls: 0 }
    }

    /// The steps of the next call.
    fn call(&mut self) -> Vec<Vec<Record>> {
        self.calls += 1;
        let time = Wall(BEGIN.0 + GAP_US * i64::try_from(self.calls).unwrap_or(0));
        let random =
            |chance: &mut Chance| u128::from(chance.bits()) << 64 | u128::from(chance.bits());
        let caller = self.chance.bits() % PHONES;
        let names = Names {
            client: 1 + self.chance.bits() % CLIENTS,
            caller,
            callee: (caller + 1 + self.chance.bits() % (PHONES - 1)) % PHONES,
            call: CallId(self.calls),
            uuid: CallUuid::new(time, random(&mut self.chance)),
            parts: [0, 1].map(|_| CallUuid::new(time, random(&mut self.chance))),
            time,
            template: self.began,
        };
        let renamed = |step: &Vec<Record>| step.iter().map(|r| names.renamed(r)).collect();
        self.template.iter().map(renamed).collect()
    }
}

/// Who calls whom, and when.
struct Names {
    client: u64,
    caller: u64,
    callee: u64,
    call: CallId,
    uuid: CallUuid,
    parts: [CallUuid; 2],
    time: Wall,
    template: Wall,
}

impl Names {
    fn renamed(&self, record: &Record) -> Record {
        let mut record = record.clone();
        match &mut record {
            Record::Event(event) => {
                let is_caller = !event.incoming;
                event.tenant = TenantId(self.client);
                event.extension = self.extension(is_caller);
                event.time = self.at(event.time);
                event.call.uuid = self.uuid;
                event.sub_call_id = self.part(is_caller);
            }
            Record::Cdr(leg) => {
                let is_caller = leg.flow == leg::CdrFlow::Out;
                leg.tenant = TenantId(self.client);
                leg.extension = self.extension(is_caller);
                leg.call = self.uuid;
                leg.sub_call_id = self.part(is_caller);
                leg.init_time = self.at(leg.init_time);
                leg.answer_time = leg.answer_time.map(|time| self.at(time));
                leg.hangup_time = self.at(leg.hangup_time);
            }
            Record::CallSaved(saved) => {
                saved.tenant = TenantId(self.client);
                saved.call = self.call;
            }
            Record::CallGone { tenant, call } => {
                (*tenant, *call) = (TenantId(self.client), self.call);
            }
            Record::Trace(trace) => {
                trace.tenant = TenantId(self.client);
                trace.call = self.uuid;
                trace.began = self.at(trace.began);
            }
            _ => {}
        }
        record
    }

    fn extension(&self, is_caller: bool) -> ExtensionId {
        let phone = if is_caller { self.caller } else { self.callee };
        ExtensionId(100_000 + self.client * PHONES + phone)
    }

    fn part(&self, is_caller: bool) -> Arc<str> {
        let part = self.parts[usize::from(is_caller)];
        format!("{}-{}", self.extension(is_caller), part.hex()).into()
    }

    /// The template's call took milliseconds of its own.
    fn at(&self, time: Wall) -> Wall {
        Wall(self.time.0 + (time.0 - self.template.0).min(LENGTH_US))
    }
}

/// What the process has spent.
#[derive(Clone, Copy, Default)]
struct Spent {
    loader: Duration,
    database: Duration,
    reads: u64,
    writes: u64,
    bytes: u64,
}

impl Spent {
    fn now() -> Result<Spent, Box<dyn Error>> {
        let micros = |time: nix::sys::time::TimeVal| {
            u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or(0)
        };
        let cpu = |who| {
            let usage = getrusage(who)?;
            let micros = micros(usage.user_time()) + micros(usage.system_time());
            Ok::<_, nix::Error>(Duration::from_micros(micros))
        };
        // The loader runs in this thread, the database in others.
        let loader = cpu(UsageWho::RUSAGE_THREAD)?;
        let database = cpu(UsageWho::RUSAGE_SELF)?.saturating_sub(loader);
        let io = std::fs::read_to_string("/proc/self/io")?;
        let figure = |name: &str| {
            let line = io.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        Ok(Spent {
            loader,
            database,
            reads: figure("syscr"),
            writes: figure("syscw"),
            bytes: figure("wchar"),
        })
    }

    fn since(&self, before: &Spent) -> Spent {
        Spent {
            loader: self.loader.saturating_sub(before.loader),
            database: self.database.saturating_sub(before.database),
            reads: self.reads - before.reads,
            writes: self.writes - before.writes,
            bytes: self.bytes - before.bytes,
        }
    }

    fn and(&self, other: &Spent) -> Spent {
        Spent {
            loader: self.loader + other.loader,
            database: self.database + other.database,
            reads: self.reads + other.reads,
            writes: self.writes + other.writes,
            bytes: self.bytes + other.bytes,
        }
    }

    fn of(&self, calls: u64) -> String {
        let each = |n: u64| n as f64 / calls as f64;
        let us = |time: Duration| time.as_secs_f64() * 1e6 / calls as f64;
        format!(
            "{:.1} us (loader {:.1}, database {:.1}), {:.2} reads, {:.2} writes, {:.0} bytes",
            us(self.loader + self.database),
            us(self.loader),
            us(self.database),
            each(self.reads),
            each(self.writes),
            each(self.bytes),
        )
    }
}
