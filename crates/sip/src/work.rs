//! Counts the bytes that parsing visits, in tests only: the proof that work is linear.

/// Says that `bytes` were looked at. Nothing outside tests.
#[inline(always)]
pub(crate) fn visit(bytes: usize) {
    #[cfg(test)]
    counter::add(bytes);
    #[cfg(not(test))]
    let _ = bytes;
}

#[cfg(test)]
pub(crate) mod counter {
    use core::cell::Cell;

    thread_local! {
        static VISITED: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn add(bytes: usize) {
        VISITED.with(|v| v.set(v.get() + bytes));
    }

    /// How many bytes `work` visited.
    pub(crate) fn visited(work: impl FnOnce()) -> usize {
        let before = VISITED.with(Cell::get);
        work();
        VISITED.with(Cell::get) - before
    }
}

#[cfg(test)]
mod linear;
