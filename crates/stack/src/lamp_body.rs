//! What NOTIFYs say of lamps: RFC 4235 4, RFC 3842 5.

use std::fmt::Write as _;

use leg::{DialogDirection, DialogStage, DialogState, LampState, LegId};
use model::TenantId;
use sip::escape_user;

use crate::core::Core;

/// What a body is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) tenant: TenantId,
    /// The URI that was subscribed to.
    pub(crate) entity: &'a str,
    /// The host of our URIs.
    pub(crate) domain: &'a str,
    pub(crate) version: u32,
}

/// Call-ID and both tags under which a dialog is shown. They lead an INVITE with Replaces to the
/// leg, and are not those of the dialog itself: who knows these could end it.
pub(crate) struct Shown {
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
    pub(crate) remote_tag: String,
}

impl Shown {
    /// Those of a leg.
    pub(crate) fn of(core: &Core, tenant: TenantId, leg: LegId) -> Shown {
        let (tenant, number) = (tenant.0.to_be_bytes(), leg.0.to_be_bytes());
        let hash = |which: &[u8]| core.nonces.hash(b"lamp", &[which, &tenant, &number]);
        Shown {
            call_id: format!("lamp-{}-{:016x}", leg.0, hash(b"call")),
            local_tag: format!("{:016x}", hash(b"local")),
            remote_tag: format!("{:016x}", hash(b"remote")),
        }
    }

    /// The leg that such a Call-ID names; whether it does so rightly, [`Shown::of`] says.
    pub(crate) fn leg(call_id: &str) -> Option<LegId> {
        call_id.strip_prefix("lamp-")?.split_once('-')?.0.parse().ok().map(LegId)
    }
}

/// The media type of a state and its text.
pub(crate) fn body(core: &Core, state: &LampState, about: About<'_>) -> (&'static str, String) {
    match state {
        LampState::Dialogs(dialogs) => {
            ("application/dialog-info+xml", dialog_info(core, dialogs, about))
        }
        LampState::Messages { new, old } => {
            let waiting = if *new > 0 { "yes" } else { "no" };
            let text = format!(
                "Messages-Waiting: {waiting}\r\nMessage-Account: {}\r\n\
                 Voice-Message: {new}/{old} (0/0)\r\n",
                about.entity
            );
            ("application/simple-message-summary", text)
        }
    }
}

fn dialog_info(core: &Core, dialogs: &[DialogState], about: About<'_>) -> String {
    let mut xml = String::with_capacity(256 + 512 * dialogs.len());
    let entity = escaped(about.entity);
    // Writing into a String cannot fail.
    let _ = write!(
        xml,
        "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" \
         version=\"{}\" state=\"full\" entity=\"{entity}\">\n",
        about.version
    );
    for dialog in dialogs {
        let _ = write!(xml, "<dialog id=\"{}\"", dialog.id);
        if let Some(leg) = dialog.leg {
            let shown = Shown::of(core, about.tenant, leg);
            let _ = write!(
                xml,
                " call-id=\"{}\" local-tag=\"{}\" remote-tag=\"{}\"",
                shown.call_id, shown.local_tag, shown.remote_tag
            );
        }
        let direction = match dialog.direction {
            DialogDirection::Initiator => "initiator",
            DialogDirection::Recipient => "recipient",
        };
        let stage = match dialog.stage {
            DialogStage::Trying => "trying",
            DialogStage::Early => "early",
            DialogStage::Confirmed => "confirmed",
            DialogStage::Terminated => "terminated",
        };
        let _ = write!(
            xml,
            " direction=\"{direction}\">\n<state>{stage}</state>\n<local><identity>{entity}\
             </identity><target uri=\"{entity}\"/></local>\n"
        );
        let remote = remote(dialog, about.domain);
        let name = escaped(dialog.remote.name.as_str());
        let display = if name.is_empty() || dialog.remote.private {
            String::new()
        } else {
            format!(" display=\"{name}\"")
        };
        let _ = write!(
            xml,
            "<remote><identity{display}>{remote}</identity><target uri=\"{remote}\"/></remote>\n\
             </dialog>\n"
        );
    }
    xml.push_str("</dialog-info>\n");
    xml
}

/// The URI of the other end; who hides is not told.
fn remote(dialog: &DialogState, domain: &str) -> String {
    match dialog.remote.number.as_ref().filter(|_| !dialog.remote.private) {
        Some(number) => {
            let mut uri = String::from("sip:");
            escape_user(number.as_str(), &mut uri);
            uri.push('@');
            uri.push_str(domain);
            escaped(&uri)
        }
        None => "sip:anonymous@anonymous.invalid".to_owned(),
    }
}

/// Text as XML holds it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
