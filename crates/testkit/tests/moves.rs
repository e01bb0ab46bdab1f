//! A call goes on at another phone of its extension, by an INVITE with Replaces.

use media::measure::{longest_gap, pitch_hz};
use model::Spoken;
use testkit::{Phone, Sim, Sound, millis, secs};

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

#[test]
fn a_message_goes_on_being_recorded_at_the_other_phone() {
    let sim = Sim::seed(7);
    sim.rules("101", "voicemail");
    let phones = [sim.phone("100"), sim.phone("100")];
    let [desk, mobile] = &phones;
    desk.dials("101");
    let hears = |phone: &Phone, sound: Sound| phone.hears() == [sound].into();
    assert!(
        sim.run_while(secs(20), || !desk.hears_said().iter().any(|s| s.1 == Spoken::LeaveMessage))
    );
    assert!(sim.run_while(secs(20), || !hears(desk, Sound::TestTone)));
    sim.run_for(secs(3));
    moves(&sim, &phones);
    sim.run_for(secs(3));
    mobile.hangs_up();
    assert!(sim.run_while(secs(20), || sim.messages().is_empty()));
    let [message] = &sim.messages()[..] else { panic!("one message") };
    let recorded = sim.recording(message.file).expect("its file is complete");
    let samples = &recorded[0];
    assert!(samples.len() > 7 * 8_000, "{}", samples.len());
    let is_of = |phone: &Phone, part: &[i16]| {
        let pitch = pitch_hz(part).expect("somebody speaks");
        assert!((pitch - phone.says_hz()).abs() < 20.0, "{pitch} Hz");
    };
    is_of(desk, &samples[8_000..12_000]);
    is_of(mobile, &samples[samples.len() - 8_000..samples.len() - 4_000]);
    let gap = longest_gap(&samples[8_000..samples.len() - 4_000], 500);
    assert!(gap < 8 * 300, "{gap} samples");
    sim.assert_nothing_left();
}

#[test]
fn who_is_parked_is_taken_back_at_its_other_phone() {
    let sim = Sim::seed(7);
    let phones = [sim.phone("100"), sim.phone("100")];
    let bob = sim.phone("101");
    bob.answers_after(millis(300));
    phones[0].dials("101");
    sim.run_for(secs(2));
    sim.control("101", "park 5").unwrap();
    sim.run_for(secs(2));
    moves(&sim, &phones);
    assert_eq!(phones[1].hears(), [Sound::Music].into());
    assert_eq!(phones[1].shown().as_deref(), Some("101"));
    bob.dials("*05");
    sim.run_for(secs(2));
    sim.assert_talking(&bob, &phones[1]);
    bob.hangs_up();
    sim.run_for(secs(2));
    sim.assert_nothing_left();
}

#[test]
fn who_whispers_goes_on_at_its_other_phone_if_it_may() {
    for may in [true, false] {
        let sim = Sim::seed(7);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        let phones = [sim.phone("102"), sim.phone("102")];
        sim.configure(0, |company| company.rights("eavesdrop=102 whisper=102"));
        bob.answers_after(millis(300));
        ann.dials("101");
        sim.run_for(secs(2));
        phones[0].dials("*5100");
        sim.run_for(secs(2));
        if !may {
            sim.configure(0, |company| company.rights("eavesdrop=102"));
        }
        phones[1].dials_replacing("102", &phones[0].dialog_names().unwrap());
        sim.run_for(secs(2));
        let monitor = &phones[usize::from(may)];
        let cast = [('A', &ann), ('B', &bob), ('M', monitor)];
        sim.assert_heard("M whispers", &cast);
        assert!(phones[usize::from(!may)].is_idle());
        let rows = sim.audit_lines();
        let verdict = if may { "whisper allowed" } else { "whisper refused" };
        assert!(rows.last().unwrap().starts_with(verdict), "{rows:?}");
        monitor.hangs_up();
        ann.hangs_up();
        sim.run_for(secs(2));
        sim.assert_nothing_left();
    }
}
