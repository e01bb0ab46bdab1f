//! The door: who is let in, who is answered, and how much, before anything is kept of a message.
//!
//! One value per shard. What the shards of a node must agree on (who is known, who is banned) goes
//! between them as [`News`]. Sources are **known** after a right digest, for an hour, and while a
//! registration of theirs is stored; hosts of trunks always are. All others are **strangers**:
//! their answers are capped, all together and each, and over datagrams, whose source may be
//! forged, an answer is little longer than what was asked. Who sends wrong credentials again and
//! again is **banned**; known sources never are.
//!
//! Read in this order: [`limits`], [`denied`], [`source`], `cap`, `book`, `brief`, `strip`,
//! `stun`.

mod book;
mod brief;
mod cap;
pub mod denied;
pub mod limits;
pub mod source;
mod strip;
mod stun;

use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use model::{Chance, Directory, Mono, Network};
use stack::{Bytes, Flow};

use book::{Book, Entry};
use cap::Cap;
use denied::{Denials, Denied};
use limits::{
    ANSWER_TENTHS_MAX, BAN_FIRST, BAN_LONGEST, BAN_REMEMBERED, BANNED_LOOKED_AT_PER_SECOND,
    FAILURE_WINDOW, FAILURES_MAX, KNOWN_ANSWERS_PER_SECOND, KNOWN_FOR, KNOWN_MAX, SHARD_PART_MIN,
    STRANGER_DATAGRAM_MAX, SUSPECTS_MAX, TOLD_EVERY,
};
use source::Source;
pub(crate) use strip::{Trust, strip};

/// What a source is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is known of it.
    Stranger,
    /// It has proved itself lately, or a registration of it is stored.
    Known,
    /// A host of a trunk.
    Trunk,
}

/// Who sent the message in hand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visitor {
    pub(crate) source: Source,
    /// Its address in full.
    address: IpAddr,
    /// The source may be forged: a datagram.
    may_be_forged: bool,
    /// Bytes of its message.
    length: usize,
    /// Nothing more is said to it.
    pub(crate) is_hushed: bool,
}

impl Visitor {
    pub(crate) fn of(flow: &Flow, length: usize) -> Visitor {
        let may_be_forged = !flow.transport.is_reliable();
        let address = flow.remote.ip();
        let source = Source::of(address);
        Visitor { source, address, may_be_forged, length, is_hushed: false }
    }
}

/// What one shard's door tells those of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The source is known until then: whatever stood against it is over.
    Known(Source, Mono),
    /// The source is a trunk's until then.
    Trunk(Source, Mono),
    /// To the shard whose matter the source is: it has sent wrong credentials.
    Failed(Source),
    /// Wrong credentials of this known source get no answer until then.
    Silenced(Source, Mono),
    /// The source is banned until then, for the so-manieth time.
    Banned(Source, Mono, u32),
}

/// A source that is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who.
    pub source: Source,
    /// For how long still.
    pub left: Duration,
    /// How often it was banned lately, this time included.
    pub bans: u32,
}

/// What the door has counted since it began. Rising only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoorCounters {
    /// Messages dropped and answers held back, by reason.
    pub denials: Denials,
    /// Answers given to strangers.
    pub strangers_answered: u64,
    /// Requests with a login unknown or a password wrong.
    pub wrong_credentials: u64,
    /// Bans that this shard's door has imposed.
    pub bans: u64,
}

/// The door of one shard.
#[derive(Debug)]
pub(crate) struct Door {
    index: usize,
    shards: usize,
    book: Book,
    cap: Cap,
    known_per_second: u32,
    trunks: Vec<Source>,
    /// Ranges of addresses from which trunks call.
    ranges: Vec<Network>,
    counters: DoorCounters,
    news: Vec<(Option<usize>, News)>,
}

impl Door {
    /// The door of the shard `index` of `shards`.
    pub(crate) fn new(index: usize, shards: usize, chance: &mut Chance) -> Door {
        let part = (KNOWN_ANSWERS_PER_SECOND / shards.max(1)).max(SHARD_PART_MIN);
        Door {
            index,
            shards: shards.max(1),
            book: Book::new(chance, KNOWN_MAX, SUSPECTS_MAX),
            cap: Cap::new(shards, chance),
            known_per_second: u32::try_from(part).unwrap_or(u32::MAX),
            trunks: Vec::new(),
            ranges: Vec::new(),
            counters: DoorCounters::default(),
            news: Vec::new(),
        }
    }

