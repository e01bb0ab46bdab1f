//! Where it is measured: the machine, the release binary, the cores.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Result;
use loadgen::relay::Relay;
use loadgen::responder::Responder;
use loadgen::{Demo, Phones, RegisterReport, Switch, SwitchOptions, process, usage};
use nix::sys::resource::{Resource, getrlimit};
use tempfile::TempDir;

/// The word with which this program becomes the bare relay.
pub(super) const RELAY: &str = "relay";

/// The word with which this program becomes the responder without a switch.
pub(super) const RESPONDER: &str = "responder";

/// How long the long groups take unless told otherwise.
const MINUTES: u64 = 10;

/// Core of what is measured.
const SUBJECT: usize = 0;
/// Core of the generators.
pub(super) const GENERATOR: usize = 1;

/// Audio ports lie below this, from where the kernel takes the generators' own.
const RTP_END: u16 = 32_768;
/// So many at the most: a port rests after a call, and they must not run out.
const RTP_PORTS: u16 = 30_000;
/// Open files that the switch needs besides its audio ports.
const OTHER_FILES: u64 = 1_000;

/// Registrations on their way at a time.
const AT_A_TIME: usize = 32;

/// Where it is measured.
#[derive(Debug)]
pub(super) struct Place {
    quick: bool,
    minutes: u64,
    binary: PathBuf,
    cores: usize,
}

/// A switch under load, with its phones.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) switch: Switch,
    pub(super) phones: Phones,
    _data: TempDir,
}

impl Place {
    pub(super) fn new(quick: bool, minutes: Option<u64>) -> Result<Place> {
        let own = std::env::current_exe()?;
        let binary = own.with_file_name("dialplane");
        let cores = available_parallelism()?.get();
        if cores > GENERATOR {
            process::pin(GENERATOR)?;
        }
        Ok(Place { quick, minutes: minutes.unwrap_or(MINUTES), binary, cores })
    }

    /// The machine and the commit.
    pub(super) fn header(&self) -> String {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let commit = Command::new("git")
            .args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"])
            .output();
        let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let shared = if self.cores > GENERATOR { "" } else { "; ONE CORE FOR BOTH SIDES" };
        let quick = if self.quick { "; quick" } else { "" };
        format!(
            "{}, {} cores, Linux {}, commit {}{quick}{shared}\n\
             switch on core {SUBJECT}, generators on core {GENERATOR}\n",
            cpu.unwrap_or("unknown CPU").trim(),
            self.cores,
            kernel.trim(),
            commit.unwrap_or_default().trim(),
        )
    }

    /// How long a long group takes.
    pub(super) fn long(&self) -> Duration {
        Duration::from_secs(self.minutes * 60)
    }

    /// A length of time, or a quarter of it when it shall go quickly.
    pub(super) fn time(&self, seconds: u64) -> Duration {
        let length = Duration::from_secs(seconds);
        if self.quick { length / 4 } else { length }
    }

    /// A number, or a quarter of it when it shall go quickly.
    pub(super) fn count(&self, count: usize) -> usize {
        if self.quick { count / 4 } else { count }
    }

    /// Starts a switch with `tenants` clients of `phones` each; the phones are not registered yet.
    pub(super) fn subject(
        &self,
        tenants: usize,
        phones: usize,
        audio_ports: Vec<u16>,
    ) -> Result<Subject> {
        let data = tempfile::tempdir()?;
        let mut arguments = vec!["--phones".to_owned(), phones.to_string()];
        if tenants > 1 {
            arguments.extend(["--tenants".to_owned(), tenants.to_string()]);
        }
        let switch = Switch::start(&SwitchOptions {
            binary: self.binary.clone(),
            data_dir: data.path().to_owned(),
            sip: SocketAddr::from(([127, 0, 0, 1], 0)),
            rtp_ports: rtp_ports()?,
            arguments,
            core: Some(SUBJECT),
        })?;
        let phones = Phones::new(&switch.demo, audio_ports)?;
        Ok(Subject { switch, phones, _data: data })
    }

    /// A responder without a switch, on the core where the switch would be.
    pub(super) fn responder(&self) -> Result<Responder> {
        let own: PathBuf = std::env::current_exe()?;
        Responder::start(&own, &["bench", RESPONDER], SUBJECT)
    }

    /// A bare relay in a process of its own, on the core where the switch would be.
    pub(super) fn relay(&self, peers: &[u16]) -> Result<Relay> {
        let own: PathBuf = std::env::current_exe()?;
        Relay::start(Path::new(&own), &["bench", RELAY], peers, SUBJECT)
    }
}

/// Lines of the switch's log that the message of a failure shows.
const LAST_LINES: usize = 20;

/// As many audio ports as the bound on open files lets the switch have.
fn rtp_ports() -> Result<RangeInclusive<u16>> {
    let (_, files) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let count = files.saturating_sub(OTHER_FILES).min(u64::from(RTP_PORTS));
    let count = u16::try_from(count)? / 2 * 2;
    Ok(RTP_END - count..=RTP_END - 1)
}

impl Subject {
    /// Registers all phones; all must succeed.
    pub(super) fn register(&mut self) -> Result<RegisterReport> {
        self.register_some(0..self.phones.len())
    }

    /// Registers these phones; all must succeed.
    pub(super) fn register_some(&mut self, which: Range<usize>) -> Result<RegisterReport> {
        let report = self.phones.register(which, AT_A_TIME)?;
        anyhow::ensure!(report.failed.is_empty(), "registrations failed: {:?}", report.failed);
        Ok(report)
    }

    /// CPU time that the switch has used so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        usage::cpu(self.switch.process.pid())
    }

    /// The same, thread by thread.
    pub(super) fn threads(&self) -> Result<BTreeMap<String, Duration>> {
        usage::threads(self.switch.process.pid())
    }

    /// Memory that the switch has in use, bytes.
    pub(super) fn memory(&self) -> Result<u64> {
        usage::memory(self.switch.process.pid())
    }

    /// The last lines that the switch has logged, for the message of a failure.
    pub(super) fn last_lines(&self) -> String {
        let said = self.switch.process.said();
        let from = said.lines().count().saturating_sub(LAST_LINES);
        said.lines().skip(from).collect::<Vec<_>>().join("\n")
    }

    /// What the switch said of itself.
    pub(super) fn demo(&self) -> &Demo {
        &self.switch.demo
    }
}

/// The share of its core that this process used while `work` ran, percent.
pub(super) fn own_share<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let own = std::process::id();
    let (begin, cpu) = (std::time::Instant::now(), usage::cpu(own)?);
    let result = work()?;
    let used = usage::cpu(own)?.saturating_sub(cpu);
    let share = used.as_secs_f64() * 100.0 / begin.elapsed().as_secs_f64().max(1e-9);
    Ok((result, share))
}
