//! The settings of the relay: what is understood, what is shown, what is kept secret.

use crate::mail::MailSettings;

#[test]
fn settings_are_read_and_shown_without_the_password() {
    let from = Some("PBX <pbx@example.com>");
    let table = [
        ("smtp://relay", "smtp://relay:25 from PBX <pbx@example.com>"),
        ("smtp://relay:2525/", "smtp://relay:2525 from PBX <pbx@example.com>"),
        ("smtp://u:p@relay", "smtp://u:***@relay:587 from PBX <pbx@example.com>"),
        ("smtps://u%40x:p%2Fq@relay", "smtps://u@x:***@relay:465 from PBX <pbx@example.com>"),
        ("smtp://[::1]:25", "smtp://[::1]:25 from PBX <pbx@example.com>"),
    ];
    for (url, expected) in table {
        let settings = MailSettings::parse(url, from).unwrap();
        assert_eq!(settings.shown(), expected);
        assert!(!format!("{settings:?}").contains("p/q"), "{settings:?}");
    }
    for bad in [
        "relay",
        "http://relay",
        "smtp://",
        "smtp://u@relay",
        "smtp://relay:x",
        "smtp://a/b",
        "smtp://u:%zz@relay",
        "smtp://[::1",
        "smtp://relay:0",
    ] {
        assert_eq!(MailSettings::parse(bad, from).unwrap_err().setting, "smtp", "{bad}");
    }
    for bad in [None, Some("nobody")] {
        assert_eq!(MailSettings::parse("smtp://relay", bad).unwrap_err().setting, "smtp_from");
    }
}

#[tokio::test]
async fn a_password_is_not_sent_to_another_machine_in_the_clear() {
    let url = "smtp://user:secret@192.0.2.1";
    let settings = MailSettings::parse(url, Some("pbx@example.com")).unwrap();
    let shown = format!("{settings:?}");
    assert!(shown.contains("Required"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}
