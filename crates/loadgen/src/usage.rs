//! What a process costs, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::unistd::{SysconfVar, sysconf};

/// CPU time that a process has used, its threads and the kernel on its behalf together.
pub fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    used(&stat)
}

/// The same, thread by thread; threads of one name together.
pub fn threads(pid: u32) -> Result<BTreeMap<String, Duration>> {
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task")).context("the process is gone")? {
        // A thread may end while we look.
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else { continue };
        let name = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'));
        let name = name.map_or("", |(name, _)| name).to_owned();
        *threads.entry(name).or_default() += used(&stat)?;
    }
    Ok(threads)
}

fn used(stat: &str) -> Result<Duration> {
    let ticks = ticks(stat).context("/proc/PID/stat is not as expected")?;
    let per_second = sysconf(SysconfVar::CLK_TCK)?.and_then(|n| u64::try_from(n).ok());
    let per_second = per_second.context("no clock tick")?;
    Ok(Duration::from_millis(ticks * 1000 / per_second))
}

/// `utime` and `stime`, fields 14 and 15; the name in brackets may hold blanks.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The value of a metric in Prometheus text: of one set of labels, or over all of them.
pub fn metric(text: &str, name: &str) -> u64 {
    let of = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let is_whole = name.ends_with('}') || rest.starts_with(['{', ' ']);
        let value = is_whole.then(|| rest.rsplit_once(' '))??.1;
        value.parse::<u64>().ok()
    };
    text.lines().filter_map(of).sum()
}

/// Memory that a process has in use, bytes.
pub fn memory(pid: u32) -> Result<u64> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kilobytes.context("/proc/PID/status has no VmRSS")? * 1024)
}

/// Open descriptors of a process.
pub fn descriptors(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd")).context("the process is gone")?.count())
}

/// Threads of a process.
pub fn thread_count(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/task")).context("the process is gone")?.count())
}

/// The value below which `per_mille` thousandths of `sorted` lie.
pub fn percentile(sorted: &[u64], per_mille: usize) -> u64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * per_mille / 1000).min(last)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticks_are_read_behind_any_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 108 0 0 0 12 30 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(42));
    }

    #[test]
    fn the_own_process_has_memory() {
        assert!(memory(std::process::id()).unwrap() > 100_000);
        assert!(cpu(std::process::id()).is_ok());
        assert!(!threads(std::process::id()).unwrap().is_empty());
    }

    #[test]
    fn a_metric_is_summed_over_its_labels() {
        let text = "# HELP a x\na_total{shard=\"0\"} 3\na_total{shard=\"1\"} 4\na_total_b 9\nc 2\n";
        assert_eq!(metric(text, "a_total"), 7);
        assert_eq!(metric(text, "c"), 2);
        assert_eq!(metric(text, "d"), 0);
    }

    #[test]
    fn percentiles_stay_inside() {
        let sorted: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&sorted, 500), 51);
        assert_eq!(percentile(&sorted, 990), 100);
        assert_eq!(percentile(&sorted, 1000), 100);
        assert_eq!(percentile(&[], 500), 0);
    }
}
