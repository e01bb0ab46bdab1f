//! Why a leg ended: one enum that is at once the CDR value, the metric label and the log field.

use serde::{Deserialize, Serialize};

/// Why a leg ended, or why a call was refused. Exactly one per leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The calling side hung up an answered call.
    CallerHungUp,
    /// The called side hung up an answered call.
    CalleeHungUp,
    /// The caller gave up before an answer (CANCEL).
    Cancelled,
    /// Another device of the extension, or another branch, answered.
    AnsweredElsewhere,
    /// The called side was busy: 486.
    Busy,
    /// The called person declined: 600 or 603.
    Declined,
    /// Nobody answered in the ring timeout.
    NoAnswer,
    /// No device was registered, or none could be reached.
    Unreachable,
    /// The peer refused with another status.
    Refused,
    /// The dialled number leads nowhere: 404.
    NotFound,
    /// The caller may not do this: 403.
    Forbidden,
    /// The dialog whose place it was to take is about to end: 603 (RFC 3891 3).
    DialogOver,
    /// The tenant is blocked.
    TenantBlocked,
    /// The extension is blocked.
    ExtensionBlocked,
    /// The called extension has as many calls as its `incoming_limit` allows: 486.
    ExtensionLimit,
    /// The tenant has as many calls as it may: 503.
    TenantLimit,
    /// As many calls to the outside as there may be, at a time or in a minute: 503.
    OutsideLimit,
    /// The number is in no country that may be called: 403.
    OutsideNotAllowed,
    /// No RTP port, or another of our bounds was reached: 503.
    NodeLimit,
    /// The two sides share no codec: 488.
    NoCommonCodec,
    /// The peer broke offer/answer or its dialog in a way that cannot be mended.
    ProtocolError,
    /// A program ended it over the HTTP API.
    ApiHangup,
    /// The peer did not answer our requests any more (transaction timeout, flow closed).
    TransportLost,
    /// No RTP for a minute, and no answer when asked.
    MediaLost,
    /// The session timer ran out (RFC 4028).
    SessionExpired,
    /// An incoming call rule of the type busy: 486.
    BusyByRule,
    /// An incoming call rule of the type hangup: 480.
    HangupByRule,
    /// An internal service (echo, player) had finished.
    ServiceDone,
    /// It has sent its far party on to somebody else, and is out.
    Transferred,
    /// It has parked its far party, and is out.
    Parked,
    /// A program has joined its far party with somebody else, and it is out.
    Bridged,
    /// Another phone has taken its place in the call.
    Replaced,
    /// It was parked, and nobody took it back.
    ParkExpired,
    /// A transfer had failed, and nobody took the call back.
    NotTakenBack,
    /// Somebody else had answered the call that it was to take.
    AlreadyAnswered,
    /// The call that it listened to is over.
    MonitorOver,
    /// The switch was stopping and the limit for running calls had passed.
    Drained,
    /// The switch was restarted while the call was up.
    Restart,
    /// A defect of ours: the call was ended, everything else goes on.
    Internal,
}

impl EndReason {
    /// All reasons, for tables and metrics.
    pub const ALL: [EndReason; 39] = [
        EndReason::CallerHungUp,
        EndReason::CalleeHungUp,
        EndReason::Cancelled,
        EndReason::AnsweredElsewhere,
        EndReason::Busy,
        EndReason::Declined,
        EndReason::NoAnswer,
        EndReason::Unreachable,
        EndReason::Refused,
        EndReason::NotFound,
        EndReason::Forbidden,
        EndReason::DialogOver,
        EndReason::TenantBlocked,
        EndReason::ExtensionBlocked,
        EndReason::ExtensionLimit,
        EndReason::TenantLimit,
        EndReason::OutsideLimit,
        EndReason::OutsideNotAllowed,
        EndReason::NodeLimit,
        EndReason::NoCommonCodec,
        EndReason::ProtocolError,
        EndReason::ApiHangup,
        EndReason::TransportLost,
        EndReason::MediaLost,
        EndReason::SessionExpired,
        EndReason::BusyByRule,
        EndReason::HangupByRule,
        EndReason::ServiceDone,
        EndReason::Transferred,
        EndReason::Parked,
        EndReason::Bridged,
        EndReason::Replaced,
        EndReason::ParkExpired,
        EndReason::NotTakenBack,
        EndReason::AlreadyAnswered,
        EndReason::MonitorOver,
        EndReason::Drained,
        EndReason::Restart,
        EndReason::Internal,
    ];

