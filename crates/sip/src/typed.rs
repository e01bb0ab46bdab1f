//! The headers of a message by their meaning, read when asked for.

use crate::address::{Contact, NameAddr};
use crate::cursor::{Bad, Cursor, VALUE, decimal, is};
use crate::digest::{Challenge, Credentials};
use crate::error::{UriError, ValueError};
use crate::headers::{
    CSeq, Delta, Identity, Info, MediaType, RAck, Reason, Replaces, SessionExpires, Warning, Word,
    privacy_values,
};
use crate::list::{List, Tokens};
use crate::message::{AddressAt, At, CSeqAt, CredentialsAt, Message, Party, StartLine, ViaAt};
use crate::name::Header;
use crate::uri::Uri;
use crate::via::Via;

/// The value of a header that is there at most once: `Ok(None)` when it is missing.
pub type Maybe<T> = Result<Option<T>, ValueError>;

impl Message {
    /// The Request-URI; an error also for a response.
    pub fn uri(&self) -> Result<Uri<'_>, UriError> {
        match self.start() {
            StartLine::Request { uri, .. } => match self.uri_text() {
                Some(text) => Uri::parse(text),
                None => Uri::from_bytes(uri),
            },
            StartLine::Response { .. } => Err(UriError { offset: 0, expected: "a request" }),
        }
    }

    /// All Vias, topmost first.
    pub fn vias(&self) -> List<'_, Via<'_>> {
        self.list(Header::Via, Via::take)
    }

    /// The topmost Via.
    pub fn top_via(&self) -> Result<Via<'_>, ValueError> {
        let (memo, raw) = self.memo();
        if let Some(via) = memo.via.get().and_then(|at| at.via(raw)) {
            return Ok(via);
        }
        let missing = ValueError { header: Header::Via, offset: 0, expected: "a Via" };
        let via = self.vias().next().unwrap_or(Err(missing))?;
        memo.via.set(ViaAt::of(raw, &via));
        Ok(via)
    }

    /// From.
    pub fn from(&self) -> Result<NameAddr<'_>, ValueError> {
        let (memo, raw) = self.memo();
        if let Some(from) = memo.from.get().and_then(|at| at.address(raw)) {
            return Ok(from);
        }
        let from = self.needed(Header::From, NameAddr::take, "a From");
        self.note_tag(Party::From, from.as_ref().ok().and_then(|from| from.tag));
        memo.from.set(from.as_ref().ok().and_then(|from| AddressAt::of(raw, from)));
        from
    }

    /// The tag of From; `None`: it has none, or cannot be read.
    pub fn from_tag(&self) -> Option<&str> {
        self.tag_of(Party::From, |message| message.from().ok()?.tag)
    }

    /// To.
    pub fn to(&self) -> Result<NameAddr<'_>, ValueError> {
        let (memo, raw) = self.memo();
        if let Some(to) = memo.to.get().and_then(|at| at.address(raw)) {
            return Ok(to);
        }
        let to = self.needed(Header::To, NameAddr::take, "a To");
        self.note_tag(Party::To, to.as_ref().ok().and_then(|to| to.tag));
        memo.to.set(to.as_ref().ok().and_then(|to| AddressAt::of(raw, to)));
        to
    }

    /// The tag of To; `None`: it has none, or cannot be read.
    pub fn to_tag(&self) -> Option<&str> {
        self.tag_of(Party::To, |message| message.to().ok()?.tag)
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<CSeq<'_>, ValueError> {
        let (memo, raw) = self.memo();
        if let Some(cseq) = memo.cseq.get().and_then(|at| at.cseq(raw)) {
            return Ok(cseq);
        }
        let cseq = self.needed(Header::CSeq, CSeq::take, "a CSeq")?;
        memo.cseq.set(CSeqAt::of(raw, &cseq));
        Ok(cseq)
    }

    /// Call-ID.
    pub fn call_id(&self) -> Result<&str, ValueError> {
        let (memo, raw) = self.memo();
        if let Some(call_id) = memo.call_id.get().and_then(|at| at.text(raw)) {
            return Ok(call_id);
        }
        let call_id = self.needed(Header::CallId, take_call_id, "a Call-ID")?;
        memo.call_id.set(At::of(raw, call_id.as_bytes()));
        Ok(call_id)
    }

    /// All Contacts.
    pub fn contacts(&self) -> List<'_, Contact<'_>> {
        self.list(Header::Contact, Contact::take)
    }

    /// The first Contact as an address, as dialogs need it.
    pub fn contact(&self) -> Maybe<NameAddr<'_>> {
        self.contacts().next().transpose().map(|c| c.and_then(|c| c.address().copied()))
    }

    /// All addresses of a header whose values are addresses: Route, Record-Route, Path,
    /// Service-Route, P-Asserted-Identity, P-Preferred-Identity, Diversion, Remote-Party-ID,
    /// History-Info.
    pub fn addresses(&self, header: Header) -> List<'_, NameAddr<'_>> {
        self.list(header, NameAddr::take)
    }

    /// The only address of a header: Refer-To, Referred-By, Reply-To.
    pub fn address(&self, header: Header) -> Maybe<NameAddr<'_>> {
        self.single(header, NameAddr::take)
    }

    /// A number alone: Expires, Min-Expires, RSeq, Content-Length.
    pub fn number(&self, header: Header) -> Maybe<u32> {
        let Some(value) = self.value(header) else { return Ok(None) };
        match decimal(value).and_then(|n| u32::try_from(n).ok()) {
            Some(n) => Ok(Some(n)),
            None => Err(ValueError { header, offset: 0, expected: "a number below 2^32" }),
        }
    }

    /// Max-Forwards: 0 to 255.
    pub fn max_forwards(&self) -> Maybe<u8> {
        self.single(Header::MaxForwards, |c| {
            let n = c.take_number(255, "a number from 0 to 255")?;
            Ok(u8::try_from(n).unwrap_or(u8::MAX))
        })
    }

    /// Expires.
    pub fn expires(&self) -> Maybe<u32> {
        self.number(Header::Expires)
    }

    /// The tokens of Allow, Supported, Require, Proxy-Require, Unsupported, Allow-Events,
    /// Content-Encoding.
    pub fn tokens(&self, header: Header) -> Tokens<'_> {
        Tokens::new(self.values(header))
    }

    /// Whether such a header names a token: an option tag, a method. Any case.
    pub fn has_token(&self, header: Header, token: &str) -> bool {
        self.tokens(header).any(|t| t.eq_ignore_ascii_case(token))
    }

    /// Content-Type.
    pub fn content_type(&self) -> Maybe<MediaType<'_>> {
        self.single(Header::ContentType, MediaType::take)
    }

    /// Content-Disposition.
    pub fn content_disposition(&self) -> Maybe<Word<'_>> {
        self.single(Header::ContentDisposition, Word::take)
    }

    /// The media types of Accept. An empty Accept accepts nothing.
    pub fn accepts(&self) -> List<'_, MediaType<'_>> {
        self.list(Header::Accept, MediaType::take)
    }

    /// All Reasons (RFC 3326).
    pub fn reasons(&self) -> List<'_, Reason<'_>> {
        self.list(Header::Reason, Reason::take)
    }

    /// All Warnings.
    pub fn warnings(&self) -> List<'_, Warning<'_>> {
        self.list(Header::Warning, Warning::take)
    }

    /// The values of Call-Info or Alert-Info.
    pub fn infos(&self, header: Header) -> List<'_, Info<'_>> {
        self.list(header, Info::take)
    }

    /// All Identity tokens (RFC 8224).
    pub fn identities(&self) -> List<'_, Identity<'_>> {
        self.list(Header::Identity, Identity::take)
    }

    /// The values of Privacy (RFC 3323); compare in any case.
    pub fn privacy(&self) -> impl Iterator<Item = &str> {
        self.values(Header::Privacy).flat_map(privacy_values)
    }

    /// Replaces.
    pub fn replaces(&self) -> Maybe<Replaces<'_>> {
        self.single(Header::Replaces, Replaces::take)
    }

    /// Retry-After.
    pub fn retry_after(&self) -> Maybe<Delta<'_>> {
        self.single(Header::RetryAfter, Delta::take_retry_after)
    }

    /// RAck.
    pub fn rack(&self) -> Maybe<RAck<'_>> {
        self.single(Header::RAck, RAck::take)
    }

    /// Session-Expires.
    pub fn session_expires(&self) -> Maybe<SessionExpires> {
        self.single(Header::SessionExpires, SessionExpires::take)
    }

    /// Min-SE, seconds.
    pub fn min_se(&self) -> Maybe<u32> {
        Ok(self.single(Header::MinSe, Delta::take)?.map(|d| d.seconds))
    }

    /// Event (RFC 6665).
    pub fn event(&self) -> Maybe<Word<'_>> {
        self.single(Header::Event, Word::take)
    }

    /// Subscription-State (RFC 6665).
    pub fn subscription_state(&self) -> Maybe<Word<'_>> {
        self.single(Header::SubscriptionState, Word::take)
    }

    /// The digest credentials of Authorization or Proxy-Authorization, one per line. Those of
    /// other schemes and unreadable ones are passed over: they count as none (RFC 3261 22.1).
    pub fn credentials(&self, header: Header) -> impl Iterator<Item = Credentials<'_>> {
        let mut values = self.values(header);
        let cursors = core::iter::from_fn(move || values.next_cursor());
        cursors.filter_map(|value| Credentials::read(value).ok())
    }

    /// Those of Authorization for this realm, the first if there are several.
    pub fn credentials_for(&self, realm: &str) -> Option<Credentials<'_>> {
        let (memo, raw) = self.memo();
        let known = memo.credentials.get().and_then(|at| at.credentials(raw));
        if let Some(known) = known.filter(|known| known.realm == realm) {
            return Some(known);
        }
        let found = self.credentials(Header::Authorization).find(|c| c.realm == realm)?;
        memo.credentials.set(CredentialsAt::of(raw, &found));
        Some(found)
    }

    /// The digest challenges of WWW-Authenticate or Proxy-Authenticate, one per line; others are
    /// passed over.
    pub fn challenges(&self, header: Header) -> impl Iterator<Item = Challenge<'_>> {
        self.values(header).filter_map(|v| Challenge::parse(v).ok())
    }

    fn list<'a, T>(
        &'a self,
        header: Header,
        take: fn(&mut Cursor<'a>) -> Result<T, Bad>,
    ) -> List<'a, T> {
        List::new(self.values(header), header, take)
    }

    fn single<'a, T>(
        &'a self,
        header: Header,
        take: impl FnOnce(&mut Cursor<'a>) -> Result<T, Bad>,
    ) -> Maybe<T> {
        let Some(mut c) = self.values(header).next_cursor() else { return Ok(None) };
        let read = take(&mut c).and_then(|found| {
            c.skip_lws();
            if c.at_end() { Ok(found) } else { c.fail("the end of the value") }
        });
        read.map(Some).map_err(|bad| bad.of(header))
    }

    fn needed<'a, T>(
        &'a self,
        header: Header,
        take: impl FnOnce(&mut Cursor<'a>) -> Result<T, Bad>,
        expected: &'static str,
    ) -> Result<T, ValueError> {
        self.single(header, take)?.ok_or(ValueError { header, offset: 0, expected })
    }
}

/// One word of visible characters. Wider than the grammar's `word`: it is compared, never used.
fn take_call_id<'a>(c: &mut Cursor<'a>) -> Result<&'a str, Bad> {
    let all = c.rest();
    crate::work::visit(all.len());
    let visible = |&b: &u8| is(b, VALUE) || b";,\"<>".contains(&b);
    if all.is_empty() || !all.iter().all(visible) {
        return c.fail("a word of visible characters");
    }
    c.finish();
    c.text(all, "UTF-8")
}
