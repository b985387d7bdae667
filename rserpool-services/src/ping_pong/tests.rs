use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ElementId, Instant, ProtocolId};
use rserpool_core::user::RequestId;

use super::{Message, PROTOCOL, PingPong, PingPongClient, PingPongConfig, Pong, cookie, read_cookie};
use crate::client::{Client, ClientAction, ClientEvent};
use crate::service::{Service, ServiceAction, ServiceEvent};
use crate::wire::FormatError;

const SESSION: AssociationId = AssociationId::sctp(1);

fn told(service: &mut PingPong, event: ServiceEvent) -> Vec<ServiceAction> {
    service.handle_event(Instant::ORIGIN, event);
    core::iter::from_fn(|| service.poll_action()).collect()
}

fn ping(message: u64) -> ServiceEvent {
    let bytes = Message::Ping { message, data: Bytes::from_static(b"abc") }.encode();
    ServiceEvent::Received { session: SESSION, protocol: PROTOCOL, bytes }
}

fn answer(message: u64, reply: u64) -> Vec<ServiceAction> {
    let pong = Message::Pong { message, reply, data: Bytes::from_static(b"abc") };
    vec![
        ServiceAction::SendCookie { session: SESSION, cookie: cookie(reply + 1) },
        ServiceAction::Send { session: SESSION, protocol: PROTOCOL, bytes: pong.encode() },
    ]
}

#[test]
fn octets_of_messages_and_cookies() {
    let ping = Message::Ping { message: 7, data: Bytes::from_static(b"x") };
    assert_eq!(ping.encode(), &b"\x01\x00\x00\x0d\0\0\0\0\0\0\0\x07x"[..]);
    let pong = Message::Pong { message: 7, reply: 300, data: Bytes::new() };
    assert_eq!(pong.encode(), &b"\x02\x00\x00\x14\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\x01\x2c"[..]);
    for message in [ping, pong] {
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }
    assert_eq!(cookie(7), &b"<PP-TD1>\0\0\0\0\0\0\0\x07"[..]);
    assert_eq!(read_cookie(&cookie(u64::MAX)), Ok(u64::MAX));
}

#[test]
fn what_is_no_message_is_an_error() {
    let decode = |octets: &'static [u8]| Message::decode(&Bytes::from_static(octets));
    assert_eq!(decode(b""), Err(FormatError::Short(0)));
    assert_eq!(decode(b"\x01\0\0\x09\0\0\0\0\0"), Err(FormatError::Short(5)));
    assert_eq!(decode(b"\x01\0\0\x05\0\0"), Err(FormatError::Length { stated: 5, real: 6 }));
    assert_eq!(decode(b"\x03\0\0\x0c\0\0\0\0\0\0\0\x07"), Err(FormatError::Type(3)));
    for strange in [&b"<PP-TD1>\0\0\0\0\0\0\x07"[..], b"<FG-TD1>\0\0\0\0\0\0\0\x07", b""] {
        assert_eq!(read_cookie(strange), Err(FormatError::Cookie));
    }
    let long = Message::Ping { message: 1, data: vec![1; 100_000].into() }.encode();
    assert!(Message::decode(&long).is_ok(), "what does not fit is left out");
}

#[test]
fn the_number_of_the_reply_counts_up_over_the_session() {
    let mut service = PingPong::default();
    assert_eq!(told(&mut service, ServiceEvent::Opened { session: SESSION }), []);
    assert_eq!(told(&mut service, ping(10)), answer(10, 1));
    assert_eq!(told(&mut service, ping(11)), answer(11, 2));
    assert_eq!(told(&mut service, ServiceEvent::Closed { session: SESSION }), []);
    assert_eq!(told(&mut service, ping(12)), answer(12, 1), "another session begins anew");
}

#[test]
fn a_cookie_continues_the_count() {
    let mut service = PingPong::default();
    let restored = |cookie| ServiceEvent::Restored { session: SESSION, cookie };
    // As RSPLIB's elements leave it after their reply 41.
    assert_eq!(told(&mut service, restored(cookie(42))), []);
    assert_eq!(told(&mut service, ping(10)), answer(10, 42));
    assert_eq!(told(&mut service, restored(Bytes::from_static(b"nonsense"))), []);
    assert_eq!((service.strange(), told(&mut service, ping(11))), (1, answer(11, 43)));
    let again = vec![ServiceAction::SendCookie { session: SESSION, cookie: cookie(44) }];
    assert_eq!(told(&mut service, ServiceEvent::CookieWanted { session: SESSION }), again);
    let other = ServiceEvent::Received { session: SESSION, protocol: ProtocolId(0), bytes: Bytes::new() };
    assert_eq!((told(&mut service, other), service.strange()), (vec![], 2));
}

