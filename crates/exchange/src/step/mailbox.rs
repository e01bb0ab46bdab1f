//! Mailbox: an extension has dialled `*9` and listens to the messages that were left for it.
//!
//! The code if there is one, how many new messages there are, then one after the other. `1` plays
//! again, `2` goes on, `3` deletes, `*` goes back, `#` ends. A message was heard when it was played
//! to its end, or was left after a while; not when its file is damaged or the phone held.

mod code;
mod place;

use leg::{
    KnownMessage, LegEvent, LegId, MediaEventKind, MessageFate, Piece, Refusal, Session, Tone,
};
use model::{Digit, EndReason, ExtensionId, Spoken};
use serde::{Deserialize, Serialize};

pub use self::code::Keys;
use self::code::{code, guess};
use self::place::Place;
use super::routing::Routed;
use super::seeking::screen;
use super::sounds::{Saying, Scene, Sounds};
use super::telling::Telling;
use super::{Action, Actions, Facts, Next, Step, StepInput, Timer, reason_for};
use crate::attempts::NEUTRAL;
use crate::call::Leg;
use crate::display;
use crate::limits;

/// Somebody listens to messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mailbox {
    /// Who.
    pub leg: LegId,
    /// Whose messages.
    pub of: ExtensionId,
    /// Those that were there when the mailbox was opened, without those that were removed here.
    pub messages: Vec<KnownMessage>,
    /// What goes on.
    pub phase: Phase,
}

/// What goes on in a mailbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// The code is asked for.
    Code {
        /// What was pressed. It is not written down: it may be the code.
        #[serde(skip)]
        keys: Keys,
        /// How often it was wrong.
        wrong: u8,
        /// What is said; `None`: keys are waited for.
        saying: Option<Saying>,
    },
    /// It is said how many new messages there are, and which keys there are.
    Counting(Saying),
    /// The number of a message is said.
    Naming {
        /// Which message.
        at: usize,
        /// What is said.
        saying: Saying,
    },
    /// A message sounds.
    Playing {
        /// Which.
        at: usize,
        /// Its file.
        saying: Saying,
        /// It has sounded so long that who goes on has heard it.
        enough: bool,
        /// Part of it could not be heard.
        missed: bool,
    },
    /// A message is over: a key, or the next one.
    Waiting {
        /// Which.
        at: usize,
    },
    /// It is said that a message is gone.
    Removed {
        /// Which message comes next.
        next: usize,
        /// What is said.
        saying: Saying,
    },
    /// There is no further one: a tone, then a key is waited for.
    Over {
        /// Which one was the last, if it is there.
        at: Option<usize>,
        /// The tone.
        saying: Option<Saying>,
    },
    /// It is said that there are no messages.
    Empty(Saying),
}

/// An extension has dialled its mailbox.
pub fn dialled(leg: LegId, of: ExtensionId, facts: &Facts<'_>, actions: &mut Actions) -> Routed {
    let phone = facts.snapshot.extension(of).and_then(|own| own.phone.as_ref());
    if !phone.is_some_and(|phone| phone.shown.vm_enabled) {
        return Routed::Refused(NEUTRAL);
    }
    let guess = guess(of);
    if code(of, facts).is_some() && facts.tables.pins.is_locked(facts.now.mono, guess) {
        return Routed::To(Step::Telling(Telling::refused(leg, facts, actions)));
    }
    if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
        actions.push(Action::Connect { branch, says_so: true });
    }
    actions.push(Action::Answer { leg, codec: None });
    let phase = Phase::Waiting { at: 0 };
    let mailbox = Mailbox { leg, of, messages: Vec::new(), phase };
    let next = match code(of, facts) {
        Some(_) => mailbox.ask(&[Spoken::EnterCode], 0, facts, actions),
        None => mailbox.open(facts, actions),
    };
    match next {
        Next::Stay(step) | Next::Become(step) => Routed::To(step),
        Next::Done => Routed::Over,
    }
}

