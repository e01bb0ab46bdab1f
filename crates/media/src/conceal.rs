//! What is heard in place of a lost sound: its last period again and again, ever softer, and a soft
//! way back (in the manner of ITU-T G.711 Appendix I).

use core::time::Duration;

use crate::limits::CONCEAL;
use crate::pcm::Rate;

/// The longest and shortest period that is looked for: 66 to 400 Hz, the range of voices.
const PERIOD_MAX: Duration = Duration::from_micros(15_000);
const PERIOD_MIN: Duration = Duration::from_micros(2_500);
/// What is compared to find it.
const COMPARED: Duration = Duration::from_millis(15);
/// At full strength for so long.
const STEADY: Duration = Duration::from_millis(10);
/// The way from what was made up to what came.
const BLEND: Duration = Duration::from_millis(5);

/// The concealment of one stream.
#[derive(Debug, Default)]
pub(crate) struct Conceal {
    rate: Rate,
    /// The end of what was heard, 30 ms.
    history: Vec<i16>,
    /// What is repeated; empty: nothing is lost.
    period: Vec<i16>,
    /// Samples made up in a row.
    lost: usize,
}

fn samples(rate: Rate, time: Duration) -> usize {
    usize::try_from(time.as_micros() * u128::from(rate.hz()) / 1_000_000).unwrap_or(0)
}

impl Conceal {
    /// Forgets everything: what comes is of another stream.
    pub(crate) fn restart(&mut self, rate: Rate) {
        self.rate = rate;
        self.history.clear();
        self.period.clear();
        self.lost = 0;
    }

    /// How many samples were made up in a row.
    pub(crate) fn lost(&self) -> usize {
        self.lost
    }

    /// Something was heard. After a loss its beginning is blended with what was made up.
    pub(crate) fn heard(&mut self, sound: &mut [i16]) {
        if self.lost > 0 {
            self.blend(sound);
        }
        self.remember(sound);
    }

    /// Leads over from what was heard to something else.
    pub(crate) fn lead(&mut self, sound: &mut [i16]) {
        self.find_period();
        self.blend(sound);
        self.remember(sound);
    }

    fn blend(&mut self, sound: &mut [i16]) {
        let length = samples(self.rate, BLEND).min(sound.len());
        for (n, sample) in sound.iter_mut().take(length).enumerate() {
            let made_up = i64::from(self.next());
            let (part, all) = (n as i64 + 1, length as i64 + 1);
            let mixed = (i64::from(*sample) * part + made_up * (all - part)) / all;
            *sample = i16::try_from(mixed).unwrap_or(*sample);
        }
        self.period.clear();
        self.lost = 0;
    }

    /// Something that blends in by itself was heard.
    pub(crate) fn follow(&mut self, sound: &[i16]) {
        self.period.clear();
        self.lost = 0;
        self.remember(sound);
    }

    /// Makes up what is missing.
    pub(crate) fn make_up(&mut self, out: &mut [i16]) {
        if self.lost == 0 && self.period.is_empty() {
            self.find_period();
        }
        for sample in out {
            *sample = self.next();
        }
    }

    /// The period of what was heard last, in samples; what is left out without notice.
    pub(crate) fn period(&self) -> usize {
        self.likest_lag().unwrap_or_else(|| samples(self.rate, BLEND))
    }

    fn next(&mut self) -> i16 {
        let steady = samples(self.rate, STEADY);
        let all = samples(self.rate, CONCEAL);
        let faded = self.lost.saturating_sub(steady).min(all - steady);
        let value = match self.period.len() {
            0 => 0,
            length => self.period.get(self.lost % length).copied().unwrap_or(0),
        };
        self.lost = self.lost.saturating_add(1);
        let (left, whole) = ((all - steady - faded) as i64, (all - steady) as i64);
        i16::try_from(i64::from(value) * left / whole.max(1)).unwrap_or(0)
    }

