//! Rights: the control groups compiled into bit sets. One look-up for each of the two extensions
//! and a few bit operations decide.

use std::collections::BTreeMap;

use super::groups::ControlGroups;
use super::table::Table;
use crate::ids::ExtensionId;
use crate::settings::PickupMerge;

/// What somebody wants to do to another's call from a telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlAction {
    /// Take a ringing call without naming its extension.
    GroupPickup,
    /// Take the ringing call of an extension that was named.
    Pickup,
    /// Hear both sides of a call.
    Eavesdrop,
    /// Hear both sides and be heard by the extension.
    Whisper,
    /// Hear both sides and be heard by both.
    Conference,
    /// Have one's phone serve the other extension; its PIN is asked besides.
    Replace,
}

impl ControlAction {
    /// As the API names it.
    pub fn as_str(self) -> &'static str {
        match self {
            ControlAction::GroupPickup => "group_pickup",
            ControlAction::Pickup => "pickup",
            ControlAction::Eavesdrop => "eavesdrop",
            ControlAction::Whisper => "whisper",
            ControlAction::Conference => "conference",
            ControlAction::Replace => "replace",
        }
    }

    /// The action that the API names so.
    pub fn parse(text: &str) -> Option<ControlAction> {
        use ControlAction::{Conference, Eavesdrop, GroupPickup, Pickup, Replace, Whisper};
        let all = [GroupPickup, Pickup, Eavesdrop, Whisper, Conference, Replace];
        all.into_iter().find(|action| action.as_str() == text)
    }
}

/// A set of groups, by their place in the document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupSet(u128);

impl GroupSet {
    fn and(self, other: GroupSet) -> GroupSet {
        GroupSet(self.0 & other.0)
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The clause of the document that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clause {
    /// `allow_all`.
    AllowAll,
    /// `pickup_all`.
    PickupAll,
    /// `pickup_share_groups`: these were joined.
    ShareGroups(GroupSet),
    /// `eavesdrop_{ext}` by these groups.
    Eavesdrop(GroupSet),
    /// `whisper_{ext}` by these groups.
    Whisper(GroupSet),
    /// Both: what no single right grants (decision 3).
    EavesdropAndWhisper(GroupSet),
    /// `phone_replace_groups`: these have both as members.
    ReplaceGroups(GroupSet),
    /// Nothing grants it.
    Nothing,
}

impl Clause {
    /// The field of the document, without the name of an extension: what programs are told.
    pub fn as_str(self) -> &'static str {
        match self {
            Clause::AllowAll => "allow_all",
            Clause::PickupAll => "pickup_all",
            Clause::ShareGroups(_) => "pickup_share_groups",
            Clause::Eavesdrop(_) => "eavesdrop",
            Clause::Whisper(_) => "whisper",
            Clause::EavesdropAndWhisper(_) => "eavesdrop_and_whisper",
            Clause::ReplaceGroups(_) => "phone_replace_groups",
            Clause::Nothing => "nothing",
        }
    }

    /// The groups that counted.
    pub fn groups(self) -> GroupSet {
        match self {
            Clause::AllowAll | Clause::PickupAll | Clause::Nothing => GroupSet::default(),
            Clause::ShareGroups(groups)
            | Clause::Eavesdrop(groups)
            | Clause::Whisper(groups)
            | Clause::EavesdropAndWhisper(groups)
            | Clause::ReplaceGroups(groups) => groups,
        }
    }
}

/// The answer to "may they?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may be done.
    pub is_allowed: bool,
    /// What decided.
    pub clause: Clause,
}

impl Verdict {
    fn allowed(clause: Clause) -> Verdict {
        Verdict { is_allowed: true, clause }
    }

    const DENIED: Verdict = Verdict { is_allowed: false, clause: Clause::Nothing };
}

/// What one extension is in and may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Part {
    member: GroupSet,
    /// Share groups that are one with those it is in, merged as the setting says.
    share: GroupSet,
    eavesdrop: GroupSet,
    whisper: GroupSet,
}

