//! A carrier between two calls: who calls one number is led to another, as carriers do that know
//! no way but back.

use model::Mono;

use super::agent::Agent;
use super::call::{CallState, Outcome};

impl Agent {
    /// Leads a new call on, if its number is one of those; what has come too far gets 483.
    pub(super) fn leads(&mut self, now: Mono, id: u32) -> bool {
        let Some(lead) = self.manner.leads.clone() else { return false };
        let Some(invite) = self.call_mut(id).and_then(|call| call.invite.clone()) else {
            return false;
        };
        let called = invite.message.uri().ok().and_then(|uri| uri.number().map(|n| n.into_owned()));
        if called.as_deref() != Some(&*lead.number) {
            return false;
        }
        let left = invite.message.max_forwards().ok().flatten().unwrap_or(70);
        match left.checked_sub(1) {
            None => self.decline(now, id, 483),
            Some(left) => {
                let by = self.dial_with(now, &lead.to, left);
                if let Some(call) = self.call_mut(id) {
                    call.led_by = Some(by);
                }
            }
        }
        true
    }

    /// What has become of one side of each such call is told to the other.
    pub(super) fn lead_on(&mut self, now: Mono) {
        let pairs: Vec<(u32, u32)> =
            self.calls.iter().filter_map(|call| Some((call.id, call.led_by?))).collect();
        for (id, by) in pairs {
            let state = |id| {
                let calls = self.calls.iter().chain(&self.past);
                calls.filter(|c| c.id == id).map(|c| c.state.clone()).last()
            };
            let (Some(here), Some(there)) = (state(id), state(by)) else { continue };
            match (here, there) {
                (CallState::Over(_), CallState::Over(_)) => {}
                (CallState::Over(_), _) => self.cancel(now, by),
                (_, CallState::Over(Outcome::Refused(status))) => self.decline(now, id, status),
                (_, CallState::Over(_)) => self.decline(now, id, 408),
                _ => {}
            }
        }
    }
}
