//! A seeded mutator: the same changes for the same seed, on every machine.

use model::Chance;

/// What an input may grow to: a little over the longest message, so that the bound is met too.
pub const INPUT_BYTES_MAX: usize = 70_000;

/// Numbers at the edges of what fields hold.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "00000000000000000001",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999999999",
    "1e9",
    "0x10",
    "1.5",
    "+5",
    "",
];

/// Changes inputs. Each change is small and of a kind that parsers have tripped over.
#[derive(Debug)]
pub struct Mutator {
    chance: Chance,
    dictionary: &'static [&'static str],
}

impl Mutator {
    /// A mutator that is determined by `seed`; `dictionary` holds the words of the format.
    pub fn new(seed: u64, dictionary: &'static [&'static str]) -> Mutator {
        Mutator { chance: Chance::from_number(seed), dictionary }
    }

    /// An input made of one of `seeds`, of pieces of the others, and of one to five changes. One in
    /// 64 is a seed as it is.
    pub fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let Some(seed) = self.pick(seeds) else { return self.noise() };
        let mut data = seed.clone();
        if self.chance.below(64) == 0 {
            return data;
        }
        for _ in 0..=self.chance.below(5) {
            self.change(&mut data, seeds);
        }
        data.truncate(INPUT_BYTES_MAX);
        data
    }

    /// One change.
    pub fn change(&mut self, data: &mut Vec<u8>, others: &[Vec<u8>]) {
        let from = self.below(data.len() + 1);
        let to = (from + self.below(20)).min(data.len());
        match self.chance.below(16) {
            0 => self.flip(data, from),
            1 => self.overwrite(data, from),
            2 => drop(data.drain(from..to)),
            3 => {
                let word = self.word();
                data.splice(from..from, word.bytes());
            }
            4 => {
                let word = self.word();
                data.splice(from..to, word.bytes());
            }
            5 => {
                let copy = data[from..to].to_vec();
                let there = self.below(data.len() + 1);
                data.splice(there..there, copy);
            }
            6 => self.splice(data, from, others),
            7 => self.double_line(data),
            8 => self.erase_line(data),
            9 => self.swap_lines(data),
            10 | 11 => self.extreme_number(data),
            12 => self.overlong(data, from, to),
            13 => self.other_case(data, from, to),
            14 => self.line_of(data, others),
            _ => {
                if self.chance.below(8) == 0 {
                    data.truncate(from);
                } else {
                    let noise = self.noise();
                    data.splice(from..from, noise.into_iter().take(8));
                }
            }
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.chance.below(bound)).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let at = self.below(all.len());
        all.get(at)
    }

    fn word(&mut self) -> &'static str {
        self.pick(self.dictionary).copied().unwrap_or("\r\n")
    }

    fn noise(&mut self) -> Vec<u8> {
        // Mostly short, sometimes as long as a sequence of operations.
        let length = if self.chance.below(2) == 0 { self.below(16) } else { self.below(600) };
        let mut noise = vec![0; length];
        self.chance.fill(&mut noise);
        noise
    }

    fn flip(&mut self, data: &mut [u8], at: usize) {
        let bit = 1 << self.chance.below(8);
        if let Some(byte) = data.get_mut(at) {
            *byte ^= bit;
        }
    }

    fn overwrite(&mut self, data: &mut [u8], at: usize) {
        let [random, ..] = self.chance.bits().to_le_bytes();
        if let Some(byte) = data.get_mut(at) {
            *byte = random;
        }
    }

    /// The rest becomes that of another seed, or a piece of one goes in.
    fn splice(&mut self, data: &mut Vec<u8>, at: usize, others: &[Vec<u8>]) {
        let Some(other) = self.pick(others) else { return };
        let from = self.below(other.len() + 1);
        if self.chance.below(2) == 0 {
            data.truncate(at);
            data.extend_from_slice(&other[from..]);
        } else {
            let to = (from + self.below(60)).min(other.len());
            data.splice(at..at, other[from..to].iter().copied());
        }
    }

    /// A line, with its end.
    fn line(&mut self, data: &[u8]) -> core::ops::Range<usize> {
        let at = self.below(data.len() + 1);
        let from = data[..at].iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        let rest = &data[from..];
        let to = rest.iter().position(|&b| b == b'\n').map_or(data.len(), |end| from + end + 1);
        from..to
    }

    fn double_line(&mut self, data: &mut Vec<u8>) {
        let line = self.line(data);
        let copy = data[line.clone()].to_vec();
        data.splice(line.start..line.start, copy);
    }

    fn erase_line(&mut self, data: &mut Vec<u8>) {
        let line = self.line(data);
        drop(data.drain(line));
    }

    fn swap_lines(&mut self, data: &mut Vec<u8>) {
        let line = self.line(data);
        let moved: Vec<u8> = data.drain(line).collect();
        let there = self.line(data).start;
        data.splice(there..there, moved);
    }

    /// A line of another seed.
    fn line_of(&mut self, data: &mut Vec<u8>, others: &[Vec<u8>]) {
        let Some(other) = self.pick(others) else { return };
        let line = self.line(other);
        let there = self.line(data).start;
        data.splice(there..there, other[line].iter().copied());
    }

    /// A number becomes one at an edge.
    fn extreme_number(&mut self, data: &mut Vec<u8>) {
        let at = self.below(data.len() + 1);
        let Some(from) = data[at..].iter().position(u8::is_ascii_digit).map(|n| at + n) else {
            return;
        };
        let length = data[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let number = self.pick(NUMBERS).copied().unwrap_or("0");
        data.splice(from..from + length, number.bytes());
    }

    /// A piece many times.
    fn overlong(&mut self, data: &mut Vec<u8>, from: usize, to: usize) {
        let mut piece = data[from..to].to_vec();
        if piece.is_empty() || self.chance.below(2) == 0 {
            piece = self.word().as_bytes().to_vec();
        }
        // Long ones are rare: they cost as much as a hundred others.
        let bytes = match self.chance.below(16) {
            0 => INPUT_BYTES_MAX,
            1 | 2 => 5_000,
            _ => 300,
        };
        let bytes = self.below(bytes);
        let times = bytes / piece.len().max(1);
        data.splice(from..from, piece.repeat(times));
    }

    fn other_case(&mut self, data: &mut [u8], from: usize, to: usize) {
        for byte in &mut data[from..to] {
            if byte.is_ascii_alphabetic() {
                *byte ^= 0x20;
            }
        }
    }
}