/// The control groups of a client, compiled. Immutable; a new document makes a new one.
#[derive(Clone, Debug)]
pub struct Rights {
    document: ControlGroups,
    merge: PickupMerge,
    names: Vec<Box<str>>,
    replace: GroupSet,
    parts: Table<Part>,
}

/// Those of a client who has written nothing.
impl Default for Rights {
    fn default() -> Rights {
        Rights::compile(ControlGroups::unwritten(), PickupMerge::default(), |_| None)
    }
}

impl Rights {
    /// Compiles a document that has passed [`ControlGroups::check`]. `find` knows the client's
    /// extensions by the forms that a document may use: `100` and `0003*100`.
    pub fn compile(
        document: ControlGroups,
        merge: PickupMerge,
        find: impl Fn(&str) -> Option<ExtensionId>,
    ) -> Rights {
        let groups = document.groups.as_deref().unwrap_or_default();
        let names: Vec<Box<str>> = groups.iter().map(|(name, _)| name.clone()).collect();
        // A document that was checked has no more groups than bits.
        let bit = |at: usize| u32::try_from(at).ok().and_then(|at| 1u128.checked_shl(at));
        let set = |wanted: &[Box<str>]| {
            let places = names.iter().enumerate().filter(|(_, name)| wanted.contains(name));
            GroupSet(places.filter_map(|(at, _)| bit(at)).fold(0, |all, one| all | one))
        };
        let mut parts: BTreeMap<ExtensionId, Part> = BTreeMap::new();
        for (at, (_, members)) in groups.iter().enumerate() {
            for id in members.iter().filter_map(|member| find(member)) {
                parts.entry(id).or_default().member.0 |= bit(at).unwrap_or(0);
            }
        }
        for (name, wanted) in &document.eavesdrop {
            if let Some(id) = find(name) {
                parts.entry(id).or_default().eavesdrop.0 |= set(wanted).0;
            }
        }
        for (name, wanted) in &document.whisper {
            if let Some(id) = find(name) {
                parts.entry(id).or_default().whisper.0 |= set(wanted).0;
            }
        }
        let share = set(document.pickup_share_groups.as_deref().unwrap_or_default());
        let members: Vec<GroupSet> = parts.values().map(|part| part.member.and(share)).collect();
        for part in parts.values_mut() {
            let own = part.member.and(share);
            part.share = match merge {
                PickupMerge::Own => own,
                PickupMerge::Chain => chained(own, &members),
            };
        }
        let replace = set(document.phone_replace_groups.as_deref().unwrap_or_default());
        Rights { document, merge, names, replace, parts: Table::of(parts) }
    }

    /// The document as it was written.
    pub fn document(&self) -> &ControlGroups {
        &self.document
    }

    /// How groups that share pickup were merged.
    pub fn merge(&self) -> PickupMerge {
        self.merge
    }

    /// Whether `actor` may do this to `target`.
    pub fn may(&self, actor: ExtensionId, action: ControlAction, target: ExtensionId) -> Verdict {
        if self.document.allow_all == Some(true) {
            return Verdict::allowed(Clause::AllowAll);
        }
        if action == ControlAction::Pickup && self.document.pickup_all != Some(false) {
            return Verdict::allowed(Clause::PickupAll);
        }
        let (Some(actor), Some(target)) = (self.parts.get(actor), self.parts.get(target)) else {
            return Verdict::DENIED;
        };
        let by = |groups: GroupSet, clause: fn(GroupSet) -> Clause| match groups.is_empty() {
            true => Verdict::DENIED,
            false => Verdict::allowed(clause(groups)),
        };
        let (hears, whispers) =
            (actor.eavesdrop.and(target.member), actor.whisper.and(target.member));
        match action {
            ControlAction::GroupPickup | ControlAction::Pickup => {
                match actor.share.and(target.member).is_empty() {
                    true => Verdict::DENIED,
                    false => Verdict::allowed(Clause::ShareGroups(actor.share)),
                }
            }
            // Who may whisper may hear.
            ControlAction::Eavesdrop if hears.is_empty() => by(whispers, Clause::Whisper),
            ControlAction::Eavesdrop => by(hears, Clause::Eavesdrop),
            ControlAction::Whisper => by(whispers, Clause::Whisper),
            ControlAction::Conference if hears.is_empty() || whispers.is_empty() => Verdict::DENIED,
            ControlAction::Conference => {
                by(GroupSet(hears.0 | whispers.0), Clause::EavesdropAndWhisper)
            }
            ControlAction::Replace => {
                by(actor.member.and(target.member).and(self.replace), Clause::ReplaceGroups)
            }
        }
    }

