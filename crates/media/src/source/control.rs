//! Whose RTCP a leg believes on a port of its own.

use core::net::SocketAddr;

use leg::SourceLock;

use super::{Lock, Verdict, canonical};

/// Which source of RTCP on a port of its own a leg believes: the described one, or the first from
/// the IP address to which the RTP is locked.
#[derive(Debug)]
pub struct ControlLock {
    described: Option<SocketAddr>,
    source: Option<SocketAddr>,
}

impl ControlLock {
    /// The lock of a new leg; a trunk's source is locked from the start.
    pub fn new(rules: SourceLock, described: Option<SocketAddr>) -> ControlLock {
        let described = described.map(canonical);
        let source = described.filter(|_| rules == SourceLock::Described);
        ControlLock { described, source }
    }

    /// Judges an RTCP datagram.
    pub fn judge(&mut self, from: SocketAddr, rtp: &Lock) -> Verdict {
        let from = canonical(from);
        match self.source {
            Some(source) if source == from => Verdict::Believed,
            Some(_) => Verdict::Stranger,
            None => {
                let beside = rtp.rules != SourceLock::Described
                    && rtp.locked().is_some_and(|rtp| rtp.ip() == from.ip());
                if self.described == Some(from) || beside {
                    self.source = Some(from);
                    Verdict::Locked
                } else {
                    Verdict::Stranger
                }
            }
        }
    }

    /// The source that is locked, and connected to.
    pub fn locked(&self) -> Option<SocketAddr> {
        self.source
    }

    /// Where to send: to the source; else to the described address, unless NAT has put the RTP
    /// elsewhere: then beside that.
    pub fn target(&self, rtp: &Lock) -> Option<SocketAddr> {
        if self.source.is_some() {
            return self.source;
        }
        match rtp.target() {
            Some(at) if Some(at) != rtp.described => {
                at.port().checked_add(1).map(|port| SocketAddr::new(at.ip(), port))
            }
            _ => self.described,
        }
    }
}
