//! The document of a client's call control groups, as it was written.

use std::collections::BTreeSet;

use crate::limits::{
    CONTROL_GROUP_MEMBERS_MAX, CONTROL_GROUP_NAME_CHARS_MAX, CONTROL_GROUPS_MAX, CONTROL_LISTS_MAX,
};

/// Names, in the order in which they were written; repeated ones count once.
pub type Names = Vec<Box<str>>;

/// The document. What was not sent is `None` or empty and acts as its default (decision 6).
///
/// Groups and extensions that do not exist may be named; they grant nothing (decision 5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlGroups {
    /// Everybody may do everything to everybody; default false.
    pub allow_all: Option<bool>,
    /// Pickup with a number reaches the whole PBX; default true.
    pub pickup_all: Option<bool>,
    /// Groups with the names of their members: `100` or `0003*100`.
    pub groups: Option<Vec<(Box<str>, Names)>>,
    /// Groups within which pickup needs no number.
    pub pickup_share_groups: Option<Names>,
    /// Groups within which phones may replace each other.
    pub phone_replace_groups: Option<Names>,
    /// `eavesdrop_{ext}`: groups that an extension may hear.
    pub eavesdrop: Vec<(Box<str>, Names)>,
    /// `whisper_{ext}`: groups that an extension may hear and whisper to.
    pub whisper: Vec<(Box<str>, Names)>,
}

/// Why a document is refused, with the field to name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGroups {
    /// Too many groups.
    #[error("groups: at most {CONTROL_GROUPS_MAX} groups")]
    TooManyGroups,
    /// A group is too large.
    #[error("groups.{0}: at most {CONTROL_GROUP_MEMBERS_MAX} extensions in a group")]
    TooManyMembers(Box<str>),
    /// A name is empty or too long.
    #[error("{0}: a name has 1 to {CONTROL_GROUP_NAME_CHARS_MAX} characters")]
    Name(Box<str>),
    /// `eavesdrop_` or `whisper_` for something that is no name of an extension.
    #[error("{0}: what follows the underscore must be the name of an extension")]
    Extension(Box<str>),
    /// Too many fields of one kind.
    #[error("{0}_*: at most {CONTROL_LISTS_MAX} fields")]
    TooManyLists(&'static str),
}

impl ControlGroups {
    /// What holds while a client has written nothing: pickup anywhere, nothing else.
    pub fn unwritten() -> ControlGroups {
        ControlGroups {
            allow_all: Some(false),
            pickup_all: Some(true),
            groups: Some(Vec::new()),
            ..ControlGroups::default()
        }
    }

    /// Whether the document keeps the limits of the specification.
    pub fn check(&self) -> Result<(), BadGroups> {
        let groups = self.groups.as_deref().unwrap_or_default();
        if groups.len() > CONTROL_GROUPS_MAX {
            return Err(BadGroups::TooManyGroups);
        }
        for (name, members) in groups {
            checked("groups", name)?;
            let distinct: BTreeSet<&str> = members.iter().map(|m| &**m).collect();
            if distinct.len() > CONTROL_GROUP_MEMBERS_MAX {
                return Err(BadGroups::TooManyMembers(name.clone()));
            }
            members.iter().try_for_each(|member| checked("groups", member))?;
        }
        let shared = self.pickup_share_groups.iter().flatten();
        shared.into_iter().try_for_each(|name| checked("pickup_share_groups", name))?;
        let replaced = self.phone_replace_groups.iter().flatten();
        replaced.into_iter().try_for_each(|name| checked("phone_replace_groups", name))?;
        for (kind, lists) in [("eavesdrop", &self.eavesdrop), ("whisper", &self.whisper)] {
            if lists.len() > CONTROL_LISTS_MAX {
                return Err(BadGroups::TooManyLists(kind));
            }
            for (extension, names) in lists {
                let field = format!("{kind}_{extension}");
                let is_name = |b: u8| b.is_ascii_digit() || b == b'*';
                if extension.is_empty() || !extension.bytes().all(is_name) {
                    return Err(BadGroups::Extension(field.into()));
                }
                names.iter().try_for_each(|name| checked(&field, name))?;
            }
        }
        Ok(())
    }
}

fn checked(field: &str, name: &str) -> Result<(), BadGroups> {
    let length = name.chars().take(CONTROL_GROUP_NAME_CHARS_MAX + 1).count();
    match (1..=CONTROL_GROUP_NAME_CHARS_MAX).contains(&length) {
        true => Ok(()),
        false => Err(BadGroups::Name(field.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, members: usize) -> (Box<str>, Names) {
        (name.into(), (0..members).map(|n| n.to_string().into()).collect())
    }

    #[test]
    fn the_limits_of_the_specification_are_kept() {
        let of = |groups| ControlGroups { groups: Some(groups), ..ControlGroups::default() };
        let many = |count: usize| (0..count).map(|n| group(&n.to_string(), 1)).collect();
        assert_eq!(of(many(100)).check(), Ok(()));
        assert_eq!(of(many(101)).check(), Err(BadGroups::TooManyGroups));
        assert_eq!(of(vec![group("a", 200)]).check(), Ok(()));
        let large = of(vec![group("a", 201)]);
        assert_eq!(large.check(), Err(BadGroups::TooManyMembers("a".into())));
        let mut repeated = group("a", 200);
        repeated.1.push("0".into());
        assert_eq!(of(vec![repeated]).check(), Ok(()), "a repeated one counts once");
    }

    #[test]
    fn a_refusal_names_the_field() {
        let mut groups = ControlGroups::default();
        groups.eavesdrop.push(("boss".into(), Vec::new()));
        assert!(groups.check().unwrap_err().to_string().starts_with("eavesdrop_boss: "));
        let mut groups = ControlGroups::default();
        groups.whisper.push(("0003*100".into(), vec!["".into()]));
        assert!(groups.check().unwrap_err().to_string().starts_with("whisper_0003*100: "));
    }
}
