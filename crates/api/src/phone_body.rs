//! `/phone/` as JSON: what is shown, what may be written (API reference 7 and decision 23).

use model::{AuthType, DisplayName, Extension, Phone, Secret};
use serde::Serialize;

use crate::error::ApiError;
use crate::fields::{Change, Fields};
use crate::limits;

const AUTH_TYPES: &[(&str, AuthType)] =
    &[("digest", AuthType::Digest), ("network", AuthType::Network), ("both", AuthType::Both)];
const RECORD_FORMATS: &[(&str, &str)] = &[("mp3", "mp3"), ("wav", "wav")];

/// A phone as it is shown.
#[derive(Serialize)]
pub(crate) struct PhoneBody<'a> {
    extension_id: u64,
    label: &'a str,
    /// What to put into the SIP phone as its user; ours.
    login: &'a str,
    /// Null for users that may only read.
    password: Option<&'a str>,
    auth_type: &'static str,
    incoming_limit: Option<u32>,
    ring_timeout: u16,
    announce_sound_upon_outgoing_call: Option<u64>,
    announce_sound_upon_incoming_call: Option<u64>,
    append_to_cid_name_on_transfer: Option<&'a str>,
    call_screening_enabled: bool,
    conference_announce_caller_name: bool,
    conference_end_on_exit: bool,
    conference_pin: Option<&'a str>,
    allow_webrtc: bool,
    record_enabled: bool,
    record_transfer: bool,
    record_format: Option<&'a str>,
    record_stereo: bool,
    hold_music: Option<u64>,
    ringback_sound: Option<u64>,
    geo_list: Option<&'a str>,
    /// Whether one is set; the PIN itself is never read back.
    replace_pin_set: bool,
    vm_enabled: bool,
    vm_pin: Option<&'a str>,
    vm_greeting: Option<u64>,
    vm_attach_file: bool,
    vm_mailto: Option<&'a str>,
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
            ring_timeout: phone.ring_timeout_s(),
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
            record_format: shown.record_format.as_deref(),
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
    record_format: Option<&'static str>,
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
    pub(crate) fn of(fields: &Fields) -> Result<PhoneChange, ApiError> {
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
            vm_mailto: mailto(fields)?,
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
        if let Some(format) = self.record_format {
            shown.record_format = Some(format.to_owned());
        }
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

/// Voicemail goes out by the configured mail relay, and none can be configured yet.
fn mailto(fields: &Fields) -> Result<Change<String>, ApiError> {
    fields
        .text_change("vm_mailto", limits::TEXT_CHARS_MAX)?
        .try_map(|_| Err(ApiError::invalid("vm_mailto", "this installation has no mail relay")))
}
