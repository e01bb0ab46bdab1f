//! Calls that rules forward: who rings when, what the caller gets, what is written down.

mod cascades;
mod outside;
mod rules;

use expect_test::Expect;
use leg::LegId;

use crate::support::Pbx;

const A: LegId = LegId(0);

/// The n-th leg that was dialled.
fn out(n: u64) -> LegId {
    LegId(n * 2 + 1)
}

fn check(mut pbx: Pbx, expected: Expect) {
    expected.assert_eq(&pbx.said());
    assert!(pbx.is_empty(), "something is left");
}
