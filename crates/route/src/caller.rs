//! The caller as rules see it: hidden or not, and the forms of the number that patterns are
//! matched against (API reference, decision 17).

use smallvec::SmallVec;

use crate::e164::Country;

/// Who calls, computed once a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    forms: SmallVec<[Box<str>; 3]>,
    hidden: bool,
}

impl Caller {
    /// A caller whose number is hidden or not there: no pattern matches it.
    pub fn hidden() -> Caller {
        Caller { forms: SmallVec::new(), hidden: true }
    }

    /// A caller of the same tenant or domain: `0003*100`, and `100` inside of the tenant.
    pub fn internal(prefix: &str, name: &str, same_tenant: bool) -> Caller {
        let mut forms = SmallVec::new();
        forms.push(format!("{prefix}*{name}").into());
        if same_tenant {
            forms.push(name.into());
        }
        Caller { forms, hidden: false }
    }

    /// A caller from the outside: the number as received, and in E.164 with and without `+` as the
    /// country of the trunk reads it.
    pub fn external(number: &str, country: Option<Country>) -> Caller {
        if is_anonymous(number) {
            return Caller::hidden();
        }
        let mut forms: SmallVec<[Box<str>; 3]> = SmallVec::new();
        forms.push(number.into());
        let digits = crate::e164::digits(number, country);
        for form in digits.iter().flat_map(|d| [d.clone(), format!("+{d}")]) {
            if !forms.iter().any(|f| **f == *form) {
                forms.push(form.into());
            }
        }
        Caller { forms, hidden: false }
    }

    /// Whether the number is hidden.
    pub fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// The forms of the number; none when it is hidden.
    pub fn forms(&self) -> impl Iterator<Item = &str> {
        self.forms.iter().map(|form| &**form)
    }
}

/// Whether a user part or a display name stands for nobody.
pub fn is_anonymous(text: &str) -> bool {
    let words = ["", "anonymous", "restricted", "unavailable", "unknown"];
    words.iter().any(|word| text.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_matched_in_each_of_its_forms() {
        let russia = Country::of("RU");
        let table = [
            ("+78121234567", vec!["+78121234567", "78121234567"]),
            ("78121234567", vec!["78121234567", "+78121234567"]),
            ("88121234567", vec!["88121234567", "78121234567", "+78121234567"]),
            ("8121234567", vec!["8121234567", "78121234567", "+78121234567"]),
            ("112", vec!["112"]),
            ("alice", vec!["alice"]),
        ];
        for (number, expected) in table {
            let caller = Caller::external(number, russia);
            assert_eq!(caller.forms().collect::<Vec<_>>(), expected, "{number}");
            assert!(!caller.is_hidden());
        }
    }

    #[test]
    fn who_hides_has_no_form() {
        for number in ["", "anonymous", "Anonymous", "RESTRICTED", "unavailable", "unknown", " "] {
            let caller = Caller::external(number, None);
            assert!(caller.is_hidden() && caller.forms().next().is_none(), "{number}");
        }
    }
}
