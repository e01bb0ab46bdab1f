//! The queue into a media thread: never makes a shard wait, and keeps only the newest audio of a
//! call.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use leg::{Audio, MediaCommand, Source};
use media::{Recording, Sound};
use model::{CallId, FileId, TenantId};
use tokio::sync::oneshot;

use crate::inbox::Bell;
use crate::limits;
use crate::media_thread::MediaFigures;

/// What waits for a media thread.
pub(crate) struct Mailbox {
    state: Mutex<State>,
    bell: Bell,
    refused: AtomicU64,
    /// Something waits for which the bell need not be rung.
    waits: AtomicBool,
    /// Some of that shall not wait long.
    hurries: AtomicBool,
}

#[derive(Default)]
struct State {
    order: VecDeque<Entry>,
    /// The newest audio of every call that has an entry in `order`.
    audio: BTreeMap<(TenantId, CallId), Audio>,
    /// What the thread was told of each call that is not over.
    told: BTreeMap<(TenantId, CallId), Told>,
    digits: usize,
    /// As many as were asked for.
    files: Vec<(FileId, Option<Sound>)>,
    /// As many as are written.
    failed_recordings: Vec<Recording>,
    reports: Vec<oneshot::Sender<MediaFigures>>,
    stop: bool,
}

/// What a change of a call's audio is compared with.
struct Told {
    /// It plays or records something, so that no change of it is put off.
    is_busy: bool,
    /// Ports of its first legs: they are open.
    ports: [Option<u16>; 2],
}

/// How soon the thread must see to a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Haste {
    /// At once.
    Now,
    /// With the next packet: nobody is told anything before, and no port is opened.
    Soon,
    /// With whatever comes next.
    Whenever,
}

enum Entry {
    Audio(TenantId, CallId),
    Digit(TenantId, MediaCommand),
}

/// What a media thread takes out at once.
#[derive(Default)]
pub(crate) struct Mail {
    /// In order.
    pub(crate) commands: VecDeque<(TenantId, MediaCommand)>,
    /// Sound files that were asked for; `None`: there is none.
    pub(crate) files: Vec<(FileId, Option<Sound>)>,
    /// Recordings that cannot be written; their owners know.
    pub(crate) failed_recordings: Vec<Recording>,
    /// Who wants figures.
    pub(crate) reports: Vec<oneshot::Sender<MediaFigures>>,
    /// End the thread.
    pub(crate) stop: bool,
}

impl Mail {
    /// Whether nothing is left to be handled.
    pub(crate) fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.files.is_empty() && self.failed_recordings.is_empty()
    }
}

impl Mailbox {
    /// An empty one.
    pub(crate) fn new() -> io::Result<Mailbox> {
        let (refused, waits, hurries) = Default::default();
        Ok(Mailbox { state: Mutex::default(), bell: Bell::new()?, refused, waits, hurries })
    }

    /// What the thread waits on.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Puts a command in. Audio replaces what waits of the same call, in its place; beyond the
    /// bounds it is dropped and counted. Says whether the thread is to be woken for it, by
    /// [`Mailbox::ring`], once for all that is put in at a time.
    ///
    /// Not every command wakes the thread, since packets do that all the time. That a call has
    /// ended is seen to with whatever comes next, its own packets included; that its legs now hear
    /// each other, with the next packet, or when the bell is rung for it: see
    /// [`Mailbox::hurries`].
    #[must_use]
    pub(crate) fn put(&self, tenant: TenantId, command: MediaCommand) -> bool {
        let mut state = self.state();
        let (is_taken, haste) = match command {
            MediaCommand::Audio(audio) => {
                let haste = state.haste(tenant, &audio);
                (state.put_audio(tenant, audio), haste)
            }
            short @ (MediaCommand::SendDigit { .. } | MediaCommand::FindRecording { .. }) => {
                (state.put_digit(tenant, short), Haste::Now)
            }
        };
        match (is_taken, haste) {
            (true, Haste::Now) => return true,
            (true, _) => {
                // While the lock is held: who takes everything out also clears these.
                self.waits.store(true, Ordering::Release);
                self.hurries.fetch_or(haste == Haste::Soon, Ordering::Release);
            }
            (false, _) => _ = self.refused.fetch_add(1, Ordering::Relaxed),
        }
        false
    }

    /// Puts a command in and wakes the thread for it.
    #[cfg(test)]
    pub(crate) fn deliver(&self, tenant: TenantId, command: MediaCommand) {
        if self.put(tenant, command) {
            self.ring();
        }
    }

    /// Whether something waits for which the bell was not rung, and shall be unless the thread
    /// takes it within [`limits::MEDIA_SOON`].
    pub(crate) fn hurries(&self) -> bool {
        self.hurries.load(Ordering::Acquire)
    }

    /// Wakes the thread for what waits.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    /// Puts a file in that the thread has asked for.
    pub(crate) fn put_file(&self, file: FileId, sound: Option<Sound>) {
        self.state().files.push((file, sound));
        self.bell.ring();
    }

    /// Puts in that a recording cannot be written.
    pub(crate) fn put_failed_recording(&self, recording: Recording) {
        self.state().failed_recordings.push(recording);
        self.bell.ring();
    }

