//! Everything that happened, as bytes: two runs of one seed must give the same.

use core::fmt::{self, Write as _};

use model::Mono;

/// The hash of all that happened, and if asked for the text.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    text: Option<String>,
}

impl Trace {
    pub(crate) fn new(keeps_text: bool) -> Trace {
        Trace { hash: 0xCBF2_9CE4_8422_2325, text: keeps_text.then(String::new) }
    }

    /// Something happened.
    pub(crate) fn note(&mut self, at: Mono, what: fmt::Arguments<'_>, bytes: &[u8]) {
        self.add(&at.0.to_le_bytes());
        self.add(bytes);
        if self.text.is_none() {
            // The line itself is told by the bytes in all but a few cases; not worth its cost.
            return;
        }
        let mut line = format!("{} {what}", at.0);
        if !bytes.is_empty() {
            let _ = write!(line, " {} bytes: {}", bytes.len(), bytes.escape_ascii());
        }
        line.push('\n');
        self.add(line.as_bytes());
        if let Some(text) = &mut self.text {
            text.push_str(&line);
        }
    }

    /// FNV-1a, over words for speed.
    fn add(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut eight = [0; 8];
            for (to, from) in eight.iter_mut().zip(word) {
                *to = *from;
            }
            self.hash = (self.hash ^ u64::from_le_bytes(eight)).wrapping_mul(0x0100_0000_01B3);
            self.hash ^= self.hash >> 29;
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or("")
    }
}
