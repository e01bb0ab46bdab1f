//! Which leg a Replaces names: RFC 3891, in an INVITE or in the URI of a REFER.
//!
//! A dialog is named by its Call-ID and both tags. They are looked up in either order: who
//! receives an INVITE with Replaces compares to-tag with its own tag, but phones that were called
//! write the tags as they stand in From and To of the dialog. Both have to fit, so that nobody can
//! name what he does not know.

use std::collections::BTreeMap;

use leg::{LegId, Replaced};
use model::TenantId;
use sip::{Header, Message, Replaces, unescape};

use crate::core::{LegKey, Turn};
use crate::dialog::{Leg, Phase};
use crate::lamp_body::Shown;

/// The tag of a peer that has none: RFC 3891 6.1.
const NO_TAG: &str = "0";

/// What the Replaces of a request leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// It has none.
    Nothing,
    /// It has several, or one that cannot be read.
    Malformed,
    /// No dialog of this tenant is so.
    Unknown,
    /// This one.
    Leg {
        /// Which leg.
        leg: LegId,
        /// How far it is.
        stage: Stage,
        /// Only an early dialog is meant.
        early_only: bool,
    },
}

/// How far a leg is, as far as RFC 3891 3 asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It came in and was not answered.
    Calling,
    /// We dialled it and it has not answered.
    Ringing,
    /// It is up.
    Up,
}

impl Named {
    /// The leg that an INVITE takes the place of; the error is the status owed (3).
    pub(crate) fn by_invite(self) -> Result<Option<Replaced>, u16> {
        match self {
            Named::Nothing => Ok(None),
            Named::Malformed => Err(400),
            // An early dialog that was not begun by us is not replaced.
            Named::Unknown | Named::Leg { stage: Stage::Calling, .. } => Err(481),
            Named::Leg { stage: Stage::Up, early_only: true, .. } => Err(486),
            Named::Leg { leg, early_only, .. } => Ok(Some(Replaced { leg, early_only })),
        }
    }
}

/// What the Replaces of an INVITE leads to.
pub(crate) fn of_invite(
    turn: &Turn<'_>,
    legs: &BTreeMap<LegKey, Box<Leg>>,
    tenant: TenantId,
    message: &Message,
) -> Named {
    match message.values(Header::Replaces).take(2).count() {
        0 => Named::Nothing,
        1 => match message.replaces() {
            Ok(Some(replaces)) => named(turn, legs, tenant, &replaces),
            Ok(None) | Err(_) => Named::Malformed,
        },
        _ => Named::Malformed,
    }
}

/// What the Replaces in the URI of a Refer-To leads to.
pub(crate) fn of_refer(
    turn: &Turn<'_>,
    legs: &BTreeMap<LegKey, Box<Leg>>,
    tenant: TenantId,
    message: &Message,
) -> Named {
    let Ok(Some(to)) = message.address(Header::ReferTo) else { return Named::Nothing };
    let Some(uri) = to.uri.sip() else { return Named::Nothing };
    let headers = uri.headers.split('&').filter_map(|header| header.split_once('='));
    let mut values = headers.filter(|(name, _)| unescape(name).eq_ignore_ascii_case("replaces"));
    match (values.next(), values.next()) {
        (None, _) => Named::Nothing,
        (Some((_, value)), None) => match Replaces::parse(&unescape(value)) {
            Some(replaces) => named(turn, legs, tenant, &replaces),
            None => Named::Malformed,
        },
        (Some(_), Some(_)) => Named::Malformed,
    }
}

fn named(
    turn: &Turn<'_>,
    legs: &BTreeMap<LegKey, Box<Leg>>,
    tenant: TenantId,
    replaces: &Replaces<'_>,
) -> Named {
    let Replaces { call_id, to_tag, from_tag, early_only } = *replaces;
    let found = [(to_tag, from_tag), (from_tag, to_tag)].into_iter().find_map(|(ours, theirs)| {
        let key = turn.core.by_tag.get(&turn.core.tag_key(ours))?;
        let leg = legs.get(key).filter(|leg| leg.tenant() == tenant && *leg.tag == *ours)?;
        let known = leg.is_with(call_id, theirs) || (theirs == NO_TAG && leg.is_with(call_id, ""));
        (known && !leg.is_ending()).then_some(leg)
    });
    // As a lamp shows it.
    let shown = || {
        let key = (tenant, Shown::leg(call_id)?);
        let shown = Shown::of(turn.core, tenant, key.1);
        let tags = (&*shown.local_tag, &*shown.remote_tag);
        let fits = tags == (to_tag, from_tag) || tags == (from_tag, to_tag);
        legs.get(&key).filter(|leg| fits && *shown.call_id == *call_id && !leg.is_ending())
    };
    let Some(leg) = found.or_else(shown) else { return Named::Unknown };
    let stage = match leg.phase {
        Phase::Up(_) => Stage::Up,
        Phase::Invited(_) => Stage::Calling,
        Phase::Inviting(_) | Phase::Seeking(_) => Stage::Ringing,
    };
    Named::Leg { leg: leg.id(), stage, early_only }
}
