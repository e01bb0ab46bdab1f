//! Calls that are sent on, blind and after asking: by a program, by REFER and by keys. Who hears
//! whom is measured, and what the phones show.

use serde_json::json;

use super::trio::{
    TONES_HZ, action, ask, call_of, calls_of, hears, hears_music, hears_signal, order, phones,
    talk, three,
};
use crate::support::site;

#[test]
fn a_caller_who_is_sent_on_hears_the_target_or_is_given_back() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = phones(&site, ["auto", "auto", "manual"]);
    let [a, b, m] = TONES_HZ;
    ann.dial("101");
    ann.talks();
    talk((&mut ann, a), (&mut bob, b));
    // Who sends it on is out when it rings, and rung again when nobody takes the call.
    order(&mut site, "100", &action("transfer", "102"));
    eve.rings();
    ann.call_ends();
    hears_signal(&mut bob);
    eve.hang_up();
    eve.call_ends();
    ann.talks();
    ann.shows("Back: Phone 101", "101");
    talk((&mut ann, a), (&mut bob, b));

    order(&mut site, "100", &action("transfer", "102"));
    eve.rings();
    eve.shows("Phone 101", "101");
    ann.call_ends();
    eve.answer();
    talk((&mut bob, b), (&mut eve, m));
    bob.shows("Phone 102", "102");
}

#[test]
fn a_phone_sends_its_far_party_on_by_refer() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = phones(&site, ["auto", "auto", "manual"]);
    let [a, b, m] = TONES_HZ;
    ann.dial("101");
    ann.talks();
    talk((&mut ann, a), (&mut bob, b));
    let call = call_of(&mut site, "101");
    ann.refers_to("102");
    eve.rings();
    eve.shows("Phone 101", "101");
    hears_signal(&mut bob);
    eve.answer();
    let end = ann.call_ends();
    assert!(end.contains("transfer"), "{end}");
    talk((&mut bob, b), (&mut eve, m));
    bob.shows("Phone 102", "102");
    assert_eq!(call_of(&mut site, "102"), call, "it is the same call");
    calls_of(&mut site, "100", 0);
    eve.hang_up();
    bob.call_ends();
}

#[test]
fn a_phone_joins_its_two_calls_by_refer_with_replaces() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = three(&site);
    let [a, b, m] = TONES_HZ;
    talk((&mut ann, a), (&mut bob, b));
    let older = call_of(&mut site, "101");
    ann.hold();
    hears_music(&mut bob);
    ann.dial("102");
    ann.talks();
    talk((&mut ann, a), (&mut eve, m));
    hears_music(&mut bob);
    let newer = call_of(&mut site, "102");
    assert_ne!(newer, older);

    ann.joins_its_calls("102");
    ann.call_ends();
    ann.call_ends();
    talk((&mut bob, b), (&mut eve, m));
    bob.shows("Phone 102", "102");
    eve.shows("Phone 101", "101");
    calls_of(&mut site, "100", 0);
    // It is the older call now; the other's handle goes on to work.
    assert_eq!(call_of(&mut site, "102"), older);
    for (name, heard) in [("hold", None), ("offhold", Some(m))] {
        let hold = ask(&mut site, ("current_calls", "102", &newer), &json!({"action": name}));
        assert_eq!((hold.0, &hold.1["call_api_id"]), (200, &json!(older)));
        match heard {
            Some(tone) => hears(&mut bob, &[tone]),
            None => hears_music(&mut bob),
        }
    }
    bob.hang_up();
    eve.call_ends();
}

#[test]
fn a_phone_sends_its_far_party_on_to_whom_it_still_calls() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = phones(&site, ["auto", "auto", "manual"]);
    let [a, b, m] = TONES_HZ;
    ann.dial("101");
    ann.talks();
    talk((&mut ann, a), (&mut bob, b));
    let call = call_of(&mut site, "101");
    ann.hold();
    hears_music(&mut bob);
    ann.dial("102");
    eve.rings();
    eve.shows("Phone 100", "100");
    ann.hears_ringing();
    ann.joins_its_calls("102");
    // The call that rang is over for the phone, and then the other.
    ann.call_ends();
    hears_signal(&mut bob);
    eve.answer();
    ann.call_ends();
    talk((&mut bob, b), (&mut eve, m));
    bob.shows("Phone 102", "102");
    eve.shows("Phone 101", "101");
    assert_eq!(call_of(&mut site, "101"), call);
}

