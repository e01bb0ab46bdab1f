//! 5,000 phones played by SIPp, which knows nothing of us: they register, refresh, and call one
//! another at a modest rate. Nothing may fail.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use loadgen::demo::{Account, Tenant};
use loadgen::{Http, Process};

use super::place::{GENERATOR, Place, Subject};
use super::sipp_text;
use super::table::Row;

/// Phones, and how many register a second.
const PHONES: usize = 5_000;
const REGISTER_PER_SECOND: usize = 100;
/// Between two registrations of a phone.
const REFRESH: Duration = Duration::from_secs(120);
/// Phones that are called, each by a SIPp of its own: SIPp computes its digest over one address.
const CALLED: usize = 10;
/// Calls a second to each of them.
const CALLS_PER_SECOND: usize = 1;
/// Where SIPp's media ports begin.
const MEDIA_PORTS: usize = 61_000;
/// For what is under way at the end, or late.
const PATIENCE: Duration = Duration::from_secs(120);

/// One SIPp and what it has counted.
struct Sipp {
    process: Process,
    counts: PathBuf,
}

/// What a SIPp has counted.
#[derive(Debug, Default)]
struct Counts {
    successful: u64,
    failed: u64,
    sent_again: u64,
}

/// Registrations and calls of all of them for the time that was asked for.
pub(super) fn phones(place: &Place) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let subject = place.subject(1, PHONES, Vec::new())?;
    let tenant = subject.demo().tenant.clone();
    ensure!(tenant.phones.len() == PHONES, "the demo has {} phones", tenant.phones.len());
    // Who answers is the one that registers: it must not end before the calls do.
    let cycles = usize::try_from(place.long().as_secs().div_ceil(REFRESH.as_secs()))?.max(1);
    let cpu = subject.cpu()?;
    let begin = Instant::now();
    let mut registering = register(&subject, &tenant, folder.path(), cycles)?;
    until_registered(&subject)?;
    let calling: Result<Vec<Sipp>> = (0..CALLED)
        .map(|n| {
            let left = place.long().saturating_sub(begin.elapsed());
            call(&subject, &tenant, folder.path(), n, left)
        })
        .collect();
    let mut calls = Counts::default();
    for mut sipp in calling? {
        calls.add(&sipp.counts(place.long() + PATIENCE)?);
    }
    let bindings = subject_bindings(&subject)?;
    let registrations = registering.counts(place.long() + REFRESH + PATIENCE)?;
    let minutes = begin.elapsed().as_secs_f64() / 60.0;
    let used = (subject.cpu()? - cpu).as_secs_f64();
    Ok(vec![
        Row::at_most("SIPp registrations that failed", registrations.failed as f64, 0.0, ""),
        Row::at_least(
            "phones that stayed registered",
            registrations.successful as f64,
            5_000.0,
            "",
        ),
        Row::at_least("contacts at the end", bindings, 5_000.0, ""),
        Row::at_most("SIPp calls that failed", calls.failed as f64, 0.0, ""),
        Row::at_least("SIPp calls", calls.successful as f64, 1.0, ""),
        Row::note(
            "load",
            format!(
                "{} registrations and {} calls in {minutes:.1} minutes, {} requests sent again, \
                 {used:.1} s CPU of the switch",
                registrations.successful * u64::try_from(cycles + 1)?,
                calls.successful,
                registrations.sent_again + calls.sent_again,
            ),
        ),
    ])
}

/// Registers all phones and keeps them so; answers who calls them.
fn register(subject: &Subject, tenant: &Tenant, folder: &Path, cycles: usize) -> Result<Sipp> {
    fs::write(folder.join("register.xml"), sipp_text::register(cycles, REFRESH))?;
    fs::write(folder.join("answer.xml"), sipp_text::ANSWER)?;
    // Once: whoever reads it while it is written anew reads half of it.
    fs::write(folder.join("call.xml"), sipp_text::CALL)?;
    fs::write(folder.join("all.csv"), accounts(&tenant.phones))?;
    let mut command = sipp(subject, tenant, folder, "register", CALLED)?;
    command.args(["-sf", "register.xml", "-oocsf", "answer.xml", "-inf", "all.csv"]);
    command.args(["-m", &PHONES.to_string(), "-l", &PHONES.to_string()]);
    command.args(["-r", &REGISTER_PER_SECOND.to_string(), "-auth_uri", &tenant.client.domain]);
    Sipp::start(command, folder, "register")
}

