//! Peers: whose packets are taken, what is reported to them and about them, and their ports.

use core::net::SocketAddr;
use core::time::Duration;

use leg::{Gain, MediaEventKind, Source, SourceLock};
use media::rtcp::{Block, Goodbye, Report, Sender, Told, ntp, read};
use media::rtp::Header;
use media::{Dropped, LegStats};
use model::Codec;

use crate::stage::{CALL, Stage, TENANT, leg_id, voice};

fn stats(stage: &Stage, phone: usize) -> LegStats {
    stage.plane.leg_stats(TENANT, CALL, leg_id(phone)).unwrap()
}

fn told(datagram: &[u8]) -> Vec<Told> {
    let mut all = Vec::new();
    read(datagram, |told| all.push(told)).unwrap();
    all
}

/// A phone whose SDP shows a private address, while its packets come from another.
fn behind_nat(stage: &mut Stage) -> SocketAddr {
    let private = SocketAddr::from(([10, 1, 2, 3], 40_000));
    stage.phones[0].leg.remote = Some(private);
    stage.phones[0].leg.negotiation += 1;
    private
}

/// Sprays a leg's ports from an address for a while, beside everything else that goes on.
fn spray(stage: &mut Stage, from: SocketAddr, ms: u16) {
    for n in 0..ms {
        let header = Header {
            marker: false,
            payload_type: 8,
            sequence: n,
            timestamp: u32::from(n) * 160,
            ssrc: 0xBAD,
        };
        let mut datagram = header.to_bytes().to_vec();
        datagram.extend([0x2A; 160]);
        stage.arrive(stage.phones[0].leg.port, from, datagram.clone());
        stage.arrive(stage.phones[0].leg.port + 1, from, datagram);
        stage.run_for(1);
    }
}

const ATTACKER: &str = "198.51.100.66:6666";

fn sent_to(stage: &Stage, to: SocketAddr) -> usize {
    stage.strays.iter().filter(|(_, at, _)| *at == to).count()
}

#[test]
fn a_sprayer_gets_nothing_when_the_sdp_address_is_right() {
    let mut stage = Stage::talking();
    let attacker: SocketAddr = ATTACKER.parse().unwrap();
    stage.phones[0].talks = false;
    spray(&mut stage, attacker, 200);
    stage.phones[0].talks = true;
    spray(&mut stage, attacker, 1_000);
    assert_eq!(stage.strays, []);
    assert_eq!(stage.plane.counters().dropped(Dropped::Stranger), 1_200);
    // Those on the RTCP port are not even RTCP.
    assert_eq!(stage.plane.counters().dropped(Dropped::Malformed), 1_200);
}

#[test]
fn a_sprayer_gets_at_most_5_packets_before_a_nat_lock_and_none_after() {
    let mut stage = Stage::talking();
    behind_nat(&mut stage);
    stage.apply();
    let attacker: SocketAddr = ATTACKER.parse().unwrap();
    spray(&mut stage, attacker, 300);
    let before = sent_to(&stage, attacker);
    assert!(before <= 5, "{before}");
    assert_eq!(stats(&stage, 0).source, Some(stage.phones[0].at));
    spray(&mut stage, attacker, 300);
    assert_eq!(sent_to(&stage, attacker), before);
    assert!(stage.phones[0].datagrams.len() > 25);
}

#[test]
fn a_phone_behind_nat_hears_from_its_first_packet_on() {
    let mut stage = Stage::talking();
    let private = behind_nat(&mut stage);
    stage.apply();
    stage.phones[0].talks = false;
    stage.run_for(200);
    assert_eq!(sent_to(&stage, private), 10);
    stage.phones[0].talks = true;
    stage.run_for(200);
    assert!(sent_to(&stage, private) <= 11);
    assert!(stage.phones[0].datagrams.len() >= 9);
    let (port, at) = (stage.phones[0].leg.port, stage.phones[0].at);
    assert_eq!(stage.connected.get(&port), Some(&at));
}

