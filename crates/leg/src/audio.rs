//! Who hears whom: the one relation that all of a call's audio is.

use core::net::{IpAddr, SocketAddr};

use model::{CallId, Digit, FileId, Language, Spoken};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::LegId;
use crate::session::Format;

/// Rises with every [`Audio`] of a call; the newest wins, older ones may be dropped unseen.
pub type Revision = u64;

/// The whole desired audio of one call. Media makes it so by difference to what it has.
///
/// Sending the newest again changes nothing, so a lost or coalesced one needs no repair, and
/// carrying a call on after a restart is sending it once more. `legs` empty ends the call's audio.
///
/// Legs, clips and recorders may go to another call of the tenant: it names them in its `Audio`,
/// and the other call names them no more in its own. Both are sent together, in either order;
/// nothing of them is begun anew. A leg goes with its port, a clip as it is, a recorder with its
/// file. What is named no more waits 100 ms for that, then it is ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audio {
    /// The call.
    pub call: CallId,
    /// Rises.
    pub revision: Revision,
    /// Every leg of the call that has a port.
    pub legs: SmallVec<[MediaLeg; 2]>,
    /// What each leg hears; a leg that is not named hears nothing (and is sent nothing).
    pub hears: SmallVec<[Hears; 2]>,
    /// What is played by [`Player::Clip`]. A clip begins when it is first declared, whoever hears
    /// it, and ends for good when it is declared no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clips: Vec<Clip>,
    /// What is recorded. A recording begins when it is first declared, and its file is complete
    /// when it is declared no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recorders: Vec<Recorder>,
}

impl Audio {
    /// Legs and who hears whom; nothing is played from clips and nothing recorded.
    pub fn of(
        call: CallId,
        revision: Revision,
        legs: SmallVec<[MediaLeg; 2]>,
        hears: SmallVec<[Hears; 2]>,
    ) -> Audio {
        Audio { call, revision, legs, hears, clips: Vec::new(), recorders: Vec::new() }
    }
}

/// Number of a clip in its tenant; never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClipId(pub u32);

/// Pieces of sound, played one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clip {
    /// Its number.
    pub id: ClipId,
    /// Whose owner is told of its end; media names it in the event and reads nothing else from it.
    pub leg: LegId,
    /// In order.
    pub pieces: Vec<Piece>,
    /// It begins anew at its end; no end is told.
    #[serde(default)]
    pub repeats: bool,
}

/// A piece of a [`Clip`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// A file of the node's store. One that cannot be read is left out, and told.
    File(FileId),
    /// Built-in speech.
    Spoken(Language, Spoken),
    /// A tone for so many milliseconds.
    Tone(Tone, u16),
    /// Nothing for so many milliseconds.
    Silence(u16),
}

/// Number of a recording in its tenant; never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecorderId(pub u32);

/// One more listener, whose ear is a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorder {
    /// Its number.
    pub id: RecorderId,
    /// Whose owner is told of it; media names it in events and reads nothing else from it. The
    /// last event may come when the leg is gone.
    pub leg: LegId,
    /// The file; it appears under its name when it is complete, never half.
    pub file: FileId,
    /// What is heard on each channel: one, or left and right.
    pub channels: SmallVec<[Sources; 1]>,
    /// [`MediaEventKind::RecorderSilent`] is told after so many milliseconds without a voice.
    pub silence_ms: Option<u32>,
    /// The recording is complete after so many milliseconds, as if it were declared no more.
    pub max_ms: u32,
}

/// The RTP side of one leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaLeg {
    /// The leg.
    pub leg: LegId,
    /// Our RTP port (even); RTCP is on the next one, or on this with `rtcp_mux`.
    pub port: u16,
    /// Where the peer says that it receives; `None`: nowhere, nothing is sent.
    pub remote: Option<SocketAddr>,
    /// Where the peer receives RTCP, if not at the next port.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTCP is multiplexed with RTP.
    pub rtcp_mux: bool,
    /// What we send, with the peer's payload type. `None`: no codec yet, nothing is sent.
    pub send: Option<Format>,
    /// What we accept, with our payload types.
    pub receive: SmallVec<[Format; 2]>,
    /// Payload type under which the peer takes RFC 4733 events.
    pub send_digits: Option<u8>,
    /// Payload type under which we take RFC 4733 events.
    pub receive_digits: Option<u8>,
    /// Which sources are believed.
    pub lock: SourceLock,
    /// Rises when the session was negotiated anew: the source may be learned again.
    pub negotiation: u32,
    /// The peer takes keys neither by RFC 4733 nor by INFO: they are heard and sent as tones.
    #[serde(default)]
    pub inband_digits: bool,
}

