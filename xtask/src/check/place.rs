//! The switch under a check, and the one line that a check prints.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loadgen::http::Body;
use loadgen::{Http, Phones, Switch, SwitchOptions, ports, usage};
use tempfile::TempDir;

/// RTP ports of the switch: two hundred calls.
const RTP_PORTS: u16 = 800;

/// What a check is told.
#[derive(Debug, Clone)]
pub(super) struct Wishes {
    /// Datagrams of `live-fuzz`.
    pub(super) datagrams: u64,
    /// Datagrams a second; `None`: what the check is meant for.
    pub(super) rate: Option<u64>,
    /// Seconds of `flood`.
    pub(super) seconds: u64,
    /// Probes of each kind of `enumeration`.
    pub(super) probes: usize,
    /// Decides what is sent.
    pub(super) seed: u64,
}

/// A running switch with registered phones.
pub(super) struct Subject {
    pub(super) switch: Switch,
    pub(super) phones: Phones,
    options: SwitchOptions,
    _data: TempDir,
}

impl Subject {
    /// Starts a switch with the demo's phones; they are not registered yet.
    pub(super) fn new(phones: usize) -> Result<Subject> {
        Subject::at(phones, Vec::new())
    }

    /// Starts it with all phones registered; their audio is at these ports, taken in turn.
    pub(super) fn with_audio(phones: usize, audio_ports: Vec<u16>) -> Result<Subject> {
        let mut subject = Subject::at(phones, audio_ports)?;
        subject.register(32)?;
        Ok(subject)
    }

    fn at(phones: usize, audio_ports: Vec<u16>) -> Result<Subject> {
        let data = tempfile::tempdir()?;
        let binary: PathBuf = std::env::current_exe()?.with_file_name("dialplane");
        let options = SwitchOptions {
            binary,
            data_dir: data.path().join("data"),
            sip: SocketAddr::from(([127, 0, 0, 1], 0)),
            rtp_ports: ports::free_range(RTP_PORTS)?,
            arguments: vec!["--phones".to_owned(), phones.to_string()],
            core: None,
        };
        let switch = Switch::start(&options)?;
        let phones = Phones::new(&switch.demo, audio_ports)?;
        Ok(Subject { switch, phones, options, _data: data })
    }

    /// Starts it with all phones registered.
    pub(super) fn registered(phones: usize) -> Result<Subject> {
        let mut subject = Subject::new(phones)?;
        subject.register(32)?;
        Ok(subject)
    }

    /// Registers all phones; all must succeed. How long it took.
    pub(super) fn register(&mut self, at_a_time: usize) -> Result<Duration> {
        let report = self.phones.register(0..self.phones.len(), at_a_time)?;
        ensure!(report.failed.is_empty(), "registrations failed: {:?}", report.failed);
        Ok(report.elapsed)
    }

    /// Kills it as a power cut would and starts it again on the same ports and data.
    pub(super) fn kill_and_restart(&mut self) -> Result<()> {
        self.options.sip = self.switch.demo.sip;
        self.switch.process.signal(nix::sys::signal::Signal::SIGKILL);
        self.switch.process.wait(Duration::from_secs(10))?;
        self.switch = Switch::start(&self.options)?;
        Ok(())
    }

    pub(super) fn sip(&self) -> SocketAddr {
        self.switch.demo.sip
    }

    /// Memory in use, bytes.
    pub(super) fn memory(&self) -> Result<u64> {
        usage::memory(self.switch.process.pid())
    }

    /// CPU time used so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        usage::cpu(self.switch.process.pid())
    }

    /// All metrics.
    pub(super) fn metrics(&self) -> Result<String> {
        let mut http = Http::connect(&self.switch.demo)?;
        http.ask("GET", "/metrics", Body::None)?;
        Ok(String::from_utf8_lossy(http.last()).into_owned())
    }

    /// Ends and defects since the start: both must be none.
    pub(super) fn harm(&mut self) -> Result<String> {
        if let Some(status) = self.switch.process.status() {
            return Ok(format!("the process ended: {status}"));
        }
        let text = self.metrics()?;
        let panics = ["dialplane_call_panics_total", "dialplane_shard_panics_total"]
            .map(|name| usage::metric(&text, name));
        let sum: u64 = panics.iter().sum();
        Ok(if sum == 0 { String::new() } else { format!("{sum} caught panics") })
    }
}

/// What a check found: a line of figures, and which of them miss their target.
#[derive(Debug, Default)]
pub(super) struct Findings {
    measured: Vec<String>,
    missed: Vec<String>,
}

impl Findings {
    /// Something measured, and whether it is as it should be.
    pub(super) fn see(&mut self, is_good: bool, what: String) {
        if !is_good {
            self.missed.push(what.clone());
        }
        self.measured.push(what);
    }

    /// Whether all is as it should be.
    pub(super) fn is_good(&self) -> bool {
        self.missed.is_empty()
    }

    /// The line: name, target, measured, verdict, seed, commit.
    pub(super) fn line(&self, name: &str, target: &str, seed: u64) -> Result<String> {
        let verdict = if self.is_good() { "pass" } else { "FAIL" };
        let commit = Command::new("git")
            .args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"])
            .output()
            .context("cannot run git")?;
        let commit = String::from_utf8_lossy(&commit.stdout).trim().to_owned();
        Ok(format!("{name} | {target} | {self} | {verdict} | seed {seed} | {commit}"))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.measured.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_miss_fails_the_line() {
        let mut findings = Findings::default();
        findings.see(true, "a 1".into());
        assert!(findings.line("n", "t", 7).unwrap().starts_with("n | t | a 1 | pass | seed 7 | "));
        findings.see(false, "b 2".into());
        assert!(findings.line("n", "t", 7).unwrap().contains("| a 1, b 2 | FAIL |"));
    }
}
