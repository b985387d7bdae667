//! What a run is measured by.

use serde::{Deserialize, Serialize};

macro_rules! measures {
    ($($(#[doc = $doc:literal])+ $key:ident,)+) => {
        /// What was measured in one run.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[non_exhaustive]
        pub struct Measures {
            $($(#[doc = $doc])+ pub $key: f64,)+
        }

        impl Measures {
            /// The names of all measures, with what they mean.
            pub const KEYS: &'static [(&'static str, &'static str)] =
                &[$((stringify!($key), concat!($($doc),+)),)+];

            /// The measure of this name.
            pub fn get(&self, key: &str) -> Option<f64> {
                match key {
                    $(stringify!($key) => Some(self.$key),)+
                    _ => None,
                }
            }
        }
    };
}

measures! {
    /// Requests completed.
    completed,
    /// The mean time from the wish for a request to its result, in seconds.
    handling_s,
    /// Requests rejected by an element, or dropped by it.
    rejected,
    /// Sessions that have moved to another element, after a failure or a rejection.
    failovers,
    /// The mean time that took, in seconds.
    failover_s,
    /// Questions of users that found an empty pool, outside of failovers.
    empty_pool,
    /// ASAP messages sent by hosts that could be reached, without Cookies and Cookie Echoes.
    asap_packets,
    /// Cookies sent by hosts that could be reached.
    cookies,
    /// ENRP messages sent.
    enrp_packets,
    /// Handle resolutions asked for.
    resolutions,
    /// Registrations sent.
    registrations,
    /// Reports of unreachable elements.
    reports,
    /// Elements that registrars have removed because they were silent or reported, as far as these registrars still run.
    removals,
    /// ENRP_TAKEOVER_SERVER messages sent: for each takeover that was won, one to every peer.
    takeover_messages,
    /// At the end: the largest number of elements that one registrar is the home of, as a multiple of the mean.
    largest_share,
    /// Things that have happened in the simulation.
    events,
}