/// Has phones call one of them, for so long.
fn call(
    subject: &Subject,
    tenant: &Tenant,
    folder: &Path,
    number: usize,
    length: Duration,
) -> Result<Sipp> {
    let name = format!("call{number}");
    let callee = tenant.phones.get(number).context("a phone to call")?;
    let callers: Vec<Account> =
        tenant.phones.iter().skip(CALLED + number).step_by(CALLED).cloned().collect();
    fs::write(folder.join(format!("{name}.csv")), accounts(&callers))?;
    let mut command = sipp(subject, tenant, folder, &name, number)?;
    let count = (usize::try_from(length.as_secs())? * CALLS_PER_SECOND).max(1);
    command.args(["-sf", "call.xml", "-inf", &format!("{name}.csv"), "-s", &callee.number]);
    command.args(["-m", &count.to_string(), "-r", &CALLS_PER_SECOND.to_string()]);
    command.args(["-auth_uri", &format!("{}@{}", callee.number, tenant.client.domain)]);
    Sipp::start(command, folder, &name)
}

/// What all of them have in common.
fn sipp(
    subject: &Subject,
    tenant: &Tenant,
    folder: &Path,
    name: &str,
    number: usize,
) -> Result<Command> {
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut command = Command::new("sipp");
    command.current_dir(folder).arg(subject.demo().sip.to_string());
    command.args(["-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin"]);
    // Its own choice lies among the switch's audio ports; these lie above what the kernel gives.
    command.args(["-mp", &MEDIA_PORTS.saturating_add(number * 20).to_string()]);
    command.args(["-key", "domain", &tenant.client.domain]);
    command.args(["-trace_stat", "-fd", "60", "-stf", &format!("{name}.stat")]);
    command.args(["-trace_err", "-error_file", &format!("{name}.errors")]);
    Ok(command)
}

/// Logins with what SIPp proves them by, one a line.
fn accounts(phones: &[Account]) -> String {
    let line = |account: &Account| {
        let (login, password) = (&account.login, &account.password);
        format!("{login};[authentication username={login} password={password}]\n")
    };
    let lines: String = phones.iter().map(line).collect();
    format!("SEQUENTIAL\n{lines}")
}

fn until_registered(subject: &Subject) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while subject_bindings(subject)? < PHONES as f64 {
        ensure!(Instant::now() < until, "the phones did not register in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

fn subject_bindings(subject: &Subject) -> Result<f64> {
    let metrics = Http::connect(subject.demo())?.metrics()?;
    metrics.get("dialplane_bindings").copied().context("the switch does not tell its bindings")
}

impl Sipp {
    fn start(command: Command, folder: &Path, name: &str) -> Result<Sipp> {
        let process = Process::start(command, Some(GENERATOR))
            .context("SIPp (Debian: sip-tester) is needed")?;
        Ok(Sipp { process, counts: folder.join(format!("{name}.stat")) })
    }

    /// Waits for its end and reads its last line.
    fn counts(&mut self, within: Duration) -> Result<Counts> {
        let status = self.process.wait(within)?;
        // 1: some calls have failed, which the counts tell.
        if !matches!(status.code(), Some(0 | 1)) {
            bail!("SIPp ended with {status}");
        }
        let text = fs::read_to_string(&self.counts).with_context(|| {
            let (counts, said) = (self.counts.display(), self.process.said());
            format!("SIPp ended with {status} and left no {counts}\n{said}")
        })?;
        Counts::read(&text).context("SIPp's counts are not as expected")
    }
}

impl Counts {
    fn read(text: &str) -> Option<Counts> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let names: Vec<&str> = lines.next()?.split(';').collect();
        let last: Vec<&str> = lines.next_back()?.split(';').collect();
        let count = |name: &str| -> Option<u64> {
            last.get(names.iter().position(|n| *n == name)?)?.trim().parse().ok()
        };
        Some(Counts {
            successful: count("SuccessfulCall(C)")?,
            failed: count("FailedCall(C)")?,
            sent_again: count("Retransmissions(C)")?,
        })
    }

    fn add(&mut self, other: &Counts) {
        self.successful += other.successful;
        self.failed += other.failed;
        self.sent_again += other.sent_again;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts() {
        let text = "Start;SuccessfulCall(C);FailedCall(C);Retransmissions(C);\n\
                    x;1;0;0;\nx;7;2;3;\n";
        let counts = Counts::read(text).unwrap();
        assert_eq!((counts.successful, counts.failed, counts.sent_again), (7, 2, 3));
        assert!(Counts::read("").is_none());
    }
}
