//! Two shards: what one reads, the other may have to handle.

use testkit::{Device, Outcome, Readers, Settings, Sim, Ways, millis, secs};

/// A customer that lives on another shard than the one that reads everything.
fn elsewhere(seed: u64) -> (Sim, u64) {
    let sim = |reader| {
        Sim::with(Settings {
            seed,
            shards: 2,
            companies: 4,
            readers: Readers::Only(reader),
            ..Settings::default()
        })
    };
    let home = sim(0).shard_of(0);
    (sim(1 - home), 0)
}

#[test]
fn a_call_read_by_another_shard_goes_as_any_other() {
    let (sim, company) = elsewhere(15);
    let ann = sim.device(Device::of("100").of_company(company));
    let bob = sim.device(Device::of("101").of_company(company));
    ann.dials("101");
    sim.run_for(secs(1));
    bob.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
    bob.hangs_up();
    sim.run_for(secs(1));
    assert!(ann.is_idle());
    assert!(sim.counters().iter().map(|c| c.handed_over).sum::<u64>() > 5);
    sim.assert_nothing_left();
}

#[test]
fn a_cancel_read_by_another_shard_finds_its_call_at_any_moment() {
    for ms in 0..120 {
        let (sim, _) = elsewhere(15);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        ann.dials("101");
        sim.run_for(millis(ms));
        ann.hangs_up();
        sim.run_for(secs(2));
        assert_eq!(ann.outcome(), Some(Outcome::GaveUp), "{ms}");
        assert!(bob.is_idle(), "{ms}: {:?}", bob.state());
        sim.assert_nothing_left();
    }
}

#[test]
fn a_bad_network_between_two_shards_changes_no_outcome() {
    for seed in 0..60 {
        let (sim, _) = elsewhere(seed);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        sim.set_ways(Ways::losing(20));
        bob.answers_after(millis(700));
        ann.dials("101");
        assert!(sim.run_while(secs(40), || !sim.are_talking(&ann, &bob)), "seed {seed}");
        ann.hangs_up();
        sim.assert_nothing_left();
    }
}

#[test]
fn customers_on_two_shards_do_not_meet() {
    let sim = Sim::with(Settings { seed: 15, shards: 2, companies: 4, ..Settings::default() });
    let mut pairs = Vec::new();
    for company in 0..4 {
        let ann = sim.device(Device::of("100").of_company(company));
        let bob = sim.device(Device::of("101").of_company(company));
        bob.answers_after(secs(0));
        ann.dials("101");
        pairs.push((ann, bob));
    }
    sim.run_for(secs(2));
    let shards: std::collections::BTreeSet<_> = (0..4).map(|c| sim.shard_of(c)).collect();
    assert_eq!(shards.len(), 2);
    for (ann, bob) in &pairs {
        sim.assert_talking(ann, bob);
        ann.hangs_up();
    }
    sim.assert_nothing_left();
}

#[test]
fn a_kill_of_two_shards_is_survived_by_both() {
    for kills in (0..60).step_by(3) {
        let (sim, _) = elsewhere(15);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        bob.answers_after(millis(200));
        sim.kill_after(kills);
        ann.dials("101");
        sim.run_for(secs(3));
        ann.hangs_up();
        sim.is_kill_pending();
        sim.run_for(secs(40));
        sim.assert_nothing_left();
    }
}
