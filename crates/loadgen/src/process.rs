//! A child process: its output is read, its end is waited for with a bound, nothing outlives us.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    stdin: Option<std::process::ChildStdin>,
    lines: Receiver<String>,
    /// All that it has said, for the message of a failure.
    said: Arc<Mutex<String>>,
    end: Receiver<ExitStatus>,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` with pipes on its three streams, on `core` alone if one is given.
    pub fn start(mut command: Command, core: Option<usize>) -> Result<Process> {
        let program = command.get_program().to_owned();
        let name = file_name(&program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawned = on_core(core, || command.spawn())?;
        let mut child = spawned.with_context(|| format!("cannot start {}", program.display()))?;
        let pid = Pid::from_raw(i32::try_from(child.id()).context("a process id")?);
        let (line, lines) = channel();
        let said = Arc::new(Mutex::new(String::new()));
        if let Some(stdout) = child.stdout.take() {
            listen(stdout, line.clone(), Arc::clone(&said));
        }
        if let Some(stderr) = child.stderr.take() {
            listen(stderr, line, Arc::clone(&said));
        }
        let stdin = child.stdin.take();
        let (over, end) = channel();
        thread::spawn(move || {
            if let Ok(status) = child.wait() {
                // Nobody waits any more: fine.
                let _ = over.send(status);
            }
        });
        Ok(Process { name, pid, stdin, lines, said, end, ended: None })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Its standard input; dropping what is returned closes it.
    pub fn take_stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.stdin.take()
    }

    /// Waits for a line of output that `wanted` makes something of.
    pub fn line<T>(
        &mut self,
        within: Duration,
        what: &str,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(found) = wanted(&line) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{} did not say {what} within {within:?}\n{}", self.name, self.said())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended before it said {what}\n{}", self.name, self.said())
                }
            }
        }
    }

    /// Sends a signal; one that has ended already is let be.
    pub fn signal(&mut self, signal: Signal) {
        if self.status().is_none() {
            // It may end at this very moment.
            let _ = kill(self.pid, signal);
        }
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.end.try_recv().ok();
        }
        self.ended
    }

    /// Waits for its end.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        match self.end.recv_timeout(within) {
            Ok(status) => {
                self.ended = Some(status);
                Ok(status)
            }
            Err(_) => bail!("{} did not end within {within:?}\n{}", self.name, self.said()),
        }
    }

    /// All that it has said so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        // Its ports and files are free only when it is gone.
        let _ = self.wait(Duration::from_secs(5));
    }
}

fn file_name(program: &OsStr) -> String {
    Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned()
}

fn listen(stream: impl Read + Send + 'static, line: Sender<String>, said: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        // Not `lines()`: what a phone prints need not be UTF-8.
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            let mut all = said.lock().unwrap_or_else(PoisonError::into_inner);
            all.push_str(&text);
            all.push('\n');
            drop(all);
            // Nobody listens any more: fine.
            let _ = line.send(text);
        }
    });
}

/// Runs `begin` with this thread on `core`, so that what it starts is there from its first
/// instruction; then puts this thread back.
fn on_core<T>(core: Option<usize>, begin: impl FnOnce() -> T) -> Result<T> {
    let Some(core) = core else { return Ok(begin()) };
    let before = sched_getaffinity(Pid::from_raw(0)).context("cannot read the own cores")?;
    pin(core)?;
    let result = begin();
    sched_setaffinity(Pid::from_raw(0), &before).context("cannot go back to the own cores")?;
    Ok(result)
}

/// Puts the calling thread on one core.
pub fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core).with_context(|| format!("there is no core {core}"))?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("cannot go to core {core}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start(command, None).unwrap()
    }

    #[test]
    fn a_line_of_either_stream_is_found() {
        let mut process = shell("echo one; echo two >&2");
        assert_eq!(process.line(BOUND, "two", |line| (line == "two").then_some(2)).unwrap(), 2);
    }

    #[test]
    fn an_end_without_the_line_is_an_error_that_quotes_what_was_said() {
        let error = shell("echo hello").line(BOUND, "more", |_| None::<()>).unwrap_err();
        assert!(error.to_string().contains("hello"), "{error}");
    }

    #[test]
    fn the_exit_status_is_known() {
        assert_eq!(shell("exit 3").wait(BOUND).unwrap().code(), Some(3));
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let process = shell("echo up; cat");
        let proc = format!("/proc/{}", process.pid());
        assert!(Path::new(&proc).exists());
        drop(process);
        assert!(!Path::new(&proc).exists());
    }

    #[test]
    fn a_pinned_process_sees_one_core() {
        let mut command = Command::new("nproc");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let mut process = Process::start(command, Some(0)).unwrap();
        let count = process.line(BOUND, "a number", |line| line.parse::<u32>().ok()).unwrap();
        assert_eq!(count, 1);
    }
}
