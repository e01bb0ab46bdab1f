//! One call as JSON text, rendered once for each state of it.

use leg::{CallView, ExtensionRef};
use serde::Serialize;
use utoipa::ToSchema;

use crate::document::words;

words! {
    /// From the extension, or to it.
    CallFlowWord = "in" | "out";
}

/// Calls that are up.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the document's name for what is put together of texts")]
pub(crate) struct CallList {
    call_list: Vec<CallBody<'static>>,
}

/// A call, as one extension takes part in it.
#[derive(Serialize, ToSchema)]
#[schema(as = Call)]
pub(crate) struct CallBody<'a> {
    /// Names the call in other resources; the same for the whole call.
    #[schema(example = "3232240860-37b98fb2-a66c-11ea-ae69-6fd86d94a0e0")]
    call_api_id: Option<String>,
    #[schema(value_type = Option<CallFlowWord>, inline)]
    call_flow: Option<&'static str>,
    /// What was dialled; of who was sent to a room or a service, what leads there.
    called_number: &'a str,
    /// The outside number that was called.
    called_did: Option<&'a str>,
    caller_id_number: &'a str,
    caller_id_name: &'a str,
    caller_extension: Option<ExtensionObject<'a>>,
    called_extension: Option<ExtensionObject<'a>>,
    #[schema(example = "2021-01-01 16:29:38")]
    init_time_gmt: String,
    /// Null while it rings.
    answer_time_gmt: Option<String>,
    record_uuid: Option<&'a str>,
    /// False: the extension does not talk itself; it has forwarded the call.
    real_call: bool,
    extension_id: Option<u64>,
    callback_id: Option<&'a str>,
    subcall_id: &'a str,
    call_id: Option<String>,
}

/// An extension that takes part in a call.
#[derive(Serialize, ToSchema)]
#[schema(as = CallExtension)]
pub(crate) struct ExtensionObject<'a> {
    #[schema(example = "0003*100")]
    name: &'a str,
    id: u64,
    client_id: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    extension_group_id: Option<u64>,
}

impl<'a> ExtensionObject<'a> {
    pub(crate) fn of(extension: &'a ExtensionRef) -> ExtensionObject<'a> {
        ExtensionObject {
            name: &extension.name,
            id: extension.id.0,
            client_id: extension.client_id.0,
            kind: extension.kind,
            extension_group_id: extension.group.map(|g| g.0),
        }
    }
}

/// The JSON text of a call. A view never changes, so it is made at most once.
pub(crate) fn text(view: &CallView) -> &str {
    view.rendered.get_or_init(|| {
        let body = CallBody {
            call_api_id: view.call_api_id.map(|id| id.to_string()),
            call_flow: view.flow.map(|flow| flow.as_str()),
            called_number: &view.called_number,
            called_did: view.called_did.as_deref(),
            caller_id_number: &view.caller_id_number,
            caller_id_name: &view.caller_id_name,
            caller_extension: view.caller_extension.as_ref().map(ExtensionObject::of),
            called_extension: view.called_extension.as_ref().map(ExtensionObject::of),
            init_time_gmt: view.init_time.to_string(),
            answer_time_gmt: view.answer_time.map(|time| time.to_string()),
            record_uuid: view.record_uuid.as_deref(),
            real_call: view.real_call,
            extension_id: view.extension.as_ref().map(|e| e.id.0),
            callback_id: view.callback_id.as_deref(),
            subcall_id: &view.subcall_id,
            call_id: view.call_api_id.map(|id| id.uuid.hex()),
        };
        serde_json::to_string(&body).expect("a struct of texts and numbers is JSON").into()
    })
}
