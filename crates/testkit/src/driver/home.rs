//! The end of a run: everybody goes home, and nothing may be left.

use core::time::Duration;

use super::stage::{Asked, Stage};
use super::{lamps, lists, rules};
use crate::device::Phone;
use crate::network::Ways;
use crate::phone::manner::WhenCalled;
use crate::sim::secs;

/// So long a call may take to come to its end when everybody has gone home: three rounds of parking
/// and ringing back, and somebody who is rung after that.
const GOING_HOME: Duration = secs(900);

/// Everybody hangs up and takes no calls any more; in the end nothing may be left.
pub(super) fn everybody_goes_home(stage: &mut Stage) -> Result<(), String> {
    stage.sim.is_kill_pending();
    stage.sim.run_for(secs(1));
    stage.plug_all();
    stage.subscribe_anew();
    stage.sim.set_ways(Ways::GOOD);
    if stage.is_plain && !stage.may_lose {
        lists::are_ended(stage)?;
    }
    let sim = &stage.sim;
    let mut quiet = 0;
    for phone in &stage.phones {
        phone.set(|m| m.when_called = WhenCalled::Refuses(Duration::ZERO, 486));
    }
    while quiet < 2 {
        quiet = if stage.phones.iter().all(Phone::is_idle) { quiet + 1 } else { 0 };
        if sim.elapsed() > secs(40_000) {
            return Err("somebody is never rid of a call".to_owned());
        }
        stage.phones.iter().for_each(|phone| _ = phone.hangs_up());
        sim.run_for(secs(2));
    }
    sim.run_while(GOING_HOME, || sim.gauges().calls > 0);
    if sim.gauges().calls > 0 {
        if !stage.may_lose {
            return Err(format!("calls go on without anybody: {:?}", sim.gauges()));
        }
        // Whose phone lost its memory while it held the other side is missed by nobody.
        sim.end_all();
    }
    // A NOTIFY that was lost comes again within four seconds.
    sim.run_for(secs(12));
    lamps::are_dark(stage)?;
    lamps::slots_are_free(stage)?;
    for _ in 0..3 {
        stage.phones.iter().for_each(Phone::unwatches);
        sim.run_for(secs(5));
    }
    sim.run_for(crate::SETTLING);
    rules::hold(stage)?;
    lists::are_recorded(stage)?;
    stage.take_answers();
    if let Some(Asked { word, .. }) = stage.tickets.first().filter(|_| !stage.may_lose) {
        return Err(format!("{word} was never answered"));
    }
    stage.sim.world().leftovers()
}
