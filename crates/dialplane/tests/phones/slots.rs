//! Calls that wait in a slot: parked by a program, by a code and by keys, taken back by each of the
//! ways there are.

use serde_json::{Value, json};

use super::trio::{
    TONES_HZ, action, ask, call_of, calls_of, hears, hears_music, order, talk, three,
};
use crate::support::{Site, site};

/// What is in slot 6, asked in the name of 100.
fn slot_6(site: &mut Site, call: &str) -> Value {
    let slots = json!({"action": "slots", "slot": "6"});
    let (status, answer) = ask(site, ("valet_park", "100", call), &slots);
    assert_eq!((status, &answer["slot"]), (200, &json!("6")), "{answer}");
    answer["UUID"].clone()
}

#[test]
fn a_parked_caller_hears_music_and_then_who_takes_it_back() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = three(&site);
    let [a, b, m] = TONES_HZ;
    talk((&mut ann, a), (&mut bob, b));
    let parked = order(&mut site, "100", &json!({"action": "park"}));
    assert_eq!(parked["slot"], "1");
    ann.call_ends();
    hears_music(&mut bob);
    eve.dial("*01");
    eve.talks();
    talk((&mut bob, b), (&mut eve, m));
    bob.shows("Phone 102", "102");
    eve.shows("Phone 101", "101");
}

#[test]
fn who_is_parked_by_a_program_is_taken_back_and_joined_by_programs() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = three(&site);
    let [a, b, m] = TONES_HZ;
    talk((&mut ann, a), (&mut bob, b));
    let call = call_of(&mut site, "100");
    let uuid = json!(call.split_once('-').expect("node and call").1);
    let in_slot_6 = json!({"slot": "6", "UUID": uuid});
    let valet =
        |call: &str, site: &mut Site, body: Value| ask(site, ("valet_park", "100", call), &body);
    let park = json!({"action": "park", "slot": "6"});
    assert_eq!(valet(&call, &mut site, park.clone()), (200, in_slot_6.clone()));
    ann.call_ends();
    hears_music(&mut bob);
    assert_eq!(slot_6(&mut site, &call), uuid);
    let free = json!({"slots": ["1", "2", "3", "4", "5", "7", "8", "9"]});
    assert_eq!(valet(&call, &mut site, json!({"action": "slots"})), (200, free));
    let of_ann = calls_of(&mut site, "100", 1);
    assert_eq!((&of_ann[0]["real_call"], &of_ann[0]["call_api_id"]), (&json!(false), &json!(call)));
    let (status, refused) = valet(&call, &mut site, park.clone());
    assert_eq!((status, &refused["status"]), (409, &json!("already_parked")));

    // Taken back by a program, for another phone.
    order(&mut site, "100", &action("pickup", "102"));
    eve.talks();
    talk((&mut bob, b), (&mut eve, m));
    bob.shows("Phone 102", "102");
    eve.shows("Phone 101", "101");
    assert_eq!(slot_6(&mut site, &call), Value::Null);
    calls_of(&mut site, "100", 0);

    // Parked again and joined with whom another call leads to.
    assert_eq!(ask(&mut site, ("valet_park", "102", &call), &park), (200, in_slot_6.clone()));
    eve.call_ends();
    hears_music(&mut bob);
    ann.dial("102");
    ann.talks();
    talk((&mut ann, a), (&mut eve, m));
    let second = call_of(&mut site, "100");
    assert_ne!(second, call);
    let (status, full) = valet(&second, &mut site, park);
    let message = "slot already have parked member, slot is full";
    assert_eq!((status, &full["message"]), (409, &json!(message)));
    let bridge = json!({"action": "bridge", "slot": "6"});
    assert_eq!(valet(&second, &mut site, bridge.clone()), (200, in_slot_6));
    ann.call_ends();
    talk((&mut bob, b), (&mut eve, m));
    bob.shows("Phone 102", "102");
    eve.shows("Phone 101", "101");
    assert_eq!(slot_6(&mut site, &call), Value::Null);
    assert_eq!(call_of(&mut site, "102"), call, "the older call's handle");
    assert_eq!(ask(&mut site, ("valet_park", "102", &second), &bridge).0, 404, "nothing is parked");
    talk((&mut bob, b), (&mut eve, m));
}

#[test]
fn keys_and_codes_park_and_take_back() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = three(&site);
    let [a, b, m] = TONES_HZ;
    talk((&mut ann, a), (&mut bob, b));
    let call = call_of(&mut site, "100");
    // Sent on to a slot: who parks hears its number before it is out.
    ann.presses("#1*06#");
    ann.call_ends();
    hears_music(&mut bob);
    assert_ne!(slot_6(&mut site, &call), Value::Null);
    eve.dial("*06");
    eve.talks();
    talk((&mut bob, b), (&mut eve, m));
    assert_eq!(slot_6(&mut site, &call), Value::Null);
    // By REFER.
    bob.refers_to("*06");
    bob.call_ends();
    hears_music(&mut eve);
    // The slot is taken: what is parked there stays, and the others talk on.
    ann.dial("101");
    ann.talks();
    ann.presses("#1*06#");
    talk((&mut ann, a), (&mut bob, b));
    hears_music(&mut eve);
    bob.hang_up();
    bob.call_ends();
    ann.call_ends();

    // A code of its own for it, once there is one: it needs no number.
    let code = site.api().put("/client/@me/feature_codes/", &json!({"park_in_call": "*5"}));
    assert_eq!(code.expect("an answer").status, 200);
    ann.dial("*0");
    ann.talks();
    talk((&mut ann, a), (&mut eve, m));
    ann.presses("*56");
    ann.call_ends();
    hears_music(&mut eve);
    assert_ne!(slot_6(&mut site, &call), Value::Null);
    ann.dial("*06");
    ann.talks();
    hears(&mut eve, &[a]);
}
