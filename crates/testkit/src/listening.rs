//! Who hears whom, as tests ask it: by names at any moment, or by the real sound of a short while.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::device::Phone;
use crate::phone::manner::Pace;
use crate::phone::sound::Sound;
use crate::sim::{Sim, millis};

/// For so long everybody talks before anything is measured: the delay of the ways and of a jitter
/// buffer, and the rest of what was heard before.
const BEFORE: Duration = millis(160);

/// For so long it is measured.
const MEASURED: Duration = millis(200);

impl Sim {
    /// Who would be heard at a phone at this moment if everybody spoke, in all of its calls
    /// together; and what is played to it.
    ///
    /// Nothing is sent or measured for it, so that it may be asked after every step of thousands of
    /// runs, also of such in which phones are [`Pace::Mute`]. It goes by the switch's resolved
    /// relation, the addresses that its legs send to and believe, its sockets, and what phones have
    /// agreed on: what a phone sends where nobody takes it is not heard. A tone counts also in its
    /// pauses. [`Phone::hears`] listens to what has really come.
    pub fn hears(&self, phone: &Phone) -> BTreeSet<Sound> {
        phone.audible()
    }

    /// The same of every phone that goes on with a call, by its name.
    pub fn who_hears_what(&self) -> BTreeMap<String, BTreeSet<Sound>> {
        self.world().audible_everywhere()
    }

    /// Lets everybody talk for a third of a second, and measures what each of these phones then
    /// hears of the others: their tones and labels, in the newest call. What is played is left out.
    pub fn listens(&self, phones: &[&Phone]) -> BTreeMap<String, BTreeSet<Sound>> {
        let paces: Vec<Pace> = self.world().phones.iter().map(|p| p.manner.pace).collect();
        // A mouth that begins anew does not wait for the end of its longer period.
        self.pace_all(core::iter::repeat(Pace::Mute));
        self.pace_all(core::iter::repeat(Pace::Steady));
        self.run_for(BEFORE + MEASURED);
        let voices = |phone: &&Phone| {
            let voice = |sound: &Sound| matches!(sound, Sound::Phone(_));
            let heard = phone.hears_over(MEASURED).into_iter().filter(voice).collect();
            (phone.name(), heard)
        };
        let heard = phones.iter().map(voices).collect();
        self.pace_all(paces.into_iter());
        heard
    }

    /// What these phones really hear of each other is what they hear by name.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[track_caller]
    pub fn assert_sounds_as_named(&self, phones: &[&Phone]) {
        let measured = self.listens(phones);
        for phone in phones {
            let voice = |sound: &Sound| matches!(sound, Sound::Phone(_));
            let named: BTreeSet<Sound> = self.hears(phone).into_iter().filter(voice).collect();
            let name = phone.name();
            let heard = measured.get(&name);
            assert_eq!(heard, Some(&named), "{name}: measured, and by name");
        }
    }

    fn pace_all(&self, paces: impl Iterator<Item = Pace>) {
        let phones = self.world().phones.len();
        for (phone, pace) in (0..phones).zip(paces) {
            self.world().at_phone(phone, |agent, now| {
                agent.manner.pace = pace;
                agent.attend_all(now);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use leg::{Audio, Format, Gain, Hears, LegId, MediaCommand, MediaLeg, Source, SourceLock};
    use media::{Effect, Effects, Plane};
    use model::{CallId, Chance, Codec, Mono, Now, TenantId, Wall};

    use super::*;
    use crate::phone::sound::{Content, FRAME, listen, phones_in};
    use crate::phone::voice::{Channel, Mouth};

    fn leg(n: u8) -> MediaLeg {
        let at = SocketAddr::from(([192, 0, 2, n], 4_000));
        let format = Format { payload_type: 8, codec: Codec::Pcma };
        MediaLeg {
            leg: LegId(n.into()),
            port: 20_000 + 2 * u16::from(n),
            remote: Some(at),
            remote_rtcp: None,
            rtcp_mux: true,
            send: Some(format),
            receive: [format].into_iter().collect(),
            send_digits: None,
            receive_digits: None,
            lock: SourceLock::Learn { signalled: Some(at.ip()) },
            negotiation: 1,
            inband_digits: false,
        }
    }

    /// What the phones of a call hear after a second, by their tones, when each speaks and the
    /// listener `n` hears those of `relation[n]`.
    fn measured(relation: &[&[u8]]) -> Vec<BTreeSet<u8>> {
        let count = u8::try_from(relation.len()).unwrap();
        let mut now = Now { mono: Mono(5_000_000), wall: Wall(0) };
        let mut plane = Plane::new(now, Chance::from_number(3));
        let mut effects = Effects::new();
        let hears = relation.iter().zip(0..).map(|(sources, n)| Hears {
            listener: LegId(n),
            sources: sources
                .iter()
                .map(|s| (Source::Leg(LegId((*s).into())), Gain::UNITY))
                .collect(),
        });
        let audio = Audio::of(CallId(1), 1, (0..count).map(leg).collect(), hears.collect());
        plane.command(now, TenantId(1), MediaCommand::Audio(audio), &mut effects);
        effects.clear();
        let mut mouths: Vec<Mouth> = (0..count).map(|n| Mouth::new(n, 0, 77, 9)).collect();
        let mut heard = vec![Vec::new(); relation.len()];
        for _ in 0..50 {
            for (n, mouth) in (0..count).zip(&mut mouths) {
                let MediaLeg { port, remote, .. } = leg(n);
                let to = SocketAddr::from(([10, 0, 0, 1], port));
                let channel = Channel { to, codec: Codec::Pcma, events: None };
                let mut bytes = mouth.say(&channel, millis(20));
                plane.packet(now, port, remote.unwrap(), &mut bytes, &mut effects);
                effects.clear();
            }
            now = now + millis(20);
            plane.tick(now, &mut effects);
            for effect in &effects {
                if let Effect::Send { port, bytes, .. } = *effect
                    && let Some(payload) =
                        effects.bytes(&[], bytes).get(12..).filter(|p| p.len() == FRAME)
                    && let Content::Samples(samples) = listen(Codec::Pcma, payload)
                {
                    heard[usize::from(port - 20_000) / 2].extend(samples);
                }
            }
            effects.clear();
        }
        let last =
            |samples: &Vec<i16>| samples[samples.len().saturating_sub(10 * FRAME)..].to_vec();
        heard.iter().map(|samples| phones_in(&last(samples), 32)).collect()
    }

    #[test]
    fn the_tones_of_all_who_are_mixed_are_told_apart() {
        assert_eq!(
            measured(&[&[1, 2], &[0, 2], &[0, 1]]),
            [[1, 2], [0, 2], [0, 1]].map(BTreeSet::from)
        );
        let one_of_four = measured(&[&[1, 2, 3], &[0, 3], &[3, 0], &[]]);
        let expected = [vec![1, 2, 3], vec![0, 3], vec![0, 3], vec![]];
        assert_eq!(one_of_four, expected.map(BTreeSet::from_iter));
    }

    #[test]
    fn who_is_left_out_of_a_mix_is_not_heard() {
        // 0 and 5 are 350 Hz apart, where the label of one puts a weak tone beside the other.
        let relation: Vec<&[u8]> = vec![&[1, 2], &[0, 2], &[], &[], &[], &[1, 2], &[0, 5]];
        let heard = measured(&relation);
        assert_eq!(heard[0], [1, 2].into());
        assert_eq!(heard[5], [1, 2].into());
        assert_eq!(heard[6], [0, 5].into());
    }
}
