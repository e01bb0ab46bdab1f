//! Where it is done: the switch, two customers with twenty phones and who calls them from outside,
//! what is remembered of the run.

use std::collections::{BTreeMap, BTreeSet};

use leg::{Command, EventKind, Reply};
use model::{CallApiId, Chance, Number};
use switch::Ticket;

use super::act::{Act, Does, Order, Setting};
use super::consulted::{Consulted, Who};
use super::{Step, Summary, choose, lamps, lists, outside};
use crate::company::ECHO;
use crate::controls::action;
use crate::device::{Device, Phone};
use crate::network::{Link, Ways};
use crate::phone::manner::{AfterRefer, Early, Events, Offer, OffersBy, Pace, WhenCalled};
use crate::settings::Settings;
use crate::sim::{Sim, millis};

/// The extensions of each customer that have phones.
pub(super) const NAMES: [&str; 7] = ["100", "101", "102", "103", "104", "105", "106"];

/// Phones of the first customer, and of the second.
const PHONES: [usize; 2] = [12, 8];

/// Phones of both.
pub(super) const ALL_PHONES: usize = PHONES[0] + PHONES[1];

/// What a program has ordered and was not answered yet.
pub(super) struct Asked {
    ticket: Ticket,
    pub(super) word: String,
    /// Who consults which number if it is accepted.
    consults: Option<(Who, String)>,
}

/// The run.
pub(super) struct Stage {
    pub(super) sim: Sim,
    /// Phones, and who is outside.
    pub(super) phones: Vec<Phone>,
    /// Cables may come out and the switch be killed: not every end is noticed then.
    pub(super) may_lose: bool,
    /// The network loses nothing.
    is_reliable: bool,
    /// Nobody listens to calls of others, or joins them.
    pub(super) is_plain: bool,
    /// Defects are met, and each shall cost one call.
    pub(super) is_faulty: bool,
    /// The defects that were injected, those that wait for their step included.
    injected: u64,
    /// Extensions whose calls may be screened.
    pub(super) screens: BTreeSet<(usize, String)>,
    /// New and old messages, as the database has told last.
    pub(super) mail: BTreeMap<(usize, String), (u32, u32)>,
    /// Phones that do not know what the switch has told them meanwhile.
    unplugged: BTreeSet<usize>,
    /// The life of the switch to which phones have subscribed.
    life: u64,
    /// For whom a program has held a call: where that hold is now, only the switch knows.
    pub(super) held: BTreeSet<(usize, String)>,
    /// Customers whose programs have had somebody rung for a pickup.
    pub(super) pickups: BTreeSet<usize>,
    /// Who may consult whom.
    pub(super) consulted: Consulted,
    /// Extensions that have had rules, or whose ringing calls were sent on: others may stand for
    /// them.
    pub(super) ruled: BTreeSet<(usize, String)>,
    /// Where rules and programs may have led who has dialled something else.
    pub(super) led: BTreeSet<(usize, String)>,
    /// Who was found to talk with the outside.
    pub(super) outside: Vec<lists::Talk>,
    pub(super) tickets: Vec<Asked>,
    pub(super) summary: Summary,
}

impl Stage {
    pub(super) fn new(seed: u64, keeps_trace: bool) -> Stage {
        let mut chance = Chance::from_number(seed ^ 0x57A6E);
        let shards = 1 + usize::from(chance.below(4) == 0);
        let settings = Settings {
            seed,
            shards,
            companies: 2,
            phones: 8,
            pace: Pace::Mute,
            keeps_trace,
            ..Settings::default()
        };
        let sim = Sim::with(settings);
        let mut phones = Vec::new();
        for (company, count) in (0..).zip(PHONES) {
            for n in 0..count {
                // Some extensions have two devices.
                let name = NAMES[n * NAMES.len() / count];
                let device = Device::of(name).of_company(company).unregistered();
                let device = if chance.below(6) == 0 { device.over_tcp() } else { device };
                phones.push(furnished(sim.device(device), &mut chance));
            }
        }
        phones.iter().for_each(Phone::registers);
        sim.run_for(millis(100));
        for party in outside::enter(&sim) {
            let when_called = outside::takes_calls(&mut chance);
            party.set(|m| m.when_called = when_called);
            phones.push(furnished(party, &mut chance));
        }
        for number in 0..2 {
            sim.configure(number, |company| company.rights("all share replace"));
        }
        let (may_lose, is_plain) = (seed % 4 == 3, seed.is_multiple_of(3));
        let is_faulty = seed % 5 == 1;
        let is_reliable = seed.is_multiple_of(2);
        if !is_reliable {
            let bad = Link { jitter: millis(30), ..Link::losing(8) };
            let ways = Ways { sip_up: bad, sip_down: bad, ..Ways::GOOD };
            sim.set_ways(ways);
        }
        let life = sim.lives();
        let mut stage = Stage {
            sim,
            phones,
            may_lose,
            is_reliable,
            is_plain,
            is_faulty,
            injected: 0,
            screens: BTreeSet::new(),
            mail: BTreeMap::new(),
            unplugged: BTreeSet::new(),
            life,
            held: BTreeSet::new(),
            pickups: BTreeSet::new(),
            consulted: Consulted::default(),
            ruled: BTreeSet::new(),
            led: BTreeSet::new(),
            outside: Vec::new(),
            tickets: Vec::new(),
            summary: Summary::default(),
        };
        lamps::begin(&stage);
        for company in 0..2 {
            // Some have rules already when the day begins.
            for name in NAMES {
                if [1, 2].contains(&(seed % 4)) && chance.below(4) == 0 {
                    let rules = choose::rules(company, &mut chance);
                    stage.set(company, &Setting::Rules(name.to_owned(), rules));
                }
            }
        }
        stage
    }

