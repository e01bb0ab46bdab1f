use super::*;
use crate::seeds;

#[test]
fn sequences_of_operations_reach_answered_calls() {
    let mut answered = 0;
    for data in seeds::noise() {
        answered += run(&data, DIALOGS).answered();
        answered += run(&data, TRANSACTIONS).answered();
    }
    assert!(answered > 20, "{answered}");
}
