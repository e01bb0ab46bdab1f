//! The words between the machines. Data only: no behaviour beyond reading and building itself.
//!
//! Knows: what the SIP endpoint tells a tenant's exchange and the other way round, what the
//! exchange wants heard, what it writes down, what programs ask of it.
//! Never knows: how any of it is carried out.
//!
//! Read in this order: [`session`], [`identity`], [`event`], [`command`], [`audio`], [`control`],
//! [`lamp`], [`record`], [`audit`], [`pins`], [`alert`].

pub mod alert;
pub mod audio;
pub mod audit;
pub mod command;
pub mod control;
pub mod event;
pub mod identity;
pub mod lamp;
pub mod pins;
pub mod record;
pub mod session;

use core::fmt;

use serde::{Deserialize, Serialize};

pub use alert::{Alert, AlertCause};
pub use audio::{
    Audio, Clip, ClipId, Gain, Hears, MediaCommand, MediaEvent, MediaEventKind, MediaLeg, Piece,
    Player, Recorder, RecorderId, Revision, Source, SourceLock, Sources, Tone,
};
pub use audit::{Attempt, Audit, AuditAction, AuditExtension, AuditProgram, AuditSource};
pub use command::{Dial, LegCommand, Target};
pub use control::{
    CallAction, CallFlow, CallView, Command, ExtensionRef, MonitorMode, Refusal, RegistrationView,
    ReplaceView, Reply,
};
pub use event::{Capabilities, Dialled, Incoming, LegEvent, Origin, ReferId, ReferTo, Replaced};
pub use identity::{Diversion, DiversionReason, Identity};
pub use lamp::{
    DialogDirection, DialogStage, DialogState, LampCommand, LampEvent, LampState, Package,
    SubscriptionId, Watched,
};
pub use pins::{PinKind, WrongPinCount};
pub use record::{
    Binding, BindingChange, CallStatus, CallTrace, CdrFlow, CdrLeg, Event, EventKind, KnownMessage,
    Message, MessageChange, MessageFate, Record, Recording, ReplacementChange, SavedCall,
    record_uuid,
};
pub use session::{Direction, Format, Session};

/// One leg of a call inside its tenant: one SIP dialog, or one internal party.
///
/// Even numbers: legs that came in, numbered by the stack; odd: legs that we dial, numbered by the
/// exchange. So neither needs to ask the other for a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LegId(pub u64);

impl LegId {
    /// The `n`th leg that came in.
    pub fn incoming(n: u64) -> LegId {
        LegId(n << 1)
    }

    /// The `n`th leg that we dial.
    pub fn outgoing(n: u64) -> LegId {
        LegId((n << 1) | 1)
    }

    /// Whether the peer began this leg.
    pub fn is_incoming(self) -> bool {
        self.0 & 1 == 0
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.is_incoming() { "in" } else { "out" };
        write!(f, "{way}{}", self.0 >> 1)
    }
}

impl fmt::Debug for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
