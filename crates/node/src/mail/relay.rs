//! The relay: what the operator says of it, and one SMTP session with it (RFC 5321).

use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;

use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use lettre::message::{Attachment, Body, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use model::Secret;
use thiserror::Error;

use super::{Outgoing, Untaken};
use crate::limits;

/// Where mail goes out, as the operator has set it.
#[derive(Clone, Debug)]
pub struct MailSettings {
    host: String,
    port: u16,
    security: Security,
    login: Option<(String, Secret)>,
    from: Mailbox,
}

/// How a session is kept from others' eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Security {
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// STARTTLS, or no mail.
    Required,
    /// STARTTLS where the relay offers it.
    Offered,
}

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct BadMailSettings {
    /// Which one.
    pub setting: &'static str,
    /// What is wrong with it, without its secret.
    pub why: String,
}

impl MailSettings {
    /// Reads `smtp`, `smtp://USER:PASSWORD@HOST:PORT` or `smtps://...`, and `smtp_from`.
    ///
    /// With `smtps` TLS comes first, on port 465. With `smtp` it is begun by STARTTLS: always where
    /// a password is sent to another machine, on port 587; else where the relay offers it, on
    /// port 25. User and password are percent-encoded where they hold `:`, `@`, `/` or `%`.
    pub fn parse(url: &str, from: Option<&str>) -> Result<MailSettings, BadMailSettings> {
        let bad = |why: &str| BadMailSettings { setting: "smtp", why: why.to_owned() };
        let form = || bad("must be smtp://USER:PASSWORD@HOST:PORT or smtps://...");
        let (scheme, rest) = url.split_once("://").ok_or_else(form)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let login = login.map(|login| {
            let (user, password) = login.split_once(':').ok_or_else(form)?;
            let (user, password) = decoded(user).zip(decoded(password)).ok_or_else(form)?;
            Ok((user, Secret::new(&password)))
        });
        let login = login.transpose()?;
        let (host, port) = host_and_port(place).ok_or_else(form)?;
        let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        let (security, usual) = match (scheme, &login) {
            ("smtps", _) => (Security::Implicit, 465),
            ("smtp", Some(_)) if !is_here => (Security::Required, 587),
            ("smtp", Some(_)) => (Security::Offered, 587),
            ("smtp", None) => (Security::Offered, 25),
            _ => return Err(form()),
        };
        let bad_from = |why: &str| BadMailSettings { setting: "smtp_from", why: why.to_owned() };
        let from =
            from.ok_or_else(|| bad_from("needed for `smtp`: the address that mail comes from"))?;
        let from = from
            .parse()
            .map_err(|_| bad_from("must be a mail address, such as PBX <pbx@example.com>"))?;
        Ok(MailSettings { host, port: port.unwrap_or(usual), security, login, from })
    }

    /// As it may be shown: without the password.
    pub fn shown(&self) -> String {
        let scheme = if self.security == Security::Implicit { "smtps" } else { "smtp" };
        let login = self.login.as_ref().map_or(String::new(), |(user, _)| format!("{user}:***@"));
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{scheme}://{login}{host}:{} from {}", self.port, self.from)
    }
}

/// `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`.
fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':').or(port.is_empty().then_some(""))?)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let good = !host.is_empty() && !host.contains(['/', '?', '#', ' ']);
    let port = if port.is_empty() { None } else { Some(port.parse().ok().filter(|p| *p > 0)?) };
    good.then(|| (host.to_owned(), port))
}

/// Percent-decoded text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| char::from(b?).to_digit(16).and_then(|d| u8::try_from(d).ok());
        bytes.push(digit(rest.next())? << 4 | digit(rest.next())?);
    }
    String::from_utf8(bytes).ok()
}

/// The relay.
pub(crate) struct Relay {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Relay {
    /// A relay that is asked when there is mail; `roots`: a PEM file with roots that are believed
    /// besides the system's.
    pub(crate) fn new(settings: &MailSettings, roots: Option<&Path>) -> Result<Relay, String> {
        let mut tls = TlsParameters::builder(settings.host.clone());
        if let Some(path) = roots {
            let pem = std::fs::read(path).map_err(|error| error.to_string())?;
            tls = tls.add_root_certificate(Certificate::from_pem(&pem).map_err(|e| told(&e))?);
        }
        let tls = tls.build().map_err(|error| told(&error))?;
        let tls = match settings.security {
            Security::Implicit => Tls::Wrapper(tls),
            Security::Required => Tls::Required(tls),
            Security::Offered => Tls::Opportunistic(tls),
        };
        let from = settings.from.clone();
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(limits::MAIL_STEP_TIME))
            .hello_name(ClientId::Domain(from.email.domain().to_owned()));
        if let Some((user, password)) = &settings.login {
            let login = Credentials::new(user.clone(), password.expose().to_owned());
            transport = transport.credentials(login);
        }
        Ok(Relay { transport: transport.build(), from })
    }

    /// Brings a mail to the relay. When it refuses one of several addresses for ever, the others
    /// get theirs.
    pub(crate) async fn send(&self, mail: &Outgoing) -> Result<(), Untaken> {
        let whole = self.attempt(mail, &mail.to).await;
        let Err(Untaken::Ever(why)) = whole else { return whole };
        if mail.to.len() < 2 {
            return Err(Untaken::Ever(why));
        }
        let mut best = Err(Untaken::Ever(why));
        for address in &mail.to {
            let taken = self.attempt(mail, std::slice::from_ref(address)).await;
            if taken.is_ok() {
                best = taken;
            }
        }
        best
    }

    async fn attempt(&self, mail: &Outgoing, to: &[String]) -> Result<(), Untaken> {
        let letter = self.letter(mail, to).map_err(Untaken::Ever)?;
        let session = tokio::time::timeout(limits::MAIL_TIME, self.transport.send(letter));
        match session.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_permanent() => Err(Untaken::Ever(told(&error))),
            Ok(Err(error)) => Err(Untaken::Yet(told(&error))),
            Err(_) => Err(Untaken::Yet("the relay is too slow".to_owned())),
        }
    }

    fn letter(&self, mail: &Outgoing, to: &[String]) -> Result<Message, String> {
        let since_epoch = std::time::Duration::from_micros(mail.date.0.unsigned_abs());
        let mut letter = Message::builder()
            .from(self.from.clone())
            .subject(&mail.subject)
            .date(SystemTime::UNIX_EPOCH + since_epoch)
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            .header(AutoSubmitted);
        for address in to {
            letter =
                letter.to(address.parse().map_err(|_| format!("{address:?} is no address"))?);
        }
        let text = SinglePart::plain(mail.text.clone());
        let letter = match &mail.attachment {
            None => letter.singlepart(text),
            Some((name, bytes)) => {
                let kind = ContentType::parse("audio/wav").map_err(|error| error.to_string())?;
                let coding = ContentTransferEncoding::Base64;
                let bytes = Body::new_with_encoding(bytes.clone(), coding)
                    .map_err(|_| "the sound cannot be coded".to_owned())?;
                let file = Attachment::new(name.clone()).body(bytes, kind);
                letter.multipart(MultiPart::mixed().singlepart(text).singlepart(file))
            }
        };
        letter.map_err(|error| told(&error))
    }
}

/// An error with its causes.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    crate::error::with_causes(error)
}

/// No answer is wanted, such as that somebody is on holiday (RFC 3834 5).
#[derive(Clone, Copy, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests;
