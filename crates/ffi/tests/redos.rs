//! Patterns that are known to backtrack without end, each over the subject that makes it do so:
//! all are answered or given up within the bounds, and none keeps the next from being answered.

use ffi::Regex;
use ffi::pcre::SUBJECT_BYTES_MAX;

const PATTERNS: &[(&str, char)] = &[
    (r"^(a+)+$", 'a'),
    (r"^([a-zA-Z]+)*$", 'a'),
    (r"^(a|aa)+$", 'a'),
    (r"^(a|a?)+$", 'a'),
    (r"^(.*a){11}$", 'a'),
    (r"^(.*a){20}$", 'a'),
    (r"^(\d+)+$", '1'),
    (r"^(\d*)*$", '1'),
    (r"^(\d+)*\d+$", '1'),
    (r"^(\d|\d\d)+$", '1'),
    (r"^(\d+\d+)+$", '1'),
    (r"^([0-9]+)+x$", '1'),
    (r"^(1|1|1)+$", '1'),
    (r"^((1+)*)*$", '1'),
    (r"^((1+)+)+$", '1'),
    (r"^(((1+)+)+)+$", '1'),
    (r"^(\+?\d+)+$", '1'),
    (r"^(\+|\d|\d+)+$", '1'),
    (r"^(?:\d+-?)+$", '1'),
    (r"^(?:\d+[ -]?)*$", '1'),
    (r"^\d*\d*\d*\d*\d*\d*\d*\d*\d*\d*$", '1'),
    (r"^\d*?\d*?\d*?\d*?\d*?\d*?\d*?\d*?x$", '1'),
    (r"^(?=(\d+)+$)", '1'),
    (r"^(?!(\d+)+$)", '1'),
    (r"(?<=(?:1))(1+)+$", '1'),
    (r"^(\w+\s?)*$", 'a'),
    (r"^(\w+\s?\w*)*$", 'a'),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", 'a'),
    (r"^([a-zA-Z0-9_.-])+@(([a-zA-Z0-9-])+.)+([a-zA-Z0-9]{2,4})+$", 'a'),
    (r"^[a-zA-Z]+(([\'\,\.\- ][a-zA-Z ])?[a-zA-Z]*)*$", 'a'),
    (r"^(([^<>()\[\]\\.,;:\s@]+(\.[^<>()\[\]\\.,;:\s@]+)*))+$", 'a'),
    (r"^(?:.?.?.?.?.?.?.?)*$", 'a'),
    (r"^(?:x?x?x?x?x?x?x?x?)*$", 'x'),
    (r"^(x+x+)+y$", 'x'),
    (r"^(x*)*y$", 'x'),
    (r"(x+x+)+y", 'x'),
    (r"(.*)(.*)(.*)(.*)(.*)[^a]$", 'a'),
    (r"(.*)*$y", 'a'),
    (r"^(?:a(?=b)|a)*$", 'a'),
    (r"^(a*?)*?$", 'a'),
    (r"^(a+?)+?$", 'a'),
    (r"^(a{1,10}){1,10}$", 'a'),
    (r"^(a{0,5}){0,20}b$", 'a'),
    (r"^(?:(a+)\1)+$", 'a'),
    (r"^(a+)\1*\1*\1*b$", 'a'),
    (r"^(?R)?a+$", 'a'),
    (r"^(a(?1)?a?)+$", 'a'),
    (r"^(?<n>a|(?&n)a)+$", 'a'),
    (r"(?:(?:(?:a*)*)*)*b", 'a'),
    (r"^(?i:A|a|aa)+$", 'a'),
    (r"^(\p{L}+)+$", 'a'),
    (r"^([^1]|a+)+$", 'a'),
];

#[test]
fn no_known_pattern_takes_more_than_its_bounds() {
    assert!(PATTERNS.len() >= 50);
    let plain = Regex::compile("^7812").unwrap();
    let mut given_up = 0;
    for (pattern, letter) in PATTERNS {
        let Ok(regex) = Regex::compile(pattern) else { continue };
        let subject: String =
            std::iter::repeat_n(*letter, SUBJECT_BYTES_MAX - 1).chain(['!']).collect();
        // Without the bounds most of these would run until the end of time, and this test too.
        given_up += usize::from(regex.is_match(&subject).is_err());
        assert_eq!(plain.is_match("78121234567"), Ok(true), "after {pattern}");
    }
    assert!(given_up >= 20, "{given_up}: the subjects are no worst case");
}
