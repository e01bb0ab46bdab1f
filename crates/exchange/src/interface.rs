//! What goes into an [`Exchange`](crate::Exchange) and what comes out of it.

use core::net::IpAddr;
use std::sync::Arc;

use leg::{
    Alert, Command, LampCommand, LampEvent, LegCommand, LegEvent, LegId, MediaCommand, MediaEvent,
    Record, ReplacementChange, Reply, WrongPinCount,
};
use model::{CallId, Chance, DeviceId, EndReason, ExtensionId, Snapshot};

use crate::ports::PortSlice;

/// What the shard lends to an exchange while it handles one input.
#[derive(Debug)]
pub struct Facilities<'a> {
    /// The RTP ports of the shard.
    pub ports: &'a mut PortSlice,
    /// Chance, for identifiers.
    pub chance: &'a mut Chance,
}

/// Something for the exchange to handle.
#[derive(Clone, Debug)]
pub enum Input {
    /// The tenant's configuration is new.
    Snapshot(Arc<Snapshot>),
    /// Something happened on a leg.
    Leg {
        /// Which.
        leg: LegId,
        /// What.
        event: LegEvent,
    },
    /// A phone wants to watch something, or watches it no more.
    Lamp(LampEvent),
    /// A device can be reached.
    DeviceUp {
        /// Whose.
        extension: ExtensionId,
        /// The device.
        device: DeviceId,
        /// Where its signalling comes from.
        address: IpAddr,
    },
    /// A device cannot be reached any more.
    DeviceDown {
        /// Whose.
        extension: ExtensionId,
        /// The device.
        device: DeviceId,
    },
    /// Media noticed something.
    Media(MediaEvent),
    /// A program asks something; answered by [`Effect::Reply`] with the same ticket, always.
    Command {
        /// Given back with the answer.
        ticket: u64,
        /// What.
        command: Command,
    },
    /// Who served whom when it was written down: those that go on.
    Replaced(Vec<ReplacementChange>),
    /// The wrong PINs that were written down: those that count still.
    WrongPins(Vec<WrongPinCount>),
    /// End every call with this reason.
    EndAll(EndReason),
    /// Calls that were loaded go on: their audio is declared anew.
    Resume,
    /// End a call that was carried over a restart and is not to go on.
    EndCall {
        /// Which.
        call: CallId,
        /// Why.
        reason: EndReason,
    },
    /// The deadline has come.
    Tick,
}

/// Something that the exchange wants done. In order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// For the SIP endpoint.
    Leg {
        /// Which leg.
        leg: LegId,
        /// What to do.
        command: LegCommand,
    },
    /// For those who watch something.
    Lamp(LampCommand),
    /// For the media plane.
    Media(MediaCommand),
    /// Write down.
    Record(Record),
    /// Tell the operators.
    Alert(Alert),
    /// The answer to a program.
    Reply {
        /// Which request.
        ticket: u64,
        /// The answer.
        reply: Reply,
    },
}
