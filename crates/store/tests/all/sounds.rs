//! Sounds and messages, and the files that they name.

use leg::{Message, MessageChange, MessageFate, Record};
use model::{
    CallUuid, ExtensionId, FileId, IncomingRule, NodeAddress, RuleId, RuleKind, TenantId, Wall,
};
use store::{JournalId, Mail, MessagesOf, Sizes, SoundContent, StoreError, limits};

use crate::support::{NOW, World, on_both};

on_both! {
    a_sound_is_added_renamed_replaced_and_removed,
    calls_see_the_sounds_that_are_stored,
    a_sound_that_a_phone_is_set_to_stays,
    a_sound_that_a_rule_plays_stays,
    a_sound_that_the_client_holds_calls_with_stays_and_is_its_own,
    a_rule_plays_only_sounds_of_its_client,
    a_phone_is_set_only_to_sounds_of_its_client,
    sounds_of_another_client_do_not_exist,
    a_client_has_so_many_sounds_and_no_more,
    a_message_is_stored_once_however_often_it_is_loaded,
    messages_are_listed_by_owner_and_time,
    a_message_is_heard_and_removed,
    messages_are_counted_by_whether_they_were_heard,
    messages_that_a_phone_has_heard_or_removed_are_so_however_often_it_is_loaded,
    the_messages_that_a_phone_listens_to_are_the_new_ones_first,
    a_message_is_due_until_its_mail_is_settled,
    files_that_no_row_names_are_found,
}

const JOURNAL: JournalId = JournalId { node: NodeAddress(7), shard: 0 };

fn content(file: u128, bytes: u64) -> SoundContent {
    SoundContent { filename: "hello.mp3".to_owned(), file: FileId(file), length_ms: 1_234, bytes }
}

fn message(tenant: TenantId, extension: u64, file: u128, time: i64) -> Message {
    Message {
        tenant,
        extension: ExtensionId(extension),
        file: FileId(file),
        length_ms: 2_500,
        call: CallUuid(0xabc),
        sub_call_id: "100000-1".into(),
        caller_number: "74951234567".into(),
        caller_name: "Анна".into(),
        did: Some("78121234567".into()),
        time: Wall(time),
    }
}

/// Loads messages as one step.
async fn left(world: &World, sequence: u64, messages: &[Message]) {
    let records = messages.iter().map(|m| Record::Message(Box::new(m.clone()))).collect();
    let sizes: Sizes = messages.iter().map(|m| (m.file, 40_044)).collect();
    world.store.apply(JOURNAL, sequence, &[(sequence, records)], &sizes).await.unwrap();
}

async fn a_sound_is_added_renamed_replaced_and_removed(world: World) {
    let tenant = world.client("0003").await;
    let made = world.create_sound(tenant, "Hello", &content(1, 100), NOW).await.unwrap().unwrap();
    assert_eq!(
        (made.title.as_str(), &made.content, made.created),
        ("Hello", &content(1, 100), NOW)
    );
    let renamed = world.rename_sound(tenant, made.id, "Привет").await.unwrap().unwrap();
    assert_eq!((renamed.title.as_str(), &renamed.content), ("Привет", &content(1, 100)));
    let (replaced, old) =
        world.replace_sound(tenant, made.id, &content(2, 50)).await.unwrap().unwrap();
    assert_eq!((replaced.id, replaced.content, old), (made.id, content(2, 50), FileId(1)));
    assert_eq!(world.sounds(tenant).await.unwrap().len(), 1);
    assert_eq!(world.delete_sound(tenant, made.id).await.unwrap(), Some(FileId(2)));
    assert_eq!(world.delete_sound(tenant, made.id).await.unwrap(), None);
    assert_eq!(world.rename_sound(tenant, made.id, "x").await.unwrap(), None);
    assert_eq!(world.replace_sound(tenant, made.id, &content(3, 1)).await.unwrap(), None);
    assert_eq!(world.sound(tenant, made.id).await.unwrap(), None);
    // Its id is never given again.
    let next = world.create_sound(tenant, "Hello", &content(4, 100), NOW).await.unwrap().unwrap();
    assert!(next.id > made.id);
}

