//! A defect in one call ends that call and touches no other.

use model::EndReason;
use testkit::{Device, Hold, Outcome, Phone, Settings, Sim, secs};

/// Two bystanders in the same tenant and two in another, talking.
fn bystanders(sim: &Sim) -> [(Phone, Phone); 2] {
    let pair = |company, a: &str, b: &str| {
        let a = sim.device(Device::of(a).of_company(company));
        let b_phone = sim.device(Device::of(b).of_company(company));
        b_phone.answers_after(secs(0));
        a.dials(b);
        sim.run_for(secs(1));
        sim.assert_talking(&a, &b_phone);
        (a, b_phone)
    };
    [pair(0, "105", "106"), pair(1, "105", "106")]
}

/// In each kind of step, something that the step handles.
fn provoke(sim: &Sim, kind: &str, ann: &Phone, bob: &Phone) {
    match kind {
        "seeking" => {
            ann.dials("101");
            sim.inject_panic(0, "seeking");
            sim.run_for(secs(1));
        }
        "talking" => {
            bob.answers_after(secs(0));
            ann.dials("101");
            sim.run_for(secs(1));
            sim.assert_talking(ann, bob);
            sim.inject_panic(0, "talking");
            ann.holds(Hold::SendOnly);
            sim.run_for(secs(1));
        }
        "serving" => {
            ann.dials("199");
            sim.run_for(secs(1));
            sim.inject_panic(0, "serving");
            sim.run_for(secs(2));
        }
        "voicemail" => {
            sim.rules("101", "voicemail");
            ann.dials("101");
            sim.run_for(secs(1));
            sim.inject_panic(0, "voicemail");
            ann.presses("#");
            sim.run_for(secs(1));
        }
        "clearing" => {
            sim.sound(1, secs(1), 3_000.0);
            sim.rules("101", "playfile+ sound=1; busy");
            ann.dials("101");
            sim.run_for(secs(2));
            sim.inject_panic(0, "clearing");
            sim.run_for(secs(4));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_panic_in_any_step_ends_its_call_and_costs_the_others_no_packet() {
    for kind in ["seeking", "talking", "serving", "voicemail", "clearing"] {
        let sim = Sim::with(Settings { companies: 2, ..Settings::default() });
        let others = bystanders(&sim);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        provoke(&sim, kind, &ann, &bob);
        sim.run_for(secs(2));
        let expected = match kind {
            "seeking" => Outcome::Refused(500),
            _ => Outcome::PeerHungUp(Some("SIP;cause=500;text=\"Internal error\"".to_owned())),
        };
        assert_eq!(ann.outcome(), Some(expected), "{kind}");
        assert!(bob.is_idle(), "{kind}: {:?}", bob.state());
        assert_eq!(sim.counters().iter().map(|c| c.panics).sum::<u64>(), 1, "{kind}");
        let cdrs = sim.cdrs();
        assert_eq!(cdrs.len(), 2, "{kind}");
        // Whose rules have ended is out before the tone.
        let out = usize::from(kind == "clearing");
        assert!(cdrs[out..].iter().all(|c| c.reason == EndReason::Internal), "{kind}");
        for (a, b) in &others {
            sim.assert_talking(a, b);
            assert_eq!((a.missing_from(b), b.missing_from(a)), (0, 0), "{kind}");
        }
        // The next call is as good as any.
        ann.dials("199");
        sim.run_for(secs(3));
        assert_eq!(ann.hears(), [ann.sound()].into(), "{kind}");
        ann.hangs_up();
        for (a, _) in &others {
            a.hangs_up();
        }
        sim.assert_nothing_left();
    }
}
