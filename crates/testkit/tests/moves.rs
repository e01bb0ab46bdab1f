//! Who consults goes on at another phone of the extension, by an INVITE with Replaces.

use testkit::{Phone, Sim, millis, secs};

/// Ann waits, while Bob asks somebody or something at his desk; his mobile is at home.
fn consulting(number: &str) -> (Sim, Phone, [Phone; 2], Phone) {
    let sim = Sim::seed(7);
    let (ann, eve) = (sim.phone("100"), sim.phone("102"));
    let desk = sim.phone("101");
    eve.answers_after(millis(300));
    desk.answers_after(millis(300));
    ann.dials("101");
    sim.run_for(secs(2));
    sim.assert_talking(&ann, &desk);
    let mobile = sim.phone("101");
    sim.control("101", &format!("attend {number}")).unwrap();
    sim.run_for(secs(4));
    (sim, ann, [desk, mobile], eve)
}

fn moves(sim: &Sim, [desk, mobile]: &[Phone; 2]) {
    mobile.dials_replacing("102", &desk.dialog_names().unwrap());
    sim.run_for(secs(2));
    assert!(desk.is_idle());
}

#[test]
fn who_asks_somebody_goes_on_at_the_other_phone_and_completes_there() {
    let (sim, ann, phones, eve) = consulting("102");
    sim.assert_talking(&phones[0], &eve);
    moves(&sim, &phones);
    sim.assert_talking(&phones[1], &eve);
    phones[1].hangs_up();
    sim.run_for(secs(2));
    sim.assert_talking(&ann, &eve);
    ann.hangs_up();
    sim.run_for(secs(2));
    sim.assert_nothing_left();
}

#[test]
fn who_asks_somewhere_goes_on_at_the_other_phone_and_comes_back_there() {
    for number in ["*8101", "199", "102"] {
        let (sim, ann, phones, _) = consulting(number);
        moves(&sim, &phones);
        let call = sim.calls_of("101")[0];
        sim.control_call("101", call, "offhold").unwrap();
        sim.run_for(secs(2));
        sim.assert_talking(&ann, &phones[1]);
        assert_eq!(phones[1].shown().as_deref(), Some("100"), "{number}");
        phones[1].hangs_up();
        sim.run_for(secs(2));
        sim.assert_nothing_left();
    }
}
