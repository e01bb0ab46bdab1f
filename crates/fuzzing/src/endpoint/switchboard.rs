//! What the exchange, the process and the network do.

use core::time::Duration;
use std::sync::Arc;

use leg::{
    Dial, Direction, Format, Identity, LampCommand, LampEvent, LampState, LegCommand, LegId,
    Session, Target,
};
use model::{
    Codec, DeviceId, Digit, DisplayName, EndReason, ExtensionId, Number, TenantId, TrunkId,
};
use stack::{Answer, ConnectId, Endpoint, Input, LookupId};

use super::world::{OTHER, TENANT, World, config};
use crate::Choices;

/// A command for one of the legs, whatever its state.
pub(super) fn commands(world: &mut World, choices: &mut Choices<'_>) {
    // Mostly the newest that live; sometimes one that is over.
    let mut legs: Vec<_> = world.ledger.alive().collect();
    if legs.is_empty() || choices.one_in(16) {
        legs = world.ledger.all().collect();
    }
    let back = choices.below(legs.len().min(4));
    let Some((tenant, leg)) = legs.iter().rev().nth(back).copied() else { return };
    let session = Box::new(session(choices));
    let refer = world.refer;
    let command = match choices.below(21) {
        0 | 1 => LegCommand::Ring { early: None },
        2 => LegCommand::Ring { early: Some(session) },
        3..=6 => LegCommand::Answer(session),
        7 | 8 => LegCommand::Offer(session),
        9..=11 => LegCommand::AnswerOffer(session),
        12 => LegCommand::RejectOffer { status: choices.of(&[488, 500]) },
        13 => LegCommand::Info(Digit::from_event(5).unwrap_or_else(|| unreachable!())),
        14 | 15 => LegCommand::ReferAccepted { refer },
        16 => LegCommand::ReferRefused { refer, status: choices.of(&[200, 403, 603]) },
        17 => LegCommand::ReferProgress { refer, status: choices.of(&[99, 180, 200, 486]) },
        18 => LegCommand::Identify(Box::new(Identity::anonymous())),
        _ => LegCommand::End {
            reason: choices.of(&EndReason::ALL),
            retry_after_s: choices.one_in(4).then_some(5),
        },
    };
    world.command(tenant, leg, command);
}

fn session(choices: &mut Choices<'_>) -> Session {
    let format = |codec: Codec| Format { payload_type: codec.payload_type(), codec };
    let mut formats: Vec<_> = vec![format(Codec::Pcma), format(Codec::Pcmu)];
    formats.truncate(choices.of(&[1, 1, 2, 0]));
    Session {
        address: None,
        port: choices.of(&[10_000, 10_000, 10_002, 0]),
        rtcp_port: None,
        rtcp_mux: false,
        formats: formats.into_iter().collect(),
        digits: choices.one_in(2).then_some(101),
        direction: choices.of(&[
            Direction::SendRecv,
            Direction::SendRecv,
            Direction::SendOnly,
            Direction::RecvOnly,
            Direction::Inactive,
        ]),
        ptime_ms: None,
    }
}

/// A new leg to a device, to one that is not there, or to a trunk.
pub(super) fn dials(world: &mut World, choices: &mut Choices<'_>) {
    let known = world.devices.len();
    let (tenant, extension, device) = match choices.below(known + 1) {
        at if at < known => world.devices[at],
        _ => (TENANT, ExtensionId(100_001), DeviceId(77)),
    };
    let target = match choices.below(12) {
        0..=2 => match Number::parse("12015550123") {
            Ok(number) => Target::Trunk { trunk: TrunkId(choices.of(&[1, 1, 2, 3, 9])), number },
            Err(_) => return,
        },
        _ => Target::Device { extension, device },
    };
    let identity = match (choices.one_in(4), Number::parse("100")) {
        (false, Ok(number)) => Identity::of(number, DisplayName::default()),
        _ => Identity::anonymous(),
    };
    let mut offer = session(choices);
    offer.port = 20_000;
    let leg = LegId::outgoing(world.next_leg);
    world.next_leg += 1;
    let (offer, diversion) = (Box::new(offer), None);
    let auto_answer = false;
    let dial = Dial { target, identity, offer, max_forwards: 69, diversion, auto_answer };
    world.command(tenant, leg, LegCommand::Dial(Box::new(dial)));
}

/// The exchange answers a subscription, or shows something.
pub(super) fn lights(world: &mut World, choices: &mut Choices<'_>) {
    let state = match choices.below(3) {
        0 => LampState::Messages { new: u32::from(choices.byte()), old: 0 },
        _ => LampState::Dialogs(Vec::new()),
    };
    let Ok(resource) = Number::parse("101") else { return };
    let last = world.lamps.last().cloned();
    let (tenant, command) = match (choices.below(6), last) {
        (0..=2, Some((tenant, LampEvent::Asked { id, .. }))) => {
            (tenant, LampCommand::Grant { id, resource, state })
        }
        (3, Some((tenant, LampEvent::Asked { id, .. }))) => {
            (tenant, LampCommand::Refuse { id, status: 403 })
        }
        (4, _) => (TENANT, LampCommand::Gone { package: state.package(), resource }),
        _ => (TENANT, LampCommand::Show { resource, state }),
    };
    world.input(Input::Lamp { tenant, command });
}

