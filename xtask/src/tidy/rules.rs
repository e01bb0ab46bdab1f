//! What Rust code may not say, and what to say instead.

use super::Finding;
use super::source::{Source, word_at};

/// Where a rule holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    /// In the sources of the pure crates.
    Pure,
    /// In tests of any crate.
    Tests,
    /// Everywhere but in the crate that exists for it.
    AllBut(&'static str),
    /// Everywhere.
    All,
}

/// What a rule looks for.
#[derive(Clone, Copy)]
enum Sign {
    /// These words side by side, or this path, whole words only.
    Words(&'static str),
    /// A path that is called, or that a `use` brings in.
    Path(&'static str),
    /// An attribute.
    Attribute(&'static str),
}

struct Rule {
    room: Room,
    signs: &'static [Sign],
    name: &'static str,
    instead: &'static str,
}

/// Crates that are values: `handle(now, input, &mut effects)` and nothing of the outside.
pub(super) const PURE: [&str; 8] =
    ["model", "leg", "sip", "stack", "media", "route", "exchange", "switch"];

const RULES: &[Rule] = &[
    Rule {
        room: Room::Pure,
        signs: &[Sign::Words("Instant"), Sign::Words("SystemTime")],
        name: "a clock in a pure crate",
        instead: "take model::Now as an argument",
    },
    Rule {
        room: Room::Pure,
        signs: &[Sign::Words("tokio"), Sign::Path("std::thread")],
        name: "threads or tasks in a pure crate",
        instead: "return an effect; node has the threads",
    },
    Rule {
        room: Room::Pure,
        signs: &[
            Sign::Words("UdpSocket"),
            Sign::Words("TcpStream"),
            Sign::Words("TcpListener"),
            Sign::Path("std::os"),
        ],
        name: "a socket in a pure crate",
        instead: "return an effect; node has the sockets",
    },
    Rule {
        room: Room::Pure,
        signs: &[Sign::Path("std::fs"), Sign::Path("std::env"), Sign::Path("std::process")],
        name: "files, environment or processes in a pure crate",
        instead: "take the value as an argument",
    },
    Rule {
        room: Room::Pure,
        signs: &[Sign::Path("rand"), Sign::Path("getrandom"), Sign::Path("fastrand")],
        name: "chance of its own in a pure crate",
        instead: "take model::Chance as an argument",
    },
    Rule {
        room: Room::Pure,
        signs: &[
            Sign::Words("RandomState"),
            Sign::Words("HashMap::new"),
            Sign::Words("HashSet::new"),
            Sign::Words("HashMap::with_capacity"),
            Sign::Words("HashSet::with_capacity"),
            Sign::Words("HashMap::from"),
            Sign::Words("HashSet::from"),
        ],
        name: "a map with random order in a pure crate",
        instead: "use BTreeMap, a slab, or HashMap::with_hasher with a hasher keyed from Chance",
    },
    Rule {
        room: Room::All,
        signs: &[Sign::Words("static mut")],
        name: "a global that changes",
        instead: "own the value and hand it in",
    },
    Rule {
        room: Room::AllBut("ffi"),
        signs: &[Sign::Words("unsafe")],
        name: "unsafe code",
        instead: "a safe library, or a wrapper in crates/ffi",
    },
    Rule {
        room: Room::All,
        signs: &[Sign::Words("dbg!"), Sign::Words("todo!"), Sign::Words("unimplemented!")],
        name: "unfinished work",
        instead: "finish it, or leave it out and say so in the documentation",
    },
    Rule {
        room: Room::All,
        signs: &[Sign::Attribute("ignore")],
        name: "a test that does not run",
        instead: "mend it, or assert today's behaviour with a FIXME",
    },
    Rule {
        room: Room::All,
        signs: &[Sign::Attribute("should_panic")],
        name: "a test that any panic satisfies",
        instead: "assert the error value",
    },
    Rule {
        room: Room::Tests,
        signs: &[Sign::Words("sleep"), Sign::Words("sleep_until"), Sign::Words("sleep_ms")],
        name: "a sleep in a test",
        instead: "wait for the thing itself, with a bound",
    },
];

/// What a file is, for the rules.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// Path from the top of the checkout.
    pub(super) path: &'a str,
}

impl Place<'_> {
    /// The crate's folder: `sip` of `crates/sip/src/uri.rs`.
    fn krate(&self) -> &str {
        let rest = self.path.strip_prefix("crates/").unwrap_or(self.path);
        rest.split('/').next().unwrap_or("")
    }

    fn is_pure_source(&self) -> bool {
        PURE.iter().any(|name| self.path.starts_with(&format!("crates/{name}/src/")))
    }

    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }
}

