//! What one hears who is held.

use std::sync::Arc;

use expect_test::expect;
use leg::CallAction;
use model::{FileId, Sound, SoundId};

use crate::support::{B, Pbx, id};

#[test]
fn who_is_held_hears_the_music_of_the_extension_else_of_the_client_else_the_built_in_one() {
    let music = |file, length_ms| Arc::new(Sound { file, length_ms });
    let mut table = String::new();
    for (own, of_client) in [(Some(1), Some(2)), (None, Some(2)), (None, None), (None, Some(9))] {
        let mut pbx = Pbx::with("", |snapshot, routing| {
            let sounds = [(1, FileId(51)), (2, FileId(52))];
            let sounds = sounds.map(|(id, file)| (SoundId(id), music(file, 4_000)));
            routing.sounds = sounds.into();
            routing.settings.shown.hold_music = of_client.map(SoundId);
            let extension = snapshot.extensions.get_mut(&id("101")).unwrap();
            let phone = Arc::make_mut(extension).phone.as_mut().unwrap();
            phone.shown.hold_music = own;
        });
        pbx.dials("100", "101");
        pbx.answers(B);
        pbx.said();
        let call = pbx.call_api_id();
        for action in [CallAction::Hold, CallAction::Park(Some(6))] {
            pbx.control("101", call, action).unwrap();
            let said = pbx.said();
            let heard = said.lines().rev().find_map(|l| l.split_once("legs: ")).unwrap().1;
            table.push_str(&format!("{own:?} {of_client:?}: {heard}\n"));
        }
    }
    expect![[r#"
        Some(1) Some(2): in0 hears clip 1; clip 1: file51
        Some(1) Some(2): in0 hears clip 2; clip 2: file51
        None Some(2): in0 hears clip 1; clip 1: file52
        None Some(2): in0 hears clip 2; clip 2: file52
        None None: in0 hears music
        None None: in0 hears music
        None Some(9): in0 hears music
        None Some(9): in0 hears music
    "#]]
    .assert_eq(&table);
}
