//! A simulated phone as tests hold it.

use core::time::Duration;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use model::{Digit, Language, Spoken};

use crate::network::Ways;
use crate::phone::agent::Registered;
use crate::phone::call::{CallState, Outcome};
use crate::phone::manner::{
    Early, Hold, Lead, Manner, OffersBy, Pace, Reliable, SessionTimer, WhenCalled,
};
use crate::phone::request::Transport;
use crate::phone::sound::{self, Sound};
use crate::world::World;

/// What a phone is made of.
#[derive(Clone, Debug)]
pub struct Device {
    pub(crate) name: String,
    pub(crate) company: u64,
    pub(crate) login: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) transport: Transport,
    pub(crate) registers: bool,
    pub(crate) is_behind_nat: bool,
}

impl Device {
    /// A device of an extension of the first customer, over UDP, registered.
    pub fn of(name: &str) -> Device {
        Device {
            name: name.to_owned(),
            company: 0,
            login: None,
            password: None,
            transport: Transport::Udp,
            registers: true,
            is_behind_nat: false,
        }
    }

    /// Of another customer.
    pub fn of_company(self, company: u64) -> Device {
        Device { company, ..self }
    }

    /// With another login.
    pub fn with_login(self, login: &str) -> Device {
        Device { login: Some(login.to_owned()), ..self }
    }

    /// With another password.
    pub fn with_password(self, password: &str) -> Device {
        Device { password: Some(password.to_owned()), ..self }
    }

    /// Over one connection.
    pub fn over_tcp(self) -> Device {
        Device { transport: Transport::Tcp, ..self }
    }

    /// Behind NAT: it tells a private address in everything that it writes.
    pub fn behind_nat(self) -> Device {
        Device { is_behind_nat: true, ..self }
    }

    /// Without registering.
    pub fn unregistered(self) -> Device {
        Device { registers: false, ..self }
    }
}

/// How long back [`Phone::hears`] listens.
const LISTEN: Duration = Duration::from_millis(250);

/// A phone of a run. Clones are the same phone.
#[derive(Clone, Debug)]
pub struct Phone {
    world: Rc<RefCell<World>>,
    index: usize,
}

impl Phone {
    pub(crate) fn new(world: Rc<RefCell<World>>, index: usize) -> Phone {
        Phone { world, index }
    }

    /// As ladders call it.
    pub fn name(&self) -> String {
        self.with(|p| p.place.name.clone())
    }

    /// Where it sends from.
    pub fn address(&self) -> core::net::SocketAddr {
        self.with(|p| p.place.address)
    }

    /// What others hear when it speaks.
    pub fn sound(&self) -> Sound {
        Sound::Phone(self.name())
    }

    /// Changes how it behaves.
    pub fn set(&self, change: impl FnOnce(&mut Manner)) {
        self.act(|p, now| {
            change(&mut p.manner);
            p.attend_all(now);
        });
    }

    /// It rings, and is answered after this time; at once if it is zero.
    pub fn answers_after(&self, time: Duration) {
        self.set(|m| m.when_called = WhenCalled::Answers(time));
    }

    /// It rings, and refuses with this status after this time; at once if it is zero.
    pub fn refuses_after(&self, time: Duration, status: u16) {
        self.set(|m| m.when_called = WhenCalled::Refuses(time, status));
    }

    /// It rings, and sends its caller on to a number after this time; at once if it is zero.
    pub fn sends_on_after(&self, time: Duration, number: &str) {
        self.set(|m| {
            number.clone_into(&mut m.names);
            m.when_called = WhenCalled::Refuses(time, 302);
        });
    }

    /// A carrier leads who calls the one number to the other, by a call of its own.
    pub fn leads(&self, number: &str, to: &str) {
        let lead = Lead { number: number.to_owned(), to: to.to_owned() };
        self.set(|m| m.leads = Some(lead));
    }

    /// It rings until somebody does something: how every phone begins.
    pub fn just_rings(&self) {
        self.set(|m| m.when_called = WhenCalled::Rings);
    }

    /// It sends 183 with its session and speaks before it is answered.
    pub fn speaks_early(&self) {
        self.set(|m| m.early = Early::Speaks);
    }

    /// What it says of reliable provisional responses.
    pub fn rings_reliably(&self, reliable: Reliable) {
        self.set(|m| m.reliable = reliable);
    }

    /// It offers and refreshes by UPDATE.
    pub fn offers_by_update(&self) {
        self.set(|m| m.offers_by = OffersBy::Update);
    }

    /// It keeps a session timer of so many seconds, and wants to refresh its own calls or not.
    pub fn keeps_time(&self, interval_s: u32, refreshes: bool) {
        self.set(|m| m.timer = Some(SessionTimer { interval_s, refreshes }));
    }

    /// How many reliable responses were acknowledged in its newest call, by either side.
    pub fn pracks(&self) -> u32 {
        self.with(|p| p.call().map_or(0, |c| c.pracks))
    }

