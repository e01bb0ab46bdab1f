//! What depends on which connection, so that its end is heard by exactly those.

use std::collections::BTreeSet;

use leg::LegId;
use model::{DeviceId, TenantId};
use smallvec::SmallVec;

use crate::interface::{Flow, FlowId};
use crate::transaction::TransactionId;

/// Something that sends on a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FlowUser {
    /// A transaction.
    Transaction(TransactionId),
    /// A leg.
    Leg(TenantId, LegId),
    /// A registered device.
    Device(TenantId, DeviceId),
}

/// The users of all connections. Datagram sockets do not end, so their users are not noted.
#[derive(Debug, Default)]
pub(crate) struct FlowUsers {
    users: BTreeSet<(FlowId, FlowUser)>,
}

impl FlowUsers {
    /// Notes a user of a flow.
    pub(crate) fn add(&mut self, flow: &Flow, user: FlowUser) {
        if flow.transport.is_reliable() {
            self.users.insert((flow.id, user));
        }
    }

    /// Forgets a user of a flow.
    pub(crate) fn remove(&mut self, flow: &Flow, user: FlowUser) {
        if flow.transport.is_reliable() {
            self.users.remove(&(flow.id, user));
        }
    }

    /// The users of a flow.
    pub(crate) fn of(&self, flow: FlowId) -> SmallVec<[FlowUser; 4]> {
        let first = (flow, FlowUser::Transaction(TransactionId::MIN));
        self.users.range(first..).take_while(|(id, _)| *id == flow).map(|(_, user)| *user).collect()
    }

    /// Forgets a leg wherever it is; slow, for a leg whose handling a defect ended.
    pub(crate) fn drop_leg(&mut self, (tenant, leg): (TenantId, LegId)) {
        self.users.retain(|(_, user)| *user != FlowUser::Leg(tenant, leg));
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(FlowId, FlowUser)> {
        self.users.iter()
    }
}
