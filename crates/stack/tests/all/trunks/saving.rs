//! Calls to trunks that were written down and taken up by another endpoint.

use model::{EndReason, TrunkTransport};
use sip::{Header, Method};
use stack::{Effect, FlowId, Input};

use crate::bench::{self, TENANT, summary};
use crate::carrier::{ASKS, Carrier, ONE, Town, answered, ended, host, named};

#[test]
fn a_leg_to_a_trunk_is_saved_and_taken_up_at_every_stage() {
    for stage in ["asking", "calling", "ringing", "proven", "up"] {
        let mut town = named();
        let leg = town.dial();
        let mut carrier = None;
        if stage != "asking" {
            town.resolves(&[(1, &[ONE])]);
            let (flow, mut invite) = town.next_sent();
            let c = Carrier::on(flow);
            if stage == "proven" {
                c.answers_with(&mut town, &invite, 401, ASKS);
                let (_, _ack) = town.next_sent();
                invite = town.next_sent().1;
            }
            match stage {
                "ringing" => c.answers(&mut town, &invite, 180),
                "proven" | "up" => c.answers(&mut town, &invite, 200),
                _ => {}
            }
            carrier = Some((c, invite));
        }
        let saved = town.bench.endpoint.save_legs(town.bench.now, TENANT, &[leg]);
        let text = String::from_utf8_lossy(&saved);
        assert!(!text.contains("trunk-secret") && !text.contains("uthorization"), "{stage}");
        let mut next = named();
        next.bench.now.wall = town.bench.now.wall;
        next.bench.endpoint.load_legs(next.bench.now, TENANT, &saved).unwrap();
        next.bench.endpoint.check().unwrap();
        next.bench.input(Input::Tick);
        if stage == "asking" {
            next.resolves(&[(1, &[ONE])]);
            let (flow, invite) = next.next_sent();
            Carrier::on(flow).answers(&mut next, &invite, 486);
            assert_eq!(ended(&mut next), Some((EndReason::Busy, Some(486))));
            next.leaves_nothing();
            continue;
        }
        let (carrier, invite) = carrier.unwrap();
        if stage == "calling" {
            carrier.answers(&mut next, &invite, 200);
            assert!(answered(&next));
            next.bench.look_away();
        }
        next.bench.end(leg, EndReason::Restart);
        let (_, last) = next.next_sent();
        match stage {
            "ringing" => {
                assert_eq!(last.method(), Some(Method::Cancel));
                assert_eq!(last.top_via().unwrap().branch, invite.top_via().unwrap().branch);
                carrier.answers(&mut next, &last, 200);
                carrier.answers(&mut next, &invite, 487);
            }
            "proven" => {
                assert!(last.text(Header::Authorization).unwrap().contains("nc=00000002"));
                carrier.answers(&mut next, &last, 200);
            }
            _ => {
                assert!(summary(&last).starts_with("BYE in dialog"));
                carrier.answers(&mut next, &last, 200);
            }
        }
        next.leaves_nothing();
    }
}

#[test]
fn after_a_restart_the_connection_to_a_trunk_is_made_anew() {
    for rings in [true, false] {
        let mut town = Town::with(vec![host("carrier.example", None)], TrunkTransport::Tls);
        let leg = town.dial();
        town.resolves(&[(1, &[ONE])]);
        town.connects(Some(7));
        let (flow, invite) = town.next_sent();
        Carrier::on(flow).answers(&mut town, &invite, if rings { 180 } else { 200 });
        let saved = town.bench.endpoint.save_legs(town.bench.now, TENANT, &[leg]);
        let config = stack::Config { nonce_key: [8; 32], ..bench::config() };
        let mut next = Town::of(config, vec![host("carrier.example", None)], TrunkTransport::Tls);
        next.bench.endpoint.load_legs(next.bench.now, TENANT, &saved).unwrap();
        next.bench.input(Input::Tick);
        next.bench.end(leg, EndReason::Restart);
        let asked = next.connecting();
        let [Effect::Connect { remote, name, .. }] = asked.as_slice() else {
            panic!("{rings}: {asked:?}")
        };
        assert_eq!((remote.to_string().as_str(), name.as_deref()), (ONE, Some("carrier.example")));
        next.connects(Some(3));
        let (flow, last) = next.next_sent();
        assert_eq!(flow.id, FlowId(3));
        let expected = if rings { Method::Cancel } else { Method::Bye };
        assert_eq!(last.method(), Some(expected));
        Carrier::on(flow).answers(&mut next, &last, 200);
        next.leaves_nothing();
    }
}
