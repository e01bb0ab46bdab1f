//! What the plane counts: for metrics, and for tests that nothing is lost silently.

/// Why something was not carried out. At once the metric label and the log field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// A datagram for a port without a leg.
    NoLeg,
    /// A datagram that is neither RTP nor RTCP.
    Malformed,
    /// A datagram from an address that the leg does not believe.
    Stranger,
    /// RTP with a payload type that was not negotiated.
    UnknownPayload,
    /// RTP without a payload: it only keeps a NAT open.
    Empty,
    /// RTP whose sequence number jumped as if it were of another stream.
    WildSequence,
    /// A late packet from before the listener's source changed.
    BeforeChange,
    /// Audio for a listener to whom digits are being sent.
    DuringDigit,
    /// Audio that came too late for the jitter buffer.
    TooLate,
    /// A digit for a leg without RFC 4733, or without an address.
    DigitUnwanted,
    /// A digit for a leg whose queue is full.
    DigitOverflow,
    /// A command older than what is in force.
    OldRevision,
    /// A leg beyond the bound, or with a port that is odd, zero or named twice.
    LegRefused,
    /// A leg whose port a newer call took.
    PortTaken,
    /// Frames that were not played because the clock was late.
    FramesSkipped,
    /// A clip beyond the bound, or with too many pieces.
    ClipRefused,
    /// A recording beyond the bound, or with too many channels.
    RecorderRefused,
}

impl Dropped {
    /// All reasons, for tables and metrics.
    pub const ALL: [Dropped; 17] = [
        Dropped::NoLeg,
        Dropped::Malformed,
        Dropped::Stranger,
        Dropped::UnknownPayload,
        Dropped::Empty,
        Dropped::WildSequence,
        Dropped::BeforeChange,
        Dropped::DuringDigit,
        Dropped::TooLate,
        Dropped::DigitUnwanted,
        Dropped::DigitOverflow,
        Dropped::OldRevision,
        Dropped::LegRefused,
        Dropped::PortTaken,
        Dropped::FramesSkipped,
        Dropped::ClipRefused,
        Dropped::RecorderRefused,
    ];

    /// The metric label and log field.
    pub fn label(self) -> &'static str {
        match self {
            Dropped::NoLeg => "no_leg",
            Dropped::Malformed => "malformed",
            Dropped::Stranger => "stranger",
            Dropped::UnknownPayload => "unknown_payload",
            Dropped::Empty => "empty",
            Dropped::WildSequence => "wild_sequence",
            Dropped::BeforeChange => "before_change",
            Dropped::DuringDigit => "during_digit",
            Dropped::TooLate => "too_late",
            Dropped::DigitUnwanted => "digit_unwanted",
            Dropped::DigitOverflow => "digit_overflow",
            Dropped::OldRevision => "old_revision",
            Dropped::LegRefused => "leg_refused",
            Dropped::PortTaken => "port_taken",
            Dropped::FramesSkipped => "frames_skipped",
            Dropped::ClipRefused => "clip_refused",
            Dropped::RecorderRefused => "recorder_refused",
        }
    }
}

/// Counts since the plane was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// RTP packets of believed sources.
    pub received: u64,
    /// RTP packets passed on without decoding.
    pub relayed: u64,
    /// Frames mixed or played.
    pub mixed: u64,
    /// Packets of comfort noise, taken and not passed on.
    pub comfort_noise: u64,
    /// Packets of digits that came in.
    pub digits_received: u64,
    /// Packets of digits that were sent.
    pub digits_sent: u64,
    /// Frames of recordings.
    pub recorded: u64,
    /// Legs that went on in another call.
    pub moved: u64,
    /// RTCP datagrams of believed sources.
    pub reports_received: u64,
    /// RTCP datagrams sent.
    pub reports_sent: u64,
    dropped: [u64; Dropped::ALL.len()],
}

impl Counters {
    /// How often something was dropped for this reason.
    pub fn dropped(&self, why: Dropped) -> u64 {
        self.dropped[why as usize]
    }

    pub(crate) fn drop_one(&mut self, why: Dropped) {
        self.drop_many(why, 1);
    }

    pub(crate) fn drop_many(&mut self, why: Dropped, n: u64) {
        self.dropped[why as usize] += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_label_and_counter() {
        let mut labels: Vec<_> = Dropped::ALL.iter().map(|d| d.label()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Dropped::ALL.len());
        for (n, why) in Dropped::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, n);
            let mut counters = Counters::default();
            counters.drop_one(why);
            let raised = Dropped::ALL.into_iter().filter(|d| counters.dropped(*d) > 0);
            assert_eq!(raised.collect::<Vec<_>>(), [why]);
        }
    }
}
