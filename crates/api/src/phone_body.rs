//! `/phone/` as JSON: what is shown, what may be written (API reference 7 and decision 23).

use model::{AuthType, DisplayName, Extension, Phone, RecordFormat, Secret};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::document::{words, writable};
use crate::error::ApiError;
use crate::fields::{Change, Fields};
use crate::limits;
use crate::state::MailRelay;

const AUTH_TYPES: &[(&str, AuthType)] =
    &[("digest", AuthType::Digest), ("network", AuthType::Network), ("both", AuthType::Both)];
const RECORD_FORMATS: &[(&str, RecordFormat)] =
    &[("mp3", RecordFormat::Mp3), ("wav", RecordFormat::Wav), ("opus", RecordFormat::Opus)];

words! {
    /// How a phone proves who it is: by password, by its network, or by either. Stored, not used
    /// yet: every phone proves itself by its password.
    AuthTypeWord = "digest" | "network" | "both";
    /// What becomes of a recording when it is over. `wav`: it stays as it was recorded, linear
    /// samples, 58 MB an hour in one channel. `mp3`, the default: within a moment it is made MP3
    /// (`audio/mpeg`), a quarter of that. `opus`: Opus in Ogg (`audio/ogg`), a fifth or less.
    RecordFormatWord = "mp3" | "wav" | "opus";
}

/// A phone: what its extension's calls are handled by. Sounds are ids of the client's sounds; 0 is
/// none.
#[derive(Serialize, ToSchema)]
#[schema(as = Phone)]
pub(crate) struct PhoneBody<'a> {
    #[schema(read_only)]
    extension_id: u64,
    /// As in the extension.
    #[schema(max_length = 128)]
    label: &'a str,
    /// What to put into the SIP phone as its user.
    #[schema(read_only)]
    login: &'a str,
    /// What to put into the SIP phone as its password; null for users that may only read.
    #[schema(min_length = 8, max_length = 64)]
    password: Option<&'a str>,
    #[schema(value_type = AuthTypeWord, inline)]
    auth_type: &'static str,
    /// Calls that it is offered at a time.
    #[schema(minimum = 1, maximum = 1_000)]
    incoming_limit: Option<u32>,
    /// Seconds for which it rings. Null: 60, but 30 when an enabled rule may wait for the result.
    #[schema(minimum = 5, maximum = 180)]
    ring_timeout: Option<u16>,
    /// Played before an outgoing call. Stored, not used yet.
    announce_sound_upon_outgoing_call: Option<u64>,
    /// Played when an incoming call is answered. Stored, not used yet.
    announce_sound_upon_incoming_call: Option<u64>,
    /// Added to the caller's name on a transfer.
    #[schema(max_length = 255)]
    append_to_cid_name_on_transfer: Option<&'a str>,
    /// Whether the subscriber hears who calls and accepts with 1.
    call_screening_enabled: bool,
    /// Whether who joins the phone's conference is announced.
    conference_announce_caller_name: bool,
    /// Whether the conference ends when its owner leaves.
    conference_end_on_exit: bool,
    /// PIN of the conference.
    #[schema(min_length = 1, max_length = 10, pattern = "^[0-9]+$")]
    conference_pin: Option<&'a str>,
    /// Stored, not used yet.
    allow_webrtc: bool,
    /// Whether conversations are recorded.
    record_enabled: bool,
    /// Whether forwarded calls are recorded too.
    record_transfer: bool,
    #[schema(value_type = RecordFormatWord, inline)]
    record_format: &'static str,
    /// Whether recordings have the caller on the left and the called party on the right.
    record_stereo: bool,
    hold_music: Option<u64>,
    /// Stored, not used yet.
    ringback_sound: Option<u64>,
    /// Stored, not used yet.
    #[schema(max_length = 255)]
    geo_list: Option<&'a str>,
    /// Whether a PIN for replacing the phone is set; the PIN itself is never read back.
    #[schema(read_only)]
    replace_pin_set: bool,
    /// Whether it has a voicemail.
    vm_enabled: bool,
    #[schema(min_length = 4, max_length = 8, pattern = "^[0-9]+$")]
    vm_pin: Option<&'a str>,
    vm_greeting: Option<u64>,
    /// Whether the message itself goes with the mail.
    vm_attach_file: bool,
    /// Where messages are mailed to: an address, or several with commas between; needs a relay.
    #[schema(max_length = 255)]
    vm_mailto: Option<&'a str>,
    /// Whether codes dialled during a call are obeyed.
    keypad_codes: bool,
}

