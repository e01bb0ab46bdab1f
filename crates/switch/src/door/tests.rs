use model::{Trunk, TrunkHost, TrunkId};
use stack::{FlowId, Transport};

use super::limits::{EARNED_BY_DIGEST, STRANGER_ANSWERS_PER_SECOND, STRANGER_SHARE_PER_SECOND};
use super::*;

const BEGIN: Mono = Mono(77_000_000_000);

/// The doors of a node, and the ring between its shards.
struct Doors(Vec<Door>);

impl Doors {
    fn new(shards: usize) -> Doors {
        let door = |index| Door::new(index, shards, &mut Chance::from_number(index as u64));
        Doors((0..shards).map(door).collect())
    }

    /// Lets one door do something and tells the others.
    fn at<T>(&mut self, shard: usize, now: Mono, work: impl FnOnce(&mut Door) -> T) -> T {
        let result = work(&mut self.0[shard]);
        let mut from = vec![shard];
        while let Some(shard) = from.pop() {
            for (to, news) in self.0[shard].take_news() {
                assert_ne!(to, shard);
                self.0[to].hear(now, &news);
                from.push(to);
            }
        }
        result
    }

    fn bans(&self, now: Mono) -> Vec<usize> {
        self.0.iter().map(|door| door.bans(now).len()).collect()
    }
}

fn visitor(ip: &str, transport: Transport, length: usize) -> Visitor {
    let (local, port) = ("192.0.2.1:5060".parse().unwrap(), 5060);
    let remote = core::net::SocketAddr::new(ip.parse().unwrap(), port);
    Visitor::of(&Flow { id: FlowId(1), transport, local, remote }, length)
}

fn udp(ip: &str) -> Visitor {
    visitor(ip, Transport::Udp, 500)
}

fn source(ip: &str) -> Source {
    Source::of(ip.parse().unwrap())
}

fn answer(length: usize) -> Bytes {
    let head = "SIP/2.0 401 Unauthorized\r\nX: ";
    let text = format!("{head}{}\r\n\r\n", "x".repeat(length - head.len() - 4));
    text.into_bytes().into()
}

fn answered(door: &mut Door, now: Mono, ip: &str, times: usize) -> usize {
    (0..times).filter(|_| door.answer(now, &udp(ip), answer(400)).is_ok()).count()
}

fn admitted(door: &mut Door, now: Mono, ip: &str) -> Result<Standing, Denied> {
    door.admit(now, &udp(ip), b"INVITE")
}

fn fails(door: &mut Door, now: Mono, ip: &str, times: u32) {
    for _ in 0..times {
        // Banned or not: the tests look at what comes of it.
        let _ = door.failed(now, source(ip));
    }
}

const PHONE: &str = "198.51.100.7";
const ROGUE: &str = "203.0.113.66";