    /// Asks for the thread's figures.
    pub(crate) fn ask(&self) -> oneshot::Receiver<MediaFigures> {
        let (sender, receiver) = oneshot::channel();
        self.state().reports.push(sender);
        self.bell.ring();
        receiver
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.state().stop = true;
        self.bell.ring();
    }

    /// Whether something waits for which the bell was not rung.
    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Ordering::Acquire)
    }

    /// Takes out everything that waits.
    pub(crate) fn take(&self, mail: &mut Mail) {
        let mut state = self.state();
        self.waits.store(false, Ordering::Release);
        self.hurries.store(false, Ordering::Release);
        mail.stop = state.stop;
        while let Some(entry) = state.order.pop_front() {
            let command = match entry {
                Entry::Audio(tenant, call) => state
                    .audio
                    .remove(&(tenant, call))
                    .map(|audio| (tenant, MediaCommand::Audio(audio))),
                Entry::Digit(tenant, digit) => Some((tenant, digit)),
            };
            mail.commands.extend(command);
        }
        state.digits = 0;
        mail.files.append(&mut state.files);
        mail.failed_recordings.append(&mut state.failed_recordings);
        mail.reports.append(&mut state.reports);
    }

    /// Commands that were dropped.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// No change is ever left half done, so poison means nothing.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How soon the thread must see to a call's audio.
    fn haste(&mut self, tenant: TenantId, audio: &Audio) -> Haste {
        let is_played = |source: &Source| matches!(source, Source::Player(_));
        let mut sources = audio.hears.iter().flat_map(|hears| &hears.sources);
        let is_busy = !audio.clips.is_empty()
            || !audio.recorders.is_empty()
            || sources.any(|(source, _)| is_played(source));
        let mut ports = audio.legs.iter().map(|leg| leg.port);
        let now = Told { is_busy, ports: [ports.next(), ports.next()] };
        let all_known = |told: &Told| audio.legs.iter().all(|leg| told.has(leg.port));
        let key = (tenant, audio.call);
        if audio.legs.is_empty() && !is_busy {
            let was_busy = self.told.remove(&key).is_some_and(|told| told.is_busy);
            return if was_busy { Haste::Now } else { Haste::Whenever };
        }
        match self.told.insert(key, now) {
            Some(before) if !is_busy && !before.is_busy && all_known(&before) => Haste::Soon,
            _ => Haste::Now,
        }
    }

    fn put_audio(&mut self, tenant: TenantId, audio: Audio) -> bool {
        let key = (tenant, audio.call);
        if let Some(waiting) = self.audio.get_mut(&key) {
            if waiting.revision <= audio.revision {
                *waiting = audio;
            }
            return true;
        }
        if self.audio.len() >= limits::MEDIA_CALLS_MAX {
            return false;
        }
        self.order.push_back(Entry::Audio(tenant, audio.call));
        self.audio.insert(key, audio);
        true
    }

    fn put_digit(&mut self, tenant: TenantId, digit: MediaCommand) -> bool {
        if self.digits >= limits::MEDIA_DIGITS_MAX {
            return false;
        }
        self.digits += 1;
        self.order.push_back(Entry::Digit(tenant, digit));
        true
    }
}