impl<'a> PhoneBody<'a> {
    /// `secrets`: the SIP password and the PINs, if the caller may see them.
    pub(crate) fn of(
        extension: &'a Extension,
        phone: &'a Phone,
        secrets: Secrets,
    ) -> PhoneBody<'a> {
        let shown = &phone.shown;
        let secret = |text: Option<&'a str>| text.filter(|_| secrets == Secrets::Shown);
        PhoneBody {
            extension_id: extension.id.0,
            label: extension.label.as_str(),
            login: phone.login.as_str(),
            password: secret(Some(phone.password.expose())),
            auth_type: auth_word(phone.auth_type),
            incoming_limit: phone.incoming_limit,
            ring_timeout: phone.ring_timeout_s,
            announce_sound_upon_outgoing_call: shown.announce_sound_upon_outgoing_call,
            announce_sound_upon_incoming_call: shown.announce_sound_upon_incoming_call,
            append_to_cid_name_on_transfer: shown.append_to_cid_name_on_transfer.as_deref(),
            call_screening_enabled: shown.call_screening_enabled,
            conference_announce_caller_name: shown.conference_announce_caller_name,
            conference_end_on_exit: shown.conference_end_on_exit,
            conference_pin: secret(shown.conference_pin.as_deref()),
            allow_webrtc: shown.allow_webrtc,
            record_enabled: shown.record_enabled,
            record_transfer: shown.record_transfer,
            record_format: shown.record_format.as_str(),
            record_stereo: shown.record_stereo,
            hold_music: shown.hold_music,
            ringback_sound: shown.ringback_sound,
            geo_list: shown.geo_list.as_deref(),
            replace_pin_set: shown.replace_pin.is_some(),
            vm_enabled: shown.vm_enabled,
            vm_pin: secret(shown.vm_pin.as_deref()),
            vm_greeting: shown.vm_greeting,
            vm_attach_file: shown.vm_attach_file,
            vm_mailto: shown.vm_mailto.as_deref(),
            keypad_codes: shown.keypad_codes,
        }
    }
}

/// Whether secrets are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    Shown,
    Hidden,
}

fn auth_word(auth: AuthType) -> &'static str {
    match auth {
        AuthType::Digest => "digest",
        AuthType::Network => "network",
        AuthType::Both => "both",
    }
}

/// What may be written of a phone. Sounds are ids of the client's sounds.
#[derive(Debug)]
pub(crate) struct PhoneChange {
    label: Option<DisplayName>,
    password: Option<Secret>,
    auth_type: Option<AuthType>,
    incoming_limit: Change<u64>,
    ring_timeout: Change<u64>,
    announce_sound_upon_outgoing_call: Change<u64>,
    announce_sound_upon_incoming_call: Change<u64>,
    append_to_cid_name_on_transfer: Change<String>,
    call_screening_enabled: Option<bool>,
    conference_announce_caller_name: Option<bool>,
    conference_end_on_exit: Option<bool>,
    conference_pin: Change<String>,
    allow_webrtc: Option<bool>,
    record_enabled: Option<bool>,
    record_transfer: Option<bool>,
    record_format: Option<RecordFormat>,
    record_stereo: Option<bool>,
    hold_music: Change<u64>,
    ringback_sound: Change<u64>,
    geo_list: Change<String>,
    replace_pin: Change<String>,
    vm_enabled: Option<bool>,
    vm_pin: Change<String>,
    vm_greeting: Change<u64>,
    vm_attach_file: Option<bool>,
    vm_mailto: Change<String>,
    keypad_codes: Option<bool>,
}

