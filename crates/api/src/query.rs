//! Parameters as clients send them: in a query string or an urlencoded body.

use std::ops::RangeInclusive;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use model::Wall;

use crate::calendar;
use crate::error::ApiError;

/// The query parameters that have a value. Empty ones are absent, unknown ones ignored, repeated
/// ones (also written `name[]`) a list.
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query, ApiError> {
        Ok(Query(pairs(parts.uri.query().unwrap_or_default())))
    }
}

impl Query {
    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A number within bounds.
    pub(crate) fn number(
        &self,
        name: &str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.all(name).next() else { return Ok(None) };
        match text.trim().parse::<u64>() {
            Ok(n) if bounds.contains(&n) => Ok(Some(n)),
            _ => {
                let (min, max) = bounds.into_inner();
                Err(ApiError::invalid(name, format_args!("must be a number from {min} to {max}")))
            }
        }
    }

    /// A moment.
    pub(crate) fn moment(&self, name: &str) -> Result<Option<Wall>, ApiError> {
        let Some(text) = self.all(name).next() else { return Ok(None) };
        let moment = calendar::moment_or_day(text);
        moment.map(Some).map_err(|_| ApiError::invalid(name, "must be YYYY-MM-DD HH:MM:SS"))
    }

    /// `page`, `per_page` or `count`, and `order`, which is `desc` unless given.
    pub(crate) fn page(&self, per_page_max: u64) -> Result<Page, ApiError> {
        let page = self.number("page", 1..=u64::from(u32::MAX))?.unwrap_or(1);
        let per_page = match self.number("per_page", 1..=per_page_max)? {
            Some(n) => n,
            None => self.number("count", 1..=per_page_max)?.unwrap_or(per_page_max),
        };
        let ascending = self.words("order", &["asc", "desc"])?.first() == Some(&"asc");
        let skipped = usize::try_from((page - 1).saturating_mul(per_page)).unwrap_or(usize::MAX);
        Ok(Page { ascending, skipped, taken: usize::try_from(per_page).unwrap_or(usize::MAX) })
    }

    /// Values of a closed set.
    pub(crate) fn words<'a>(
        &'a self,
        name: &'a str,
        set: &'static [&'static str],
    ) -> Result<Vec<&'a str>, ApiError> {
        let words: Vec<_> = self.all(name).collect();
        if words.iter().all(|word| set.contains(word)) {
            return Ok(words);
        }
        Err(ApiError::invalid(name, format_args!("must be one of {}", set.join(", "))))
    }
}

/// A part of a list (API reference 1.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// The first comes first; else the last does.
    pub(crate) ascending: bool,
    /// Entries before it.
    pub(crate) skipped: usize,
    /// The most that it has; at least 1.
    pub(crate) taken: usize,
}

impl Page {
    /// What is on it.
    pub(crate) fn of<T>(self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        all.skip(self.skipped).take(self.taken)
    }
}

/// Reads `application/x-www-form-urlencoded` text. Whatever is malformed stands for itself.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .map(|(name, value)| (name.strip_suffix("[]").unwrap_or(&name).to_owned(), value))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        let hex = |b: Option<u8>| char::from(b?).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let mut ahead = rest.clone();
        match (b, hex(ahead.next()), hex(ahead.next())) {
            (b'+', _, _) => bytes.push(b' '),
            (b'%', Some(high), Some(low)) => {
                bytes.push(high << 4 | low);
                rest = ahead;
            }
            _ => bytes.push(b),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_clients_write_them() {
        let table: [(&str, &[(&str, &str)]); 9] = [
            ("", &[]),
            ("a=1&b=2", &[("a", "1"), ("b", "2")]),
            ("a=1&a=2", &[("a", "1"), ("a", "2")]),
            ("a[]=1&a%5B%5D=2", &[("a", "1"), ("a", "2")]),
            ("a=&b&&c=3", &[("c", "3")]),
            ("a=x+y%20z", &[("a", "x y z")]),
            ("a=%D0%96&b=%zz%4", &[("a", "Ж"), ("b", "%zz%4")]),
            ("a=1=2", &[("a", "1=2")]),
            ("n=%2A100", &[("n", "*100")]),
        ];
        for (text, expected) in table {
            let found = pairs(text);
            let found: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
