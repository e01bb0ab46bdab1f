//! Frames: what is played, mixed or pressed in time with the 20 ms clock.

use core::net::SocketAddr;

use ::leg::{Format, Gain, Player};
use model::{Mono, Now};
use slab::Slab;
use smallvec::SmallVec;

use crate::clip::{ClipEvents, ClipPlaying};
use crate::codec::Encoder;
use crate::counters::{Counters, Dropped};
use crate::effects::Effects;
use crate::inband;
use crate::limits::{CATCH_UP_FRAMES_MAX, FRAME_SAMPLES, FRAME_SAMPLES_MAX};
use crate::pcm::{Feed, Mixed, Rate};
use crate::player::{self, Frame};
use crate::recorder::RecorderEvents;
use crate::sent::Stamp;

use super::inbound::stamped;
use super::leg::{Hearing, Leg, Voice};
use super::relation::event;
use super::{Call, CallKey, LegKey, Plane};

/// A player that somebody in a call hears.
pub(super) struct Playing {
    pub(super) player: Player,
    /// The tick in which its first frame is played.
    first_tick: u64,
    feed: Feed,
}

impl Playing {
    pub(super) fn new(player: Player, first_tick: u64) -> Playing {
        Playing { player, first_tick, feed: Feed::default() }
    }
}

impl Call {
    /// The tick with which a player of this call began.
    pub(super) fn player_began(&self, player: Player) -> Option<u64> {
        self.players.iter().find(|p| p.player == player).map(|playing| playing.first_tick)
    }
}

/// One frame of the clock.
#[derive(Clone, Copy)]
struct Tick {
    number: u64,
    at: Mono,
}

impl Plane {
    pub(super) fn play(&mut self, now: Now, effects: &mut Effects) {
        let target = self.tick_at(now.mono);
        if self.clocked.is_empty() {
            self.ticks = self.ticks.max(target);
            return;
        }
        let skipped = target.saturating_sub(self.ticks).saturating_sub(CATCH_UP_FRAMES_MAX);
        if skipped > 0 {
            self.counters.drop_many(Dropped::FramesSkipped, skipped);
            self.ticks += skipped;
        }
        while self.ticks < target {
            self.ticks += 1;
            let tick = Tick { number: self.ticks, at: self.time_of(self.ticks) };
            for key in &self.clocked {
                if let Some(call) = self.calls.get_mut(key.0) {
                    play_call(tick, call, &mut self.legs, &mut self.counters, effects);
                }
            }
            self.leave_clock();
        }
    }

    /// Calls in which the last digit has been pressed need the clock no more.
    fn leave_clock(&mut self) {
        let mut clocked = core::mem::take(&mut self.clocked);
        clocked.retain(|key| self.needs_clock(*key));
        self.clocked = clocked;
    }

    pub(super) fn needs_clock(&self, key: CallKey) -> bool {
        let Some(call) = self.calls.get(key.0) else { return false };
        call.sounds_run()
            || call.legs.iter().any(|key| self.legs.get(key.0).is_some_and(Leg::needs_clock))
    }
}

fn play_call(
    tick: Tick,
    call: &mut Call,
    legs: &mut Slab<Leg>,
    counters: &mut Counters,
    effects: &mut Effects,
) {
    for playing in &mut call.players {
        let n = tick.number.saturating_sub(playing.first_tick);
        let mut frame: Frame = [0; FRAME_SAMPLES];
        player::fill(playing.player, n, &mut frame);
        playing.feed.set(Rate::Narrow, &frame, call.rates);
    }
    for n in 0..call.clips.len() {
        let Some(clip) = call.clips.get_mut(n) else { continue };
        let mut events = ClipEvents::new();
        let leg = clip.leg();
        clip.play(tick.number, call.rates, &mut events);
        for kind in events {
            effects.push(call.event(leg, kind));
        }
    }
    for key in &call.legs {
        if let Some(jitter) = legs.get_mut(key.0).and_then(|leg| leg.jitter.as_mut()) {
            jitter.pull_feed(call.rates);
        }
        if let Some(leg) = legs.get_mut(key.0) {
            listen(leg, effects);
        }
    }
    for key in &call.legs {
        let Some(leg) = legs.get_mut(key.0) else { continue };
        if leg.presses.busy() {
            press(tick, leg, counters, effects);
        } else if let Some((to, format)) = leg.outlet()
            && let Some(frame) = hear(*key, Rate::of(format.codec), call, legs)
            && let Some(leg) = legs.get_mut(key.0)
        {
            counters.mixed += 1;
            let stamp = leg.sent.frame(tick.at, tick.number);
            say(leg, to, format, stamp, &frame, effects);
        }
    }
    record(call, legs, counters, effects);
}

/// Looks for keys in what a peer says.
fn listen(leg: &mut Leg, effects: &mut Effects) {
    let (Some(inband), Some(jitter)) = (&mut leg.inband, &leg.jitter) else { return };
    for kind in inband.hear(jitter.feed().at(Rate::Narrow)) {
        effects.push(event(leg, kind));
    }
}

