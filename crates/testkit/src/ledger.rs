//! What must hold of everything that is written down, checked record by record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leg::{
    Audit, CdrLeg, Command, Event, EventKind, KnownMessage, Message, MessageChange, MessageFate,
    Record, Recording,
};
use model::{CallId, CallUuid, EndReason, ExtensionId, FileId, TenantId, Wall};

/// Checks the journal of all shards as it is written, for a reader of events and call records.
///
/// - the events of one part (`SubCallID`): one dial-in or dial-out, perhaps one answer, one hangup,
///   and nothing after;
/// - the events of one call are numbered from 1 without a gap, and time does not run backwards;
/// - exactly one call record per part, in the same step as its hangup, with the same reason;
/// - a call and a part belong to one tenant, and every extension that is named to the same;
/// - a message that was left is told in the same step, once;
/// - a part has at most one recording, which names its call;
/// - a call that was saved is gone in the end.
#[derive(Debug, Default)]
pub struct Ledger {
    calls: BTreeMap<CallUuid, CallBook>,
    parts: BTreeMap<Arc<str>, PartBook>,
    saved: BTreeSet<(TenantId, CallId)>,
    /// Somebody has set the wall clock: from then on its times prove nothing.
    is_clock_set: bool,
    owners: BTreeMap<u64, TenantId>,
    events: Vec<Event>,
    cdrs: Vec<CdrLeg>,
    messages: Vec<Message>,
    recordings: Vec<Recording>,
    fates: BTreeMap<FileId, MessageFate>,
    audits: Vec<Audit>,
    /// Steps in which somebody was hung up by a defect.
    defects: u64,
}

#[derive(Debug)]
struct CallBook {
    tenant: TenantId,
    sequence: u32,
    time: Wall,
}

#[derive(Debug)]
struct PartBook {
    tenant: TenantId,
    call: CallUuid,
    dialled: EventKind,
    answered: bool,
    hung_up: Option<EndReason>,
    has_record: bool,
}

impl Ledger {
    /// Says whose an extension is, so that a record that mixes tenants is found.
    pub fn know(&mut self, extension: model::ExtensionId, tenant: TenantId) {
        self.owners.insert(extension.0, tenant);
    }

    /// Somebody has set the wall clock.
    pub fn clock_was_set(&mut self) {
        self.is_clock_set = true;
    }

    /// Takes the records of one step.
    pub fn step(&mut self, records: &[Record]) -> Result<(), String> {
        for record in records {
            match record {
                Record::Event(event) => self.event(event)?,
                Record::Cdr(cdr) => self.cdr(cdr)?,
                Record::Trace(_) => {}
                Record::Audit(audit) => self.audits.push((**audit).clone()),
                Record::Message(message) => self.message(message, records)?,
                Record::Recording(recording) => self.recording(recording)?,
                Record::MessageChanged(change) => self.message_changed(change)?,
                Record::CallSaved(saved) => {
                    self.saved.insert((saved.tenant, saved.call));
                }
                Record::CallGone { tenant, call } => {
                    self.saved.remove(&(*tenant, *call));
                }
                Record::Binding(change) => self.owned(change.tenant, change.extension)?,
                Record::Replacement(change) => {
                    self.owned(change.tenant, change.by)?;
                    self.owned(change.tenant, change.with)?;
                }
                Record::WrongPins(count) => {
                    self.owned(count.tenant, count.target)?;
                    count.actor.map_or(Ok(()), |actor| self.owned(count.tenant, actor))?;
                }
            }
        }
        let told = |r: &&Record| matches!(r, Record::Event(e) if e.kind == EventKind::Voicemail);
        let left = |r: &&Record| matches!(r, Record::Message(_));
        if records.iter().filter(told).count() > records.iter().filter(left).count() {
            return Err("a voicemail event without its message".to_owned());
        }
        let is_defect = |event: &Event| event.reason == Some(EndReason::Internal);
        let by_defect = |r: &Record| matches!(r, Record::Event(event) if is_defect(event));
        self.defects += u64::from(records.iter().any(by_defect));
        let torn = self.parts.iter().find(|(_, p)| p.hung_up.is_some() != p.has_record);
        match torn {
            Some((part, _)) => Err(format!("{part}: hangup and call record are not one step")),
            None => Ok(()),
        }
    }

