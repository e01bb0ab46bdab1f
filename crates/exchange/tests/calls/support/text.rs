//! What comes out of the exchange as text, one line for each effect.

use exchange::Effect;
use leg::{
    DialogState, Format, LampCommand, LampState, LegCommand, MediaCommand, Piece, Player, Record,
    Session, Source,
};
use model::Spoken;

pub(super) fn line(effect: &Effect) -> String {
    match effect {
        Effect::Leg { leg, command } => format!("{leg} {}", command_text(command)),
        Effect::Lamp(command) => format!("lamp {}", lamp_text(command)),
        Effect::Media(MediaCommand::Audio(audio)) => {
            let hears: Vec<String> = audio
                .hears
                .iter()
                .map(|h| {
                    let sources: Vec<_> = h.sources.iter().map(|(s, _)| source_text(s)).collect();
                    format!("{} hears {}", h.listener, sources.join("+"))
                })
                .collect();
            let hears = if hears.is_empty() { "silence".to_owned() } else { hears.join(", ") };
            let clips = audio.clips.iter().map(|clip| {
                let pieces: Vec<String> = clip.pieces.iter().map(piece_text).collect();
                format!("; clip {}: {}", clip.id.0, pieces.join(" "))
            });
            let recorders = audio.recorders.iter().map(|r| {
                let of = |sources: &leg::Sources| {
                    sources.iter().map(|(s, _)| source_text(s)).collect::<Vec<_>>().join("+")
                };
                let heard: Vec<String> = r.channels.iter().map(of).collect();
                format!("; recorder {} hears {}", r.id.0, heard.join(" | "))
            });
            let more: String = clips.chain(recorders).collect();
            format!("audio of {} legs: {hears}{more}", audio.legs.len())
        }
        Effect::Media(MediaCommand::SendDigit { leg, digit, duration_ms, .. }) => {
            format!("digit {digit:?} to {leg} for {duration_ms} ms")
        }
        Effect::Media(MediaCommand::FindRecording { recorder, .. }) => {
            format!("find recording {}", recorder.0)
        }
        Effect::Record(Record::Event(e)) => {
            format!(
                "event {} {} {} {}",
                e.sequence,
                e.extension,
                e.kind.as_str(),
                e.status.as_str()
            )
        }
        Effect::Record(Record::Cdr(c)) => {
            let talk = c.talk_us / 1_000_000;
            format!("cdr {} {:?} {} {talk} s", c.extension, c.flow, c.reason.label())
        }
        Effect::Record(Record::CallGone { .. }) => String::new(),
        Effect::Record(Record::Trace(_) | Record::Audit(_) | Record::WrongPins(_)) => String::new(),
        Effect::Record(Record::Message(message)) => {
            format!("message for {} of {} ms", message.extension, message.length_ms)
        }
        Effect::Record(Record::MessageChanged(change)) => {
            format!("message file{} {:?}", change.file.0, change.fate).to_lowercase()
        }
        Effect::Record(Record::Recording(recording)) => {
            format!("recording for {} of {} ms", recording.extension, recording.length_ms)
        }
        Effect::Record(other) => format!("{other:?}"),
        Effect::Alert(alert) => format!("alert {}", alert.cause.label()),
        Effect::Reply { .. } => String::new(),
    }
}

fn lamp_text(command: &LampCommand) -> String {
    match command {
        LampCommand::Grant { id, resource, state } => {
            format!("{} granted {resource}: {}", id.0, lamp_state_text(state))
        }
        LampCommand::Refuse { id, status } => format!("{} refused {status}", id.0),
        LampCommand::Show { resource, state } => format!("{resource}: {}", lamp_state_text(state)),
        LampCommand::Gone { package, resource } => format!("{resource} gone {package:?}"),
    }
}

