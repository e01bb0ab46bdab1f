//! All that is promised of a call, in one: three phones, programs beside them, and an audit in the
//! end that says who did what by which right.

use serde_json::json;

use super::trio::{
    TONES_HZ, action, ask, audit, audited, call_of, calls_of, grants, hear, hears, hears_music,
    order, talk, three,
};
use crate::support::softphone::Softphone;
use crate::support::{Site, site};

/// 100, 101 and 102.
type Phones = [Softphone; 3];

const A: u32 = TONES_HZ[0];
const B: u32 = TONES_HZ[1];
const M: u32 = TONES_HZ[2];

#[test]
fn three_phones_and_a_program_tell_the_whole_story() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let groups = json!({
        "allow_all": false,
        "pickup_all": false,
        "groups": {"desk": ["100", "101", "102"], "agents": ["101"]},
        "pickup_share_groups": ["desk"],
        "eavesdrop_102": ["desk"],
        "whisper_102": ["agents"],
    });
    grants(&mut site, &groups);
    let mut phones = three(&site);
    is_supervised(&mut site, &mut phones);
    is_parked(&mut site, &mut phones);
    is_picked_up(&mut site, &mut phones);
    is_sent_on_blind(&mut site, &mut phones);
    is_sent_on_after_asking(&mut site, &mut phones);

    assert_eq!(
        audited(&mut site, 14),
        [
            "api - change_groups - allowed by token",
            // The supervisor, rung by a program, and the keys.
            "api 0003*102 eavesdrop 0003*101 allowed by token",
            "phone 0003*102 whisper 0003*101 allowed by whisper agents",
            "phone 0003*102 conference 0003*101 allowed by eavesdrop_and_whisper agents desk",
            "phone 0003*102 eavesdrop 0003*101 allowed by eavesdrop desk",
            "api 0003*102 whisper 0003*101 allowed by token",
            "api 0003*102 conference 0003*101 allowed by token",
            // The same with the telephone alone, to one whom only listening is granted to.
            "phone 0003*102 eavesdrop 0003*100 allowed by eavesdrop desk",
            "phone 0003*102 whisper 0003*100 refused by nothing",
            "phone 0003*102 conference 0003*100 refused by nothing",
            // The parked call, and those that rang.
            "api 0003*102 pickup 0003*100 allowed by token",
            "phone 0003*102 pickup 0003*101 allowed by pickup_share_groups desk",
            "phone 0003*102 group_pickup 0003*101 allowed by pickup_share_groups desk",
            "api 0003*102 pickup 0003*101 allowed by token",
        ]
    );
    // Of what programs have done, also whose they were.
    for row in audit(&mut site, 14).iter().filter(|row| row["source"] == "api") {
        assert!(row["program"]["user_login"].is_string(), "{row}");
    }
    let check = site.api().get("/client/@me/audit/check").expect("an answer");
    assert_eq!((&check.body["ok"], &check.body["rows"]), (&json!(true), &json!(14)));
}

/// 102 listens, whispers and joins: rung by a program, with the keypad, and by dialling.
fn is_supervised(site: &mut Site, [ann, bob, eve]: &mut Phones) {
    talk((ann, A), (bob, B));
    order(site, "101", &action("eavesdrop", "102"));
    eve.talks();
    eve.shows("Monitor Phone 101", "101");
    hears(eve, &[A, B]);
    talk((ann, A), (bob, B));
    eve.presses("1");
    hear([(bob, &[A, M]), (ann, &[B])]);
    eve.presses("3");
    hear([(ann, &[B, M]), (bob, &[A, M]), (eve, &[A, B])]);
    eve.presses("0");
    talk((ann, A), (bob, B));
    hears(eve, &[A, B]);
    eve.presses("*");
    eve.call_ends();
    for (name, ann_hears) in [("whisper", vec![B]), ("conference", vec![B, M])] {
        order(site, "101", &action(name, "102"));
        eve.talks();
        hear([(bob, &[A, M]), (ann, &ann_hears), (eve, &[A, B])]);
        eve.hang_up();
        eve.call_ends();
        talk((ann, A), (bob, B));
    }

    eve.dial("*4100");
    eve.talks();
    hears(eve, &[A, B]);
    eve.presses("13");
    audited(site, 10);
    talk((ann, A), (bob, B));
    eve.hang_up();
    eve.call_ends();
}

