//! `/valet_park/`: slots in which calls wait for somebody (specification page `/valet_park/`).

use axum::Json;
use axum::extract::{Path, State};
use leg::{CallAction, Command, Reply};
use model::limits;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::call_control::{self, Controlled};
use crate::current_calls::CallPath;
use crate::document::words;
use crate::error::{ApiError, ErrorBody};
use crate::fields::{Change, Fields};
use crate::state::Api;
use crate::target::ExtensionTarget;

/// Parks a call, takes a parked one, or asks for the slots
///
/// `park`: the far party waits in the slot, or in the lowest free one, and the extension's part in
/// the call ends. `bridge`: the far party of this call is joined with who waits in the slot, or
/// with who waits longest; the extension's part in this call ends. `slots`: with a slot, which call
/// waits in it; without, the free ones. Only this needs no call: the one that is named may have
/// ended.
#[utoipa::path(
    put,
    path = "/api/ver1.0/extension/{extension_id}/valet_park/{call_api_id}",
    tag = "valet_park",
    request_body = ValetParkBody,
    responses(
        (status = 200, description = "The slot and the UUID of the call in it; or the free \
            slots.", body = AnswerBody),
        (status = 409, description = "The slot is taken or none is free, or the call is in no \
            state for it; `status` says which.", body = ErrorBody),
    ),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    target: ExtensionTarget,
    Path(path): Path<CallPath>,
    fields: Fields,
) -> Result<Json<AnswerBody>, ApiError> {
    let slot = slot(&fields)?;
    let word = fields.word("action", &ACTIONS)?;
    let action = match word.ok_or_else(|| fields.invalid("action", "is required"))? {
        Word::Park => CallAction::Park(slot),
        Word::Bridge => CallAction::Bridge(slot),
        Word::Slots => {
            path.call()?;
            return slots(&api, &target, slot).await.map(Json);
        }
    };
    match call_control::put(&api, &target, &path, action).await? {
        Controlled { slot: Some(slot), parked: Some(uuid), .. } => {
            let (slot, uuid) = (slot.to_string(), Some(uuid.to_string()));
            Ok(Json(AnswerBody::Slot(SlotBody { slot, uuid })))
        }
        _ => {
            tracing::error!("a call was parked or taken from no slot");
            Err(ApiError::internal())
        }
    }
}

async fn slots(
    api: &Api,
    target: &ExtensionTarget,
    slot: Option<u8>,
) -> Result<AnswerBody, ApiError> {
    let reply = api.command(target.caller.tenant(), Command::ListSlots { slot }).await?;
    match (reply, slot) {
        (Reply::Slots(free), None) => {
            let slots = free.iter().map(u8::to_string).collect();
            Ok(AnswerBody::Slots(SlotsBody { slots }))
        }
        (Reply::Slot(parked), Some(slot)) => {
            let uuid = parked.map(|uuid| uuid.to_string());
            Ok(AnswerBody::Slot(SlotBody { slot: slot.to_string(), uuid }))
        }
        (other, _) => Err(ApiError::of_reply(&other)),
    }
}

/// A slot that some client may have; whether this one has it, who runs the calls knows.
fn slot(fields: &Fields) -> Result<Option<u8>, ApiError> {
    match fields.number_change("slot", 1..=u64::from(limits::PARK_SLOTS_MAX))? {
        Change::To(n) => Ok(u8::try_from(n).ok()),
        Change::Empty | Change::Keep => Ok(None),
    }
}

#[derive(Clone, Copy)]
enum Word {
    Park,
    Bridge,
    Slots,
}

const ACTIONS: [(&str, Word); 3] =
    [("park", Word::Park), ("bridge", Word::Bridge), ("slots", Word::Slots)];

words! {
    /// What shall be done.
    ValetActionWord = "park" | "bridge" | "slots";
}

/// What shall be done with a slot, in the document.
pub(crate) enum ValetParkBody {}

impl PartialSchema for ValetParkBody {
    fn schema() -> RefOr<Schema> {
        let slot = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[1-9]?$"))
            .description(Some("From 1 to the client's `valet_park_slots`."))
            .examples([serde_json::json!("6")]);
        ObjectBuilder::new()
            .description(Some("What shall be done with a slot."))
            .property("action", ValetActionWord::schema())
            .property("slot", slot)
            .required("action")
            .into()
    }
}

impl ToSchema for ValetParkBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "ValetPark".into()
    }
}

/// A slot, or the free ones.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ValetParkAnswer)]
pub(crate) enum AnswerBody {
    Slot(SlotBody),
    Slots(SlotsBody),
}

/// A slot.
#[derive(Serialize, ToSchema)]
#[schema(as = ParkSlot)]
pub(crate) struct SlotBody {
    #[schema(example = "6")]
    slot: String,
    /// The call that waits in it, or waited: the second part of its `call_api_id`. Null: none.
    #[serde(rename = "UUID")]
    #[schema(example = "37b98fb2-a66c-11ea-ae69-6fd86d94a0e0")]
    uuid: Option<String>,
}

/// The free slots.
#[derive(Serialize, ToSchema)]
#[schema(as = FreeSlots)]
pub(crate) struct SlotsBody {
    #[schema(example = json!(["1", "2"]))]
    slots: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::properties;

    #[test]
    fn the_document_names_exactly_the_fields_that_are_read() {
        let fields = Fields::parse(br#"{"action":"park","slot":"9"}"#).unwrap();
        assert_eq!(slot(&fields).unwrap(), Some(9));
        assert!(fields.word("action", &ACTIONS).unwrap().is_some());
        assert_eq!(fields.asked(), properties::<ValetParkBody>());
    }
}
