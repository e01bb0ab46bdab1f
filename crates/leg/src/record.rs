//! What is written down: events in their final API form, call records, bindings, saved calls.
//!
//! One step of a machine writes one journal record, which holds one or more of these.

use core::net::SocketAddr;
use std::borrow::Cow;
use std::sync::Arc;

use model::{
    CallApiId, CallId, CallUuid, DeviceId, EndReason, ExtensionId, FileFormat, FileId, TenantId,
    TraceEntry, Wall,
};
use serde::{Deserialize, Serialize};

use crate::audit::Audit;
use crate::pins::WrongPinCount;

/// One thing that must not be lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// For programs: webhooks and the stream start from it.
    Event(Box<Event>),
    /// One leg has ended: exactly one per leg.
    Cdr(Box<CdrLeg>),
    /// A registration changed.
    Binding(Box<BindingChange>),
    /// Why the call went where it went: written once, when the call is over.
    Trace(Box<CallTrace>),
    /// A message was left; its file is complete.
    Message(Box<Message>),
    /// A message was listened to or removed.
    MessageChanged(MessageChange),
    /// A talk was recorded; its file is complete.
    Recording(Box<Recording>),
    /// Somebody tried to do something to another's call.
    Audit(Box<Audit>),
    /// Two extensions serve each other from now on, or no more.
    Replacement(ReplacementChange),
    /// Wrong PINs were said, or are forgiven.
    WrongPins(WrongPinCount),
    /// The state of a call, newest wins.
    CallSaved(Box<SavedCall>),
    /// The call is over; its saved state is of no use any more.
    CallGone {
        /// The tenant.
        tenant: TenantId,
        /// The call.
        call: CallId,
    },
}

/// Two extensions serve each other from now on, or no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacementChange {
    /// The tenant.
    pub tenant: TenantId,
    /// Who has begun it.
    pub by: ExtensionId,
    /// The other one.
    pub with: ExtensionId,
    /// Since when; `None`: no more.
    pub since: Option<Wall>,
}

/// The trace of a call that had rules to explain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallTrace {
    /// The tenant.
    pub tenant: TenantId,
    /// The conversation.
    pub call: CallUuid,
    /// The DID by which it came in.
    pub did: Option<Arc<str>>,
    /// The caller's number as it was received; `None`: hidden.
    pub caller: Option<Arc<str>>,
    /// When it began.
    pub began: Wall,
    /// The lines, oldest first.
    pub lines: Vec<TraceEntry>,
}

/// A message in the voicemail of an extension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The tenant.
    pub tenant: TenantId,
    /// Whose voicemail.
    pub extension: ExtensionId,
    /// Its sound.
    pub file: FileId,
    /// How long it is, milliseconds.
    pub length_ms: u32,
    /// The conversation in which it was left.
    pub call: CallUuid,
    /// `SubCallID` of the extension's part.
    pub sub_call_id: Arc<str>,
    /// The caller's number as shown; empty when hidden.
    pub caller_number: Arc<str>,
    /// The caller's name as shown.
    pub caller_name: Arc<str>,
    /// The DID by which the call came in.
    pub did: Option<Arc<str>>,
    /// When the recording began.
    pub time: Wall,
}

/// A message was listened to or removed by its owner's phone. Applied again, it changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageChange {
    /// The tenant.
    pub tenant: TenantId,
    /// Whose voicemail.
    pub extension: ExtensionId,
    /// Which message.
    pub file: FileId,
    /// What became of it.
    pub fate: MessageFate,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageFate {
    /// Somebody has listened to it.
    Heard,
    /// It is gone; its file is of no use any more.
    Removed,
}

/// A message as the owner of the calls knows it, for who listens from a phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownMessage {
    /// Its sound.
    pub file: FileId,
    /// How long it is, milliseconds.
    pub length_ms: u32,
    /// Who left it, as shown; empty when hidden.
    pub caller_number: Arc<str>,
    /// When the recording began.
    pub time: Wall,
    /// Whether somebody has listened to it.
    pub heard: bool,
}

/// The recording of an extension's talk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The tenant.
    pub tenant: TenantId,
    /// Whose talk.
    pub extension: ExtensionId,
    /// Its sound.
    pub file: FileId,
    /// How long it is, milliseconds.
    pub length_ms: u32,
    /// The conversation of the extension's part.
    pub call: CallUuid,
    /// `SubCallID` of that part, which may still go on: its record comes before or after this.
    pub sub_call_id: Arc<str>,
    /// When the recording began.
    pub time: Wall,
    /// What its file, which is a WAV file so far, is to become.
    #[serde(default)]
    pub format: FileFormat,
}

