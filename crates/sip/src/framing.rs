//! Cutting a stream of bytes into messages (RFC 3261 18.3, RFC 5626 4.4.1).

use thiserror::Error;

use crate::cursor::{cut, decimal};
use crate::error::ParseError;
use crate::limits;
use crate::message::{Head, Message};
use crate::validate::Verdict;
use crate::work::visit;

/// What was cut out of the stream.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A message.
    Message(Message),
    /// A line end between messages: the pong that answers our ping, or the first half of one.
    Pong,
    /// A second line end right after a [`Frame::Pong`]: a ping, to be answered with one CRLF.
    Ping,
}

/// The stream cannot be followed any further: close the connection.
#[derive(Clone, Debug, Error)]
#[error("{reason}")]
pub struct FramingError {
    /// What is wrong, for logs and counters.
    pub reason: &'static str,
    /// The request to answer before closing, without its body, and what it is owed.
    pub answer: Option<Box<(Message, Verdict)>>,
}

/// Cuts one stream into messages. Bytes go in as they come; [`Framer::next_frame`] gives what is
/// complete. How the bytes were cut on their way makes no difference.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Where the next frame begins in `buffer`.
    begin: usize,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Between messages.
    #[default]
    Idle,
    /// Between messages, after one line end.
    LineEnd,
    /// In a header part, looked through up to this offset after `begin`.
    Head { seen: usize },
    /// The header part is read, the body is not complete.
    Body { head: Box<Head>, total: usize },
    /// After an error.
    Failed,
}

impl Framer {
    /// A framer at the start of a stream.
    pub fn new() -> Framer {
        Framer::default()
    }

    /// Takes bytes from the stream. The caller asks for frames after each push, so that no more
    /// than one incomplete message and one read are kept.
    pub fn push(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Failed) {
            return;
        }
        // Moving the rest down at most once per half of the buffer keeps the work linear.
        if self.begin > self.buffer.len() / 2 {
            self.buffer.drain(..self.begin);
            self.begin = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// How many bytes wait for the rest of their message.
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.begin
    }

    /// The next complete frame. After an error nothing more comes.
    pub fn next_frame(&mut self) -> Option<Result<Frame, FramingError>> {
        loop {
            match core::mem::replace(&mut self.state, State::Failed) {
                State::Failed => return None,
                State::Idle => match self.line_end() {
                    Gap::LineEnd => {
                        self.state = State::LineEnd;
                        return Some(Ok(Frame::Pong));
                    }
                    gap => self.after_gap(gap, State::Idle)?,
                },
                State::LineEnd => match self.line_end() {
                    Gap::LineEnd => {
                        self.state = State::Idle;
                        return Some(Ok(Frame::Ping));
                    }
                    gap => self.after_gap(gap, State::LineEnd)?,
                },
                State::Head { seen } => match self.head(seen)? {
                    Ok(()) => {}
                    Err(error) => return Some(Err(error)),
                },
                State::Body { head, total } => return self.body(head, total).map(Ok),
            }
        }
    }

    /// Goes on after what stands between messages; `None` when more bytes are needed.
    fn after_gap(&mut self, gap: Gap, waiting: State) -> Option<()> {
        match gap {
            Gap::Message => {
                self.state = State::Head { seen: 0 };
                Some(())
            }
            Gap::LineEnd | Gap::Unclear => {
                self.state = waiting;
                None
            }
        }
    }

    /// Takes one line end between messages. An LF alone is one too, so that such a peer's stray
    /// line ends do no harm.
    fn line_end(&mut self) -> Gap {
        let (gap, len) = match cut(&self.buffer, self.begin, self.buffer.len()) {
            [] | [b'\r'] => (Gap::Unclear, 0),
            [b'\r', b'\n', ..] => (Gap::LineEnd, 2),
            [b'\n', ..] => (Gap::LineEnd, 1),
            _ => (Gap::Message, 0),
        };
        self.begin += len;
        visit(2);
        gap
    }

    /// Looks for the empty line that ends the header part; `None` when more bytes are needed.
    fn head(&mut self, seen: usize) -> Option<Result<(), FramingError>> {
        let all = cut(&self.buffer, self.begin, self.buffer.len());
        let (end, seen) = head_end(all, seen);
        if end.unwrap_or(all.len()) > limits::HEAD_BYTES_MAX {
            return Some(Err(fail("the header part is too long")));
        }
        let Some(end) = end else {
            self.state = State::Head { seen };
            return None;
        };
        let head_bytes = cut(all, 0, end);
        let framed = match Head::parse(head_bytes) {
            Ok(head) => framed(head, head_bytes),
            Err(ParseError::Empty | ParseError::TooLong | ParseError::StartLine { .. }) => {
                Err(fail("the start line is none of SIP"))
            }
        };
        Some(framed.map(|(head, total)| self.state = State::Body { head: Box::new(head), total }))
    }

