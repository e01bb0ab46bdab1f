//! How long a thread may keep others waiting, and they it.

use core::time::Duration;
use std::io;

/// Asks the kernel to give the calling thread its processor time in short turns: what it gets over
/// a second stays the same, but once woken it need not wait until another's longer turn is over
/// (`sched_setattr(2)`: `sched_runtime` of a thread of the policy `SCHED_OTHER`; the kernel keeps
/// it between 0.1 and 100 ms). Kernels before 6.12 have no turns of a thread's own and change
/// nothing. Threads that this one starts are not meant (they begin as usual, at nice 0 or above).
///
/// # Errors
/// The kernel refuses. The thread then runs as it did.
pub fn short_turns(turn: Duration) -> io::Result<()> {
    let mut attributes = current()?;
    attributes.sched_flags |= u64::from(libc::SCHED_FLAG_RESET_ON_FORK.cast_unsigned());
    attributes.sched_runtime = u64::try_from(turn.as_nanos()).unwrap_or(u64::MAX);
    // SAFETY: `attributes` is a whole `sched_attr` that says its own size, the kernel only reads
    // it, and 0 is the calling thread.
    done(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) })
}

/// How the calling thread is scheduled.
fn current() -> io::Result<libc::sched_attr> {
    let mut attributes = libc::sched_attr {
        size: 0,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    let size = size_of::<libc::sched_attr>();
    // SAFETY: the kernel writes at most `size` bytes to `attributes`, which has as many, of
    // integers for which every value is good; 0 is the calling thread.
    done(unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) })?;
    Ok(attributes)
}

fn done(result: libc::c_long) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn the_kernel_takes_a_turn_and_keeps_everything_else() {
        let before = current().unwrap();
        // A thread of its own: it dies with its turns.
        let (after, child) = thread::spawn(|| {
            short_turns(Duration::from_micros(300)).unwrap();
            let child = thread::spawn(|| current().unwrap());
            (current().unwrap(), child.join().unwrap())
        })
        .join()
        .unwrap();
        let kept = |a: &libc::sched_attr| (a.sched_policy, a.sched_nice);
        assert_eq!(kept(&after), kept(&before));
        // An old kernel, which has no such turns, says 0.
        assert!([300_000, 0].contains(&after.sched_runtime), "{}", after.sched_runtime);
        assert_ne!(child.sched_runtime, 300_000, "a thread that it started");
    }
}
