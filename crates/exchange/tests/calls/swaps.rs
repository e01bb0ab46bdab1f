//! Extensions that serve each other: what the audit says of it.

use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use leg::{AuditProgram, Command, Refusal, Reply};
use model::Secret;

use crate::support::{Pbx, id};

/// 100 serves 101 and is served by it.
fn swapped() -> Pbx {
    let mut pbx = Pbx::with_phones("", |_, shown| shown.replace_pin = Some(Secret::new("1234")));
    pbx.allow(model::ControlGroups { allow_all: Some(true), ..Default::default() });
    pbx.dials("100", "*3101*1234");
    pbx.run_for(Duration::from_secs(10));
    pbx.said();
    pbx
}

fn ends(pbx: &mut Pbx, of: &str) -> Reply {
    let program = Arc::new(AuditProgram {
        user: model::UserId(7),
        login: "robot".into(),
        application: "crm".into(),
    });
    pbx.command(Command::EndReplace { extension: id(of), program })
}

#[test]
fn who_ends_it_is_in_the_audit_whichever_way() {
    let mut pbx = swapped();
    assert!(matches!(ends(&mut pbx, "102"), Reply::Refused(Refusal::NotReplaced)));
    assert!(matches!(ends(&mut pbx, "101"), Reply::Done));
    assert!(matches!(ends(&mut pbx, "100"), Reply::Refused(Refusal::NotReplaced)));
    pbx.dials("100", "*3101*1234");
    pbx.run_for(Duration::from_secs(10));
    // The phone of 100 acts as 101.
    pbx.dials("100", "*3");
    pbx.run_for(Duration::from_secs(10));
    pbx.dials("100", "*3");
    pbx.run_for(Duration::from_secs(10));
    assert!(pbx.is_empty());
    expect![[r#"
        0003*100 may replace 0003*101 by phone: allow_all
        nobody may end_replace 0003*101 by api (robot): token, 0003*100 and 0003*101
        0003*100 may replace 0003*101 by phone: allow_all
        0003*101 may end_replace 0003*100 by phone: either_side, 0003*100 and 0003*101
    "#]]
    .assert_eq(&pbx.audited());
}
