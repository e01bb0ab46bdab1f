//! What a mail says, and in which language.

use leg::Message;
use model::{
    CallUuid, DisplayName, Extension, ExtensionId, ExtensionKind, ExtensionName, ExtensionShown,
    FileId, Status, TenantId,
};
use store::StoredMessage;

use super::office::LEFT;
use crate::mail::text;

#[test]
fn a_mail_speaks_the_language_of_the_client_on_its_clock() {
    let message = |number: &str, name: &str| StoredMessage {
        message: Message {
            tenant: TenantId(1),
            extension: ExtensionId(100_000),
            file: FileId(1),
            length_ms: 12_001,
            call: CallUuid(1),
            sub_call_id: "".into(),
            caller_number: number.into(),
            caller_name: name.into(),
            did: None,
            time: LEFT,
        },
        bytes: 0,
        heard: false,
        mail_attempts: 0,
    };
    let owner = Extension {
        id: ExtensionId(100_000),
        name: ExtensionName::parse("100").unwrap(),
        kind: ExtensionKind::Phone,
        status: Status::Active,
        label: DisplayName::default(),
        caller_id_name: None,
        group: None,
        shown: ExtensionShown::default(),
        phone: None,
    };
    let english = text::of(&message("101", "Bob"), &owner, "Europe/Moscow", model::Language::En);
    assert_eq!(english.subject, "Voice message from 101 (0:13)");
    assert_eq!(
        english.text,
        "A voice message was left for 100.\n\nFrom: 101 (Bob)\n\
         Time: 2026-11-21 18:00:03 (Europe/Moscow)\nLength: 0:13\n"
    );
    assert_eq!(english.filename, "message-2026-11-21-18-00-03.wav");
    let russian = text::of(&message("", "Bob"), &owner, "Nowhere", model::Language::Ru);
    assert_eq!(russian.subject, "Голосовое сообщение от скрытого номера (0:13)");
    assert_eq!(
        russian.text,
        "Оставлено голосовое сообщение для номера 100.\n\nОт: скрытого номера\n\
         Время: 2026-11-21 15:00:03 (UTC)\nДлительность: 0:13\n"
    );
}