/// Gives the recorders what they hear.
fn record(call: &mut Call, legs: &Slab<Leg>, counters: &mut Counters, effects: &mut Effects) {
    for n in 0..call.ears.len() {
        let Some(ear) = call.ears.get(n).filter(|ear| !ear.running.is_over()) else { continue };
        let rate = ear.running.rate();
        let heard: SmallVec<[Mixed; 2]> =
            ear.channels.iter().map(|voices| mix(voices, rate, call, legs)).collect();
        let mut events = RecorderEvents::new();
        let Some(ear) = call.ears.get_mut(n) else { continue };
        let leg = ear.running.wants().leg;
        ear.running.take(&heard, effects, &mut events);
        counters.recorded += 1;
        for kind in events {
            effects.push(call.event(leg, kind));
        }
    }
}

/// What a leg hears in this frame; `None`: nothing, or packets that are relayed.
fn hear(key: LegKey, rate: Rate, call: &Call, legs: &Slab<Leg>) -> Option<Mixed> {
    match &legs.get(key.0)?.hearing {
        Hearing::Nothing | Hearing::Relay(_) => None,
        Hearing::Mix(voices) => Some(mix(voices, rate, call, legs)),
    }
}

/// The sum of what a leg hears, clipped where it is too loud for 16 bits.
fn mix(voices: &[(Voice, Gain)], rate: Rate, call: &Call, legs: &Slab<Leg>) -> Mixed {
    let mut sum = [0i32; FRAME_SAMPLES_MAX];
    for (voice, gain) in voices {
        let feed = match voice {
            Voice::Leg(key) => {
                legs.get(key.0).and_then(|leg| leg.jitter.as_ref()).map(|jitter| jitter.feed())
            }
            Voice::Player(Player::Clip(id)) => {
                call.clips.iter().find(|clip| clip.id() == *id).map(ClipPlaying::feed)
            }
            Voice::Player(player) => {
                call.players.iter().find(|p| p.player == *player).map(|p| &p.feed)
            }
        };
        let Some(feed) = feed else { continue };
        for (to, sample) in sum.iter_mut().zip(feed.at(rate)) {
            *to += (i32::from(*sample) * i32::from(gain.0)) >> 8;
        }
    }
    let clip =
        |value: i32| i16::try_from(value).unwrap_or(if value < 0 { i16::MIN } else { i16::MAX });
    let mut mixed = Mixed::silence(rate);
    for (to, value) in mixed.iter_mut().zip(sum) {
        *to = clip(value);
    }
    mixed
}

fn say(
    leg: &mut Leg,
    to: SocketAddr,
    format: Format,
    stamp: Stamp,
    frame: &Mixed,
    effects: &mut Effects,
) {
    let header = stamped(stamp, format.payload_type, leg.sent.ssrc());
    let mut frame = *frame;
    if leg.seam.is_open() {
        leg.seam.lead(Rate::of(format.codec), &mut frame);
    }
    let encoder = match &mut leg.encoder {
        Some(encoder) if encoder.codec() == format.codec => encoder,
        encoder => encoder.insert(Encoder::new(format.codec)),
    };
    let mut length = 0;
    effects.send(leg.wants.port, to, |datagram| {
        datagram.extend(header.to_bytes());
        let start = datagram.len();
        encoder.encode(&frame, datagram);
        length = datagram.len() - start;
        leg.seam.remember(format.codec, datagram.get(start..).unwrap_or(&[]));
    });
    leg.sent.count(length);
}

/// Sends the frame's packet of a digit; audio waits until the last digit is done.
fn press(tick: Tick, leg: &mut Leg, counters: &mut Counters, effects: &mut Effects) {
    if let Some((to, format)) = leg.tone_outlet() {
        return press_tone(tick, leg, (to, format), counters, effects);
    }
    let Some((to, payload_type)) = leg.digit_outlet() else {
        leg.presses.clear();
        counters.drop_one(Dropped::DigitUnwanted);
        return;
    };
    let Some((stamp, event)) = leg.presses.frame(tick.at, &mut leg.sent) else { return };
    let header = stamped(stamp, payload_type, leg.sent.ssrc());
    leg.sent.count(event.len());
    counters.digits_sent += 1;
    effects.send(leg.wants.port, to, |datagram| {
        datagram.extend(header.to_bytes());
        datagram.extend(event);
    });
}

/// Sounds the frame's part of a digit, for a peer that takes keys in no other way.
fn press_tone(
    tick: Tick,
    leg: &mut Leg,
    (to, format): (SocketAddr, Format),
    counters: &mut Counters,
    effects: &mut Effects,
) {
    let rate = Rate::of(format.codec);
    let mut frame = Mixed::silence(rate);
    if let Some(tone) = leg.presses.tone() {
        inband::sound(tone.digit, tone.at_ms, tone.length_ms, rate, &mut frame);
        counters.digits_sent += 1;
    }
    let stamp = leg.sent.frame(tick.at, tick.number);
    say(leg, to, format, stamp, &frame, effects);
}