#[test]
fn every_reason_raises_its_own_counter_and_no_other() {
    type Cause = fn(&mut Door) -> Result<(), Denied>;
    let fail = |door: &mut Door, ip: &str| fails(door, BEGIN, ip, 30);
    let all_spent: Cause = |door| {
        let mut ips =
            (0..STRANGER_ANSWERS_PER_SECOND).map(|n| format!("10.0.{}.{}", n / 200, n % 200));
        assert!(ips.all(|ip| answered(door, BEGIN, &ip, 1) == 1));
        door.answer(BEGIN, &udp(ROGUE), answer(400)).map(drop)
    };
    let share_spent: Cause = |door| {
        answered(door, BEGIN, ROGUE, STRANGER_SHARE_PER_SECOND);
        door.answer(BEGIN, &udp(ROGUE), answer(400)).map(drop)
    };
    let own_spent: Cause = |door| {
        door.proven(BEGIN, source(PHONE));
        answered(door, BEGIN, PHONE, KNOWN_ANSWERS_PER_SECOND + EARNED_BY_DIGEST as usize);
        door.answer(BEGIN, &udp(PHONE), answer(400)).map(drop)
    };
    let oversize: Cause = |door| {
        let long = vec![b'x'; STRANGER_DATAGRAM_MAX + 1];
        door.admit(BEGIN, &visitor(ROGUE, Transport::Udp, long.len()), &long).map(drop)
    };
    let table: [(Denied, Cause); 9] = [
        (Denied::NotSip, |door| door.admit(BEGIN, &udp(ROGUE), &[0, 1, 0, 8]).map(drop)),
        (Denied::Oversize, oversize),
        (Denied::Banned, |door| admitted(door, BEGIN, ROGUE).map(drop)),
        (Denied::Unanswerable, |door| Err(door.deny(Denied::Unanswerable))),
        (Denied::StrangersCap, all_spent),
        (Denied::SourceShare, share_spent),
        (Denied::OwnCap, own_spent),
        (Denied::AnswerTooLong, |door| door.answer(BEGIN, &udp(ROGUE), answer(700)).map(drop)),
        (Denied::Silenced, |door| door.failed(BEGIN, source(PHONE))),
    ];
    assert_eq!(table.map(|(why, _)| why), Denied::ALL);
    for (why, cause) in table {
        let mut door = Door::new(0, 1, &mut Chance::from_number(1));
        match why {
            Denied::Banned => fail(&mut door, ROGUE),
            Denied::Silenced => {
                door.proven(BEGIN, source(PHONE));
                fail(&mut door, PHONE);
            }
            _ => {}
        }
        let before = door.counters().denials;
        assert_eq!(cause(&mut door), Err(why));
        for other in Denied::ALL {
            let risen = door.counters().denials.of(other) - before.of(other);
            assert_eq!(risen, u64::from(other == why), "{} by {}", other.label(), why.label());
        }
    }
    let mut labels = Denied::ALL.map(Denied::label).to_vec();
    labels.dedup();
    assert_eq!(labels.len(), Denied::ALL.len());
}

#[test]
fn ten_wrong_credentials_ban_a_stranger_on_every_shard_whichever_read_them() {
    for shards in [1, 2, 5] {
        let mut doors = Doors::new(shards);
        let mut answered = 0;
        for n in 0..25 {
            let failed = doors.at(n % shards, BEGIN, |door| door.failed(BEGIN, source(ROGUE)));
            answered += usize::from(failed.is_ok());
        }
        assert!((9..=10).contains(&answered), "{shards} shards answered {answered}");
        assert_eq!(doors.bans(BEGIN), vec![1; shards]);
        for shard in 0..shards {
            assert_eq!(admitted(&mut doors.0[shard], BEGIN, ROGUE), Err(Denied::Banned));
            assert_eq!(admitted(&mut doors.0[shard], BEGIN, PHONE), Ok(Standing::Stranger));
        }
    }
}

#[test]
fn behind_a_banned_address_a_right_password_still_gets_in() {
    let mut door = Door::new(0, 1, &mut Chance::from_number(1));
    fails(&mut door, BEGIN, ROGUE, FAILURES_MAX);
    let looked_at = |door: &mut Door, at: Mono| {
        (0..50).filter(|_| door.admit(at, &udp(ROGUE), b"REGISTER sip:x SIP/2.0").is_ok()).count()
    };
    assert_eq!(looked_at(&mut door, BEGIN), 4);
    assert_eq!(looked_at(&mut door, BEGIN + Duration::from_secs(1)), 4);
    assert!(door.failed(BEGIN, source(ROGUE)).is_err(), "a wrong one gets no answer");
    assert_eq!(admitted(&mut door, BEGIN, ROGUE), Err(Denied::Banned), "nothing else is looked at");
    door.proven(BEGIN, source(ROGUE));
    assert_eq!(admitted(&mut door, BEGIN, ROGUE), Ok(Standing::Known));
}

#[test]
fn phones_on_datagrams_learn_their_address_and_strangers_learn_nothing() {
    let mut door = Door::new(0, 1, &mut Chance::from_number(1));
    let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
    request.extend([7; 12]);
    let mut asked = |ip: &str, transport| {
        let remote = core::net::SocketAddr::new(ip.parse().unwrap(), 5060);
        let local = "192.0.2.1:5060".parse().unwrap();
        let flow = Flow { id: FlowId(1), transport, local, remote };
        let visitor = visitor(ip, transport, request.len());
        door.proven(BEGIN, source(PHONE));
        door.keep_alive(BEGIN, &visitor, &flow, &request).map(|answer| answer.len())
    };
    assert_eq!(asked(PHONE, Transport::Udp), Some(32));
    assert_eq!(asked(ROGUE, Transport::Udp), None);
    assert_eq!(asked(PHONE, Transport::Tcp), None);
}

