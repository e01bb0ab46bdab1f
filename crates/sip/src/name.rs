//! Header names: one canonical form each, whatever case or compact form came.

use crate::work::visit;

macro_rules! headers {
    ($($variant:ident $name:literal $($compact:literal)?;)*) => {
        /// A header name. Known ones are told apart at parse, so nothing later compares spellings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Header {
            $(#[doc = concat!("`", $name, "`.")] $variant,)*
            /// A header that we do not know; its name is kept as it came.
            Other,
            /// A line of the header part that is no header: without a name or a colon.
            Malformed,
        }

        impl Header {
            /// All known headers.
            pub const KNOWN: &[Header] = &[$(Header::$variant,)*];

            const NAMES: &[&str] = &[$($name,)*];

            const COMPACT: &[(u8, Header)] = &[$($(($compact, Header::$variant),)?)*];

            /// The canonical name; empty for [`Header::Other`] and [`Header::Malformed`].
            pub fn name(self) -> &'static str {
                match self {
                    $(Header::$variant => $name,)*
                    Header::Other | Header::Malformed => "",
                }
            }
        }
    };
}

headers! {
    Via "Via" b'v';
    From "From" b'f';
    To "To" b't';
    CallId "Call-ID" b'i';
    CSeq "CSeq";
    Contact "Contact" b'm';
    MaxForwards "Max-Forwards";
    ContentLength "Content-Length" b'l';
    ContentType "Content-Type" b'c';
    Route "Route";
    RecordRoute "Record-Route";
    Accept "Accept";
    AcceptContact "Accept-Contact" b'a';
    AcceptEncoding "Accept-Encoding";
    AcceptLanguage "Accept-Language";
    AlertInfo "Alert-Info";
    Allow "Allow";
    AllowEvents "Allow-Events" b'u';
    AuthenticationInfo "Authentication-Info";
    Authorization "Authorization";
    CallInfo "Call-Info";
    ContentDisposition "Content-Disposition";
    ContentEncoding "Content-Encoding" b'e';
    ContentLanguage "Content-Language";
    Date "Date";
    Diversion "Diversion";
    Event "Event" b'o';
    Expires "Expires";
    HistoryInfo "History-Info";
    Identity "Identity" b'y';
    IdentityInfo "Identity-Info" b'n';
    InReplyTo "In-Reply-To";
    Join "Join";
    MimeVersion "MIME-Version";
    MinExpires "Min-Expires";
    MinSe "Min-SE";
    Organization "Organization";
    PAssertedIdentity "P-Asserted-Identity";
    PPreferredIdentity "P-Preferred-Identity";
    Path "Path";
    Priority "Priority";
    Privacy "Privacy";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthorization "Proxy-Authorization";
    ProxyRequire "Proxy-Require";
    RAck "RAck";
    RSeq "RSeq";
    Reason "Reason";
    ReferSub "Refer-Sub";
    ReferTo "Refer-To" b'r';
    ReferredBy "Referred-By" b'b';
    RejectContact "Reject-Contact" b'j';
    RemotePartyId "Remote-Party-ID";
    Replaces "Replaces";
    ReplyTo "Reply-To";
    RequestDisposition "Request-Disposition" b'd';
    Require "Require";
    RetryAfter "Retry-After";
    Server "Server";
    ServiceRoute "Service-Route";
    SessionExpires "Session-Expires" b'x';
    SipEtag "SIP-ETag";
    SipIfMatch "SIP-If-Match";
    Subject "Subject" b's';
    SubscriptionState "Subscription-State";
    Supported "Supported" b'k';
    TargetDialog "Target-Dialog";
    Timestamp "Timestamp";
    Unsupported "Unsupported";
    UserAgent "User-Agent";
    Warning "Warning";
    WwwAuthenticate "WWW-Authenticate";
}

/// Known headers by the length of their name: one row is searched per line.
const ROWS: usize = 24;
const ROW: usize = 12;
const NONE: u8 = u8::MAX;
const BY_LENGTH: [[u8; ROW]; ROWS] = by_length();
const BY_LETTER: [u8; 26] = by_letter();