/// Which source addresses a leg believes (the RTP bleed rules).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceLock {
    /// A phone that may be behind NAT: the SDP address at once; else, within the learning window,
    /// the same IP, or a source with 4 sequential packets of one SSRC; then never another.
    Learn {
        /// The address that the peer's signalling comes from: where NAT would put its media.
        signalled: Option<IpAddr>,
    },
    /// A trunk: the SDP address only.
    Described,
}

/// Sources that are heard together, each with its gain.
pub type Sources = SmallVec<[(Source, Gain); 1]>;

/// What one leg hears: the sum of its sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hears {
    /// The listening leg.
    pub listener: LegId,
    /// What it hears. Exactly one leg at [`Gain::UNITY`] in the listener's codec is relayed packet
    /// by packet; anything else is mixed.
    pub sources: Sources,
}

/// Something that can be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// What the peer of a leg says. A leg that hears itself is an echo.
    Leg(LegId),
    /// A built-in player. Every listener of the same player of a call hears the same moment of it.
    Player(Player),
}

/// Built-in sources, synthesised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Player {
    /// The built-in hold music.
    HoldMusic,
    /// A call-progress tone.
    Tone(Tone),
    /// A clip of the call, see [`Audio::clips`].
    Clip(ClipId),
}

/// Call-progress tones (ITU-T E.180, the European frequencies).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tone {
    /// 425 Hz, 1 s on, 4 s off: it rings at the other end.
    Ringback,
    /// 425 Hz, 0.5 s on, 0.5 s off.
    Busy,
    /// 425 Hz, 0.25 s on, 0.25 s off: it cannot be done.
    Congestion,
    /// 1,000 Hz, steady: for trying out a line, and the beep before a recording.
    Test,
}

/// A gain in steps of 1/256; 256 leaves the sound as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gain(pub u16);

impl Gain {
    /// As loud as it came.
    pub const UNITY: Gain = Gain(256);
}

/// What the exchange asks of media.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaCommand {
    /// Make the call's audio so.
    Audio(Audio),
    /// Send a digit to the peer of a leg by RFC 4733; dropped if the leg has no `send_digits`.
    SendDigit {
        /// The call.
        call: CallId,
        /// The leg whose peer gets it.
        leg: LegId,
        /// The digit.
        digit: Digit,
        /// How long it was pressed, milliseconds.
        duration_ms: u16,
    },
    /// Tell what became of a recording that an earlier process began:
    /// [`MediaEventKind::Recorded`] if its file is complete, else
    /// [`MediaEventKind::RecordingFailed`].
    FindRecording {
        /// The call.
        call: CallId,
        /// Whose owner is told.
        leg: LegId,
        /// Its number.
        recorder: RecorderId,
        /// Its file.
        file: FileId,
    },
}

/// Something that media noticed on a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaEvent {
    /// The call.
    pub call: CallId,
    /// The leg.
    pub leg: LegId,
    /// What.
    pub kind: MediaEventKind,
}

/// What media notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaEventKind {
    /// The peer pressed a key (first packet of an RFC 4733 event).
    DigitStart(Digit),
    /// The key was released, or its event broke off.
    DigitEnd {
        /// Which key.
        digit: Digit,
        /// How long it was pressed, milliseconds.
        duration_ms: u16,
    },
    /// No RTP for this leg's bound, though the peer should be sending. Said once per silence.
    Silent,
    /// RTP came again after [`MediaEventKind::Silent`].
    Audible,
    /// A clip was played to its end.
    ClipDone(ClipId),
    /// A file of a clip is missing or damaged; the clip goes on behind it.
    ClipBroken(ClipId),
    /// Nothing was said on any channel for the recorder's `silence_ms`. Told once per silence.
    RecorderSilent(RecorderId),
    /// The recording has its full length.
    RecorderFull(RecorderId),
    /// The file is complete and lies under its name. The last event of a recorder. It names the
    /// call in which the recording has ended, which may have been merged into another meanwhile.
    Recorded {
        /// Which.
        recorder: RecorderId,
        /// Its length, milliseconds.
        length_ms: u32,
    },
    /// The file could not be written (disk full, the writer does not keep up); nothing is under
    /// its name. The last event of a recorder.
    RecordingFailed(RecorderId),
}