    /// How often its newest call was refreshed, by either side.
    pub fn refreshes(&self) -> u32 {
        self.with(|p| p.call().map_or(0, |c| c.refreshes))
    }

    /// How often it sends RTP.
    pub fn set_pace(&self, pace: Pace) {
        self.set(|m| m.pace = pace);
    }

    /// Its own ways to the switch.
    pub fn set_ways(&self, ways: Ways) {
        self.world.borrow_mut().ways[self.index] = ways;
    }

    /// Dials a number.
    pub fn dials(&self, number: &str) {
        self.act(|p, now| p.dial(now, number));
    }

    /// Answers the call that rings; `false`: none does.
    pub fn answers(&self) -> bool {
        self.act(|p, now| p.answer(now))
    }

    /// Refuses the call that rings with a status; `false`: none does.
    pub fn refuses(&self, status: u16) -> bool {
        self.act(|p, now| p.refuse(now, status))
    }

    /// Hangs up the newest call, however far it has come; `false`: there is none.
    pub fn hangs_up(&self) -> bool {
        self.act(|p, now| p.hang_up(now))
    }

    /// Puts the other side on hold; `false`: there is no answered call.
    pub fn holds(&self, form: Hold) -> bool {
        self.act(|p, now| p.offer_hold(now, Some(form)))
    }

    /// Takes the other side back.
    pub fn resumes(&self) -> bool {
        self.act(|p, now| p.offer_hold(now, None))
    }

    /// Presses keys, one after the other.
    ///
    /// # Panics
    ///
    /// When a letter is no key.
    pub fn presses(&self, keys: &str) -> bool {
        let digit = |c| Digit::from_char(c).unwrap_or_else(|| panic!("{c} is no key"));
        keys.chars().all(|c| self.act(|p, now| p.press(now, digit(c))))
    }

    /// Registers.
    pub fn registers(&self) {
        self.act(|p, now| p.register(now, p.manner.expires_s));
    }

    /// Removes its contact.
    pub fn unregisters(&self) {
        self.act(|p, now| p.register(now, 0));
    }

    /// Loses its power and its memory; sends nothing.
    pub fn forgets(&self) {
        self.act(|p, _| p.forget());
    }

    /// A defect of it: what it says in its newest call goes to where another phone's goes.
    ///
    /// # Panics
    ///
    /// When the other one says nothing.
    pub fn speaks_where(&self, other: &Phone) {
        let channel = other.with(|p| p.call().and_then(|c| c.channel(p.manner.events)));
        let to = channel.expect("the other one speaks").to;
        self.act(|p, _| p.misdirect(to));
    }

    /// The cable is out: it hears nothing and is not heard.
    pub fn unplug(&self) {
        self.act(|p, _| p.is_unplugged = true);
    }

    /// The cable is in again.
    pub fn plug(&self) {
        self.act(|p, _| p.is_unplugged = false);
    }

    /// Its connection is cut.
    pub fn is_cut_off(&self) {
        self.world.borrow_mut().cut(self.index);
    }

    /// How its registration stands.
    pub fn registration(&self) -> Registered {
        self.with(|p| p.registered())
    }

    /// Whether it is registered.
    pub fn is_registered(&self) -> bool {
        self.registration() == Registered::Yes
    }

    /// The contacts that the last answer to a REGISTER listed.
    pub fn contacts(&self) -> Vec<String> {
        self.with(|p| p.contacts().to_vec())
    }

    /// How far its newest call has come; `None`: it never had one.
    pub fn state(&self) -> Option<CallState> {
        self.with(|p| p.call().map(|c| c.state.clone()))
    }

    /// Who calls or was called in its newest call.
    pub fn number(&self) -> Option<String> {
        self.with(|p| p.call().map(|c| c.number.clone()))
    }

    /// How its newest call has ended; `None`: it has not.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state()? {
            CallState::Over(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Whether its newest call rings here.
    pub fn is_ringing(&self) -> bool {
        self.state() == Some(CallState::Ringing)
    }

    /// Whether the switch has said that it rings elsewhere.
    pub fn hears_it_ring(&self) -> bool {
        matches!(self.state(), Some(CallState::Progressing(_)))
    }

    /// Whether its newest call is answered and goes on.
    pub fn is_in_call(&self) -> bool {
        self.state() == Some(CallState::Talking)
    }

    /// Whether no call goes on.
    pub fn is_idle(&self) -> bool {
        self.with(|p| p.calls.iter().all(|c| !c.is_live()))
    }

    /// How many calls go on.
    pub fn live_calls(&self) -> usize {
        self.with(|p| p.calls.iter().filter(|c| c.is_live()).count())
    }

    /// How many calls it has had, those that go on included.
    pub fn call_count(&self) -> usize {
        self.with(|p| p.calls.len() + p.past.len())
    }

    /// How all its calls have ended, oldest first.
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.with(|p| {
            let mut calls: Vec<_> = p.calls.iter().chain(&p.past).collect();
            calls.sort_by_key(|c| c.id);
            let outcome = |c: &&crate::phone::call::Call| match &c.state {
                CallState::Over(outcome) => Some(outcome.clone()),
                _ => None,
            };
            calls.iter().filter_map(outcome).collect()
        })
    }