#[test]
fn a_new_negotiation_lets_the_source_be_learned_again() {
    let mut stage = Stage::talking();
    stage.run_for(100);
    let (port, old) = (stage.phones[0].leg.port, stage.phones[0].at);
    assert_eq!(stage.connected.get(&port), Some(&old));
    let moved = SocketAddr::new(old.ip(), 7_000);
    // Without a negotiation nothing moves.
    stage.phones[0].at = moved;
    stage.run_for(100);
    assert_eq!(stats(&stage, 0).source, Some(old));
    assert!(stage.plane.counters().dropped(Dropped::Stranger) >= 4);
    let mut report = Vec::new();
    let (block, sender, goodbye) = (None, None, Goodbye::No);
    Report { ssrc: 1, cname: &[b'x'; 16], sender, block, goodbye }.write(&mut report);
    stage.arrive(port + 1, SocketAddr::new(old.ip(), 5_003), report);
    assert_eq!(stage.connected.get(&(port + 1)).map(SocketAddr::port), Some(5_003));
    stage.phones[0].leg.negotiation += 1;
    stage.apply();
    assert_eq!(stage.connected.get(&port), None);
    assert_eq!(stage.connected.get(&(port + 1)), None);
    stage.run_for(100);
    assert_eq!(stage.connected.get(&port), Some(&moved));
}

#[test]
fn the_stream_to_a_phone_stays_over_its_negotiations() {
    let mut stage = Stage::talking();
    stage.run_for(100);
    for n in 0..4 {
        stage.phones[0].leg.negotiation += 1;
        stage.phones[0].leg.remote = (n % 2 == 1).then_some(stage.phones[0].at);
        stage.apply();
        stage.run_for(100);
    }
    let heard = &stage.phones[0].ear.heard;
    assert_eq!((heard.new_streams, heard.missing, heard.disorder), (0, 0, 0));
}

#[test]
fn a_trunk_is_connected_at_once_and_takes_its_address_only() {
    let mut stage = Stage::talking();
    stage.phones[0].leg.lock = SourceLock::Described;
    stage.phones[0].leg.negotiation += 1;
    stage.apply();
    let (port, at) = (stage.phones[0].leg.port, stage.phones[0].at);
    assert_eq!(stage.connected.get(&port), Some(&at));
    assert_eq!(stage.connected.get(&(port + 1)), Some(&SocketAddr::new(at.ip(), at.port() + 1)));
    stage.phones[0].at = SocketAddr::new(at.ip(), 7_000);
    stage.run_for(500);
    assert_eq!(stats(&stage, 0).received, 0);
}

#[test]
fn ports_are_opened_and_closed_with_their_legs() {
    let mut stage = Stage::talking();
    assert_eq!(stage.open.iter().copied().collect::<Vec<_>>(), [20_002, 20_003, 20_004, 20_005]);
    stage.run_for(100);
    stage.phones[1].leg.rtcp_mux = true;
    stage.apply();
    assert_eq!(stage.open.iter().copied().collect::<Vec<_>>(), [20_002, 20_003, 20_004]);
    let (other, ssrc) = (stats(&stage, 1).ssrc, stats(&stage, 0).ssrc);
    // The first leg moves to another port: a new stream; the second is not touched.
    stage.phones[0].leg.port = 20_010;
    stage.apply();
    assert_eq!(stage.open.iter().copied().collect::<Vec<_>>(), [20_004, 20_010, 20_011]);
    assert_ne!(stats(&stage, 0).ssrc, ssrc);
    assert_eq!(stats(&stage, 1).ssrc, other);
    stage.run_for(100);
    stage.end();
    assert!(stage.open.is_empty() && stage.connected.is_empty());
    assert_eq!((stage.plane.calls(), stage.plane.legs()), (0, 0));
}

