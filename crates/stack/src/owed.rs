//! What a refusal must say besides its status: RFC 3261 21.4, RFC 3262 to RFC 4028.

use sip::{Header, Writer, application};

use crate::core::{ALLOW, ALLOW_EVENTS, Turn};
use crate::limits::{MIN_SE_S, RETRY_AFTER_S, SUBSCRIPTION_EXPIRES_MIN_S};
use crate::offer;

/// Seconds that a second offer has to wait at most (14.2, RFC 3311 5.2).
const OFFER_RETRY_AFTER_BELOW_S: u64 = 11;

/// The bodies that INFO may bring.
pub(crate) const DIGITS: &str = "application/dtmf-relay, application/dtmf";

/// Writes what a response with this status owes its reader.
pub(crate) fn write(writer: &mut Writer, status: u16) {
    match status {
        405 | 501 => {
            writer.header(Header::Allow, ALLOW);
        }
        415 => {
            writer.header(Header::Accept, offer::SDP);
            writer.header(Header::AcceptEncoding, "identity");
        }
        422 => {
            writer.header(Header::MinSe, MIN_SE_S);
        }
        423 => {
            writer.header(Header::MinExpires, SUBSCRIPTION_EXPIRES_MIN_S);
        }
        // 20.43: 305 is the warning of the RFC for a media format.
        488 => {
            writer.header(Header::Warning, "305 dialplane \"Incompatible media format\"");
        }
        489 => {
            writer.header(Header::AllowEvents, ALLOW_EVENTS);
        }
        503 => {
            writer.header(Header::RetryAfter, RETRY_AFTER_S);
        }
        _ => {}
    }
}

/// The same for what a request alone made us refuse.
pub(crate) fn write_refusal(writer: &mut Writer, refusal: &application::Refusal<'_>) {
    if let application::Refusal::Extension(tags) = refusal {
        writer.header(Header::Unsupported, tags.join(", "));
    }
    write(writer, refusal.status());
}

/// How long a peer whose offer came at the wrong moment shall wait: chance, so that two that
/// collide do not do so again.
pub(crate) fn offer_retry_after(turn: &mut Turn<'_>) -> u64 {
    turn.core.chance.below(OFFER_RETRY_AFTER_BELOW_S)
}
