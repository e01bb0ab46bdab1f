//! Who calls, as messages say it: From, P-Asserted-Identity (RFC 3325), Remote-Party-ID, Privacy
//! (RFC 3323), Diversion (RFC 5806), History-Info (RFC 7044).

use leg::{Diversion, DiversionReason, Identity};
use model::{DidFrom, DisplayName, ForwardingHeaders, IdentityHeader, Number};
use sip::{Header, Message, NameAddr, Writer, escape_user, quote};

/// Entries of History-Info and Diversion that are looked at.
const DIVERSIONS_MAX: usize = 10;

/// From of who hides: RFC 3323 4.1.1.3.
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// Who the peer says that it is, and whether it may be told. `trusted`: the peer is a trunk, which
/// tells it so; from a phone nothing but From counts.
pub(crate) fn read(message: &Message, trusted: Option<IdentityHeader>) -> Identity {
    let from = message.from().ok();
    let presented = from.as_ref().map_or_else(Party::default, Party::of);
    let pai = trusted.and_then(|_| asserted(message, Header::PAssertedIdentity));
    let rpid = trusted.and_then(|_| asserted(message, Header::RemotePartyId));
    let hidden = presented.hidden
        || message.privacy().any(hides)
        || trusted.is_some() && hides_remote_party(message);
    let asserted = pai.as_ref().or(rpid.as_ref()).and_then(|party| party.number.clone());
    let told = match trusted {
        Some(IdentityHeader::Pai) => pai.or(rpid),
        Some(IdentityHeader::Rpid) => rpid.or(pai),
        Some(IdentityHeader::From) | None => None,
    };
    let shown = match told {
        Some(party) => Party { name: party.name.or(presented.name), ..party },
        None => presented,
    };
    // Of a phone that asks to be hidden it is known who it is; of the outside nothing may be shown.
    let is_shown = !hidden || trusted.is_none();
    Identity {
        number: shown.number.filter(|_| is_shown),
        name: shown.name.filter(|_| is_shown).unwrap_or_default(),
        private: hidden,
        asserted,
        diverted_by: trusted.and_then(|_| diverted_by(message)),
    }
}

/// The number that was called, where a trunk names it. A trunk that calls the Contact of our
/// registration has no number in the Request-URI: `is_ours` says so, and To counts.
pub fn called_number(
    message: &Message,
    did_from: DidFrom,
    is_ours: impl Fn(&str) -> bool,
) -> Option<Number> {
    let to = || message.to().ok().and_then(|to| to.uri.number().map(|n| n.into_owned()));
    let text = match did_from {
        DidFrom::RequestUri => {
            let number = message.uri().ok()?.number()?.into_owned();
            if is_ours(&number) { to() } else { Some(number) }
        }
        DidFrom::To => to(),
        DidFrom::PCalledPartyId => {
            // RFC 7315 4.2
            let line = message.other("P-Called-Party-ID")?;
            let address = NameAddr::parse(core::str::from_utf8(line).ok()?)?;
            address.uri.number().map(|n| n.into_owned())
        }
    };
    Number::parse(&text?).ok()
}

/// One party of a header.
#[derive(Debug, Default)]
struct Party {
    number: Option<Number>,
    name: Option<DisplayName>,
    hidden: bool,
}

impl Party {
    fn of(address: &NameAddr<'_>) -> Party {
        let name = DisplayName::from_peer(&address.display.text());
        let user = address.uri.number().unwrap_or_default();
        let invalid_host = address
            .uri
            .sip()
            .is_some_and(|s| s.host.to_string().eq_ignore_ascii_case("anonymous.invalid"));
        let hidden =
            invalid_host || user.is_empty() || names_nobody(&user) || names_nobody(name.as_str());
        Party {
            number: Number::parse(&user).ok().filter(|_| !hidden),
            name: Some(name).filter(|n| !hidden && !n.as_str().is_empty()),
            hidden,
        }
    }
}

/// Names under which phones and networks hide their callers.
fn names_nobody(name: &str) -> bool {
    ["anonymous", "restricted", "unavailable", "unknown"]
        .iter()
        .any(|n| name.trim().eq_ignore_ascii_case(n))
}

/// Values of Privacy by which a caller hides.
fn hides(value: &str) -> bool {
    ["id", "header", "user", "full"].iter().any(|h| value.eq_ignore_ascii_case(h))
}