#[test]
fn an_old_revision_changes_nothing() {
    let mut stage = Stage::talking();
    stage.revision -= 2;
    stage.hear(&[]);
    stage.revision += 1;
    stage.run_for(200);
    assert_eq!(stage.plane.counters().dropped(Dropped::OldRevision), 1);
    assert!(stage.phones[0].ear.heard.packets >= 9);
}

#[test]
fn legs_that_cannot_be_served_are_refused_alone() {
    let mut stage = Stage::new(&[Codec::Pcma; 4]);
    let port = stage.phones[0].leg.port;
    stage.phones[1].leg.port = port;
    stage.phones[2].leg.port = 20_333;
    stage.phones[3].leg.port = 0;
    stage.apply();
    stage.run_for(100);
    assert_eq!(stage.plane.legs(), 1);
    assert_eq!(stage.plane.counters().dropped(Dropped::LegRefused), 3);
}

#[test]
fn reports_come_every_5_seconds_and_count_right() {
    for rtcp_mux in [false, true] {
        let mut stage = Stage::talking();
        stage.phones.iter_mut().for_each(|phone| phone.leg.rtcp_mux = rtcp_mux);
        stage.apply();
        stage.run_for(1_000);
        // A tenth is lost on the way to us.
        for n in 0..900 {
            if n % 10 == 0 {
                stage.phones[0].mouth.lose();
                stage.phones[0].talks = false;
                stage.run_for(20);
                stage.phones[0].talks = true;
            } else {
                stage.run_for(20);
            }
        }
        let reports = stage.phones[0].reports.len();
        assert!((3..=4).contains(&reports), "{reports} in 19 s");
        let own = stats(&stage, 0);
        for report in &stage.phones[0].reports {
            let told = told(report);
            let [Told::Sender { ssrc, sender }, Told::Block(block)] = told[..] else {
                panic!("{told:?}");
            };
            assert_eq!(ssrc, own.ssrc);
            assert_eq!(sender.octets, sender.packets * 160);
            assert_eq!(block.ssrc, 0xA001);
            assert_eq!((block.last_report, block.delay), (0, 0));
        }
        let last = told(stage.phones[0].reports.last().unwrap());
        let Told::Block(block) = last[1] else { panic!("{last:?}") };
        assert!((20..=32).contains(&block.fraction), "{}", block.fraction);
        assert!(block.lost > 40);
        assert_eq!(own.lost, 90);
        assert_eq!(stage.plane.counters().dropped(Dropped::Stranger), 0);
    }
}

#[test]
fn what_a_peer_reports_is_known_and_not_relayed() {
    for rtcp_mux in [false, true] {
        let mut stage = Stage::talking();
        stage.phones.iter_mut().for_each(|phone| phone.leg.rtcp_mux = rtcp_mux);
        stage.apply();
        stage.run_for(100);
        let ssrc = stats(&stage, 0).ssrc;
        let middle = u32::try_from((ntp(stage.now.wall) >> 16) & 0xFFFF_FFFF).unwrap();
        let block = Block {
            ssrc,
            fraction: 64,
            lost: 5,
            highest: 100,
            jitter: 80,
            last_report: middle.wrapping_sub(3 << 16),
            delay: 2 << 16,
        };
        let sender = Sender { ntp: 0x1122_3344_5566_7788, timestamp: 1, packets: 2, octets: 3 };
        let mut datagram = Vec::new();
        Report {
            ssrc: 0xA001,
            cname: &[b'x'; 16],
            sender: Some(sender),
            block: Some(block),
            goodbye: Goodbye::Yes,
        }
        .write(&mut datagram);
        let at = stage.phones[0].at;
        let (port, from) = match rtcp_mux {
            true => (stage.phones[0].leg.port, at),
            false => (stage.phones[0].leg.port + 1, SocketAddr::new(at.ip(), at.port() + 1)),
        };
        let before = stage.phones[1].reports.len();
        stage.arrive(port, from, datagram.clone());
        let peer = stats(&stage, 0).peer.unwrap();
        assert_eq!((peer.lost, peer.fraction), (5, 64));
        assert_eq!(peer.jitter, Duration::from_millis(10));
        assert_eq!(peer.round_trip, Some(Duration::from_secs(1)));
        assert_eq!(stage.phones[1].reports.len(), before);
        assert_eq!(stage.strays, []);
        // What it says of a stream that is not ours, it says of an earlier call.
        let mut other = Vec::new();
        let block = Some(Block { ssrc: ssrc ^ 1, lost: 77, ..block });
        let goodbye = Goodbye::No;
        Report { ssrc: 0xA001, cname: &[b'x'; 16], sender: None, block, goodbye }.write(&mut other);
        stage.arrive(port, from, other);
        assert_eq!(stats(&stage, 0).peer, Some(peer));
        // The next report of ours says which of theirs it has seen.
        stage.run_for(6_000);
        let report = told(stage.phones[0].reports.last().unwrap());
        let Told::Block(block) = report[1] else { panic!("{report:?}") };
        assert_eq!(block.last_report, 0x3344_5566);
        assert!((4 << 16..6 << 16).contains(&block.delay), "{}", block.delay);
        // A stranger's word counts nothing.
        stage.arrive(port, ATTACKER.parse().unwrap(), datagram);
        assert_eq!(stage.plane.counters().dropped(Dropped::Stranger), 1);
    }
}

