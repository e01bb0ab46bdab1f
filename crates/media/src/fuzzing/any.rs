//! Parts of commands and packets, made by a fuzzer's choices.

use core::net::SocketAddr;

use leg::{Clip, ClipId, Gain, Hears, LegId, Piece, Player, Recorder, RecorderId, Source, Tone};
use model::{FileId, Language, Spoken};

use super::Choices;

const PORTS: u8 = 12;

pub(super) fn any_port(bytes: &mut Choices) -> u16 {
    30_000 + 2 * u16::from(bytes.below(PORTS))
}

/// Where the phone at a port usually is.
pub(super) fn own_address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 100], port))
}

pub(super) fn any_address(bytes: &mut Choices) -> SocketAddr {
    let host = bytes.below(3);
    SocketAddr::from(([192, 0, 2, host], 4_000 + u16::from(bytes.below(3))))
}

pub(super) fn any_clip(bytes: &mut Choices) -> Clip {
    let piece = |bytes: &mut Choices| match bytes.below(5) {
        0 => Piece::Silence(u16::from(bytes.next())),
        1 => Piece::Tone(Tone::Test, u16::from(bytes.next())),
        2 => Piece::Spoken(Language::Ru, Spoken::Digit(bytes.below(12))),
        _ => Piece::File(FileId(u128::from(bytes.below(4)))),
    };
    Clip {
        id: ClipId(u32::from(bytes.below(4))),
        leg: LegId(u64::from(bytes.below(5))),
        pieces: (0..bytes.below(4)).map(|_| piece(bytes)).collect(),
        repeats: bytes.yes(),
    }
}

pub(super) fn any_recorder(bytes: &mut Choices) -> Recorder {
    Recorder {
        id: RecorderId(u32::from(bytes.below(12))),
        leg: LegId(u64::from(bytes.below(5))),
        file: FileId(u128::from(bytes.next())),
        channels: (0..bytes.below(4)).map(|_| any_hears(bytes).sources).collect(),
        silence_ms: bytes.yes().then(|| u32::from(bytes.next()) * 8),
        max_ms: u32::from(bytes.next()) * 80,
    }
}

pub(super) fn any_hears(bytes: &mut Choices) -> Hears {
    let source = |bytes: &mut Choices| {
        let source = match bytes.below(14) {
            0 => Source::Player(Player::HoldMusic),
            1 => Source::Player(Player::Tone(Tone::Busy)),
            2 => Source::Player(Player::Clip(ClipId(u32::from(bytes.below(4))))),
            _ => Source::Leg(LegId(u64::from(bytes.below(5)))),
        };
        let gain = match bytes.below(8) {
            0 => Gain(u16::from(bytes.next()) * 257),
            _ => Gain::UNITY,
        };
        (source, gain)
    };
    let listener = LegId(u64::from(bytes.below(5)));
    let count = [1, 1, 1, 1, 1, 0, 2, 3][bytes.index(8)];
    Hears { listener, sources: (0..count).map(|_| source(bytes)).collect() }
}
