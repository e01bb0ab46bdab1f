//! Keys as tones, through the plane.

use leg::{MediaCommand, MediaEventKind};
use media::measure::strength_at_rate_dbfs;
use model::{Codec, Digit};

use crate::stage::{CALL, Stage, leg_id, tone_hz, voice};

const KEY: char = '8';
const TONES_HZ: [f64; 2] = [852.0, 1_336.0];

fn digit() -> Digit {
    Digit::from_char(KEY).unwrap()
}

/// Two phones that hear each other; the first knows keys as tones alone.
fn stage(codec: Codec) -> Stage {
    let mut stage = Stage::new(&[codec, Codec::Pcma]);
    let leg = &mut stage.phones[0].leg;
    (leg.send_digits, leg.receive_digits, leg.inband_digits) = (None, None, true);
    stage.hear(&[(0, &[voice(1)]), (1, &[voice(0)])]);
    stage
}

#[test]
fn a_key_in_the_sound_of_a_phone_is_told_while_its_sound_goes_on() {
    for codec in Codec::ALL {
        let mut stage = stage(codec);
        stage.run_for(400);
        assert_eq!(stage.events, [], "a voice is no key");
        let rate = codec.sample_rate_hz();
        let tone = |hz| media::measure::sine_at_rate(hz, -12.0, rate as usize, rate);
        let [low, high] = TONES_HZ.map(tone);
        let key: Vec<i16> = low.iter().zip(high).map(|(a, b)| a + b).collect();
        let voice = stage.phones[0].mouth.change(key);
        stage.run_for(200);
        stage.phones[0].mouth.change(voice);
        stage.run_for(400);
        let kinds: Vec<_> = stage.events.iter().map(|event| event.kind).collect();
        let [
            MediaEventKind::DigitStart(pressed),
            MediaEventKind::DigitEnd { digit: released, duration_ms },
        ] = kinds[..]
        else {
            panic!("{codec:?}: {kinds:?}");
        };
        assert_eq!((pressed, released), (digit(), digit()));
        assert!((140..=240).contains(&duration_ms), "{codec:?}: {duration_ms}");
        assert!(stage.events.iter().all(|event| event.leg == leg_id(0)));
    }
}

#[test]
fn a_digit_is_sounded_to_a_phone_that_knows_no_other() {
    for codec in Codec::ALL {
        let mut stage = stage(codec);
        stage.run_for(500);
        stage.heard(0);
        let duration_ms = 200;
        stage.command(MediaCommand::SendDigit {
            call: CALL,
            leg: leg_id(0),
            digit: digit(),
            duration_ms,
        });
        stage.run_for(160);
        let heard = stage.heard(0);
        let rate = f64::from(codec.sample_rate_hz());
        let late = &heard[heard.len() / 2..];
        for hz in TONES_HZ {
            let level = strength_at_rate_dbfs(late, hz, rate);
            assert!((-14.0..-8.0).contains(&level), "{codec:?} {hz}: {level}");
        }
        stage.run_for(600);
        let after = stage.heard(0);
        let voice = strength_at_rate_dbfs(&after[after.len() / 2..], tone_hz(1), rate);
        assert!((voice + 12.0).abs() < 1.2, "{codec:?}: {voice}");
        let noticed = &stage.phones[0].ear.heard;
        assert_eq!((noticed.new_streams, noticed.missing, noticed.others.len()), (0, 0, 0));
    }
}