async fn calls_see_the_sounds_that_are_stored(world: World) {
    let tenant = world.client("0003").await;
    let other = world.client("0004").await;
    let a = world.create_sound(tenant, "a", &content(1, 1), NOW).await.unwrap().unwrap().id;
    let b = world.create_sound(tenant, "b", &content(2, 1), NOW).await.unwrap().unwrap().id;
    let first = world.snapshot(tenant).await.unwrap().unwrap();
    assert_eq!(first.routing.sounds.keys().copied().collect::<Vec<_>>(), [a, b]);
    assert_eq!(first.routing.sounds[&a].file, FileId(1));
    assert_eq!(first.routing.sounds[&a].length_ms, 1_234);
    world.replace_sound(tenant, a, &content(3, 1)).await.unwrap();
    world.delete_sound(tenant, b).await.unwrap();
    let c = world.create_sound(tenant, "c", &content(4, 1), NOW).await.unwrap().unwrap().id;
    let followed = world.snapshot_after(&first).await.unwrap().unwrap();
    let whole = world.snapshot(tenant).await.unwrap().unwrap();
    assert_eq!(followed.routing.sounds, whole.routing.sounds);
    assert_eq!(followed.routing.sounds[&a].file, FileId(3));
    assert_eq!(followed.routing.sounds.keys().copied().collect::<Vec<_>>(), [a, c]);
    let all = world.all_snapshots().await.unwrap();
    let of = |id| &all.iter().find(|s| s.tenant.id == id).unwrap().routing.sounds;
    assert_eq!(*of(tenant), whole.routing.sounds);
    assert!(of(other).is_empty());
}

async fn a_sound_that_a_phone_is_set_to_stays(world: World) {
    let tenant = world.client("0003").await;
    let phone = world.phone(tenant, "100").await;
    let sound = world.create_sound(tenant, "a", &content(1, 1), NOW).await.unwrap().unwrap().id;
    type Set = fn(&mut model::PhoneShown) -> &mut Option<u64>;
    let fields: [(&str, Set); 5] = [
        ("vm_greeting", |p| &mut p.vm_greeting),
        ("hold_music", |p| &mut p.hold_music),
        ("ringback_sound", |p| &mut p.ringback_sound),
        ("announce_sound_upon_outgoing_call", |p| &mut p.announce_sound_upon_outgoing_call),
        ("announce_sound_upon_incoming_call", |p| &mut p.announce_sound_upon_incoming_call),
    ];
    for (name, field) in fields {
        let set = async |value| {
            let change = move |e: &mut model::Extension| {
                *field(&mut e.phone.as_mut().unwrap().shown) = value;
            };
            world.change_extension(tenant, phone.id, change).await.unwrap().unwrap();
        };
        set(Some(sound.0)).await;
        let refused = world.delete_sound(tenant, sound).await.unwrap_err().to_string();
        assert_eq!(refused, format!("it is used by {name} of the phone 100"));
        set(None).await;
    }
    assert_eq!(world.delete_sound(tenant, sound).await.unwrap(), Some(FileId(1)));
}

async fn a_sound_that_a_rule_plays_stays(world: World) {
    let tenant = world.client("0003").await;
    let phone = world.phone(tenant, "100").await;
    let sound = world.create_sound(tenant, "a", &content(1, 1), NOW).await.unwrap().unwrap().id;
    let mut rule = IncomingRule::new(RuleId(0), RuleKind::Playfile);
    rule.playfile_sound = Some(sound);
    let made = world.create_rule(tenant, phone.id, &rule).await.unwrap().unwrap();
    let refused = world.delete_sound(tenant, sound).await.unwrap_err().to_string();
    assert_eq!(refused, format!("it is used by rule {} of extension 100", made.id.0));
    let gone = world.change_rules::<_, StoreError>(tenant, phone.id, |rules| {
        rules.clear();
        Ok(())
    });
    gone.await.unwrap().unwrap();
    assert_eq!(world.delete_sound(tenant, sound).await.unwrap(), Some(FileId(1)));
}

async fn a_sound_that_the_client_holds_calls_with_stays_and_is_its_own(world: World) {
    let (tenant, other) = (world.client("0003").await, world.client("0004").await);
    let own = world.create_sound(tenant, "a", &content(1, 1), NOW).await.unwrap().unwrap().id;
    let theirs = world.create_sound(other, "a", &content(2, 1), NOW).await.unwrap().unwrap().id;
    let set = async |music| {
        let change = move |settings: &mut model::RoutingSettings| {
            settings.shown.hold_music = music;
            Ok::<_, StoreError>(())
        };
        world.change_settings(tenant, change).await
    };
    set(Some(own)).await.unwrap().unwrap();
    let refused = set(Some(theirs)).await.unwrap_err();
    assert!(matches!(refused, StoreError::NoSuch { field: "hold_music" }), "{refused}");
    let refused = world.delete_sound(tenant, own).await.unwrap_err().to_string();
    assert_eq!(refused, "it is used by hold_music of the client");
    set(None).await.unwrap().unwrap();
    assert_eq!(world.delete_sound(tenant, own).await.unwrap(), Some(FileId(1)));
}

