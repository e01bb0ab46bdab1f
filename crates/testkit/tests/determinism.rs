//! The same seed gives the same run, to the byte.

use testkit::{Hold, Settings, Sim, Ways, millis, secs};

fn run(seed: u64) -> (String, u64) {
    let settings =
        Settings { seed, shards: 2, companies: 2, keeps_trace: true, ..Default::default() };
    let sim = Sim::with(settings);
    let (ann, bob, desk) = (sim.phone("100"), sim.phone("101"), sim.phone("101"));
    sim.set_ways(Ways::losing(20));
    bob.answers_after(millis(800));
    desk.answers_after(millis(900));
    ann.dials("101");
    sim.run_for(secs(5));
    ann.presses("12");
    ann.holds(Hold::SendOnly);
    sim.run_for(secs(3));
    sim.kill();
    sim.run_for(secs(5));
    ann.dials("199");
    sim.run_for(secs(3));
    ann.hangs_up();
    sim.assert_nothing_left();
    (sim.trace(), sim.trace_hash())
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for seed in 0..10 {
        let (first, second) = (run(seed), run(seed));
        assert_eq!(first.1, second.1, "seed {seed}");
        let differs = first.0.lines().zip(second.0.lines()).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert!(first.0 == second.0 && first.0.len() > 100_000, "seed {seed}");
    }
}

#[test]
fn another_seed_gives_another_trace() {
    assert_ne!(run(1).1, run(2).1);
}
