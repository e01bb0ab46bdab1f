//! INVITEs with one exceptional value each are answered or dropped, and the switch goes on.

use fuzzing::{endpoint, message, protos, stranger};

#[test]
fn exceptional_invites_of_strangers_leave_nothing_and_options_is_answered() {
    let cases = protos::cases("");
    for case in &cases {
        message::message(&case.bytes);
        stranger::stranger(&case.bytes);
        assert_eq!(stranger::options_status(), Some(200), "after {}", case.name);
    }
    assert!(cases.len() >= 4_500, "{}", cases.len());
}

#[test]
fn exceptional_invites_of_phones_that_prove_themselves_become_calls_or_are_refused() {
    let cases = protos::cases(endpoint::PROOF);
    let calls = endpoint::proven(&cases);
    assert!((500..cases.len()).contains(&calls), "{calls} calls of {} cases", cases.len());
}
