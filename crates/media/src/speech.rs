//! Built-in speech: what the switch says by itself, as 8 kHz A-law.
//!
//! `speech/phrases.tsv` has the texts, `speech/make.sh` makes the sounds of them. They are ours:
//! the program that speaks them is no part of the product, and is not needed to build it.

use model::{Codec, Language, Spoken};

use crate::g711;

/// Samples per second.
pub const RATE_HZ: u32 = 8_000;

/// What is said, one A-law code a sample. Empty for a digit that does not exist.
pub fn codes(language: Language, spoken: Spoken) -> &'static [u8] {
    match language {
        Language::En => english(spoken),
        Language::Ru => russian(spoken),
    }
}

/// What is said, in linear samples.
pub fn samples(language: Language, spoken: Spoken) -> Vec<i16> {
    codes(language, spoken).iter().map(|code| g711::decode(Codec::Pcma, *code)).collect()
}

/// One table a language: the files have the names of the variants.
macro_rules! table {
    ($name:ident, $folder:literal) => {
        fn $name(spoken: Spoken) -> &'static [u8] {
            macro_rules! file {
                ($file:literal) => {
                    include_bytes!(concat!("../speech/", $folder, "/", $file, ".al"))
                };
            }
            match spoken {
                Spoken::Digit(0) => file!("digit_0"),
                Spoken::Digit(1) => file!("digit_1"),
                Spoken::Digit(2) => file!("digit_2"),
                Spoken::Digit(3) => file!("digit_3"),
                Spoken::Digit(4) => file!("digit_4"),
                Spoken::Digit(5) => file!("digit_5"),
                Spoken::Digit(6) => file!("digit_6"),
                Spoken::Digit(7) => file!("digit_7"),
                Spoken::Digit(8) => file!("digit_8"),
                Spoken::Digit(9) => file!("digit_9"),
                Spoken::Digit(10..) => &[],
                Spoken::Plus => file!("plus"),
                Spoken::CallFrom => file!("call_from"),
                Spoken::HiddenNumber => file!("hidden_number"),
                Spoken::ToNumber => file!("to_number"),
                Spoken::PressOne => file!("press_one"),
                Spoken::LeaveMessage => file!("leave_message"),
                Spoken::NoMessages => file!("no_messages"),
                Spoken::Message => file!("message"),
                Spoken::MessageMenu => file!("message_menu"),
                Spoken::Deleted => file!("deleted"),
                Spoken::EnterCode => file!("enter_code"),
                Spoken::WrongCode => file!("wrong_code"),
                Spoken::ParkedAt => file!("parked_at"),
                Spoken::LoggedIn => file!("logged_in"),
                Spoken::LoggedOut => file!("logged_out"),
                Spoken::AloneInRoom => file!("alone_in_room"),
                Spoken::Recorded => file!("recorded"),
            }
        }
    };
}

table!(english, "en");
table!(russian, "ru");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::level_dbfs;

    const LANGUAGES: [Language; 2] = [Language::En, Language::Ru];

    #[test]
    fn everything_is_said_in_every_language_as_loud_as_a_person() {
        for (language, spoken) in LANGUAGES.into_iter().flat_map(|l| Spoken::ALL.map(|s| (l, s))) {
            let samples = samples(language, spoken);
            let seconds = samples.len() as f64 / f64::from(RATE_HZ);
            assert!((0.2..8.0).contains(&seconds), "{language:?} {spoken:?}: {seconds} s");
            let level = level_dbfs(&samples);
            assert!((-26.0..-10.0).contains(&level), "{language:?} {spoken:?}: {level} dBFS");
            let peak = samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
            assert!((18_000..23_000).contains(&peak), "{language:?} {spoken:?}: {peak}");
        }
    }

    #[test]
    fn nothing_begins_or_ends_with_a_click_or_a_pause() {
        for (language, spoken) in LANGUAGES.into_iter().flat_map(|l| Spoken::ALL.map(|s| (l, s))) {
            let samples = samples(language, spoken);
            let soft = |s: &i16| s.unsigned_abs() < 300;
            assert!(samples[..40].iter().all(soft), "{language:?} {spoken:?}");
            assert!(samples[samples.len() - 40..].iter().all(soft), "{language:?} {spoken:?}");
            let loud = |s: &i16| s.unsigned_abs() > 500;
            assert!(samples[..1_600].iter().any(loud), "{language:?} {spoken:?}");
        }
    }

    #[test]
    fn no_two_phrases_are_the_same_sound() {
        let mut all: Vec<_> =
            LANGUAGES.into_iter().flat_map(|l| Spoken::ALL.map(|s| codes(l, s))).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 2 * Spoken::ALL.len());
        assert!(codes(Language::En, Spoken::Digit(10)).is_empty());
    }

    #[test]
    fn the_texts_name_every_phrase_once_in_the_order_of_the_code() {
        let texts = include_str!("../speech/phrases.tsv");
        let names: Vec<_> =
            texts.lines().map(|line| line.split('\t').collect::<Vec<_>>()).collect();
        assert!(names.iter().all(|line| line.len() == 3 && line.iter().all(|c| !c.is_empty())));
        let name = |spoken: Spoken| {
            let mut name = String::new();
            for letter in format!("{spoken:?}").replace('(', "_").replace(')', "").chars() {
                if letter.is_uppercase() && !name.is_empty() {
                    name.push('_');
                }
                name.push(letter.to_ascii_lowercase());
            }
            name
        };
        let expected: Vec<_> = Spoken::ALL.into_iter().map(name).collect();
        assert_eq!(names.iter().map(|line| line[0]).collect::<Vec<_>>(), expected);
    }
}
