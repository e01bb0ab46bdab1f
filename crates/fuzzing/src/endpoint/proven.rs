//! INVITEs of a phone that proves itself, whatever else is wrong with them.

use leg::LegCommand;
use model::EndReason;

use super::phones;
use super::world::World;
use crate::Choices;
use crate::protos::Case;

/// What stands in a case for the header line that proves it.
pub const PROOF: &str = "@PROOF@\r\n";

/// Cases of one endpoint; then a new one begins.
const CASES_PER_WORLD: usize = 200;

/// Sends all cases with a proof that is right. After each an OPTIONS is answered, and in the end
/// nothing is left. How many became calls.
pub fn proven(cases: &[Case]) -> usize {
    let mut calls = 0;
    for some in cases.chunks(CASES_PER_WORLD) {
        let mut world = World::new(1);
        phones::registers(&mut world, &mut Choices::new(&[0, 0]));
        for case in some {
            let party = &mut world.parties[0];
            let flow = party.flow;
            let uri = "sip:101@pbx.example:5060;user=phone";
            let proof = party.proof("INVITE", uri, party.login).unwrap_or_default();
            // A transaction and a call of its own.
            let name = world.name("case");
            let mut bytes = replaced(&case.bytes, PROOF, &format!("{proof}\r\n"));
            bytes = replaced(&bytes, "branch=z9hG4bK00003", &format!("branch=z9hG4bK{name}"));
            bytes = replaced(&bytes, "Call-ID: 1@", &format!("Call-ID: {name}@"));
            world.receive(flow, bytes);
            answers_options(&mut world, &case.name);
            let alive: Vec<_> = world.ledger.alive().collect();
            calls += alive.len();
            for (tenant, leg) in alive {
                let reason = EndReason::Busy;
                world.command(tenant, leg, LegCommand::End { reason, retry_after_s: None });
            }
        }
        world.finish();
    }
    calls
}

/// The bytes with the first of these texts replaced, if it is there.
fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    let old = old.as_bytes();
    match bytes.windows(old.len()).position(|w| w == old) {
        Some(at) => [&bytes[..at], new.as_bytes(), &bytes[at + old.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

fn answers_options(world: &mut World, after: &str) {
    let name = world.name("options");
    let text = format!(
        "OPTIONS sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK{name}\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:192.0.2.1>\r\nCall-ID: {name}\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    let eve = world.parties[2].flow;
    world.replies.clear();
    world.receive(eve, text.into_bytes());
    let status = world.replies.back().and_then(|(_, reply)| reply.status());
    assert_eq!(status, Some(200), "OPTIONS after {after}");
}
