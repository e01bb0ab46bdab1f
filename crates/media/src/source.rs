//! Whose packets a leg believes: the RTP bleed rules.
//!
//! A source fits in one of three ranks. The address of the SDP is believed at once. So is the IP
//! address that the SDP or the signalling shows, on whatever port: that is where NAT would put it.
//! Anybody else is a stranger, who must show [`SEQUENTIAL_PACKETS`] sequential packets of one SSRC
//! within the [`LEARNING_WINDOW`], and is believed provisionally: a better rank still takes its
//! place until the window has passed. When the SDP and the signalling show the same IP address,
//! there is no NAT to explain a stranger, and none is ever learned.

use core::net::{IpAddr, SocketAddr};

use leg::SourceLock;
use model::Mono;
use smallvec::SmallVec;

use crate::limits::{CANDIDATES_MAX, LEARNING_WINDOW, SEQUENTIAL_PACKETS};
use crate::rtp::Header;

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

/// Which source of RTCP on a port of its own a leg believes: the described one, or the first from
/// the IP address to which the RTP is locked.
#[derive(Debug)]
pub struct ControlLock {
    described: Option<SocketAddr>,
    source: Option<SocketAddr>,
}

impl ControlLock {
    /// The lock of a new leg; a trunk's source is locked from the start.
    pub fn new(rules: SourceLock, described: Option<SocketAddr>) -> ControlLock {
        let described = described.map(canonical);
        let source = described.filter(|_| rules == SourceLock::Described);
        ControlLock { described, source }
    }

    /// Judges an RTCP datagram.
    pub fn judge(&mut self, from: SocketAddr, rtp: &Lock) -> Verdict {
        let from = canonical(from);
        match self.source {
            Some(source) if source == from => Verdict::Believed,
            Some(_) => Verdict::Stranger,
            None => {
                let beside = rtp.rules != SourceLock::Described
                    && rtp.locked().is_some_and(|rtp| rtp.ip() == from.ip());
                if self.described == Some(from) || beside {
                    self.source = Some(from);
                    Verdict::Locked
                } else {
                    Verdict::Stranger
                }
            }
        }
    }

    /// The source that is locked, and connected to.
    pub fn locked(&self) -> Option<SocketAddr> {
        self.source
    }

