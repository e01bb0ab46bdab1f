//! Twenty phones of two customers, programs and operators who do whatever comes to their minds.
//!
//! `cargo xtask sim --seeds N` runs more of them.

use testkit::driver;

/// Seeds of a test run; `SIM_SEEDS` and `SIM_FROM` ask for others.
const SEEDS: u64 = 2_000;

const THREADS: u64 = 2;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn whatever_phones_programs_and_operators_do_everything_adds_up() {
    let (from, count) = (number("SIM_FROM", 0), number("SIM_SEEDS", SEEDS));
    let (summary, failures) = driver::many(from, count, THREADS);
    let shown: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", shown.join("\n"));
    println!("{summary:?}");
    assert!(summary.events > count * 20, "{summary:?}");
    // Of so many seeds each kind of comparison and each kind of trouble is among them.
    if count >= 100 {
        assert!(summary.lamps > count * 10 && summary.heard > count / 10, "{summary:?}");
        assert!(summary.defects > count / 100, "{summary:?}");
    }
}

/// Seeds beyond those of CI that have found something.
const FOUND: [u64; 2] = [
    // Who was given back, and then rung through to somebody else, was not shown that one.
    8_964,
    // A phone whose cable came out between a NOTIFY and the answer to its SUBSCRIBE forgot both.
    3_175,
];

#[test]
fn seeds_that_have_found_something_find_it_no_more() {
    for seed in FOUND {
        let run = driver::run(seed);
        assert!(run.is_ok(), "{}", run.unwrap_err());
    }
}

#[test]
fn the_same_seed_gives_the_same_run_byte_for_byte() {
    for seed in [0, 1, 3, 6, 7, 11] {
        let (first, second) = (driver::trace(seed), driver::trace(seed));
        let differs = first.lines().zip(second.lines()).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert!(first == second && first.len() > 100_000, "seed {seed}");
    }
}
