//! Reason: why a dialog ends or an INVITE is cancelled (RFC 3326).

use model::EndReason;
use sip::{Header, Message, Method, Writer};

/// Says in a BYE or CANCEL why it is sent, where the method alone does not say it: a phone that
/// hangs up needs no reason, and a caller that gave up must not be shown as answered elsewhere.
pub(crate) fn write(writer: &mut Writer, method: Method, reason: EndReason) {
    if let Some(value) = value(method, reason) {
        writer.header(Header::Reason, value);
    }
}

fn value(method: Method, reason: EndReason) -> Option<&'static str> {
    Some(match reason {
        // Phones take a cancelled call with this cause out of their missed calls.
        EndReason::AnsweredElsewhere | EndReason::AlreadyAnswered => {
            "SIP;cause=200;text=\"Call completed elsewhere\""
        }
        EndReason::CallerHungUp
        | EndReason::CalleeHungUp
        | EndReason::Cancelled
        | EndReason::ServiceDone
        | EndReason::Transferred
        | EndReason::Parked
        | EndReason::Bridged
        | EndReason::Replaced
        | EndReason::ParkExpired
        | EndReason::NotTakenBack
        | EndReason::MonitorOver => return None,
        // Whether somebody was busy or gone elsewhere is nothing to a phone that is cancelled: it
        // rang, and nobody answered.
        _ if method == Method::Cancel => return None,
        EndReason::ApiHangup => "Q.850;cause=16;text=\"Ended by a program\"",
        EndReason::SessionExpired => "SIP;cause=408;text=\"Session expired\"",
        EndReason::TransportLost => "SIP;cause=408;text=\"No answer to a request\"",
        EndReason::MediaLost => "SIP;cause=408;text=\"No audio\"",
        EndReason::NoCommonCodec => "SIP;cause=488;text=\"No common codec\"",
        EndReason::ProtocolError => "SIP;cause=400;text=\"Protocol error\"",
        EndReason::TenantBlocked | EndReason::ExtensionBlocked | EndReason::Forbidden => {
            "SIP;cause=403;text=\"Blocked\""
        }
        EndReason::Drained | EndReason::Restart => "SIP;cause=503;text=\"Switch restarts\"",
        EndReason::Internal => "SIP;cause=500;text=\"Internal error\"",
        // Nothing that ends an answered call.
        EndReason::Busy
        | EndReason::BusyByRule
        | EndReason::HangupByRule
        | EndReason::Declined
        | EndReason::NoAnswer
        | EndReason::Unreachable
        | EndReason::Refused
        | EndReason::NotFound
        | EndReason::DialogOver
        | EndReason::ExtensionLimit
        | EndReason::TenantLimit
        | EndReason::OutsideLimit
        | EndReason::OutsideNotAllowed
        | EndReason::NodeLimit => return None,
    })
}

/// The SIP status that a BYE or CANCEL names as its reason, unless it says that all is well.
pub(crate) fn status(message: &Message) -> Option<u16> {
    let causes = message.reasons().flatten();
    let mut causes = causes.filter(|r| r.protocol.eq_ignore_ascii_case("SIP"));
    causes.find_map(|r| r.cause).filter(|cause| (300..700).contains(cause))
}

/// Whether a CANCEL or BYE says that the call was answered elsewhere.
pub(crate) fn answered_elsewhere(message: &Message) -> bool {
    let mut reasons = message.reasons().flatten();
    reasons.any(|r| r.protocol.eq_ignore_ascii_case("SIP") && r.cause == Some(200))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_that_is_written_can_be_read() {
        for reason in EndReason::ALL {
            for method in [Method::Bye, Method::Cancel] {
                let Some(value) = value(method, reason) else { continue };
                let text = format!("{method} sip:a SIP/2.0\r\nReason: {value}\r\n\r\n");
                let message = Message::parse(text.into_bytes()).unwrap();
                let read = message.reasons().next().unwrap().unwrap();
                assert!(read.cause.is_some() && read.text().is_some(), "{value}");
                let elsewhere =
                    matches!(reason, EndReason::AnsweredElsewhere | EndReason::AlreadyAnswered);
                let said = method == Method::Cancel && answered_elsewhere(&message);
                assert!(method == Method::Bye || said == elsewhere, "{reason:?}");
            }
        }
    }

    #[test]
    fn a_plain_end_needs_no_reason() {
        for reason in [EndReason::CallerHungUp, EndReason::CalleeHungUp, EndReason::ServiceDone] {
            assert_eq!(value(Method::Bye, reason), None);
        }
        for reason in [EndReason::Cancelled, EndReason::NoAnswer, EndReason::Busy] {
            assert_eq!(value(Method::Cancel, reason), None);
        }
    }

    #[test]
    fn the_status_in_a_reason_is_found_behind_others() {
        let table = [
            ("SIP;cause=486", Some(486)),
            ("Q.850;cause=16, sip ;cause=603;text=\"no\"", Some(603)),
            ("SIP;cause=200", None),
            ("Q.850;cause=17", None),
            ("SIP", None),
        ];
        for (value, status) in table {
            let text = format!("BYE sip:a SIP/2.0\r\nReason: {value}\r\n\r\n");
            assert_eq!(super::status(&Message::parse(text.into_bytes()).unwrap()), status);
        }
    }
}
