//! SIP phones and RTP streams by the thousand, for measuring the switch from outside.
//!
//! Knows: what goes over the wire, and how a process is started, pinned and watched.
//! Never knows: any crate of the product; what it measures it sees as a stranger would.