    pub(crate) fn audible(&self) -> BTreeSet<Sound> {
        self.world.borrow().audible_at(self.index)
    }

    /// What is heard in its newest call, in the last quarter of a second.
    pub fn hears(&self) -> BTreeSet<Sound> {
        self.hears_over(LISTEN)
    }

    /// What was heard in its newest call, in this time up to now; a second at most.
    pub fn hears_over(&self, window: Duration) -> BTreeSet<Sound> {
        self.world.borrow().heard(self.index, window)
    }

    /// The sound that came in its newest call in this time up to now, a second at most: what the
    /// mixer or a player has sent. Relayed packets and silence are left out.
    pub fn samples_over(&self, window: Duration) -> Vec<i16> {
        self.world.borrow().samples(self.index, window)
    }

    /// The pitch of its own tone.
    pub fn says_hz(&self) -> f64 {
        sound::pitch_hz(self.with(|p| p.place.number))
    }

    /// The keys that it has heard as tones in the last second.
    pub fn tones(&self) -> String {
        self.world.borrow().tones(self.index)
    }

    /// Whether what it hears in a codec with a memory is what the other one has said, byte by byte:
    /// nobody has decoded it in between.
    pub fn hears_untouched(&self, other: &Phone) -> bool {
        let newest = self.with(|p| p.call().map(|call| call.ear.newest.clone()));
        let newest = newest.filter(|payload| !payload.is_empty());
        newest.is_some_and(|newest| {
            other.with(|p| p.call().is_some_and(|call| call.mouth.said.contains(&newest)))
        })
    }

    /// Whether it hears the busy tone, by its cadence: a second and a half of it tell.
    pub fn hears_busy_tone(&self) -> bool {
        self.world.borrow().hears_busy_tone(self.index)
    }

    /// The strongest frequency of what a mixer or a player has sent it in the last quarter of a
    /// second.
    pub fn pitch_hz(&self) -> Option<f64> {
        media::measure::pitch_hz(&self.samples_over(LISTEN))
    }

    /// Which built-in speech is heard in the last quarter of a second, and nothing else with it.
    pub fn hears_said(&self) -> BTreeSet<(Language, Spoken)> {
        sound::said(&self.samples_over(LISTEN))
    }

    /// Whether this word is heard in the last quarter of a second; quicker than asking for all.
    pub fn is_told(&self, language: Language, spoken: Spoken) -> bool {
        sound::says(&self.samples_over(LISTEN), language, spoken)
    }

    /// The digits that came by RFC 4733 in its newest call.
    pub fn digits(&self) -> String {
        self.with(|p| p.call().map(|c| c.ear.digits.clone()).unwrap_or_default())
    }

    /// The digits that came by INFO in its newest call.
    pub fn info_digits(&self) -> String {
        self.with(|p| p.call().map(|c| c.info_digits.clone()).unwrap_or_default())
    }

    /// RTP packets that came in its newest call.
    pub fn packets(&self) -> u64 {
        self.with(|p| p.call().map_or(0, |c| c.ear.packets))
    }

    /// RTP packets of speech that it has sent in its newest call.
    pub fn packets_sent(&self) -> u32 {
        self.with(|p| p.call().map_or(0, |c| c.mouth.packets()))
    }

    /// How often the SSRC has changed in its newest call.
    pub fn ssrc_changes(&self) -> u32 {
        self.with(|p| p.call().map_or(0, |c| c.ear.ssrc_changes))
    }

    /// Packets of another phone that should have come between the first and the last that did.
    pub fn missing_from(&self, other: &Phone) -> u32 {
        let number = u8::try_from(other.index).unwrap_or(u8::MAX);
        self.with(|p| {
            let streams = p.call().map(|c| &c.ear.streams);
            let of_other = |((phone, _), r): (&(u8, u8), &crate::phone::voice::Received)| {
                (*phone == number).then(|| r.missing())
            };
            streams.map_or(0, |s| s.iter().filter_map(of_other).sum())
        })
    }

    /// The messages that it has received, as the ladder began.
    pub fn received(&self) -> Vec<Vec<u8>> {
        let name = self.name();
        let world = self.world.borrow();
        let of_phone = |l: &&crate::ladder::Line| {
            l.phone == name && l.direction == crate::ladder::Direction::Received
        };
        world.lines.iter().filter(of_phone).map(|l| l.bytes.clone()).collect()
    }

    pub(crate) fn with<T>(&self, read: impl FnOnce(&crate::phone::agent::Agent) -> T) -> T {
        read(&self.world.borrow().phones[self.index])
    }

    pub(crate) fn act<T>(
        &self,
        act: impl FnOnce(&mut crate::phone::agent::Agent, model::Mono) -> T,
    ) -> T {
        self.world.borrow_mut().at_phone(self.index, act)
    }
}