    /// Whether a message is looked at, by where it came from, its length and its first byte.
    pub(crate) fn admit(
        &mut self,
        now: Mono,
        visitor: &Visitor,
        bytes: &[u8],
    ) -> Result<Standing, Denied> {
        // STUN, DTLS and RTP begin with none of these; line ends may stand before a start line.
        if !bytes.first().is_some_and(|b| b.is_ascii_graphic() || matches!(b, b'\r' | b'\n')) {
            return Err(self.deny(Denied::NotSip));
        }
        self.recognise(now, visitor);
        let entry = self.book.entry(visitor.source);
        let standing = standing(entry, now);
        if standing == Standing::Stranger {
            let is_banned = entry.is_some_and(|e| e.is_banned(now));
            if is_banned && !self.may_register(now, visitor, bytes) {
                return Err(self.deny(Denied::Banned));
            }
            if visitor.may_be_forged && bytes.len() > STRANGER_DATAGRAM_MAX {
                return Err(self.deny(Denied::Oversize));
            }
        }
        Ok(standing)
    }

    /// Who comes from a range of a trunk's is a trunk's until the directory changes.
    fn recognise(&mut self, now: Mono, visitor: &Visitor) {
        if self.ranges.is_empty() || self.trunks.len() >= KNOWN_MAX {
            return;
        }
        let is_trunk = self.book.entry(visitor.source).is_some_and(|entry| entry.is_trunk(now));
        if !is_trunk && self.ranges.iter().any(|range| range.contains(visitor.address)) {
            self.trunks.push(visitor.source);
            self.set_trunk(now, visitor.source, Mono(u64::MAX));
        }
    }

    /// Whether a message of a banned source is one of the few that are looked at: a phone with the
    /// right password behind the same address gets in, and ends the ban.
    fn may_register(&mut self, now: Mono, visitor: &Visitor, bytes: &[u8]) -> bool {
        bytes.starts_with(b"REGISTER ")
            && self.book.spend(now, visitor.source, BANNED_LOOKED_AT_PER_SECOND)
    }

    /// The answer to a datagram that asks whether the way is still open (STUN); `None`: it is
    /// something else. Strangers get none: it is longer than what was asked.
    pub(crate) fn keep_alive(
        &mut self,
        now: Mono,
        visitor: &Visitor,
        flow: &Flow,
        bytes: &[u8],
    ) -> Option<Bytes> {
        if !visitor.may_be_forged {
            return None;
        }
        let answer = stun::answer(bytes, flow.remote)?;
        let standing = standing(self.book.entry(visitor.source), now);
        let per_second = self.known_per_second;
        let may =
            standing != Standing::Stranger && self.book.spend(now, visitor.source, per_second);
        may.then(|| answer.into())
    }

    /// Whether a message that can only end in an answer without state, or in none, is worth any
    /// work.
    pub(crate) fn has_answer_left(
        &mut self,
        now: Mono,
        visitor: &Visitor,
        standing: Standing,
    ) -> Result<(), Denied> {
        match standing {
            Standing::Known | Standing::Trunk => Ok(()),
            Standing::Stranger => {
                let left = self.cap.look(now, visitor.source);
                left.map_err(|why| self.deny(why))
            }
        }
    }

    /// Lets an answer without state out, as it is or shorter, or holds it back.
    pub(crate) fn answer(
        &mut self,
        now: Mono,
        visitor: &Visitor,
        answer: Bytes,
    ) -> Result<Bytes, Denied> {
        let source = visitor.source;
        if standing(self.book.entry(source), now) != Standing::Stranger {
            return match self.book.spend(now, source, self.known_per_second) {
                true => Ok(answer),
                false => Err(self.deny(Denied::OwnCap)),
            };
        }
        let limit = visitor.length.saturating_mul(ANSWER_TENTHS_MAX) / 10;
        let answer = if visitor.may_be_forged && answer.len() > limit {
            let short = brief::shortened(&answer, limit);
            short.ok_or_else(|| self.deny(Denied::AnswerTooLong))?.into()
        } else {
            answer
        };
        self.cap.give(now, source).map_err(|why| self.deny(why))?;
        self.counters.strangers_answered += 1;
        Ok(answer)
    }