impl Mailbox {
    /// One input.
    pub fn handle(
        mut self,
        input: &StepInput<'_>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        match input {
            StepInput::Leg(leg, LegEvent::Ended { reason, .. }) => {
                let reason = reason_for(facts, *leg, *reason);
                // Who hangs up goes on; whose line is lost does not.
                if reason == EndReason::CallerHungUp {
                    self.goes_away(actions);
                }
                self.over(reason, facts, actions)
            }
            StepInput::Leg(leg, LegEvent::Offer(offer)) => {
                actions.push(Action::AnswerOffer { leg: *leg });
                self.offered(offer, facts, actions)
            }
            // It was asked whether it is still there, and no way leads to it any more.
            StepInput::Leg(_, LegEvent::OfferRejected { status: 408 }) => {
                self.over(EndReason::MediaLost, facts, actions)
            }
            StepInput::Silent(leg) => {
                actions.push(Action::Refresh { leg: *leg });
                self.stays()
            }
            StepInput::Leg(_, LegEvent::Digit(digit)) | StepInput::Digit { digit, .. } => {
                self.key(*digit, facts, actions)
            }
            StepInput::Sound(MediaEventKind::ClipDone(clip)) => {
                match self.phase.saying().is_some_and(|saying| saying.clip == *clip) {
                    true => self.said(facts, actions),
                    false => self.stays(),
                }
            }
            StepInput::Sound(MediaEventKind::ClipBroken(clip)) => {
                if let Phase::Playing { saying, missed, .. } = &mut self.phase
                    && saying.clip == *clip
                {
                    *missed = true;
                }
                self.stays()
            }
            StepInput::Timer(Timer::Phase) => self.times_out(facts, actions),
            StepInput::HangUp { reason, .. } | StepInput::EndAll(reason) => {
                self.over(*reason, facts, actions)
            }
            // Nobody is at the other end.
            StepInput::Order(order) => {
                actions.refuse(Refusal::no_far_party(&order.action));
                self.stays()
            }
            // Sessions and acknowledgements are facts of the leg; it has no other timers, follows
            // nobody and is given nothing.
            StepInput::Leg(..)
            | StepInput::Timer(_)
            | StepInput::Sound(_)
            | StepInput::Given { .. }
            | StepInput::Gone(_) => self.stays(),
        }
    }

    fn stays(self) -> Next {
        Next::Stay(Step::Mailbox(self))
    }

    fn becomes(self, phase: Phase) -> Next {
        Next::Become(Step::Mailbox(Mailbox { phase, ..self }))
    }

    /// Asks for the code; what was pressed before counts no more.
    fn ask(self, words: &[Spoken], wrong: u8, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let saying = Some(speech(words, facts, actions));
        self.becomes(Phase::Code { keys: Keys::default(), wrong, saying })
    }

    /// It may be listened to: first how many new messages there are.
    fn open(mut self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        self.messages = facts.tables.mailboxes.known(self.of).to_vec();
        actions.push(Action::Save);
        if self.messages.is_empty() {
            return self.says_none(facts, actions);
        }
        let (new, _) = facts.tables.mailboxes.counts(self.of);
        let mut saying = speech(&screen::digits(&new.to_string()), facts, actions);
        let tone = || Piece::Tone(Tone::Test, limits::TOLD_TONE_MS);
        saying.pieces.insert(1, tone());
        saying.pieces.push(tone());
        let language = facts.snapshot.routing.settings.language;
        saying.pieces.push(Piece::Spoken(language, Spoken::MessageMenu));
        self.becomes(Phase::Counting(saying))
    }

    fn says_none(self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let saying = speech(&[Spoken::NoMessages], facts, actions);
        self.becomes(Phase::Empty(saying))
    }

    /// The message with this number is named and played; behind the last one there is a tone.
    fn goes_to(self, at: usize, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        if at >= self.messages.len() {
            return self.has_no_more(at.checked_sub(1), actions);
        }
        let mut words = vec![Spoken::Message];
        words.extend(screen::digits(&(at + 1).to_string()));
        let saying = speech(&words, facts, actions);
        self.becomes(Phase::Naming { at, saying })
    }

    fn plays(self, at: usize, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let Some(message) = self.messages.get(at) else {
            return self.has_no_more(None, actions);
        };
        let pieces = vec![Piece::File(message.file)];
        let saying = Saying { clip: actions.fresh_clip(), pieces };
        actions.push(Action::Timer { timer: Timer::Phase, after: limits::MESSAGE_HEARD });
        actions.push(Action::Save);
        let missed = self.is_held(facts);
        self.becomes(Phase::Playing { at, saying, enough: false, missed })
    }

    fn has_no_more(self, at: Option<usize>, actions: &mut Actions) -> Next {
        let pieces = vec![Piece::Tone(Tone::Test, limits::BEEP_MS)];
        let saying = Some(Saying { clip: actions.fresh_clip(), pieces });
        actions.push(Action::Timer { timer: Timer::Phase, after: limits::MAILBOX_WAIT });
        self.becomes(Phase::Over { at, saying })
    }

    /// What sounded is over.
    fn said(mut self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match &mut self.phase {
            Phase::Code { saying, .. } => {
                *saying = None;
                actions.push(Action::Timer { timer: Timer::Phase, after: limits::CODE_WAIT });
                self.stays()
            }
            Phase::Counting(_) => self.goes_to(0, facts, actions),
            Phase::Naming { at, .. } => {
                let at = *at;
                self.plays(at, facts, actions)
            }
            Phase::Playing { at, missed, .. } => {
                let (at, missed) = (*at, *missed);
                if !missed {
                    self.heard(at, actions);
                }
                if at + 1 >= self.messages.len() {
                    return self.has_no_more(Some(at), actions);
                }
                actions.push(Action::Timer { timer: Timer::Phase, after: limits::MESSAGE_KEY });
                self.becomes(Phase::Waiting { at })
            }
            Phase::Removed { next, .. } => {
                let next = *next;
                self.goes_on_from_removed(next, facts, actions)
            }
            // The key is still waited for.
            Phase::Over { saying, .. } => {
                *saying = None;
                self.stays()
            }
            Phase::Waiting { .. } => self.stays(),
            Phase::Empty(_) => self.over(EndReason::ServiceDone, facts, actions),
        }
    }

    fn goes_on_from_removed(self, next: usize, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match self.messages.len() {
            0 => self.says_none(facts, actions),
            left if next >= left => self.has_no_more(None, actions),
            _ => self.goes_to(next, facts, actions),
        }
    }

    fn times_out(mut self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match &mut self.phase {
            Phase::Code { saying: None, .. } => self.code_is_entered(facts, actions),
            Phase::Playing { at, enough, .. } if !*enough => {
                *enough = true;
                let length_ms = self.messages.get(*at).map_or(0, |message| message.length_ms);
                let length = core::time::Duration::from_millis(length_ms.into());
                let rest = length.saturating_sub(limits::MESSAGE_HEARD) + limits::CLIP_GRACE;
                actions.push(Action::Timer { timer: Timer::Phase, after: rest });
                self.stays()
            }
            Phase::Waiting { at } => {
                let next = *at + 1;
                self.goes_to(next, facts, actions)
            }
            Phase::Over { .. } => self.over(EndReason::ServiceDone, facts, actions),
            // Media has not said that it is over, which it is. Nobody knows what was heard of it.
            Phase::Playing { missed, .. } => {
                *missed = true;
                self.said(facts, actions)
            }
            Phase::Code { .. }
            | Phase::Counting(_)
            | Phase::Naming { .. }
            | Phase::Removed { .. }
            | Phase::Empty(_) => self.said(facts, actions),
        }
    }

    fn is_held(&self, facts: &Facts<'_>) -> bool {
        facts.leg(self.leg).is_some_and(Leg::is_held_by_peer)
    }

    /// Who holds hears nothing, and hears the message from its beginning when it is back.
    fn offered(mut self, offer: &Session, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let was_held = self.is_held(facts);
        let is_held = !offer.direction.receives() || offer.address.is_none();
        match &mut self.phase {
            Phase::Playing { missed, .. } if is_held => {
                *missed = true;
                self.stays()
            }
            Phase::Playing { saying, enough, missed, .. } if was_held => {
                saying.clip = actions.fresh_clip();
                (*enough, *missed) = (false, false);
                let after = limits::MESSAGE_HEARD;
                actions.push(Action::Timer { timer: Timer::Phase, after });
                self.stays()
            }
            _ => self.stays(),
        }
    }

    fn key(mut self, digit: Digit, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let key = digit.as_char();
        if let Phase::Code { keys, saying, .. } = &mut self.phase {
            if key == '#' {
                return self.code_is_entered(facts, actions);
            }
            if keys.0.len() < limits::CODE_KEYS_MAX {
                keys.0.push(key);
            }
            // Who knows the code need not hear the question.
            *saying = None;
            actions.push(Action::Timer { timer: Timer::Phase, after: limits::CODE_WAIT });
            return self.stays();
        }
        let place = Place::of(&self.phase, self.messages.len());
        match key {
            '#' => {
                self.goes_away(actions);
                self.over(EndReason::ServiceDone, facts, actions)
            }
            '1' => match place.at {
                Some(at) => {
                    self.goes_away(actions);
                    self.plays(at, facts, actions)
                }
                None => self.stays(),
            },
            '2' if matches!(self.phase, Phase::Removed { .. }) => self.said(facts, actions),
            '2' => match place.next {
                Some(next) => {
                    self.goes_away(actions);
                    self.goes_to(next, facts, actions)
                }
                None => self.stays(),
            },
            '3' => match place.at {
                Some(at) => self.removes(at, facts, actions),
                None => self.stays(),
            },
            '*' => match place.before {
                Some(before) => {
                    self.goes_away(actions);
                    self.goes_to(before, facts, actions)
                }
                None => self.stays(),
            },
            _ => self.stays(),
        }
    }

    fn refused(self, actions: &mut Actions) -> Next {
        Next::Become(Step::Telling(Telling::refuses(self.leg, actions)))
    }

    /// What sounds is left: if it has sounded long enough, it was heard.
    fn goes_away(&mut self, actions: &mut Actions) {
        if let Phase::Playing { at, enough: true, missed: false, .. } = self.phase {
            self.heard(at, actions);
        }
    }

    fn heard(&mut self, at: usize, actions: &mut Actions) {
        let Some(message) = self.messages.get_mut(at).filter(|message| !message.heard) else {
            return;
        };
        message.heard = true;
        let (extension, file) = (self.of, message.file);
        actions.push(Action::ChangeMessage { extension, file, fate: MessageFate::Heard });
    }

    fn removes(mut self, at: usize, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        if at >= self.messages.len() {
            return self.stays();
        }
        let file = self.messages.remove(at).file;
        let fate = MessageFate::Removed;
        actions.push(Action::ChangeMessage { extension: self.of, file, fate });
        let saying = speech(&[Spoken::Deleted], facts, actions);
        self.becomes(Phase::Removed { next: at, saying })
    }

    /// What is said, or the message that sounds.
    pub fn saying(&self) -> Option<&Saying> {
        self.phase.saying()
    }

    /// Another phone goes on at the same place. It has said no code, and hears a message from its
    /// beginning that the first one did not hear to hold.
    pub(super) fn exchange(mut self, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        actions.push(Action::Save);
        let was_held = self.is_held(facts);
        display::show_dialled(leg, self.leg, facts, actions);
        self.leg = leg;
        match self.phase {
            Phase::Code { wrong, .. } => self.ask(&[Spoken::EnterCode], wrong, facts, actions),
            Phase::Playing { at, .. } if was_held => self.plays(at, facts, actions),
            _ => self.stays(),
        }
    }

    fn over(self, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        actions.push(Action::End { leg: self.leg, reason });
        if let Some(branch) = facts.leg(self.leg).map(|l| l.branch) {
            actions.push(Action::Leave { branch, reason, status: None });
        }
        Next::Done
    }

    /// What is said, or the message.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        if let Some(saying) = self.saying() {
            to.say(scene, self.leg, saying);
        }
    }
}

impl Phase {
    fn saying(&self) -> Option<&Saying> {
        match self {
            Phase::Code { saying, .. } | Phase::Over { saying, .. } => saying.as_ref(),
            Phase::Counting(saying)
            | Phase::Naming { saying, .. }
            | Phase::Playing { saying, .. }
            | Phase::Removed { saying, .. }
            | Phase::Empty(saying) => Some(saying),
            Phase::Waiting { .. } => None,
        }
    }
}

/// Words, which count as said after the longest time that any take.
fn speech(words: &[Spoken], facts: &Facts<'_>, actions: &mut Actions) -> Saying {
    let language = facts.snapshot.routing.settings.language;
    let spoken = words.iter().map(|word| Piece::Spoken(language, *word));
    let pieces = core::iter::once(Piece::Silence(limits::LEAD_IN_MS)).chain(spoken).collect();
    let after = limits::ANNOUNCEMENT_MAX;
    actions.push(Action::Timer { timer: Timer::Phase, after });
    Saying { clip: actions.fresh_clip(), pieces }
}
