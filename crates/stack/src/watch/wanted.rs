//! What a SUBSCRIBE asks for.

use leg::Package;
use sip::{Header, Message};

use crate::dialog;
use crate::limits::{SUBSCRIPTION_EXPIRES_MAX_S, SUBSCRIPTION_EXPIRES_MIN_S};

/// What Event asks for; the error is the status owed.
pub(super) fn package(message: &Message) -> Result<(Package, Option<Box<str>>), u16> {
    let event = message.event().map_err(|_| 400u16)?.ok_or(489u16)?;
    let (package, kind) = match event.word {
        word if word.eq_ignore_ascii_case("dialog") => (Package::Dialog, "dialog-info+xml"),
        word if word.eq_ignore_ascii_case("message-summary") => {
            (Package::MessageSummary, "simple-message-summary")
        }
        _ => return Err(489),
    };
    let accepts = || message.accepts().flatten();
    if message.has(Header::Accept) && !accepts().any(|a| a.covers("application", kind)) {
        return Err(406);
    }
    let id = event.params.value("id").map(dialog::token).transpose().map_err(|_| 400u16)?;
    Ok((package, id))
}

/// How long a subscription shall last; the error is the status owed.
pub(super) fn lasts_s(message: &Message) -> Result<u32, u16> {
    let asked = message.expires().map_err(|_| 400u16)?.unwrap_or(SUBSCRIPTION_EXPIRES_MAX_S);
    match asked {
        1..SUBSCRIPTION_EXPIRES_MIN_S => Err(423),
        asked => Ok(asked.min(SUBSCRIPTION_EXPIRES_MAX_S)),
    }
}
