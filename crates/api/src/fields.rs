//! Fields of a JSON body, read as leniently as existing clients need (API reference 25): null
//! means absent, numeric strings are numbers, unknown keys are ignored. A value that cannot be
//! meant is an error that names its field.
//!
//! Since null means absent, a field that may be empty is emptied by the empty string.

use std::fmt::Display;
use std::ops::RangeInclusive;

use model::Number;
use serde_json::{Map, Value};

use crate::error::ApiError;

/// The fields of a body.
#[derive(Debug)]
pub(crate) struct Fields {
    values: Map<String, Value>,
    /// What stands before their names in errors: `conditions[0].`.
    at: String,
    /// For the test that the document names them all.
    #[cfg(test)]
    asked: std::sync::Mutex<std::collections::BTreeSet<String>>,
}

/// A change of a field that may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change<T> {
    /// The body does not say anything about it.
    Keep,
    /// It shall be empty.
    Empty,
    /// It shall be this.
    To(T),
}

impl<T> Change<T> {
    /// Carries the change out.
    pub(crate) fn apply(self, to: &mut Option<T>) {
        match self {
            Change::Keep => {}
            Change::Empty => *to = None,
            Change::To(value) => *to = Some(value),
        }
    }

    /// Makes something else of the new value.
    pub(crate) fn try_map<U>(
        self,
        f: impl FnOnce(T) -> Result<U, ApiError>,
    ) -> Result<Change<U>, ApiError> {
        Ok(match self {
            Change::Keep => Change::Keep,
            Change::Empty => Change::Empty,
            Change::To(value) => Change::To(f(value)?),
        })
    }
}

