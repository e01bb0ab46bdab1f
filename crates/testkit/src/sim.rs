//! What tests speak: a run, its phones, and what can be asked of them.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;

use leg::{CdrLeg, Command, Event, Reply};
use model::{CallApiId, ExtensionId, FileId, TenantId};
use switch::{Counters, Gauges, Input, Ticket};

use crate::company::{self, Company};
use crate::device::{Device, Phone};
use crate::ladder::{self, Show};
use crate::network::{Link, Ways};
use crate::settings::Settings;
use crate::world::World;

/// So long after the last word of a call, nothing of it may be left: 64*T1 for the last
/// transaction, some seconds for its echo, and the rest of ports.
pub const SETTLING: Duration = Duration::from_secs(80);

/// So long a phone tries to register before a test gives up: three requests on a bad network.
const REGISTERING: Duration = Duration::from_secs(120);

/// What every phone behind NAT believes its socket to be.
const PRIVATE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 168, 1, 20)), 5_060);

/// How many lines of the ladder a failing test shows.
const LINES_SHOWN: usize = 80;

/// A run of the simulator: a switch, its customers, phones, a network and a clock of their own.
///
/// Nothing in it takes real time, and the seed decides everything.
///
/// ```
/// use testkit::{Sim, secs};
/// let sim = Sim::seed(7);
/// let (ann, bob) = (sim.phone("100"), sim.phone("101"));
/// ann.dials("101");
/// sim.run_for(secs(1));
/// assert!(bob.is_ringing());
/// bob.answers();
/// sim.run_for(secs(1));
/// sim.assert_talking(&ann, &bob);
/// ann.hangs_up();
/// sim.assert_nothing_left();
/// ```
#[derive(Debug)]
pub struct Sim {
    world: Rc<RefCell<World>>,
}