    /// Wrong credentials came. The error: it has been too many, say nothing.
    pub(crate) fn failed(&mut self, now: Mono, source: Source) -> Result<(), Denied> {
        self.counters.wrong_credentials += 1;
        self.is_quiet(now, source)?;
        let home = self.home(source);
        if home == self.index {
            self.count_failure(now, source);
            return self.is_quiet(now, source);
        }
        self.news.push((Some(home), News::Failed(source)));
        Ok(())
    }

    /// A right digest with a young nonce came: more answers for those behind the same address. It
    /// does not make the source known, since it may have been overheard.
    pub(crate) fn vouched(&mut self, now: Mono, source: Source) {
        self.book.earn(now, source);
    }

    /// A right digest came that was not used before, or a registration was read back.
    pub(crate) fn proven(&mut self, now: Mono, source: Source) {
        let until = now + KNOWN_FOR;
        let entry = self.book.entry(source);
        let is_old_news = entry.is_some_and(|e| {
            e.known_until > now && now.since(e.told) < TOLD_EVERY && e.banned_until <= now
        });
        if is_old_news {
            return;
        }
        self.set_known(now, source, until);
        self.news.push((None, News::Known(source, until)));
    }

    /// The hosts of all trunks that are addresses, and where their calls come from.
    pub(crate) fn set_trunks(&mut self, now: Mono, directory: &Directory) {
        for old in core::mem::take(&mut self.trunks) {
            self.book.change(now, old, |entry| entry.trunk_until = Mono(0));
        }
        let enabled = directory.trunks.values().filter(|trunk| trunk.enabled);
        let hosts = enabled.clone().flat_map(|trunk| &trunk.hosts);
        let hosts = hosts.filter_map(|host| host.host.parse::<IpAddr>().ok());
        let sources = || enabled.clone().flat_map(|trunk| trunk.addresses.iter().copied());
        let single = sources().filter_map(Network::address);
        self.trunks = hosts.chain(single).map(Source::of).collect();
        self.ranges = sources().filter(|network| network.address().is_none()).collect();
        self.ranges.sort_unstable();
        self.ranges.dedup();
        self.trunks.sort_unstable();
        self.trunks.dedup();
        for source in self.trunks.clone() {
            self.set_trunk(now, source, Mono(u64::MAX));
        }
    }

    /// We have found a trunk's host at this address.
    pub(crate) fn found_trunk(&mut self, now: Mono, address: IpAddr) {
        let source = Source::of(address);
        let half = now + KNOWN_FOR / 2;
        if self.book.entry(source).is_some_and(|entry| entry.trunk_until > half) {
            return;
        }
        let until = now + KNOWN_FOR;
        self.set_trunk(now, source, until);
        self.news.push((None, News::Trunk(source, until)));
    }

    /// What another shard's door tells.
    pub(crate) fn hear(&mut self, now: Mono, news: &[News]) {
        for news in news {
            match *news {
                News::Known(source, until) => self.set_known(now, source, until),
                News::Trunk(source, until) => self.set_trunk(now, source, until),
                News::Failed(source) => self.count_failure(now, source),
                News::Silenced(source, until) => {
                    self.book.change(now, source, |entry| entry.silenced_until = until);
                }
                News::Banned(source, until, bans) => self.set_banned(now, source, until, bans),
            }
        }
    }

    /// What the others are to be told, by shard.
    pub(crate) fn take_news(&mut self) -> Vec<(usize, Arc<[News]>)> {
        if self.news.is_empty() {
            return Vec::new();
        }
        let news = core::mem::take(&mut self.news);
        let others = (0..self.shards).filter(|shard| *shard != self.index);
        let told = others.map(|shard| {
            let for_it = news.iter().filter(|(to, _)| to.is_none_or(|to| to == shard));
            (shard, for_it.map(|(_, news)| *news).collect::<Arc<[News]>>())
        });
        told.filter(|(_, news)| !news.is_empty()).collect()
    }

