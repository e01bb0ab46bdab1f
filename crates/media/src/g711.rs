//! G.711 A-law and µ-law (ITU-T G.711) to and from 16-bit linear samples.
//!
//! The 13 bits of A-law and the 14 bits of µ-law lie at the top of the 16, as in the reference
//! implementation of ITU-T G.191. All tables are made at compile time.

use model::Codec;

/// The code of silence in A-law: the positive value nearest to zero.
pub const ALAW_SILENCE: u8 = 0xD5;
/// The code of silence in µ-law: positive zero.
pub const ULAW_SILENCE: u8 = 0xFF;

/// An array of a constant function's values.
macro_rules! table {
    ($length:expr, $index:ident => $value:expr) => {{
        let mut table = [0; $length];
        let mut $index = 0;
        while $index < $length {
            table[$index] = $value;
            $index += 1;
        }
        table
    }};
}

static ALAW_LINEAR: [i16; 256] = table!(256, code => alaw_expand(code as u8));
static ULAW_LINEAR: [i16; 256] = table!(256, code => ulaw_expand(code as u8));
/// By the upper 12 bits of the sample, the only ones that A-law looks at.
static LINEAR_ALAW: [u8; 4_096] = table!(4_096, bits => alaw_compress((bits << 4) as u16 as i16));
/// By the upper 14 bits of the sample, the only ones that µ-law looks at.
static LINEAR_ULAW: [u8; 16_384] = table!(16_384, bits => ulaw_compress((bits << 2) as u16 as i16));
static ALAW_ULAW: [u8; 256] = table!(256, code => ulaw_compress(alaw_expand(code as u8)));
static ULAW_ALAW: [u8; 256] = table!(256, code => alaw_compress(ulaw_expand(code as u8)));

/// The sample of a code. These functions are for G.711 alone: in another codec a byte is no sample,
/// and they say silence.
pub fn decode(codec: Codec, code: u8) -> i16 {
    match codec {
        Codec::Pcma => ALAW_LINEAR[usize::from(code)],
        Codec::Pcmu => ULAW_LINEAR[usize::from(code)],
        Codec::G722 | Codec::Opus => 0,
    }
}

/// The code of a sample.
pub fn encode(codec: Codec, sample: i16) -> u8 {
    let bits = usize::from(sample.cast_unsigned());
    match codec {
        Codec::Pcma => LINEAR_ALAW[bits >> 4],
        Codec::Pcmu => LINEAR_ULAW[bits >> 2],
        Codec::G722 | Codec::Opus => 0,
    }
}

/// The code of silence.
pub fn silence(codec: Codec) -> u8 {
    match codec {
        Codec::Pcma => ALAW_SILENCE,
        Codec::Pcmu => ULAW_SILENCE,
        Codec::G722 | Codec::Opus => 0,
    }
}

/// Whether a payload of one codec becomes one of the other by [`convert`], or is one already.
pub fn converts(from: Codec, to: Codec) -> bool {
    let is_g711 = |codec| matches!(codec, Codec::Pcma | Codec::Pcmu);
    from == to || (is_g711(from) && is_g711(to))
}

/// Rewrites a payload in place from one law to the other; the length stays.
pub fn convert(from: Codec, to: Codec, payload: &mut [u8]) {
    let table = match (from, to) {
        (Codec::Pcma, Codec::Pcmu) => &ALAW_ULAW,
        (Codec::Pcmu, Codec::Pcma) => &ULAW_ALAW,
        _ => return,
    };
    for code in payload {
        *code = table[usize::from(*code)];
    }
}

/// G.711 table 1: sign, 3 bits of segment, 4 of position; even bits inverted.
const fn alaw_expand(code: u8) -> i16 {
    let bits = (code ^ 0x55) as i16;
    let segment = (bits >> 4) & 7;
    let position = bits & 15;
    let magnitude = match segment {
        0 => (position << 4) + 8,
        _ => ((position << 4) + 0x108) << (segment - 1),
    };
    if bits & 0x80 != 0 { magnitude } else { -magnitude }
}

/// G.711 table 2: sign, 3 bits of segment, 4 of position; all bits inverted.
const fn ulaw_expand(code: u8) -> i16 {
    let bits = !code as i16;
    let segment = (bits >> 4) & 7;
    let position = bits & 15;
    let magnitude = (((position << 3) + 0x84) << segment) - 0x84;
    if bits & 0x80 != 0 { -magnitude } else { magnitude }
}