impl PhoneChange {
    pub(crate) fn of(fields: &Fields, mail: MailRelay) -> Result<PhoneChange, ApiError> {
        let text = |name: &str| fields.text_change(name, limits::TEXT_CHARS_MAX);
        let ring_timeout_s = u64::from(model::limits::RING_TIMEOUT_S_MIN)
            ..=u64::from(model::limits::RING_TIMEOUT_S_MAX);
        Ok(PhoneChange {
            label: fields.parsed("label", DisplayName::parse)?,
            password: password(fields)?,
            auth_type: fields.word("auth_type", AUTH_TYPES)?,
            incoming_limit: fields
                .number_change("incoming_limit", 1..=limits::INCOMING_LIMIT_MAX)?,
            ring_timeout: fields.number_change("ring_timeout", ring_timeout_s)?,
            announce_sound_upon_outgoing_call: fields
                .id_change("announce_sound_upon_outgoing_call")?,
            announce_sound_upon_incoming_call: fields
                .id_change("announce_sound_upon_incoming_call")?,
            append_to_cid_name_on_transfer: text("append_to_cid_name_on_transfer")?,
            call_screening_enabled: fields.flag("call_screening_enabled")?,
            conference_announce_caller_name: fields.flag("conference_announce_caller_name")?,
            conference_end_on_exit: fields.flag("conference_end_on_exit")?,
            conference_pin: fields.digits_change("conference_pin", 1..=10)?,
            allow_webrtc: fields.flag("allow_webrtc")?,
            record_enabled: fields.flag("record_enabled")?,
            record_transfer: fields.flag("record_transfer")?,
            record_format: fields.word("record_format", RECORD_FORMATS)?,
            record_stereo: fields.flag("record_stereo")?,
            hold_music: fields.id_change("hold_music")?,
            ringback_sound: fields.id_change("ringback_sound")?,
            geo_list: text("geo_list")?,
            replace_pin: replace_pin(fields)?,
            vm_enabled: fields.flag("vm_enabled")?,
            vm_pin: fields.digits_change("vm_pin", 4..=8)?,
            vm_greeting: fields.id_change("vm_greeting")?,
            vm_attach_file: fields.flag("vm_attach_file")?,
            vm_mailto: mailto(fields, mail)?,
            keypad_codes: fields.flag("keypad_codes")?,
        })
    }

    pub(crate) fn apply(self, to: &mut Extension) {
        let set = |from: Option<bool>, to: &mut bool| *to = from.unwrap_or(*to);
        if let Some(label) = self.label {
            to.label = label;
        }
        let Some(phone) = &mut to.phone else { return };
        if let Some(password) = self.password {
            phone.password = password;
        }
        phone.auth_type = self.auth_type.unwrap_or(phone.auth_type);
        small(self.incoming_limit).apply(&mut phone.incoming_limit);
        small(self.ring_timeout).apply(&mut phone.ring_timeout_s);
        let shown = &mut phone.shown;
        self.announce_sound_upon_outgoing_call.apply(&mut shown.announce_sound_upon_outgoing_call);
        self.announce_sound_upon_incoming_call.apply(&mut shown.announce_sound_upon_incoming_call);
        self.append_to_cid_name_on_transfer.apply(&mut shown.append_to_cid_name_on_transfer);
        set(self.call_screening_enabled, &mut shown.call_screening_enabled);
        set(self.conference_announce_caller_name, &mut shown.conference_announce_caller_name);
        set(self.conference_end_on_exit, &mut shown.conference_end_on_exit);
        self.conference_pin.apply(&mut shown.conference_pin);
        set(self.allow_webrtc, &mut shown.allow_webrtc);
        set(self.record_enabled, &mut shown.record_enabled);
        set(self.record_transfer, &mut shown.record_transfer);
        shown.record_format = self.record_format.unwrap_or(shown.record_format);
        set(self.record_stereo, &mut shown.record_stereo);
        self.hold_music.apply(&mut shown.hold_music);
        self.ringback_sound.apply(&mut shown.ringback_sound);
        self.geo_list.apply(&mut shown.geo_list);
        match self.replace_pin {
            Change::Keep => {}
            Change::Empty => shown.replace_pin = None,
            Change::To(pin) => shown.replace_pin = Some(Secret::new(&pin)),
        }
        set(self.vm_enabled, &mut shown.vm_enabled);
        self.vm_pin.apply(&mut shown.vm_pin);
        self.vm_greeting.apply(&mut shown.vm_greeting);
        set(self.vm_attach_file, &mut shown.vm_attach_file);
        self.vm_mailto.apply(&mut shown.vm_mailto);
        set(self.keypad_codes, &mut shown.keypad_codes);
    }
}

