//! Every bound of the media plane, with its reason.

use core::time::Duration;

/// Samples of one frame: 20 ms at 8 kHz, what every phone sends and takes (RFC 3551 4.2).
pub const FRAME_SAMPLES: usize = 160;

/// Samples of one frame at 48 kHz.
pub const FRAME_SAMPLES_MAX: usize = 960;

/// One frame in the units of an 8 kHz RTP clock.
pub const FRAME_UNITS: u32 = 160;

/// The period of the mixing clock.
pub const FRAME: Duration = Duration::from_millis(20);

/// A late tick makes up for at most so many frames at once (60 ms, what a small jitter buffer
/// takes); the rest is skipped, so that a stall never becomes a flood.
pub const CATCH_UP_FRAMES_MAX: u64 = 3;

/// The fixed RTP header (RFC 3550 5.1), which is all that we ever write.
pub const RTP_HEADER_BYTES: usize = 12;

/// Longer datagrams are dropped: they do not fit an Ethernet frame, so no phone sends them.
pub const PACKET_BYTES_MAX: usize = 1_472;

/// A stranger's address is learned after so many sequential packets of one SSRC: more than a
/// scanner's single probe, 80 ms of a real phone.
pub const SEQUENTIAL_PACKETS: u8 = 4;

/// The sequential packets must come within this time; and for so long after them a source that fits
/// the signalling better may still take the place of the learned one.
pub const LEARNING_WINDOW: Duration = Duration::from_secs(5);

/// Strangers that are weighed side by side while learning; one that sprays cannot push out a phone.
pub const CANDIDATES_MAX: usize = 4;

/// The delay with which a decoded stream begins, from a packet's arrival to its sound: what may
/// come later than others without a gap. It is found again after each pause.
pub const JITTER_BEGIN: Duration = Duration::from_millis(25);

/// What may wait in a jitter buffer besides the newest packet: more is delay that hinders talking.
pub const JITTER_DEPTH: Duration = Duration::from_millis(200);

/// What is left in a buffer that has become too deep, besides the newest packet.
pub const JITTER_CUT: Duration = Duration::from_millis(60);

/// Packets that a jitter buffer holds: its depth in the shortest packets that are usual (10 ms),
/// twice.
pub const JITTER_PACKETS_MAX: usize = 40;

/// A buffer that never ran lower than a frame and a half for so many frames (2 s) gives up a bit.
pub const JITTER_SHRINK_FRAMES: u32 = 100;

/// A stream that was silent for longer than so many frames (200 ms) begins anew.
pub const JITTER_PAUSE_FRAMES: u32 = 10;

/// Sound that one packet holds at most: 120 ms, the longest of Opus.
pub const PACKET_SOUND: Duration = Duration::from_millis(120);

/// A lost sound is made up for so long, ever softer; then it is silence.
pub const CONCEAL: Duration = Duration::from_millis(60);

/// Sequence numbers may jump ahead by this much (RFC 3550 A.1), a minute of 20 ms packets.
pub const DROPOUT_MAX: u16 = 3_000;

/// A packet may come this many places late (RFC 3550 A.1).
pub const MISORDER_MAX: u16 = 100;

/// Digits that wait to be sent on one leg; people dial numbers of up to 20, programs a few more.
pub const DIGIT_QUEUE_MAX: usize = 32;

/// The shortest press that every receiver takes (ITU-T Q.24 Annex A: 40 ms).
pub const DIGIT_MS_MIN: u16 = 40;

/// The longest press: what fits the 16-bit duration of RFC 4733 without segments.
pub const DIGIT_MS_MAX: u16 = 8_000;

/// The last packet of an event is sent three times in all (RFC 4733 2.5.1.4).
pub const DIGIT_END_PACKETS: u8 = 3;

/// Frames of silence after the last end packet; with the repeated ends 80 ms between two keys.
pub const DIGIT_GAP_FRAMES: u8 = 2;

/// A key whose packets stop without an end is taken as released after this time: phones send at
/// least every 50 ms, so three in a row were lost.
pub const DIGIT_LOST_END: Duration = Duration::from_millis(200);

/// Frames in a row that hold a key's tones before it counts as pressed: 40 ms (ITU-T Q.24).
pub const INBAND_FRAMES_MIN: u32 = 2;

/// Frames in a row without a key's tones before it counts as released: shorter gaps are faults of
/// the line.
pub const INBAND_FRAMES_END: u32 = 2;

/// For so long after a key's end its older packets are known as such by their timestamp.
pub const DIGIT_MEMORY: Duration = Duration::from_secs(5);

/// Without RTP for this time a leg is [`leg::MediaEventKind::Silent`].
pub const SILENCE: Duration = Duration::from_secs(60);

/// Mean time between RTCP reports of a leg (RFC 3550 6.2: at least 5 s).
pub const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Reports of different legs are spread by up to this much, so that they do not come in bursts.
pub const REPORT_SPREAD: Duration = Duration::from_secs(1);

/// Blocks and packets of one RTCP datagram that are looked at.
pub const RTCP_PACKETS_MAX: usize = 32;

/// What a call names no more waits for so many frames (100 ms), and at most twice as many, for
/// another call to name it: both calls' commands leave the exchange together, so only a thread that
/// was not given the processor lies between them.
pub const PARTED_FRAMES: u64 = 5;

/// Legs, clips and recordings that wait so at once: those of 4,000 calls that end within 200 ms.
pub const PARTED_MAX: usize = 16_384;

/// Legs of one call: the mixing cost grows with their square.
pub const LEGS_PER_CALL_MAX: usize = 64;

/// Sources that one leg hears; each leg of the call and a few players.
pub const SOURCES_PER_LEG_MAX: usize = 72;

/// Clips of one call: a prompt for each leg of a full call.
pub const CLIPS_PER_CALL_MAX: usize = 64;

/// Pieces of a clip: a number digit by digit between sentences, with room.
pub const PIECES_PER_CLIP_MAX: usize = 128;

/// A clip waits this many frames (5 s) for a file; then it goes on without.
pub const FILE_WAIT_FRAMES: u32 = 250;

/// Recordings of one call at a time: the call's, and a message for each side.
pub const RECORDERS_PER_CALL_MAX: usize = 8;

/// Frames of a recording that are handed over together: 200 ms.
pub const RECORD_BATCH_FRAMES: u32 = 10;

/// Packets of one page of a file in Opus: a second, as RFC 7845 4 asks for.
pub const OPUS_FILE_PAGE_PACKETS: u64 = 50;

/// Below this level a frame has no voice: comfort noise and the hum of a line are softer, whoever
/// means to be heard is not.
pub const VOICE_DBFS: i32 = -45;

/// So many frames with a voice in a row are a voice; fewer are a click on the line.
pub const VOICE_FRAMES: u32 = 3;

/// Channels of a WAV file: mono, or one per side of a conversation.
pub const WAV_CHANNELS_MAX: u16 = 2;
