//! A media thread: the RTP sockets of one shard's tenants around one [`Plane`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use leg::MediaEventKind;
use media::{Counters, Effect, Effects, Plane, Recording, Taken};
use model::{Chance, FileId, Mono, Now};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use switch::Input;
use tracing::{error, warn};

use crate::files::{self, Files, Owner, Tape};
use crate::inbox::Post;
use crate::letter::Letter;
use crate::mailbox::{Mail, Mailbox};
use crate::rtp_sockets::RtpSockets;
use crate::{clock, limits, turns};

/// A media thread in figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct MediaFigures {
    /// Calls with audio.
    pub(crate) calls: usize,
    /// Legs with a port.
    pub(crate) legs: usize,
    /// Sockets that are listened to.
    pub(crate) open: usize,
    /// What the plane has counted.
    pub(crate) plane: Counters,
    /// What the loop has counted.
    pub(crate) lost: MediaCounts,
}

/// What the loop around a plane has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MediaCounts {
    /// Datagrams that the kernel did not take.
    pub(crate) unsent: u64,
    /// Events that found the shard's queue full.
    pub(crate) events_dropped: u64,
    /// Panics.
    pub(crate) panics: u64,
    /// Sockets that could not be opened, connected or closed.
    pub(crate) socket_failures: u64,
    /// Sounds that could not be had.
    pub(crate) files_missing: u64,
    /// Recordings that could not be written.
    pub(crate) recordings_failed: u64,
}

/// The thread's handle.
pub(crate) struct MediaThread {
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<()>>,
}

impl MediaThread {
    /// Starts the thread of shard `index` with its sockets; events go to `shard`, sounds come from
    /// and recordings go to `files`.
    pub(crate) fn start(
        index: usize,
        sockets: RtpSockets,
        shard: Post<Letter>,
        files: Files,
        chance: Chance,
    ) -> io::Result<MediaThread> {
        let mailbox = Arc::new(Mailbox::new()?);
        let world = World {
            index,
            files,
            tapes: BTreeMap::new(),
            refused: Vec::new(),
            untold: VecDeque::new(),
            owner: Owner { shard: shard.clone(), media: Arc::clone(&mailbox) },
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            sockets,
            open: BTreeSet::new(),
            waited: BTreeSet::new(),
            shard,
            counts: MediaCounts::default(),
        };
        let timer = TimerFd::new(
            ClockId::CLOCK_MONOTONIC,
            TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC,
        )?;
        world.epoll.add(mailbox.bell(), EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        world.epoll.add(timer.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        let media_loop = MediaLoop {
            plane: Plane::new(clock::now(), chance),
            world,
            timer,
            armed: None,
            mailbox: Arc::clone(&mailbox),
            mail: Mail::default(),
            effects: Effects::new(),
            buffer: vec![0; limits::RTP_BYTES_MAX].into_boxed_slice(),
        };
        let name = format!("media-{index}");
        let thread = thread::Builder::new().name(name).spawn(move || {
            turns::shorten();
            media_loop.run();
        })?;
        Ok(MediaThread { mailbox, thread: Some(thread) })
    }

    /// Where its commands go.
    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Ends the thread.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.mailbox.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("a media thread has panicked");
        }
    }
}

impl Drop for MediaThread {
    fn drop(&mut self) {
        self.end();
    }
}

/// Tokens of what is no port.
const BELL: u64 = 1 << 32;
const TIMER: u64 = BELL + 1;

struct MediaLoop {
    plane: Plane,
    world: World,
    timer: TimerFd,
    armed: Option<Mono>,
    mailbox: Arc<Mailbox>,
    mail: Mail,
    effects: Effects,
    buffer: Box<[u8]>,
}

/// Where effects go.
struct World {
    epoll: Epoll,
    sockets: RtpSockets,
    open: BTreeSet<u16>,
    /// Ports whose socket is waited on. It stays so after its call: it falls deaf when it has
    /// something to report, and the next call need not ask the kernel again.
    waited: BTreeSet<u16>,
    shard: Post<Letter>,
    /// Which media thread this is.
    index: usize,
    files: Files,
    owner: Owner,
    /// Recordings under way.
    tapes: BTreeMap<Recording, Taken>,
    /// What the queues of the files' threads had no room for; the plane is told after the effects.
    refused: Vec<Refused>,
    /// That recordings have failed, which found the shard's queue full: whoever keeps a recording's
    /// name must hear of it. At most one for each recording under way.
    untold: VecDeque<Letter>,
    counts: MediaCounts,
}

/// What could not be ordered.
enum Refused {
    File(FileId),
    Recording(Recording),
}

