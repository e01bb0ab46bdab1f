//! The asking side: registrations, calls, goodbyes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::text::{Course, MAGIC, refusal_ack, session, uri_of};
use super::timers::{GIVE_UP, T1, T2, Timer};
use super::{AudioLeg, Phones};
use crate::digest;
use crate::message::Message;
use crate::socket::{Arrival, wall_ns};

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To register this phone.
    Register(usize),
    /// To begin this call.
    Invite(usize),
    /// To end this call.
    Bye(usize),
}

/// A request on its way, until its final response.
#[derive(Debug)]
pub(super) struct Transaction {
    purpose: Purpose,
    request: Vec<u8>,
    phone: usize,
    course: Course,
    /// It carries credentials: a second challenge is a refusal.
    answered_challenge: bool,
    /// An INVITE with a provisional response is not sent again.
    provisional: bool,
    begun: Instant,
    gap: Duration,
}

/// A call as its caller sees it.
#[derive(Debug)]
pub(super) struct Call {
    phone: usize,
    begun_ns: u64,
    hold: Option<Duration>,
    audio: (usize, u16),
    state: State,
}

#[derive(Debug)]
enum State {
    Calling,
    Up { course: Course, ack: Vec<u8> },
    Ending,
    Over,
}

impl Phones {
    pub(super) fn begin_registration(&mut self, phone: usize) -> Result<()> {
        let who = self.phones.get(phone).context("an unknown phone")?;
        let course = Course {
            uri: format!("sip:{}", who.domain),
            to: format!("<{}>", who.own_uri()),
            from_tag: format!("r{phone}"),
            call_id: format!("register-{phone}-{}", std::process::id()),
            // The binding's CSeq must rise from one round to the next; the clock does.
            cseq: u32::try_from(wall_ns() / 1_000_000_000 % 1_000_000_000)?,
        };
        self.ask(Purpose::Register(phone), phone, course, None)
    }

    pub(super) fn begin_call(&mut self, hold: Option<Duration>) -> Result<()> {
        let number = self.calls.len();
        let pair = self.pairs.get(number % self.pairs.len());
        let &(caller, callee) = pair.context("nobody to call")?;
        let who = self.phones.get(caller).context("an unknown caller")?;
        let whom = self.phones.get(callee).context("an unknown callee")?;
        let uri = format!("sip:{}@{}", whom.account.number, who.domain);
        let course = Course {
            to: format!("<{uri}>"),
            uri,
            from_tag: format!("c{number}"),
            call_id: format!("call-{}-{}", self.branch, std::process::id()),
            cseq: 1,
        };
        let audio = self.next_audio();
        let begun_ns = wall_ns();
        self.calls.push(Call { phone: caller, begun_ns, hold, audio, state: State::Calling });
        self.calls_report.started += 1;
        self.ask(Purpose::Invite(number), caller, course, None)
    }

    pub(super) fn begin_hang_up(&mut self, call: usize) -> Result<()> {
        let Some(entry) = self.calls.get_mut(call) else { return Ok(()) };
        match std::mem::replace(&mut entry.state, State::Ending) {
            State::Up { course, .. } => {
                let phone = entry.phone;
                self.ask(Purpose::Bye(call), phone, course, None)
            }
            other => {
                entry.state = other;
                Ok(())
            }
        }
    }

    pub(super) fn is_up(&self, call: usize) -> bool {
        self.calls.get(call).is_some_and(|call| matches!(call.state, State::Up { .. }))
    }

    /// Sends a request in a transaction of its own.
    fn ask(
        &mut self,
        purpose: Purpose,
        phone: usize,
        mut course: Course,
        credentials: Option<String>,
    ) -> Result<()> {
        self.branch += 1;
        let branch = self.branch;
        let who = self.phones.get(phone).context("an unknown phone")?;
        let answered_challenge = credentials.is_some();
        let mut lines: Vec<String> = credentials.into_iter().collect();
        let (method, body) = match purpose {
            Purpose::Register(_) => {
                lines.push("Expires: 3600".to_owned());
                ("REGISTER", String::new())
            }
            Purpose::Invite(call) => {
                let port = self.calls.get(call).map_or(9, |call| call.audio.1);
                ("INVITE", session(port))
            }
            Purpose::Bye(_) => ("BYE", String::new()),
        };
        let request = who.request(method, &course, branch, &lines, &body);
        self.send(who.socket, &request, self.server);
        course.cseq += 1;
        let begun = Instant::now();
        let transaction = Transaction {
            purpose,
            request,
            phone,
            course,
            answered_challenge,
            provisional: false,
            begun,
            gap: T1,
        };
        self.transactions.insert(branch, transaction);
        self.timers.set(begun + T1, Timer::Request(branch));
        Ok(())
    }