    /// The names of some groups, in the order of the document.
    pub fn names_of(&self, groups: GroupSet) -> impl Iterator<Item = &str> {
        let is_in = move |at: usize| {
            u32::try_from(at).ok().and_then(|at| groups.0.checked_shr(at)).unwrap_or(0) & 1 == 1
        };
        self.names.iter().enumerate().filter(move |(at, _)| is_in(*at)).map(|(_, name)| &**name)
    }

    /// The clause in the words of the document, with the groups that counted: `pickup_share_groups
    /// support, sales`.
    pub fn explain(&self, clause: Clause) -> String {
        let with = |field: &str, groups: GroupSet| {
            let names: Vec<&str> = self.names_of(groups).collect();
            format!("{field} {}", names.join(", "))
        };
        match clause {
            Clause::AllowAll => "allow_all".to_owned(),
            Clause::PickupAll => "pickup_all".to_owned(),
            Clause::ShareGroups(groups) => with("pickup_share_groups", groups),
            Clause::Eavesdrop(groups) => with("eavesdrop", groups),
            Clause::Whisper(groups) => with("whisper", groups),
            Clause::EavesdropAndWhisper(groups) => with("eavesdrop and whisper", groups),
            Clause::ReplaceGroups(groups) => with("phone_replace_groups", groups),
            Clause::Nothing => "nothing allows it".to_owned(),
        }
    }
}

