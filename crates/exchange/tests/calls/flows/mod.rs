//! Calls between phones of one tenant: what goes in, what comes out, line by line.

mod basic;
mod devices;
mod limits;
mod saving;
mod sound;

use expect_test::Expect;
use leg::{LegEvent, LegId};

use crate::support::Pbx;

const A: LegId = LegId(0);
const B: LegId = LegId(3);
const B2: LegId = LegId(5);

fn check(mut pbx: Pbx, expected: Expect) {
    expected.assert_eq(&pbx.said());
    assert!(pbx.is_empty(), "something is left");
}

/// 100 talks with 101 and nothing has been looked at yet.
fn talking() -> Pbx {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    pbx.said();
    pbx
}