impl Fields {
    /// Reads a body; an empty one has no fields.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Fields, ApiError> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Fields::of(Map::new()));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Fields::of(fields)),
            Ok(_) => Err(ApiError::bad_body("The body must be a JSON object")),
            Err(e) => Err(ApiError::bad_body(format!("The body is not JSON: {e}"))),
        }
    }

    fn of(values: Map<String, Value>) -> Fields {
        Fields {
            values,
            at: String::new(),
            #[cfg(test)]
            asked: std::sync::Mutex::default(),
        }
    }

    /// The names of all fields that were looked for.
    #[cfg(test)]
    pub(crate) fn asked(&self) -> std::collections::BTreeSet<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The refusal of a field's value.
    pub(crate) fn invalid(&self, name: &str, why: impl Display) -> ApiError {
        ApiError::invalid(&format!("{}{name}", self.at), why)
    }

    /// The objects of a list; `None`: there is no list.
    pub(crate) fn objects(&self, name: &str, max: usize) -> Result<Option<Vec<Fields>>, ApiError> {
        let Some(items) = self.list(name, max)? else { return Ok(None) };
        let objects = items.iter().enumerate().map(|(n, item)| match item {
            Value::Object(values) => {
                let at = format!("{}{name}[{n}].", self.at);
                Ok(Fields { at, ..Fields::of(values.clone()) })
            }
            _ => Err(self.invalid(name, "must be a list of objects")),
        });
        objects.collect::<Result<_, _>>().map(Some)
    }

    /// The texts of a list; `None`: there is no list.
    pub(crate) fn texts(&self, name: &str, max: usize) -> Result<Option<Vec<String>>, ApiError> {
        let Some(items) = self.list(name, max)? else { return Ok(None) };
        let texts = items.iter().map(|item| match item {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(self.invalid(name, "must be a list of strings")),
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// Texts that a domain type reads; `None`: there is no list.
    pub(crate) fn parsed_list<T, E: Display>(
        &self,
        name: &str,
        max: usize,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<Vec<T>>, ApiError> {
        let Some(texts) = self.texts(name, max)? else { return Ok(None) };
        let parsed = texts
            .iter()
            .enumerate()
            .map(|(n, text)| parse(text).map_err(|e| self.invalid(&format!("{name}[{n}]"), e)));
        parsed.collect::<Result<_, _>>().map(Some)
    }

    /// The fields of a field that is an object itself.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Fields>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(values)) => {
                let at = format!("{}{name}.", self.at);
                Ok(Some(Fields { at, ..Fields::of(values.clone()) }))
            }
            Some(_) => Err(self.invalid(name, "must be an object")),
        }
    }

    fn list(&self, name: &str, max: usize) -> Result<Option<&[Value]>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(items)) if items.len() <= max => Ok(Some(items)),
            Some(Value::Array(_)) => {
                Err(self.invalid(name, format_args!("must have at most {max} entries")))
            }
            Some(_) => Err(self.invalid(name, "must be a list")),
        }
    }

    /// The names of all fields that are none of `known`.
    pub(crate) fn unknown<'a>(&'a self, known: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.values.keys().map(String::as_str).filter(|name| !known.contains(name))
    }

    fn value(&self, name: &str) -> Option<&Value> {
        #[cfg(test)]
        self.asked.lock().unwrap().insert(name.to_owned());
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// Whether the body says null, where that means something.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(Value::is_null)
    }

    /// A text of at most `max` characters, without control characters but line breaks and tabs:
    /// nothing that could begin a header of its own.
    pub(crate) fn long_text(&self, name: &str, max: usize) -> Result<Option<String>, ApiError> {
        let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        self.checked_text(name, max, bad)
    }

    /// A text of one line of at most `max` characters.
    pub(crate) fn text(&self, name: &str, max: usize) -> Result<Option<String>, ApiError> {
        self.checked_text(name, max, char::is_control)
    }

    fn checked_text(
        &self,
        name: &str,
        max: usize,
        bad: impl Fn(char) -> bool,
    ) -> Result<Option<String>, ApiError> {
        let text = match self.value(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            // Names and numbers that look like numbers are sent as such.
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err(self.invalid(name, "must be a string")),
        };
        if text.chars().count() > max {
            let why = format_args!("must have at most {max} characters");
            return Err(self.invalid(name, why));
        }
        if text.chars().any(bad) {
            return Err(self.invalid(name, "must not contain control characters"));
        }
        Ok(Some(text))
    }

    /// A text that may be emptied.
    pub(crate) fn text_change(&self, name: &str, max: usize) -> Result<Change<String>, ApiError> {
        Ok(emptied(self.text(name, max)?))
    }

    /// A text of several lines that may be emptied.
    pub(crate) fn long_text_change(
        &self,
        name: &str,
        max: usize,
    ) -> Result<Change<String>, ApiError> {
        Ok(emptied(self.long_text(name, max)?))
    }

    /// A text that a domain type reads, and that may be emptied.
    pub(crate) fn parsed_change<T, E: Display>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Change<T>, ApiError> {
        let change = self.text_change(name, usize::MAX)?;
        change.try_map(|text| parse(&text).map_err(|e| self.invalid(name, e)))
    }

    /// A text that a domain type reads.
    pub(crate) fn parsed<T, E: Display>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ApiError> {
        let text = self.text(name, usize::MAX)?;
        text.map(|text| parse(&text).map_err(|e| self.invalid(name, e))).transpose()
    }

    /// What shall be dialled, sent as a text or as a whole number; an empty text is none.
    pub(crate) fn dialled(&self, name: &str) -> Result<Option<Number>, ApiError> {
        if let Some(Value::Number(number)) = self.value(name)
            && !number.is_u64()
        {
            return Err(self.invalid(name, "must be a number that can be dialled"));
        }
        let text = self.text(name, usize::MAX)?;
        let text = text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        text.map(|text| Number::parse(text).map_err(|e| self.invalid(name, e))).transpose()
    }

    /// Some digits, which may be emptied: a PIN.
    pub(crate) fn digits_change(
        &self,
        name: &str,
        count: RangeInclusive<usize>,
    ) -> Result<Change<String>, ApiError> {
        self.text_change(name, usize::MAX)?.try_map(|text| {
            if count.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
                return Ok(text);
            }
            let (min, max) = count.into_inner();
            Err(self.invalid(name, format_args!("must be {min} to {max} digits")))
        })
    }

    /// A whole number within bounds, which may be emptied.
    pub(crate) fn number_change(
        &self,
        name: &str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Change<u64>, ApiError> {
        let number = match self.value(name) {
            None => return Ok(Change::Keep),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(Change::Empty),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(value) => value.as_u64(),
        };
        match number {
            Some(n) if bounds.contains(&n) => Ok(Change::To(n)),
            _ => {
                let (min, max) = bounds.into_inner();
                let why = format_args!("must be a whole number from {min} to {max}");
                Err(self.invalid(name, why))
            }
        }
    }

    /// The id of something of the client, which may be emptied: 0 is as good as nothing.
    pub(crate) fn id_change(&self, name: &str) -> Result<Change<u64>, ApiError> {
        // JSON numbers are exact only so far in the languages of many clients.
        Ok(match self.number_change(name, 0..=(1 << 53))? {
            Change::To(0) => Change::Empty,
            change => change,
        })
    }

    /// True or false.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if matches!(text.as_str(), "true" | "1") => Ok(Some(true)),
            Some(Value::String(text)) if matches!(text.as_str(), "false" | "0") => Ok(Some(false)),
            Some(value) if value.as_u64() == Some(1) => Ok(Some(true)),
            Some(value) if value.as_u64() == Some(0) => Ok(Some(false)),
            Some(_) => Err(self.invalid(name, "must be true or false")),
        }
    }

    /// A word of a closed set, with what it stands for.
    pub(crate) fn word<T: Copy>(
        &self,
        name: &str,
        set: &[(&str, T)],
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name, usize::MAX)? else { return Ok(None) };
        match set.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let words: Vec<_> = set.iter().map(|(word, _)| *word).collect();
                Err(self.invalid(name, format_args!("must be one of {}", words.join(", "))))
            }
        }
    }
}

