//! What must hold after every input. Always checked in the simulator, counted in production.

use crate::exchange::Exchange;
use crate::ports::PortSlice;
use crate::step::Step;

/// Finds the first thing that does not add up.
pub fn check(exchange: &Exchange, ports: &PortSlice) -> Result<(), String> {
    let tables = exchange.tables();
    let tenant = exchange.tenant();
    let (mut legs, mut parts, mut timers, mut conversations) = (0, 0, 0, 0);
    let mut parked = 0;
    for call in exchange.calls() {
        let at = call.id;
        for (id, step) in call.steps.iter() {
            let Step::Parked(waits) = step else { continue };
            parked += 1;
            let holder = tables.slots.holder(waits.slot);
            if holder.is_none_or(|h| (h.call, h.step, h.by) != (at, id, waits.by)) {
                return Err(format!("{at}: slot {} is not its own", waits.slot));
            }
        }
        for leg in call.legs.values() {
            legs += 1;
            if tables.legs.get(&leg.id) != Some(&at) {
                return Err(format!("{at}: leg {} is not in the table", leg.id));
            }
            if call.steps.get(leg.owner).is_none() {
                return Err(format!("{at}: leg {} has no owner", leg.id));
            }
            let Some(branch) = call.branches.get(leg.branch) else {
                return Err(format!("{at}: leg {} has no branch", leg.id));
            };
            if call.conversation_of(branch).is_none() {
                return Err(format!("{at}: leg {} is of no conversation", leg.id));
            }
            if leg.port != 0 && ports.taken().get(&leg.port) != Some(&(tenant, at)) {
                return Err(format!("{at}: port {} of leg {} is not its own", leg.port, leg.id));
            }
        }
        for (moment, step, timer) in &call.timers {
            timers += 1;
            if !tables.timers.contains(&(*moment, at, *step, *timer)) {
                return Err(format!("{at}: timer {timer:?} is not in the table"));
            }
            if call.steps.get(*step).is_none() {
                return Err(format!("{at}: timer {timer:?} has no step"));
            }
        }
        if call.steps.is_empty() {
            return Err(format!("{at}: nothing goes on in it"));
        }
        for step in call.steps.values() {
            let Step::Talking(talking) = step else { continue };
            let part = |leg| call.branches.get(call.legs.get(leg)?.branch);
            let is_nobodys = |leg| part(leg).is_some_and(|branch| branch.extension.is_none());
            if is_nobodys(talking.a) && is_nobodys(talking.b) {
                return Err(format!("{at}: {} and {} are nobody's", talking.a, talking.b));
            }
        }
        for of in call.conversations.values() {
            conversations += 1;
            if tables.uuids.get(&of.api_id.uuid) != Some(&at) {
                return Err(format!("{at}: the UUID of {:?} is not in the table", of.id));
            }
            let is_needed = call.steps.values().any(|s| s.needs(of.id));
            if !is_needed && call.branches_under(call.root(of.id)).next().is_none() {
                return Err(format!("{at}: nobody takes part in {:?}", of.id));
            }
        }
        for branch in call.branches.values() {
            let is_kept = call.steps.values().any(|s| s.has_branch(branch.id));
            let root = call.root(branch.conversation);
            if !is_kept && !call.legs.keys().any(|leg| call.root_of_leg(leg) == Some(root)) {
                return Err(format!("{at}: {:?} is nobody's", branch.id));
            }
        }
        parts += call.branches.values().filter(|b| b.extension.is_some()).count();
    }
    lamps_are_right(exchange)?;
    let ours = ports.taken().values().filter(|(t, _)| *t == tenant).count();
    let with_port = exchange.calls().flat_map(|c| c.legs.values()).filter(|l| l.port != 0).count();
    let pairs = [
        ("legs", legs, tables.legs.len()),
        ("parts", parts, tables.parts_total()),
        ("timers", timers, tables.timers.len()),
        ("slots", parked, tables.slots.iter().count()),
        ("calls", exchange.calls().count(), tables.calls),
        ("UUIDs", conversations, tables.uuids.len()),
        ("ports", with_port, ours),
    ];
    let lines = || exchange.calls().flat_map(|c| c.legs.values()).filter_map(|l| l.line);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (channels, paid) =
        (count(lines().count()), count(lines().filter(|l| l.by.is_some()).count()));
    if tables.outside.totals() != (channels, paid, paid) {
        let totals = tables.outside.totals();
        return Err(format!("outside: {channels}, {paid} in calls, {totals:?} in the table"));
    }
    match pairs.into_iter().find(|(_, a, b)| a != b) {
        Some((what, a, b)) => Err(format!("{what}: {a} in calls, {b} in the table")),
        None => ports.check(),
    }
}

/// Each lamp shows what is so now.
fn lamps_are_right(exchange: &Exchange) -> Result<(), String> {
    for (resource, watchers, shown) in exchange.tables().lamps.iter() {
        if *shown != exchange.lamp(resource) {
            return Err(format!("{resource:?} is not as {watchers} are shown: {shown:?}"));
        }
    }
    Ok(())
}
