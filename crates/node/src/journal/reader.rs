//! The reading end, for the loader.

use std::io;
use std::sync::Arc;

use leg::Record;
use tracing::error;

use super::disk::segment_name;
use super::frame::{self, Found, MAGIC};
use super::shared::{Log, Shared};
use crate::limits;

/// Sequence and records of one step.
pub(crate) type Step = (u64, Vec<Record>);

/// Reads the records of one shard in order, each once.
pub(crate) struct Reader {
    shared: Arc<Shared>,
    current: Option<Arc<Log>>,
    offset: u64,
    /// The last sequence that was read.
    sequence: u64,
    buffer: Vec<u8>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, sequence: u64) -> Reader {
        Reader { shared, current: None, offset: 0, sequence, buffer: Vec::new() }
    }

    /// Whose journal it is.
    pub(crate) fn shard(&self) -> u32 {
        self.shared.shard
    }

    /// For metrics and the health report.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Reads what comes next, up to the bounds of one transaction; nothing when all was read.
    pub(crate) fn read(&mut self) -> io::Result<Vec<Step>> {
        let mut steps = Vec::new();
        while steps.len() < limits::LOAD_RECORDS_MAX {
            let Some(log) = self.log_with_more() else { break };
            let left = log.written().saturating_sub(self.offset);
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(limits::LOAD_BYTES_MAX);
            self.buffer.resize(length, 0);
            log.file.read_at(&mut self.buffer, self.offset)?;
            let read = self.take_frames(&mut steps);
            if read == 0 {
                error!(
                    shard = self.shared.shard,
                    segment = log.number,
                    offset = self.offset,
                    "a written record cannot be read back; the rest of its segment is skipped"
                );
                self.offset = log.written();
            }
        }
        Ok(steps)
    }

    /// Everything that was read is in the database: segments that are done with are removed.
    pub(crate) fn applied(&mut self) {
        let current = self.current.as_ref().map_or(0, |log| log.number);
        let done: Vec<_> = {
            let mut state = self.shared.state();
            let keep = state.segments.partition_point(|log| log.number < current);
            state.segments.drain(..keep).collect()
        };
        self.remove(&done);
    }

    /// The writer is gone and everything is in the database: nothing is left to keep.
    pub(crate) fn remove_all(&mut self) {
        let done: Vec<_> = {
            let mut state = self.shared.state();
            let spare = state.spare.take();
            state.segments.drain(..).chain(spare).collect()
        };
        self.remove(&done);
    }

    fn remove(&self, logs: &[Arc<Log>]) {
        for log in logs {
            let name = segment_name(self.shared.shard, log.number);
            if let Err(error) = self.shared.disk.remove(&name) {
                error!(name, %error, "an applied journal segment cannot be removed");
            }
        }
    }

    /// The segment that holds the next record, if one was written.
    fn log_with_more(&mut self) -> Option<Arc<Log>> {
        loop {
            if let Some(log) = &self.current {
                // Sealed is read first: what was written before is seen after it.
                let sealed = log.is_sealed();
                if log.written() > self.offset {
                    return Some(Arc::clone(log));
                }
                if !sealed {
                    return None;
                }
            }
            let number = self.current.as_ref().map_or(0, |log| log.number);
            let state = self.shared.state();
            let next = state.segments.iter().find(|log| log.number > number).cloned();
            drop(state);
            self.current = Some(next?);
            self.offset = MAGIC.len() as u64;
        }
    }

    /// Takes whole frames from the buffer and says how many bytes they were.
    fn take_frames(&mut self, steps: &mut Vec<Step>) -> usize {
        let mut read = 0;
        while steps.len() < limits::LOAD_RECORDS_MAX
            && let Some(rest) = self.buffer.get(read..)
            && let Found::Frame(frame) = frame::decode(rest)
        {
            read += frame.bytes();
            // A record that was written again after a failed sync has its old sequence.
            if frame.sequence > self.sequence {
                self.sequence = frame.sequence;
                let records = frame.records().expect("written by this very process");
                steps.push((frame.sequence, records));
            }
        }
        self.offset += read as u64;
        read
    }
}