    pub(super) fn company_of(&self, phone: usize) -> usize {
        company_of(phone)
    }

    /// Whether a phone is an extension's, not outside.
    pub(super) fn is_inside(&self, phone: usize) -> bool {
        phone < ALL_PHONES
    }

    /// The extension of a phone; of who is outside, its number.
    pub(super) fn extension_of(&self, phone: usize) -> String {
        name_of(phone)
    }

    /// Whether signalling is at rest after a step, and the table says who hears whom.
    pub(super) fn can_tell_who_hears_whom(&self, step: &Step) -> bool {
        self.is_plain && !self.may_lose && self.is_reliable && step.wait_ms > 3_000
    }

    /// Whether signalling is at rest after a step: what is lost on a bad network has been repeated.
    pub(super) fn can_tell_what_lamps_show(&self, step: &Step) -> bool {
        let calm_ms = if self.is_reliable { 3_000 } else { 9_000 };
        !self.may_lose && step.wait_ms > calm_ms
    }

    /// The defects that were met since the switch was started, and those that were injected and do
    /// not wait for their step any more.
    pub(super) fn defects(&self) -> (u64, u64) {
        let met = self.sim.counters().iter().map(|c| c.panics).sum();
        let waiting = (0..2).filter(|number| self.sim.fault_waits(*number)).count();
        (met, self.injected - waiting as u64)
    }

    /// Does one step, and lets time pass.
    pub(super) fn perform(&mut self, step: &Step) {
        match &step.act {
            Act::At(phone, does) => self.at(*phone, does),
            Act::Order(order) => self.order(order),
            Act::Set(company, setting) => self.set(*company, setting),
            Act::Kill(after) => self.sim.kill_after(*after),
            Act::Break(company, kind) => {
                self.injected += u64::from(!self.sim.fault_waits(*company));
                self.sim.inject_panic(*company, kind);
            }
        }
        self.sim.run_for(millis(step.wait_ms));
        self.take_answers();
        self.note_idle();
        self.subscribe_anew();
    }

    /// Subscriptions do not outlive a restart: phones subscribe anew, and the database is read.
    pub(super) fn subscribe_anew(&mut self) {
        if core::mem::replace(&mut self.life, self.sim.lives()) == self.life {
            return;
        }
        self.phones.iter().for_each(Phone::watches_anew);
        for ((company, name), (new, old)) in &self.mail {
            self.tells_of_messages(*company, name, (*new, *old));
        }
    }

    fn tells_of_messages(&self, company: usize, name: &str, (new, old): (u32, u32)) {
        let extension = self.sim.world().companies[company].extension_id(name);
        let messages = Vec::new();
        self.sim.ask(company, Command::NoteMessages { extension, new, old, messages });
    }

