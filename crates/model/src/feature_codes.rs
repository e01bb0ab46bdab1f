//! Feature codes: what a client's people dial, or press during a call, to make the switch do
//! something.

use core::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::limits;

/// What a code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodeName {
    /// Take a ringing call: of one's groups, or of the extension that follows.
    Pickup,
    /// Hear the call of the extension that follows.
    Eavesdrop,
    /// Hear it and be heard by the extension.
    Whisper,
    /// Hear it and be heard by both.
    Barge,
    /// The conference room of the extension that follows.
    Room,
    /// Serve the extension that follows, as its PIN allows; alone: no more.
    Replace,
    /// Take back a parked call: the first, or that of the slot that follows.
    Park,
    /// The messages of the own extension.
    Voicemail,
    /// The own agent logs in or out.
    Agent,
    /// The other side is sent on to the number that follows.
    Transfer,
    /// The other side waits while one talks to the number that follows; again: back.
    AttendedTransfer,
    /// The other side is parked, in the slot that follows or in a free one.
    ParkInCall,
}

/// When a code is listened to. Codes of different moments cannot be mistaken for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeMoment {
    /// It is dialled.
    Idle,
    /// It is pressed while one talks.
    InCall,
}

/// All codes: name, moment, default.
const CODES: [(CodeName, &str, CodeMoment, Option<&str>); 12] = [
    (CodeName::Pickup, "pickup", CodeMoment::Idle, Some("*7")),
    (CodeName::Eavesdrop, "eavesdrop", CodeMoment::Idle, Some("*4")),
    (CodeName::Whisper, "whisper", CodeMoment::Idle, Some("*5")),
    (CodeName::Barge, "barge", CodeMoment::Idle, Some("*6")),
    (CodeName::Room, "room", CodeMoment::Idle, Some("*8")),
    (CodeName::Replace, "replace", CodeMoment::Idle, Some("*3")),
    (CodeName::Park, "park", CodeMoment::Idle, Some("*0")),
    (CodeName::Voicemail, "voicemail", CodeMoment::Idle, Some("*9")),
    (CodeName::Agent, "agent", CodeMoment::Idle, Some("*1")),
    (CodeName::Transfer, "transfer", CodeMoment::InCall, Some("#1")),
    (CodeName::AttendedTransfer, "attended_transfer", CodeMoment::InCall, Some("*2")),
    (CodeName::ParkInCall, "park_in_call", CodeMoment::InCall, None),
];

impl CodeName {
    /// All of them, in the order in which they are shown.
    pub fn all() -> impl Iterator<Item = CodeName> {
        CODES.iter().map(|(name, ..)| *name)
    }

    /// As the API and the database name it.
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// The code that is named so.
    pub fn parse(text: &str) -> Option<CodeName> {
        CODES.iter().find(|(_, name, ..)| *name == text).map(|(name, ..)| *name)
    }

    /// When it is listened to.
    pub fn moment(self) -> CodeMoment {
        self.row().2
    }

    /// What it is for a client that has set nothing.
    pub fn default_code(self) -> Option<Code> {
        self.row().3.and_then(|text| Code::parse(text).ok())
    }

    fn row(self) -> &'static (CodeName, &'static str, CodeMoment, Option<&'static str>) {
        #[expect(clippy::indexing_slicing, reason = "the table has a row for each, in their order")]
        &CODES[self as usize]
    }
}

const _: () = {
    let mut at = 0;
    while at < CODES.len() {
        assert!(CODES[at].0 as usize == at, "the table is in the order of the names");
        at += 1;
    }
};

/// A code: `*` or `#` and 1 to 3 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(Arc<str>);

impl Code {
    /// Reads a code.
    pub fn parse(text: &str) -> Result<Code, BadCode> {
        let digits = text.strip_prefix(['*', '#']).ok_or(BadCode)?;
        let ok = (1..=limits::CODE_DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit());
        if ok { Ok(Code(text.into())) } else { Err(BadCode) }
    }

    /// As it is dialled.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Code {
    type Error = BadCode;
    fn try_from(text: String) -> Result<Code, BadCode> {
        Code::parse(&text)
    }
}

impl From<Code> for String {
    fn from(code: Code) -> String {
        code.0.as_ref().to_owned()
    }
}