// Evaluated by the compiler: a name or a row too long would not build.
#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)]
const fn by_length() -> [[u8; ROW]; ROWS] {
    let mut table = [[NONE; ROW]; ROWS];
    let mut i = 0;
    while i < Header::NAMES.len() {
        let len = Header::NAMES[i].len();
        let mut at = 0;
        while table[len][at] != NONE {
            at += 1;
        }
        table[len][at] = i as u8;
        i += 1;
    }
    table
}

#[allow(clippy::indexing_slicing)]
const fn by_letter() -> [u8; 26] {
    let mut table = [NONE; 26];
    let mut i = 0;
    while i < Header::COMPACT.len() {
        let (letter, header) = Header::COMPACT[i];
        table[(letter - b'a') as usize] = header as u8;
        i += 1;
    }
    table
}

impl Header {
    /// Finds the header of a name, in its long or compact form and any case.
    pub fn of_name(name: &[u8]) -> Header {
        if let [letter] = name {
            let i = usize::from(letter.to_ascii_lowercase().wrapping_sub(b'a'));
            return BY_LETTER.get(i).map_or(Header::Other, |&known| Header::at(known));
        }
        let (Some(row), Some(first)) = (BY_LENGTH.get(name.len()), name.first()) else {
            return Header::Other;
        };
        for &known in row {
            let Some(candidate) = Header::NAMES.get(usize::from(known)) else { break };
            if candidate.as_bytes().first().map(|b| b | 0x20) == Some(first | 0x20) {
                visit(name.len());
                if candidate.as_bytes().eq_ignore_ascii_case(name) {
                    return Header::at(known);
                }
            }
        }
        Header::Other
    }

    fn at(known: u8) -> Header {
        Header::KNOWN.get(usize::from(known)).copied().unwrap_or(Header::Other)
    }

    /// Whether a message may hold it at most once (RFC 3261 7.3.1 and the tables of the RFCs that
    /// define it), of those that anything here depends on.
    pub fn is_single(self) -> bool {
        matches!(
            self,
            Header::From
                | Header::To
                | Header::CallId
                | Header::CSeq
                | Header::MaxForwards
                | Header::ContentLength
                | Header::ContentType
                | Header::Expires
                | Header::MinExpires
                | Header::Event
                | Header::SubscriptionState
                | Header::SessionExpires
                | Header::MinSe
                | Header::RAck
                | Header::RSeq
                | Header::ReferTo
                | Header::ReferredBy
                | Header::Replaces
                | Header::RetryAfter
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_every_case() {
        for &header in Header::KNOWN {
            let name = header.name();
            for text in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert_eq!(Header::of_name(text.as_bytes()), header, "{text}");
            }
        }
    }

    #[test]
    fn compact_forms_are_the_registered_ones() {
        let forms = "aAccept-Contact bReferred-By cContent-Type dRequest-Disposition \
                     eContent-Encoding fFrom iCall-ID jReject-Contact kSupported lContent-Length \
                     mContact nIdentity-Info oEvent rRefer-To sSubject tTo uAllow-Events vVia \
                     xSession-Expires yIdentity";
        for form in forms.split_whitespace() {
            let (letter, name) = form.split_at(1);
            assert_eq!(Header::of_name(letter.as_bytes()).name(), name);
            assert_eq!(Header::of_name(letter.to_uppercase().as_bytes()).name(), name);
        }
        assert_eq!(Header::of_name(b"g"), Header::Other);
        assert_eq!(Header::of_name(b"1"), Header::Other);
    }

    #[test]
    fn unknown_names_are_other() {
        for name in ["", "X-Via", "Vias", "C%6Fntact", "An-Extension-Name-That-Is-Quite-Long"] {
            assert_eq!(Header::of_name(name.as_bytes()), Header::Other, "{name}");
        }
    }
}