    /// The metric label and log field.
    pub fn label(self) -> &'static str {
        match self {
            EndReason::CallerHungUp => "caller_hung_up",
            EndReason::CalleeHungUp => "callee_hung_up",
            EndReason::Cancelled => "cancelled",
            EndReason::AnsweredElsewhere => "answered_elsewhere",
            EndReason::Busy => "busy",
            EndReason::Declined => "declined",
            EndReason::NoAnswer => "no_answer",
            EndReason::Unreachable => "unreachable",
            EndReason::Refused => "refused",
            EndReason::NotFound => "not_found",
            EndReason::Forbidden => "forbidden",
            EndReason::DialogOver => "dialog_over",
            EndReason::TenantBlocked => "tenant_blocked",
            EndReason::ExtensionBlocked => "extension_blocked",
            EndReason::ExtensionLimit => "extension_limit",
            EndReason::TenantLimit => "tenant_limit",
            EndReason::OutsideLimit => "outside_limit",
            EndReason::OutsideNotAllowed => "outside_not_allowed",
            EndReason::NodeLimit => "node_limit",
            EndReason::NoCommonCodec => "no_common_codec",
            EndReason::ProtocolError => "protocol_error",
            EndReason::ApiHangup => "api_hangup",
            EndReason::TransportLost => "transport_lost",
            EndReason::MediaLost => "media_lost",
            EndReason::SessionExpired => "session_expired",
            EndReason::BusyByRule => "busy_by_rule",
            EndReason::HangupByRule => "hangup_by_rule",
            EndReason::ServiceDone => "service_done",
            EndReason::Transferred => "transferred",
            EndReason::Parked => "parked",
            EndReason::Bridged => "bridged",
            EndReason::Replaced => "replaced",
            EndReason::ParkExpired => "park_expired",
            EndReason::NotTakenBack => "not_taken_back",
            EndReason::AlreadyAnswered => "already_answered",
            EndReason::MonitorOver => "monitor_over",
            EndReason::Drained => "drained",
            EndReason::Restart => "restart",
            EndReason::Internal => "internal",
        }
    }

    /// The final SIP status for a caller that was not yet answered. A person's decline is told to
    /// the caller as 480, like no answer: only 486 is busy (API reference, decision 18).
    pub fn sip_status(self) -> u16 {
        match self {
            EndReason::Busy | EndReason::BusyByRule | EndReason::ExtensionLimit => 486,
            EndReason::Cancelled => 487,
            EndReason::NotFound => 404,
            EndReason::Forbidden | EndReason::TenantBlocked | EndReason::OutsideNotAllowed => 403,
            EndReason::TenantLimit
            | EndReason::OutsideLimit
            | EndReason::NodeLimit
            | EndReason::Drained => 503,
            EndReason::NoCommonCodec => 488,
            EndReason::DialogOver => 603,
            EndReason::ProtocolError => 400,
            EndReason::Internal | EndReason::Restart => 500,
            EndReason::CallerHungUp
            | EndReason::CalleeHungUp
            | EndReason::Transferred
            | EndReason::Parked
            | EndReason::Bridged
            | EndReason::Replaced
            | EndReason::ParkExpired
            | EndReason::NotTakenBack
            | EndReason::AlreadyAnswered
            | EndReason::MonitorOver
            | EndReason::AnsweredElsewhere
            | EndReason::Declined
            | EndReason::NoAnswer
            | EndReason::Unreachable
            | EndReason::Refused
            | EndReason::ExtensionBlocked
            | EndReason::ApiHangup
            | EndReason::TransportLost
            | EndReason::MediaLost
            | EndReason::SessionExpired
            | EndReason::HangupByRule
            | EndReason::ServiceDone => 480,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_label_and_a_final_status() {
        let mut labels: Vec<_> = EndReason::ALL.iter().map(|r| r.label()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), EndReason::ALL.len());
        assert!(EndReason::ALL.iter().all(|r| (400..700).contains(&r.sip_status())));
    }
}