impl PartialSchema for PhoneChange {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<PhoneBody<'_>>();
        let pin = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .pattern(Some("^([0-9]{4,8})?$"))
            .write_only(true)
            .description(Some("PIN for replacing the phone; null or empty: replacing is refused."));
        object.properties.insert("replace_pin".to_owned(), pin.into());
        object.description = Some("Fields of a phone that shall change.".to_owned());
        object.into()
    }
}

impl ToSchema for PhoneChange {}

/// A number whose bounds were checked, as the smaller type that holds them.
fn small<T: TryFrom<u64>>(change: Change<u64>) -> Change<T> {
    match change {
        Change::Keep => Change::Keep,
        Change::Empty => Change::Empty,
        Change::To(n) => T::try_from(n).map_or(Change::Keep, Change::To),
    }
}

/// Printable and long enough; a phone without a password would be everybody's.
fn password(fields: &Fields) -> Result<Option<Secret>, ApiError> {
    let Some(text) = fields.text("password", limits::SIP_PASSWORD_CHARS_MAX)? else {
        return Ok(None);
    };
    if text.len() < limits::SIP_PASSWORD_CHARS_MIN {
        let min = limits::SIP_PASSWORD_CHARS_MIN;
        let why = format_args!("must have at least {min} characters");
        return Err(ApiError::invalid("password", why));
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        let why = "must be of printable ASCII characters without spaces";
        return Err(ApiError::invalid("password", why));
    }
    Ok(Some(Secret::new(&text)))
}

/// The PIN is not shown, so nobody sends back a null that was read: here it means that replacing
/// is refused from now on (decision 23).
fn replace_pin(fields: &Fields) -> Result<Change<String>, ApiError> {
    if fields.is_null("replace_pin") {
        return Ok(Change::Empty);
    }
    fields.digits_change("replace_pin", 4..=8)
}

/// Voicemail goes out by the configured mail relay.
fn mailto(fields: &Fields, mail: MailRelay) -> Result<Change<String>, ApiError> {
    fields.text_change("vm_mailto", limits::TEXT_CHARS_MAX)?.try_map(|text| {
        let refused = |why: &str| Err(ApiError::invalid("vm_mailto", why));
        if mail == MailRelay::None {
            return refused("this installation has no mail relay");
        }
        let addresses: Vec<&str> = text.split(',').map(str::trim).collect();
        if addresses.len() > limits::MAIL_ADDRESSES_MAX {
            return refused("must name at most 5 addresses");
        }
        if !addresses.iter().all(|address| is_mail_address(address)) {
            return refused("must be a mail address, or several with commas between");
        }
        Ok(addresses.join(","))
    })
}

/// Whether a relay could take it: a name, an at-sign and a domain (RFC 5321 4.1.2, without quoted
/// names and addresses in brackets, which nobody has).
fn is_mail_address(text: &str) -> bool {
    let Some((name, domain)) = text.rsplit_once('@') else { return false };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (1..=64).contains(&name.len())
        && name.split('.').all(|part| !part.is_empty() && part.chars().all(is_name))
        && domain.len() <= 253
        && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::properties;

    #[test]
    fn the_document_names_exactly_the_fields_that_are_read() {
        let fields = Fields::parse(b"{}").unwrap();
        PhoneChange::of(&fields, MailRelay::None).unwrap();
        assert_eq!(fields.asked(), properties::<PhoneChange>());
    }

    #[test]
    fn mail_addresses_are_told_from_what_is_none() {
        for good in ["a@b", "anna.maria+pbx@mail.example.com", "o'hara@xn--80ak6aa92e.com"] {
            assert!(is_mail_address(good), "{good}");
        }
        let long = format!("{}@b", "a".repeat(65));
        for bad in
            ["", "a", "@b", "a@", "a@b@c", "a b@c", "a..b@c", "a@b..c", "a@-b", "<a@b>", &long]
        {
            assert!(!is_mail_address(bad), "{bad}");
        }
    }
}