#[test]
fn who_has_sent_nothing_since_its_last_report_reports_as_receiver() {
    let mut stage = Stage::talking();
    stage.run_for(2_000);
    stage.phones[1].talks = false;
    stage.run_for(14_000);
    let kinds: Vec<u8> = stage.phones[0].reports.iter().map(|report| report[1]).collect();
    assert_eq!(kinds[..2], [200, 201]);
}

#[test]
fn a_leg_says_goodbye_when_it_ends() {
    let mut stage = Stage::talking();
    stage.run_for(100);
    stage.end();
    for phone in &stage.phones {
        let last = told(phone.reports.last().unwrap());
        assert_eq!(last.last(), Some(&Told::Goodbye));
    }
}

#[test]
fn a_leg_that_never_spoke_says_nothing() {
    let mut stage = Stage::new(&[Codec::Pcma]);
    stage.phones[0].talks = false;
    stage.run_for(20_000);
    stage.end();
    assert_eq!(stage.phones[0].reports.len(), 0);
}

#[test]
fn reports_of_many_legs_are_spread() {
    let mut stage = Stage::new(&[Codec::Pcma; 30]);
    stage.hear(&(0..30).map(|n| (n, VOICES.get(n).unwrap().as_slice())).collect::<Vec<_>>());
    let (mut most, mut before) = (0, 0);
    for _ in 0..60 {
        stage.run_for(100);
        let all = stage.plane.counters().reports_sent;
        most = most.max(all - before);
        before = all;
    }
    assert!(before >= 30, "{before}");
    assert!(most <= 10, "{most} of 30 within 100 ms");
}

/// Everybody hears itself.
static VOICES: std::sync::LazyLock<Vec<[(Source, Gain); 1]>> =
    std::sync::LazyLock::new(|| (0..30).map(|n| [voice(n)]).collect());

fn silences(stage: &Stage, phone: usize) -> Vec<MediaEventKind> {
    stage.events.iter().filter(|e| e.leg == leg_id(phone)).map(|e| e.kind).collect()
}

#[test]
fn a_minute_of_silence_is_told_once_and_so_is_its_end() {
    let mut stage = Stage::talking();
    stage.run_for(30_000);
    stage.phones[0].talks = false;
    stage.run_for(59_900);
    assert_eq!(stage.events, []);
    stage.run_for(200);
    assert_eq!(silences(&stage, 0), [MediaEventKind::Silent]);
    stage.run_for(130_000);
    assert_eq!(stage.events.len(), 1);
    stage.phones[0].talks = true;
    stage.run_for(1_000);
    assert_eq!(silences(&stage, 0), [MediaEventKind::Silent, MediaEventKind::Audible]);
    stage.phones[0].talks = false;
    stage.run_for(61_000);
    assert_eq!(stage.events.len(), 3);
}