/// 101 waits in slot 6, is joined with 102 by `bridge`, is taken back by a phone and by `pickup`.
fn is_parked(site: &mut Site, [ann, bob, eve]: &mut Phones) {
    let call = call_of(site, "100");
    let uuid = json!(call.split_once('-').expect("node and call").1);
    let park = json!({"action": "park", "slot": "6"});
    let in_slot_6 = json!({"slot": "6", "UUID": uuid});
    let parks = |site: &mut Site, number: &str| {
        let parked = ask(site, ("valet_park", number, &call), &park);
        assert_eq!(parked, (200, in_slot_6.clone()));
        let slots = json!({"action": "slots", "slot": "6"});
        let slots = ask(site, ("valet_park", number, &call), &slots);
        assert_eq!(slots, (200, in_slot_6.clone()));
    };
    parks(site, "100");
    ann.call_ends();
    hears_music(bob);
    ann.dial("102");
    ann.talks();
    talk((ann, A), (eve, M));
    let second = calls_of(site, "102", 1)[0]["call_api_id"].clone();
    let second = second.as_str().expect("a handle");
    let bridge = json!({"action": "bridge", "slot": "6"});
    let joined = ask(site, ("valet_park", "100", second), &bridge);
    assert_eq!(joined, (200, in_slot_6.clone()));
    ann.call_ends();
    talk((bob, B), (eve, M));
    bob.shows("Phone 102", "102");
    eve.shows("Phone 101", "101");

    parks(site, "102");
    eve.call_ends();
    hears_music(bob);
    ann.dial("*06");
    ann.talks();
    talk((ann, A), (bob, B));
    ann.shows("Phone 101", "101");

    parks(site, "100");
    ann.call_ends();
    hears_music(bob);
    order(site, "100", &action("pickup", "102"));
    eve.talks();
    talk((bob, B), (eve, M));
    bob.shows("Phone 102", "102");
    eve.hang_up();
    eve.call_ends();
    bob.call_ends();
}

/// What rings at 101 is taken by 102: with the number, without it, and by a program.
fn is_picked_up(site: &mut Site, [ann, bob, eve]: &mut Phones) {
    bob.answers("manual");
    for code in [Some("*7101"), Some("*7"), None] {
        ann.dial("101");
        bob.rings();
        match code {
            Some(code) => eve.dial(code),
            None => drop(order(site, "101", &action("pickup", "102"))),
        }
        eve.talks();
        bob.call_ends();
        ann.talks();
        talk((ann, A), (eve, M));
        ann.shows("Phone 102", "102");
        eve.shows("Phone 100", "100");
        ann.hang_up();
        ann.call_ends();
        eve.call_ends();
    }
    bob.misses_no_call(3);
    bob.answers("auto");
}

/// 100 sends 101 on to 102: by a program, by REFER, with its keypad.
fn is_sent_on_blind(site: &mut Site, phones: &mut Phones) {
    for way in ["a program", "REFER", "keys"] {
        let call = begins(site, phones);
        let [ann, ..] = phones;
        match way {
            "a program" => drop(order(site, "100", &action("transfer", "102"))),
            "REFER" => ann.refers_to("102"),
            _ => ann.presses("#1102#"),
        }
        phones[2].talks();
        is_sent_on(site, phones, &call);
    }
}

/// The same after it has asked.
fn is_sent_on_after_asking(site: &mut Site, phones: &mut Phones) {
    for way in ["a program", "REFER", "keys"] {
        let call = begins(site, phones);
        let [ann, bob, eve] = phones;
        match way {
            "a program" => drop(order(site, "100", &action("attended_transfer", "102"))),
            "REFER" => {
                ann.hold();
                hears_music(bob);
                ann.dial("102");
                ann.talks();
            }
            _ => ann.presses("*2102#"),
        }
        eve.talks();
        talk((ann, A), (eve, M));
        hears_music(bob);
        match way {
            "a program" => {
                let done =
                    ask(site, ("current_calls", "100", &call), &json!({"action": "transfer"}));
                assert_eq!(done.0, 200, "{done:?}");
            }
            "REFER" => {
                ann.joins_its_calls("102");
                ann.call_ends();
            }
            _ => ann.hang_up(),
        }
        is_sent_on(site, phones, &call);
    }
}

/// 100 talks with 101; the handle of the call.
fn begins(site: &mut Site, [ann, bob, _]: &mut Phones) -> String {
    ann.dial("101");
    ann.talks();
    talk((ann, A), (bob, B));
    call_of(site, "100")
}

/// 101 talks with 102 in the call that it was in, 100 is out; then it is over.
fn is_sent_on(site: &mut Site, [ann, bob, eve]: &mut Phones, call: &str) {
    ann.call_ends();
    talk((bob, B), (eve, M));
    bob.shows("Phone 102", "102");
    eve.shows("Phone 101", "101");
    assert_eq!(call_of(site, "101"), call);
    assert_eq!(call_of(site, "102"), call);
    calls_of(site, "100", 0);
    bob.hang_up();
    bob.call_ends();
    eve.call_ends();
}