#[test]
fn a_program_has_somebody_asked_and_the_far_party_comes_back_or_is_sent_on() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = phones(&site, ["auto", "auto", "manual"]);
    let [a, b, m] = TONES_HZ;
    ann.dial("101");
    ann.talks();
    talk((&mut ann, a), (&mut bob, b));
    let call = call_of(&mut site, "100");
    let in_call = ("current_calls", "100", call.as_str());

    // While it rings, and then; and back again.
    order(&mut site, "100", &action("attended_transfer", "102"));
    eve.rings();
    eve.shows("Phone 100", "100");
    hears_signal(&mut ann);
    hears_music(&mut bob);
    eve.answer();
    eve.talks();
    talk((&mut ann, a), (&mut eve, m));
    hears_music(&mut bob);
    let mut parts = calls_of(&mut site, "100", 2);
    parts.sort_by_key(|part| part["call_api_id"] != call.as_str());
    let talks: Vec<bool> = parts.iter().map(|part| part["real_call"] == true).collect();
    assert_eq!(talks, [false, true], "{parts:?}");
    assert_eq!(parts[1]["call_api_id"], call_of(&mut site, "102"));
    let (status, refused) = ask(&mut site, in_call, &json!({"action": "hold"}));
    assert_eq!((status, &refused["status"]), (409, &json!("transfer_in_progress")));
    assert_eq!(ask(&mut site, in_call, &json!({"action": "offhold"})).0, 200);
    eve.call_ends();
    talk((&mut ann, a), (&mut bob, b));

    // Who is asked does not want to: a tone, and back.
    order(&mut site, "100", &action("attended_transfer", "102"));
    eve.rings();
    eve.hang_up();
    eve.call_ends();
    hears_signal(&mut ann);
    talk((&mut ann, a), (&mut bob, b));

    order(&mut site, "100", &action("attended_transfer", "102"));
    eve.rings();
    eve.answer();
    talk((&mut ann, a), (&mut eve, m));
    assert_eq!(ask(&mut site, in_call, &json!({"action": "transfer"})).0, 200);
    ann.call_ends();
    talk((&mut bob, b), (&mut eve, m));
    bob.shows("Phone 102", "102");
    eve.shows("Phone 101", "101");
    assert_eq!(call_of(&mut site, "102"), call);
    calls_of(&mut site, "100", 0);
}

#[test]
fn by_keys_somebody_is_asked_and_the_far_party_sent_on() {
    let Some(site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = three(&site);
    let [a, b, m] = TONES_HZ;
    talk((&mut ann, a), (&mut bob, b));
    // The other side gets the keys that are no code, and none of one, even of one that fails.
    ann.presses("5");
    assert_eq!(bob.hears_key(), "5");
    ann.presses("#1555#");
    hears_signal(&mut ann);
    talk((&mut ann, a), (&mut bob, b));
    ann.presses("7");
    assert_eq!(bob.hears_key(), "7");

    ann.presses("*2102#");
    eve.talks();
    talk((&mut ann, a), (&mut eve, m));
    hears_music(&mut bob);
    ann.presses("*2");
    eve.call_ends();
    talk((&mut ann, a), (&mut bob, b));

    ann.presses("*2102#");
    eve.talks();
    talk((&mut ann, a), (&mut eve, m));
    ann.hang_up();
    ann.call_ends();
    talk((&mut bob, b), (&mut eve, m));
    bob.shows("Phone 102", "102");
    eve.shows("Phone 101", "101");

    bob.presses("#1100#");
    ann.talks();
    bob.call_ends();
    talk((&mut ann, a), (&mut eve, m));
    ann.shows("Phone 102", "102");
    eve.shows("Phone 100", "100");
}
