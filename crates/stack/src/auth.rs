//! Who sent a request: digest on the server's side (RFC 3261 22, RFC 7616, RFC 8760).

use sip::digest::{Algorithm, Challenge, Credentials, Freshness, Ha1s, Qop};
use sip::{Header, Message};

use crate::core::Turn;
use crate::interface::Flow;
use crate::nonce::Worth;
use crate::uas::{Proven, same_target};

/// What unknown logins are checked against, so that they cost the same time.
const DUMMY: Ha1s = Ha1s { md5: [0x5a; 16], sha256: [0xa5; 32] };

/// Proves the sender by the Authorization for our realm. The error says how to challenge: unknown
/// users and wrong passwords look and cost the same.
pub(crate) fn prove(turn: &mut Turn<'_>, request: &Message) -> Result<Proven, Freshness> {
    let realm = &turn.core.config.realm;
    let mut all = request.credentials(Header::Authorization);
    // RFC 8760 2.4: the first that we know; a phone answers one of the two challenges.
    let Some(credentials) = all.find(|c| c.realm == realm) else { return Err(Freshness::New) };
    let known = turn.core.directory.logins.get(credentials.username);
    let ha1s = known.map_or(DUMMY, |k| Ha1s { md5: k.ha1_md5, sha256: k.ha1_sha256 });
    let right = credentials.check(&ha1s, &request.method_name()).is_ok();
    let target = request.uri().is_ok_and(|uri| same_target(credentials.uri, &uri));
    let Some(known) = known.filter(|_| right && target) else {
        turn.core.counters.wrong_credentials += 1;
        return Err(Freshness::New);
    };
    let proven = Proven { tenant: known.tenant, extension: known.extension };
    if is_fresh(turn, &credentials) { Ok(proven) } else { Err(Freshness::Stale) }
}

/// Whether the nonce is ours and young, and its count higher than every one before.
fn is_fresh(turn: &mut Turn<'_>, credentials: &Credentials<'_>) -> bool {
    let now = turn.now.mono;
    let Worth::Good(step) = turn.core.nonces.judge(now, credentials.nonce) else { return false };
    let user = credentials.username.as_bytes();
    let answer = turn.core.prints.of(&[b"nonce", user, credentials.nonce.as_bytes()]);
    let count = credentials.count().unwrap_or(0);
    let accepted = turn.core.nonces.accept(now, step, answer, count);
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
    turn.core.counters.challenged += 1;
    turn.refuse(request, flow, 401, |w| {
        // MD5 alone. RFC 8760 2.3 would have SHA-256 before it, but phones that know only MD5 give
        // up at the sight of another algorithm, whichever stands first (baresip 1.0, sipp 3.6);
        // and while MD5 is taken at all, who can change messages on the way strikes the other out.
        let challenge = Challenge {
            realm: &realm,
            nonce: &nonce,
            algorithm: Algorithm::Md5,
            opaque: None,
            freshness,
            qop: Qop::Auth,
        };
        w.header(Header::WwwAuthenticate, challenge);
    });
}