/// The first party of a header that has a number: RFC 3325 9.1 allows a SIP and a tel URI.
fn asserted(message: &Message, header: Header) -> Option<Party> {
    let parties = || message.addresses(header).take(DIVERSIONS_MAX).flatten();
    let is_number =
        |number: &Number| number.as_str().starts_with(|c: char| c == '+' || c.is_ascii_digit());
    let mut named = parties().map(|address| Party::of(&address));
    let numbered = parties()
        .map(|address| Party::of(&address))
        .find(|party| party.number.as_ref().is_some_and(is_number));
    numbered.or_else(|| named.find(|party| party.number.is_some()))
}

/// Whether Remote-Party-ID says that the caller hides.
fn hides_remote_party(message: &Message) -> bool {
    message.addresses(Header::RemotePartyId).take(DIVERSIONS_MAX).flatten().any(|address| {
        let value = address.params.unquoted("privacy");
        value.is_some_and(|v| v.split([',', ';']).any(|v| !matches!(v.trim(), "" | "off" | "none")))
    })
}

/// Who has forwarded the call last.
fn diverted_by(message: &Message) -> Option<Number> {
    let number = |address: &NameAddr<'_>| Number::parse(&address.uri.number()?).ok();
    let diversion = message.addresses(Header::Diversion).flatten().next();
    if let Some(number) = diversion.as_ref().and_then(number) {
        return Some(number);
    }
    // RFC 7044 5: the entries are in order; the last is where the call goes, the one before it
    // was called first.
    let history: Vec<Option<Number>> = message
        .addresses(Header::HistoryInfo)
        .flatten()
        .take(DIVERSIONS_MAX)
        .map(|address| number(&address))
        .collect();
    history.len().checked_sub(2).and_then(|at| history.get(at).cloned().flatten())
}

/// Who is shown to a trunk, and how it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    /// Who.
    pub(crate) identity: &'a Identity,
    /// Which number of ours has forwarded the call.
    pub(crate) diversion: Option<&'a Diversion>,
    /// The host of our URIs.
    pub(crate) domain: &'a str,
}

/// Our From: who is shown as calling. `user`: instead of the number. Who has a name and no number,
/// and does not hide, is shown by the name.
pub(crate) fn from(identity: &Identity, user: Option<&str>, domain: &str) -> Box<str> {
    let number = identity.number.as_ref().map(Number::as_str);
    let user = match (number, user, identity.private) {
        (_, Some(user), false) => user,
        (Some(number), None, false) => number,
        (None, None, false) if !identity.name.as_str().is_empty() => {
            let mut from = String::with_capacity(64);
            quote(identity.name.as_str(), &mut from);
            from.push_str(" <sip:anonymous@anonymous.invalid>");
            return from.into();
        }
        (None, None, _) | (_, _, true) => return ANONYMOUS.into(),
    };
    let mut from = String::with_capacity(64);
    if !identity.name.as_str().is_empty() {
        quote(identity.name.as_str(), &mut from);
        from.push(' ');
    }
    uri(user, domain, &mut from);
    from.into()
}

/// What tells a trunk who calls and who has forwarded the call, besides From.
pub(crate) fn write(
    writer: &mut Writer,
    how: IdentityHeader,
    forwarding: ForwardingHeaders,
    called: &str,
    shown: &Shown<'_>,
) {
    let Shown { identity, diversion, domain } = shown;
    if let Some(number) = &identity.number {
        let mut party = String::with_capacity(64);
        if !identity.name.as_str().is_empty() && !identity.private {
            quote(identity.name.as_str(), &mut party);
            party.push(' ');
        }
        uri(number.as_str(), domain, &mut party);
        match how {
            IdentityHeader::From => {}
            IdentityHeader::Pai => {
                writer.header(Header::PAssertedIdentity, &party);
            }
            IdentityHeader::Rpid => {
                let privacy = if identity.private { "full" } else { "off" };
                let party = format_args!("{party};party=calling;screen=yes;privacy={privacy}");
                writer.header(Header::RemotePartyId, party);
            }
        }
    }
    if identity.private {
        writer.header(Header::Privacy, "id");
    }
    let (says, tells) = match forwarding {
        ForwardingHeaders::Diversion => (true, false),
        ForwardingHeaders::HistoryInfo => (false, true),
        ForwardingHeaders::Both => (true, true),
        ForwardingHeaders::None => (false, false),
    };
    let Some(Diversion { by, reason }) = diversion else { return };
    if says {
        let mut party = String::with_capacity(64);
        uri(by.as_str(), domain, &mut party);
        writer
            .header(Header::Diversion, format_args!("{party};reason={};counter=1", word(*reason)));
        if let Some(before) = &identity.diverted_by {
            let mut party = String::with_capacity(64);
            uri(before.as_str(), domain, &mut party);
            writer.header(Header::Diversion, format_args!("{party};reason=unknown;counter=1"));
        }
    }
    if tells {
        let mut history = String::from("<sip:");
        escape_user(by.as_str(), &mut history);
        history.push('@');
        history.push_str(domain);
        history.push_str(">;index=1, <sip:");
        escape_user(called, &mut history);
        history.push('@');
        history.push_str(domain);
        // RFC 7044 10.2, RFC 4458 2.1
        history.push_str(&format!(";cause={}>;index=1.1;mp=1", cause(*reason)));
        writer.header(Header::HistoryInfo, history);
    }
}

