//! Who sent a request: digest on the server's side (RFC 3261 22, RFC 7616, RFC 8760).

use model::Mono;
use sip::digest::{Challenge, Credentials, Freshness, Ha1s, Qop};
use sip::{Header, Message};

use crate::core::{Core, Turn};
use crate::interface::{Effect, Flow, Vouched};
use crate::nonce::Worth;
use crate::uas::{Proven, same_target};

/// What unknown logins are checked against, so that they cost the same time.
const DUMMY: Ha1s = Ha1s { md5: [0x5a; 16], sha256: [0xa5; 32] };

/// What the credentials for our realm in a request are, and whose they are if they are right.
/// `None`: there are none. Unknown users and wrong passwords look and cost the same.
fn checked<'a>(core: &Core, request: &'a Message) -> Option<(Credentials<'a>, Option<Proven>)> {
    let realm = &core.config.realm;
    // RFC 8760 2.4: the first that we know; a phone answers one of the two challenges.
    let credentials = request.credentials_for(realm)?;
    let known = core.directory.logins.get(credentials.username);
    let ha1s = known.map_or(DUMMY, |k| Ha1s { md5: k.ha1_md5, sha256: k.ha1_sha256 });
    let right = credentials.check(&ha1s, &request.method_name()).is_ok();
    let target = request.uri().is_ok_and(|uri| same_target(credentials.uri, &uri));
    let proven = known.filter(|_| right && target);
    let proven =
        proven.map(|k| Proven { tenant: k.tenant, extension: k.extension, status: k.status });
    Some((credentials, proven))
}

/// What the credentials of a request are worth; changes nothing.
pub(crate) fn vouch(core: &Core, now: Mono, request: &Message) -> Vouched {
    match checked(core, request) {
        None => Vouched::Nothing,
        Some((_, None)) => Vouched::Wrong,
        Some((credentials, Some(Proven { tenant, .. }))) => {
            let worth = core.nonces.judge(now, credentials.nonce);
            Vouched::Right { tenant, is_fresh: matches!(worth, Worth::Good(_)) }
        }
    }
}

/// Proves the sender by the Authorization for our realm. The error says how to challenge.
pub(crate) fn prove(
    turn: &mut Turn<'_>,
    flow: &Flow,
    request: &Message,
) -> Result<Proven, Freshness> {
    match checked(turn.core, request) {
        None => Err(Freshness::New),
        Some((_, None)) => {
            turn.core.counters.wrong_credentials += 1;
            turn.effects.push(Effect::Refuted(flow.remote.ip()));
            Err(Freshness::New)
        }
        Some((credentials, Some(proven))) if is_fresh(turn, proven, &credentials) => {
            turn.effects.push(Effect::Proven(flow.remote.ip()));
            Ok(proven)
        }
        Some((_, Some(_))) => Err(Freshness::Stale),
    }
}

/// Whether the nonce is ours and young, and its count higher than every one before.
fn is_fresh(turn: &mut Turn<'_>, proven: Proven, credentials: &Credentials<'_>) -> bool {
    let now = turn.now.mono;
    let Worth::Good(name) = turn.core.nonces.judge(now, credentials.nonce) else { return false };
    let owner = (proven.tenant, proven.extension);
    let count = credentials.count().unwrap_or(0);
    let accepted = turn.core.nonces.accept(now, name, owner, count);
    if !accepted {
        turn.core.counters.replayed += 1;
    }
    accepted
}

/// Asks for credentials, without state: RFC 3261 22.1.
pub(crate) fn challenge(turn: &mut Turn<'_>, request: &Message, flow: &Flow, freshness: Freshness) {
    let salt = [
        request.value(Header::Via).unwrap_or_default(),
        request.value(Header::CallId).unwrap_or_default(),
        request.value(Header::CSeq).unwrap_or_default(),
    ];
    let nonce = turn.core.nonces.make(turn.now.mono, &salt);
    let realm = turn.core.config.realm.clone();
    let digests = turn.core.config.digests;
    turn.core.counters.challenged += 1;
    turn.refuse(request, flow, 401, |w| {
        for &algorithm in digests.algorithms() {
            let challenge = Challenge {
                realm: &realm,
                nonce: &nonce,
                algorithm,
                opaque: None,
                freshness,
                qop: Qop::Auth,
            };
            w.header(Header::WwwAuthenticate, format_args!("{challenge}"));
        }
    });
}
