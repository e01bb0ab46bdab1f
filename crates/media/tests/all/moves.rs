//! Legs, clips and recordings that go from one call of a tenant to another: as they are, whichever
//! of the two commands comes first.

use leg::{
    Audio, Clip, ClipId, Gain, Hears, MediaCommand, MediaEvent, MediaEventKind, Piece, Player,
    Recorder, RecorderId, Source, SourceLock,
};
use media::measure::{Expected, holds, longest_gap, sine};
use media::{Dropped, Effect, Effects, Sound};
use model::{CallId, Codec, Digit, FileId, TenantId};

use crate::stage::{CALL, Stage, TENANT, leg_id, player, tone_hz, voice};

/// The call that takes over; [`CALL`] is the one that gives.
const NEXT: CallId = CallId(71);

const SOUND: FileId = FileId(0xF1);
const TAPE: FileId = FileId(0x7A);
const MUSIC: (Source, Gain) = (Source::Player(Player::HoldMusic), Gain::UNITY);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    TakerFirst,
    GiverFirst,
}

const ORDERS: [Order; 2] = [Order::TakerFirst, Order::GiverFirst];

/// What a call is to be: its phones, and what each of them hears.
type Shape<'a> = &'a [(usize, &'a [(Source, Gain)])];

fn audio(stage: &Stage, call: CallId, revision: u64, shape: Shape) -> Audio {
    let legs = shape.iter().map(|(phone, _)| stage.phones[*phone].leg.clone()).collect();
    let hears = shape.iter().map(|(phone, sources)| Hears {
        listener: leg_id(*phone),
        sources: sources.iter().copied().collect(),
    });
    Audio::of(call, revision, legs, hears.collect())
}

fn command(stage: &mut Stage, audio: Audio) {
    stage.command(MediaCommand::Audio(audio));
}

/// Both calls become so in one batch.
fn change(stage: &mut Stage, order: Order, giver: Audio, taker: Audio) {
    let mut both = [giver, taker];
    if order == Order::TakerFirst {
        both.reverse();
    }
    for audio in both {
        command(stage, audio);
    }
}

/// Phones 0 and 1 talk in [`CALL`], 2 and 3 in [`NEXT`].
fn two_calls(codecs: [Codec; 4]) -> Stage {
    let mut stage = Stage::new(&codecs);
    stage.end();
    stage.run_for(200);
    let first = audio(&stage, CALL, 10, &[(0, &[voice(1)]), (1, &[voice(0)])]);
    command(&mut stage, first);
    let second = audio(&stage, NEXT, 3, &[(2, &[voice(3)]), (3, &[voice(2)])]);
    command(&mut stage, second);
    stage.run_for(500);
    stage
}

fn headers(stage: &Stage, phone: usize) -> Vec<(u16, u32, bool)> {
    let datagrams = stage.phones[phone].datagrams.iter();
    let headers = datagrams.map(|bytes| media::rtp::Packet::parse(bytes).unwrap().header);
    headers.map(|h| (h.sequence, h.timestamp, h.marker)).collect()
}

/// Each packet continues the one before, in number and time.
fn runs_on(stage: &Stage, phone: usize) -> bool {
    let headers = headers(stage, phone);
    let next = |a: &(u16, u32, bool)| (a.0.wrapping_add(1), a.1.wrapping_add(160), false);
    headers.len() > 20 && headers.windows(2).all(|pair| pair[1] == next(&pair[0]))
}

/// Whether a report ends with a BYE (RFC 3550 6.6).
fn says_goodbye(report: &[u8]) -> bool {
    report.len() > 8 && report[report.len() - 7] == 203
}

#[test]
fn a_pair_that_moves_together_does_not_notice_it() {
    for order in ORDERS {
        let mut stage = two_calls([Codec::Pcma; 4]);
        let connected = stage.connected.clone();
        let before = [0, 1].map(|n| stage.plane.leg_stats(TENANT, CALL, leg_id(n)).unwrap());
        (0..4).for_each(|n| stage.listen_anew(n));
        stage.run_for(300);
        let giver = audio(&stage, CALL, 11, &[]);
        let pairs: Shape =
            &[(2, &[voice(3)]), (3, &[voice(2)]), (0, &[voice(1)]), (1, &[voice(0)])];
        let taker = audio(&stage, NEXT, 4, pairs);
        change(&mut stage, order, giver, taker);
        stage.run_for(300);
        assert_eq!(stage.connected, connected, "{order:?}: no lock is lost");
        for n in 0..4 {
            assert!(runs_on(&stage, n), "{order:?}: {n}: {:?}", headers(&stage, n));
        }
        for (n, before) in before.into_iter().enumerate() {
            let now = stage.plane.leg_stats(TENANT, NEXT, leg_id(n)).unwrap();
            assert_eq!((now.ssrc, now.source, now.locked), (before.ssrc, before.source, true));
            assert!(now.received > before.received + 25 && now.lost == 0);
            assert_eq!(stage.plane.leg_stats(TENANT, CALL, leg_id(n)), None);
            assert!(!stage.phones[n].reports.iter().any(|r| says_goodbye(r)));
        }
        assert_eq!((stage.plane.calls(), stage.plane.legs()), (1, 4), "{order:?}");
        assert_eq!(stage.plane.counters().moved, 2);
        stage.run_for(200);
        assert_eq!((stage.plane.calls(), stage.plane.legs(), stage.open.len()), (1, 4, 8));
    }
}

#[test]
fn a_far_party_that_is_given_away_is_heard_without_a_gap() {
    for codecs in [[Codec::Pcma; 4], [Codec::G722, Codec::Pcma, Codec::Pcma, Codec::Pcma]] {
        for order in ORDERS {
            for phase in [0, 3, 11, 19] {
                let mut stage = two_calls(codecs);
                stage.run_for(phase);
                [0, 2].iter().for_each(|n| drop(stage.heard(*n)));
                stage.run_for(300);
                // 0 and 2 talk from now on; 1 and 3 hang up.
                let giver = audio(&stage, CALL, 11, &[]);
                let taker = audio(&stage, NEXT, 4, &[(2, &[voice(0)]), (0, &[voice(2)])]);
                change(&mut stage, order, giver, taker);
                stage.run_for(800);
                let heard = stage.heard(2);
                let gap = longest_gap(&heard, 8);
                assert!(gap <= 320, "{order:?} {phase}: {gap}");
                let tone = Expected { hz: tone_hz(0), dbfs: -12.0, tolerance: (2.0, 0.5) };
                holds(&heard, heard.len() - 3_000..heard.len() - 200, tone).unwrap();
                let noticed = &stage.phones[2].ear.heard;
                assert_eq!((noticed.new_streams, noticed.missing, noticed.disorder), (0, 0, 0));
                assert_eq!(stage.open.len(), 4, "who has hung up is gone");
            }
        }
    }
}

#[test]
fn a_key_that_is_held_down_is_released_in_the_next_call() {
    for order in ORDERS {
        let mut stage = two_calls([Codec::Pcma; 4]);
        stage.phones[0].talks = false;
        stage.press(0, [5, 10, 0, 160], 7_000);
        let giver = audio(&stage, CALL, 11, &[]);
        let taker = audio(&stage, NEXT, 4, &[(2, &[voice(0)]), (0, &[voice(2)])]);
        change(&mut stage, order, giver, taker);
        stage.run_for(20);
        stage.press(0, [5, 0x8A, 2, 128], 7_000);
        let digit = Digit::from_char('5').unwrap();
        let told = |call, kind| MediaEvent { call, leg: leg_id(0), kind };
        let end = MediaEventKind::DigitEnd { digit, duration_ms: 80 };
        assert_eq!(
            stage.events,
            [told(CALL, MediaEventKind::DigitStart(digit)), told(NEXT, end)],
            "{order:?}"
        );
    }
}

#[test]
fn a_key_that_is_being_sent_is_sent_to_its_end() {
    for order in ORDERS {
        let mut stage = two_calls([Codec::Pcma; 4]);
        let digit = Digit::from_char('7').unwrap();
        let leg = leg_id(0);
        let key = MediaCommand::SendDigit { call: CALL, leg, digit, duration_ms: 200 };
        stage.listen_anew(0);
        stage.command(key);
        stage.run_for(70);
        let giver = audio(&stage, CALL, 11, &[]);
        let taker = audio(&stage, NEXT, 4, &[(2, &[voice(0)]), (0, &[voice(2)])]);
        change(&mut stage, order, giver, taker);
        stage.run_for(400);
        let heard = &stage.phones[0].ear.heard;
        let packets: Vec<u32> = heard.others.iter().map(|h| h.timestamp).collect();
        assert_eq!(packets.len(), 12, "{order:?}: ten of 20 ms, and two repeated ends");
        assert!(packets.iter().all(|timestamp| *timestamp == packets[0]), "of one event");
    }
}

fn sound_clip(repeats: bool) -> Clip {
    Clip { id: ClipId(1), leg: leg_id(0), pieces: vec![Piece::File(SOUND)], repeats }
}

#[test]
fn a_clip_goes_on_where_it_was() {
    for (order, told) in ORDERS.into_iter().flat_map(|order| [(order, false), (order, true)]) {
        let mut stage = two_calls([Codec::Pcma; 4]);
        stage.files.insert(SOUND, Sound::narrow(sine(700.0, -15.0, 8_000)));
        let hears: (Source, Gain) = player(Player::Clip(ClipId(1)));
        let mut first = audio(&stage, CALL, 11, &[(0, &[hears]), (1, &[])]);
        first.clips = vec![sound_clip(false)];
        stage.heard(0);
        command(&mut stage, first);
        stage.run_for(500);
        let giver = if told {
            // It stays with the other leg.
            audio(&stage, CALL, 12, &[(1, &[])])
        } else {
            audio(&stage, CALL, 12, &[])
        };
        let mut taker = audio(&stage, NEXT, 4, &[(2, &[]), (3, &[]), (0, &[hears])]);
        taker.clips = vec![sound_clip(false)];
        change(&mut stage, order, giver, taker);
        stage.run_for(700);
        let heard = stage.heard(0);
        let file = Expected { hz: 700.0, dbfs: -15.0, tolerance: (1.0, 0.3) };
        holds(&heard, 0..8_000, file).unwrap();
        assert!(heard[8_100..].iter().all(|s| s.unsigned_abs() < 20), "it does not begin anew");
        let done = MediaEventKind::ClipDone(ClipId(1));
        assert_eq!(stage.events, [MediaEvent { call: NEXT, leg: leg_id(0), kind: done }]);
    }
}

#[test]
fn a_file_that_comes_between_the_two_commands_is_taken() {
    let mut stage = two_calls([Codec::Pcma; 4]);
    let mut effects = Effects::new();
    let hears: (Source, Gain) = player(Player::Clip(ClipId(1)));
    let mut first = audio(&stage, CALL, 11, &[(0, &[hears])]);
    first.clips = vec![sound_clip(false)];
    // The stage would answer at once.
    let now = stage.now;
    let mut send = |stage: &mut Stage, audio: Audio| {
        effects.clear();
        stage.plane.command(now, TENANT, MediaCommand::Audio(audio), &mut effects);
        effects.iter().filter(|e| matches!(e, Effect::NeedFile { .. })).count()
    };
    assert_eq!(send(&mut stage, first), 1);
    let giver = audio(&stage, CALL, 12, &[]);
    assert_eq!(send(&mut stage, giver), 0);
    let sound = Sound::narrow(sine(700.0, -15.0, 8_000));
    stage.plane.file(SOUND, Some(&sound), &mut Effects::new());
    let mut taker = audio(&stage, NEXT, 4, &[(2, &[]), (0, &[hears])]);
    taker.clips = vec![sound_clip(false)];
    assert_eq!(send(&mut stage, taker), 0, "it is not asked for twice");
    stage.heard(0);
    stage.run_for(600);
    let file = Expected { hz: 700.0, dbfs: -15.0, tolerance: (1.0, 0.3) };
    holds(&stage.heard(0), 0..4_000, file).unwrap();
}

#[test]
fn hold_music_does_not_begin_anew() {
    let mut whole: Option<Vec<i16>> = None;
    for order in ORDERS.map(Some).into_iter().chain([None]) {
        let mut stage = two_calls([Codec::Pcma; 4]);
        stage.listen_anew(0);
        let first = audio(&stage, CALL, 11, &[(0, &[MUSIC]), (1, &[])]);
        command(&mut stage, first);
        stage.run_for(1_000);
        if let Some(order) = order {
            let giver = audio(&stage, CALL, 12, &[(1, &[])]);
            let taker = audio(&stage, NEXT, 4, &[(2, &[]), (3, &[]), (0, &[MUSIC])]);
            change(&mut stage, order, giver, taker);
        }
        stage.run_for(1_000);
        let heard = stage.heard(0);
        let whole = whole.get_or_insert(heard.clone());
        assert_eq!(heard, *whole, "{order:?}");
    }
}

fn recorder(leg: usize, channels: &[&[(Source, Gain)]]) -> Recorder {
    Recorder {
        id: RecorderId(9),
        leg: leg_id(leg),
        file: TAPE,
        channels: channels.iter().map(|channel| channel.iter().copied().collect()).collect(),
        silence_ms: Some(1_000),
        max_ms: 600_000,
    }
}

#[test]
fn a_recording_goes_on_in_the_same_file() {
    for (order, owner) in ORDERS.into_iter().flat_map(|order| [(order, 0), (order, 2)]) {
        let mut stage = two_calls([Codec::Pcma; 4]);
        let mut first = audio(&stage, CALL, 11, &[(0, &[voice(1)]), (1, &[voice(0)])]);
        first.recorders = vec![recorder(0, &[&[voice(0)], &[voice(1)]])];
        command(&mut stage, first);
        stage.run_for(1_000);
        let giver = audio(&stage, CALL, 12, &[]);
        let mut taker = audio(&stage, NEXT, 4, &[(2, &[voice(0)]), (0, &[voice(2)])]);
        taker.recorders = vec![recorder(owner, &[&[voice(0)], &[voice(2)]])];
        change(&mut stage, order, giver, taker);
        stage.run_for(1_000);
        stage.phones.iter_mut().for_each(|phone| phone.talks = false);
        stage.run_for(1_500);
        let end = audio(&stage, NEXT, 5, &[]);
        command(&mut stage, end);
        stage.run_for(200);
        let (taken, _, ended) = &stage.recorded[&TAPE];
        assert!(*ended);
        assert_eq!((taken.call, taken.leg), (NEXT, leg_id(owner)), "{order:?}: its end is told so");
        let (left, right) = (stage.channel(TAPE, 0), stage.channel(TAPE, 1));
        let tone = |n| Expected { hz: tone_hz(n), dbfs: -12.0, tolerance: (1.0, 0.4) };
        holds(&left, 800..15_500, tone(0)).unwrap();
        assert!(longest_gap(&left[800..15_500], 8) < 80, "{order:?}: the caller has no gap");
        holds(&right, 800..7_800, tone(1)).unwrap();
        holds(&right, 8_800..15_500, tone(2)).unwrap();
        let silent = MediaEventKind::RecorderSilent(RecorderId(9));
        assert_eq!(stage.events, [MediaEvent { call: NEXT, leg: leg_id(owner), kind: silent }]);
    }
}

#[test]
fn what_nobody_names_is_ended_after_100_ms() {
    let mut stage = two_calls([Codec::Pcma; 4]);
    let mut first = audio(&stage, CALL, 11, &[(0, &[voice(1)]), (1, &[voice(0)])]);
    first.recorders = vec![recorder(0, &[&[voice(0)]])];
    command(&mut stage, first);
    stage.run_for(400);
    let end = audio(&stage, CALL, 12, &[]);
    command(&mut stage, end);
    assert_eq!((stage.plane.calls(), stage.plane.legs()), (1, 4));
    (0..2).for_each(|n| stage.listen_anew(n));
    stage.run_for(79);
    assert_eq!((stage.open.len(), stage.recorded[&TAPE].2), (8, false));
    stage.run_for(22);
    assert_eq!((stage.open.len(), stage.recorded[&TAPE].2), (4, true));
    assert_eq!(stage.plane.legs(), 2);
    for n in 0..2 {
        assert_eq!(stage.phones[n].datagrams.len(), 0, "they are sent no sound meanwhile");
        assert!(says_goodbye(stage.phones[n].reports.last().unwrap()));
    }
    assert_eq!(stage.channel(TAPE, 0).len() / 160, 20, "nothing is recorded meanwhile");
}

/// Where calls end all the time, the thread is not woken for each of them.
#[test]
fn what_parts_within_100_ms_is_ended_with_one_waking() {
    let mut stage = two_calls([Codec::Pcma; 4]);
    stage.run_for(30);
    let end = audio(&stage, CALL, 11, &[]);
    command(&mut stage, end);
    stage.run_for(50);
    let end = audio(&stage, NEXT, 4, &[]);
    command(&mut stage, end);
    stage.run_for(99);
    assert_eq!(stage.open.len(), 8, "the later has waited for 99 ms");
    stage.run_for(22);
    assert_eq!(stage.open.len(), 0);
}

#[test]
fn a_port_that_waits_is_given_to_whoever_asks() {
    let mut stage = two_calls([Codec::Pcma; 4]);
    let end = audio(&stage, CALL, 11, &[]);
    command(&mut stage, end);
    // The first phone's port and address, as another leg.
    let mut other = audio(&stage, CallId(72), 1, &[(0, &[])]);
    other.legs[0].leg = leg_id(17);
    let ssrc =
        |stage: &Stage, n| stage.plane.leg_stats(TENANT, CallId(72), leg_id(n)).unwrap().ssrc;
    command(&mut stage, other);
    stage.run_for(300);
    assert_eq!(stage.plane.counters().dropped(Dropped::PortTaken), 0, "it had been given back");
    assert_eq!(stage.plane.counters().moved, 0);
    ssrc(&stage, 17);
}

#[test]
fn who_takes_a_slot_is_not_taken_for_who_had_it() {
    let mut stage = two_calls([Codec::Pcma; 4]);
    let end = audio(&stage, CALL, 11, &[]);
    command(&mut stage, end);
    // Another leg takes the port of the first, and with it its slot; its peer has the same SSRC,
    // and numbers that lie far behind.
    let mut next =
        audio(&stage, CallId(72), 1, &[(0, &[]), (1, &[(Source::Leg(leg_id(17)), Gain::UNITY)])]);
    next.legs[0].leg = leg_id(17);
    command(&mut stage, next);
    stage.phones[0].mouth.next.sequence = stage.phones[0].mouth.next.sequence.wrapping_sub(5_000);
    stage.listen_anew(1);
    stage.run_for(200);
    assert_eq!(stage.plane.counters().dropped(Dropped::BeforeChange), 0);
    assert_eq!(stage.phones[1].ear.heard.packets, 10);
}

#[test]
fn nothing_goes_to_another_tenant() {
    for order in ORDERS {
        let mut stage = two_calls([Codec::Pcma; 4]);
        let ssrc = stage.plane.leg_stats(TENANT, CALL, leg_id(0)).unwrap().ssrc;
        let giver = MediaCommand::Audio(audio(&stage, CALL, 11, &[]));
        let taker = MediaCommand::Audio(audio(&stage, NEXT, 4, &[(0, &[])]));
        let mut both = [(TENANT, giver), (TenantId(8), taker)];
        if order == Order::TakerFirst {
            both.reverse();
        }
        let mut effects = Effects::new();
        for (tenant, command) in both {
            stage.plane.command(stage.now, tenant, command, &mut effects);
        }
        let other = stage.plane.leg_stats(TenantId(8), NEXT, leg_id(0)).unwrap();
        assert_ne!(other.ssrc, ssrc);
        assert_eq!((other.locked, stage.plane.counters().moved), (false, 0));
        stage.plane.check().unwrap();
    }
}

#[test]
fn a_trunk_keeps_its_lock_too() {
    for order in ORDERS {
        let mut stage = two_calls([Codec::Pcma; 4]);
        stage.phones[0].leg.lock = SourceLock::Described;
        stage.phones[0].leg.negotiation += 1;
        let first = audio(&stage, CALL, 11, &[(0, &[voice(1)]), (1, &[voice(0)])]);
        command(&mut stage, first);
        let connected = stage.connected.clone();
        let giver = audio(&stage, CALL, 12, &[]);
        let taker = audio(&stage, NEXT, 4, &[(2, &[voice(0)]), (0, &[voice(2)])]);
        change(&mut stage, order, giver, taker);
        stage.run_for(70);
        assert_eq!(stage.connected, connected, "{order:?}");
    }
}