async fn a_rule_plays_only_sounds_of_its_client(world: World) {
    let (tenant, other) = (world.client("0003").await, world.client("0004").await);
    let phone = world.phone(tenant, "100").await;
    let theirs = world.create_sound(other, "a", &content(1, 1), NOW).await.unwrap().unwrap().id;
    let mut rule = IncomingRule::new(RuleId(0), RuleKind::Playfile);
    rule.playfile_sound = Some(theirs);
    let refused = world.create_rule(tenant, phone.id, &rule).await.unwrap_err();
    assert!(matches!(refused, StoreError::NoSuch { field: "playfile_sound" }), "{refused}");
}

async fn a_phone_is_set_only_to_sounds_of_its_client(world: World) {
    let (tenant, other) = (world.client("0003").await, world.client("0004").await);
    let phone = world.phone(tenant, "100").await;
    let theirs = world.create_sound(other, "a", &content(1, 1), NOW).await.unwrap().unwrap().id;
    for id in [theirs.0, 999] {
        let change = move |e: &mut model::Extension| {
            e.phone.as_mut().unwrap().shown.hold_music = Some(id);
        };
        let refused = world.change_extension(tenant, phone.id, change).await.unwrap_err();
        assert!(matches!(refused, StoreError::NoSuch { field: "hold_music" }), "{refused}");
    }
    let kept = world.extension(tenant, phone.id).await.unwrap().unwrap();
    assert_eq!(kept.phone.unwrap().shown.hold_music, None);
}

async fn sounds_of_another_client_do_not_exist(world: World) {
    let (tenant, other) = (world.client("0003").await, world.client("0004").await);
    let id = world.create_sound(other, "a", &content(1, 1), NOW).await.unwrap().unwrap().id;
    assert_eq!(world.sound(tenant, id).await.unwrap(), None);
    assert_eq!(world.rename_sound(tenant, id, "x").await.unwrap(), None);
    assert_eq!(world.replace_sound(tenant, id, &content(2, 1)).await.unwrap(), None);
    assert_eq!(world.delete_sound(tenant, id).await.unwrap(), None);
    assert_eq!(world.sounds(tenant).await.unwrap(), []);
    assert_eq!(world.sound(other, id).await.unwrap().unwrap().title, "a");
    let nobody = TenantId(999);
    assert_eq!(world.create_sound(nobody, "a", &content(3, 1), NOW).await.unwrap(), None);
}

async fn a_client_has_so_many_sounds_and_no_more(world: World) {
    let tenant = world.client("0003").await;
    let whole = content(1, limits::SOUND_BYTES_MAX);
    let first = world.create_sound(tenant, "a", &whole, NOW).await.unwrap().unwrap().id;
    let refused = world.create_sound(tenant, "b", &content(2, 1), NOW).await.unwrap_err();
    assert_eq!(refused.to_string(), "bytes of all sounds must be at most 1000000000");
    // In the place of the old content there is room.
    world.replace_sound(tenant, first, &content(3, limits::SOUND_BYTES_MAX)).await.unwrap();
    let large = content(4, limits::SOUND_BYTES_MAX + 1);
    assert!(world.replace_sound(tenant, first, &large).await.is_err());
    world.replace_sound(tenant, first, &content(5, 1)).await.unwrap();
    let rows: Vec<_> = (1..limits::SOUNDS_MAX)
        .map(|n| format!("({tenant}, 'x', 'x', '{n}', 1, 1, 1, 1)"))
        .collect();
    let insert = "INSERT INTO sounds (client_id, title, filename, file, length_ms, bytes, \
        created_us, revision) VALUES ";
    world.tamper(&format!("{insert}{}", rows.join(", "))).await;
    let refused = world.create_sound(tenant, "b", &content(6, 1), NOW).await.unwrap_err();
    assert_eq!(refused.to_string(), "sounds must be at most 500");
}