    /// Where to send: to the source; else to the described address, unless NAT has put the RTP
    /// elsewhere: then beside that.
    pub fn target(&self, rtp: &Lock) -> Option<SocketAddr> {
        if self.source.is_some() {
            return self.source;
        }
        match rtp.target() {
            Some(at) if Some(at) != rtp.described => {
                at.port().checked_add(1).map(|port| SocketAddr::new(at.ip(), port))
            }
            _ => self.described,
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

#[cfg(test)]
mod tests {
    use super::*;

    const BEHIND_NAT: SourceLock =
        SourceLock::Learn { signalled: Some(IpAddr::V4(core::net::Ipv4Addr::new(203, 0, 113, 9))) };

    /// The cast: who sends a packet in a script.
    fn address(who: char) -> SocketAddr {
        let text = match who {
            'D' => "10.0.0.5:4000",          // the address of the SDP
            'd' => "10.0.0.5:4444",          // its IP address, another port
            'g' => "203.0.113.9:61000",      // the IP address of the signalling
            'G' => "203.0.113.9:62000",      // another port of it
            's' => "198.51.100.7:9000",      // a stranger
            't' => "198.51.100.8:9000",      // another
            'M' => "10.0.0.5:5000",          // where the SDP moves to
            'm' => "[::ffff:10.0.0.5]:4000", // the SDP's, as a socket of both families shows it
            _ => unreachable!("nobody is called {who}"),
        };
        text.parse().unwrap()
    }

    struct Stage {
        lock: Lock,
        now: Mono,
        numbers: [u16; 128],
        negotiation: u32,
    }

    impl Stage {
        fn new(rules: SourceLock, described: Option<char>) -> Stage {
            Stage {
                lock: Lock::new(rules, described.map(address), 1),
                now: Mono(1_000_000),
                numbers: [100; 128],
                negotiation: 1,
            }
        }

        /// Plays a script and shows what came of its last packet: `.` stranger, `b` believed,
        /// `L` locked. Packets by name; `-` after a name leaves a number out; `+` waits 1 s;
        /// `=` negotiates the same anew, `>` an SDP that moved, `)` one that moved to where `d` is,
        /// `0` one without an address.
        fn play(&mut self, script: &str) -> char {
            let mut shown = ' ';
            for step in script.chars() {
                match step {
                    '+' => self.now = Mono(self.now.0 + 1_000_000),
                    '-' => self.numbers.iter_mut().for_each(|n| *n += 1),
                    '=' => self.negotiate(Some('D')),
                    '>' => self.negotiate(Some('M')),
                    ')' => self.negotiate(Some('d')),
                    '0' => self.negotiate(None),
                    who => {
                        let number = &mut self.numbers[who as usize];
                        *number += 1;
                        let header = Header {
                            marker: false,
                            payload_type: 8,
                            sequence: *number,
                            timestamp: 0,
                            ssrc: u32::from(who),
                        };
                        self.now = Mono(self.now.0 + 20_000);
                        shown = match self.lock.judge(self.now, address(who), &header) {
                            Verdict::Stranger => '.',
                            Verdict::Believed => 'b',
                            Verdict::Locked => 'L',
                        };
                    }
                }
            }
            shown
        }

        fn negotiate(&mut self, described: Option<char>) {
            self.negotiation += 1;
            self.lock.negotiate(self.lock.rules, described.map(address), self.negotiation);
        }
    }

    #[test]
    fn every_state_judges_every_source_as_the_table_says() {
        const SOURCES: &str = "DdgstMm";
        let trunk = SourceLock::Described;
        let unsignalled = SourceLock::Learn { signalled: None };
        let no_nat = SourceLock::Learn { signalled: Some(address('D').ip()) };
        // State, how it is reached, and what it makes of one packet of each of SOURCES.
        let table = [
            ("learning", BEHIND_NAT, Some('D'), "", "LLL..LL"),
            ("three of a stranger", BEHIND_NAT, Some('D'), "sss", "LLLb.LL"),
            ("the window has passed", BEHIND_NAT, Some('D'), "sss++++++", "LLL..LL"),
            ("four with a hole", BEHIND_NAT, Some('D'), "ss-ss", "LLL..LL"),
            ("two strangers in turn", BEHIND_NAT, Some('D'), "ststst", "LLLbbLL"),
            ("provisional", BEHIND_NAT, Some('D'), "ssss", "LLLb.LL"),
            ("provisional, window over", BEHIND_NAT, Some('D'), "ssss++++++", "LLLL.LL"),
            ("locked to a stranger", BEHIND_NAT, Some('D'), "ssss++++++s", "...b..."),
            ("locked to the SDP's", BEHIND_NAT, Some('D'), "D", "b.....b"),
            ("the SDP's took over", BEHIND_NAT, Some('D'), "ssssD", "b.....b"),
            ("locked to its IP", BEHIND_NAT, Some('D'), "d", ".b....."),
            ("locked to the signalled IP", BEHIND_NAT, Some('D'), "g", "..b...."),
            ("no signalled address", unsignalled, Some('D'), "sss", "LL.b.LL"),
            ("no NAT between", no_nat, Some('D'), "sss", "LL...LL"),
            ("no address yet", BEHIND_NAT, None, "sss", "..L...."),
            ("negotiated anew", BEHIND_NAT, Some('D'), "g=", "LLL..LL"),
            ("anew after a stranger", BEHIND_NAT, Some('D'), "ssss=", "LLLL.LL"),
            ("on hold without address", BEHIND_NAT, Some('D'), "ssss0", "LLLL.LL"),
            ("moved", BEHIND_NAT, Some('D'), "D>", ".LL..L."),
            ("moved to where it already is", BEHIND_NAT, Some('D'), "d)", "LLL..LL"),
            ("moved, old one insists", BEHIND_NAT, Some('D'), "D>DDD", "bLL..L."),
            ("moved, old one learned", BEHIND_NAT, Some('D'), "D>DDDD", "bLL..Lb"),
            ("trunk", trunk, Some('D'), "ssss", "b.....b"),
            ("trunk, negotiated anew", trunk, Some('D'), "=", "b.....b"),
            ("trunk, moved", trunk, Some('D'), ">", ".....b."),
            ("trunk without address", trunk, None, "", "......."),
        ];
        for (state, rules, described, script, row) in table {
            for (source, expected) in SOURCES.chars().zip(row.chars()) {
                let mut stage = Stage::new(rules, described);
                stage.play(script);
                let foreseen = stage.lock.foresee(address(source)) == Verdict::Believed;
                let got = stage.play(&source.to_string());
                assert_eq!(got, expected, "{state}: {source}");
                // Only a stranger's learning is not foreseen.
                assert!(foreseen || got != 'L', "{state}: {source} was not foreseen");
                assert!(!foreseen || got != '.', "{state}: {source} was foreseen");
            }
        }
    }

    #[test]
    fn sound_goes_where_it_comes_from() {
        let cases = [
            ("", Some('D')),
            ("sss", Some('D')),
            ("ssss", Some('s')),
            ("g", Some('g')),
            ("g=", Some('g')),
            ("g==", Some('g')),
            ("g0", Some('g')),
            ("g>", Some('M')),
            ("g>M", Some('M')),
            ("ssssg", Some('g')),
        ];
        for (script, expected) in cases {
            let mut stage = Stage::new(BEHIND_NAT, Some('D'));
            stage.play(script);
            assert_eq!(stage.lock.target(), expected.map(address), "{script}");
        }
    }

    #[test]
    fn a_negotiation_says_what_becomes_of_the_connection() {
        let same = Relock::default();
        let connect = |who| Relock { disconnect: false, connect: Some(address(who)) };
        let disconnect = Relock { disconnect: true, connect: None };
        let reconnect = |who| Relock { disconnect: true, connect: Some(address(who)) };
        let trunk = SourceLock::Described;
        // Rules, first SDP, script, then (SDP, negotiation) and what it does.
        let cases = [
            (BEHIND_NAT, Some('D'), "D", Some('D'), 1, same),
            (BEHIND_NAT, Some('D'), "D", Some('M'), 1, same),
            (BEHIND_NAT, Some('D'), "D", Some('M'), 0, same),
            (BEHIND_NAT, Some('D'), "D", Some('D'), 2, disconnect),
            (BEHIND_NAT, Some('D'), "", Some('D'), 2, same),
            (BEHIND_NAT, Some('D'), "ssss", Some('D'), 2, same),
            (trunk, None, "", Some('D'), 1, connect('D')),
            (trunk, Some('D'), "", Some('M'), 1, same),
            (trunk, Some('D'), "", Some('D'), 2, same),
            (trunk, Some('D'), "", Some('M'), 2, reconnect('M')),
            (trunk, Some('D'), "", None, 2, disconnect),
        ];
        for (rules, first, script, described, negotiation, expected) in cases {
            let mut stage = Stage::new(rules, first);
            stage.play(script);
            let got = stage.lock.negotiate(rules, described.map(address), negotiation);
            assert_eq!(got, expected, "{rules:?} {script} {described:?} {negotiation}");
        }
    }

    #[test]
    fn strangers_that_spray_do_not_push_a_phone_out() {
        let mut stage = Stage::new(BEHIND_NAT, Some('D'));
        for n in 0..4 {
            // Three at first: until its second packet a phone is no better than anybody.
            for host in 0..if n < 2 { 3 } else { 30 } {
                let from = SocketAddr::from(([192, 0, 2, host], 1_000 + n));
                let header = Header {
                    marker: false,
                    payload_type: 8,
                    sequence: n * 7,
                    timestamp: 0,
                    ssrc: u32::from(host),
                };
                assert_eq!(stage.lock.judge(stage.now, from, &header), Verdict::Stranger);
            }
            let expected = if n < 3 { '.' } else { 'b' };
            assert_eq!(stage.play("s"), expected, "{n}");
        }
    }

    #[test]
    fn rtcp_follows_the_lock_of_the_rtp() {
        let port = |who: char, port| SocketAddr::new(address(who).ip(), port);
        let lock = |script: &str| {
            let mut stage = Stage::new(BEHIND_NAT, Some('D'));
            stage.play(script);
            stage.lock
        };
        let (described, beside, stranger) = (port('D', 4_001), port('g', 61_001), port('s', 9_001));
        let new = || ControlLock::new(BEHIND_NAT, Some(described));

        let learning = lock("");
        assert_eq!(new().judge(beside, &learning), Verdict::Stranger);
        assert_eq!(new().judge(stranger, &learning), Verdict::Stranger);
        assert_eq!(new().judge(described, &learning), Verdict::Locked);
        assert_eq!(new().target(&learning), Some(described));

        let natted = lock("g");
        let mut control = new();
        assert_eq!(control.target(&natted), Some(beside));
        assert_eq!(control.judge(stranger, &natted), Verdict::Stranger);
        assert_eq!(control.judge(port('g', 7), &natted), Verdict::Locked);
        assert_eq!(control.judge(port('g', 7), &natted), Verdict::Believed);
        assert_eq!(control.judge(described, &natted), Verdict::Stranger);
        assert_eq!(control.target(&natted), Some(port('g', 7)));

        let provisional = lock("ssss");
        assert_eq!(new().judge(stranger, &provisional), Verdict::Stranger);

        let trunk = Lock::new(SourceLock::Described, Some(address('D')), 1);
        let mut control = ControlLock::new(SourceLock::Described, Some(described));
        assert_eq!(control.judge(port('D', 7), &trunk), Verdict::Stranger);
        assert_eq!(control.judge(described, &trunk), Verdict::Believed);
    }

    #[test]
    fn multiplexed_rtcp_is_taken_from_the_source_of_the_rtp_alone() {
        let mut stage = Stage::new(BEHIND_NAT, Some('D'));
        assert_eq!(stage.lock.admit(address('D')), Verdict::Believed);
        assert_eq!(stage.lock.admit(address('g')), Verdict::Stranger);
        stage.play("g");
        assert_eq!(stage.lock.admit(address('g')), Verdict::Believed);
        assert_eq!(stage.lock.admit(address('G')), Verdict::Stranger);
        assert_eq!(stage.lock.admit(address('D')), Verdict::Stranger);
    }
}
