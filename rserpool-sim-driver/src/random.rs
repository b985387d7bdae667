//! Random streams: one for each entity and purpose. One more draw in one place changes nothing in another.

use rserpool_core::base::Random;

use crate::id::HostId;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The seed in the configuration of a process; the number counts its lives.
    Process(u32),
    /// The SCTP stack of a process; the number counts its lives.
    Stack(u32),
    /// Packets to this host.
    Cable(HostId),
    /// When a host is handed what has piled up.
    Host,
    /// The plan of an exploration.
    Plan,
    /// What its applications do.
    Orders,
    /// What its registrars have to do with each other.
    Scope,
    /// The policies of its pools.
    Policies,
    /// Faults at moments that matter.
    Moments,
    /// Where its registrars come back.
    Relocation,
    /// How its servers serve and what its clients ask of them.
    Work,
    /// Presets and habits that differ within its scope.
    Mixture,
    /// What its sessions carry.
    Sessions,
    /// Pauses, restarts and losses at which time-outs matter.
    TimeOuts,
    /// A time without any registrar.
    Desertion,
    /// Which requests are calls.
    Calls,
    /// When elements name others.
    Cards,
    /// What the network says of datagrams that are not delivered.
    Errors,
    /// The capacities of the elements of a study.
    #[cfg(feature = "study")]
    Capacities,
    /// When a host of a study fails.
    #[cfg(feature = "study")]
    Outages,
    /// The sizes of a user's requests.
    #[cfg(feature = "study")]
    Sizes,
    /// The pauses of a user.
    #[cfg(feature = "study")]
    Pauses,
}

/// The stream of an entity.
pub(crate) fn stream(seed: u64, entity: HostId, purpose: Purpose) -> Random {
    let (kind, detail) = match purpose {
        Purpose::Process(life) => (1, u64::from(life)),
        Purpose::Cable(to) => (2, to.0 as u64),
        Purpose::Host => (3, 0),
        Purpose::Plan => (4, 0),
        Purpose::Orders => (5, 0),
        Purpose::Scope => (6, 0),
        Purpose::Policies => (7, 0),
        Purpose::Stack(life) => (8, u64::from(life)),
        Purpose::Moments => (9, 0),
        Purpose::Relocation => (10, 0),
        Purpose::Work => (11, 0),
        Purpose::Mixture => (12, 0),
        Purpose::TimeOuts => (13, 0),
        Purpose::Sessions => (14, 0),
        Purpose::Desertion => (15, 0),
        Purpose::Calls => (20, 0),
        Purpose::Cards => (21, 0),
        Purpose::Errors => (24, 0),
        #[cfg(feature = "study")]
        Purpose::Capacities => (16, 0),
        #[cfg(feature = "study")]
        Purpose::Outages => (17, 0),
        #[cfg(feature = "study")]
        Purpose::Sizes => (18, 0),
        #[cfg(feature = "study")]
        Purpose::Pauses => (19, 0),
    };
    Random::new([kind, entity.0 as u64, detail].into_iter().fold(mix(seed), |hash, word| mix(hash ^ word)))
}

/// Spreads the bits of a word over the whole word (the finalizer of splitmix64).
pub(crate) const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