async fn a_message_is_stored_once_however_often_it_is_loaded(world: World) {
    let tenant = world.client("0003").await;
    let one = message(tenant, 100_000, 1, NOW.0);
    left(&world, 1, std::slice::from_ref(&one)).await;
    world.message_heard(tenant, one.file).await.unwrap();
    // As after a journal that was copied under another name.
    let later = message(tenant, 100_000, 1, NOW.0 + 1);
    left(&world, 2, &[later]).await;
    let stored = world.message(tenant, one.file).await.unwrap().unwrap();
    assert_eq!((&stored.message, stored.bytes, stored.heard), (&one, 40_044, true));
    let hidden = Message { caller_number: "".into(), did: None, ..message(tenant, 1, 2, 5) };
    left(&world, 3, std::slice::from_ref(&hidden)).await;
    assert_eq!(world.message(tenant, FileId(2)).await.unwrap().unwrap().message, hidden);
}

async fn messages_are_listed_by_owner_and_time(world: World) {
    let (tenant, other) = (TenantId(1), TenantId(2));
    let all = [
        message(tenant, 100_000, 3, 300),
        message(tenant, 100_000, 1, 100),
        message(tenant, 100_001, 2, 200),
        message(other, 100_000, 4, 150),
    ];
    left(&world, 1, &all).await;
    let listed = async |of, from, to| {
        let list = world.messages(tenant, of, Wall(from), Wall(to)).await.unwrap();
        list.into_iter().map(|m| m.message.file.0).collect::<Vec<_>>()
    };
    assert_eq!(listed(MessagesOf::Client, 0, 1_000).await, [1, 2, 3]);
    assert_eq!(listed(MessagesOf::Client, 100, 200).await, [1, 2]);
    assert_eq!(listed(MessagesOf::Client, 101, 199).await, []);
    assert_eq!(listed(MessagesOf::Extension(ExtensionId(100_000)), 0, 1_000).await, [1, 3]);
    assert_eq!(listed(MessagesOf::Extension(ExtensionId(5)), 0, 1_000).await, []);
}

async fn messages_are_counted_by_whether_they_were_heard(world: World) {
    let (tenant, other) = (TenantId(1), TenantId(2));
    let all = [
        message(tenant, 100_000, 1, 1),
        message(tenant, 100_000, 2, 2),
        message(tenant, 100_000, 3, 3),
        message(tenant, 100_001, 4, 4),
        message(other, 100_000, 5, 5),
    ];
    left(&world, 1, &all).await;
    world.message_heard(tenant, FileId(2)).await.unwrap();
    let counted = async |of| {
        let counts = world.message_counts(tenant, of).await.unwrap();
        counts.into_iter().map(|(of, c)| (of.0, c.new, c.old)).collect::<Vec<_>>()
    };
    assert_eq!(counted(MessagesOf::Client).await, [(100_000, 2, 1), (100_001, 1, 0)]);
    let one = MessagesOf::Extension(ExtensionId(100_000));
    assert_eq!(counted(one).await, [(100_000, 2, 1)]);
    for file in 1..=3 {
        world.delete_message(tenant, FileId(file)).await.unwrap();
    }
    assert_eq!(counted(one).await, []);
}

async fn a_message_is_heard_and_removed(world: World) {
    let (tenant, other) = (TenantId(1), TenantId(2));
    left(&world, 1, &[message(tenant, 100_000, 1, 1)]).await;
    world.message_heard(other, FileId(1)).await.unwrap();
    assert!(!world.message(tenant, FileId(1)).await.unwrap().unwrap().heard);
    world.message_heard(tenant, FileId(1)).await.unwrap();
    assert!(world.message(tenant, FileId(1)).await.unwrap().unwrap().heard);
    assert_eq!(world.message(other, FileId(1)).await.unwrap(), None);
    assert!(!world.delete_message(other, FileId(1)).await.unwrap());
    assert!(world.delete_message(tenant, FileId(1)).await.unwrap());
    assert!(!world.delete_message(tenant, FileId(1)).await.unwrap());
}