const fn alaw_compress(sample: i16) -> u8 {
    // Negative values are mirrored about -0.5, so that both signs have the same decision values.
    let magnitude = (if sample < 0 { !sample } else { sample }) >> 4;
    let code = if magnitude < 32 {
        magnitude
    } else {
        let segment = 12 - magnitude.leading_zeros() as i16;
        (segment << 4) | ((magnitude >> (segment - 1)) & 15)
    };
    let sign = if sample < 0 { 0 } else { 0x80 };
    (code | sign) as u8 ^ 0x55
}

const fn ulaw_compress(sample: i16) -> u8 {
    let biased = ((if sample < 0 { !sample } else { sample }) >> 2) + 33;
    let clipped = if biased > 0x1FFF { 0x1FFF } else { biased };
    let segment = 10 - clipped.leading_zeros() as i16;
    let code = (segment << 4) | ((clipped >> (segment + 1)) & 15);
    let sign = if sample < 0 { 0x80 } else { 0 };
    !((code | sign) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which interval a sample lies in, given the widths of the intervals from zero upwards as the
    /// tables of G.711 print them, on the 16-bit scale.
    fn interval(widths: impl Iterator<Item = i32>, sample: i16) -> u8 {
        let mut upper = 0;
        let below = widths.take(127).take_while(|width| {
            upper += width;
            upper <= i32::from(sample)
        });
        u8::try_from(below.count()).unwrap()
    }

    #[test]
    fn alaw_decides_as_table_1_says() {
        let steps = [16, 16, 32, 64, 128, 256, 512, 1_024];
        for sample in 0..=i16::MAX {
            let n = interval(steps.into_iter().flat_map(|s| [s; 16]), sample);
            assert_eq!(encode(Codec::Pcma, sample), (n | 0x80) ^ 0x55, "{sample}");
            assert_eq!(encode(Codec::Pcma, !sample), n ^ 0x55, "{}", !sample);
        }
    }

    #[test]
    fn ulaw_decides_as_table_2_says() {
        let steps = [8, 16, 32, 64, 128, 256, 512, 1_024];
        for sample in 0..=i16::MAX {
            // The very first interval is half as wide as the others of its segment.
            let widths = [4].into_iter().chain(steps.into_iter().flat_map(|s| [s; 16]).skip(1));
            let n = interval(widths, sample);
            assert_eq!(encode(Codec::Pcmu, sample), !n, "{sample}");
            assert_eq!(encode(Codec::Pcmu, !sample), !(n | 0x80), "{}", !sample);
        }
    }

    #[test]
    fn the_ends_and_the_middle_have_their_known_values() {
        let known = [
            (Codec::Pcma, 0xD5, 8),
            (Codec::Pcma, 0x55, -8),
            (Codec::Pcma, 0xAA, 32_256),
            (Codec::Pcma, 0x2A, -32_256),
            (Codec::Pcmu, 0xFF, 0),
            (Codec::Pcmu, 0x7F, 0),
            (Codec::Pcmu, 0xFE, 8),
            (Codec::Pcmu, 0x7E, -8),
            (Codec::Pcmu, 0x80, 32_124),
            (Codec::Pcmu, 0x00, -32_124),
        ];
        for (codec, code, sample) in known {
            assert_eq!(decode(codec, code), sample, "{codec:?} {code:#x}");
        }
    }

    #[test]
    fn every_code_survives_decoding_and_encoding() {
        for code in 0..=255 {
            assert_eq!(encode(Codec::Pcma, decode(Codec::Pcma, code)), code);
            // Negative zero, 0x7F, is the same sample as positive zero.
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(encode(Codec::Pcmu, decode(Codec::Pcmu, code)), expected);
        }
    }

    #[test]
    fn converting_is_decoding_and_encoding() {
        for (from, to) in [(Codec::Pcma, Codec::Pcmu), (Codec::Pcmu, Codec::Pcma)] {
            let mut payload: Vec<u8> = (0..=255).collect();
            convert(from, to, &mut payload);
            for (code, got) in (0..=255).zip(payload) {
                assert_eq!(got, encode(to, decode(from, code)));
            }
        }
    }
}
