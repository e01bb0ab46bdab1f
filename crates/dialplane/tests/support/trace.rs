//! The messages that a phone has printed, and what of them a person at it would see.

use loadgen::message::Message;

/// What a phone has got from the switch, in its order.
pub(crate) struct Trace {
    messages: Vec<String>,
}

impl Trace {
    /// What stands in the output of a phone that got its messages from this address.
    pub(crate) fn of(said: &str, switch: &str) -> Trace {
        // Each message stands behind a line with its transport, its source and its destination.
        let mut messages = Vec::new();
        let mut lines = said.lines().peekable();
        while let Some(line) = lines.next() {
            let Some((from, _)) = line.split_once(" -> ") else { continue };
            if from.split(' ').next_back() != Some(switch) {
                continue;
            }
            let mut message = String::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with('\u{1b}')) {
                message += line;
                message += "\r\n";
            }
            messages.push(message);
        }
        Trace { messages }
    }

    fn messages(&self) -> impl DoubleEndedIterator<Item = (&str, Message<'_>)> {
        let all = self.messages.iter();
        all.filter_map(|text| Some((text.as_str(), Message::parse(text.as_bytes())?)))
    }

    /// Who talks to it, by the last message that says so: name and number.
    pub(crate) fn shown(&self) -> Option<(String, String)> {
        let shown = |(text, message): (&str, Message<'_>)| {
            let asserted = header(text, "P-Asserted-Identity").map(str::to_owned);
            let is_new = message.status.is_none() && message.to_tag().is_none();
            let calls = message.method == "INVITE" && is_new;
            asserted.or_else(|| calls.then(|| message.from.to_owned()))
        };
        let party = self.messages().rev().find_map(shown)?;
        let (name, rest) = party.split_once('<')?;
        let number = rest.strip_prefix("sip:")?.split('@').next()?;
        Some((name.trim().trim_matches('"').to_owned(), number.to_owned()))
    }

    /// Call-ID and tags, theirs first, of the last call to a number that rings or was answered.
    pub(crate) fn dialog_with(&self, number: &str) -> Option<(String, String, String)> {
        let callee = format!("<sip:{number}@");
        let is_it = |m: &Message<'_>| {
            let answers = m.status.is_some_and(|status| status > 100 && status < 300);
            m.method == "INVITE" && answers && m.to.starts_with(&callee)
        };
        let (_, answer) = self.messages().rev().find(|(_, message)| is_it(message))?;
        let tag = |value: &str| value.rsplit_once(";tag=").map(|(_, tag)| tag.to_owned());
        Some((answer.call_id.to_owned(), tag(answer.to)?, tag(answer.from)?))
    }

    /// How many calls were taken back because somebody else has them, so that none was missed.
    pub(crate) fn answered_elsewhere(&self) -> usize {
        let cancelled = self.messages().filter(|(text, message)| {
            let reason = header(text, "Reason");
            message.method == "CANCEL" && reason.is_some_and(|r| r.contains("cause=200"))
        });
        cancelled.count()
    }
}

fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let head = message.split("\r\n\r\n").next()?;
    let line = |line: &'a str| line.split_once(": ").filter(|(found, _)| *found == name);
    head.lines().find_map(line).map(|(_, value)| value)
}