impl MediaLoop {
    fn run(mut self) {
        let mut events = [EpollEvent::empty(); limits::RTP_EVENTS];
        while !self.mail.stop {
            let ready = match self.wait(&mut events) {
                Ok(ready) => ready,
                Err(error) => {
                    error!(%error, "a media thread cannot wait for its sockets");
                    thread::sleep(limits::ACCEPT_PAUSE);
                    continue;
                }
            };
            let ready = events.get(..ready).unwrap_or_default();
            // A defect of ours costs what was in hand, not everybody's audio.
            let done = catch_unwind(AssertUnwindSafe(|| self.round(ready)));
            if done.is_err() {
                self.world.counts.panics += 1;
                error!("a defect in the media of a call was caught");
                self.effects.clear();
            }
        }
    }

    fn wait(&mut self, events: &mut [EpollEvent]) -> nix::Result<usize> {
        let deadline = self.plane.deadline();
        if deadline != self.armed {
            match deadline {
                Some(at) => self
                    .timer
                    .set(Expiration::OneShot(timespec(at)), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?,
                None => self.timer.unset()?,
            }
            self.armed = deadline;
        }
        // After a panic commands may be left.
        let timeout = match (self.mail.is_empty(), self.world.untold.is_empty()) {
            (true, true) => EpollTimeout::NONE,
            (true, false) => EpollTimeout::from(limits::NOTICE_RETRY_MS),
            (false, _) => EpollTimeout::ZERO,
        };
        match self.world.epoll.wait(events, timeout) {
            Err(nix::errno::Errno::EINTR) => Ok(0),
            result => result,
        }
    }

    fn round(&mut self, ready: &[EpollEvent]) {
        let now = clock::now();
        self.world.tell_again();
        // Commands first: a packet that came because of one finds it obeyed.
        let rung = ready.iter().any(|event| event.data() == BELL);
        if rung {
            self.mailbox.bell().hush();
        }
        if rung || !self.mail.is_empty() || self.mailbox.waits() {
            self.take_mail(now);
        }
        for event in ready {
            match event.data() {
                BELL => {}
                TIMER => {
                    // It cannot wait: the timer has rung.
                    let _ = self.timer.wait();
                    self.armed = None;
                }
                port => self.receive(now, u16::try_from(port).unwrap_or(0)),
            }
        }
        if self.plane.deadline().is_some_and(|at| at <= now.mono) {
            self.plane.tick(now, &mut self.effects);
            self.carry_out();
            self.give_up(now);
        }
    }

    /// Tells the plane what could not be ordered.
    fn give_up(&mut self, now: Now) {
        while let Some(refused) = self.world.refused.pop() {
            match refused {
                Refused::File(file) => {
                    self.world.counts.files_missing += 1;
                    self.plane.file(file, None, &mut self.effects);
                    self.carry_out();
                }
                Refused::Recording(recording) => {
                    self.world.counts.recordings_failed += 1;
                    self.plane.recording_failed(now, recording);
                }
            }
        }
    }

    fn take_mail(&mut self, now: Now) {
        self.mailbox.take(&mut self.mail);
        // One after the other, so that a panic costs one.
        while let Some((tenant, command)) = self.mail.commands.pop_front() {
            self.plane.command(now, tenant, command, &mut self.effects);
            self.carry_out();
        }
        while let Some((file, sound)) = self.mail.files.pop() {
            self.world.counts.files_missing += u64::from(sound.is_none());
            self.plane.file(file, sound.as_ref(), &mut self.effects);
            self.carry_out();
        }
        while let Some(recording) = self.mail.failed_recordings.pop() {
            self.world.counts.recordings_failed += 1;
            self.world.tapes.remove(&recording);
            self.plane.recording_failed(now, recording);
        }
        self.give_up(now);
        for report in core::mem::take(&mut self.mail.reports) {
            // Who asked may have stopped waiting.
            let _ = report.send(self.figures());
        }
    }

    fn figures(&self) -> MediaFigures {
        MediaFigures {
            calls: self.plane.calls(),
            legs: self.plane.legs(),
            open: self.world.open.len(),
            plane: self.plane.counters().clone(),
            lost: self.world.counts,
        }
    }

    /// Reads one datagram: what else waits in this socket is reported again, after the others had
    /// their turn, and most often there is nothing else.
    fn receive(&mut self, now: Now, port: u16) {
        let Some(socket) = self.world.sockets.at(port) else { return };
        if !socket.is_used() {
            // Of a call that is over.
            if let Err(error) = socket.falls_deaf() {
                self.world.failed(port, &error.to_string());
            }
            return;
        }
        // An error is the report of an earlier send to a closed port: no datagram, and no matter.
        let Ok(Some((length, from))) = socket.receive(&mut self.buffer) else { return };
        let Some(bytes) = self.buffer.get_mut(..length) else { return };
        self.plane.packet(now, port, from, bytes, &mut self.effects);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        for effect in &self.effects {
            match *effect {
                Effect::Send { port, to, bytes } => {
                    let bytes = self.effects.bytes(&self.buffer, bytes);
                    self.world.send(port, to, bytes);
                }
                Effect::Event { tenant, event } => {
                    self.world.tell(Letter::Input(Input::Media(tenant, event)));
                }
                Effect::NeedFile { file } => self.world.read(file),
                Effect::RecordStart { recording, taken } => {
                    self.world.tapes.insert(recording, taken);
                    self.world
                        .write(recording, |files, tape, owner| files.begin(tape, taken, owner));
                }
                Effect::Record { recording, bytes } => {
                    let bytes = self.effects.bytes(&[], bytes);
                    self.world.write(recording, |files, tape, _| files.more(tape, bytes));
                }
                Effect::RecordMoved { recording, call, leg } => {
                    if let Some(taken) = self.world.tapes.get_mut(&recording) {
                        (taken.call, taken.leg) = (call, leg);
                    }
                    self.world.write(recording, |files, tape, _| files.moved(tape, call, leg));
                }
                Effect::RecordEnd { recording } => {
                    self.world.write(recording, |files, tape, _| files.end(tape));
                    self.world.tapes.remove(&recording);
                }
                Effect::FindRecording(sought) => {
                    let shard = self.world.owner.shard.clone();
                    self.world.files.find(sought, shard);
                }
                Effect::Open { port } => self.world.open(port),
                Effect::Connect { port, to } => self.world.connect(port, to),
                Effect::Disconnect { port } => self.world.disconnect(port),
                Effect::Close { port } => self.world.close(port),
            }
        }
        self.effects.clear();
    }
}

impl World {
    fn tell(&mut self, letter: Letter) {
        if self.shard.try_send(letter).is_err() {
            self.counts.events_dropped += 1;
        }
    }