fn emptied(text: Option<String>) -> Change<String> {
    match text {
        None => Change::Keep,
        Some(text) if text.is_empty() => Change::Empty,
        Some(text) => Change::To(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn numbers_are_read_from_numbers_and_numeric_strings() {
        let table = [
            ("{}", Some(Change::Keep)),
            (r#"{"n":null}"#, Some(Change::Keep)),
            (r#"{"n":""}"#, Some(Change::Empty)),
            (r#"{"n":7}"#, Some(Change::To(7))),
            (r#"{"n":"7"}"#, Some(Change::To(7))),
            (r#"{"n":" 7 "}"#, Some(Change::To(7))),
            (r#"{"n":11}"#, None),
            (r#"{"n":-1}"#, None),
            (r#"{"n":7.5}"#, None),
            (r#"{"n":"x"}"#, None),
            (r#"{"n":true}"#, None),
            (r#"{"n":[7]}"#, None),
        ];
        for (text, expected) in table {
            assert_eq!(fields(text).number_change("n", 1..=10).ok(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_dialled_is_read_from_texts_and_whole_numbers() {
        let table = [
            ("{}", Some(None)),
            (r#"{"n":null}"#, Some(None)),
            (r#"{"n":""}"#, Some(None)),
            (r#"{"n":" "}"#, Some(None)),
            (r#"{"n":"0003*100"}"#, Some(Some("0003*100"))),
            (r#"{"n":" +78121234567 "}"#, Some(Some("+78121234567"))),
            (r#"{"n":78121234567}"#, Some(Some("78121234567"))),
            (r#"{"n":-1}"#, None),
            (r#"{"n":1.5}"#, None),
            (r#"{"n":"7 812"}"#, None),
            (r#"{"n":true}"#, None),
            (r#"{"n":["100"]}"#, None),
        ];
        for (text, expected) in table {
            let found = fields(text).dialled("n").ok();
            let found = found.as_ref().map(|number| number.as_ref().map(Number::as_str));
            assert_eq!(found, expected, "{text}");
        }
        let long = format!(r#"{{"n":"{}"}}"#, "1".repeat(65));
        assert!(fields(&long).dialled("n").is_err());
    }

    #[test]
    fn flags_are_read_from_what_means_true_or_false() {
        let table = [
            ("{}", Some(None)),
            (r#"{"f":null}"#, Some(None)),
            (r#"{"f":true}"#, Some(Some(true))),
            (r#"{"f":"false"}"#, Some(Some(false))),
            (r#"{"f":1}"#, Some(Some(true))),
            (r#"{"f":"0"}"#, Some(Some(false))),
            (r#"{"f":2}"#, None),
            (r#"{"f":"yes"}"#, None),
            (r#"{"f":{}}"#, None),
        ];
        for (text, expected) in table {
            assert_eq!(fields(text).flag("f").ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_line_break_is_no_part_of_a_line() {
        let fields = fields(r#"{"t":"a\r\nVia: x","o":{}}"#);
        assert!(fields.text("t", 100).is_err());
        assert_eq!(fields.long_text("t", 100).unwrap().as_deref(), Some("a\r\nVia: x"));
        assert!(fields.long_text("t", 3).is_err());
        assert!(fields.text("o", 100).is_err());
    }

    #[test]
    fn a_body_is_an_object_or_nothing() {
        for text in ["", " \r\n", "{}"] {
            assert!(Fields::parse(text.as_bytes()).is_ok(), "{text:?}");
        }
        for text in ["[]", "1", "{", "null", "\u{feff}{}", "{\"a\":1}x"] {
            assert!(Fields::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
