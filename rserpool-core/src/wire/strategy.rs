//! Strategies for property tests with `proptest` (feature `proptest`).
//!
//! ```
//! use proptest::prelude::*;
//! use rserpool_core::wire::{AsapMessage, Padding, strategy};
//!
//! proptest!(|(message in strategy::asap_message())| {
//!     let octets = message.encode(Padding::Strict).expect("drawn messages fit");
//!     prop_assert_eq!(AsapMessage::decode(&octets).expect("readable").message, message);
//! });
//! ```

use alloc::vec::Vec;

use arbitrary::{Arbitrary, Unstructured};
use proptest::prelude::{Strategy, any};

use super::{AsapMessage, EnrpMessage, ErrorCause, Policy, PoolElement, ServerInformation, Transport};

/// The most random octets from which a message is made. The message is about as long.
const OCTETS: usize = 2_000;

/// Valid ASAP messages of every type, up to about 2,000 octets; they shrink towards short ones.
pub fn asap_message() -> impl Strategy<Value = AsapMessage> {
    made_of(OCTETS)
}

/// Valid ENRP messages of every type, up to about 2,000 octets; they shrink towards short ones.
pub fn enrp_message() -> impl Strategy<Value = EnrpMessage> {
    made_of(OCTETS)
}

/// Pool elements of every kind of transport and policy.
pub fn pool_element() -> impl Strategy<Value = PoolElement> {
    made_of(OCTETS / 4)
}

/// Server Information parameters.
pub fn server_information() -> impl Strategy<Value = ServerInformation> {
    made_of(OCTETS / 4)
}

/// Transports of every kind.
pub fn transport() -> impl Strategy<Value = Transport> {
    made_of(OCTETS / 4)
}

/// Policies with their values, known and unknown.
pub fn policy() -> impl Strategy<Value = Policy> {
    made_of(OCTETS / 4)
}

/// Error causes, known and unknown.
pub fn error_cause() -> impl Strategy<Value = ErrorCause> {
    made_of(OCTETS / 4)
}

/// Values made of up to `octets` random octets, for any type of this module that implements
/// `Arbitrary`.
pub fn made_of<T: for<'a> Arbitrary<'a> + core::fmt::Debug>(octets: usize) -> impl Strategy<Value = T> {
    proptest::collection::vec(any::<u8>(), 0..=octets)
        .prop_filter_map("octets of any number make one", |octets: Vec<u8>| {
            T::arbitrary(&mut Unstructured::new(&octets)).ok()
        })
}
