//! The queue into a media thread: never makes a shard wait, and keeps only the newest audio of a
//! call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use leg::{Audio, MediaCommand};
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
    /// Something waits for which the bell was not rung.
    waits: AtomicBool,
}

#[derive(Default)]
struct State {
    order: VecDeque<Entry>,
    /// The newest audio of every call that has an entry in `order`.
    audio: BTreeMap<(TenantId, CallId), Audio>,
    /// Calls that play or record something: their end is not put off.
    busy: BTreeSet<(TenantId, CallId)>,
    digits: usize,
    /// As many as were asked for.
    files: Vec<(FileId, Option<Sound>)>,
    /// As many as are written.
    failed_recordings: Vec<Recording>,
    reports: Vec<oneshot::Sender<MediaFigures>>,
    stop: bool,
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
        let (refused, waits) = Default::default();
        Ok(Mailbox { state: Mutex::default(), bell: Bell::new()?, refused, waits })
    }

    /// What the thread waits on.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Puts a command in. Audio replaces what waits of the same call, in its place; beyond the
    /// bounds it is dropped and counted. That a call has ended wakes nobody: it is seen to with
    /// whatever comes next, its own packets included.
    pub(crate) fn put(&self, tenant: TenantId, command: MediaCommand) {
        let mut state = self.state();
        let taken = match command {
            MediaCommand::Audio(audio) => {
                let is_over = state.is_over(tenant, &audio);
                let taken = state.put_audio(tenant, audio);
                if taken && is_over {
                    self.waits.store(true, Ordering::Release);
                    return;
                }
                taken
            }
            short @ (MediaCommand::SendDigit { .. } | MediaCommand::FindRecording { .. }) => {
                state.put_digit(tenant, short)
            }
        };
        drop(state);
        match taken {
            true => self.bell.ring(),
            false => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
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
    /// Whether a call has ended that plays and records nothing that must be told of.
    fn is_over(&mut self, tenant: TenantId, audio: &Audio) -> bool {
        let key = (tenant, audio.call);
        if audio.clips.is_empty() && audio.recorders.is_empty() {
            return !self.busy.remove(&key) && audio.legs.is_empty();
        }
        self.busy.insert(key);
        false
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
            mailbox.put(TenantId(1), command);
        }
        mailbox.put(TenantId(2), audio(1, 1));
        assert_eq!(taken(&mailbox), [audio(1, 3), audio(2, 1), digit(2), audio(1, 1)]);
        assert!(taken(&mailbox).is_empty());
        mailbox.put(TenantId(1), audio(1, 4));
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
            mailbox.put(TenantId(1), MediaCommand::Audio(audio));
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
    fn a_thousand_changes_of_one_call_take_the_room_of_one() {
        let mailbox = Mailbox::new().unwrap();
        for revision in 0..100_000 {
            mailbox.put(TenantId(1), audio(1, revision));
        }
        assert_eq!(taken(&mailbox), [audio(1, 99_999)]);
        assert_eq!(mailbox.refused(), 0);
    }

    #[test]
    fn digits_and_calls_have_a_bound() {
        let mailbox = Mailbox::new().unwrap();
        for _ in 0..limits::MEDIA_DIGITS_MAX + 3 {
            mailbox.put(TenantId(1), digit(1));
        }
        for call in 0..limits::MEDIA_CALLS_MAX as u64 + 2 {
            mailbox.put(TenantId(1), audio(call, 1));
        }
        assert_eq!(mailbox.refused(), 5);
        assert_eq!(taken(&mailbox).len(), limits::MEDIA_DIGITS_MAX + limits::MEDIA_CALLS_MAX);
        mailbox.put(TenantId(1), digit(1));
        assert_eq!(taken(&mailbox).len(), 1, "there is room again");
    }
}