/// How a recording is named from its beginning: `<extension_id>-<32 HEX>` (API reference 14).
pub fn record_uuid(extension: ExtensionId, file: FileId) -> String {
    format!("{extension}-{:032X}", file.0)
}

/// A call's state after a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedCall {
    /// The tenant.
    pub tenant: TenantId,
    /// The call.
    pub call: CallId,
    /// The exchange's part, self-describing, version first.
    #[serde(with = "bytes")]
    pub exchange: Vec<u8>,
    /// The stack's part: the dialogs of the call's legs, self-describing, version first.
    #[serde(with = "bytes")]
    pub stack: Vec<u8>,
}

/// What an event tells (API reference 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A call arrives at the extension.
    DialIn,
    /// The extension calls.
    DialOut,
    /// The leg was answered.
    Answer,
    /// The leg is over.
    Hangup,
    /// A message was left for the extension.
    Voicemail,
}

impl EventKind {
    /// `dial-in` and so on.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::DialIn => "dial-in",
            EventKind::DialOut => "dial-out",
            EventKind::Answer => "answer",
            EventKind::Hangup => "hangup",
            EventKind::Voicemail => "voicemail",
        }
    }
}

/// `CallStatus` of an event (API reference 13.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CallStatus {
    /// It rings.
    Calling,
    /// It was answered.
    Answer,
    /// 486.
    Busy,
    /// Our timer ran out.
    NoAnswer,
    /// The caller gave up.
    Cancel,
    /// An error.
    Congestion,
    /// No device was registered.
    ChanUnavail,
}

impl CallStatus {
    /// As the event shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            CallStatus::Calling => "CALLING",
            CallStatus::Answer => "ANSWER",
            CallStatus::Busy => "BUSY",
            CallStatus::NoAnswer => "NOANSWER",
            CallStatus::Cancel => "CANCEL",
            CallStatus::Congestion => "CONGESTION",
            CallStatus::ChanUnavail => "CHANUNAVAIL",
        }
    }
}

/// An event in its final form: what a webhook will say, and nothing computed later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The tenant.
    pub tenant: TenantId,
    /// The extension whose event it is.
    pub extension: ExtensionId,
    /// `EventType`.
    pub kind: EventKind,
    /// `EventTime`, and the moment of the step.
    pub time: Wall,
    /// Number of the event within its call, from 1 (`Webhook-Sequence`).
    pub sequence: u32,
    /// `CallID` is its 32 hexadecimal digits, `CallAPIID` its handle.
    pub call: CallApiId,
    /// `SubCallID`: `<extension_id>-<32 hex>`, one per leg.
    #[serde(deserialize_with = "shared::text")]
    pub sub_call_id: Arc<str>,
    /// `CallFlow`: `true` for `in`.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub incoming: bool,
    /// `CallStatus`.
    pub status: CallStatus,
    /// `CallerIDNum`.
    #[serde(deserialize_with = "shared::text")]
    pub caller_number: Arc<str>,
    /// `CallerIDName`.
    #[serde(deserialize_with = "shared::text")]
    pub caller_name: Arc<str>,
    /// `CalledNumber`.
    #[serde(deserialize_with = "shared::text")]
    pub called_number: Arc<str>,
    /// `Transfered`: a rule of the extension forwards the call to the outside.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub transferred: bool,
    /// `CalledDID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called_did: Option<Arc<str>>,
    /// `CallerExtension` (`0003*100@domain`) and `CallerExtensionID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_extension: Option<(Arc<str>, ExtensionId)>,
    /// `CalledExtension` and `CalledExtensionID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called_extension: Option<(Arc<str>, ExtensionId)>,
    /// `Duration` of a hangup: microseconds of this leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// `BridgedDuration` of a hangup: microseconds of talk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridged_us: Option<u64>,
    /// Why the leg ended, of a hangup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<EndReason>,
    /// `RecID` of a hangup: the recording, which is complete a moment later, unless it fails. None
    /// of what is too short to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Arc<str>>,
}

/// Which way a leg went, as call records tell it (API reference 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CdrFlow {
    /// The extension was called.
    In,
    /// The extension called.
    Out,
    /// The extension's call went on to another number.
    Transfer,
}

