//! What tells two documents of control groups apart, in short: for the audit.

use std::collections::BTreeMap;

use super::groups::{ControlGroups, Names};
use crate::limits::CONTROL_CHANGES_CHARS_MAX;

impl ControlGroups {
    /// What is another in `newer`, one line: `pickup_all: true to false; groups: +hr ~sales -it`
    /// (added, with other members, removed). `nothing` when they are the same.
    pub fn changes(&self, newer: &ControlGroups) -> String {
        let mut found = Vec::new();
        let flags = [
            ("allow_all", self.allow_all, newer.allow_all, false),
            ("pickup_all", self.pickup_all, newer.pickup_all, true),
        ];
        for (field, old, new, default) in flags {
            let (old, new) = (old.unwrap_or(default), new.unwrap_or(default));
            if old != new {
                found.push(format!("{field}: {old} to {new}"));
            }
        }
        let lists = |of: &ControlGroups| of.groups.clone().unwrap_or_default();
        found.extend(named("groups", &lists(self), &lists(newer)));
        for (field, old, new) in [
            ("pickup_share_groups", &self.pickup_share_groups, &newer.pickup_share_groups),
            ("phone_replace_groups", &self.phone_replace_groups, &newer.phone_replace_groups),
        ] {
            let one = |names: &Option<Names>| -> Vec<(Box<str>, Names)> {
                names.iter().flatten().map(|name| (name.clone(), Names::new())).collect()
            };
            found.extend(named(field, &one(old), &one(new)));
        }
        found.extend(named("eavesdrop", &self.eavesdrop, &newer.eavesdrop));
        found.extend(named("whisper", &self.whisper, &newer.whisper));
        if found.is_empty() {
            return "nothing".to_owned();
        }
        shortened(found.join("; "))
    }
}

/// Which names came, which went, and which have other contents.
fn named(field: &str, old: &[(Box<str>, Names)], new: &[(Box<str>, Names)]) -> Option<String> {
    let by_name = |lists: &[(Box<str>, Names)]| -> BTreeMap<Box<str>, Names> {
        let in_order = |names: &Names| {
            let mut names = names.clone();
            names.sort();
            names.dedup();
            names
        };
        lists.iter().map(|(name, names)| (name.clone(), in_order(names))).collect()
    };
    let (old, new) = (by_name(old), by_name(new));
    let mut text = format!("{field}:");
    for (name, names) in &new {
        match old.get(name) {
            None => text.extend([" +", name]),
            Some(before) if before != names => text.extend([" ~", name]),
            Some(_) => {}
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        text.extend([" -", name]);
    }
    (text.len() > field.len() + 1).then_some(text)
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(CONTROL_CHANGES_CHARS_MAX) {
        None => text,
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Names {
        text.split_whitespace().map(Into::into).collect()
    }

    #[test]
    fn each_kind_of_change_is_told() {
        let old = ControlGroups {
            groups: Some(vec![("a".into(), names("100 101")), ("b".into(), names("102"))]),
            pickup_share_groups: Some(names("a b")),
            eavesdrop: vec![("100".into(), names("a"))],
            ..ControlGroups::default()
        };
        let new = ControlGroups {
            allow_all: Some(true),
            pickup_all: Some(false),
            groups: Some(vec![("c".into(), names("")), ("a".into(), names("101"))]),
            pickup_share_groups: Some(names("a")),
            phone_replace_groups: Some(names("c")),
            eavesdrop: vec![("100".into(), names("a c"))],
            whisper: vec![("101".into(), names("a"))],
        };
        let expected = "allow_all: false to true; pickup_all: true to false; groups: ~a +c -b; \
            pickup_share_groups: -b; phone_replace_groups: +c; eavesdrop: ~100; whisper: +101";
        assert_eq!(old.changes(&new), expected);
    }

    #[test]
    fn what_means_the_same_is_no_change() {
        let old = ControlGroups {
            groups: Some(vec![("a".into(), names("100 101")), ("b".into(), names("102"))]),
            ..ControlGroups::default()
        };
        let new = ControlGroups {
            allow_all: Some(false),
            pickup_all: Some(true),
            groups: Some(vec![("b".into(), names("102")), ("a".into(), names("101 100 101"))]),
            pickup_share_groups: Some(names("")),
            ..ControlGroups::default()
        };
        assert_eq!(old.changes(&new), "nothing");
    }

    #[test]
    fn a_long_list_of_changes_is_cut() {
        let many = (0..100).map(|n| (format!("группа {n}").into(), Names::new())).collect();
        let new = ControlGroups { groups: Some(many), ..ControlGroups::default() };
        let text = ControlGroups::default().changes(&new);
        assert_eq!(text.chars().count(), CONTROL_CHANGES_CHARS_MAX + 3);
        assert!(text.ends_with("..."), "{text}");
    }
}
