//! A script that fails is made shorter as long as it fails in the same way.

use super::{Failure, Script, replay};

/// So many runs are spent on one failure.
const RUNS_MAX: usize = 300;

/// The shortest script that was found to fail in the same way.
pub fn shortened(failure: Failure) -> Failure {
    let kind = kind(&failure.what);
    let mut runs = 0;
    shortened_by(failure, &mut |script| {
        runs += 1;
        if runs > RUNS_MAX {
            return None;
        }
        replay(script).err().filter(|what| self::kind(what) == kind)
    })
}

/// `fails` says what fails in a script, if it is the same.
fn shortened_by(
    mut failure: Failure,
    fails: &mut impl FnMut(&Script) -> Option<String>,
) -> Failure {
    let mut piece = failure.script.steps.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        let before = failure.script.steps.len();
        while at < failure.script.steps.len() {
            let mut script = failure.script.clone();
            let end = (at + piece).min(script.steps.len());
            script.steps.drain(at..end);
            match fails(&script) {
                Some(what) => failure = Failure { script, what },
                None => at += piece,
            }
        }
        // The last round is done again as long as it finds something.
        piece = if piece == 1 && failure.script.steps.len() < before { 1 } else { piece / 2 };
    }
    for at in 0..failure.script.steps.len() {
        let mut script = failure.script.clone();
        let Some(step) = script.steps.get_mut(at).filter(|step| step.wait_ms > 500) else {
            continue;
        };
        step.wait_ms = 500;
        if let Some(what) = fails(&script) {
            failure = Failure { script, what };
        }
    }
    failure
}

/// What two failures of one cause have in common: their words without numbers.
fn kind(what: &str) -> String {
    what.chars().filter(|c| !c.is_ascii_digit()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Step;
    use super::super::act::Act;
    use super::*;

    #[test]
    fn what_has_no_part_in_a_failure_is_left_out() {
        let step = |n| Step { act: Act::Kill(n), wait_ms: 4_000 };
        let script = Script { seed: 1, steps: (0..40).map(step).collect() };
        let needs = [Act::Kill(3), Act::Kill(17), Act::Kill(39)];
        let mut fails = |script: &Script| {
            let has = |act: &Act| script.steps.iter().any(|step| step.act == *act);
            needs.iter().all(has).then(|| "broken".to_owned())
        };
        let whole = Failure { script, what: "broken at 7".to_owned() };
        let short = shortened_by(whole, &mut fails);
        assert_eq!(
            short.script.steps.iter().map(|s| &s.act).collect::<Vec<_>>(),
            [&needs[0], &needs[1], &needs[2]]
        );
        assert!(short.script.steps.iter().all(|s| s.wait_ms == 500));
    }

    #[test]
    fn failures_of_one_kind_differ_in_numbers_only() {
        assert_eq!(kind("seed 7: leg out12 has no owner"), kind("seed 8: leg out3 has no owner"));
        assert_ne!(kind("seed 7: leg out12 has no owner"), kind("seed 7: leg out12 is lost"));
    }
}
