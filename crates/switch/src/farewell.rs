//! Last words: what ends a leg leaves before it is written down that the leg has ended.
//!
//! Everything else leaves after. If the process dies in between, the other order would lose a word
//! for ever: a call whose records are written is not taken up again, so nobody would tell a phone
//! whose BYE was not sent. In this order the call is taken up, ended and recorded at the next
//! start; a phone that was told already answers 481, and nothing is left.

use crate::interface::Effect;

/// Moves the last words among the effects of one input to the front, and with each of them what
/// goes before it on its flow; returns how many effects lead now. The order on a flow stays.
///
/// A provisional response whose final one is a last word of the same step is left out: a peer that
/// had the one and never got the other would wait for ever.
pub fn last_words_first(effects: &mut Vec<Effect>) -> usize {
    let mut lead = 0;
    let mut at = 0;
    while at < effects.len() {
        at += 1;
        let Some(Effect::Send { flow, bytes }) = effects.get(at - 1) else { continue };
        if !is_last_word(bytes) {
            continue;
        }
        let (flow, word) = (*flow, bytes.clone());
        let mut before = 0;
        while before < at {
            match effects.get(before) {
                Some(Effect::Send { bytes, .. }) if is_overtaken(bytes, &word) => {
                    effects.remove(before);
                    at -= 1;
                    lead -= usize::from(before < lead);
                    continue;
                }
                Some(Effect::Send { flow: way, .. }) if *way == flow && before >= lead => {
                    if let Some(part) = effects.get_mut(lead..=before) {
                        part.rotate_right(1);
                    }
                    lead += 1;
                }
                _ => {}
            }
            before += 1;
        }
    }
    lead
}

/// Whether `response` is a provisional one of the transaction whose final one is `word`.
fn is_overtaken(response: &[u8], word: &[u8]) -> bool {
    response.starts_with(b"SIP/2.0 1")
        && word.starts_with(b"SIP/2.0 ")
        && second_line(response) == second_line(word)
}

/// The topmost Via of a response of ours: each transaction has its own.
fn second_line(message: &[u8]) -> Option<&[u8]> {
    message.split(|b| *b == b'\n').nth(1)
}

/// BYE, CANCEL, or a final response that refuses.
fn is_last_word(message: &[u8]) -> bool {
    match message.strip_prefix(b"SIP/2.0 ") {
        Some(status) => matches!(status.first(), Some(b'3'..=b'6')),
        None => message.starts_with(b"BYE ") || message.starts_with(b"CANCEL "),
    }
}

#[cfg(test)]
mod tests {
    use stack::{Flow, FlowId, Transport};

    use super::*;

    fn send(port: u16, text: &str) -> Effect {
        let local = "10.0.0.1:5060".parse().unwrap();
        let remote = core::net::SocketAddr::from(([10, 1, 0, 1], port));
        let flow = Flow { id: FlowId(0), transport: Transport::Udp, local, remote };
        Effect::Send { flow, bytes: text.as_bytes().into() }
    }

    fn sorted(mut effects: Vec<Effect>) -> (usize, Vec<String>) {
        let lead = last_words_first(&mut effects);
        let told = |e: &Effect| match e {
            Effect::Send { flow, bytes } => {
                let text = String::from_utf8_lossy(bytes);
                let word = text.strip_prefix("SIP/2.0 ").unwrap_or(&text);
                format!("{} {}", flow.remote.port(), word.split(' ').next().unwrap_or(""))
            }
            _ => "other".to_owned(),
        };
        (lead, effects.iter().map(told).collect())
    }

    #[test]
    fn last_words_lead_and_take_along_what_goes_before_them_on_their_flow() {
        let close = || Effect::CloseFlow(FlowId(9));
        let cases = [
            (vec![], 0, vec![]),
            (vec![send(1, "SIP/2.0 200 OK"), send(2, "ACK x")], 0, vec!["1 200", "2 ACK"]),
            (
                vec![send(1, "SIP/2.0 200 OK"), close(), send(2, "BYE x")],
                1,
                vec!["2 BYE", "1 200", "other"],
            ),
            (
                vec![close(), send(1, "SIP/2.0 100 T\nVia: 8"), send(1, "SIP/2.0 404 N\nVia: 9")],
                2,
                vec!["1 100", "1 404", "other"],
            ),
            (
                vec![close(), send(1, "SIP/2.0 100 T\nVia: 9"), send(1, "SIP/2.0 404 N\nVia: 9")],
                1,
                vec!["1 404", "other"],
            ),
            (
                vec![
                    send(1, "SIP/2.0 200 OK"),
                    send(2, "ACK x"),
                    send(3, "CANCEL x"),
                    send(2, "BYE x"),
                    send(2, "INVITE x"),
                ],
                3,
                vec!["3 CANCEL", "2 ACK", "2 BYE", "1 200", "2 INVITE"],
            ),
        ];
        for (effects, lead, order) in cases {
            let order: Vec<String> = order.into_iter().map(str::to_owned).collect();
            assert_eq!(sorted(effects), (lead, order));
        }
    }

    #[test]
    fn what_begins_or_answers_a_leg_is_no_last_word() {
        for text in ["INVITE x", "ACK x", "SIP/2.0 100 T", "SIP/2.0 200 OK", "BYEBYE x", ""] {
            assert!(!is_last_word(text.as_bytes()), "{text}");
        }
        for text in ["BYE x", "CANCEL x", "SIP/2.0 302 M", "SIP/2.0 486 B", "SIP/2.0 603 D"] {
            assert!(is_last_word(text.as_bytes()), "{text}");
        }
    }
}
