//! Whose packets a leg believes: the RTP bleed rules.
//!
//! A source fits in one of three ranks. The address of the SDP is believed at once. So is the IP
//! address that the SDP or the signalling shows, on whatever port: that is where NAT would put it.
//! Anybody else is a stranger, who must show [`SEQUENTIAL_PACKETS`] sequential packets of one SSRC
//! within the [`LEARNING_WINDOW`], and is believed provisionally: a better rank still takes its
//! place until the window has passed. When the SDP and the signalling show the same IP address,
//! there is no NAT to explain a stranger, and none is ever learned.

mod control;
#[cfg(test)]
mod tests;

use core::net::{IpAddr, SocketAddr};

use leg::SourceLock;
use model::Mono;
use smallvec::SmallVec;

use crate::limits::{CANDIDATES_MAX, LEARNING_WINDOW, SEQUENTIAL_PACKETS};
use crate::rtp::Header;

pub use self::control::ControlLock;

/// Which source of RTP a leg believes.
#[derive(Debug)]
pub struct Lock {
    rules: SourceLock,
    described: Option<SocketAddr>,
    negotiation: u32,
    former: Option<Former>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// No source yet, only strangers that are being weighed.
    Learn { candidates: SmallVec<[Candidate; CANDIDATES_MAX]> },
    /// A stranger is believed; until then a source of a better rank takes its place.
    Provisional { source: SocketAddr, until: Mono },
    /// This source and no other, until the session is negotiated anew.
    Locked { source: SocketAddr },
}

/// A stranger that may become the source.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: SocketAddr,
    ssrc: u32,
    sequence: u16,
    count: u8,
    since: Mono,
}

/// The source before the last negotiation.
#[derive(Clone, Copy, Debug)]
struct Former {
    source: SocketAddr,
    /// The SDP still gives the same address, so the source is as good as before. Otherwise the
    /// peer has moved, and what still comes from there is the tail of the old stream.
    stands: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    Described,
    SameAddress,
    Stranger,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Drop it and count it.
    Stranger,
    /// Take it.
    Believed,
    /// Take it, and from now on nothing but this source: its socket can be connected.
    Locked,
}

/// What a negotiation did to the connection of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Relock {
    /// It was connected and must not be any longer.
    pub disconnect: bool,
    /// It is to be connected to this address.
    pub connect: Option<SocketAddr>,
}

impl Lock {
    /// The lock of a new leg.
    pub fn new(rules: SourceLock, described: Option<SocketAddr>, negotiation: u32) -> Lock {
        let described = described.map(canonical);
        Lock { rules, described, negotiation, former: None, state: first_state(rules, described) }
    }

    /// Takes over what the session says now. A higher `negotiation` lets the source be learned
    /// again; with the same one only a leg that has no locked source follows the SDP.
    pub fn negotiate(
        &mut self,
        rules: SourceLock,
        described: Option<SocketAddr>,
        negotiation: u32,
    ) -> Relock {
        let described = described.map(canonical);
        let locked = self.locked();
        if negotiation <= self.negotiation && (negotiation < self.negotiation || locked.is_some()) {
            return Relock::default();
        }
        if negotiation > self.negotiation {
            let stands = described.is_none() || described == self.described;
            let source = self.source().or(self.former.filter(|f| f.stands).map(|f| f.source));
            self.former = source.map(|source| Former { source, stands });
            self.state = first_state(rules, described);
        } else if rules == SourceLock::Described {
            self.state = first_state(rules, described);
        }
        // An SDP without an address is a hold: the one before it still tells where the peer is.
        self.described = described.or(self.described);
        self.rules = rules;
        self.negotiation = negotiation;
        let connect = self.locked();
        if connect == locked {
            return Relock::default();
        }
        Relock { disconnect: locked.is_some(), connect }
    }

    /// Judges an RTP packet.
    pub fn judge(&mut self, now: Mono, from: SocketAddr, header: &Header) -> Verdict {
        if let State::Locked { source } = self.state
            && source == from
        {
            return Verdict::Believed;
        }
        let from = canonical(from);
        let SourceLock::Learn { signalled } = self.rules else {
            return self.judge_locked(from);
        };
        let rank = self.rank(from, signalled);
        match (&mut self.state, rank) {
            (State::Locked { .. }, _) => self.judge_locked(from),
            (State::Learn { .. } | State::Provisional { .. }, Rank::Described)
            | (State::Learn { .. } | State::Provisional { .. }, Rank::SameAddress) => {
                self.state = State::Locked { source: from };
                Verdict::Locked
            }
            (State::Provisional { source, until }, Rank::Stranger) => {
                if *source != from {
                    Verdict::Stranger
                } else if now < *until {
                    Verdict::Believed
                } else {
                    self.state = State::Locked { source: from };
                    Verdict::Locked
                }
            }
            (State::Learn { candidates }, Rank::Stranger) => {
                let moved = self.former.is_some_and(|f| f.source == from);
                if !moved && !strangers_are_learned(self.described, signalled) {
                    return Verdict::Stranger;
                }
                if !weigh(candidates, now, from, header) {
                    return Verdict::Stranger;
                }
                self.state = State::Provisional { source: from, until: now + LEARNING_WINDOW };
                Verdict::Believed
            }
        }
    }

