//! What a mail says, in the language of the client.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{Extension, Language, Wall};
use store::StoredMessage;

/// The parts of a mail that people read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) subject: String,
    pub(super) text: String,
    /// Of the attachment.
    pub(super) filename: String,
}

/// The words of one language.
struct Vocabulary {
    subject: &'static str,
    left_for: &'static str,
    from: &'static str,
    hidden: &'static str,
    called: &'static str,
    time: &'static str,
    length: &'static str,
    file: &'static str,
}

const ENGLISH: Vocabulary = Vocabulary {
    subject: "Voice message from",
    left_for: "A voice message was left for",
    from: "From",
    hidden: "a hidden number",
    called: "To",
    time: "Time",
    length: "Length",
    file: "message",
};

const RUSSIAN: Vocabulary = Vocabulary {
    subject: "Голосовое сообщение от",
    left_for: "Оставлено голосовое сообщение для номера",
    from: "От",
    hidden: "скрытого номера",
    called: "На номер",
    time: "Время",
    length: "Длительность",
    file: "сообщение",
};

/// The words for a message.
pub(super) fn of(
    stored: &StoredMessage,
    owner: &Extension,
    timezone: &str,
    language: Language,
) -> Words {
    let words = match language {
        Language::En => ENGLISH,
        Language::Ru => RUSSIAN,
    };
    let message = &stored.message;
    let number =
        if message.caller_number.is_empty() { words.hidden } else { &message.caller_number };
    let caller = match (&*message.caller_number, &*message.caller_name) {
        ("", _) => words.hidden.to_owned(),
        (number, name) if name.is_empty() || name == number => number.to_owned(),
        (number, name) => format!("{number} ({name})"),
    };
    let caller = one_line(&caller);
    let seconds = message.length_ms.div_ceil(1_000);
    let length = format!("{}:{:02}", seconds / 60, seconds % 60);
    let (time, zone) = local(message.time, timezone);
    let label = owner.label.as_str();
    let owner = match label {
        "" => owner.name.to_string(),
        label => format!("{} ({label})", owner.name),
    };
    let mut text = format!("{} {owner}.\n\n{}: {caller}\n", words.left_for, words.from);
    if let Some(did) = message.did.as_deref() {
        text.push_str(&format!("{}: {did}\n", words.called));
    }
    text.push_str(&format!("{}: {time} ({zone})\n{}: {length}\n", words.time, words.length));
    let stamp: String = time.chars().map(|c| if c.is_ascii_digit() { c } else { '-' }).collect();
    Words {
        subject: one_line(&format!("{} {number} ({length})", words.subject)),
        text,
        filename: format!("{}-{stamp}.wav", words.file),
    }
}

/// The time on the owner's clock, and the clock's name.
fn local(time: Wall, timezone: &str) -> (String, String) {
    let zone = TimeZone::get(timezone).map_or((TimeZone::UTC, "UTC"), |zone| (zone, timezone));
    let moment = Timestamp::from_microsecond(time.0).unwrap_or(Timestamp::UNIX_EPOCH);
    let shown = moment.to_zoned(zone.0).strftime("%Y-%m-%d %H:%M:%S").to_string();
    (shown, zone.1.to_owned())
}

/// Nothing that a caller says of itself begins a line of its own.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
