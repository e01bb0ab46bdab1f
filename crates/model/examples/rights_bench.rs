//! What a check of call control groups costs:
//! `cargo run --release -p model --example rights_bench`.
//!
//! 100 groups of 200 extensions each, 20,000 extensions in all; actors, targets and actions are
//! drawn at random beforehand, so that every look-up goes somewhere else.

use std::hint::black_box;
use std::time::Instant;

use model::{Chance, ControlAction, ControlGroups, ExtensionId, PickupMerge, Rights};

const GROUPS: u64 = 100;
const MEMBERS: u64 = 200;
const CHECKS: usize = 1 << 16;
const ROUNDS: u32 = 100;

fn main() {
    let rights = Rights::compile(document(), PickupMerge::Chain, |name| {
        name.parse().ok().map(|n: u64| ExtensionId(100_000 + n))
    });
    let actions = ["group_pickup", "pickup", "eavesdrop", "whisper", "conference", "replace"];
    let actions = actions.map(|word| ControlAction::parse(word).expect("a word of the API"));
    let mut chance = Chance::from_number(1);
    let mut below = |n: u64| chance.below(n);
    let checks: Vec<_> = (0..CHECKS)
        .map(|n| {
            let who = ExtensionId(100_000 + below(GROUPS * MEMBERS));
            (who, actions[n % actions.len()], ExtensionId(100_000 + below(GROUPS * MEMBERS)))
        })
        .collect();
    let mut allowed = 0usize;
    let mut all = || {
        for (actor, action, target) in &checks {
            allowed += usize::from(black_box(&rights).may(*actor, *action, *target).is_allowed);
        }
    };
    let allocations = allocation_counter::measure(&mut all).count_total;
    let start = Instant::now();
    (0..ROUNDS).for_each(|_| all());
    let ns = start.elapsed().as_nanos() as f64 / f64::from(ROUNDS) / CHECKS as f64;
    let share = allowed * 100 / CHECKS / (ROUNDS as usize + 1);
    println!("{ns:.1} ns a check, {allocations} allocations, {share} % allowed");
}

fn document() -> ControlGroups {
    let name = |n: u64| n.to_string().into_boxed_str();
    let members = |group: u64| (0..MEMBERS).map(|n| name(group + n * GROUPS)).collect();
    let all: Vec<_> = (0..GROUPS).map(name).collect();
    ControlGroups {
        pickup_all: Some(false),
        groups: Some((0..GROUPS).map(|group| (name(group), members(group))).collect()),
        pickup_share_groups: Some(all.clone()),
        phone_replace_groups: Some(all.clone()),
        eavesdrop: (0..1_000).map(|n| (name(n), all.clone())).collect(),
        whisper: (500..1_500).map(|n| (name(n), all.clone())).collect(),
        ..ControlGroups::default()
    }
}