#[test]
fn a_ban_ends_by_itself_and_the_next_is_twice_as_long_up_to_a_bound() {
    let mut door = Door::new(0, 1, &mut Chance::from_number(1));
    let mut now = BEGIN;
    let mut lengths = Vec::new();
    for _ in 0..8 {
        fails(&mut door, now, ROGUE, FAILURES_MAX);
        let [ban] = door.bans(now)[..] else { panic!("no ban") };
        lengths.push(ban.left.as_secs());
        assert_eq!(admitted(&mut door, now, ROGUE), Err(Denied::Banned));
        now = now + ban.left;
        assert_eq!(admitted(&mut door, now, ROGUE), Ok(Standing::Stranger));
    }
    assert_eq!(lengths, [120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
    now = now + BAN_REMEMBERED;
    fails(&mut door, now, ROGUE, FAILURES_MAX);
    assert_eq!(door.bans(now)[0].left, BAN_FIRST, "long ago is forgotten");
}

#[test]
fn failures_far_apart_ban_nobody() {
    let mut door = Door::new(0, 1, &mut Chance::from_number(1));
    for n in 0..100 {
        let now = BEGIN + FAILURE_WINDOW / 8 * n;
        assert_eq!(door.failed(now, source(ROGUE)), Ok(()), "{n}");
    }
    assert_eq!(door.counters().bans, 0);
}

#[test]
fn no_ban_touches_a_known_source_but_its_wrong_credentials_fall_silent() {
    let mut doors = Doors::new(2);
    doors.at(1, BEGIN, |door| door.proven(BEGIN, source(PHONE)));
    let answered = (0..1_000)
        .filter(|n| doors.at(n % 2, BEGIN, |door| door.failed(BEGIN, source(PHONE))).is_ok())
        .count();
    assert!((9..=10).contains(&answered), "{answered}");
    assert_eq!(doors.bans(BEGIN), [0, 0]);
    for door in &mut doors.0 {
        assert_eq!(admitted(door, BEGIN, PHONE), Ok(Standing::Known));
        assert!(door.answer(BEGIN, &udp(PHONE), answer(400)).is_ok(), "it is still challenged");
    }
    let later = BEGIN + FAILURE_WINDOW;
    assert_eq!(doors.at(0, later, |door| door.failed(later, source(PHONE))), Ok(()));
}

#[test]
fn one_success_clears_what_came_before() {
    let mut doors = Doors::new(3);
    for shard in 0..3 {
        for _ in 0..3 {
            doors.at(shard, BEGIN, |door| door.failed(BEGIN, source(PHONE))).unwrap();
        }
    }
    doors.at(0, BEGIN, |door| door.proven(BEGIN, source(PHONE)));
    for _ in 0..9 {
        assert_eq!(doors.at(1, BEGIN, |door| door.failed(BEGIN, source(PHONE))), Ok(()));
    }
}

#[test]
fn an_operator_lifts_a_ban() {
    let mut door = Door::new(0, 1, &mut Chance::from_number(1));
    fails(&mut door, BEGIN, "2001:db8:1:2::9", FAILURES_MAX);
    let [ban] = door.bans(BEGIN)[..] else { panic!("no ban") };
    assert_eq!((ban.source.to_string().as_str(), ban.bans), ("2001:db8:1:2::/64", 1));
    door.lift(BEGIN, source("2001:db8:1:2::1"));
    assert_eq!(door.bans(BEGIN), []);
    assert_eq!(admitted(&mut door, BEGIN, "2001:db8:1:2::9"), Ok(Standing::Stranger));
}

#[test]
fn a_known_source_has_answers_of_its_own_and_earns_more_with_each_digest() {
    let mut doors = Doors::new(2);
    doors.at(0, BEGIN, |door| door.proven(BEGIN, source(PHONE)));
    let door = &mut doors.0[1];
    let first = answered(door, BEGIN, PHONE, 1_000);
    assert_eq!(first, KNOWN_ANSWERS_PER_SECOND / 2 + 20);
    door.vouched(BEGIN, source(PHONE));
    assert_eq!(answered(door, BEGIN, PHONE, 1_000), 20);
    door.vouched(BEGIN, source(ROGUE));
    assert_eq!(door.counters().strangers_answered, 0);
    assert_eq!(answered(door, BEGIN, ROGUE, 1_000), STRANGER_SHARE_PER_SECOND / 2);
    let hour = BEGIN + KNOWN_FOR;
    assert_eq!(admitted(door, hour, PHONE), Ok(Standing::Stranger), "for an hour");
}

#[test]
fn a_thousand_phones_behind_one_nat_are_challenged_as_fast_as_they_prove_themselves() {
    let mut door = Door::new(0, 1, &mut Chance::from_number(1));
    let (mut waiting, mut now) = (1_000usize, BEGIN);
    while waiting > 0 {
        // All that wait ask again every half second; those that were challenged prove themselves.
        let challenged = answered(&mut door, now, PHONE, waiting);
        for _ in 0..challenged {
            door.vouched(now, source(PHONE));
            door.proven(now, source(PHONE));
        }
        waiting -= challenged;
        now = now + Duration::from_millis(500);
        assert!(now.since(BEGIN) < Duration::from_secs(5), "{waiting} still wait");
    }
}

#[test]
fn what_stays_known_is_told_now_and_then() {
    let mut door = Door::new(0, 2, &mut Chance::from_number(1));
    let mut told = 0;
    for second in 0..3_600 {
        door.proven(BEGIN + Duration::from_secs(second), source(PHONE));
        told += door.take_news().len();
    }
    assert_eq!(told, 12, "every five minutes");
}

#[test]
fn hosts_of_trunks_are_trusted_while_they_are() {
    let mut door = Door::new(0, 1, &mut Chance::from_number(1));
    let hosts = ["192.0.2.50", "2001:db8::5", "carrier.example"];
    let hosts_of = |h: &&str| TrunkHost { host: (*h).into(), port: None };
    let trunk_hosts = hosts.iter().map(hosts_of).collect();
    let trunk = Trunk::new(TrunkId(1), model::TenantId(1), "carrier", trunk_hosts);
    let mut directory = Directory::default();
    directory.trunks.insert(trunk.id, Arc::new(trunk.clone()));
    door.set_trunks(BEGIN, &directory);
    for ip in &hosts[..2] {
        assert_eq!(admitted(&mut door, BEGIN + KNOWN_FOR * 9, ip), Ok(Standing::Trunk));
        fails(&mut door, BEGIN, ip, 50);
        assert_eq!(admitted(&mut door, BEGIN, ip), Ok(Standing::Trunk), "no ban touches it");
    }
    directory.trunks.insert(trunk.id, Arc::new(Trunk { enabled: false, ..trunk }));
    door.set_trunks(BEGIN, &directory);
    assert_eq!(admitted(&mut door, BEGIN, hosts[0]), Ok(Standing::Stranger));
    // One that a name led to is trusted for a while, on all shards.
    let mut doors = Doors::new(2);
    doors.at(0, BEGIN, |door| door.found_trunk(BEGIN, "192.0.2.99".parse().unwrap()));
    assert_eq!(admitted(&mut doors.0[1], BEGIN, "192.0.2.99"), Ok(Standing::Trunk));
    assert_eq!(admitted(&mut doors.0[1], BEGIN + KNOWN_FOR, "192.0.2.99"), Ok(Standing::Stranger));
}

#[test]
fn only_who_may_be_forged_gets_short_answers() {
    let mut door = Door::new(0, 1, &mut Chance::from_number(1));
    let sent =
        |door: &mut Door, who: &Visitor| door.answer(BEGIN, who, answer(700)).map(|a| a.len());
    assert_eq!(sent(&mut door, &udp(ROGUE)), Err(Denied::AnswerTooLong));
    assert_eq!(sent(&mut door, &visitor(ROGUE, Transport::Tcp, 500)), Ok(700));
    door.proven(BEGIN, source(PHONE));
    assert_eq!(sent(&mut door, &udp(PHONE)), Ok(700));
    assert_eq!(door.answer(BEGIN, &udp(ROGUE), answer(600)).map(|a| a.len()), Ok(600));
}
