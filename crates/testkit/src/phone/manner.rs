//! What a phone does by itself, as a test sets it.

use core::time::Duration;

use model::Codec;
use sip::digest::Algorithm;

/// How a phone behaves.
#[derive(Clone, Debug)]
pub struct Manner {
    /// What it does when it is called.
    pub when_called: WhenCalled,
    /// What it says before it is answered.
    pub early: Early,
    /// Whether its INVITEs carry an offer, or it waits for one in the 200.
    pub offer: Offer,
    /// The codecs that it can do, the best first.
    pub codecs: Vec<Codec>,
    /// Whether it can send and take digits by RFC 4733.
    pub events: Events,
    /// How often it sends RTP.
    pub pace: Pace,
    /// Which of the challenges it answers.
    pub algorithm: Algorithm,
    /// Expiry that it asks for when it registers, seconds.
    pub expires_s: u32,
    /// What it says of reliable provisional responses (RFC 3262).
    pub reliable: Reliable,
    /// How it offers a changed session.
    pub offers_by: OffersBy,
    /// The session timer that it keeps (RFC 4028); `None`: it knows nothing of it.
    pub timer: Option<SessionTimer>,
    /// Whom the Contact of its 302 names.
    pub names: String,
    /// Max-Forwards of its INVITEs.
    pub max_forwards: u8,
    /// A carrier's: what calls of a number are led to, as calls of its own.
    pub leads: Option<Lead>,
    /// What it does with a call whose other side it has sent on.
    pub after_refer: AfterRefer,
}

impl Default for Manner {
    fn default() -> Manner {
        Manner {
            when_called: WhenCalled::Rings,
            early: Early::Rings,
            offer: Offer::InInvite,
            codecs: super::sound::CODECS.to_vec(),
            events: Events::Rfc4733,
            pace: Pace::Steady,
            algorithm: Algorithm::Sha256,
            expires_s: 3_600,
            reliable: Reliable::Unknown,
            offers_by: OffersBy::Invite,
            timer: None,
            names: String::new(),
            max_forwards: 70,
            leads: None,
            after_refer: AfterRefer::Byes,
        }
    }
}

/// What a phone does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenCalled {
    /// It rings until somebody does something.
    Rings,
    /// It rings and is answered after this time; at once, if it is zero, without ringing.
    Answers(Duration),
    /// It rings and then refuses with this status; at once, if it is zero, without ringing.
    Refuses(Duration, u16),
    /// It sends 100 and nothing else.
    Tries,
}

/// A way through a carrier: who calls the one number is led to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    /// The number that is called at the carrier.
    pub number: String,
    /// The number that the carrier calls.
    pub to: String,
}

/// What a called phone sends before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// 180 without a session.
    Rings,
    /// 183 with its answer, and audio from then on.
    Speaks,
}

/// Where a calling phone puts its offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// In the INVITE.
    InInvite,
    /// Nowhere: it answers the offer of the 200 in its ACK.
    Delayed,
}

/// What a phone says of reliable provisional responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reliable {
    /// Nothing: it does not know them.
    Unknown,
    /// It takes them, and sends them to who does.
    Supported,
    /// It takes no others.
    Required,
}

/// How a phone offers a changed session, and refreshes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffersBy {
    /// By re-INVITE.
    Invite,
    /// By UPDATE.
    Update,
}

/// The session timer of a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    /// The interval that it asks for, seconds.
    pub interval_s: u32,
    /// Whether it wants to refresh the calls that it makes itself.
    pub refreshes: bool,
}

/// How a phone sends digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// As RTP events.
    Rfc4733,
    /// Only by SIP INFO.
    Info,
    /// As tones: it knows no other way, neither to send nor to take them.
    InBand,
}

/// What a phone does with its own part after a REFER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRefer {
    /// It hangs up when it hears that the transfer has succeeded.
    Byes,
    /// It hangs up as soon as the REFER is accepted.
    ByesAtOnce,
    /// It waits for the switch to hang up.
    Stays,
}

/// How often a phone sends RTP while it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Every 20 ms, as phones do.
    Steady,
    /// Every 200 ms, for runs of many calls that need no more to see who hears whom.
    Sparse,
    /// Never.
    Mute,
}

impl Pace {
    /// The time from packet to packet.
    pub fn period(self) -> Option<Duration> {
        match self {
            Pace::Steady => Some(Duration::from_millis(20)),
            Pace::Sparse => Some(Duration::from_millis(200)),
            Pace::Mute => None,
        }
    }
}

/// How a phone puts the other side on hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// `a=sendonly` (RFC 3264 8.4).
    SendOnly,
    /// `a=inactive`.
    Inactive,
    /// `c=IN IP4 0.0.0.0`, as RFC 2543 had it.
    NoAddress,
}

impl Hold {
    /// All forms.
    pub const ALL: [Hold; 3] = [Hold::SendOnly, Hold::Inactive, Hold::NoAddress];
}
