//! A tenant with rules, trunks and phones that are set to something; and what its calls go through.

use std::sync::Arc;
use std::time::Duration;

use exchange::Input;
use leg::{LegId, MediaEvent, MediaEventKind, RecorderId};
use model::{
    CascadeNumber, ExtensionId, FileId, IncomingRule, Mono, Number, Pattern, PhoneShown, Routing,
    RuleId, RuleKind, Rules, Snapshot, Sound, SoundId, TenantId, Trunk, TrunkId, TrunkUse, Wanted,
    WantedStatus,
};

use super::{Pbx, id, snapshot};

/// What is set about where calls go, in words: `100: transfer 101 102; busy` and so on, a line an
/// extension. `+` after a type: not final; `@5` after a number of a cascade: its delay; `20s`: the
/// timeout; `last=` and `own=`: the results that are wanted; `unreachable`; `early`: early media
/// is passed on; `sound=1`: what is played; `screened`.
pub(crate) fn rules(text: &str) -> std::collections::BTreeMap<ExtensionId, Arc<Rules>> {
    let of_line = |line: &str| {
        let (name, rules) = line.trim().split_once(": ").unwrap();
        let rules = rules.split("; ").enumerate().map(|(at, rule)| self::rule(at, rule));
        (id(name), Arc::new(Rules(rules.collect())))
    };
    text.lines().filter(|l| !l.trim().is_empty()).map(of_line).collect()
}

fn rule(at: usize, text: &str) -> IncomingRule {
    let mut words = text.split_whitespace();
    let kind = words.next().unwrap();
    let named = |k: &RuleKind| k.as_str() == kind.trim_end_matches('+');
    let kind_found = RuleKind::ALL.into_iter().find(named).expect(kind);
    let mut rule = IncomingRule::new(RuleId(at as u64 + 1), kind_found);
    rule.is_final = !kind.ends_with('+');
    let wanted = |text: &str| if text == "busy" { Wanted::Busy } else { Wanted::NoAnswer };
    for word in words {
        if let Some(text) = word.strip_prefix("last=") {
            rule.call_status = wanted(text);
        } else if let Some(text) = word.strip_prefix("own=") {
            rule.extension_call_status = wanted(text);
        } else if word == "unreachable" {
            rule.extension_status = WantedStatus::Unreachable;
        } else if let Some(sound) = word.strip_prefix("sound=") {
            rule.playfile_sound = Some(SoundId(sound.parse().unwrap()));
        } else if word == "screened" {
            rule.enable_call_screening = true;
        } else if word == "early" {
            rule.ignore_early_media = false;
        } else if let Some(seconds) = word.strip_suffix('s') {
            rule.transfer_timeout_s = Some(seconds.parse().unwrap());
        } else {
            let (number, delay) = word.split_once('@').unwrap_or((word, "0"));
            let number = Number::parse(number).unwrap();
            rule.transfer_dst.push(number.clone());
            rule.cascade_numbers.push(CascadeNumber { delay_s: delay.parse().unwrap(), number });
        }
    }
    assert_eq!(rule.check(), Ok(()));
    rule
}

/// A trunk that takes numbers of a pattern.
pub(crate) fn trunk(id: u64, pattern: &str) -> (TrunkId, Arc<TrunkUse>) {
    let trunk = Trunk::new(TrunkId(id), TenantId(1), "", Vec::new());
    let plan = TrunkUse {
        patterns: vec![Pattern::parse(pattern).unwrap()],
        ..TrunkUse::new(Arc::new(trunk), "RU")
    };
    (TrunkId(id), Arc::new(plan))
}

impl Pbx {
    /// Sets rules; two trunks take outside numbers that begin with 7; sound 1 is there.
    pub(crate) fn with_rules(text: &str) -> Pbx {
        Pbx::with_phones(text, |_, _| {})
    }

    /// The same with phones that are set to something.
    pub(crate) fn with_phones(text: &str, set: impl Fn(&str, &mut PhoneShown)) -> Pbx {
        let mut pbx = Pbx::new();
        let mut snapshot = snapshot();
        for extension in snapshot.extensions.values_mut() {
            let extension = Arc::make_mut(extension);
            if let Some(phone) = &mut extension.phone {
                set(extension.name.as_str(), &mut phone.shown);
            }
        }
        let trunks = [trunk(1, "^7"), trunk(2, "^7")];
        let sound = Sound { file: FileId(51), length_ms: 4_000 };
        snapshot.routing = Arc::new(Routing {
            rules: rules(text),
            trunks: trunks.into(),
            sounds: [(SoundId(1), Arc::new(sound))].into(),
            ..Routing::default()
        });
        pbx.input(Input::Snapshot(Arc::new(snapshot)));
        pbx
    }

    /// The same with a changed configuration.
    pub(crate) fn with(text: &str, change: impl FnOnce(&mut Snapshot, &mut Routing)) -> Pbx {
        let mut pbx = Pbx::new();
        let mut snapshot = snapshot();
        let trunks = [trunk(1, "^"), trunk(2, "^")];
        let mut routing =
            Routing { rules: rules(text), trunks: trunks.into(), ..Routing::default() };
        change(&mut snapshot, &mut routing);
        snapshot.routing = Arc::new(routing);
        pbx.input(Input::Snapshot(Arc::new(snapshot)));
        pbx
    }

    /// A clip is over that a leg hears.
    pub(crate) fn clip_is_over(&mut self, leg: LegId, clip: u32) {
        self.media(leg, MediaEventKind::ClipDone(leg::ClipId(clip)));
    }

    /// A key is pressed on a leg.
    pub(crate) fn presses(&mut self, leg: LegId, key: char) {
        let digit = model::Digit::from_char(key).unwrap();
        self.media(leg, MediaEventKind::DigitEnd { digit, duration_ms: 160 });
    }

    /// Media tells of a recording of the only call, whose legs may be gone.
    pub(crate) fn recorded(&mut self, leg: LegId, recorder: u32, length_ms: u32) {
        let call = self.exchange.calls().next().unwrap().id;
        let kind = MediaEventKind::Recorded { recorder: RecorderId(recorder), length_ms };
        self.input(Input::Media(MediaEvent { call, leg, kind }));
    }

    /// Writes every call down and reads it back in a process whose clock began this much later.
    pub(crate) fn moves_to_a_clock_that_began(&mut self, later: Duration) {
        let calls = self.exchange.export(self.now, &mut self.ports);
        self.now.mono = Mono(0) + self.now.mono.since(Mono(0) + later);
        for call in calls {
            self.exchange.load(self.now, &call, &mut self.ports).unwrap();
        }
        self.input(Input::Resume);
    }

    /// The trace of the only call, as people read it.
    pub(crate) fn trace(&self) -> String {
        let call = self.exchange.calls().next().unwrap();
        let line = |entry: &model::TraceEntry| {
            let at = entry.extension.map_or(0, |e| e.0 - 100_000);
            format!("{at}: {}\n", entry.line)
        };
        call.conversations.values().flat_map(|c| &c.trace).map(line).collect()
    }
}
