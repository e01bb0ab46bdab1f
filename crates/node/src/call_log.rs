//! One log line for each leg that has ended, from its record.

use leg::{CdrFlow, CdrLeg, Record};
use tracing::info;

use crate::journal::Step;

/// How numbers of people appear in logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoggedNumbers {
    /// Cut to their ends, unless they are as short as an extension's.
    #[default]
    Shortened,
    /// Whole.
    Whole,
}

impl LoggedNumbers {
    /// Says which calls have ended.
    pub(crate) fn log_ends(self, steps: &[Step]) {
        for (_, records) in steps {
            for record in records {
                if let Record::Cdr(leg) = record {
                    self.log_end(leg);
                }
            }
        }
    }

    fn log_end(self, leg: &CdrLeg) {
        let flow = match leg.flow {
            CdrFlow::In => "in",
            CdrFlow::Out => "out",
            CdrFlow::Transfer => "transfer",
        };
        info!(
            tenant = leg.tenant.0,
            call = %leg.call.hex(),
            extension = leg.extension.0,
            flow,
            from = %self.show(&leg.from.0),
            to = %self.show(&leg.to.0),
            reason = leg.reason.label(),
            status = leg.status,
            talk_ms = leg.talk_us / 1_000,
            "call ended"
        );
    }

    /// A number as a log may show it.
    fn show(self, number: &str) -> String {
        let length = number.chars().count();
        if self == LoggedNumbers::Whole || length <= model::limits::EXTENSION_NAME_DIGITS_MAX {
            return number.to_owned();
        }
        let head: String = number.chars().take(2).collect();
        let tail: String = number.chars().skip(length - 2).collect();
        format!("{head}..{tail}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_numbers_are_shortened_unless_asked_for() {
        for (number, shown) in
            [("100", "100"), ("1000", "1000"), ("+4930123456", "+4..56"), ("ééééé", "éé..éé")]
        {
            assert_eq!(LoggedNumbers::Shortened.show(number), shown);
            assert_eq!(LoggedNumbers::Whole.show(number), number);
        }
    }
}