async fn messages_that_a_phone_has_heard_or_removed_are_so_however_often_it_is_loaded(
    world: World,
) {
    let (tenant, other) = (TenantId(1), TenantId(2));
    let all = [
        message(tenant, 100_000, 1, 1),
        message(tenant, 100_000, 2, 2),
        message(other, 100_000, 3, 3),
    ];
    left(&world, 1, &all).await;
    let change = |tenant, file, fate| {
        let extension = ExtensionId(100_000);
        Record::MessageChanged(MessageChange { tenant, extension, file: FileId(file), fate })
    };
    let records = vec![
        change(tenant, 1, MessageFate::Heard),
        change(tenant, 2, MessageFate::Removed),
        change(tenant, 3, MessageFate::Removed),
        change(tenant, 9, MessageFate::Heard),
        // Left and removed in one batch.
        change(tenant, 4, MessageFate::Removed),
        Record::Message(Box::new(message(tenant, 100_000, 4, 4))),
    ];
    for sequence in [2, 2, 3] {
        let batch = [(sequence, records.clone())];
        world.store.apply(JOURNAL, sequence, &batch, &Sizes::new()).await.unwrap();
        let heard = world.message(tenant, FileId(1)).await.unwrap().unwrap().heard;
        assert!(heard, "{sequence}");
        for file in [2, 4, 9] {
            assert_eq!(world.message(tenant, FileId(file)).await.unwrap(), None, "{file}");
        }
        let of_other = world.message(other, FileId(3)).await.unwrap();
        assert!(of_other.is_some_and(|m| !m.heard), "another client's is not touched");
    }
}

async fn the_messages_that_a_phone_listens_to_are_the_new_ones_first(world: World) {
    let tenant = TenantId(1);
    let mut all: Vec<Message> =
        (1..=60).map(|n| message(tenant, 100_000, n, 100 - i64::try_from(n).unwrap())).collect();
    all.push(message(tenant, 100_001, 99, 1));
    left(&world, 1, &all).await;
    for file in (2..=60).step_by(2) {
        world.message_heard(tenant, FileId(file)).await.unwrap();
    }
    let known = world.known_messages(tenant, ExtensionId(100_000)).await.unwrap();
    let files: Vec<_> = known.iter().map(|m| (m.file.0, m.heard)).collect();
    // The last one is the earliest.
    let half = |odd: bool| (1..=60_u128).rev().filter(move |n| (n % 2 == 1) == odd);
    let (new, old) = (half(true).map(|n| (n, false)), half(false).map(|n| (n, true)));
    assert_eq!(files, new.chain(old).take(50).collect::<Vec<_>>());
    assert_eq!((known[0].length_ms, &*known[0].caller_number), (2_500, "74951234567"));
    assert_eq!(world.known_messages(tenant, ExtensionId(5)).await.unwrap(), []);
}

async fn a_message_is_due_until_its_mail_is_settled(world: World) {
    let tenant = TenantId(1);
    let messages = [2, 1, 3].map(|n| message(tenant, 100_000, n, i64::try_from(n).unwrap()));
    left(&world, 1, &messages).await;
    let due = async |node, now| {
        let list = world.messages_to_mail(NodeAddress(node), Wall(now)).await.unwrap();
        list.into_iter().map(|m| (m.message.file.0, m.mail_attempts)).collect::<Vec<_>>()
    };
    assert_eq!(due(7, 2).await, [(1, 0), (2, 0)]);
    assert_eq!(due(8, 9).await, [], "another node has not the files");
    world.set_mail(tenant, FileId(1), Mail::Sent).await.unwrap();
    let later = Mail::Later { attempts: 4, due: Wall(50) };
    world.set_mail(tenant, FileId(2), later).await.unwrap();
    world.set_mail(tenant, FileId(3), Mail::Never).await.unwrap();
    assert_eq!(due(7, 49).await, []);
    assert_eq!(due(7, 50).await, [(2, 4)]);
    // Loaded again, it is not mailed again.
    left(&world, 2, &messages).await;
    assert_eq!(due(7, 49).await, []);
    let sent = "SELECT count(*) FROM messages WHERE mailed";
    assert_eq!(world.number(sent.to_owned()).await, 1);
}

async fn files_that_no_row_names_are_found(world: World) {
    let tenant = world.client("0003").await;
    world.create_sound(tenant, "a", &content(1, 1), NOW).await.unwrap();
    left(&world, 1, &[message(tenant, 100_000, 2, 1)]).await;
    let recording = leg::Recording {
        tenant,
        extension: ExtensionId(100_000),
        file: FileId(3),
        length_ms: 1_000,
        call: CallUuid(0xabc),
        sub_call_id: "100000-1".into(),
        time: Wall(1),
        format: Default::default(),
    };
    let records = vec![Record::Recording(Box::new(recording))];
    world.store.apply(JOURNAL, 2, &[(2, records)], &Sizes::new()).await.unwrap();
    // More than one statement asks for.
    let files: Vec<_> = (1..=1_200).map(FileId).collect();
    let unnamed = world.unnamed(&files).await.unwrap();
    assert_eq!(unnamed, (4..=1_200).map(FileId).collect::<Vec<_>>());
    assert_eq!(world.unnamed(&[]).await.unwrap(), []);
}