    /// Timers A and E, and B and F.
    pub(super) fn request_again(&mut self, branch: u64, now: Instant) {
        let Some(transaction) = self.transactions.get_mut(&branch) else { return };
        let is_invite = matches!(transaction.purpose, Purpose::Invite(_));
        let purpose = transaction.purpose;
        if is_invite && transaction.provisional {
            return;
        }
        if now.saturating_duration_since(transaction.begun) > GIVE_UP {
            self.transactions.remove(&branch);
            self.over(purpose);
            self.failed(purpose, "no answer".to_owned());
            return;
        }
        transaction.gap = if is_invite { transaction.gap * 2 } else { T2.min(transaction.gap * 2) };
        let next = now + transaction.gap;
        let (phone, request) = (transaction.phone, transaction.request.clone());
        self.timers.set(next, Timer::Request(branch));
        self.retransmitted(Some(purpose));
        if let Some(who) = self.phones.get(phone) {
            self.send(who.socket, &request, self.server);
        }
    }

    pub(super) fn response(
        &mut self,
        message: &Message<'_>,
        status: u16,
        arrival: &Arrival,
    ) -> Result<()> {
        let branch = message.branch().strip_prefix(MAGIC).and_then(|text| text.parse().ok());
        let Some(branch) = branch else { return Ok(()) };
        let Some(transaction) = self.transactions.get_mut(&branch) else {
            self.acknowledge_again(message);
            return Ok(());
        };
        if status < 200 {
            transaction.provisional = true;
            return Ok(());
        }
        let Some(transaction) = self.transactions.remove(&branch) else { return Ok(()) };
        let Transaction { purpose, phone, course, answered_challenge, .. } = transaction;
        if status >= 300 && matches!(purpose, Purpose::Invite(_)) {
            let who = self.phones.get(phone).context("an unknown phone")?;
            let ack = refusal_ack(who, &course, branch, message.to, course.cseq - 1);
            self.send(who.socket, &ack, self.server);
        }
        match (status, purpose) {
            (401 | 407, _) if !answered_challenge => {
                let who = self.phones.get(phone).context("an unknown phone")?;
                let account = &who.account;
                let credentials = digest::answer(
                    &message.challenges,
                    &account.login,
                    &account.password,
                    message.method,
                    &course.uri,
                );
                match credentials {
                    Some(line) => self.ask(purpose, phone, course, Some(line)),
                    None => {
                        self.over(purpose);
                        self.failed(purpose, format!("{status} without an MD5 challenge"));
                        Ok(())
                    }
                }
            }
            (200..=299, Purpose::Register(_)) => {
                self.register_report.registered += 1;
                Ok(())
            }
            (200..=299, Purpose::Invite(call)) => {
                self.answered(call, course, message, arrival);
                Ok(())
            }
            (200..=299, Purpose::Bye(_)) => {
                self.over(purpose);
                self.calls_report.completed += 1;
                Ok(())
            }
            _ => {
                self.over(purpose);
                self.failed(purpose, format!("{status} to {}", message.method));
                Ok(())
            }
        }
    }

    fn answered(
        &mut self,
        number: usize,
        mut course: Course,
        message: &Message<'_>,
        arrival: &Arrival,
    ) {
        let (server, branch) = (self.server, self.branch + 1);
        self.branch = branch;
        let Some(call) = self.calls.get_mut(number) else { return };
        let Some(who) = self.phones.get(call.phone) else { return };
        course.uri = uri_of(message.contact, server);
        course.to = message.to.to_owned();
        let accepted = Course { cseq: course.cseq - 1, ..course.clone() };
        let ack = who.request("ACK", &accepted, branch, &[], "");
        let socket = who.socket;
        self.calls_report.answered += 1;
        self.calls_report.setup_ns.push(arrival.time_ns.saturating_sub(call.begun_ns));
        if let Some(remote) = message.audio() {
            self.legs.push(AudioLeg { port: call.audio.0, remote });
        }
        if let Some(hold) = call.hold {
            self.timers.set(Instant::now() + hold, Timer::HangUp(number));
        }
        call.state = State::Up { course, ack: ack.clone() };
        self.send(socket, &ack, server);
    }

    /// A 200 that comes again wants its ACK again (RFC 3261 13.2.2.4).
    fn acknowledge_again(&mut self, message: &Message<'_>) {
        if message.method != "INVITE" {
            return;
        }
        let call = self.calls.iter().find_map(|call| match &call.state {
            State::Up { course, ack } if course.call_id == message.call_id => {
                Some((call.phone, ack.clone()))
            }
            _ => None,
        });
        if let Some((phone, ack)) = call {
            self.retransmitted(None);
            if let Some(who) = self.phones.get(phone) {
                self.send(who.socket, &ack, self.server);
            }
        }
    }

    /// The far end, or the switch, has ended a call that was up.
    pub(super) fn ended_by_peer(&mut self, call_id: &str) -> bool {
        let call = self.calls.iter_mut().find(|call| match &call.state {
            State::Up { course, .. } => course.call_id == call_id,
            State::Calling | State::Ending | State::Over => false,
        });
        let Some(call) = call else { return false };
        call.state = State::Over;
        *self.calls_report.failed.entry("BYE from the switch".to_owned()).or_default() += 1;
        true
    }

    fn over(&mut self, purpose: Purpose) {
        let (Purpose::Invite(call) | Purpose::Bye(call)) = purpose else { return };
        if let Some(call) = self.calls.get_mut(call) {
            call.state = State::Over;
        }
    }
}
