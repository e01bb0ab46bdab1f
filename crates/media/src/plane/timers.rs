//! Timers: RTCP reports, silence, and keys whose end was lost.

use ::leg::MediaEventKind;
use model::Now;

use crate::effects::Effects;
use crate::rtcp::{Goodbye, Report, Sender, ntp};

use super::leg::report_period;
use super::relation::event;
use super::{LegKey, Plane};

impl Plane {
    pub(super) fn run_timers(&mut self, now: Now, effects: &mut Effects) {
        while let Some((at, key)) = self.timers.first().copied()
            && at <= now.mono
        {
            self.expire(now, key, effects);
            self.arm(key);
        }
    }

    fn expire(&mut self, now: Now, key: LegKey, effects: &mut Effects) {
        let Some(leg) = self.legs.get_mut(key.0) else { return };
        if leg.key_at.is_some_and(|at| at <= now.mono) {
            for kind in leg.keys.expire(now.mono) {
                effects.push(event(leg, kind));
            }
            leg.key_at = leg.keys.deadline();
        }
        if leg.watch.expire(now.mono) {
            effects.push(event(leg, MediaEventKind::Silent));
        }
        if leg.report_at <= now.mono {
            leg.report_at = now.mono + report_period(leg.sent.ssrc());
            self.report(now, key, Goodbye::No, effects);
        }
    }

    /// Sends a report, if the leg has any stream to report on.
    pub(super) fn report(
        &mut self,
        now: Now,
        key: LegKey,
        goodbye: Goodbye,
        effects: &mut Effects,
    ) {
        let Some(leg) = self.legs.get_mut(key.0) else { return };
        let Some((port, to)) = leg.control_outlet() else { return };
        if !leg.sent.begun() && leg.received.ssrc().is_none() {
            return;
        }
        let (packets, octets) = leg.sent.totals();
        let sender = (packets != leg.reported).then(|| Sender {
            ntp: ntp(now.wall),
            timestamp: leg.sent.timestamp_at(now.mono),
            packets,
            octets,
        });
        leg.reported = packets;
        let report = Report {
            ssrc: leg.sent.ssrc(),
            cname: &leg.cname,
            sender,
            block: leg.received.report(now.mono),
            goodbye,
        };
        effects.send(port, to, |datagram| report.write(datagram));
        self.counters.reports_sent += 1;
    }
}
