//! The whole desired audio of a call, made from its legs and what its steps say.

use core::net::SocketAddr;

use leg::{Audio, MediaLeg, SourceLock};
use model::Snapshot;
use smallvec::SmallVec;

use crate::call::{Call, Leg};
use crate::session;
use crate::step::sounds::{Scene, Sounds};
use crate::step::{Step, monitoring, recording};

/// The audio that the call wants now, with the revision that it would have.
pub fn desired(call: &Call, snapshot: &Snapshot) -> Audio {
    let scene = Scene { call, snapshot };
    let mut sounds = Sounds::default();
    for step in call.steps.values() {
        step.sounds(&scene, &mut sounds);
    }
    let monitors = call.steps.values().filter_map(|step| match step {
        Step::Monitoring(monitoring) => Some(monitoring),
        _ => None,
    });
    let monitors: SmallVec<[_; 2]> = monitors.collect();
    // A recording has no part in who hears whom, and must not have what monitors add to it.
    recording::sounds(&monitors, &scene, &mut sounds);
    // What monitors hear depends on what all others do.
    monitoring::sounds(&monitors, &scene, &mut sounds);
    let Sounds { hears, clips, recorders } = sounds;
    let legs = call.legs.values().filter_map(media_leg).collect();
    let revision = call.audio_revision + 1;
    Audio { clips, recorders, ..Audio::of(call.id, revision, legs, hears.into()) }
}

/// The RTP side of a leg; `None` while it has described nothing.
fn media_leg(leg: &Leg) -> Option<MediaLeg> {
    let local = leg.local.as_ref()?;
    let remote = leg.remote.as_ref();
    let at = |port: u16| Some(SocketAddr::new(remote?.address?, port));
    let is_used = remote.is_some_and(|r| r.port != 0);
    let rtcp_mux = local.rtcp_mux && remote.is_some_and(|r| r.rtcp_mux);
    Some(MediaLeg {
        leg: leg.id,
        port: leg.port,
        remote: remote.filter(|_| is_used).and_then(|r| at(r.port)),
        remote_rtcp: remote.filter(|_| is_used).and_then(|r| at(r.rtcp_port?)),
        rtcp_mux,
        send: session::format_in_use(leg),
        receive: local.formats.clone(),
        send_digits: remote.and_then(|r| r.digits).filter(|_| local.digits.is_some()),
        receive_digits: local.digits,
        lock: match leg.peer {
            Some(peer) => SourceLock::Learn { signalled: Some(peer) },
            None => SourceLock::Described,
        },
        negotiation: leg.negotiation,
        inband_digits: leg.keys_are_tones(),
    })
}

/// Whether two declarations want the same, whatever their revisions.
pub fn is_same(a: &Audio, b: &Audio) -> bool {
    a.legs == b.legs && a.hears == b.hears && a.clips == b.clips && a.recorders == b.recorders
}
