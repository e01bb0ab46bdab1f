//! A Rust file as the rules read it: comments and literals blanked, tests told from the rest.

/// A Rust source, line by line.
#[derive(Debug)]
pub(super) struct Source {
    /// Its lines, in order.
    pub(super) lines: Vec<Line>,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    /// As it stands.
    pub(super) raw: String,
    /// Comments and the insides of literals are blanks, columns stay.
    pub(super) code: String,
    /// It begins inside a literal: golden text that nobody can wrap.
    pub(super) in_literal: bool,
    /// It belongs to a `#[cfg(test)]` item.
    pub(super) in_test: bool,
}

/// What the text at a moment of the scan is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Code,
    LineComment,
    /// Nested.
    BlockComment(u32),
    Text,
    /// With this many `#`.
    RawText(usize),
}

impl Source {
    /// Reads a file's text.
    pub(super) fn read(text: &str) -> Source {
        let (blanked, literal) = blank(text);
        let tests = test_regions(&blanked);
        let mut offset = 0;
        let lines = text
            .split_inclusive('\n')
            .map(|raw| {
                let begin = offset;
                offset += raw.len();
                let trim = |line: &str| line.trim_end_matches(['\n', '\r']).to_owned();
                Line {
                    raw: trim(raw),
                    code: trim(blanked.get(begin..offset).unwrap_or("")),
                    in_literal: literal.iter().any(|&(from, to)| from < begin && begin < to),
                    in_test: tests.iter().any(|&(from, to)| from <= begin && begin < to),
                }
            })
            .collect();
        Source { lines }
    }

    /// Every path that a `use` brings in, with the number of its line, from 1.
    pub(super) fn uses(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut open: Option<(usize, String)> = None;
        for (index, line) in self.lines.iter().enumerate() {
            let mut rest = line.code.as_str();
            loop {
                if let Some((number, mut statement)) = open.take() {
                    let Some((end, after)) = rest.split_once(';') else {
                        statement.push_str(rest);
                        open = Some((number, statement));
                        break;
                    };
                    statement.push_str(end);
                    for path in expand(&statement) {
                        found.push((number, path));
                    }
                    rest = after;
                }
                let Some(at) = word_at(rest, "use") else { break };
                rest = rest.get(at + 3..).unwrap_or("");
                open = Some((index + 1, String::new()));
            }
        }
        found
    }
}

/// `a::{b, c::{d, e as f}}` as `a::b`, `a::c::d`, `a::c::e`.
fn expand(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or("");
        let path: String = path.split_whitespace().collect();
        return if path.is_empty() { Vec::new() } else { vec![path] };
    };
    let inner = rest.trim_end().strip_suffix('}').unwrap_or(rest);
    let prefix: String = prefix.split_whitespace().collect();
    let mut depth = 0;
    let parts = inner.split(|c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.flat_map(expand).map(|part| format!("{prefix}{part}")).collect()
}

/// Where `word` stands alone in `code`.
pub(super) fn word_at(code: &str, word: &str) -> Option<usize> {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).map(|(at, _)| at).find(|&at| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_letter) && !after.is_some_and(is_letter)
    })
}

/// The text with comments and the insides of literals blanked byte by byte, and where literals
/// begin and end.
fn blank(text: &str) -> (String, Vec<(usize, usize)>) {
    let bytes = text.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let mut out = Vec::with_capacity(bytes.len());
    let mut literals = Vec::new();
    let mut mode = Mode::Code;
    let mut begin = 0;
    let mut i = 0;
    while i < bytes.len() {
        let byte = at(i);
        let (next, step, keep) = match mode {
            Mode::Code if byte == b'/' && at(i + 1) == b'/' => (Mode::LineComment, 2, false),
            Mode::Code if byte == b'/' && at(i + 1) == b'*' => (Mode::BlockComment(1), 2, false),
            Mode::Code if byte == b'"' => (Mode::Text, 1, true),
            Mode::Code if starts_raw(bytes, i) => {
                let hashes = bytes[i + 1..].iter().take_while(|&&b| b == b'#').count();
                (Mode::RawText(hashes), hashes + 2, true)
            }
            Mode::Code if byte == b'\'' => {
                let length = char_literal(bytes, i);
                out.resize(out.len() + length, b' ');
                i += length;
                continue;
            }
            Mode::Code => (Mode::Code, 1, true),
            Mode::LineComment if byte == b'\n' => (Mode::Code, 1, true),
            Mode::LineComment => (mode, 1, false),
            Mode::BlockComment(depth) if byte == b'/' && at(i + 1) == b'*' => {
                (Mode::BlockComment(depth + 1), 2, false)
            }
            Mode::BlockComment(depth) if byte == b'*' && at(i + 1) == b'/' => {
                let inner = if depth == 1 { Mode::Code } else { Mode::BlockComment(depth - 1) };
                (inner, 2, false)
            }
            Mode::BlockComment(_) => (mode, 1, false),
            Mode::Text if byte == b'\\' => (mode, 2, false),
            Mode::Text if byte == b'"' => (Mode::Code, 1, true),
            Mode::Text => (mode, 1, false),
            Mode::RawText(hashes) if byte == b'"' && closes(bytes, i + 1, hashes) => {
                (Mode::Code, 1 + hashes, true)
            }
            Mode::RawText(_) => (mode, 1, false),
        };
        match (mode, next) {
            (Mode::Code, Mode::Text | Mode::RawText(_)) => begin = i,
            (Mode::Text | Mode::RawText(_), Mode::Code) => literals.push((begin, i + step)),
            _ => {}
        }
        for index in i..(i + step).min(bytes.len()) {
            let byte = at(index);
            out.push(if keep || byte == b'\n' { byte } else { b' ' });
        }
        i += step;
        mode = next;
    }
    (String::from_utf8_lossy(&out).into_owned(), literals)
}

