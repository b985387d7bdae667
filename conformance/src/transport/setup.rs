//! What a row needs: which peer, which addresses, which settings.

use std::time::Duration;

use rserpool_transport::sctp::SctpConfig;

use super::wire::Link;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Peer {
    /// The same stack, over an emulated network in virtual time.
    Own,
    /// Packets made by hand.
    Crafted,
    /// usrsctp, another process on loopback.
    Usrsctp,
    /// The SCTP of the Linux kernel, in a virtual machine.
    Linux,
}

impl Peer {
    /// All there are.
    pub(super) const ALL: [Self; 4] = [Self::Own, Self::Crafted, Self::Usrsctp, Self::Linux];

    /// Its name in arguments and tables.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Crafted => "crafted",
            Self::Usrsctp => "usrsctp",
            Self::Linux => "linux",
        }
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// How the ends are set up.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// The settings of our stacks; the seed is replaced.
    pub(super) config: SctpConfig,
    /// Which addresses are used.
    pub(super) family: Family,
    /// Whether the peer is bound to all its addresses instead of one.
    pub(super) wild: bool,
    /// The SCTP port on which we listen.
    pub(super) our_port: u16,
    /// The SCTP port of the peer; a second peer has the next.
    pub(super) peer_port: u16,
    /// What the network does.
    pub(super) link: Link,
    /// Decides everything random.
    pub(super) seed: u64,
}

impl Setup {
    /// A peer on one IPv4 address, on a good network of 1 ms.
    pub(super) fn plain() -> Self {
        Self {
            config: SctpConfig::fast(1),
            family: Family::V4,
            wild: false,
            our_port: 3863,
            peer_port: 5001,
            link: Link { delay: Duration::from_millis(1), ..Link::default() },
            seed: 1,
        }
    }

    /// The same with a peer that we do not give up soon: for rows that are not about silence, on
    /// machines that are busy with something else.
    pub(super) fn patient() -> Self {
        let mut setup = Self::plain();
        setup.config = SctpConfig::fast(1);
        setup.config.max_silence = Duration::from_secs(10);
        setup
    }
}