    fn at(&mut self, number: usize, does: &Does) {
        if *does == Does::Unplugs {
            self.unplugged.insert(number);
        }
        if *does == Does::Plugs {
            self.plug_all();
        }
        if let Does::Presses(keys) = does {
            let who = (self.company_of(number), self.extension_of(number));
            self.consulted.presses(who, keys);
        }
        let phone = &self.phones[number];
        match does {
            // A person has two hands: one call that waits, one that goes on.
            Does::Dials(to) if phone.live_calls() < 2 => phone.dials(to),
            Does::Dials(_) => {}
            Does::Answers => _ = phone.answers(),
            Does::Refuses(status) => _ = phone.refuses(*status),
            Does::HangsUp => _ = phone.hangs_up(),
            Does::Holds(form) => _ = phone.holds(*form),
            Does::Resumes => _ = phone.resumes(),
            Does::Presses(keys) => _ = phone.presses(keys),
            Does::Refers(to) => _ = phone.refers_to(to),
            Does::JoinsItsCalls => _ = phone.joins_its_calls(),
            Does::RefersToThatOf(other) => {
                if let Some(names) = self.phones[*other].dialog_names() {
                    phone.refers_to_dialog(&names);
                }
            }
            Does::TakesThatOf(other) => {
                let names = self.phones[*other].dialog_names().filter(|_| phone.live_calls() < 2);
                if let Some(names) = names {
                    let to = match self.is_inside(number) {
                        true => self.extension_of(*other),
                        false => outside::did(company_of(number), &self.extension_of(*other)),
                    };
                    phone.dials_replacing(&to, &names);
                }
            }
            Does::Watches(resource) => phone.watches(resource),
            Does::Unregisters => phone.unregisters(),
            Does::Registers => phone.registers(),
            Does::Unplugs => phone.unplug(),
            Does::Plugs => {}
        }
    }

    /// All cables are in again.
    pub(super) fn plug_all(&mut self) {
        self.phones.iter().for_each(Phone::plug);
        for number in core::mem::take(&mut self.unplugged) {
            self.phones[number].watches_anew();
        }
    }

    fn order(&mut self, order: &Order) {
        let extension = self.sim.world().companies[order.calls_of].extension_id(&order.name);
        let Some(call) = self.call_of(extension, order.call) else { return };
        let ticket = match order.action.as_str() {
            "delete" => self.sim.ask(order.company, Command::Hangup { extension, call }),
            text if order.company == order.calls_of => {
                self.sim.orders(order.company, &order.name, call, action(text))
            }
            text => {
                // Of another customer's extension: it does not exist.
                let program = crate::controls::program().into();
                let action = action(text);
                let command = Command::Control { extension, call, action, program };
                self.sim.ask(order.company, command)
            }
        };
        let word = order.action.split(' ').next().unwrap_or_default();
        if order.action == "hold" && order.company == order.calls_of {
            self.held.insert((order.company, order.name.clone()));
        }
        if word == "pickup" {
            self.pickups.insert(order.calls_of);
        }
        let to = order.action.strip_prefix(word).unwrap_or_default().trim_start();
        let of = (order.calls_of, order.name.clone());
        if word == "transfer" {
            self.ruled.insert(of.clone());
            self.note_led(order.calls_of, to);
        }
        let consults = (word == "attend").then(|| {
            let who = if self.ruled.contains(&of) { (of.0, None) } else { (of.0, Some(of.1)) };
            (who, to.to_owned())
        });
        let foreign = if order.company == order.calls_of { "" } else { "foreign " };
        self.tickets.push(Asked { ticket, word: format!("{foreign}{word}"), consults });
    }

    /// Calls may be led to these numbers.
    fn note_led(&mut self, company: usize, text: &str) {
        let is_name = |word: &&str| {
            NAMES.contains(word) || *word == ECHO || outside::whose(word) == Some(company)
        };
        let names = text.split([' ', '@', '*']).filter(is_name);
        self.led.extend(names.map(|name| (company, name.to_owned())));
    }

    /// Who has no call any more consults nobody.
    fn note_idle(&mut self) {
        let Stage { consulted, phones, .. } = self;
        let mut busy = BTreeSet::new();
        for (number, _) in phones.iter().enumerate().filter(|(_, phone)| !phone.is_idle()) {
            busy.extend([(company_of(number), None), (company_of(number), Some(name_of(number)))]);
        }
        consulted.forget(|who| !busy.contains(who));
    }