    fn body(&mut self, head: Box<Head>, total: usize) -> Option<Frame> {
        let all = cut(&self.buffer, self.begin, self.buffer.len());
        if all.len() < total {
            self.state = State::Body { head, total };
            return None;
        }
        let raw = if self.begin == 0 && all.len() == total {
            // The usual case, one message per read: its bytes are not copied again.
            core::mem::take(&mut self.buffer)
        } else {
            visit(total);
            self.begin += total;
            all.get(..total).unwrap_or_default().to_vec()
        };
        if self.begin == self.buffer.len() {
            // A connection that waits keeps nothing.
            self.buffer = Vec::new();
            self.begin = 0;
        }
        self.state = State::Idle;
        Some(Frame::Message(Message::assemble(raw, *head)))
    }
}

/// What stands between messages.
enum Gap {
    LineEnd,
    Message,
    /// More bytes are needed to tell.
    Unclear,
}

/// The end of the header part, and up to where it need not be looked for again. Lines end as in
/// [`Message::parse`].
fn head_end(all: &[u8], seen: usize) -> (Option<usize>, usize) {
    let mut from = seen;
    loop {
        let rest = cut(all, from, all.len());
        let Some(at) = memchr::memchr(b'\n', rest) else {
            visit(rest.len());
            return (None, all.len());
        };
        visit(at + 1);
        let line_end = from + at;
        match cut(all, line_end + 1, line_end + 3) {
            [b'\r', b'\n'] => return (Some(line_end + 3), line_end),
            [b'\n', ..] => return (Some(line_end + 2), line_end),
            // What follows the line end decides, and is not there yet.
            [] | [b'\r'] => return (None, line_end),
            _ => from = line_end + 1,
        }
    }
}

/// How long the message is: on a stream Content-Length says it (RFC 3261 18.3).
fn framed(head: Head, bytes: &[u8]) -> Result<(Head, usize), FramingError> {
    let (status, reason) = match told(&head, bytes) {
        Ok(total) => return Ok((head, total)),
        Err(owed) => owed,
    };
    let message = Message::assemble(bytes.to_vec(), head);
    let verdict = Verdict::Answer { status, reason }.for_message(&message);
    let answer = match verdict {
        Verdict::Answer { .. } => Some(Box::new((message, verdict))),
        Verdict::Discard { .. } => None,
    };
    Err(FramingError { reason, answer })
}

/// The length of the whole message, or what is owed.
fn told(head: &Head, bytes: &[u8]) -> Result<usize, (u16, &'static str)> {
    let mut lengths = head.content_lengths(bytes);
    let (Some(length), None) = (lengths.next(), lengths.next()) else {
        let missing = head.content_lengths(bytes).next().is_none();
        let reason = if missing { "Missing Content-Length" } else { "Repeated Content-Length" };
        return Err((400, reason));
    };
    let length = decimal(length).ok_or((400, "Bad Content-Length"))?;
    let total = usize::try_from(length).ok().and_then(|n| n.checked_add(head.end));
    total.filter(|&n| n <= limits::MESSAGE_BYTES_MAX).ok_or((413, "Message Too Large"))
}

fn fail(reason: &'static str) -> FramingError {
    FramingError { reason, answer: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_keeps_no_more_than_what_is_incomplete() {
        let one = format!("BYE sip:a SIP/2.0\r\nl: 5000\r\n\r\n{}", "x".repeat(5_000));
        let mut framer = Framer::new();
        for _ in 0..100 {
            // Each push ends inside the next message, so the buffer is never empty.
            framer.push(&one.as_bytes()[framer.pending()..]);
            framer.push(&one.as_bytes()[..40]);
            assert!(framer.next_frame().unwrap().is_ok() && framer.next_frame().is_none());
            assert_eq!(framer.pending(), 40);
            assert!(framer.buffer.capacity() < 4 * one.len());
        }
        framer.push(&one.as_bytes()[40..]);
        assert!(framer.next_frame().unwrap().is_ok());
        assert_eq!(framer.buffer.capacity(), 0);
    }
}
