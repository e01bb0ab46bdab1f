//! Whose object a path means: the one place where a client and an extension are looked up.
//!
//! What belongs to another client is not found; what is of the same client but out of the user's
//! sight is denied.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use model::{Extension, ExtensionId, FileId, Snapshot, SoundId};
use store::StoredSound;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::name;
use crate::state::Api;

/// A client: `{client_id}`, its number or `@me`. Without it in the path, the token's.
pub(crate) struct ClientTarget {
    pub(crate) caller: Caller,
    pub(crate) snapshot: Arc<Snapshot>,
}

/// An extension: `{extension_id}`, its number, `@NAME`, or `@me` for the user's own.
pub(crate) struct ExtensionTarget {
    pub(crate) caller: Caller,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) extension: Arc<Extension>,
}

impl ClientTarget {
    /// An extension of the client that the user may see.
    pub(crate) fn extension(&self, text: &str) -> Result<Arc<Extension>, ApiError> {
        let found = match text.strip_prefix('@') {
            Some("me") => self.caller.own_extension().and_then(|id| self.snapshot.extension(id)),
            Some(text) => {
                name::short(text, &self.snapshot.tenant).and_then(|n| self.snapshot.named(n))
            }
            None => text.parse().ok().and_then(|id| self.snapshot.extension(ExtensionId(id))),
        };
        let extension = found.ok_or_else(ApiError::not_found)?;
        if self.caller.sees(extension) {
            Ok(Arc::clone(extension))
        } else {
            Err(ApiError::access_denied())
        }
    }

    /// All extensions of the client that the user may see.
    pub(crate) fn extensions(&self) -> impl DoubleEndedIterator<Item = &Arc<Extension>> {
        self.snapshot.extensions.values().filter(|extension| self.caller.sees(extension))
    }
}

impl FromRequestParts<Api> for ClientTarget {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<ClientTarget, ApiError> {
        let caller = Caller::from_request_parts(parts, api).await?;
        if let Some(text) = parameter(parts, api, "client_id").await? {
            let own = text == "@me" || text.parse() == Ok(caller.tenant().0);
            if !own {
                return Err(ApiError::client_not_found());
            }
        }
        let snapshot = api.snapshot(caller.tenant())?;
        Ok(ClientTarget { caller, snapshot })
    }
}

impl FromRequestParts<Api> for ExtensionTarget {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<ExtensionTarget, ApiError> {
        let client = ClientTarget::from_request_parts(parts, api).await?;
        let text = parameter(parts, api, "extension_id").await?;
        let extension = client.extension(&text.ok_or_else(ApiError::not_found)?)?;
        let ClientTarget { caller, snapshot } = client;
        Ok(ExtensionTarget { caller, snapshot, extension })
    }
}

/// The voicemail of an extension, or of all of the client's that the user may see.
pub(crate) struct VoicemailTarget {
    pub(crate) client: ClientTarget,
    pub(crate) extension: Option<ExtensionId>,
}

impl FromRequestParts<Api> for VoicemailTarget {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<VoicemailTarget, ApiError> {
        let client = ClientTarget::from_request_parts(parts, api).await?;
        let text = parameter(parts, api, "extension_id").await?;
        let extension = text.map(|text| client.extension(&text)).transpose()?;
        Ok(VoicemailTarget { client, extension: extension.map(|extension| extension.id) })
    }
}

/// A message: `{record_uuid}`, in large or small letters. Whether there is one is another question.
pub(crate) struct MessageTarget {
    pub(crate) voicemail: VoicemailTarget,
    pub(crate) file: FileId,
}

impl FromRequestParts<Api> for MessageTarget {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<MessageTarget, ApiError> {
        let voicemail = VoicemailTarget::from_request_parts(parts, api).await?;
        let text = parameter(parts, api, "record_uuid").await?;
        let file = text.and_then(|text| FileId::parse(&text)).ok_or_else(ApiError::not_found)?;
        Ok(MessageTarget { voicemail, file })
    }
}

/// A sound of the client: `{sound_id}`.
pub(crate) struct SoundTarget {
    pub(crate) client: ClientTarget,
    pub(crate) sound: StoredSound,
}

impl FromRequestParts<Api> for SoundTarget {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<SoundTarget, ApiError> {
        let client = ClientTarget::from_request_parts(parts, api).await?;
        let text = parameter(parts, api, "sound_id").await?;
        let id = text.and_then(|text| text.parse().ok()).ok_or_else(ApiError::not_found)?;
        let sound = api.store().sound(client.caller.tenant(), SoundId(id)).await?;
        Ok(SoundTarget { client, sound: sound.ok_or_else(ApiError::not_found)? })
    }
}

/// The last parameter of a path, where it is the number of something inside the others.
pub(crate) struct ItemId(pub(crate) u64);

impl FromRequestParts<Api> for ItemId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<ItemId, ApiError> {
        let ItemText(text) = ItemText::from_request_parts(parts, api).await?;
        text.parse().map(ItemId).map_err(|_| ApiError::not_found())
    }
}

/// The same, where it is a text.
pub(crate) struct ItemText(pub(crate) String);

impl FromRequestParts<Api> for ItemText {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<ItemText, ApiError> {
        let parameters = RawPathParams::from_request_parts(parts, api).await;
        let parameters = parameters.map_err(|_| ApiError::not_found())?;
        let last = parameters.iter().last().map(|(_, value)| value.to_owned());
        last.map(ItemText).ok_or_else(ApiError::not_found)
    }
}

/// A parameter of the path, unescaped.
async fn parameter(parts: &mut Parts, api: &Api, name: &str) -> Result<Option<String>, ApiError> {
    // A path that unescapes to no text names nothing.
    let parameters =
        RawPathParams::from_request_parts(parts, api).await.map_err(|_| ApiError::not_found())?;
    Ok(parameters.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_owned()))
}
