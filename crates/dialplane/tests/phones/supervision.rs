//! Programs control the calls of baresips: who hears whom is measured, each phone by its own pitch.

use serde_json::json;

use super::trio::{TONES_HZ, audit, audited, grants, hear, hears, hears_music, order, talk, three};
use crate::support::site;

#[test]
fn a_supervisor_listens_whispers_and_joins_in_and_is_heard_as_that_says() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = three(&site);
    let [a, b, m] = TONES_HZ;
    hears(&mut bob, &[a]);
    for (action, ann_hears, bob_hears) in [
        ("eavesdrop", vec![b], vec![a]),
        ("whisper", vec![b, m], vec![a]),
        ("conference", vec![b, m], vec![a, m]),
    ] {
        order(&mut site, "100", &json!({"action": action, "send_dst": "102"}));
        eve.talks();
        eve.shows("Monitor Phone 100", "100");
        hear([(&mut eve, &[a, b]), (&mut ann, &ann_hears), (&mut bob, &bob_hears)]);
        eve.hang_up();
        talk((&mut ann, a), (&mut bob, b));
    }
    order(&mut site, "100", &json!({"action": "hold"}));
    hears_music(&mut bob);
    order(&mut site, "100", &json!({"action": "offhold"}));
    hears(&mut bob, &[a]);
    // All three attempts are in the audit, and who has made them.
    let rows = audit(&mut site, 3);
    let mut actions: Vec<&str> = rows.iter().filter_map(|row| row["action"].as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["conference", "eavesdrop", "whisper"], "{rows:?}");
    assert!(rows.iter().all(|row| row["allowed"] == true && row["source"] == "api"), "{rows:?}");
}

#[test]
fn a_listener_may_with_keys_what_the_groups_grant_and_the_audit_says_so() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = three(&site);
    let [a, b, m] = TONES_HZ;
    talk((&mut ann, a), (&mut bob, b));
    // Nothing is granted.
    eve.dial("*4100");
    let refusal = eve.call_ends();
    assert!(refusal.contains("403"), "{refusal}");
    audited(&mut site, 1);

    // To listen, but not to speak.
    let listens = json!({"groups": {"sales": ["100"]}, "eavesdrop_102": ["sales"]});
    grants(&mut site, &listens);
    eve.dial("*4100");
    eve.talks();
    hears(&mut eve, &[a, b]);
    talk((&mut ann, a), (&mut bob, b));
    eve.presses("13");
    audited(&mut site, 5);
    hears(&mut eve, &[a, b]);
    talk((&mut ann, a), (&mut bob, b));

    // The document counts that there is when the key is pressed.
    let mut speaks = listens;
    speaks["whisper_102"] = json!(["sales"]);
    grants(&mut site, &speaks);
    eve.presses("1");
    hear([(&mut ann, &[b, m]), (&mut bob, &[a])]);
    eve.presses("3");
    hear([(&mut bob, &[a, m]), (&mut ann, &[b, m]), (&mut eve, &[a, b])]);
    eve.presses("0");
    talk((&mut ann, a), (&mut bob, b));
    eve.presses("*");
    eve.call_ends();
    talk((&mut ann, a), (&mut bob, b));

    // Dialled at once; only of whom the groups name.
    for (code, bob_hears) in [("*5100", vec![a]), ("*6100", vec![a, m])] {
        eve.dial(code);
        eve.talks();
        hear([(&mut ann, &[b, m]), (&mut bob, &bob_hears), (&mut eve, &[a, b])]);
        eve.hang_up();
        eve.call_ends();
        talk((&mut ann, a), (&mut bob, b));
    }
    eve.dial("*6101");
    let refusal = eve.call_ends();
    assert!(refusal.contains("403"), "{refusal}");
    assert_eq!(
        audited(&mut site, 12),
        [
            "phone 0003*102 eavesdrop 0003*100 refused by nothing",
            "api - change_groups - allowed by token",
            "phone 0003*102 eavesdrop 0003*100 allowed by eavesdrop sales",
            "phone 0003*102 whisper 0003*100 refused by nothing",
            "phone 0003*102 conference 0003*100 refused by nothing",
            "api - change_groups - allowed by token",
            "phone 0003*102 whisper 0003*100 allowed by whisper sales",
            "phone 0003*102 conference 0003*100 allowed by eavesdrop_and_whisper sales",
            "phone 0003*102 eavesdrop 0003*100 allowed by eavesdrop sales",
            "phone 0003*102 whisper 0003*100 allowed by whisper sales",
            "phone 0003*102 conference 0003*100 allowed by eavesdrop_and_whisper sales",
            "phone 0003*102 conference 0003*101 refused by nothing",
        ]
    );
}