/// Applies all rules to one Rust file.
pub(super) fn check(place: Place<'_>, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let uses = source.uses();
    for rule in RULES {
        for sign in rule.signs {
            for (number, in_test) in places_of(*sign, source, &uses) {
                if holds(rule.room, place, in_test) {
                    findings.push(Finding::new(place.path, number, rule.name, rule.instead));
                }
            }
        }
    }
    findings.extend(fixed_ports(place, source));
    findings.sort_by_key(|finding| finding.line);
    findings.dedup();
    findings
}

fn holds(room: Room, place: Place<'_>, in_test: bool) -> bool {
    match room {
        Room::Pure => place.is_pure_source(),
        Room::Tests => in_test || place.is_test(),
        Room::AllBut(krate) => place.krate() != krate,
        Room::All => true,
    }
}

/// Lines on which a sign stands, and whether they are test code.
fn places_of(sign: Sign, source: &Source, uses: &[(usize, String)]) -> Vec<(usize, bool)> {
    let in_test = |number: usize| source.lines.get(number - 1).is_some_and(|line| line.in_test);
    let lines = source.lines.iter().enumerate();
    match sign {
        Sign::Words(words) => lines
            .filter(|(_, line)| word_at(&without_turbofish(&line.code), words).is_some())
            .map(|(index, line)| (index + 1, line.in_test))
            .collect(),
        Sign::Path(path) => {
            let called = format!("{path}::");
            let stands = |code: &str| {
                let at = word_at(code, path);
                at.and_then(|at| code.get(at..)).is_some_and(|rest| rest.starts_with(&called))
            };
            let in_code = lines
                .filter(|(_, line)| stands(&line.code) && word_at(&line.code, "use").is_none())
                .map(|(index, line)| (index + 1, line.in_test));
            let in_uses = uses
                .iter()
                .filter(|(_, used)| used == path || used.starts_with(&called))
                .map(|&(number, _)| (number, in_test(number)));
            in_code.chain(in_uses).collect()
        }
        Sign::Attribute(name) => lines
            .filter(|(_, line)| {
                let rest = line.code.trim_start().strip_prefix("#[").unwrap_or("");
                rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next() == Some(name)
            })
            .map(|(index, line)| (index + 1, line.in_test))
            .collect(),
    }
}

