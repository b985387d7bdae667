//! The services that an element offers, and the users of ping pong and CalcApp, under anything that a peer may say.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ElementId, Instant, ProtocolId};
use rserpool_core::endpoint::{MAX_COOKIE, MAX_MESSAGE};
use rserpool_core::user::RequestId;
use rserpool_services::calc_app::{self, CalcApp, CalcAppClient, CalcAppClientConfig, CalcAppConfig};
use rserpool_services::ping_pong::{self, PingPong, PingPongClient, PingPongConfig};
use rserpool_services::{
    CharGen, Client, ClientAction, ClientEvent, Daytime, Discard, Echo, Service, ServiceAction, ServiceEvent,
};

use super::input::Input;

const MAX_STEPS: usize = 400;
const SESSIONS: u8 = 3;

/// Sessions of one service, or one session of a user.
pub fn services(octets: &[u8]) {
    let mut input = Input::new(octets);
    match input.below(8) {
        0 => serve(input, Echo::default()),
        1 => serve(input, Discard),
        2 => serve(input, Daytime::new(|| "noon".into())),
        3 => serve(input, CharGen::default()),
        4 => serve(input, PingPong::default()),
        5 => serve(input, CalcApp::new(CalcAppConfig::default())),
        6 => use_pings(input),
        _ => use_jobs(input),
    }
}

/// What a peer sends: anything, or something that begins like a message of a service.
fn message(input: &mut Input<'_>) -> (ProtocolId, Bytes) {
    let protocol = [ProtocolId(0), ping_pong::PROTOCOL, calc_app::PROTOCOL][usize::from(input.below(3))];
    let kind = input.u8();
    let rest = input.octets();
    if kind & 0x80 != 0 {
        return (protocol, Bytes::copy_from_slice(rest));
    }
    let length = (4 + rest.len()).min(usize::from(u16::MAX)) as u16;
    let head = [&[kind % 9, 0][..], &length.to_be_bytes()].concat();
    (protocol, [&head, rest].concat().into())
}

fn serve(mut input: Input<'_>, mut service: impl Service) {
    let (mut now, mut open) = (Instant::ORIGIN, BTreeSet::new());
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        let step = input.below(8);
        if step == 0 {
            now += Duration::from_millis(input.u16().into());
            due(&mut now, &mut service);
        } else {
            let session = AssociationId::sctp(u64::from(input.below(SESSIONS)));
            let event = if open.insert(session) {
                // As an element tells it: a cookie comes first, if at all.
                service.handle_event(now, ServiceEvent::Opened { session });
                let cookie = Bytes::copy_from_slice(input.octets());
                ServiceEvent::Restored { session, cookie }
            } else {
                match step {
                    1 => ServiceEvent::Room { session },
                    2 => ServiceEvent::CookieWanted { session },
                    3 => ServiceEvent::Closed { session },
                    _ => {
                        let (protocol, bytes) = message(&mut input);
                        ServiceEvent::Received { session, protocol, bytes }
                    }
                }
            };
            if let ServiceEvent::Closed { session } = event {
                open.remove(&session);
            }
            service.handle_event(now, event);
        }
        while let Some(action) = service.poll_action() {
            match action {
                ServiceAction::Send { session, bytes, .. } => {
                    assert!(open.contains(&session), "a message to somebody who has gone");
                    assert!(bytes.len() <= MAX_MESSAGE);
                }
                ServiceAction::SendCookie { session, cookie } => {
                    assert!(open.contains(&session), "a cookie to somebody who has gone");
                    assert!(cookie.len() <= MAX_COOKIE);
                }
                ServiceAction::Close { session } => assert!(open.contains(&session)),
                ServiceAction::Load(load) => assert!((0.0..=1.0).contains(&load), "{load}"),
                other => panic!("{other:?} is new"),
            }
        }
        due(&mut now, &mut service);
    }
}

/// Serves the deadlines that are due, and those alone.
fn due(now: &mut Instant, service: &mut impl Service) {
    if service.poll_timeout().is_some_and(|at| at <= *now) {
        service.handle_timeout(*now);
        assert!(service.poll_timeout().is_none_or(|at| at > *now), "a deadline that was served stays");
    }
}

fn use_pings(mut input: Input<'_>) {
    let mut config = PingPongConfig::default();
    config.interval = Duration::from_millis(1 + u64::from(input.u16()));
    config.limit = (input.below(2) == 0).then(|| Duration::from_millis(input.u16().into()));
    let client = talk(&mut input, PingPongClient::new(config), |_, _| {});
    let sum = client.summary();
    assert!(sum.answered + sum.lost <= sum.sent);
}

fn use_jobs(mut input: Input<'_>) {
    talk(&mut input, CalcAppClient::new(CalcAppClientConfig::default()), |client, now| {
        client.begin(now, 1_000_000);
    });
}

fn talk<C: Client>(input: &mut Input<'_>, mut client: C, mut idle: impl FnMut(&mut C, Instant)) -> C {
    let mut now = Instant::ORIGIN;
    client.handle_event(now, ClientEvent::Opened { element: ElementId(1) });
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        idle(&mut client, now);
        match input.below(8) {
            0 => now += Duration::from_millis(input.u16().into()),
            1 => {
                let (element, cookie_echoed) = (ElementId(input.u8().into()), input.below(2) == 0);
                client.handle_event(now, ClientEvent::FailedOver { element, cookie_echoed });
            }
            2 => client.handle_event(now, ClientEvent::Unanswered(RequestId(input.u8().into()))),
            _ => {
                let (protocol, bytes) = message(input);
                client.handle_event(now, ClientEvent::Received { protocol, bytes });
            }
        }
        if client.poll_timeout().is_some_and(|at| at <= now) {
            client.handle_timeout(now);
            assert!(client.poll_timeout().is_none_or(|at| at > now), "a deadline that was served stays");
        }
        while let Some(action) = client.poll_action() {
            if let ClientAction::Send { bytes, .. } | ClientAction::Request { bytes, .. } = action {
                assert!(bytes.len() <= MAX_MESSAGE);
            }
        }
    }
    client
}