    fn message(&mut self, message: &Message, step: &[Record]) -> Result<(), String> {
        let part = &message.sub_call_id;
        self.owned(message.tenant, message.extension)?;
        let tells = |event: &Event| {
            event.kind == EventKind::Voicemail
                && event.sub_call_id == *part
                && (event.extension, event.call.uuid) == (message.extension, message.call)
        };
        if !step.iter().any(|r| matches!(r, Record::Event(event) if tells(event))) {
            return Err(format!("{part}: a message without its event: {message:?}"));
        }
        if self.messages.iter().any(|m| m.file == message.file || m.sub_call_id == *part) {
            return Err(format!("{part}: a second message: {message:?}"));
        }
        self.messages.push(message.clone());
        Ok(())
    }

    fn message_changed(&mut self, change: &MessageChange) -> Result<(), String> {
        self.owned(change.tenant, change.extension)?;
        let is_its = |message: &Message| {
            (message.tenant, message.extension, message.file)
                == (change.tenant, change.extension, change.file)
        };
        if !self.messages.iter().any(is_its) {
            return Err(format!("a message that nobody has left has changed: {change:?}"));
        }
        if self.fates.get(&change.file) != Some(&MessageFate::Removed) {
            self.fates.insert(change.file, change.fate);
        }
        Ok(())
    }

    /// What the database tells of the voicemail of an extension.
    pub fn told_of_messages(&self, extension: ExtensionId) -> Command {
        let mut messages: Vec<KnownMessage> = Vec::new();
        for left in self.messages.iter().filter(|message| message.extension == extension) {
            let fate = self.fates.get(&left.file);
            if fate == Some(&MessageFate::Removed) {
                continue;
            }
            messages.push(KnownMessage {
                file: left.file,
                length_ms: left.length_ms,
                caller_number: Arc::clone(&left.caller_number),
                time: left.time,
                heard: fate == Some(&MessageFate::Heard),
            });
        }
        messages.sort_by_key(|message| (message.heard, message.time));
        let count = |heard| messages.iter().filter(|message| message.heard == heard).count();
        let (new, old) = (count(false), count(true));
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Command::NoteMessages { extension, new: number(new), old: number(old), messages }
    }

    fn recording(&mut self, recording: &Recording) -> Result<(), String> {
        let part = &recording.sub_call_id;
        self.owned(recording.tenant, recording.extension)?;
        let book = self.parts.get(part).ok_or_else(|| format!("{part}: a recording of nothing"))?;
        if (book.tenant, book.call) != (recording.tenant, recording.call) {
            return Err(format!("{part}: another call's recording: {recording:?}"));
        }
        let is_same = |r: &Recording| r.file == recording.file || r.sub_call_id == *part;
        if self.recordings.iter().any(is_same) {
            return Err(format!("{part}: a second recording: {recording:?}"));
        }
        self.recordings.push(recording.clone());
        Ok(())
    }

    /// All is over: nothing may be open.
    pub fn finish(&self) -> Result<(), String> {
        if let Some((part, _)) = self.parts.iter().find(|(_, p)| p.hung_up.is_none()) {
            return Err(format!("{part}: has no hangup and no call record"));
        }
        match self.saved.first() {
            Some((tenant, call)) => Err(format!("call {call} of tenant {tenant} is still saved")),
            None => Ok(()),
        }
    }

    /// In how many steps somebody was hung up by a defect; of each call in one.
    pub fn defects(&self) -> u64 {
        self.defects
    }

    /// All events so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// All recordings of talks so far.
    pub fn recordings(&self) -> &[Recording] {
        &self.recordings
    }

    /// All messages so far.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// All rows of the audit so far.
    pub fn audits(&self) -> &[Audit] {
        &self.audits
    }

    /// All call records so far.
    pub fn cdrs(&self) -> &[CdrLeg] {
        &self.cdrs
    }

