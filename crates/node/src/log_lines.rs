//! Where log lines are written: standard error, one line in one piece; and many lines of one round
//! of work in as few pieces as they need.

use std::cell::RefCell;
use std::io::{self, Write};

use crate::limits::LOG_LINES_BYTES;

thread_local! {
    /// The lines that this thread gathers, if it does.
    static GATHERED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Standard error, for `tracing_subscriber`'s `with_writer`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogLines;

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        GATHERED.with_borrow_mut(|gathered| match gathered {
            None => io::stderr().write(line),
            Some(lines) => {
                lines.extend_from_slice(line);
                if lines.len() >= LOG_LINES_BYTES {
                    let all = core::mem::take(lines);
                    io::stderr().write_all(&all)?;
                }
                Ok(line.len())
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Does some work whose log lines are written together, at its end.
pub(crate) fn together<T>(work: impl FnOnce() -> T) -> T {
    /// Writes them also if the work panics.
    struct Rest;
    impl Drop for Rest {
        fn drop(&mut self) {
            let lines = GATHERED.take().unwrap_or_default();
            // Nobody is left who could be told that standard error is gone.
            let _ = io::stderr().write_all(&lines);
        }
    }
    GATHERED.set(Some(Vec::new()));
    let _rest = Rest;
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered() -> Option<usize> {
        GATHERED.with_borrow(|lines| lines.as_ref().map(Vec::len))
    }

    #[test]
    fn lines_of_one_work_are_gathered_and_written_at_its_end_or_when_they_are_many() {
        assert_eq!(gathered(), None);
        together(|| {
            assert_eq!(LogLines.write(b"\n").unwrap(), 1);
            assert_eq!(gathered(), Some(1));
            assert_eq!(LogLines.write(&[b'\n'; LOG_LINES_BYTES]).unwrap(), LOG_LINES_BYTES);
            assert_eq!(gathered(), Some(0), "they were written");
        });
        assert_eq!(gathered(), None);
    }

    #[test]
    fn a_panic_writes_what_was_said_before_it() {
        let panicked = std::panic::catch_unwind(|| {
            together(|| {
                LogLines.write_all(b"\n").unwrap();
                panic!("in the midst of it");
            });
        });
        assert!(panicked.is_err());
        assert_eq!(gathered(), None);
    }
}