/// `HashMap::<K, V>::new` as `HashMap::new`.
fn without_turbofish(code: &str) -> String {
    let Some((before, rest)) = code.split_once("::<") else { return code.to_owned() };
    let mut depth = 1_u32;
    let end = rest.char_indices().find(|(_, c)| {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    let after = end.and_then(|(at, _)| rest.get(at + 1..)).unwrap_or("");
    format!("{before}{}", without_turbofish(after))
}

/// Words that make a socket of the address behind them.
const OPENERS: [&str; 6] = ["bind", "connect", "listen", "UdpSocket", "TcpListener", "TcpStream"];
/// Options of the switch that do.
const OPTIONS: [&str; 2] = ["\"--http\"", "\"--sip\""];

/// An address with a port of its own in a test: two runs at the same time would meet on it.
fn fixed_ports(place: Place<'_>, source: &Source) -> Vec<Finding> {
    let lines = source.lines.iter().enumerate();
    lines
        .filter(|(_, line)| line.in_test || place.is_test())
        .filter(|(_, line)| {
            OPENERS.iter().any(|word| word_at(&line.code, word).is_some())
                || OPTIONS.iter().any(|option| line.raw.contains(option))
        })
        .filter(|(_, line)| names_a_port(&line.raw))
        .map(|(index, _)| {
            let instead = "bind port 0 and ask for the number";
            Finding::new(place.path, index + 1, "a fixed port in a test", instead)
        })
        .collect()
}

/// A literal ends in `:` and a number above 0: `"127.0.0.1:5060"`.
fn names_a_port(line: &str) -> bool {
    line.split('"').skip(1).step_by(2).any(|literal| {
        let Some((host, port)) = literal.rsplit_once(':') else { return false };
        let is_host = !host.is_empty() && !host.contains([' ', '/', '{']);
        is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let findings = check(Place { path }, &Source::read(text));
        findings.iter().map(|finding| (finding.line, finding.rule)).collect()
    }

    #[test]
    fn each_bad_snippet_is_found_in_a_pure_crate() {
        for (text, expected) in [
            ("use std::time::Instant;", "a clock in a pure crate"),
            ("use std::time::{Duration, SystemTime};", "a clock in a pure crate"),
            ("let t = std::time::Instant::now();", "a clock in a pure crate"),
            ("tokio::spawn(x);", "threads or tasks in a pure crate"),
            ("use std::{thread, mem};", "threads or tasks in a pure crate"),
            ("use std::net::{IpAddr, UdpSocket};", "a socket in a pure crate"),
            ("let a = std::fs::read(p);", "files, environment or processes in a pure crate"),
            ("use std::env;", "files, environment or processes in a pure crate"),
            ("let x = rand::random();", "chance of its own in a pure crate"),
            ("let m = HashMap::new();", "a map with random order in a pure crate"),
            ("let m = HashMap::<u8, Vec<u8>>::new();", "a map with random order in a pure crate"),
            ("let m = HashSet::with_capacity(3);", "a map with random order in a pure crate"),
        ] {
            assert_eq!(names("crates/sip/src/uri.rs", text), [(1, expected)], "{text}");
            assert_eq!(names("crates/node/src/uri.rs", text), [], "{text}");
        }
    }

    #[test]
    fn good_snippets_pass_in_a_pure_crate() {
        for text in [
            "use core::net::{IpAddr, SocketAddr};",
            "use core::time::Duration;",
            "// std::time::Instant would be a clock",
            "let text = \"std::fs::read\";",
            "use rand_core::Rng;",
            "let m = HashMap::with_hasher(keyed);",
            "fn rand_like(operand: u8) {}",
            "let instant_ms = 3;",
            "let environment = std::fmt::Error;",
        ] {
            assert_eq!(names("crates/sip/src/uri.rs", text), [], "{text}");
        }
    }

    #[test]
    fn unfinished_and_unsafe_code_is_found_everywhere() {
        for (text, expected) in [
            ("dbg!(x);", "unfinished work"),
            ("todo!()", "unfinished work"),
            ("unimplemented!()", "unfinished work"),
            ("static mut X: u8 = 0;", "a global that changes"),
            ("unsafe { f() }", "unsafe code"),
            ("#[ignore]", "a test that does not run"),
            ("#[ignore = \"slow\"]", "a test that does not run"),
            ("#[should_panic(expected = \"x\")]", "a test that any panic satisfies"),
        ] {
            assert_eq!(names("crates/node/src/a.rs", text), [(1, expected)], "{text}");
        }
        assert_eq!(names("crates/ffi/src/a.rs", "unsafe { f() }"), []);
        assert_eq!(names("crates/node/src/a.rs", "#![forbid(unsafe_code)]"), []);
    }

    #[test]
    fn sleeps_are_found_in_tests_only() {
        let text = "fn a() { tokio::time::sleep(d).await }";
        assert_eq!(names("crates/node/src/a.rs", text), []);
        assert_eq!(names("crates/node/tests/a.rs", text), [(1, "a sleep in a test")]);
        let module = format!("#[cfg(test)]\nmod tests {{\n{text}\n}}");
        assert_eq!(names("crates/node/src/a.rs", &module), [(3, "a sleep in a test")]);
    }

    #[test]
    fn fixed_ports_are_found_where_a_socket_is_made() {
        let found = [(1, "a fixed port in a test")];
        let path = "crates/node/tests/a.rs";
        assert_eq!(names(path, "UdpSocket::bind(\"127.0.0.1:5060\")"), found);
        assert_eq!(names(path, "listener(\"--sip\", \"127.0.0.1:5060\")"), found);
        assert_eq!(names(path, "UdpSocket::bind(\"127.0.0.1:0\")"), []);
        assert_eq!(names(path, "parse(\"sip:bob@192.0.2.1:5060\")"), []);
        assert_eq!(names(path, "Connection::open(0, \"192.0.2.1:5060\")"), []);
        assert_eq!(names("crates/node/src/a.rs", "bind(\"0.0.0.0:5060\")"), []);
    }

    #[test]
    fn a_file_in_the_pure_crates_tests_may_read_files() {
        assert_eq!(names("crates/sip/tests/corpora.rs", "std::fs::read(p)"), []);
    }
}
