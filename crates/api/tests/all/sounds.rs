//! `/sound/`: uploaded, listed, replaced, renamed, fetched, removed.

use axum::http::Method;
use model::{FileId, SoundId};
use serde_json::json;
use store::{AppAccess, UserAccess, UserScope};

use crate::support::World;
use crate::support::files::{WAV, upload};

const PATH: &str = "/client/@me/sound/";

/// The file that is played for a sound.
async fn file_of(world: &World, id: u64) -> FileId {
    world.store.sound(world.own.id, SoundId(id)).await.unwrap().unwrap().content.file
}

#[tokio::test]
async fn an_uploaded_sound_is_there_converted_and_can_be_played() {
    let world = World::new().await;
    let made = world.post(PATH, &upload("Привет", "C:\\hello.wav", WAV)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_u64().unwrap();
    let expected = json!({
        "id": id, "client_id": world.own.id.0, "dealer_id": null, "title": "Привет",
        "filename": "hello.wav", "length_ms": 10,
    });
    assert_eq!(made.json(), expected);
    let path = format!("{PATH}{id}");
    assert_eq!(
        made.header("location"),
        Some(format!("/api/ver1.0/client/{}/sound/{id}", world.own.id).as_str())
    );
    assert_eq!(world.get(&path).await.json(), expected);
    // What calls are handled by.
    let used = api::Switchboard::snapshot(&*world.switchboard, world.own.id).unwrap();
    let sound = &used.routing.sounds[&SoundId(id)];
    let played = std::fs::read(world.files.path(sound.file)).unwrap();
    assert_eq!((sound.length_ms, played.len()), (10, 44 + 160 * 2));
    let fetched = world.get(&format!("{path}/download/")).await;
    assert_eq!(fetched.header("content-length"), Some("364"));
    assert_eq!(
        fetched.header("content-disposition"),
        Some("attachment; filename=\"hello.wav\"; filename*=UTF-8''hello.wav")
    );
    assert_eq!(fetched.text, String::from_utf8_lossy(&played));
}

#[tokio::test]
async fn a_file_that_is_no_sound_is_refused_with_what_is_wrong() {
    let world = World::new().await;
    let before = world.get(PATH).await.json();
    let float = WAV.replace("\x10\0\0\0\x01\0", "\x10\0\0\0\x03\0");
    let table = [
        ("", "the file is empty"),
        ("hello", "the file is neither a WAV nor an MP3 file"),
        (&WAV[..60], "is cut short"),
        (&float, "floating point"),
    ];
    for (file, why) in table {
        for path in [PATH.to_owned(), format!("{PATH}{}", world.own.sound)] {
            let refused = world.post(&path, &upload("x", "x.wav", file)).await;
            refused.assert_refuses("file");
            assert!(refused.text.contains(why), "{refused:?}");
        }
    }
    world.post(PATH, &upload("", "x.wav", WAV)).await.assert_refuses("title");
    let long = "x".repeat(256);
    world.post(PATH, &upload(&long, "x.wav", WAV)).await.assert_refuses("title");
    world.post(PATH, "{}").await.assert_error(400);
    world.post(PATH, "--in-between\r\nnonsense").await.assert_error(400);
    world.post(PATH, "--in-between--\r\n").await.assert_refuses("file");
    assert_eq!(world.get(PATH).await.json(), before, "nothing of it was added");
    let left = world.files.list(std::time::SystemTime::now(), std::time::Duration::ZERO).unwrap();
    assert_eq!(left.len(), 4, "nothing of it lies on the disk: {left:?}");
}

#[tokio::test]
async fn a_body_larger_than_a_sound_may_be_is_refused() {
    let world = World::new().await;
    let large = "x".repeat(11 * 1024 * 1024);
    world.post(PATH, &upload("x", "x.wav", &large)).await.assert_error(413);
    let just = format!("RIFF0000WAVE{}", "x".repeat(10 * 1024 * 1024));
    let refused = world.post(PATH, &upload("x", "x.wav", &just)).await;
    refused.assert_refuses("file");
    assert!(refused.text.contains("larger than 10 MB"), "{refused:?}");
}

#[tokio::test]
async fn replacing_a_sound_replaces_its_file_and_keeps_its_id() {
    let world = World::new().await;
    let id = world.own.sound.0;
    let old = file_of(&world, id).await;
    let replaced = world.post(&format!("{PATH}{id}"), &upload("", "new.wav", WAV)).await;
    assert_eq!(replaced.status, 201);
    let body = replaced.json();
    assert_eq!(
        (&body["id"], &body["title"], &body["filename"]),
        (&json!(id), &json!("Hello"), &json!("new.wav"))
    );
    let new = file_of(&world, id).await;
    assert!(new != old && !world.files.path(old).exists() && world.files.path(new).exists());
    let used = api::Switchboard::snapshot(&*world.switchboard, world.own.id).unwrap();
    assert_eq!(used.routing.sounds[&SoundId(id)].file, new);
    world.post(&format!("{PATH}999"), &upload("", "new.wav", WAV)).await.assert_error(404);
}

#[tokio::test]
async fn a_sound_is_renamed() {
    let world = World::new().await;
    let path = format!("{PATH}{}", world.own.sound);
    let renamed = world.put(&path, r#"{"title":"Nights","filename":"x"}"#).await;
    assert_eq!(renamed.json()["title"], "Nights");
    assert_eq!(renamed.json()["filename"], "hello.mp3");
    assert_eq!(world.put(&path, "{}").await.json(), renamed.json());
    world.put(&path, r#"{"title":" "}"#).await.assert_refuses("title");
    world.put(&path, r#"{"title":"a\nb"}"#).await.assert_refuses("title");
    assert_eq!(world.get(&path).await.json(), renamed.json());
    world.put(&format!("{PATH}999"), r#"{"title":"x"}"#).await.assert_error(404);
    world.put(&format!("{PATH}x"), r#"{"title":"x"}"#).await.assert_error(404);
}

#[tokio::test]
async fn sounds_are_listed_by_id_and_title() {
    let world = World::new().await;
    for title in ["Night", "night and day"] {
        world.post(PATH, &upload(title, "a.wav", WAV)).await;
    }
    let listed = async |query: &str| {
        let list = world.get(&format!("{PATH}{query}")).await.json();
        let titles = list.as_array().unwrap().iter().map(|s| s["title"].as_str().unwrap());
        titles.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, ["Hello", "Night", "night and day"]);
    assert_eq!(listed("?title=NIGHT&own_only=true").await, ["Night", "night and day"]);
    let first = world.own.sound;
    assert_eq!(listed(&format!("?id={first}&id={}", first.0 + 99)).await, ["Hello"]);
    assert_eq!(listed(&format!("?id={}", world.other.sound)).await, [""; 0]);
}

#[tokio::test]
async fn a_sound_in_use_stays_and_one_that_is_not_goes_with_its_file() {
    let world = World::new().await;
    let path = format!("{PATH}{}", world.own.sound);
    let file = file_of(&world, world.own.sound.0).await;
    let set = |id: u64| json!({ "vm_greeting": id }).to_string();
    world.put("/extension/@100/phone/", &set(world.own.sound.0)).await;
    let refused = world.delete(&path).await;
    assert_eq!(refused.verdict(), "409 in_use");
    assert!(refused.text.contains("vm_greeting of the phone 100"), "{refused:?}");
    assert!(world.files.path(file).exists());
    world.put("/extension/@100/phone/", &set(0)).await;
    assert_eq!(world.delete(&path).await.status, 204);
    assert!(!world.files.path(file).exists());
    world.delete(&path).await.assert_error(404);
    world.get(&path).await.assert_error(404);
    world.get(&format!("{path}/download/")).await.assert_error(404);
}

#[tokio::test]
async fn a_user_of_one_extension_hears_the_sounds_and_changes_none() {
    let world = World::new().await;
    let scope = UserScope::Extension(world.own.phones[0]);
    let token = world.token_of(scope, UserAccess::Full, AppAccess::All).await;
    let path = format!("{PATH}{}", world.own.sound);
    let ask = async |method, path: &str, body: &str| {
        world.ask(method, path, &token, body).await.verdict()
    };
    assert_eq!(ask(Method::GET, PATH, "").await, "200");
    assert_eq!(ask(Method::GET, &format!("{path}/download/"), "").await, "200");
    assert_eq!(ask(Method::POST, PATH, &upload("x", "x.wav", WAV)).await, "403 access_denied");
    assert_eq!(ask(Method::POST, &path, &upload("", "x.wav", WAV)).await, "403 access_denied");
    assert_eq!(ask(Method::PUT, &path, r#"{"title":"x"}"#).await, "403 access_denied");
    assert_eq!(ask(Method::DELETE, &path, "").await, "403 access_denied");
}