pub(crate) fn lamp_state_text(state: &LampState) -> String {
    let dialogs = match state {
        LampState::Dialogs(dialogs) => dialogs,
        LampState::Messages { new, old } => return format!("{new} new, {old} old"),
    };
    let text = |d: &DialogState| {
        let number = d.remote.number.as_ref().map_or("-", |n| n.as_str());
        let leg = d.leg.map_or(String::new(), |leg| format!(" by {leg}"));
        let hidden = if d.remote.private { " hidden" } else { "" };
        let name = &d.remote.name;
        format!("{:?} {:?} {number} \"{name}\"{hidden}{leg}", d.direction, d.stage).to_lowercase()
    };
    let texts: Vec<String> = dialogs.iter().map(text).collect();
    if texts.is_empty() { "idle".into() } else { texts.join(", ") }
}

fn source_text(source: &Source) -> String {
    match source {
        Source::Leg(leg) => leg.to_string(),
        Source::Player(Player::Clip(id)) => format!("clip {}", id.0),
        Source::Player(Player::HoldMusic) => "music".into(),
        Source::Player(Player::Tone(tone)) => format!("{tone:?}").to_lowercase(),
    }
}

fn piece_text(piece: &Piece) -> String {
    match piece {
        Piece::File(file) => format!("file{}", file.0),
        Piece::Spoken(_, Spoken::Digit(digit)) => digit.to_string(),
        Piece::Spoken(language, spoken) => format!("{language:?}:{spoken:?}"),
        Piece::Tone(tone, ms) => format!("{tone:?}{ms}"),
        Piece::Silence(ms) => format!("silence{ms}"),
    }
}

fn session_text(s: &Session) -> String {
    // Every offer of ours ends with the wideband codecs, which would only make the texts longer.
    let is_narrow = |f: &&Format| f.codec.sample_rate_hz() == 8_000;
    let codecs: Vec<_> = s.formats.iter().filter(is_narrow).map(|f| f.codec.encoding()).collect();
    format!("{} {:?} {}", s.port, s.direction, codecs.join(","))
}

fn command_text(command: &LegCommand) -> String {
    match command {
        LegCommand::Dial(d) => {
            let number = d.identity.number.as_ref().map_or("-", |n| n.as_str());
            let to = match &d.target {
                leg::Target::Device { .. } => String::new(),
                leg::Target::Trunk { trunk, number } => format!("{number} by trunk {trunk} "),
            };
            let offer = session_text(&d.offer);
            let hidden = if d.identity.private { " hidden" } else { "" };
            let by = d
                .diversion
                .as_ref()
                .map_or(String::new(), |d| format!(" diverted by {} {:?}", d.by, d.reason));
            format!("dial {to}as {number} \"{}\"{hidden}{by} offering {offer}", d.identity.name)
        }
        LegCommand::Ring { early: None } => "ring".into(),
        LegCommand::Ring { early: Some(s) } => format!("ring early {}", session_text(s)),
        LegCommand::Answer(s) => format!("answer {}", session_text(s)),
        LegCommand::Offer(s) => format!("offer {}", session_text(s)),
        LegCommand::AnswerOffer(s) => format!("answer offer {}", session_text(s)),
        LegCommand::RejectOffer { status } => format!("reject offer {status}"),
        LegCommand::Info(d) => format!("info {d:?}"),
        LegCommand::ReferAccepted { refer } => format!("refer {} accepted", refer.0),
        LegCommand::ReferRefused { refer, status } => format!("refer {} refused {status}", refer.0),
        LegCommand::ReferProgress { refer, status } => format!("refer {} {status}", refer.0),
        LegCommand::Identify(identity) => {
            let number = identity.number.as_ref().filter(|_| identity.name.as_str().is_empty());
            format!("identify {}", number.map_or(identity.name.as_str(), |n| n.as_str()))
        }
        LegCommand::End { reason, retry_after_s } => {
            let retry = retry_after_s.map_or(String::new(), |s| format!(" retry after {s}"));
            format!("end {}{retry}", reason.label())
        }
    }
}
