//! Blind transfers, by programs and by REFER, and what becomes of a far party that nobody takes.

mod forwarded;
mod given_back;
mod programs;
mod refers;

use leg::{CallAction, LegEvent, LegId, ReferId, ReferTo};
use model::{CallApiId, Number};

use crate::support::{Pbx, talking};

fn check(pbx: &mut Pbx, expected: &expect_test::Expect) {
    expected.assert_eq(&pbx.said());
}

fn to(text: &str) -> CallAction {
    CallAction::Transfer(Some(Number::parse(text).unwrap()))
}

fn refer(pbx: &mut Pbx, leg: LegId, number: &str) {
    let to = ReferTo::Number(Number::parse(number).unwrap());
    pbx.event(leg, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
}

/// Who is listed and talks, and who is listed only: `100 101-`.
fn listed(pbx: &mut Pbx) -> String {
    let name = |(name, _, real): (String, CallApiId, bool)| {
        format!("{}{}", &name[5..], if real { "" } else { "-" })
    };
    pbx.listed().into_iter().map(name).collect::<Vec<_>>().join(" ")
}

/// 100 talks with 101, which sends it on to a number; the far party waits.
fn sent_on_to(number: &str) -> Pbx {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, to(number)).unwrap();
    pbx
}