fn uri(user: &str, domain: &str, to: &mut String) {
    to.push_str("<sip:");
    escape_user(user, to);
    to.push('@');
    to.push_str(domain);
    to.push('>');
}

/// RFC 5806 4.2
fn word(reason: DiversionReason) -> &'static str {
    match reason {
        DiversionReason::Unconditional => "unconditional",
        DiversionReason::Busy => "user-busy",
        DiversionReason::NoAnswer => "no-answer",
        DiversionReason::Unavailable => "unavailable",
        DiversionReason::Deflection => "deflection",
    }
}

/// RFC 4458 3
fn cause(reason: DiversionReason) -> u16 {
    match reason {
        DiversionReason::Unconditional => 302,
        DiversionReason::Busy => 486,
        DiversionReason::NoAnswer => 408,
        DiversionReason::Unavailable => 503,
        DiversionReason::Deflection => 487,
    }
}

#[cfg(test)]
mod tests {
    use sip::Method;

    use super::*;

    fn message(lines: &[&str]) -> Message {
        let lines = lines.join("\r\n");
        let text = format!("INVITE sip:74951234567@us SIP/2.0\r\n{lines}\r\n\r\n");
        Message::parse(text.into_bytes()).unwrap()
    }

    fn number(number: Option<&Number>) -> &str {
        number.map_or("-", Number::as_str)
    }

    /// `number "name"`, what was asserted, who diverted.
    fn told(identity: &Identity) -> String {
        let hides = if identity.private { " hides" } else { "" };
        format!(
            "{} \"{}\"{hides}, {}, {}",
            number(identity.number.as_ref()),
            identity.name,
            number(identity.asserted.as_ref()),
            number(identity.diverted_by.as_ref()),
        )
    }

    const ANN: &str = "From: \"Ann\" <sip:+74950001122@c.example>;tag=1";
    const NOBODY: &str = "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1";
    const PAI: &str = "P-Asserted-Identity: \"Firm\" <sip:+74959998877@c.example>";
    const RPID: &str = "Remote-Party-ID: <sip:84950003333@c.example>;party=calling;privacy=off";