/// Time passes: to the next deadline, or for a while.
pub(super) fn waits(world: &mut World, choices: &mut Choices<'_>) {
    let ms = choices
        .of(&[0, 1, 10, 100, 499, 500, 1_000, 4_000, 5_000, 10_000, 32_000, 61_000, 120_000]);
    let until = world.endpoint.deadline().map(|at| at.since(world.now.mono));
    let time = Duration::from_millis(ms);
    world.run_for(if ms == 0 { until.unwrap_or(time) } else { time });
}

/// A name or a connection that was asked for is there, or not.
pub(super) fn finds(world: &mut World, choices: &mut Choices<'_>) {
    world.reply_to_oldest(choices.below(6));
}

/// A connection breaks.
pub(super) fn closes_a_flow(world: &mut World, choices: &mut Choices<'_>) {
    if let Some(id) = world.trunk_flows.pop() {
        return world.close(id);
    }
    let party = choices.below(world.parties.len());
    let flow = world.parties[party].flow;
    if flow.transport.is_reliable() {
        world.close(flow.id);
    }
}

/// The process dies and another takes up what was written down.
pub(super) fn restarts(world: &mut World, choices: &mut Choices<'_>) {
    world.run = world.run.wrapping_add(1);
    let chance = world.chance(choices);
    let mut next = Endpoint::new(config(world.run), chance);
    let mut saved = Vec::new();
    for tenant in [TENANT, OTHER] {
        let legs = legs_of(world, tenant);
        saved.push((tenant, world.endpoint.save_legs(world.now, tenant, &legs)));
    }
    world.now = world.now + Duration::from_millis(u64::from(choices.byte()) * 200);
    world.connections_are_gone();
    let directory = Arc::clone(&world.directory);
    next.handle(world.now, Input::Directory(directory), &mut Vec::new());
    for (tenant, saved) in &saved {
        let loaded = next.load_legs(world.now, *tenant, saved);
        assert!(loaded.is_ok(), "what was saved loads: {loaded:?}");
    }
    // Those that only wait for the end of their BYE may be lost.
    let alive = world.ledger.alive().count();
    assert!(next.counts().dialogs >= alive, "all legs are there again");
    world.replace(next);
    for tenant in [TENANT, OTHER] {
        let kept = world.bindings.iter().filter(|((of, _, _), _)| *of == tenant);
        let bindings = kept.map(|(_, change)| change.clone()).collect();
        world.input(Input::Bindings { tenant, bindings });
    }
    world.input(Input::Tick);
}

/// A tenant moves to another shard of the same process, with its connections.
pub(super) fn moves(world: &mut World, choices: &mut Choices<'_>) {
    let chance = world.chance(choices);
    let mut next = Endpoint::new(config(world.run), chance);
    let directory = Arc::clone(&world.directory);
    next.handle(world.now, Input::Directory(directory), &mut Vec::new());
    let counts = world.endpoint.counts();
    for tenant in [TENANT, OTHER] {
        let exported = world.endpoint.export(world.now, tenant);
        let imported = next.import(world.now, tenant, &exported);
        assert!(imported.is_ok(), "what was exported is imported: {imported:?}");
    }
    assert_eq!(next.counts().dialogs, counts.dialogs, "all legs are there again");
    let mut old = world.replace(next);
    if let Err(broken) = old.check() {
        panic!("what is left behind does not add up: {broken}");
    }
    // What is on its way is still repeated there, and then nothing is left.
    let mut now = world.now;
    for _ in 0..2_000 {
        let Some(at) = old.deadline() else { break };
        now = now + at.since(now.mono);
        old.handle(now, Input::Tick, &mut Vec::new());
    }
    let left = old.counts();
    assert_eq!((left.transactions, left.dialogs, left.bindings, left.timers), (0, 0, 0, 0));
    assert_eq!(left.panics, 0, "a panic was caught");
    world.input(Input::Tick);
}

fn legs_of(world: &World, tenant: TenantId) -> Vec<LegId> {
    world.ledger.all().filter(|(of, _)| *of == tenant).map(|(_, leg)| leg).collect()
}

/// What seldom happens.
pub(super) fn is_odd(world: &mut World, choices: &mut Choices<'_>) {
    match choices.below(8) {
        0 => world.input(Input::Drain),
        1 | 2 => world.input(Input::Open),
        3 => {
            let lookup = LookupId(u64::from(choices.byte()));
            world.input(Input::Resolved { lookup, answer: Answer::Nowhere });
        }
        4 => {
            let connect = ConnectId(u64::from(choices.byte()));
            world.input(Input::Connected { connect, flow: None });
        }
        5 => {
            let Some((tenant, leg)) = world.ledger.alive().last() else { return };
            world.endpoint.forget(tenant, leg);
            world.ledger.lose(tenant, &others(world, tenant, leg));
            world.input(Input::Tick);
        }
        6 => {
            // A login is taken away.
            let mut directory = (*world.directory).clone();
            directory.logins.retain(|login, _| login.as_str() != "bob");
            world.directory = Arc::new(directory);
            world.input(Input::Directory(Arc::clone(&world.directory)));
        }
        _ => world.now.wall = model::Wall(world.now.wall.0.wrapping_sub(3_600_000_000)),
    }
}

fn others(world: &World, tenant: TenantId, leg: LegId) -> Vec<LegId> {
    legs_of(world, tenant).into_iter().filter(|other| *other != leg).collect()
}