    /// What [`Lock::judge`] would say of one packet more, without learning from it.
    pub fn foresee(&self, from: SocketAddr) -> Verdict {
        let from = canonical(from);
        let SourceLock::Learn { signalled } = self.rules else {
            return self.judge_locked(from);
        };
        match (&self.state, self.rank(from, signalled)) {
            (State::Locked { .. }, _) => self.judge_locked(from),
            (_, Rank::Described | Rank::SameAddress) => Verdict::Believed,
            (State::Provisional { source, .. }, Rank::Stranger) if *source == from => {
                Verdict::Believed
            }
            (State::Provisional { .. } | State::Learn { .. }, Rank::Stranger) => Verdict::Stranger,
        }
    }

    /// Judges RTCP on the RTP port: of the believed source, or of the described one before there is
    /// any. It locks nothing.
    pub fn admit(&self, from: SocketAddr) -> Verdict {
        let from = canonical(from);
        match self.source().or(self.described) {
            Some(source) if source == from => Verdict::Believed,
            Some(_) | None => Verdict::Stranger,
        }
    }

    /// The source that is locked, and connected to.
    pub fn locked(&self) -> Option<SocketAddr> {
        match self.state {
            State::Locked { source } => Some(source),
            State::Learn { .. } | State::Provisional { .. } => None,
        }
    }

    /// The source that is believed, locked or not.
    pub fn source(&self) -> Option<SocketAddr> {
        match self.state {
            State::Locked { source } | State::Provisional { source, .. } => Some(source),
            State::Learn { .. } => None,
        }
    }

    /// Where to send: to the source (symmetric RTP, RFC 4961), as long as there is none to where
    /// it was before, else to the address of the SDP.
    pub fn target(&self) -> Option<SocketAddr> {
        let former = self.former.filter(|f| f.stands).map(|f| f.source);
        self.source().or(former).or(self.described)
    }

    fn judge_locked(&self, from: SocketAddr) -> Verdict {
        if self.locked() == Some(from) { Verdict::Believed } else { Verdict::Stranger }
    }

    fn rank(&self, from: SocketAddr, signalled: Option<IpAddr>) -> Rank {
        if self.described == Some(from) {
            return Rank::Described;
        }
        if let Some(former) = self.former.filter(|f| f.source == from) {
            return if former.stands { Rank::Described } else { Rank::Stranger };
        }
        if self.described.is_some_and(|d| d.ip() == from.ip())
            || signalled.is_some_and(|ip| ip.to_canonical() == from.ip())
        {
            Rank::SameAddress
        } else {
            Rank::Stranger
        }
    }
}

fn first_state(rules: SourceLock, described: Option<SocketAddr>) -> State {
    match (rules, described) {
        (SourceLock::Described, Some(source)) => State::Locked { source },
        (SourceLock::Described, None) | (SourceLock::Learn { .. }, _) => {
            State::Learn { candidates: SmallVec::new() }
        }
    }
}

/// Whether a source that nothing points to may be learned at all.
fn strangers_are_learned(described: Option<SocketAddr>, signalled: Option<IpAddr>) -> bool {
    match (described, signalled) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(described), Some(signalled)) => described.ip() != signalled.to_canonical(),
    }
}

/// Counts a stranger's sequential packets; `true` when there are enough.
fn weigh(
    candidates: &mut SmallVec<[Candidate; CANDIDATES_MAX]>,
    now: Mono,
    from: SocketAddr,
    header: &Header,
) -> bool {
    candidates.retain(|c| now.since(c.since) <= LEARNING_WINDOW);
    let known = candidates.iter_mut().find(|c| c.source == from && c.ssrc == header.ssrc);
    let Some(candidate) = known else {
        if candidates.len() == CANDIDATES_MAX {
            // The one that got least far makes room, so that spraying does not displace a phone.
            let least = candidates.iter().enumerate().min_by_key(|(_, c)| c.count).map(|(i, _)| i);
            candidates.remove(least.unwrap_or(0));
        }
        candidates.push(Candidate {
            source: from,
            ssrc: header.ssrc,
            sequence: header.sequence,
            count: 1,
            since: now,
        });
        return SEQUENTIAL_PACKETS <= 1;
    };
    if header.sequence == candidate.sequence {
        return false;
    }
    if header.sequence == candidate.sequence.wrapping_add(1) {
        candidate.count += 1;
    } else {
        (candidate.count, candidate.since) = (1, now);
    }
    candidate.sequence = header.sequence;
    candidate.count >= SEQUENTIAL_PACKETS
}

/// A socket that takes both families shows IPv4 addresses mapped into IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(_) => SocketAddr::new(address.ip().to_canonical(), address.port()),
    }
}
