//! Any stream: how it was cut on its way makes no difference.

use sip::framing::{Frame, Framer};
use sip::limits::{HEAD_BYTES_MAX, MESSAGE_BYTES_MAX};
use sip::{Message, Verdict};

use crate::Choices;

/// Any bytes of a connection. The last two choose where they are cut.
pub fn framing(data: &[u8]) {
    let (stream, cuts) = data.split_at(data.len().saturating_sub(4));
    let whole = frames(&[stream]);
    let mut cuts = Choices::new(cuts);
    let (a, b) = (cuts.below(stream.len() + 1), cuts.below(stream.len() + 1));
    let (a, b) = (a.min(b), a.max(b));
    let cut = frames(&[&stream[..a], &stream[a..b], &stream[b..]]);
    assert_eq!(texts(&whole), texts(&cut), "cut at {a} and {b}");
    if stream.len() < 400 {
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(texts(&whole), texts(&frames(&bytes)), "in single bytes");
    }
    for frame in &whole {
        stands_alone(frame);
    }
}

/// A message out of a stream is the same as a datagram.
fn stands_alone(frame: &Cut) {
    match frame {
        Cut::Frame(Frame::Message(m)) => {
            let again = Message::parse(m.bytes().to_vec()).expect("a message is a message");
            assert_eq!(again.bytes(), m.bytes());
            assert_eq!(again.body(), m.body());
            assert_eq!(again.line_count(), m.line_count());
        }
        Cut::Frame(Frame::Ping | Frame::Pong) => {}
        Cut::Broken { answer, .. } => {
            if let Some((m, verdict)) = answer {
                assert!(m.is_request());
                assert!(matches!(verdict, Verdict::Answer { .. }), "{verdict:?}");
            }
        }
    }
}

/// What comes out of a framer.
enum Cut {
    Frame(Frame),
    Broken { reason: &'static str, answer: Option<(Message, Verdict)> },
}

/// All that a framer makes of these reads, the error last.
fn frames(reads: &[&[u8]]) -> Vec<Cut> {
    let mut framer = Framer::new();
    let mut found = Vec::new();
    for read in reads {
        framer.push(read);
        while let Some(frame) = framer.next_frame() {
            found.push(match frame {
                Ok(frame) => Cut::Frame(frame),
                Err(e) => Cut::Broken { reason: e.reason, answer: e.answer.map(|a| *a) },
            });
        }
        assert!(framer.pending() <= MESSAGE_BYTES_MAX.max(HEAD_BYTES_MAX + read.len()));
    }
    let broken = found.iter().position(|f| matches!(f, Cut::Broken { .. }));
    assert!(broken.is_none_or(|at| at + 1 == found.len()), "after an error nothing comes");
    found
}

fn texts(frames: &[Cut]) -> Vec<String> {
    let text = |frame: &Cut| match frame {
        Cut::Frame(Frame::Message(m)) => format!("{m:?}"),
        Cut::Frame(other) => format!("{other:?}"),
        Cut::Broken { reason, answer } => format!("{reason} {}", answer.is_some()),
    };
    frames.iter().map(text).collect()
}