#[test]
fn silence_is_nothing_when_nobody_listens_or_the_peer_is_nowhere() {
    let mut stage = Stage::talking();
    stage.run_for(1_000);
    stage.phones[0].talks = false;
    // Held: the other hears music instead, and later nothing.
    stage.hear(&[(0, &[voice(1)])]);
    stage.run_for(70_000);
    stage.phones[0].leg.remote = None;
    stage.hear(&[(0, &[voice(1)]), (1, &[voice(0)])]);
    stage.run_for(70_000);
    assert_eq!(stage.events, []);
    // Back in the call, the minute begins then.
    stage.phones[0].leg.remote = Some(stage.phones[0].at);
    stage.apply();
    stage.run_for(59_000);
    assert_eq!(stage.events, []);
    stage.run_for(2_000);
    assert_eq!(silences(&stage, 0), [MediaEventKind::Silent]);
}

#[test]
fn even_a_wild_packet_ends_a_silence_and_another_is_told() {
    let mut stage = Stage::talking();
    stage.run_for(1_000);
    stage.phones[0].talks = false;
    stage.run_for(61_000);
    let next = &mut stage.phones[0].mouth.next;
    next.sequence = next.sequence.wrapping_add(20_000);
    stage.say(0);
    stage.run_for(59_900);
    assert_eq!(silences(&stage, 0), [MediaEventKind::Silent, MediaEventKind::Audible]);
    stage.run_for(200);
    assert_eq!(stage.events.len(), 3);
}

#[test]
fn garbage_is_counted_and_does_nothing() {
    let mut stage = Stage::talking();
    stage.run_for(100);
    let (port, at) = (stage.phones[0].leg.port, stage.phones[0].at);
    for garbage in [&[][..], &[0x80], &[0x80; 11], &[0; 100], &[0xFF; 1_472], b"OPTIONS sip:x"] {
        stage.arrive(port, at, garbage.to_vec());
        stage.arrive(port + 1, at, garbage.to_vec());
    }
    stage.arrive(9, at, vec![0x80; 12]);
    stage.arrive(u16::MAX, at, vec![0x80; 12]);
    assert_eq!(stage.plane.counters().dropped(Dropped::Malformed), 12);
    assert_eq!(stage.plane.counters().dropped(Dropped::NoLeg), 2);
    stage.run_for(100);
    assert_eq!(stage.phones[1].ear.heard.missing, 0);
}

#[test]
fn an_empty_packet_keeps_a_leg_alive_and_is_not_passed_on() {
    let mut stage = Stage::talking();
    stage.run_for(100);
    let sent = stage.phones[1].datagrams.len();
    let next = stage.phones[0].mouth.next;
    let (port, at) = (stage.phones[0].leg.port, stage.phones[0].at);
    stage.arrive(port, at, next.to_bytes().to_vec());
    assert_eq!(stage.plane.counters().dropped(Dropped::Empty), 1);
    assert_eq!(stage.phones[1].datagrams.len(), sent);
}

#[test]
fn ports_of_a_call_that_was_never_ended_go_to_the_next_one() {
    let mut stage = Stage::talking();
    stage.run_for(100);
    let mut new = stage.phones[0].leg.clone();
    new.leg = leg_id(9);
    let legs = [new].into_iter().collect();
    let audio = leg::Audio::of(model::CallId(71), 1, legs, Default::default());
    stage.command(leg::MediaCommand::Audio(audio));
    assert_eq!(stage.plane.counters().dropped(Dropped::PortTaken), 1);
    assert_eq!((stage.plane.calls(), stage.plane.legs()), (2, 2));
    let sent = stage.phones[0].datagrams.len();
    stage.run_for(200);
    assert_eq!(stage.phones[0].datagrams.len(), sent, "the old call reaches the new leg");
}