    #[test]
    fn who_calls_is_read_as_the_trunk_tells_it() {
        use IdentityHeader::{From, Pai, Rpid};
        let table: &[(Option<IdentityHeader>, &[&str], &str)] = &[
            (None, &[ANN], "+74950001122 \"Ann\", -, -"),
            // A phone asserts nothing, whatever it writes.
            (None, &[ANN, PAI, RPID], "+74950001122 \"Ann\", -, -"),
            (None, &[ANN, "Privacy: id"], "+74950001122 \"Ann\" hides, -, -"),
            (Some(Pai), &[ANN], "+74950001122 \"Ann\", -, -"),
            (Some(Pai), &[ANN, PAI], "+74959998877 \"Firm\", +74959998877, -"),
            (Some(From), &[ANN, PAI], "+74950001122 \"Ann\", +74959998877, -"),
            (Some(Rpid), &[ANN, PAI, RPID], "84950003333 \"Ann\", +74959998877, -"),
            (Some(Pai), &[ANN, RPID], "84950003333 \"Ann\", 84950003333, -"),
            (
                Some(Pai),
                &[ANN, "P-Asserted-Identity: <sip:firm@c.example>, <tel:+7-495-999-88-77>"],
                "+74959998877 \"Ann\", +74959998877, -",
            ),
            (
                Some(Pai),
                &[ANN, "P-Asserted-Identity: <tel:+7(495)999-88-77>"],
                "+74959998877 \"Ann\", +74959998877, -",
            ),
            (Some(Pai), &[ANN, PAI, "Privacy: id"], "- \"\" hides, +74959998877, -"),
            (Some(Pai), &[ANN, PAI, "Privacy: critical; ID"], "- \"\" hides, +74959998877, -"),
            (Some(Pai), &[ANN, PAI, "Privacy: FULL"], "- \"\" hides, +74959998877, -"),
            (Some(Pai), &[ANN, PAI, "Privacy: none"], "+74959998877 \"Firm\", +74959998877, -"),
            (Some(Pai), &[NOBODY, PAI], "- \"\" hides, +74959998877, -"),
            (Some(From), &["From: <sip:c.example>;tag=1"], "- \"\" hides, -, -"),
            (Some(From), &["From: \"Unknown\" <sip:1@c.example>;tag=1"], "- \"\" hides, -, -"),
            (Some(From), &["From: <sip:RESTRICTED@c.example>;tag=1"], "- \"\" hides, -, -"),
            (Some(From), &["From: <sip:unavailable@c.example>;tag=1"], "- \"\" hides, -, -"),
            (
                Some(Rpid),
                &[ANN, "Remote-Party-ID: <sip:84950003333@c>;privacy=full"],
                "- \"\" hides, 84950003333, -",
            ),
            (
                Some(From),
                &[ANN, "Diversion: <sip:74951112233@c>;reason=no-answer, <tel:+712>"],
                "+74950001122 \"Ann\", -, 74951112233",
            ),
            (
                Some(From),
                &[ANN, "History-Info: <sip:1@c>;index=1, <sip:2@c>;index=1.1, <sip:3@c>;index=1.2"],
                "+74950001122 \"Ann\", -, 2",
            ),
            (Some(From), &[ANN, "History-Info: <sip:1@c>;index=1"], "+74950001122 \"Ann\", -, -"),
        ];
        for (trusted, lines, expected) in table {
            assert_eq!(told(&read(&message(lines), *trusted)), *expected, "{trusted:?} {lines:?}");
        }
    }

    #[test]
    fn the_number_that_was_called_is_where_the_trunk_puts_it() {
        let lines = ["To: <sip:+74957654321@us>", "P-Called-Party-ID: <tel:+74950000000>"];
        let table = [
            (DidFrom::RequestUri, "74951234567"),
            (DidFrom::To, "+74957654321"),
            (DidFrom::PCalledPartyId, "+74950000000"),
        ];
        for (from, expected) in table {
            let found = called_number(&message(&lines), from, |_| false);
            assert_eq!(number(found.as_ref()), expected);
        }
        let ours = called_number(&message(&lines), DidFrom::RequestUri, |u| u == "74951234567");
        assert_eq!(number(ours.as_ref()), "+74957654321", "the token of a registration");
        assert_eq!(called_number(&message(&[]), DidFrom::PCalledPartyId, |_| false), None);
    }