/// The record of one leg. `SIP` names as they were at the end of the leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CdrLeg {
    /// The tenant.
    pub tenant: TenantId,
    /// The conversation, `call_uuid`.
    pub call: CallUuid,
    /// `SubCallID` of the leg: with the tenant, what makes a record unique.
    #[serde(deserialize_with = "shared::text")]
    pub sub_call_id: Arc<str>,
    /// The extension that owns the leg.
    pub extension: ExtensionId,
    /// `0003*100@domain`.
    #[serde(deserialize_with = "shared::text")]
    pub extension_name: Arc<str>,
    /// `phone`, `queue`, `ivr`, `service`.
    pub extension_kind: Cow<'static, str>,
    /// Which way.
    pub flow: CdrFlow,
    /// Why it ended.
    pub reason: EndReason,
    /// The peer's final status, where it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// When the leg began.
    pub init_time: Wall,
    /// When it was answered, `start_time_gmt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_time: Option<Wall>,
    /// When it ended.
    pub hangup_time: Wall,
    /// Microseconds from answer to end, by the monotonic clock; 0 when it was not answered.
    pub talk_us: u64,
    /// `from_username`, `from_domain`, `from_screen_name`.
    #[serde(deserialize_with = "shared::three")]
    pub from: (Arc<str>, Arc<str>, Arc<str>),
    /// `to_username`, `to_domain`.
    #[serde(deserialize_with = "shared::two")]
    pub to: (Arc<str>, Arc<str>),
    /// `did_number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did_number: Option<Arc<str>>,
    /// The caller's number as the trunk has asserted it, also of one who hides. Programs are not
    /// shown it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asserted: Option<Arc<str>>,
}

/// A binding was made, changed or removed. Mere refreshes are written at most every 5 minutes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BindingChange {
    /// The tenant.
    pub tenant: TenantId,
    /// The extension.
    pub extension: ExtensionId,
    /// The device.
    pub device: DeviceId,
    /// The new state; `None`: removed.
    pub binding: Option<Binding>,
}

/// One registered contact (RFC 3261 10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    /// The contact URI as the phone sent it.
    pub contact: String,
    /// Call-ID and CSeq of the last REGISTER that touched it, for ordering.
    pub call_id: String,
    /// See `call_id`.
    pub cseq: u32,
    /// Preference in thousandths (RFC 3261 20.10).
    pub q: u16,
    /// When it runs out.
    pub expires: Wall,
    /// `UDP`, `TCP`, ...
    pub transport: String,
    /// Our side of the flow.
    pub local: SocketAddr,
    /// The phone's side of the flow: where requests go.
    pub remote: SocketAddr,
    /// Path of RFC 3327, in order; empty without.
    pub path: Vec<String>,
    /// User-Agent, for people.
    pub user_agent: String,
    /// `+sip.instance` of RFC 5626, if sent, with its `reg-id`, if sent, behind it.
    pub instance: Option<String>,
}

/// serde of bytes as bytes, not as a list of numbers.
mod bytes {
    use serde::de::{Deserializer, Visitor};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        d.deserialize_byte_buf(Bytes)
    }
}

/// serde of shared texts, of which each call's records have dozens: taken from where they lie,
/// while serde's own way goes through a text of one's own.
mod shared {
    use super::Arc;
    use serde::de::{Deserialize, Deserializer, Error, Visitor};

    struct Text(Arc<str>);

    impl<'de> Deserialize<'de> for Text {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Text, D::Error> {
            struct Taken;
            impl Visitor<'_> for Taken {
                type Value = Text;
                fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    f.write_str("a text")
                }
                fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                    Ok(Text(text.into()))
                }
            }
            d.deserialize_str(Taken)
        }
    }

    pub(super) fn text<'de, D: Deserializer<'de>>(d: D) -> Result<Arc<str>, D::Error> {
        Text::deserialize(d).map(|Text(text)| text)
    }

    type Two = (Arc<str>, Arc<str>);
    type Three = (Arc<str>, Arc<str>, Arc<str>);

    pub(super) fn two<'de, D: Deserializer<'de>>(d: D) -> Result<Two, D::Error> {
        <(Text, Text)>::deserialize(d).map(|(Text(a), Text(b))| (a, b))
    }

    pub(super) fn three<'de, D: Deserializer<'de>>(d: D) -> Result<Three, D::Error> {
        <(Text, Text, Text)>::deserialize(d).map(|(Text(a), Text(b), Text(c))| (a, b, c))
    }
}
