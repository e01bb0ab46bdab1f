//! Keys as tones (ITU-T Q.23), as a phone says them that knows no other way, and as it hears them.

use media::measure;
use model::Digit;

use super::sound::Content;

const LOW_HZ: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH_HZ: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [&str; 4] = ["123A", "456B", "789C", "*0#D"];

/// The two tones of a key.
pub(crate) fn hz_of(digit: Digit) -> [f64; 2] {
    let at = |row: &&str| row.find(digit.as_char());
    let row = KEYS.iter().position(|row| at(row).is_some()).unwrap_or(0);
    let column = KEYS.get(row).and_then(at).unwrap_or(0);
    [LOW_HZ[row], HIGH_HZ[column]]
}

/// The keys that are heard, each once for as long as it lasts.
pub(crate) fn keys_in<'a>(heard: impl Iterator<Item = &'a Content>) -> String {
    let mut keys = String::new();
    let mut last = None;
    for content in heard {
        let key = match content {
            Content::Samples(samples) => key_of(samples),
            Content::Labelled(_) | Content::Played(_) | Content::Silence => None,
        };
        if key != last {
            keys.extend(key);
        }
        last = key;
    }
    keys
}

/// The key whose tones fill these samples.
fn key_of(samples: &[i16]) -> Option<char> {
    let loudest = |group: [f64; 4]| {
        let strengths = group.map(|hz| measure::strength_dbfs(samples, hz));
        let best = (0..4).max_by(|a, b| strengths[*a].total_cmp(&strengths[*b]))?;
        let alone = (0..4).all(|n| n == best || strengths[n] < strengths[best] - 10.0);
        (alone && strengths[best] > -24.0).then_some(best)
    };
    let (row, column) = (loudest(LOW_HZ)?, loudest(HIGH_HZ)?);
    KEYS[row].chars().nth(column)
}

#[cfg(test)]
mod tests {
    use model::Codec;

    use super::*;
    use crate::phone::sound;

    #[test]
    fn each_key_is_heard_as_it_was_said() {
        for key in "0123456789*#ABCD".chars() {
            let digit = Digit::from_char(key).unwrap();
            let said = |n| Content::Samples(sound::waves(Codec::Pcma, n, &hz_of(digit)));
            let heard = [said(0), said(1), Content::Silence, said(2)];
            assert_eq!(keys_in(heard.iter()), format!("{key}{key}"));
        }
        let voice = [Content::Samples(sound::tone(Codec::Pcma, 3, 0))];
        assert_eq!(keys_in(voice.iter()), "");
    }
}
