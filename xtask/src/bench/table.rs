//! One line of the table.

use std::fmt;

/// A figure beside its goal.
#[derive(Debug, Clone)]
pub(super) struct Row {
    name: String,
    measured: String,
    goal: String,
    verdict: Option<bool>,
}

impl Row {
    /// A figure that should be at most `goal`.
    pub(super) fn at_most(name: &str, value: f64, goal: f64, unit: &str) -> Row {
        let text = |value: f64| format!("{} {unit}", figure(value));
        let verdict = Some(value <= goal);
        Row {
            name: name.to_owned(),
            measured: text(value),
            goal: format!("<= {}", text(goal)),
            verdict,
        }
    }

    /// A figure that should be at least `goal`.
    pub(super) fn at_least(name: &str, value: f64, goal: f64, unit: &str) -> Row {
        let text = |value: f64| format!("{} {unit}", figure(value));
        let verdict = Some(value >= goal);
        Row {
            name: name.to_owned(),
            measured: text(value),
            goal: format!(">= {}", text(goal)),
            verdict,
        }
    }

    /// Whether its goal is missed.
    pub(super) fn is_missed(&self) -> bool {
        self.verdict == Some(false)
    }

    /// Something to know beside the figures: what the generators cost and lost.
    pub(super) fn note(name: &str, text: String) -> Row {
        Row { name: name.to_owned(), measured: text, goal: String::new(), verdict: None }
    }
}

/// Three digits that say something.
fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.1 => format!("{value:.4}"),
        size if size < 1.0 => format!("{value:.3}"),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { name, measured, goal, verdict } = self;
        match verdict {
            None => write!(f, "  {name:<42} {measured}"),
            Some(met) => {
                let verdict = if *met { "pass" } else { "FAIL" };
                write!(f, "{name:<44} {measured:>14}   {goal:>17}   {verdict}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whether_its_goal_is_met() {
        assert!(Row::at_most("a", 1.0, 2.0, "ms").to_string().ends_with("<= 2.00 ms   pass"));
        assert!(Row::at_most("a", 3.0, 2.0, "ms").to_string().ends_with("FAIL"));
        assert!(Row::at_least("a", 3.0, 2.0, "/s").to_string().ends_with("pass"));
        assert!(Row::at_least("a", 1.0, 2.0, "/s").to_string().ends_with("FAIL"));
    }

    #[test]
    fn figures_have_three_digits() {
        for (value, text) in [(0.05, "0.0500"), (0.25, "0.250"), (7.5, "7.50"), (1234.5, "1234")] {
            assert_eq!(figure(value), text);
        }
    }
}
