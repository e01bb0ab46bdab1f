//! The SIP endpoint and scripted phones.
//! One binary, so that it is linked once.

mod bench;
mod blocked;
mod bounded;
mod calls;
mod carrier;
mod hostile;
mod lamps;
mod loss;
mod offers;
mod outbound;
mod overtaken;
mod registrations;
mod reliable;
mod saving;
mod session_timers;
mod statuses;
mod strangers;
mod transfers;
mod trunks;