impl Told {
    fn has(&self, port: u16) -> bool {
        self.ports.contains(&Some(port))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use leg::{ClipId, LegId};
    use model::Digit;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn audio(call: u64, revision: u64) -> MediaCommand {
        let (legs, hears) = Default::default();
        MediaCommand::Audio(Audio::of(CallId(call), revision, legs, hears))
    }

    fn media_leg(leg: LegId) -> leg::MediaLeg {
        leg::MediaLeg {
            leg,
            port: 20_000,
            remote: None,
            remote_rtcp: None,
            rtcp_mux: false,
            send: None,
            receive: Default::default(),
            send_digits: None,
            receive_digits: None,
            lock: leg::SourceLock::Described,
            negotiation: 1,
            inband_digits: false,
        }
    }

    fn digit(call: u64) -> MediaCommand {
        let digit = Digit::from_event(5).unwrap();
        let leg = LegId::incoming(1);
        MediaCommand::SendDigit { call: CallId(call), leg, digit, duration_ms: 100 }
    }

    fn taken(mailbox: &Mailbox) -> Vec<MediaCommand> {
        let mut mail = Mail::default();
        mailbox.take(&mut mail);
        mail.commands.into_iter().map(|(_, command)| command).collect()
    }

    #[test]
    fn of_a_calls_audio_only_the_newest_waits_in_the_place_of_the_first() {
        let mailbox = Mailbox::new().unwrap();
        for command in [audio(1, 1), audio(2, 1), digit(2), audio(1, 3), audio(1, 2)] {
            mailbox.deliver(TenantId(1), command);
        }
        mailbox.deliver(TenantId(2), audio(1, 1));
        assert_eq!(taken(&mailbox), [audio(1, 3), audio(2, 1), digit(2), audio(1, 1)]);
        assert!(taken(&mailbox).is_empty());
        mailbox.deliver(TenantId(1), audio(1, 4));
        assert_eq!(taken(&mailbox), [audio(1, 4)]);
    }

    /// Whether the thread would wake now.
    fn has_rung(mailbox: &Mailbox) -> bool {
        let mut fds = [PollFd::new(mailbox.bell().as_fd(), PollFlags::POLLIN)];
        let rung = poll(&mut fds, PollTimeout::ZERO).unwrap() > 0;
        if rung {
            mailbox.bell().hush();
        }
        rung
    }

    #[test]
    fn the_end_of_a_call_wakes_nobody_unless_it_played_or_recorded() {
        let mailbox = Mailbox::new().unwrap();
        let put = |call, revision, legs: &[LegId], clips: &[u32]| {
            let MediaCommand::Audio(mut audio) = audio(call, revision) else { return };
            audio.legs = legs.iter().map(|leg| media_leg(*leg)).collect();
            let clip = |id: &u32| leg::Clip {
                id: ClipId(*id),
                leg: LegId::incoming(1),
                pieces: Vec::new(),
                repeats: false,
            };
            audio.clips = clips.iter().map(clip).collect();
            mailbox.deliver(TenantId(1), MediaCommand::Audio(audio));
        };
        let both = [LegId::incoming(1), LegId::outgoing(1)];
        put(1, 1, &both, &[]);
        assert!(has_rung(&mailbox) && !mailbox.waits());
        assert_eq!(taken(&mailbox).len(), 1);
        put(1, 2, &[], &[]);
        assert!(!has_rung(&mailbox) && mailbox.waits());
        put(2, 1, &both, &[7]);
        assert!(has_rung(&mailbox));
        assert_eq!(taken(&mailbox).len(), 2, "the end too");
        assert!(!mailbox.waits());
        put(2, 2, &[], &[]);
        assert!(has_rung(&mailbox), "somebody waits for the end of what was played");
    }

    #[test]
    fn a_change_of_a_call_waits_for_a_packet_unless_it_opens_a_port_or_plays_something() {
        let mailbox = Mailbox::new().unwrap();
        let put = |revision, ports: &[u16], source: Option<Source>| {
            let MediaCommand::Audio(mut audio) = audio(1, revision) else { return };
            let leg = |port: &u16| leg::MediaLeg {
                port: *port,
                ..media_leg(LegId::incoming(u64::from(*port)))
            };
            audio.legs = ports.iter().map(leg).collect();
            let sources = source.map(|source| (source, leg::Gain::UNITY)).into_iter().collect();
            audio.hears.push(leg::Hears { listener: LegId::incoming(4), sources });
            mailbox.deliver(TenantId(1), MediaCommand::Audio(audio));
        };
        let voice = Some(Source::Leg(LegId::incoming(2)));
        let music = Some(Source::Player(leg::Player::HoldMusic));
        for (revision, ports, source, rings, why) in [
            (1, &[2, 4][..], None, true, "it opens ports"),
            (2, &[2, 4], voice, false, "who talks wakes the thread"),
            (3, &[4, 2], None, false, "the same ports"),
            (4, &[4], voice, false, "one port less"),
            (5, &[4, 6], voice, true, "it opens a port"),
            (6, &[4, 6], music, true, "music begins without a packet"),
            (7, &[4, 6], voice, true, "music ends without a packet"),
            (8, &[4, 6], voice, false, "everything is as it was"),
            (9, &[4, 6, 8], voice, true, "a third"),
            (10, &[4, 6, 8], voice, true, "no more than two are remembered"),
        ] {
            put(revision, ports, source);
            assert_eq!(has_rung(&mailbox), rings, "{revision}: {why}");
            assert_eq!((mailbox.hurries(), mailbox.waits()), (!rings, !rings), "{why}");
            assert_eq!(taken(&mailbox).len(), 1);
            assert!(!mailbox.hurries(), "it was taken");
        }
        put(11, &[4, 6], voice);
        put(12, &[], None);
        assert!(!has_rung(&mailbox) && mailbox.hurries(), "an end takes no hurry back");
    }

    #[test]
    fn a_thousand_changes_of_one_call_take_the_room_of_one() {
        let mailbox = Mailbox::new().unwrap();
        for revision in 0..100_000 {
            mailbox.deliver(TenantId(1), audio(1, revision));
        }
        assert_eq!(taken(&mailbox), [audio(1, 99_999)]);
        assert_eq!(mailbox.refused(), 0);
    }

    #[test]
    fn digits_and_calls_have_a_bound() {
        let mailbox = Mailbox::new().unwrap();
        for _ in 0..limits::MEDIA_DIGITS_MAX + 3 {
            mailbox.deliver(TenantId(1), digit(1));
        }
        for call in 0..limits::MEDIA_CALLS_MAX as u64 + 2 {
            mailbox.deliver(TenantId(1), audio(call, 1));
        }
        assert_eq!(mailbox.refused(), 5);
        assert_eq!(taken(&mailbox).len(), limits::MEDIA_DIGITS_MAX + limits::MEDIA_CALLS_MAX);
        mailbox.deliver(TenantId(1), digit(1));
        assert_eq!(taken(&mailbox).len(), 1, "there is room again");
    }
}
