//! The example of a service of one's own does what it says.
#![cfg(feature = "services")]

#[path = "../examples/own_service.rs"]
mod own_service;

#[test]
fn a_count_moves_with_its_session() {
    own_service::main();
}
