//! Digits through the plane: reported and never relayed on the way in, pressed in time on the way
//! out.

use leg::{Gain, MediaCommand, MediaEventKind, Player, Source, Tone};
use media::Dropped;
use media::limits::DIGIT_QUEUE_MAX;
use media::measure::{Expected, gaps, holds};
use media::rtp::Packet;
use model::Digit;

use crate::stage::{CALL, DIGITS, Stage, leg_id, tone_hz, voice};

const TEST_TONE: (Source, Gain) = (Source::Player(Player::Tone(Tone::Test)), Gain::UNITY);

fn digit(c: char) -> Digit {
    Digit::from_char(c).unwrap()
}

fn send(stage: &mut Stage, phone: usize, digit: Digit, duration_ms: u16) {
    let leg = leg_id(phone);
    stage.command(MediaCommand::SendDigit { call: CALL, leg, digit, duration_ms });
}

/// A key pressed by the first phone, as phones do: audio stops meanwhile.
fn key(stage: &mut Stage, code: u8, skip: &[usize]) {
    stage.phones[0].talks = false;
    let timestamp = stage.phones[0].mouth.next.timestamp;
    for n in 0..8u16 {
        let units = (n + 1).min(6) * 160;
        let [d1, d0] = units.to_be_bytes();
        let end = if n >= 5 { 0x80 } else { 0 };
        if skip.contains(&usize::from(n)) {
            let next = &mut stage.phones[0].mouth.next;
            next.sequence = next.sequence.wrapping_add(1);
        } else {
            stage.press(0, [code, end | 10, d1, d0], timestamp);
        }
        stage.run_for(20);
    }
    let next = &mut stage.phones[0].mouth.next;
    next.timestamp = timestamp.wrapping_add(8 * 160);
    stage.phones[0].talks = true;
}

fn told(stage: &Stage) -> Vec<MediaEventKind> {
    assert!(stage.events.iter().all(|e| e.call == CALL && e.leg == leg_id(0)));
    stage.events.iter().map(|e| e.kind).collect()
}

#[test]
fn a_key_is_told_once_and_never_relayed() {
    use MediaEventKind::{DigitEnd, DigitStart};
    for skip in [&[][..], &[0], &[0, 1, 2], &[5, 6], &[1, 3, 5, 7], &[0, 1, 2, 3, 4, 5, 6]] {
        let mut stage = Stage::talking();
        stage.run_for(200);
        key(&mut stage, 9, skip);
        stage.run_for(200);
        let end = DigitEnd { digit: digit('9'), duration_ms: 120 };
        assert_eq!(told(&stage), [DigitStart(digit('9')), end], "{skip:?}");
        let listener = &stage.phones[1].ear.heard;
        assert_eq!((listener.others.len(), listener.disorder), (0, 0));
        // Only what was really lost is missing.
        assert_eq!(listener.missing, skip.len(), "{skip:?}");
    }
}

#[test]
fn a_key_whose_end_is_lost_ends_after_200_ms() {
    let mut stage = Stage::talking();
    stage.run_for(100);
    key(&mut stage, 11, &[4, 5, 6, 7]);
    let end = MediaEventKind::DigitEnd { digit: digit('#'), duration_ms: 80 };
    assert_eq!(told(&stage), [MediaEventKind::DigitStart(digit('#'))]);
    stage.run_for(90);
    assert_eq!(told(&stage).len(), 1);
    stage.run_for(30);
    assert_eq!(told(&stage)[1..], [end]);
}

#[test]
fn a_new_stream_releases_the_key_of_the_old_one() {
    let mut stage = Stage::talking();
    stage.press(0, [5, 10, 0, 160], 1_000_000);
    stage.phones[0].mouth.next.ssrc += 1;
    stage.press(0, [6, 10, 0, 160], 1_000);
    let end = MediaEventKind::DigitEnd { digit: digit('5'), duration_ms: 20 };
    let (five, six) = (digit('5'), digit('6'));
    assert_eq!(
        told(&stage),
        [MediaEventKind::DigitStart(five), end, MediaEventKind::DigitStart(six)]
    );
}

#[test]
fn a_leg_that_goes_releases_its_key() {
    let mut stage = Stage::talking();
    stage.press(0, [5, 10, 0, 160], 1_000);
    stage.end();
    let end = MediaEventKind::DigitEnd { digit: digit('5'), duration_ms: 20 };
    assert_eq!(told(&stage), [MediaEventKind::DigitStart(digit('5')), end]);
}