    fn written(
        how: IdentityHeader,
        forwarding: ForwardingHeaders,
        identity: &Identity,
        diversion: Option<&Diversion>,
    ) -> Vec<String> {
        let mut writer = Writer::request(Method::Invite, "sip:1@c");
        let shown = Shown { identity, diversion, domain: "us.example" };
        write(&mut writer, how, forwarding, "4930123", &shown);
        let text = String::from_utf8(writer.finish()).unwrap();
        let is_ours = |line: &&str| {
            ["P-A", "Rem", "Pri", "Div", "His"].iter().any(|start| line.starts_with(start))
        };
        text.lines().filter(is_ours).map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_trunk_is_told_who_calls_in_the_header_that_it_takes() {
        use IdentityHeader::{From, Pai, Rpid};
        let number = Number::parse("74951234567").unwrap();
        let ann = Identity::of(number, DisplayName::parse("Ann").unwrap());
        let hidden = Identity { private: true, ..ann.clone() };
        let pai = "P-Asserted-Identity: \"Ann\" <sip:74951234567@us.example>";
        let bare = "P-Asserted-Identity: <sip:74951234567@us.example>";
        let rpid = "Remote-Party-ID: \"Ann\" <sip:74951234567@us.example>;party=calling;\
                    screen=yes;privacy=off";
        let full = "Remote-Party-ID: <sip:74951234567@us.example>;party=calling;screen=yes;\
                    privacy=full";
        let table: [(_, _, &[&str]); 7] = [
            (From, &ann, &[]),
            (Pai, &ann, &[pai]),
            (Rpid, &ann, &[rpid]),
            (From, &hidden, &["Privacy: id"]),
            (Pai, &hidden, &[bare, "Privacy: id"]),
            (Rpid, &hidden, &[full, "Privacy: id"]),
            (Pai, &Identity::anonymous(), &["Privacy: id"]),
        ];
        for (how, identity, expected) in table {
            let lines = written(how, ForwardingHeaders::None, identity, None);
            assert_eq!(lines, expected, "{how:?} {identity:?}");
        }
    }

    #[test]
    fn a_forwarded_call_says_who_has_forwarded_it() {
        let by = Number::parse("74957654321").unwrap();
        let diversion = Diversion { by, reason: DiversionReason::NoAnswer };
        let said = "Diversion: <sip:74957654321@us.example>;reason=no-answer;counter=1";
        let told = "History-Info: <sip:74957654321@us.example>;index=1, \
                    <sip:4930123@us.example;cause=408>;index=1.1;mp=1";
        let table: [(_, &[&str]); 4] = [
            (ForwardingHeaders::Diversion, &[said]),
            (ForwardingHeaders::HistoryInfo, &[told]),
            (ForwardingHeaders::Both, &[said, told]),
            (ForwardingHeaders::None, &[]),
        ];
        let identity = Identity::nobody();
        for (forwarding, expected) in table {
            let lines = written(IdentityHeader::From, forwarding, &identity, Some(&diversion));
            assert_eq!(lines, expected, "{forwarding:?}");
            assert!(written(IdentityHeader::From, forwarding, &identity, None).is_empty());
        }
        let before = Identity { diverted_by: Number::parse("79160000000").ok(), ..identity };
        let how = IdentityHeader::From;
        let lines = written(how, ForwardingHeaders::Diversion, &before, Some(&diversion));
        let first = "Diversion: <sip:79160000000@us.example>;reason=unknown;counter=1";
        assert_eq!(lines, [said, first], "the newest first (RFC 5806 5)");
    }

    #[test]
    fn every_reason_is_written_as_its_rfc_names_it() {
        let by = Number::parse("1").unwrap();
        let table = [
            (DiversionReason::Unconditional, "unconditional", 302),
            (DiversionReason::Busy, "user-busy", 486),
            (DiversionReason::NoAnswer, "no-answer", 408),
            (DiversionReason::Unavailable, "unavailable", 503),
            (DiversionReason::Deflection, "deflection", 487),
        ];
        for (reason, word, cause) in table {
            let diversion = Diversion { by: by.clone(), reason };
            let how = IdentityHeader::From;
            let identity = Identity::nobody();
            let lines =
                written(how, ForwardingHeaders::Both, &identity, Some(&diversion)).join("\n");
            assert!(lines.contains(&format!("reason={word};")), "{lines}");
            assert!(lines.contains(&format!("cause={cause}>")), "{lines}");
        }
    }

    #[test]
    fn a_private_caller_is_shown_as_anonymous() {
        let number = Number::parse("0003*100").unwrap();
        let name = DisplayName::parse("Ann \"A\" B").unwrap();
        let mut identity = Identity::of(number, name);
        assert_eq!(&*from(&identity, None, "x.org"), "\"Ann \\\"A\\\" B\" <sip:0003*100@x.org>");
        let account = from(&identity, Some("acme"), "x.org");
        assert_eq!(&*account, "\"Ann \\\"A\\\" B\" <sip:acme@x.org>");
        identity.private = true;
        assert_eq!(&*from(&identity, None, "x.org"), ANONYMOUS);
        assert_eq!(&*from(&identity, Some("acme"), "x.org"), ANONYMOUS);
        assert_eq!(&*from(&Identity::anonymous(), None, "x.org"), ANONYMOUS);
        assert_eq!(&*from(&Identity::nobody(), None, "x.org"), ANONYMOUS);
    }

    #[test]
    fn a_name_without_a_number_is_shown() {
        let name = DisplayName::parse("P6: Anonymous").unwrap();
        let parked = Identity { name, ..Identity::nobody() };
        let shown = "\"P6: Anonymous\" <sip:anonymous@anonymous.invalid>";
        assert_eq!(&*from(&parked, None, "x.org"), shown);
    }
}
