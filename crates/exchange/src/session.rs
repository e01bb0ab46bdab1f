//! The content of offers and answers: which codecs, which direction.

use leg::{Direction, Format, Session};
use model::Codec;
use smallvec::SmallVec;

use crate::call::Leg;

/// Payload type under which we offer RFC 4733 events: the one that most phones use.
const DIGITS_PAYLOAD_TYPE: u8 = 101;

/// Milliseconds of audio per packet that we ask for.
const PTIME_MS: u16 = 20;

/// The codecs to offer to the other side of a caller: the caller's own, in its order, so that one
/// codec can serve end to end; then what else we can.
pub fn codecs_towards(caller: Option<&Session>) -> Vec<Codec> {
    let mut codecs: Vec<Codec> = Vec::with_capacity(Codec::ALL.len());
    let offered = caller.into_iter().flat_map(|s| s.formats.iter().map(|f| f.codec));
    for codec in offered.chain(Codec::ALL) {
        if !codecs.contains(&codec) {
            codecs.push(codec);
        }
    }
    codecs
}

/// Our offer with these codecs.
pub fn offer(port: u16, codecs: &[Codec]) -> Session {
    let formats = codecs
        .iter()
        .map(|codec| Format { payload_type: codec.payload_type(), codec: *codec })
        .collect();
    Session {
        address: None,
        port,
        rtcp_port: None,
        rtcp_mux: true,
        formats,
        digits: Some(DIGITS_PAYLOAD_TYPE),
        direction: Direction::SendRecv,
        ptime_ms: Some(PTIME_MS),
    }
}

/// Our answer to `offer`, with `prefer` if it was offered, else the first of the offer: one codec,
/// so that the peer cannot change it without telling. `None`: there is none in common.
pub fn answer(port: u16, offer: &Session, prefer: Option<Codec>) -> Option<Session> {
    let format =
        prefer.and_then(|codec| offer.format(codec)).or_else(|| offer.formats.first().copied())?;
    Some(Session {
        address: None,
        port: if offer.port == 0 { 0 } else { port },
        rtcp_port: None,
        rtcp_mux: offer.rtcp_mux,
        formats: SmallVec::from_slice(&[format]),
        digits: offer.digits,
        direction: offer.direction.answer(),
        ptime_ms: Some(PTIME_MS),
    })
}

/// The codec that a leg talks: the peer's first choice among those that we described.
pub fn codec_in_use(leg: &Leg) -> Option<Codec> {
    format_in_use(leg).map(|f| f.codec)
}

/// The codec with which the other side of a leg should be answered: the one that it talks, or will.
pub fn codec_towards(leg: &Leg) -> Option<Codec> {
    codec_in_use(leg).or_else(|| leg.remote.as_ref()?.formats.first().map(|f| f.codec))
}

/// The same with the payload type under which the peer wants it.
pub fn format_in_use(leg: &Leg) -> Option<Format> {
    let (local, remote) = (leg.local.as_ref()?, leg.remote.as_ref()?);
    remote.formats.iter().copied().find(|f| local.format(f.codec).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_codecs_go_first() {
        let caller = offer(1, &[Codec::Pcmu]);
        let rest = [Codec::Pcma, Codec::G722, Codec::Opus];
        assert_eq!(codecs_towards(Some(&caller)), [&[Codec::Pcmu][..], &rest].concat());
        assert_eq!(codecs_towards(None), Codec::ALL);
    }

    #[test]
    fn an_answer_has_one_codec_and_mirrors_the_direction() {
        let mut held = offer(4_000, &[Codec::Pcmu, Codec::Pcma]);
        held.direction = Direction::SendOnly;
        let answer = answer(5_000, &held, Some(Codec::Pcma)).unwrap();
        assert_eq!(answer.formats.as_slice(), [Format { payload_type: 8, codec: Codec::Pcma }]);
        assert_eq!(answer.direction, Direction::RecvOnly);
        assert_eq!(answer.port, 5_000);
    }

    #[test]
    fn without_a_common_codec_there_is_no_answer() {
        assert_eq!(answer(5_000, &offer(4_000, &[]), None), None);
    }
}