/// So many seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// So many milliseconds.
pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl Sim {
    /// One shard, one customer with phones `100` to `111` and the echo `199`, a good network.
    pub fn seed(seed: u64) -> Sim {
        Sim::with(Settings { seed, ..Settings::default() })
    }

    /// A run with these settings.
    pub fn with(settings: Settings) -> Sim {
        Sim { world: Rc::new(RefCell::new(World::new(settings))) }
    }

    pub(crate) fn world(&self) -> core::cell::RefMut<'_, World> {
        self.world.borrow_mut()
    }

    /// A new phone of the first customer, registered. The second one of an extension is another
    /// device of it, and ladders call it `100b`.
    ///
    /// # Panics
    ///
    /// When it cannot register.
    pub fn phone(&self, name: &str) -> Phone {
        self.device(Device::of(name))
    }

    /// A new phone of any kind, registered unless it says otherwise.
    ///
    /// # Panics
    ///
    /// When it cannot register.
    pub fn device(&self, device: Device) -> Phone {
        let mut world = self.world.borrow_mut();
        let login = device.login.unwrap_or_else(|| company::login(device.company, &device.name));
        let password =
            device.password.unwrap_or_else(|| company::password(device.company, &device.name));
        let (company, name, transport) = (device.company, &device.name, device.transport);
        let index = world.add_phone(company, name, login, password, transport);
        if device.is_behind_nat {
            world.phones[index].place.told = PRIVATE;
        }
        drop(world);
        let phone = Phone::new(Rc::clone(&self.world), index);
        if device.registers {
            phone.registers();
            assert!(
                self.run_while(REGISTERING, || !phone.is_registered()),
                "{} cannot register: {:?}",
                phone.name(),
                phone.registration()
            );
        }
        phone
    }

    /// Puts a sound into the node's store of files: 8,000 samples a second.
    pub fn stores(&self, file: FileId, samples: Vec<i16>) {
        let sound = media::Sound::narrow(samples);
        self.world.borrow_mut().disk.sounds.insert(file, sound);
    }

    /// Gives the first customer a sound: a tone of this pitch.
    pub fn sound(&self, id: u64, length: Duration, hz: f64) {
        let length_ms = u32::try_from(length.as_millis()).unwrap_or(u32::MAX);
        let samples = usize::try_from(length_ms).unwrap_or(0) * 8;
        self.stores(company::file_of(id), media::measure::sine(hz, -12.0, samples));
        self.configure(0, |company| company.sound(id, length_ms));
    }

    /// What a complete recording holds, by channel; `None`: there is none of this name.
    pub fn recording(&self, file: FileId) -> Option<Vec<Vec<i16>>> {
        self.world.borrow().disk.recordings.get(&file).cloned()
    }

    /// The names of all complete recordings.
    pub fn recordings(&self) -> Vec<FileId> {
        self.world.borrow().disk.recordings.keys().copied().collect()
    }

    /// From now on the disk takes nothing, or takes all again.
    pub fn disk_is_full(&self, is_full: bool) {
        self.world.borrow_mut().disk.is_full = is_full;
    }

    /// The clock moves on, and everything that is due happens.
    pub fn run_for(&self, time: Duration) {
        let mut world = self.world.borrow_mut();
        let until = world.now + time;
        world.run_until(until);
    }

    /// The clock moves on for as long as `goes_on` says; `false`: it still did after `at_most`.
    pub fn run_while(&self, at_most: Duration, goes_on: impl Fn() -> bool) -> bool {
        let until = self.world.borrow().now + at_most;
        loop {
            if !goes_on() {
                return true;
            }
            let mut world = self.world.borrow_mut();
            if !world.step(until) {
                world.run_until(until);
                drop(world);
                return !goes_on();
            }
        }
    }

    /// The time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.world.borrow().elapsed()
    }

    /// All messages of calls so far, as phones sent and received them, one a line.
    pub fn ladder(&self) -> String {
        ladder::write(self.world.borrow().lines.iter(), Show::Calls)
    }

    /// The same with registrations.
    pub fn whole_ladder(&self) -> String {
        ladder::write(self.world.borrow().lines.iter(), Show::All)
    }

    /// Forgets the ladder so far.
    pub fn begin_ladder(&self) {
        self.world.borrow_mut().lines.clear();
    }

    /// Everything that happened, to the byte; empty unless the settings keep it.
    pub fn trace(&self) -> String {
        self.world.borrow().trace.text().to_owned()
    }

    /// A number that two runs share only if everything in them happened alike.
    pub fn trace_hash(&self) -> u64 {
        self.world.borrow().trace.hash()
    }

    /// The events that were written, in order.
    pub fn events(&self) -> Vec<Event> {
        self.world.borrow().ledger.events().to_vec()
    }

    /// The events as text: extension, kind, status and, of a hangup, the reason; one a line.
    pub fn event_lines(&self) -> String {
        let line = |e: &Event| {
            let extension = e.extension.0 % 10_000;
            let reason = e.reason.map(|r| format!(" {}", r.label())).unwrap_or_default();
            format!("{extension} {} {}{reason}\n", e.kind.as_str(), e.status.as_str())
        };
        self.world.borrow().ledger.events().iter().map(line).collect()
    }

    /// The call records that were written, in order.
    pub fn cdrs(&self) -> Vec<CdrLeg> {
        self.world.borrow().ledger.cdrs().to_vec()
    }

    /// The messages that were left, in order.
    pub fn messages(&self) -> Vec<leg::Message> {
        self.world.borrow().ledger.messages().to_vec()
    }

    /// The database tells the switch what lies in the voicemail of an extension of the first
    /// customer, as it does after each change and at the start.
    pub fn tells_of_messages(&self, name: &str) {
        let told = self.world.borrow().ledger.told_of_messages(self.extension(name));
        self.answer_to(0, told);
    }

    /// The recordings of talks that were told, in order.
    pub fn recorded(&self) -> Vec<leg::Recording> {
        self.world.borrow().ledger.recordings().to_vec()
    }

    /// The rows of the audit that were written, in order, as text: who, what, to whom, whether it
    /// was allowed, by which clause, and what else is told.
    pub fn whole_audit(&self) -> String {
        let line = |row: &leg::Audit| {
            let name = |of: &Option<leg::AuditExtension>| {
                let name = of.as_ref().map_or("-", |of| &*of.name);
                name.rsplit('*').next().unwrap_or(name).to_owned()
            };
            let (actor, action, target) =
                (name(&row.actor), row.action.as_str(), name(&row.target));
            let allowed = if row.allowed { "may" } else { "may not" };
            let detail = row.detail.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            format!("{actor} {action} {target}: {allowed}, {}{detail}\n", row.clause)
        };
        self.world.borrow().ledger.audits().iter().map(line).collect()
    }

    /// What all shards hold; zero while the switch is down.
    pub fn gauges(&self) -> Gauges {
        self.world.borrow().gauges()
    }

    /// What all shards have counted since the switch was started last, each for itself.
    pub fn counters(&self) -> Vec<Counters> {
        let world = self.world.borrow();
        world.node.iter().flat_map(|n| &n.shards).map(|s| s.counters()).collect()
    }

    /// How often the switch was started.
    pub fn lives(&self) -> u64 {
        self.world.borrow().lives
    }

    /// Changes a customer and gives the change to the switch.
    pub fn configure(&self, number: usize, change: impl FnOnce(&mut Company)) {
        let mut world = self.world.borrow_mut();
        change(&mut world.companies[number]);
        world.configure(number);
    }

    /// Sets the incoming call rules of an extension of the first customer.
    pub fn rules(&self, name: &str, rules: &str) {
        self.configure(0, |company| company.rules(name, rules));
    }

    /// The tenant of a customer.
    pub fn tenant(&self, number: usize) -> TenantId {
        self.world.borrow().companies[number].id()
    }

    /// The id of an extension of the first customer.
    pub fn extension(&self, name: &str) -> ExtensionId {
        self.world.borrow().companies[0].extension_id(name)
    }

    /// Which shard a customer lives on.
    pub fn shard_of(&self, number: usize) -> usize {
        switch::shard_of(self.tenant(number), self.world.borrow().settings.shards)
    }

    /// Asks the switch something about the calls of a customer; the answer comes later.
    pub fn ask(&self, number: usize, command: Command) -> Ticket {
        self.world.borrow_mut().ask(number, command)
    }

    /// The answer to a question, once.
    pub fn answer(&self, ticket: Ticket) -> Option<Reply> {
        self.world.borrow_mut().replies.remove(&ticket)
    }

    /// Asks and waits for the answer.
    ///
    /// # Panics
    ///
    /// When there is none within a second.
    pub fn answer_to(&self, number: usize, command: Command) -> Reply {
        let ticket = self.ask(number, command);
        let waits = || !self.world.borrow().replies.contains_key(&ticket);
        assert!(self.run_while(secs(1), waits), "no answer");
        self.answer(ticket).expect("it was just there")
    }

    /// Hangs up the newest call of an extension of the first customer as a program does it.
    ///
    /// # Panics
    ///
    /// When the switch does not answer.
    pub fn api_hangs_up(&self, name: &str, call: CallApiId) -> Reply {
        let extension = self.extension(name);
        self.answer_to(0, Command::Hangup { extension, call })
    }

    /// The handles of the calls of an extension of the first customer.
    pub fn calls_of(&self, name: &str) -> Vec<CallApiId> {
        let extension = Some(self.extension(name));
        match self.answer_to(0, Command::ListCalls { extension }) {
            Reply::Calls(calls) => calls.iter().filter_map(|c| c.call_api_id).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// The journals take nothing more, or take records again.
    pub fn journal_full(&self, is_full: bool) {
        let mut world = self.world.borrow_mut();
        world.journals.iter_mut().for_each(|j| j.set_full(is_full));
        world.all_shards(|| Input::JournalFull(is_full));
    }

    /// The switch is stopping.
    pub fn drain(&self) {
        self.world.borrow_mut().all_shards(|| Input::Drain);
    }

    /// The limit for running calls has passed.
    pub fn end_all(&self) {
        self.world.borrow_mut().all_shards(|| Input::EndAll);
    }

    /// Makes the next input of a step of this kind panic, in the calls of a customer.
    pub fn inject_panic(&self, number: usize, step_kind: &'static str) {
        let (tenant, shard) = (self.tenant(number), self.shard_of(number));
        if let Some(node) = &mut self.world.borrow_mut().node {
            node.shards[shard].inject_panic(tenant, step_kind);
        }
    }

    /// Whether the panic that was asked for has not come yet.
    pub fn fault_waits(&self, number: usize) -> bool {
        let (tenant, shard) = (self.tenant(number), self.shard_of(number));
        self.world.borrow().node.as_ref().is_some_and(|node| node.shards[shard].has_fault(tenant))
    }

    /// Kills the switch; it starts again after its downtime.
    pub fn kill(&self) {
        self.world.borrow_mut().kill();
    }

    /// Kills the switch after it has done `things` more: one write of the records of a step, or one
    /// other effect. With 0, the next step is lost with its records.
    pub fn kill_after(&self, things: u64) {
        self.world.borrow_mut().kill_after = Some(things);
    }

    /// Whether the kill that was asked for has not come yet; it is called off.
    pub fn is_kill_pending(&self) -> bool {
        self.world.borrow_mut().kill_after.take().is_some()
    }

    /// Somebody sets the wall clock by so many seconds.
    pub fn shift_wall_clock(&self, by_seconds: i64) {
        self.world.borrow_mut().shift_wall(by_seconds * 1_000_000);
    }

    /// Every way between phones and the switch is like this from now on.
    pub fn set_ways(&self, ways: Ways) {
        let mut world = self.world.borrow_mut();
        world.settings.ways = ways;
        world.ways.iter_mut().for_each(|w| *w = ways);
    }

    /// A datagram from an address where no phone is reaches the SIP port.
    pub fn stranger_sends(&self, from: SocketAddr, bytes: &[u8]) {
        self.world.borrow_mut().sip_to_switch(&Link::GOOD, from, bytes.to_vec());
    }

    /// A datagram from an address where no phone is reaches an RTP port.
    pub fn stranger_sprays(&self, from: SocketAddr, port: u16, bytes: &[u8]) {
        let to = SocketAddr::new(crate::node::ADDRESS, port);
        self.world.borrow_mut().rtp_to_switch(&Link::GOOD, from, to, bytes.to_vec());
    }

    /// What addresses without a phone were sent so far.
    pub fn strays(&self) -> Vec<(SocketAddr, Vec<u8>)> {
        self.world.borrow().strays.clone()
    }

    /// Both phones hear each other and nothing else.
    ///
    /// # Panics
    ///
    /// When they do not.
    #[track_caller]
    pub fn assert_talking(&self, a: &Phone, b: &Phone) {
        for (listener, speaker) in [(a, b), (b, a)] {
            let heard = listener.hears();
            assert!(
                heard == [speaker.sound()].into(),
                "{} hears {heard:?} and should hear {}",
                listener.name(),
                speaker.name()
            );
        }
    }

    /// Whether both phones hear each other and nothing else.
    pub fn are_talking(&self, a: &Phone, b: &Phone) -> bool {
        a.hears() == [b.sound()].into() && b.hears() == [a.sound()].into()
    }

    /// After the settling time nothing is left of any call, in the switch and on the phones, and
    /// all that was written down is complete. Registrations stay.
    ///
    /// # Panics
    ///
    /// When something is left.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        self.run_for(SETTLING);
        if let Err(left) = self.world.borrow().leftovers() {
            panic!("{left}");
        }
    }
}

/// A failing test shows the seed and the end of the ladder.
impl Drop for Sim {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let Ok(world) = self.world.try_borrow() else { return };
        let ladder = ladder::write(world.lines.iter(), Show::All);
        let lines: Vec<&str> = ladder.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LINES_SHOWN)..).unwrap_or(&[]);
        eprintln!("seed {}; the ladder ends:\n{}", world.settings.seed, last.join("\n"));
    }
}