    /// Tells what must not be lost, as soon as there is room.
    fn tell_surely(&mut self, letter: Letter) {
        self.untold.push_back(letter);
        self.tell_again();
    }

    fn tell_again(&mut self) {
        while let Some(letter) = self.untold.pop_front() {
            if let Err(letter) = self.shard.try_send(letter) {
                return self.untold.push_front(letter);
            }
        }
    }

    fn read(&mut self, file: FileId) {
        if self.files.read(file, &self.owner.media).is_err() {
            self.refused.push(Refused::File(file));
        }
    }

    /// Gives an order to the writer; a recording that it has no room for is over.
    fn write(
        &mut self,
        recording: Recording,
        order: impl FnOnce(&Files, Tape, Owner) -> Result<(), files::Full>,
    ) {
        let Some(taken) = self.tapes.get(&recording).copied() else { return };
        let tape = Tape { media: self.index, recording };
        if order(&self.files, tape, self.owner.clone()).is_err() {
            self.tapes.remove(&recording);
            self.refused.push(Refused::Recording(recording));
            let failed = MediaEventKind::RecordingFailed(taken.recorder);
            self.tell_surely(files::told(&taken, failed));
        }
    }

    fn send(&mut self, port: u16, to: SocketAddr, bytes: &[u8]) {
        let sent = self.sockets.at(port).map(|socket| socket.send(to, bytes));
        if !matches!(sent, Some(Ok(()))) {
            self.counts.unsent += 1;
        }
    }

    fn open(&mut self, port: u16) {
        let Some(socket) = self.sockets.at(port) else { return self.failed(port, "unknown port") };
        let mut done = socket.open();
        self.open.insert(port);
        if self.waited.insert(port) {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::from(port));
            done = done.and_then(|()| Ok(self.epoll.add(socket.socket(), event)?));
        }
        if let Err(error) = done {
            self.failed(port, &error.to_string());
        }
    }

    fn connect(&mut self, port: u16, to: SocketAddr) {
        // Without the connection everything goes on, a little dearer.
        if let Some(Err(error)) = self.sockets.at(port).map(|socket| socket.connect(to)) {
            self.failed(port, &error.to_string());
        }
    }

    fn disconnect(&mut self, port: u16) {
        if let Some(Err(error)) = self.sockets.at(port).map(|socket| socket.disconnect()) {
            self.failed(port, &error.to_string());
        }
    }

    fn close(&mut self, port: u16) {
        let Some(socket) = self.sockets.at(port) else { return };
        self.open.remove(&port);
        if let Err(error) = socket.close() {
            self.failed(port, &error.to_string());
        }
    }

    fn failed(&mut self, port: u16, error: &str) {
        self.counts.socket_failures += 1;
        warn!(port, error, "an RTP socket does not do as it shall");
    }
}

fn timespec(at: Mono) -> TimeSpec {
    // Zero would disarm the timer instead of ringing at once.
    let micros = i64::try_from(at.0.max(1)).unwrap_or(i64::MAX);
    TimeSpec::new(micros / 1_000_000, micros % 1_000_000 * 1_000)
}

#[cfg(test)]
mod tests;
