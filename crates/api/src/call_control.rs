//! `PUT /current_calls/{call_api_id}`: what a program does with a call.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use leg::{CallAction, CallView, Command, MonitorMode, Reply};
use model::{CallUuid, Number};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::call_views::{self, CallBody};
use crate::current_calls::{self, CallPath};
use crate::document::words;
use crate::error::{ApiError, ErrorBody};
use crate::fields::Fields;
use crate::rule_body::no_target;
use crate::state::Api;
use crate::target::ExtensionTarget;

/// Does something with a call
///
/// As the extension in the path. Answered when the switch has accepted it; a refused action
/// changes nothing. `transfer`: the far party is sent to `send_dst`; without one a consultation is
/// completed. `attended_transfer`: the far party waits while the extension talks to `send_dst`;
/// `offhold` returns to it. `eavesdrop`, `whisper`, `conference`: `send_dst` is called; who answers
/// there hears the call, and is heard by nobody, by the extension, by both. `hold` and `offhold`:
/// the far party hears music, and no more. `park`: the far party waits in the first free slot.
/// `pickup`: `send_dst` is called; who answers there gets the call.
#[utoipa::path(
    put,
    path = "/api/ver1.0/extension/{extension_id}/current_calls/{call_api_id}",
    tag = "current_calls",
    request_body = ControlBody,
    responses(
        (status = 200, description = "The call as it is now; of one that has ended with the \
            action, as it was.", body = ControlledBody),
        (status = 403, description = "The number may not be called, or the action not be done \
            (`forbidden`); or the token has no right to it.", body = ErrorBody),
        (status = 409, description = "The call is in no state for it; `status` says in which it \
            is.", body = ErrorBody),
    ),
)]
pub(crate) async fn control(
    State(api): State<Api>,
    target: ExtensionTarget,
    Path(path): Path<CallPath>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let action = action(&fields)?;
    if let Some(why) = send_dst_of(&action).and_then(|number| no_target(number, &target)) {
        return Err(fields.invalid("send_dst", why));
    }
    let Controlled { call, slot, .. } = put(&api, &target, &path, action).await?;
    let mut text = call_views::text(&call).to_owned();
    if let Some(slot) = slot {
        // A call's text is an object with fields.
        text.pop();
        text.push_str(&format!(",\"slot\":\"{slot}\"}}"));
    }
    Ok(current_calls::json(text))
}

/// What became of an action.
pub(crate) struct Controlled {
    pub(crate) call: Arc<CallView>,
    pub(crate) slot: Option<u8>,
    pub(crate) parked: Option<CallUuid>,
}

/// Puts an action to the owner of the call.
pub(crate) async fn put(
    api: &Api,
    target: &ExtensionTarget,
    path: &CallPath,
    action: CallAction,
) -> Result<Controlled, ApiError> {
    let command = Command::Control {
        extension: target.extension.id,
        call: path.call()?,
        action,
        program: Arc::new(target.caller.program()),
    };
    match api.command(target.caller.tenant(), command).await? {
        Reply::Controlled { call, slot, parked } => Ok(Controlled { call, slot, parked }),
        other => Err(ApiError::of_reply(&other)),
    }
}

#[derive(Clone, Copy)]
enum Word {
    Transfer,
    AttendedTransfer,
    Monitor(MonitorMode),
    Hold,
    Offhold,
    Park,
    Pickup,
}

const ACTIONS: [(&str, Word); 9] = [
    ("transfer", Word::Transfer),
    ("attended_transfer", Word::AttendedTransfer),
    ("eavesdrop", Word::Monitor(MonitorMode::Eavesdrop)),
    ("whisper", Word::Monitor(MonitorMode::Whisper)),
    ("conference", Word::Monitor(MonitorMode::Conference)),
    ("hold", Word::Hold),
    ("offhold", Word::Offhold),
    ("park", Word::Park),
    ("pickup", Word::Pickup),
];

words! {
    /// What shall be done.
    CallActionWord = "transfer" | "attended_transfer" | "eavesdrop" | "whisper" | "conference"
        | "hold" | "offhold" | "park" | "pickup";
}

/// The action that a body asks for (decision 8: a number is read only where one is needed).
fn action(fields: &Fields) -> Result<CallAction, ApiError> {
    let word = fields.word("action", &ACTIONS)?;
    Ok(match word.ok_or_else(|| fields.invalid("action", "is required"))? {
        Word::Transfer => CallAction::Transfer(fields.dialled("send_dst")?),
        Word::AttendedTransfer => CallAction::AttendedTransfer(send_dst(fields)?),
        Word::Monitor(mode) => CallAction::Monitor(mode, send_dst(fields)?),
        Word::Hold => CallAction::Hold,
        Word::Offhold => CallAction::Offhold,
        Word::Park => CallAction::Park(None),
        Word::Pickup => CallAction::Pickup(send_dst(fields)?),
    })
}

fn send_dst_of(action: &CallAction) -> Option<&Number> {
    match action {
        CallAction::Transfer(number) => number.as_ref(),
        CallAction::AttendedTransfer(number)
        | CallAction::Monitor(_, number)
        | CallAction::Pickup(number) => Some(number),
        CallAction::Hold | CallAction::Offhold | CallAction::Park(_) | CallAction::Bridge(_) => {
            None
        }
    }
}

fn send_dst(fields: &Fields) -> Result<Number, ApiError> {
    let number = fields.dialled("send_dst")?;
    number.ok_or_else(|| fields.invalid("send_dst", "is required"))
}

/// What shall be done with a call, in the document.
pub(crate) enum ControlBody {}

impl PartialSchema for ControlBody {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "Whom to call: of `transfer`, `attended_transfer`, `eavesdrop`, `whisper`, \
                 `conference` and `pickup`. A `transfer` that completes a consultation has none.",
            ))
            .examples([serde_json::json!("101")]);
        ObjectBuilder::new()
            .description(Some("What shall be done with a call."))
            .property("action", CallActionWord::schema())
            .property("send_dst", number)
            .required("action")
            .into()
    }
}

impl ToSchema for ControlBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "CallControl".into()
    }
}

/// A call with what an action has to say besides, in the document.
pub(crate) enum ControlledBody {}

impl PartialSchema for ControlledBody {
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(mut call)) = CallBody::schema() else {
            unreachable!("a call's schema is an object")
        };
        let slot = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Of `park`: the slot in which the far party waits."))
            .examples([serde_json::json!("6")]);
        call.properties.insert("slot".to_owned(), slot.into());
        call.description = Some("A call after an action.".to_owned());
        call.into()
    }
}

impl ToSchema for ControlledBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "ControlledCall".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        CallBody::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::properties;

    #[test]
    fn the_document_names_exactly_the_fields_that_are_read() {
        let fields = Fields::parse(br#"{"action":"pickup","send_dst":"100"}"#).unwrap();
        action(&fields).unwrap();
        assert_eq!(fields.asked(), properties::<ControlBody>());
    }
}