#[test]
fn sent_digits_interrupt_the_audio_and_nothing_else() {
    for mixed in [false, true] {
        let mut stage = Stage::talking();
        if mixed {
            stage.hear(&[(0, &[TEST_TONE])]);
        }
        stage.run_for(500);
        stage.phones[0].datagrams.clear();
        for c in ['1', '#'] {
            send(&mut stage, 0, digit(c), 100);
        }
        stage.run_for(1_000);
        let headers: Vec<_> = stage.phones[0]
            .datagrams
            .iter()
            .map(|d| (Packet::parse(d).unwrap().header, d[12..].to_vec()))
            .collect();
        let events: Vec<_> =
            headers.iter().filter(|(h, _)| h.payload_type == DIGITS).cloned().collect();
        assert_eq!(events.len(), 14);
        for (first, events) in [(1, &events[..7]), (11, &events[7..])] {
            let time = events[0].0.timestamp;
            assert!(events.iter().all(|(h, p)| h.timestamp == time && p[0] == first));
            let markers: Vec<_> = events.iter().map(|(h, _)| h.marker).collect();
            assert_eq!(markers, [true, false, false, false, false, false, false]);
            let durations: Vec<_> =
                events.iter().map(|(_, p)| (u16::from_be_bytes([p[2], p[3]]), p[1] >> 7)).collect();
            let rising = [(160, 0), (320, 0), (480, 0), (640, 0), (800, 1), (800, 1), (800, 1)];
            assert_eq!(durations, rising);
        }
        // 7 packets and the gap before the second key: 9 frames.
        assert_eq!(events[7].0.timestamp.wrapping_sub(events[0].0.timestamp), 9 * 160);
        // One unbroken numbering, and no audio between.
        let numbers: Vec<_> = headers.iter().map(|(h, _)| h.sequence).collect();
        assert!(numbers.windows(2).all(|w| w[1] == w[0].wrapping_add(1)));
        let first = headers.iter().position(|(h, _)| h.payload_type == DIGITS).unwrap();
        assert!(headers[first..first + 14].iter().all(|(h, _)| h.payload_type == DIGITS));
        // Audio goes on where the time is, with a marker.
        let after = headers[first + 14].0;
        assert!(after.marker);
        let passed = after.timestamp.wrapping_sub(events[0].0.timestamp);
        assert!((17 * 160..20 * 160).contains(&passed), "{passed}");
        let heard = stage.heard(0);
        let hz = if mixed { 1_000.0 } else { tone_hz(1) };
        let expected = Expected { hz, dbfs: -12.0, tolerance: (2.0, 0.5) };
        holds(&heard, heard.len() - 4_000..heard.len(), expected).unwrap();
        let pauses = gaps(&heard, 8);
        let pause = pauses.iter().map(|gap| gap.samples).max().unwrap();
        assert!((2_800..3_200).contains(&pause), "{pause}");
        assert_eq!(stage.phones[0].ear.heard.disorder, 0);
        // The other direction is not touched.
        assert_eq!(gaps(&stage.heard(1), 8), []);
    }
}

#[test]
fn digits_go_out_while_nothing_is_heard() {
    let mut stage = Stage::new(&[model::Codec::Pcma]);
    stage.phones[0].talks = false;
    send(&mut stage, 0, digit('7'), 40);
    stage.run_for(300);
    assert_eq!(stage.phones[0].ear.heard.others.len(), 4);
    // And the clock sleeps again: what is left is the next report.
    let wait = stage.plane.deadline().unwrap().since(stage.now.mono);
    assert!(wait.as_secs() >= 3, "{wait:?}");
}

#[test]
fn digits_that_nobody_takes_or_that_are_too_many_are_counted() {
    let mut stage = Stage::talking();
    stage.phones[1].leg.send_digits = None;
    stage.apply();
    send(&mut stage, 1, digit('1'), 100);
    let unknown = leg_id(9);
    let digit_1 = digit('1');
    stage.command(MediaCommand::SendDigit {
        call: CALL,
        leg: unknown,
        digit: digit_1,
        duration_ms: 100,
    });
    assert_eq!(stage.plane.counters().dropped(Dropped::DigitUnwanted), 2);
    for _ in 0..DIGIT_QUEUE_MAX + 3 {
        send(&mut stage, 0, digit('2'), 40);
    }
    assert_eq!(stage.plane.counters().dropped(Dropped::DigitOverflow), 3);
    stage.run_for(20_000);
    assert_eq!(stage.phones[0].ear.heard.others.len(), DIGIT_QUEUE_MAX * 4);
}

#[test]
fn digits_for_a_leg_that_loses_its_address_are_given_up() {
    let mut stage = Stage::talking();
    send(&mut stage, 0, digit('1'), 400);
    stage.run_for(60);
    stage.phones[0].leg.remote = None;
    stage.apply();
    stage.run_for(60);
    assert_eq!(stage.plane.counters().dropped(Dropped::DigitUnwanted), 1);
    let sent = stage.phones[0].ear.heard.others.len();
    assert!((2..=3).contains(&sent), "{sent}");
    stage.phones[0].leg.remote = Some(stage.phones[0].at);
    stage.hear(&[(0, &[voice(1)])]);
    stage.run_for(200);
    assert!(stage.phones[0].ear.heard.packets > 8);
}
