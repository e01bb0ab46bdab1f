//! Whom the peer of a leg is shown: P-Asserted-Identity in a 2xx, an UPDATE or a re-INVITE inside
//! the dialog (RFC 3325, RFC 4916), and the call that shall be answered without a hand.

use core::time::Duration;

use leg::Identity;
use model::IdentityHeader;
use sip::{Header, Writer};

use crate::core::Turn;
use crate::dialog::{Far, Fate, Leg, Phase};
use crate::limits::GLARE_RETRIES_MAX;
use crate::timers::{LegTimer, TimerId};
use crate::{identity, offer, session_timer};

/// Whom the peer of a leg is to be shown.
#[derive(Debug, Default)]
pub(crate) struct Display {
    /// Whom it was not told of.
    wanted: Option<Box<Identity>>,
    /// Whom it was told of last, while it may refuse that.
    sent: Option<Box<Identity>>,
    /// How often it was told again.
    retries: u8,
    /// Runs while another offer goes first.
    pub(crate) timer: Option<TimerId>,
}

impl Display {
    /// Whom the peer may not know of.
    pub(crate) fn untold(&self) -> Option<&Identity> {
        self.wanted.as_deref()
    }

    /// After loading.
    pub(crate) fn restore(&mut self, wanted: Option<Identity>) {
        self.wanted = wanted.map(Box::new);
    }

    /// What was sent last has to be sent in another way.
    pub(crate) fn again(&mut self) {
        if self.wanted.is_none() {
            self.wanted = self.sent.take();
        }
    }

    /// The peer has taken what was sent last.
    pub(crate) fn told(&mut self) {
        self.sent = None;
    }

    /// Stops what runs.
    pub(crate) fn stop(&mut self, turn: &mut Turn<'_>) {
        turn.core.timers.clear(&mut self.timer);
    }
}

/// The exchange wants somebody shown; the newest wins.
pub(crate) fn identify(turn: &mut Turn<'_>, leg: &mut Leg, identity: Box<Identity>) -> Fate {
    leg.display.wanted = Some(identity);
    leg.display.sent = None;
    leg.display.retries = 0;
    pump(turn, leg);
    Fate::Lives
}

/// Tells the peer, if the dialog is up and no offer is under way.
pub(crate) fn pump(turn: &mut Turn<'_>, leg: &mut Leg) {
    let due = leg.display.wanted.is_some() && leg.display.timer.is_none();
    if !due || !matches!(leg.phase, Phase::Up(_)) || !offer::is_free(leg) {
        return;
    }
    if leg.able.update {
        session_timer::refresh(turn, leg);
    } else {
        offer::refresh(turn, leg);
    }
}

/// Our request collided with one of the peer: it is told later (RFC 3261 14.1).
pub(crate) fn wait(turn: &mut Turn<'_>, leg: &mut Leg, wait: Duration) {
    if leg.display.wanted.is_none() {
        return;
    }
    leg.display.retries += 1;
    if leg.display.retries > GLARE_RETRIES_MAX {
        leg.display.wanted = None;
        return;
    }
    let timer = leg.start(turn, wait, LegTimer::Display);
    if let Some(before) = leg.display.timer.replace(timer) {
        turn.core.timers.stop(before);
    }
}

/// The time to wait is over.
pub(crate) fn due(turn: &mut Turn<'_>, leg: &mut Leg) -> Fate {
    leg.display.timer = None;
    pump(turn, leg);
    Fate::Lives
}

/// Says in a message of ours who is shown, if the peer does not know it.
pub(crate) fn write(turn: &Turn<'_>, leg: &mut Leg, writer: &mut Writer) {
    let Some(identity) = leg.display.wanted.take() else { return };
    let directory = &turn.core.directory;
    let domain = directory.tenants.get(&leg.tenant()).map_or("", |t| t.domain.as_str());
    match &leg.far {
        // A phone shows what stands there, so who hides is not told to it.
        Far::Phone { .. } => {
            let party = identity::from(&identity, None, domain);
            writer.header(Header::PAssertedIdentity, &*party);
            if identity.private {
                writer.header(Header::Privacy, "id");
            }
        }
        Far::Trunk(outside) => {
            let how = directory.trunks.get(&outside.trunk).map(|t| t.identity);
            let how = match how {
                Some(IdentityHeader::Rpid) => IdentityHeader::Rpid,
                Some(IdentityHeader::Pai | IdentityHeader::From) | None => IdentityHeader::Pai,
            };
            let shown = identity::Shown { identity: &identity, diversion: None, domain };
            let forwarding = model::ForwardingHeaders::None;
            identity::write(writer, how, forwarding, "", &shown);
        }
    }
    leg.display.sent = Some(identity);
}

/// Asks a phone to answer by itself, in the words that phones know: RFC 3261 20.9 and 20.4 leave
/// them open.
pub(crate) fn write_auto_answer(writer: &mut Writer, domain: &str) {
    writer.header(Header::CallInfo, ["<sip:", domain, ">;answer-after=0"]);
    writer.header(Header::AlertInfo, ["<http://", domain, ">;info=alert-autoanswer"]);
}