    /// An operator lifts the ban of a source; what led to it is forgotten.
    pub(crate) fn lift(&mut self, now: Mono, source: Source) {
        self.book.change(now, source, clear);
    }

    /// The banned sources, in order.
    pub(crate) fn bans(&self, now: Mono) -> Vec<Ban> {
        let bans = self.book.banned(now).map(|(source, entry)| Ban {
            source,
            left: entry.banned_until.since(now),
            bans: entry.bans,
        });
        bans.collect()
    }

    /// Known sources.
    pub(crate) fn known(&self) -> usize {
        self.book.known()
    }

    /// What was counted.
    pub(crate) fn counters(&self) -> DoorCounters {
        self.counters
    }

    /// Counts a reason, and gives it back.
    pub(crate) fn deny(&mut self, why: Denied) -> Denied {
        self.counters.denials.count(why);
        why
    }

    /// Whether wrong credentials of this source are answered any more.
    fn is_quiet(&mut self, now: Mono, source: Source) -> Result<(), Denied> {
        let Some(entry) = self.book.entry(source) else { return Ok(()) };
        if entry.is_banned(now) {
            Err(self.deny(Denied::Banned))
        } else if entry.silenced_until > now {
            Err(self.deny(Denied::Silenced))
        } else {
            Ok(())
        }
    }

    /// The shard that counts a source's failures.
    fn home(&self, source: Source) -> usize {
        let shards = u64::try_from(self.shards).unwrap_or(1);
        usize::try_from(source.number() % shards).unwrap_or(0)
    }

    fn count_failure(&mut self, now: Mono, source: Source) {
        let sentence = self.book.change(now, source, |entry| {
            if entry.failures == 0 || now.since(entry.failing_since) >= FAILURE_WINDOW {
                (entry.failures, entry.failing_since) = (0, now);
            }
            entry.failures += 1;
            (entry.failures >= FAILURES_MAX && !entry.is_banned(now)).then_some(*entry)
        });
        let Some(entry) = sentence else { return };
        if entry.is_known(now) {
            let until = entry.failing_since + FAILURE_WINDOW;
            self.book.change(now, source, |entry| entry.silenced_until = until);
            self.news.push((None, News::Silenced(source, until)));
            return;
        }
        let before = if now.since(entry.banned_until) < BAN_REMEMBERED { entry.bans } else { 0 };
        let length = BAN_FIRST.saturating_mul(1 << before.min(16)).min(BAN_LONGEST);
        let (until, bans) = (now + length, before.saturating_add(1));
        self.set_banned(now, source, until, bans);
        self.counters.bans += 1;
        self.news.push((None, News::Banned(source, until, bans)));
    }

    fn set_banned(&mut self, now: Mono, source: Source, until: Mono, bans: u32) {
        self.book.change(now, source, |entry| {
            (entry.banned_until, entry.bans, entry.failures) = (until, bans, 0);
        });
    }

    fn set_known(&mut self, now: Mono, source: Source, until: Mono) {
        let own = self.known_per_second;
        self.book.change(now, source, |entry| {
            if !entry.is_known(now) {
                (entry.earned, entry.filled) = (own, now);
                clear(entry);
            }
            entry.known_until = entry.known_until.max(until);
            entry.told = now;
            entry.earn();
        });
    }

    fn set_trunk(&mut self, now: Mono, source: Source, until: Mono) {
        let own = self.known_per_second;
        self.book.change(now, source, |entry| {
            if !entry.is_known(now) {
                (entry.earned, entry.filled) = (own, now);
            }
            entry.trunk_until = entry.trunk_until.max(until);
        });
    }
}

fn standing(entry: Option<&Entry>, now: Mono) -> Standing {
    match entry {
        Some(entry) if entry.is_trunk(now) => Standing::Trunk,
        Some(entry) if entry.is_known(now) => Standing::Known,
        Some(_) | None => Standing::Stranger,
    }
}

/// Nothing stands against the source any more.
fn clear(entry: &mut Entry) {
    entry.failures = 0;
    entry.bans = 0;
    entry.banned_until = Mono(0);
    entry.silenced_until = Mono(0);
}

#[cfg(test)]
mod tests;
