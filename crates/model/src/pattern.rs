//! [`Pattern`]: a regular expression that was compiled once and can be trusted after.

use core::fmt;
use std::sync::Arc;

use ffi::{CompileError, LimitHit, Regex};
use serde::{Deserialize, Serialize};

/// A PCRE2 pattern over numbers, with bounds on what a match may cost.
///
/// Two are equal when their texts are. In saved state it is its text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: Box<str>,
    regex: Arc<Regex>,
}

impl Pattern {
    /// Compiles a pattern of at most [`ffi::pcre::PATTERN_BYTES_MAX`] bytes.
    pub fn parse(text: &str) -> Result<Pattern, CompileError> {
        Ok(Pattern { text: text.into(), regex: Arc::new(Regex::compile(text)?) })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches anywhere in `subject`. `Err`: it was given up at a bound, which callers
    /// take for no match and say so.
    pub fn is_match(&self, subject: &str) -> Result<bool, LimitHit> {
        self.regex.is_match(subject)
    }

    /// `subject` with the first match replaced; see [`Regex::replace`].
    pub fn replace(&self, subject: &str, template: &str) -> Result<Option<String>, LimitHit> {
        self.regex.replace(subject, template)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl TryFrom<String> for Pattern {
    type Error = CompileError;
    fn try_from(text: String) -> Result<Pattern, CompileError> {
        Pattern::parse(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.text.into_string()
    }
}