fn step(client: &mut PingPongClient, at: u64, event: Option<ClientEvent>) -> Vec<ClientAction<Pong>> {
    let now = Instant::ORIGIN + Duration::from_millis(at);
    match event {
        Some(event) => client.handle_event(now, event),
        None => client.handle_timeout(now),
    }
    core::iter::from_fn(|| client.poll_action()).collect()
}

fn request(number: u64) -> ClientAction<Pong> {
    let bytes = Message::Ping { message: number, data: Bytes::new() }.encode();
    ClientAction::Request { request: RequestId(number), protocol: PROTOCOL, bytes }
}

fn pong(message: u64, reply: u64) -> Option<ClientEvent> {
    let bytes = Message::Pong { message, reply, data: Bytes::new() }.encode();
    Some(ClientEvent::Received { protocol: PROTOCOL, bytes })
}

fn heard(element: u32, message: u64, reply: u64, back: u64) -> Vec<ClientAction<Pong>> {
    let report = Pong { element: ElementId(element), message, reply, back };
    vec![ClientAction::Answered(RequestId(message)), ClientAction::Report(report)]
}

#[test]
fn the_user_pings_in_its_interval_and_tells_of_the_pongs() {
    let config = PingPongConfig { interval: Duration::from_millis(100), ..PingPongConfig::default() };
    let mut client = PingPongClient::new(config);
    let opened = ClientEvent::Opened { element: ElementId(1) };
    assert_eq!(step(&mut client, 0, Some(opened)), [request(0)]);
    assert_eq!(step(&mut client, 50, None), [], "not yet");
    assert_eq!(step(&mut client, 100, None), [request(1)]);
    assert_eq!(step(&mut client, 110, pong(0, 1)), heard(1, 0, 1, 0));
    let moved = ClientEvent::FailedOver { element: ElementId(2), cookie_echoed: true };
    assert_eq!(step(&mut client, 120, Some(moved)), []);
    assert_eq!(step(&mut client, 130, pong(1, 2)), heard(2, 1, 2, 0));
    assert_eq!(step(&mut client, 131, pong(1, 3)), [], "answered before");
    assert_eq!(step(&mut client, 200, None), [request(2)]);
    assert_eq!(step(&mut client, 210, pong(2, 1)), heard(2, 2, 1, 2), "the state went back");
    assert_eq!(step(&mut client, 300, None), [request(3)]);
    client.finish();
    assert_eq!(client.poll_timeout(), None);
    assert_eq!(step(&mut client, 310, Some(ClientEvent::Unanswered(RequestId(3)))), [ClientAction::Close]);
    let summary = client.summary();
    assert_eq!((summary.sent, summary.answered, summary.lost), (4, 3, 1));
    assert_eq!((summary.duplicates, summary.went_back, summary.failovers), (1, 1, 1));
}

#[test]
fn it_ends_by_itself_when_all_is_answered() {
    let config = PingPongConfig { limit: Some(Duration::from_millis(700)), ..PingPongConfig::default() };
    let mut client = PingPongClient::new(config);
    step(&mut client, 0, Some(ClientEvent::Opened { element: ElementId(1) }));
    assert_eq!(step(&mut client, 500, None), [request(1)]);
    step(&mut client, 510, pong(0, 1));
    assert_eq!(client.poll_timeout(), Some(Instant::ORIGIN + Duration::from_millis(700)));
    assert_eq!(step(&mut client, 700, None), []);
    let end = [heard(1, 1, 2, 0), vec![ClientAction::Close]].concat();
    assert_eq!(step(&mut client, 710, pong(1, 2)), end);
}

#[test]
fn a_slow_element_gets_no_more_pings_than_the_window_has_room_for() {
    let config =
        PingPongConfig { window: 2, interval: Duration::from_millis(10), ..PingPongConfig::default() };
    let mut client = PingPongClient::new(config);
    step(&mut client, 0, Some(ClientEvent::Opened { element: ElementId(1) }));
    assert_eq!(step(&mut client, 10, None), [request(1)]);
    assert_eq!(step(&mut client, 20, None), []);
    assert_eq!(step(&mut client, 25, pong(0, 1)), heard(1, 0, 1, 0));
    assert_eq!(step(&mut client, 30, None), [request(2)]);
}
