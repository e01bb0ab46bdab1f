//! What the plane says of who is heard where, against what it sends.

use core::net::SocketAddr;

use leg::{ClipId, LegId, Piece, Player, Tone};
use media::{Audible, Outlet, Sound, Way};
use model::{Codec, FileId};

use crate::stage::{CALL, Stage, TENANT, player, voice};

fn outlet(stage: &Stage, phone: usize) -> Option<Outlet> {
    let port = stage.phones[phone].leg.port;
    stage.plane.outlets().find(|outlet| outlet.port == port)
}

fn sounds(stage: &Stage, phone: usize) -> Option<(Way, Vec<Audible>)> {
    let outlet = outlet(stage, phone)?;
    Some((outlet.way, outlet.sounds.iter().map(|(sound, _)| *sound).collect()))
}

fn port(stage: &Stage, phone: usize) -> Audible {
    Audible::Port(stage.phones[phone].leg.port)
}

#[test]
fn an_outlet_names_what_is_relayed_and_what_is_mixed() {
    let mut stage = Stage::new(&[Codec::Pcma; 3]);
    stage.hear(&[(0, &[voice(1)]), (1, &[voice(0), voice(2)]), (2, &[player(Player::HoldMusic)])]);
    assert_eq!(sounds(&stage, 0), Some((Way::Relayed, vec![port(&stage, 1)])));
    assert_eq!(sounds(&stage, 1), Some((Way::Mixed, vec![port(&stage, 0), port(&stage, 2)])));
    let music = Audible::Player(Player::HoldMusic);
    assert_eq!(sounds(&stage, 2), Some((Way::Mixed, vec![music])));
    let first = outlet(&stage, 0).unwrap();
    assert_eq!((first.tenant, first.call, first.to), (TENANT, CALL, stage.phones[0].at));
    stage.hear(&[(0, &[voice(1)])]);
    assert_eq!((sounds(&stage, 1), sounds(&stage, 2)), (None, None), "nothing is sent");
}

#[test]
fn a_clip_is_named_by_the_piece_at_which_it_is() {
    let mut stage = Stage::new(&[Codec::Pcma; 2]);
    stage.files.insert(FileId(5), Sound::narrow(vec![900; 1_600]));
    stage.clips = vec![leg::Clip {
        id: ClipId(1),
        leg: LegId(0),
        pieces: vec![
            Piece::File(FileId(5)),
            Piece::File(FileId(6)),
            Piece::Silence(100),
            Piece::Tone(Tone::Busy, 200),
        ],
        repeats: false,
    }];
    stage.hear(&[(0, &[player(Player::Clip(ClipId(1)))])]);
    let mut named = Vec::new();
    for _ in 0..30 {
        let now = sounds(&stage, 0).unwrap().1;
        if named.last() != Some(&now) {
            named.push(now);
        }
        stage.run_for(20);
    }
    let piece = |piece| vec![Audible::Piece(piece)];
    let expected =
        [piece(Piece::File(FileId(5))), vec![], piece(Piece::Tone(Tone::Busy, 200)), vec![]];
    assert_eq!(named, expected);
}

#[test]
fn a_port_takes_what_its_lock_believes_in_what_was_agreed_on() {
    let mut stage = Stage::talking();
    stage.run_for(100);
    let (ours, peer) = (stage.phones[0].leg.port, stage.phones[0].at);
    let stranger: SocketAddr = "203.0.113.1:4000".parse().unwrap();
    assert!(stage.plane.takes(ours, peer, 8));
    assert!(!stage.plane.takes(ours, peer, 0), "no µ-law was agreed on");
    assert!(!stage.plane.takes(ours, stranger, 8));
    assert!(!stage.plane.takes(ours + 1, peer, 8), "the port of RTCP");
    assert!(!stage.plane.takes(ours + 20, peer, 8), "nobody's port");
}