    fn owned(&self, tenant: TenantId, extension: model::ExtensionId) -> Result<(), String> {
        match self.owners.get(&extension.0) {
            Some(owner) if *owner != tenant => {
                Err(format!("extension {extension} of tenant {owner} in a record of {tenant}"))
            }
            _ => Ok(()),
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), String> {
        let part = &event.sub_call_id;
        let wrong = |what: &str| Err(format!("{part}: {what}: {event:?}"));
        self.owned(event.tenant, event.extension)?;
        for (_, extension) in event.caller_extension.iter().chain(&event.called_extension) {
            self.owned(event.tenant, *extension)?;
        }
        let new = CallBook { tenant: event.tenant, sequence: 0, time: event.time };
        let call = self.calls.entry(event.call.uuid).or_insert(new);
        if call.tenant != event.tenant {
            return wrong("a call of two tenants");
        }
        if event.sequence != call.sequence + 1 {
            return Err(format!(
                "{part}: event {} follows event {}: {event:?}",
                event.sequence, call.sequence
            ));
        }
        call.sequence = event.sequence;
        if event.time < call.time && !self.is_clock_set {
            return wrong("time runs backwards");
        }
        call.time = event.time;
        let is_hangup = event.kind == EventKind::Hangup;
        let told =
            [event.duration_us.is_some(), event.bridged_us.is_some(), event.reason.is_some()];
        if told != [is_hangup; 3] {
            return wrong("durations and reason belong to a hangup, all of them");
        }
        let book = self.parts.get_mut(part);
        match (event.kind, book) {
            (EventKind::DialIn | EventKind::DialOut, None) => {
                if event.incoming != (event.kind == EventKind::DialIn) {
                    return wrong("its flow is another");
                }
                let book = PartBook {
                    tenant: event.tenant,
                    call: event.call.uuid,
                    dialled: event.kind,
                    answered: false,
                    hung_up: None,
                    has_record: false,
                };
                self.parts.insert(part.clone(), book);
            }
            (EventKind::DialIn | EventKind::DialOut, Some(_)) => return wrong("dialled twice"),
            (_, None) => return wrong("was not dialled"),
            // The file is complete a moment after the caller has hung up.
            (EventKind::Voicemail, Some(_)) => {}
            (_, Some(book)) if book.hung_up.is_some() => return wrong("after its hangup"),
            (_, Some(book)) if (book.tenant, book.call) != (event.tenant, event.call.uuid) => {
                return wrong("moved to another call");
            }
            (EventKind::Answer, Some(book)) => {
                if core::mem::replace(&mut book.answered, true) {
                    return wrong("answered twice");
                }
            }
            (EventKind::Hangup, Some(book)) => book.hung_up = event.reason,
        }
        self.events.push(event.clone());
        Ok(())
    }

    fn cdr(&mut self, cdr: &CdrLeg) -> Result<(), String> {
        let part = &cdr.sub_call_id;
        let wrong = |what: &str| Err(format!("{part}: {what}: {cdr:?}"));
        self.owned(cdr.tenant, cdr.extension)?;
        let Some(book) = self.parts.get_mut(part) else {
            return wrong("a call record without events");
        };
        if (book.tenant, book.call) != (cdr.tenant, cdr.call) {
            return wrong("a call record of another call");
        }
        if book.hung_up != Some(cdr.reason) {
            return wrong("its hangup tells another reason, or has not come");
        }
        if core::mem::replace(&mut book.has_record, true) {
            return wrong("a second call record");
        }
        let is_out = cdr.flow == leg::CdrFlow::Out;
        if is_out != (book.dialled == EventKind::DialOut) {
            return wrong("its flow is another");
        }
        // Services have no answer event, nor has an extension that does not talk: whose rules led
        // elsewhere, or for which a machine has answered.
        if book.answered && cdr.answer_time.is_none() {
            return wrong("record and events disagree on the answer");
        }
        let begun = cdr.answer_time.unwrap_or(cdr.init_time);
        if cdr.hangup_time < begun && !self.is_clock_set {
            return wrong("it ended before it began");
        }
        self.cdrs.push(cdr.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use leg::{CallStatus, CdrFlow};
    use model::{CallApiId, ExtensionId, NodeAddress};

    use super::*;

    fn event(sequence: u32, kind: EventKind) -> Record {
        let is_hangup = kind == EventKind::Hangup;
        Record::Event(Box::new(Event {
            tenant: TenantId(1),
            extension: ExtensionId(100),
            kind,
            time: Wall(i64::from(sequence)),
            sequence,
            call: CallApiId { node: NodeAddress(1), uuid: CallUuid(7) },
            sub_call_id: "100-a".into(),
            incoming: false,
            status: CallStatus::Calling,
            caller_number: "".into(),
            caller_name: "".into(),
            called_number: "".into(),
            transferred: false,
            called_did: None,
            caller_extension: None,
            called_extension: None,
            duration_us: is_hangup.then_some(0),
            bridged_us: is_hangup.then_some(0),
            record: None,
            reason: is_hangup.then_some(EndReason::CallerHungUp),
        }))
    }

    fn cdr() -> Record {
        Record::Cdr(Box::new(CdrLeg {
            tenant: TenantId(1),
            call: CallUuid(7),
            sub_call_id: "100-a".into(),
            extension: ExtensionId(100),
            extension_name: "".into(),
            extension_kind: "phone".into(),
            flow: CdrFlow::Out,
            reason: EndReason::CallerHungUp,
            status: None,
            init_time: Wall(0),
            answer_time: None,
            hangup_time: Wall(9),
            talk_us: 0,
            from: Default::default(),
            to: Default::default(),
            did_number: None,
            asserted: None,
        }))
    }

    fn message() -> Record {
        Record::Message(Box::new(Message {
            tenant: TenantId(1),
            extension: ExtensionId(100),
            file: model::FileId(5),
            length_ms: 2_000,
            call: CallUuid(7),
            sub_call_id: "100-a".into(),
            caller_number: "".into(),
            caller_name: "".into(),
            did: None,
            time: Wall(2),
        }))
    }

    fn verdict(steps: &[&[Record]]) -> Result<(), String> {
        let mut ledger = Ledger::default();
        steps.iter().try_for_each(|s| ledger.step(s))?;
        ledger.finish()
    }

    #[test]
    fn a_call_from_dial_to_hangup_is_in_order() {
        let steps: &[&[Record]] =
            &[&[event(1, EventKind::DialOut)], &[event(2, EventKind::Hangup), cdr()]];
        assert_eq!(verdict(steps), Ok(()));
    }

    #[test]
    fn every_disorder_is_found() {
        use EventKind::{Answer, DialOut, Hangup, Voicemail};
        let gone = Record::CallGone { tenant: TenantId(1), call: CallId(1) };
        let saved = Record::CallSaved(Box::new(leg::SavedCall {
            tenant: TenantId(1),
            call: CallId(1),
            exchange: Vec::new(),
            stack: Vec::new(),
        }));
        let full = [event(1, DialOut), event(2, Hangup), cdr()];
        assert_eq!(verdict(&[&[saved.clone(), gone], &full]), Ok(()));
        let told = [event(4, Voicemail), message()];
        assert_eq!(verdict(&[&full, &[event(3, Voicemail), message()]]), Ok(()));
        let disorders: &[(&str, &[&[Record]])] = &[
            ("still saved", &[&[saved], &full]),
            ("no hangup", &[&[event(1, DialOut)]]),
            ("not dialled", &[&[event(1, Answer)]]),
            ("dialled twice", &[&[event(1, DialOut), event(2, DialOut)]]),
            ("follows", &[&[event(1, DialOut), event(3, Hangup)]]),
            ("answered twice", &[&[event(1, DialOut), event(2, Answer), event(3, Answer)]]),
            ("after its hangup", &[&full, &[event(3, Answer)]]),
            ("not one step", &[&[event(1, DialOut), event(2, Hangup)], &[cdr()]]),
            ("second call record", &[&full, &[cdr()]]),
            ("without events", &[&[cdr()]]),
            ("on the answer", &[&[event(1, DialOut), event(2, Answer), event(3, Hangup), cdr()]]),
            ("without its event", &[&full, &[message()]]),
            ("without its message", &[&full, &[event(3, Voicemail)]]),
            ("a second message", &[&full, &[event(3, Voicemail), message()], &told]),
        ];
        for (expected, steps) in disorders {
            let found = verdict(steps).unwrap_err();
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }
}
