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