/// `r"`, `r#"`, `br"`, `cr##"`: at the `r`.
fn starts_raw(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|i| bytes.get(i)).copied().unwrap_or(0);
    let inside_word = before.is_ascii_alphanumeric() || before == b'_';
    let prefixed = matches!(before, b'b' | b'c') && {
        let earlier = at.checked_sub(2).and_then(|i| bytes.get(i)).copied().unwrap_or(0);
        !(earlier.is_ascii_alphanumeric() || earlier == b'_')
    };
    let rest = bytes.get(at + 1..).unwrap_or(&[]);
    let quote = rest.iter().position(|&b| b != b'#').and_then(|i| rest.get(i));
    bytes.get(at) == Some(&b'r') && quote == Some(&b'"') && (!inside_word || prefixed)
}

fn closes(bytes: &[u8], from: usize, hashes: usize) -> bool {
    bytes.get(from..from + hashes).is_some_and(|rest| rest.iter().all(|&b| b == b'#'))
}

/// Bytes of the character literal at a quote; 1 for a lifetime.
fn char_literal(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at + 1..).unwrap_or(&[]);
    if rest.first() == Some(&b'\\') {
        let end = rest.iter().skip(2).position(|&b| b == b'\'');
        return end.map_or(1, |end| end + 4);
    }
    // One character of up to four bytes, then the closing quote.
    let end = rest.iter().take(5).position(|&b| b == b'\'');
    match end {
        Some(end) if end > 0 && core::str::from_utf8(&rest[..end]).is_ok_and(one_char) => end + 2,
        _ => 1,
    }
}

fn one_char(text: &str) -> bool {
    text.chars().count() == 1
}

/// Byte ranges of the items that stand behind `#[cfg(test)]`.
fn test_regions(code: &str) -> Vec<(usize, usize)> {
    const MARK: &str = "#[cfg(test)]";
    let mut regions = Vec::new();
    let mut from = 0;
    while let Some(at) = code.get(from..).and_then(|rest| rest.find(MARK)).map(|at| at + from) {
        let end = item_end(code, at + MARK.len());
        regions.push((at, end));
        from = end;
    }
    regions
}

/// Where the item that begins at `from` ends: behind its `;` or its closing brace.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_u32;
    for (index, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index + 1;
                }
            }
            b';' if depth == 0 => return index + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let lines = Source::read(text).lines;
        lines.iter().map(|line| line.code.trim_end()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        for (text, expected) in [
            ("let a = 1; // tokio", "let a = 1;"),
            ("a(/* x /* y */ z */ b)", "a(                  b)"),
            (r#"f("std::fs", b)"#, r#"f("       ", b)"#),
            (r#"f("a\"b", c)"#, r#"f("    ", c)"#),
            ("f('\"', \"x\")", "f(   , \" \")"),
            ("f('\\'', 'a', b'\\n')", "f(    ,    , b    )"),
            ("fn f<'a>(x: &'a str)", "fn f< a>(x: & a str)"),
            ("f(r#\"x \" y\"#, z)", "f(r#\"     \"#, z)"),
            ("f(br\"x\", z)", "f(br\" \", z)"),
            ("let r = car\"x\";", "let r = car\" \";"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn use_trees_are_expanded() {
        let text = "use std::{fs, time::{Duration, Instant as I}};\nuse a::b;\nlet reuse = 1;";
        let uses = Source::read(text).uses();
        let expected = [
            (1, "std::fs".to_owned()),
            (1, "std::time::Duration".to_owned()),
            (1, "std::time::Instant".to_owned()),
            (2, "a::b".to_owned()),
        ];
        assert_eq!(uses, expected);
    }

    #[test]
    fn a_use_over_several_lines_is_read() {
        let uses = Source::read("pub use std::{\n    fs,\n    env,\n};\n").uses();
        assert_eq!(uses, [(1, "std::fs".to_owned()), (1, "std::env".to_owned())]);
    }

    #[test]
    fn test_modules_are_told_from_the_rest() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        let in_test: Vec<_> = Source::read(text).lines.iter().map(|line| line.in_test).collect();
        assert_eq!(in_test, [false, true, true, true, true, false]);
    }

    #[test]
    fn lines_inside_a_literal_are_known() {
        let source = Source::read("let a = \"x\ny\nz\";\nlet b = 1;\n");
        let inside: Vec<_> = source.lines.iter().map(|line| line.in_literal).collect();
        assert_eq!(inside, [false, true, true, false]);
    }
}
