//! Calls that ring at one phone and are taken with another: by codes and by programs.

use serde_json::{Value, json};

use super::trio::{TONES_HZ, action, audited, call_of, calls_of, grants, order, phones, talk};
use crate::support::site;

#[test]
fn a_ringing_call_is_taken_with_a_code_by_whom_the_groups_let() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = phones(&site, ["auto", "manual", "auto"]);
    let [a, b, m] = TONES_HZ;
    ann.dial("101");
    bob.rings();
    ann.hears_ringing();
    let call = call_of(&mut site, "101");
    eve.dial("*7101");
    eve.talks();
    bob.call_ends();
    bob.misses_no_call(1);
    talk((&mut ann, a), (&mut eve, m));
    ann.shows("Phone 102", "102");
    eve.shows("Phone 100", "100");
    assert_eq!(call_of(&mut site, "102"), call);
    calls_of(&mut site, "101", 0);
    eve.hang_up();
    ann.call_ends();

    // Without a number within the groups, and with one nowhere else.
    let groups = |members: [&str; 2]| {
        json!({
            "pickup_all": false,
            "groups": {"desk": members},
            "pickup_share_groups": ["desk"],
        })
    };
    audited(&mut site, 1);
    grants(&mut site, &groups(["101", "102"]));
    ann.dial("101");
    bob.rings();
    eve.call_ends();
    eve.dial("*7");
    eve.talks();
    bob.call_ends();
    talk((&mut ann, a), (&mut eve, m));
    eve.hang_up();
    ann.call_ends();

    audited(&mut site, 3);
    grants(&mut site, &groups(["100", "102"]));
    ann.dial("101");
    bob.rings();
    eve.call_ends();
    for code in ["*7", "*7101", "*7555"] {
        eve.dial(code);
        let refusal = eve.call_ends();
        assert!(refusal.contains("403"), "{code}: {refusal}");
    }
    bob.answer();
    talk((&mut ann, a), (&mut bob, b));
    assert_eq!(
        audited(&mut site, 7),
        [
            "phone 0003*102 pickup 0003*101 allowed by pickup_all",
            "api - change_groups - allowed by token",
            "phone 0003*102 group_pickup 0003*101 allowed by pickup_share_groups desk",
            "api - change_groups - allowed by token",
            "phone 0003*102 group_pickup - refused by nothing",
            "phone 0003*102 pickup 0003*101 refused by nothing",
            "phone 0003*102 pickup 555 refused by nothing",
        ]
    );
}

#[test]
fn a_program_has_a_ringing_call_taken_and_then_the_far_party_of_it() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = phones(&site, ["auto", "manual", "manual"]);
    let [a, b, m] = TONES_HZ;
    ann.dial("101");
    bob.rings();
    let call = call_of(&mut site, "101");
    let taken = order(&mut site, "101", &action("pickup", "102"));
    assert_eq!((&taken["call_api_id"], &taken["answer_time_gmt"]), (&json!(call), &Value::Null));
    eve.rings();
    eve.shows("Phone 100", "100");
    // It rings at both until one of them answers.
    eve.answer();
    bob.call_ends();
    bob.misses_no_call(1);
    talk((&mut ann, a), (&mut eve, m));
    ann.shows("Phone 102", "102");
    assert_eq!(call_of(&mut site, "102"), call);

    order(&mut site, "102", &action("pickup", "101"));
    bob.rings();
    bob.shows("Phone 100", "100");
    talk((&mut ann, a), (&mut eve, m));
    bob.answer();
    eve.call_ends();
    talk((&mut ann, a), (&mut bob, b));
    ann.shows("Phone 101", "101");
    assert_eq!(call_of(&mut site, "101"), call);
    assert_eq!(
        audited(&mut site, 2),
        [
            "api 0003*102 pickup 0003*101 allowed by token",
            "api 0003*101 pickup 0003*102 allowed by token",
        ]
    );
}