    fn remember(&mut self, sound: &[i16]) {
        let keep = samples(self.rate, PERIOD_MAX) * 2 + samples(self.rate, COMPARED);
        self.history.extend_from_slice(sound);
        let gone = self.history.len().saturating_sub(keep);
        self.history.drain(..gone);
    }

    /// The distance at which the end of the history is most like what lies before it.
    fn likest_lag(&self) -> Option<usize> {
        let (compared, longest) = (samples(self.rate, COMPARED), samples(self.rate, PERIOD_MAX));
        if self.history.len() < compared + longest {
            return None;
        }
        let end = self.history.len() - compared;
        let tail = self.history.get(end..).unwrap_or(&[]);
        // At 48 kHz every third sample says enough.
        let step = self.rate.factor().div_ceil(2);
        let likeness = |lag: usize| -> f64 {
            let earlier = self.history.get(end - lag..).unwrap_or(&[]);
            let pairs = tail.iter().zip(earlier).step_by(step);
            let (mut product, mut power) = (0f64, 1f64);
            for (a, b) in pairs {
                product += f64::from(*a) * f64::from(*b);
                power += f64::from(*b) * f64::from(*b);
            }
            product / power.sqrt()
        };
        let lags = samples(self.rate, PERIOD_MIN)..=longest;
        lags.max_by(|a, b| likeness(*a).total_cmp(&likeness(*b)))
    }

    fn find_period(&mut self) {
        let Some(lag) = self.likest_lag() else { return };
        let begin = self.history.len() - lag;
        self.period.clear();
        self.period.extend_from_slice(self.history.get(begin..).unwrap_or(&[]));
        // Its end leads over to its beginning: the last quarter is blended with what lies before.
        let quarter = lag / 4;
        for n in 0..quarter {
            let before = self.history.get(begin - quarter + n).copied().unwrap_or(0);
            if let Some(sample) = self.period.get_mut(lag - quarter + n) {
                let (part, all) = (n as i64 + 1, quarter as i64 + 1);
                let mixed = (i64::from(before) * part + i64::from(*sample) * (all - part)) / all;
                *sample = i16::try_from(mixed).unwrap_or(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{level_dbfs, pitch_hz, sine};

    /// The largest step from one sample to the next.
    fn step(samples: &[i16]) -> i32 {
        let steps = samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs());
        steps.max().unwrap_or(0)
    }

    #[test]
    fn a_lost_frame_of_a_tone_is_made_up_without_a_click() {
        for hz in [150.0, 333.0, 440.0, 1_000.0, 1_234.0] {
            let mut sound = sine(hz, -12.0, 800);
            let mut conceal = Conceal::default();
            conceal.restart(Rate::Narrow);
            conceal.heard(&mut sound[..480]);
            let mut lost = [0; 160];
            conceal.make_up(&mut lost);
            conceal.heard(&mut sound[640..]);
            sound[480..640].copy_from_slice(&lost);
            let smooth = step(&sine(hz, -12.0, 800));
            assert!(step(&sound) <= smooth * 3 / 2 + 200, "{hz}: {} {smooth}", step(&sound));
            assert!((pitch_hz(&sound[400..720]).unwrap() - hz).abs() < 25.0, "{hz}");
            assert!(level_dbfs(&sound[480..560]) > -13.5, "{hz}");
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence() {
        let mut conceal = Conceal::default();
        conceal.restart(Rate::Narrow);
        conceal.heard(&mut sine(440.0, -12.0, 480));
        let mut lost = vec![0; 800];
        conceal.make_up(&mut lost);
        let levels: Vec<_> = lost.chunks(160).map(level_dbfs).collect();
        assert!(levels.is_sorted_by(|a, b| a >= b), "{levels:?}");
        assert!(lost[480..].iter().all(|s| *s == 0));
        assert_eq!(conceal.lost(), 800);
    }

    #[test]
    fn without_anything_heard_there_is_silence() {
        let mut conceal = Conceal::default();
        conceal.restart(Rate::Wide);
        let mut lost = [7; 320];
        conceal.make_up(&mut lost);
        assert_eq!(lost, [0; 320]);
    }
}