    /// The extensions of a customer whose calls go on, whether they talk in them or not.
    pub(super) fn with_calls(&self, number: usize) -> Vec<&'static str> {
        let world = self.sim.world();
        let company = &world.companies[number];
        let mut parts = BTreeMap::<_, i32>::new();
        for event in world.ledger.events() {
            let change = match event.kind {
                EventKind::Hangup => -1,
                EventKind::DialIn | EventKind::DialOut => 1,
                EventKind::Answer | EventKind::Voicemail => 0,
            };
            *parts.entry(event.extension).or_default() += change;
        }
        let goes_on = |name: &str| parts.get(&company.extension_id(name)).is_some_and(|n| *n > 0);
        NAMES.into_iter().filter(|name| goes_on(name)).collect()
    }

    /// The newest call of an extension that goes on, or the one before; else one that is over.
    fn call_of(&self, extension: model::ExtensionId, back: usize) -> Option<CallApiId> {
        let world = self.sim.world();
        let mut live: Vec<CallApiId> = Vec::new();
        let mut last = None;
        for event in world.ledger.events().iter().filter(|e| e.extension == extension) {
            last = Some(event.call);
            match event.kind {
                EventKind::Hangup => live.retain(|call| *call != event.call),
                EventKind::DialIn | EventKind::DialOut => live.push(event.call),
                EventKind::Answer | EventKind::Voicemail => {}
            }
        }
        live.iter().rev().nth(back).copied().or(live.last().copied()).or(last)
    }

    fn set(&mut self, number: usize, setting: &Setting) {
        match setting {
            Setting::Rules(name, text) => {
                self.ruled.insert((number, name.clone()));
                self.note_led(number, text);
                if text.contains("screened") {
                    self.screens.insert((number, name.clone()));
                }
            }
            Setting::Screens(name, _) => _ = self.screens.insert((number, name.clone())),
            Setting::Messages(name, new, old) => {
                self.mail.insert((number, name.clone()), (*new, *old));
                return self.tells_of_messages(number, name, (*new, *old));
            }
            _ => {}
        }
        self.sim.configure(number, |company| match setting {
            Setting::Rights(text) => company.rights(text),
            Setting::Rules(name, text) => company.rules(name, text),
            Setting::Limit(name, limit) => company.phone(name).incoming_limit = *limit,
            Setting::Slots(count) => company.routing.settings.shown.valet_park_slots = *count,
            Setting::Fallback(to) => {
                let to = to.as_ref().and_then(|to| Number::parse(to).ok());
                company.routing.settings.shown.park_fallback = to;
            }
            Setting::Screens(name, does) => {
                company.phone(name).shown.call_screening_enabled = *does;
            }
            // Not a matter of the configuration.
            Setting::Messages(..) => {}
        });
    }

    pub(super) fn take_answers(&mut self) {
        let Stage { sim, tickets, summary, consulted, .. } = self;
        tickets.retain(|Asked { ticket, word, consults }| {
            let Some(reply) = sim.answer(*ticket) else { return true };
            let sum = summary.orders.entry(word.clone()).or_default();
            match (reply, consults) {
                (Reply::Refused(_), _) => sum.1 += 1,
                (_, None) => sum.0 += 1,
                (_, Some((who, number))) => {
                    sum.0 += 1;
                    consulted.begins(who.clone(), number);
                }
            }
            false
        });
    }

    pub(super) fn summary(mut self) -> Summary {
        let world = self.sim.world();
        self.summary.events = world.ledger.events().len() as u64;
        self.summary.cdrs = world.ledger.cdrs().len() as u64;
        self.summary.hash = world.trace.hash();
        self.summary.defects = world.ledger.defects();
        drop(world);
        self.summary
    }

    /// The names of the phones of each customer.
    pub(super) fn people(&self) -> BTreeMap<String, usize> {
        self.phones.iter().enumerate().map(|(n, p)| (p.name(), self.company_of(n))).collect()
    }
}

fn company_of(phone: usize) -> usize {
    phone.checked_sub(ALL_PHONES).map_or(usize::from(phone >= PHONES[0]), outside::company_of)
}

fn name_of(phone: usize) -> String {
    if let Some(n) = phone.checked_sub(ALL_PHONES) {
        return outside::number_of(n);
    }
    let (n, count) = match phone.checked_sub(PHONES[0]) {
        Some(n) => (n, PHONES[1]),
        None => (phone, PHONES[0]),
    };
    NAMES[n * NAMES.len() / count].to_owned()
}

fn furnished(phone: Phone, chance: &mut Chance) -> Phone {
    let mut pick = |n: u64| chance.below(n) == 0;
    phone.set(|m| {
        if pick(2) {
            m.events = Events::Info;
        }
        if pick(6) {
            m.offer = Offer::Delayed;
        }
        if pick(6) {
            m.early = Early::Speaks;
        }
        if pick(4) {
            m.offers_by = OffersBy::Update;
        }
        if pick(3) {
            m.codecs.reverse();
        }
        if pick(4) {
            m.when_called = WhenCalled::Answers(millis(300));
        }
        m.after_refer = match (pick(3), pick(2)) {
            (true, _) => AfterRefer::ByesAtOnce,
            (_, true) => AfterRefer::Stays,
            _ => AfterRefer::Byes,
        };
    });
    phone
}