/// All share groups that hang together with these by common members.
fn chained(own: GroupSet, members: &[GroupSet]) -> GroupSet {
    let mut all = own;
    loop {
        let joined = members.iter().filter(|groups| !groups.and(all).is_empty());
        let grown = GroupSet(joined.fold(all.0, |sum, groups| sum | groups.0));
        if grown == all {
            return all;
        }
        all = grown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<Box<str>> {
        text.split_whitespace().map(Into::into).collect()
    }

    fn find(name: &str) -> Option<ExtensionId> {
        let short = name.strip_prefix("0003*").unwrap_or(name);
        short.parse().ok().filter(|n| (100..120).contains(n)).map(ExtensionId)
    }

    /// The example of the specification page.
    fn example() -> ControlGroups {
        ControlGroups {
            allow_all: Some(false),
            pickup_all: Some(true),
            groups: Some(vec![
                ("support".into(), list("100 101")),
                ("sales".into(), list("102 0003*101")),
                ("hr".into(), list("100 101 103 999")),
            ]),
            pickup_share_groups: Some(list("support sales nobody")),
            phone_replace_groups: Some(list("hr")),
            eavesdrop: vec![("100".into(), list("support"))],
            whisper: vec![("101".into(), list("sales hr"))],
        }
    }

    fn decided(rights: &Rights, actor: u64, action: ControlAction, target: u64) -> String {
        let verdict = rights.may(ExtensionId(actor), action, ExtensionId(target));
        assert_eq!(verdict.is_allowed, verdict.clause != Clause::Nothing);
        rights.explain(verdict.clause)
    }

    #[test]
    fn the_example_of_the_page_means_what_its_json_says() {
        use ControlAction::{Conference, Eavesdrop, GroupPickup, Pickup, Replace, Whisper};
        let rights = Rights::compile(example(), PickupMerge::Chain, find);
        let table = [
            (100, GroupPickup, 102, "pickup_share_groups support, sales"),
            (100, GroupPickup, 101, "pickup_share_groups support, sales"),
            (102, GroupPickup, 100, "pickup_share_groups support, sales"),
            (103, GroupPickup, 100, "nothing allows it"),
            (100, GroupPickup, 103, "nothing allows it"),
            (105, Pickup, 103, "pickup_all"),
            (100, Eavesdrop, 101, "eavesdrop support"),
            (100, Eavesdrop, 102, "nothing allows it"),
            (100, Whisper, 101, "nothing allows it"),
            (101, Whisper, 103, "whisper hr"),
            (101, Whisper, 102, "whisper sales"),
            // Who may whisper may hear, and nobody may join by one right alone.
            (101, Eavesdrop, 102, "whisper sales"),
            (101, Conference, 102, "nothing allows it"),
            (100, Conference, 101, "nothing allows it"),
            (100, Replace, 103, "phone_replace_groups hr"),
            (100, Replace, 102, "nothing allows it"),
            (119, Eavesdrop, 100, "nothing allows it"),
        ];
        for (actor, action, target, expected) in table {
            let found = decided(&rights, actor, action, target);
            assert_eq!(found, expected, "{actor} {} {target}", action.as_str());
        }
    }

    #[test]
    fn groups_may_be_merged_for_the_actor_alone() {
        let rights = Rights::compile(example(), PickupMerge::Own, find);
        let found = |actor, target| decided(&rights, actor, ControlAction::GroupPickup, target);
        assert_eq!(found(100, 102), "nothing allows it");
        assert_eq!(found(101, 102), "pickup_share_groups support, sales");
        assert_eq!(found(100, 101), "pickup_share_groups support");
    }

    #[test]
    fn without_pickup_all_a_number_reaches_no_further_than_the_groups() {
        let document = ControlGroups { pickup_all: Some(false), ..example() };
        let rights = Rights::compile(document, PickupMerge::Chain, find);
        let found = |target| decided(&rights, 100, ControlAction::Pickup, target);
        assert_eq!(found(102), "pickup_share_groups support, sales");
        assert_eq!(found(103), "nothing allows it");
    }

    #[test]
    fn both_rights_together_let_one_join() {
        let mut document = example();
        document.whisper.push(("100".into(), list("support")));
        let rights = Rights::compile(document, PickupMerge::Chain, find);
        let found = decided(&rights, 100, ControlAction::Conference, 101);
        assert_eq!(found, "eavesdrop and whisper support");
    }

    #[test]
    fn allow_all_allows_all_and_nothing_at_all_allows_pickup_by_number() {
        let document = ControlGroups { allow_all: Some(true), ..ControlGroups::default() };
        let all = Rights::compile(document, PickupMerge::Chain, find);
        let none = Rights::default();
        for name in ["group_pickup", "pickup", "eavesdrop", "whisper", "conference", "replace"] {
            let action = ControlAction::parse(name).unwrap();
            assert_eq!(decided(&all, 117, action, 118), "allow_all");
            let expected = if name == "pickup" { "pickup_all" } else { "nothing allows it" };
            assert_eq!(decided(&none, 117, action, 118), expected, "{name}");
        }
        assert_eq!(ControlAction::parse("park"), None);
    }

    #[test]
    fn the_hundredth_group_counts_like_the_first() {
        let groups = (0..100).map(|n| (n.to_string().into(), list(&(100 + n % 20).to_string())));
        let document = ControlGroups {
            groups: Some(groups.collect()),
            eavesdrop: vec![("100".into(), list("99"))],
            ..ControlGroups::default()
        };
        assert_eq!(document.check(), Ok(()));
        let rights = Rights::compile(document, PickupMerge::Chain, find);
        let found = decided(&rights, 100, ControlAction::Eavesdrop, 119);
        assert_eq!(found, "eavesdrop 99");
    }
}
