//! Call flows as text: one line a message, in the order in which phones sent and received them.

use core::fmt::Write as _;
use core::time::Duration;

use model::Mono;
use sip::{Header, Message, Method};

use crate::phone::description;

/// Which way a message went, seen from the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Sent,
    Received,
}

/// A message at a phone.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Mono,
    /// As the ladder calls it.
    pub(crate) phone: String,
    pub(crate) direction: Direction,
    pub(crate) bytes: Vec<u8>,
}

/// Whether registrations are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Calls,
    All,
}

/// From this distance on, the time between two lines is shown.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes a ladder, without anything that differs from run to run.
pub(crate) fn write<'a>(lines: impl Iterator<Item = &'a Line>, show: Show) -> String {
    let mut out = String::new();
    let mut before: Option<Mono> = None;
    for line in lines {
        let Ok(message) = Message::parse(line.bytes.clone()) else { continue };
        let method = message.cseq().map(|c| c.method).unwrap_or(Method::Other);
        if method == Method::Register && show == Show::Calls {
            continue;
        }
        let pause = before.map_or(Duration::ZERO, |b| line.at.since(b));
        if pause >= PAUSE {
            let seconds = (pause.as_millis() + 500) / 1_000;
            let _ = writeln!(out, "    ... {seconds} s");
        }
        before = Some(line.at);
        let arrow = match line.direction {
            Direction::Sent => '>',
            Direction::Received => '<',
        };
        let _ = writeln!(out, "{} {arrow} {}", line.phone, told(&message, line.direction));
    }
    out
}

fn told(message: &Message, direction: Direction) -> String {
    let method = message.cseq().map(|c| c.method).unwrap_or(Method::Other);
    let mut text = match message.status() {
        Some(status) if method == Method::Invite => status.to_string(),
        Some(status) => format!("{status} {method}"),
        None => request(message, direction),
    };
    if message.has(Header::Authorization) {
        text.push_str(" auth");
    }
    for header in [Header::Reason, Header::RetryAfter, Header::MinExpires] {
        if let Some(value) = message.text(header) {
            let _ = write!(text, " [{}: {value}]", header.name());
        }
    }
    if let Some(described) = description::read(message.body()) {
        let nowhere = if described.to.is_none() { " to nowhere" } else { "" };
        let _ = write!(text, " ({}{nowhere})", description::name_of(described.direction));
    } else if !message.body().is_empty() {
        let body = String::from_utf8_lossy(message.body());
        let _ = write!(text, " {{{}}}", body.trim().replace("\r\n", " "));
    }
    text
}

fn request(message: &Message, direction: Direction) -> String {
    let method = message.method_name().into_owned();
    let is_first = message.to().is_ok_and(|to| to.tag.is_none());
    if method != "INVITE" || !is_first {
        return method;
    }
    let number = match direction {
        Direction::Sent => message.uri().ok().and_then(|u| u.number()),
        Direction::Received => message.from().ok().and_then(|f| f.uri.number()),
    };
    let number = number.unwrap_or_default();
    match direction {
        Direction::Sent => format!("{method} {number}"),
        Direction::Received => format!("{method} from {number}"),
    }
}
