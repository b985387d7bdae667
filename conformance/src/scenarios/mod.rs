//! What a scope must do on every runtime: one suite.
//!
//! A scenario is a function, generic over the runtime `G` of the registrars and the runtime `E` of
//! the elements and users; [`scenarios!`](crate::scenarios!) makes each of them a test of its own:
//!
//! ```ignore
//! conformance::scenarios!(Smol, Smol, smol::block_on, tcp);
//! ```
//!
//! It asks of a runtime what [`rserpool_driver`] asks, and nothing more. Nothing is timed:
//! scenarios wait for events, and [`bounded`] ends those that wait in vain. One runtime is here:
//! [`World`], whose time is virtual.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

mod accept;
mod calls;
mod cookies;
mod failures;
mod families;
mod leaving;
mod long;
mod mortal;
mod octets;
mod pairing;
mod readiness;
mod registration;
mod resolution;
mod scope;
mod sessions;
mod virtual_time;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

pub use accept::{
    a_slow_session_of_an_element_stops_nobody, accepted_sessions_keep_their_state,
    dropped_futures_of_sessions_lose_nothing,
};
pub use calls::{
    a_call_ends_with_its_reason, a_call_that_comes_again_is_carried_out_once,
    a_killed_element_and_the_delivery_of_calls, calls_are_answered_in_any_order,
    calls_go_on_although_nobody_takes_events, calls_survive_their_server,
};
pub use cookies::{a_clean_stop_hands_over_the_last_state, cookies_are_sealed, state_moves_with_its_session};
pub use failures::{
    a_dead_element_is_replaced, a_dead_registrar_is_replaced, elements_of_a_dead_registrar_are_taken_over,
};
pub use families::{addresses_that_cannot_be_met_are_refused, both_families_are_reached};
pub use leaving::{
    dropped_handles_leave, everybody_leaves_without_a_trace, requests_in_work_are_answered,
    who_leaves_hands_elements_over,
};
pub use long::{long_calls_are_calls, long_messages_travel_in_pieces};
pub use mortal::Mortal;
pub use octets::{messages_are_streams_and_sinks, octets_are_those_of_one_element};
pub use pairing::{calls_are_paired_by_their_names, calls_are_paired_in_order};
pub use readiness::{
    a_user_that_waits_says_for_what, a_user_waits_for_its_pool, the_load_of_an_element_is_asked_for,
};
pub use registration::{
    an_element_joins_changes_and_leaves, announced_registrars_are_found, what_cannot_start_says_why,
};
pub use resolution::{
    pools_are_resolved, pools_are_resolved_over_tcp, watched_pools_are_told, watched_pools_are_told_over_tcp,
    without_a_registrar_there_is_an_answer,
};
pub use scope::Make;
pub use sessions::{
    dropped_futures_lose_nothing, dropped_requests_are_given_up, large_requests_are_not_overtaken,
    one_session_that_is_not_read_stops_nobody, requests_are_answered_in_order, senders_wait_while_congested,
    who_does_not_listen_is_not_alive,
};
pub use virtual_time::World;

/// How long a scenario may take on a busy machine; most need less than a second.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Makes every scenario a test: of registrars on the first runtime, and of elements and users on the
/// second. The third is the function that runs a future to its end; the word `tcp` behind it says that
/// both runtimes have TCP.
#[macro_export]
macro_rules! scenarios {
    ($registrars:ty, $others:ty, $block_on:expr, tcp) => {
        $crate::scenarios! { $registrars, $others, $block_on }
        $crate::scenarios! { @tests $registrars, $others, $block_on, pools_are_resolved_over_tcp
            watched_pools_are_told_over_tcp }
    };
    ($registrars:ty, $others:ty, $block_on:expr) => {
        $crate::scenarios! { @tests $registrars, $others, $block_on,
            an_element_joins_changes_and_leaves
            announced_registrars_are_found
            what_cannot_start_says_why
            pools_are_resolved
            watched_pools_are_told
            without_a_registrar_there_is_an_answer
            requests_are_answered_in_order
            senders_wait_while_congested
            who_does_not_listen_is_not_alive
            one_session_that_is_not_read_stops_nobody
            dropped_futures_lose_nothing
            dropped_requests_are_given_up
            large_requests_are_not_overtaken
            calls_are_answered_in_any_order
            calls_survive_their_server
            calls_go_on_although_nobody_takes_events
            a_call_ends_with_its_reason
            a_killed_element_and_the_delivery_of_calls
            a_call_that_comes_again_is_carried_out_once
            calls_are_paired_by_their_names
            calls_are_paired_in_order
            accepted_sessions_keep_their_state
            a_slow_session_of_an_element_stops_nobody
            dropped_futures_of_sessions_lose_nothing
            long_calls_are_calls
            long_messages_travel_in_pieces
            octets_are_those_of_one_element
            messages_are_streams_and_sinks
            a_user_waits_for_its_pool
            a_user_that_waits_says_for_what
            the_load_of_an_element_is_asked_for
            state_moves_with_its_session
            a_clean_stop_hands_over_the_last_state
            cookies_are_sealed
            a_dead_element_is_replaced
            a_dead_registrar_is_replaced
            elements_of_a_dead_registrar_are_taken_over
            both_families_are_reached
            addresses_that_cannot_be_met_are_refused
            everybody_leaves_without_a_trace
            requests_in_work_are_answered
            who_leaves_hands_elements_over
            dropped_handles_leave
        }
    };
    (@tests $registrars:ty, $others:ty, $block_on:expr, $($name:ident)*) => {$(
        #[test]
        fn $name() {
            $crate::scenarios::bounded($crate::scenarios::LIMIT, || {
                $block_on($crate::scenarios::$name::<$registrars, $others>());
            });
        }
    )*};
}

/// Runs a test on a thread of its own, and gives it up when it takes too long.
///
/// # Panics
///
/// The test panics, or has not ended within the limit.
pub fn bounded(limit: Duration, test: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel::<()>();
    let running = thread::spawn(move || {
        // Dropped at the end, and by a panic.
        let _done = done;
        test();
    });
    let timed_out = ended.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout);
    assert!(!timed_out, "still waiting after {limit:?}");
    if let Err(panic) = running.join() {
        std::panic::resume_unwind(panic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rserpool_blocking::block_on;

    #[test]
    #[should_panic(expected = "still waiting after 10ms")]
    fn what_waits_in_vain_is_given_up() {
        bounded(Duration::from_millis(10), || block_on(std::future::pending()));
    }

    #[test]
    #[should_panic(expected = "this")]
    fn a_panic_is_passed_on() {
        bounded(LIMIT, || panic!("this"));
    }
}