/// A text is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be * or # and 1 to 3 digits")]
pub struct BadCode;

/// Two codes of the same moment of which one begins with the other: nobody could tell them apart.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code} cannot be told from {other_code}, the code of {other}", other = other.as_str())]
pub struct CodeClash {
    /// Whose code it is.
    pub name: CodeName,
    /// Its code.
    pub code: Code,
    /// Whose code it clashes with.
    pub other: CodeName,
    /// That code.
    pub other_code: Code,
}

/// A client's codes. None begins with another of the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureCodes {
    /// In the order of the names.
    codes: [Option<Code>; CODES.len()],
}

impl Default for FeatureCodes {
    fn default() -> FeatureCodes {
        FeatureCodes { codes: CODES.each_ref().map(|(name, ..)| name.default_code()) }
    }
}

impl FeatureCodes {
    /// The code of this name; `None`: it is switched off.
    pub fn code(&self, name: CodeName) -> Option<&Code> {
        self.codes.get(name as usize).and_then(Option::as_ref)
    }

    /// All of them, in the order in which they are shown.
    pub fn iter(&self) -> impl Iterator<Item = (CodeName, Option<&Code>)> {
        CodeName::all().map(|name| (name, self.code(name)))
    }

    /// The code with which `dialled` begins, and what follows it. No two can.
    pub fn split<'d>(&self, moment: CodeMoment, dialled: &'d str) -> Option<(CodeName, &'d str)> {
        self.in_use(moment)
            .find_map(|(name, code)| dialled.strip_prefix(code.as_str()).map(|rest| (name, rest)))
    }

    /// Those of a moment that are not switched off.
    pub fn in_use(&self, moment: CodeMoment) -> impl Iterator<Item = (CodeName, &Code)> {
        self.iter().filter_map(move |(name, code)| match name.moment() == moment {
            true => code.map(|code| (name, code)),
            false => None,
        })
    }

    /// These codes with some of them changed; `None` switches one off. All changes count together,
    /// so two codes may be exchanged at once.
    pub fn changed(
        &self,
        changes: impl IntoIterator<Item = (CodeName, Option<Code>)>,
    ) -> Result<FeatureCodes, CodeClash> {
        let mut codes = self.clone();
        let mut written = Vec::new();
        for (name, code) in changes {
            if let Some(place) = codes.codes.get_mut(name as usize) {
                *place = code;
            }
            written.push(name);
        }
        match written.into_iter().find_map(|name| codes.clash_of(name)) {
            Some(clash) => Err(clash),
            None => Ok(codes),
        }
    }

    /// The codes of a client that has set these. One that it has not set has its default, unless
    /// that clashes with one that was set: then it is switched off.
    pub fn of_client(
        set: impl IntoIterator<Item = (CodeName, Option<Code>)>,
    ) -> Result<FeatureCodes, CodeClash> {
        let set: Vec<_> = set.into_iter().collect();
        let off = FeatureCodes { codes: core::array::from_fn(|_| None) };
        let mut codes = off.changed(set.iter().cloned())?;
        for name in CodeName::all().filter(|name| set.iter().all(|(given, _)| given != name)) {
            codes = codes.changed([(name, name.default_code())]).unwrap_or(codes);
        }
        Ok(codes)
    }

    fn clash_of(&self, name: CodeName) -> Option<CodeClash> {
        let code = self.code(name)?;
        let clash = |a: &str, b: &str| a.starts_with(b) || b.starts_with(a);
        let (other, other_code) = self
            .in_use(name.moment())
            .find(|(other, found)| *other != name && clash(code.as_str(), found.as_str()))?;
        let (code, other_code) = (code.clone(), other_code.clone());
        Some(CodeClash { name, code, other, other_code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<Code> {
        Some(Code::parse(text).unwrap())
    }

    #[test]
    fn the_defaults_are_the_documented_ones_and_clash_nowhere() {
        let codes = FeatureCodes::default();
        let shown: Vec<_> = codes
            .iter()
            .map(|(name, code)| format!("{} {}", name.as_str(), code.map_or("-", Code::as_str)))
            .collect();
        let expected = "pickup *7, eavesdrop *4, whisper *5, barge *6, room *8, replace *3, \
            park *0, voicemail *9, agent *1, transfer #1, attended_transfer *2, park_in_call -";
        assert_eq!(shown.join(", "), expected);
        for name in CodeName::all() {
            assert_eq!(codes.clash_of(name), None, "{name:?}");
            assert_eq!(CodeName::parse(name.as_str()), Some(name));
        }
    }

    #[test]
    fn a_code_is_a_star_or_a_hash_and_up_to_three_digits() {
        assert!(["*7", "#1", "*77", "#999", "*0"].iter().all(|t| Code::parse(t).is_ok()));
        let bad = ["", "*", "#", "7", "*1234", "**1", "*1#", "*a", "7*", "* 1", "*१", "*+1"];
        for text in bad {
            assert_eq!(Code::parse(text), Err(BadCode), "{text:?}");
        }
    }

    #[test]
    fn no_code_begins_with_another_of_the_same_moment() {
        let codes = FeatureCodes::default();
        let clashes = [
            (CodeName::Pickup, "*4", "*4 cannot be told from *4, the code of eavesdrop"),
            (CodeName::Pickup, "*44", "*44 cannot be told from *4, the code of eavesdrop"),
            (CodeName::ParkInCall, "#12", "#12 cannot be told from #1, the code of transfer"),
        ];
        for (name, text, expected) in clashes {
            let clash = codes.changed([(name, code(text))]).unwrap_err();
            assert_eq!((clash.name, clash.to_string().as_str()), (name, expected));
        }
        let longer = codes.changed([(CodeName::Eavesdrop, code("*40"))]).unwrap();
        assert!(longer.changed([(CodeName::Pickup, code("*4"))]).is_err(), "also the other way");
        assert!(longer.changed([(CodeName::Pickup, code("*41"))]).is_ok());
        // What is dialled and what is pressed during a call cannot be mistaken.
        assert!(codes.changed([(CodeName::Transfer, code("*7"))]).is_ok());
        assert!(codes.changed([(CodeName::Pickup, code("*2"))]).is_ok());
    }

    #[test]
    fn changes_count_together_and_a_code_that_is_off_is_in_nobodys_way() {
        let codes = FeatureCodes::default();
        let swapped = codes
            .changed([(CodeName::Pickup, code("*4")), (CodeName::Eavesdrop, code("*7"))])
            .unwrap();
        assert_eq!(swapped.split(CodeMoment::Idle, "*4100"), Some((CodeName::Pickup, "100")));
        let off = codes.changed([(CodeName::Eavesdrop, None)]).unwrap();
        assert_eq!(off.split(CodeMoment::Idle, "*4100"), None);
        assert!(off.changed([(CodeName::Pickup, code("*4"))]).is_ok());
    }

    #[test]
    fn what_a_client_has_not_set_has_its_default_if_that_does_not_clash() {
        let codes =
            FeatureCodes::of_client([(CodeName::Pickup, code("*44")), (CodeName::Voicemail, None)])
                .unwrap();
        assert_eq!(codes.code(CodeName::Pickup).map(Code::as_str), Some("*44"));
        assert_eq!(codes.code(CodeName::Eavesdrop), None, "*4 would begin *44");
        assert_eq!(codes.code(CodeName::Voicemail), None);
        assert_eq!(codes.code(CodeName::Barge).map(Code::as_str), Some("*6"));
        let both = [(CodeName::Pickup, code("*4")), (CodeName::Whisper, code("*4"))];
        assert!(FeatureCodes::of_client(both).is_err());
    }

    #[test]
    fn a_code_splits_what_was_dialled_only_at_its_own_moment() {
        let codes = FeatureCodes::default();
        let idle = |text| codes.split(CodeMoment::Idle, text);
        assert_eq!(idle("*7"), Some((CodeName::Pickup, "")));
        assert_eq!(idle("*3100*1234"), Some((CodeName::Replace, "100*1234")));
        assert_eq!((idle("*2100"), idle("#1"), idle("100"), idle("*")), (None, None, None, None));
        assert_eq!(codes.split(CodeMoment::InCall, "#1100"), Some((CodeName::Transfer, "100")),);
    }
}
