//! The ladder of what passed, one line for each message, event and command.

use std::fmt::Write as _;

use expect_test::Expect;
use leg::{LegCommand, LegEvent, Session};
use sip::{Header, Message, Method};

use super::Bench;

/// The ladder so far is this.
pub(crate) fn check(bench: &mut Bench, wanted: &Expect) {
    wanted.assert_eq(&bench.take_ladder());
}

/// A message in one line of a ladder.
pub(crate) fn summary(message: &Message) -> String {
    let mut line = match message.method() {
        Some(Method::Other) => message.method_name().into_owned(),
        Some(method) => method.to_string(),
        None => {
            let method = message.cseq().map(|c| c.name.to_owned()).unwrap_or_default();
            format!("{} {method}", message.status().unwrap())
        }
    };
    if message.method().is_some() && message.to().is_ok_and(|t| t.tag.is_some()) {
        line.push_str(" in dialog");
    }
    if let Some(description) = sip::body::session_description(message) {
        let text = String::from_utf8_lossy(description);
        let media = text.lines().find(|l| l.starts_with("m=audio")).unwrap_or("m=audio none none");
        let port = media.split(' ').nth(1).unwrap_or("");
        let version = text.split(' ').nth(2).unwrap_or("");
        let direction = ["sendonly", "recvonly", "inactive"];
        let direction = direction.into_iter().find(|d| text.contains(d)).unwrap_or("sendrecv");
        write!(line, " sdp(v{version} port {port} {direction})").unwrap();
    } else if !message.body().is_empty() {
        line.push_str(" with body");
    }
    for (header, name) in [
        (Header::RetryAfter, "Retry-After"),
        (Header::Reason, "Reason"),
        (Header::Unsupported, "Unsupported"),
        (Header::MinExpires, "Min-Expires"),
        (Header::RAck, "RAck"),
        (Header::RSeq, "RSeq"),
    ] {
        if let Some(value) = message.text(header) {
            write!(line, " {name}: {value}").unwrap();
        }
    }
    line
}

pub(super) fn told(event: &LegEvent) -> String {
    let port = |s: &Option<Box<Session>>| match s {
        Some(s) => format!("port {} {:?}", s.port, s.direction),
        None => "no session".into(),
    };
    match event {
        LegEvent::Incoming(i) => format!("Incoming {} {}", i.dialled.number, port(&i.offer)),
        LegEvent::Progress { status, early } => format!("Progress {status} {}", port(early)),
        LegEvent::Answered { answer, .. } => format!("Answered {}", port(answer)),
        LegEvent::Offer(s) => format!("Offer port {} {:?}", s.port, s.direction),
        LegEvent::Answer(s) => format!("Answer port {} {:?}", s.port, s.direction),
        other => format!("{other:?}"),
    }
}

pub(super) fn wanted(command: &LegCommand) -> String {
    match command {
        LegCommand::Dial(_) => "Dial".into(),
        LegCommand::Ring { early: None } => "Ring".into(),
        LegCommand::Ring { early: Some(_) } => "Ring with early media".into(),
        LegCommand::Answer(s) => format!("Answer port {}", s.port),
        LegCommand::Offer(s) => format!("Offer port {} {:?}", s.port, s.direction),
        LegCommand::AnswerOffer(s) => format!("AnswerOffer port {} {:?}", s.port, s.direction),
        LegCommand::End { reason, .. } => format!("End {reason:?}"),
        other => format!("{other:?}"),
    }
}
