use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ElementId, Instant};

use super::{
    CalcApp, CalcAppClient, CalcAppClientConfig, CalcAppConfig, Job, Kind, Message, PROTOCOL, Report,
};
use crate::client::{Client, ClientAction, ClientEvent};
use crate::service::{Service, ServiceAction, ServiceEvent};
use crate::wire::FormatError;

const ONE: AssociationId = AssociationId::sctp(1);
const TWO: AssociationId = AssociationId::sctp(2);

fn at(ms: u64) -> Instant {
    Instant::ORIGIN + Duration::from_millis(ms)
}

const fn job(id: u32, size: u64, completed: u64) -> Job {
    Job { id, size, completed }
}

fn send(session: AssociationId, kind: Kind, job: Job) -> ServiceAction {
    ServiceAction::Send { session, protocol: PROTOCOL, bytes: Message { kind, job }.encode() }
}

fn received(session: AssociationId, kind: Kind, job: Job) -> ServiceEvent {
    ServiceEvent::Received { session, protocol: PROTOCOL, bytes: Message { kind, job }.encode() }
}

fn drain(service: &mut CalcApp) -> Vec<ServiceAction> {
    core::iter::from_fn(|| service.poll_action()).collect()
}

fn told(service: &mut CalcApp, ms: u64, event: ServiceEvent) -> Vec<ServiceAction> {
    service.handle_event(at(ms), event);
    drain(service)
}

fn expire(service: &mut CalcApp) -> (Instant, Vec<ServiceAction>) {
    let now = service.poll_timeout().expect("something is due");
    service.handle_timeout(now);
    (now, drain(service))
}

fn service(change: impl FnOnce(&mut CalcAppConfig)) -> CalcApp {
    let mut config = CalcAppConfig::default();
    change(&mut config);
    CalcApp::new(config)
}

#[test]
fn octets_of_messages_and_cookies() {
    let message = Message { kind: Kind::Request, job: job(7, 300, 2) };
    let octets = b"\x01\0\0\x18\0\0\0\x07\0\0\0\0\0\0\x01\x2c\0\0\0\0\0\0\0\x02";
    assert_eq!(message.encode(), &octets[..]);
    assert_eq!(Message::decode(octets), Ok(message));
    assert_eq!(job(7, 300, 2).encode(), &octets[4..]);
    assert_eq!(Message::decode(&octets[..20]), Err(FormatError::Length { stated: 24, real: 20 }));
    assert_eq!(Message::decode(b"\x08\0\0\x04"), Err(FormatError::Type(8)));
    assert_eq!(Job::decode(&octets[5..]), Err(FormatError::Short(7)));
    let more_than_all = job(1, 5, 9).encode();
    assert_eq!(Job::decode(&more_than_all), Ok(job(1, 5, 5)));
}

#[test]
fn two_jobs_share_the_capacity() {
    let mut service = service(|config| config.max_jobs = 4);
    let accepted = told(&mut service, 0, received(ONE, Kind::Request, job(1, 1_000_000, 0)));
    assert_eq!(accepted, [send(ONE, Kind::Accept, job(1, 1_000_000, 0)), ServiceAction::Load(0.25)]);
    assert_eq!(service.poll_timeout(), Some(at(1_000)));
    told(&mut service, 500, received(TWO, Kind::Request, job(1, 750_000, 0)));
    // 500,000 are left of the first, and both go at half the speed.
    let (now, actions) = expire(&mut service);
    assert_eq!(now, at(1_500));
    assert_eq!(actions, [send(ONE, Kind::Complete, job(1, 1_000_000, 1_000_000)), ServiceAction::Load(0.25)]);
    let (now, actions) = expire(&mut service);
    assert_eq!(now, at(1_750));
    assert_eq!(actions, [send(TWO, Kind::Complete, job(1, 750_000, 750_000)), ServiceAction::Load(0.0)]);
    assert_eq!(service.poll_timeout(), None);
}

#[test]
fn a_job_too_many_is_rejected() {
    let mut service = service(|config| config.max_jobs = 1);
    told(&mut service, 0, received(ONE, Kind::Request, job(1, 10, 0)));
    let rejected = told(&mut service, 0, received(TWO, Kind::Request, job(5, 10, 0)));
    assert_eq!(rejected, [send(TWO, Kind::Reject, job(5, 10, 0))]);
    let again = told(&mut service, 0, received(ONE, Kind::Request, job(1, 10, 0)));
    assert_eq!(again, [send(ONE, Kind::Accept, job(1, 10, 0))], "it is done already, and not twice");
    assert_eq!(service.jobs(), 1);
}

#[test]
fn cookies_follow_the_work_or_the_time() {
    let mut service = service(|config| {
        config.cookie_calculations = 1_000_000;
        config.cookie_time = Duration::from_millis(1_600);
    });
    told(&mut service, 0, received(ONE, Kind::Request, job(1, 10_000_000, 0)));
    let cookie = |completed| ServiceAction::SendCookie {
        session: ONE,
        cookie: job(1, 10_000_000, completed).encode(),
    };
    assert_eq!(expire(&mut service), (at(1_000), vec![cookie(1_000_000)]));
    told(&mut service, 1_000, received(TWO, Kind::Request, job(1, 10_000_000, 0)));
    let (now, actions) = expire(&mut service);
    assert_eq!(
        (now, actions.first()),
        (at(2_500), Some(&send(ONE, Kind::KeepAlive, job(1, 10_000_000, 1_750_000))))
    );
    let (now, actions) = expire(&mut service);
    assert_eq!((now, actions.first()), (at(2_600), Some(&cookie(1_800_000))), "1.6 s after the last");
}

#[test]
fn a_cookie_continues_its_job() {
    let mut service = service(|_| ());
    let cookie = job(9, 2_000_000, 1_500_000).encode();
    let accepted = told(&mut service, 0, ServiceEvent::Restored { session: ONE, cookie });
    assert_eq!(accepted.first(), Some(&send(ONE, Kind::Accept, job(9, 2_000_000, 1_500_000))));
    assert_eq!(expire(&mut service).0, at(500));
    let strange = ServiceEvent::Restored { session: ONE, cookie: Bytes::from_static(b"<PP-TD1>") };
    assert_eq!((told(&mut service, 600, strange), service.strange()), (vec![], 1));
}

#[test]
fn a_user_that_is_silent_loses_its_job() {
    let mut service = service(|_| ());
    told(&mut service, 0, received(ONE, Kind::Request, job(1, 1_000_000_000, 0)));
    assert_eq!(
        expire(&mut service),
        (at(2_500), vec![send(ONE, Kind::KeepAlive, job(1, 1_000_000_000, 2_500_000))])
    );
    told(&mut service, 2_600, received(ONE, Kind::KeepAliveAck, job(1, 1_000_000_000, 0)));
    expire(&mut service);
    assert_eq!(expire(&mut service).0, at(5_100), "asked 2.5 s after its sign of life");
    let (now, actions) = expire(&mut service);
    let abort = send(ONE, Kind::Abort, job(1, 1_000_000_000, 7_600_000));
    assert_eq!((now, actions), (at(7_600), vec![abort, ServiceAction::Load(0.0)]));
    let unknown = told(&mut service, 8_000, received(ONE, Kind::KeepAlive, job(1, 1_000_000_000, 0)));
    assert_eq!(unknown, [send(ONE, Kind::Abort, job(1, 1_000_000_000, 0))]);
}

#[test]
fn the_end_of_a_session_ends_its_jobs() {
    let mut service = service(|config| config.max_jobs = 4);
    told(&mut service, 0, received(ONE, Kind::Request, job(1, 1_000, 0)));
    told(&mut service, 0, received(ONE, Kind::Request, job(2, 1_000, 0)));
    told(&mut service, 0, received(TWO, Kind::Request, job(1, 1_000, 0)));
    assert_eq!(told(&mut service, 0, received(ONE, Kind::Abort, job(2, 0, 0))), [ServiceAction::Load(0.5)]);
    assert_eq!(told(&mut service, 0, ServiceEvent::Closed { session: ONE }), [ServiceAction::Load(0.25)]);
}

#[test]
fn a_clean_stop_gets_how_far_jobs_are_and_ends_sessions_without_any() {
    let mut service = service(|_| {});
    told(&mut service, 0, received(ONE, Kind::Request, job(1, 1_000, 0)));
    let cookie = ServiceAction::SendCookie { session: ONE, cookie: job(1, 1_000, 0).encode() };
    assert_eq!(told(&mut service, 0, ServiceEvent::CookieWanted { session: ONE }), [cookie]);
    let close = ServiceAction::Close { session: TWO };
    assert_eq!(told(&mut service, 0, ServiceEvent::CookieWanted { session: TWO }), [close]);
}

type Said = Vec<ClientAction<Report>>;

fn user(client: &mut CalcAppClient, ms: u64, event: Option<ClientEvent>) -> Said {
    match event {
        Some(event) => client.handle_event(at(ms), event),
        None => client.handle_timeout(at(ms)),
    }
    core::iter::from_fn(|| client.poll_action()).collect()
}

fn says(kind: Kind) -> ClientAction<Report> {
    let bytes = Message { kind, job: job(1, 1_000, 0) }.encode();
    ClientAction::Send { protocol: PROTOCOL, bytes }
}

fn hears(kind: Kind) -> Option<ClientEvent> {
    let bytes = Message { kind, job: job(1, 1_000, 0) }.encode();
    Some(ClientEvent::Received { protocol: PROTOCOL, bytes })
}

fn opened() -> CalcAppClient {
    let mut client = CalcAppClient::new(CalcAppClientConfig::default());
    assert!(client.begin(at(0), 1_000));
    assert!(!client.begin(at(0), 1_000), "one after the other");
    assert_eq!(
        user(&mut client, 0, Some(ClientEvent::Opened { element: ElementId(1) })),
        [says(Kind::Request)]
    );
    client
}

#[test]
fn a_job_from_request_to_completion() {
    let mut client = opened();
    let accepted = ClientAction::Report(Report::Accepted { element: ElementId(1), job: 1 });
    assert_eq!(user(&mut client, 10, hears(Kind::Accept)), [accepted]);
    assert_eq!(client.poll_timeout(), Some(at(2_510)));
    assert_eq!(user(&mut client, 2_510, None), [says(Kind::KeepAlive)]);
    assert_eq!(user(&mut client, 2_520, hears(Kind::KeepAliveAck)), []);
    assert_eq!(user(&mut client, 3_000, hears(Kind::KeepAlive)), [says(Kind::KeepAliveAck)]);
    let took = Duration::from_millis(4_000);
    let done = Report::Completed { element: ElementId(1), job: 1, size: 1_000, took };
    assert_eq!(user(&mut client, 4_000, hears(Kind::Complete)), [ClientAction::Report(done)]);
    assert_eq!(client.poll_timeout(), None);
    assert!(client.begin(at(4_000), 1_000));
}

#[test]
fn who_is_rejected_moves_on_without_blame() {
    let mut client = opened();
    let rejected = ClientAction::Report(Report::Rejected { element: ElementId(1), job: 1 });
    assert_eq!(user(&mut client, 10, hears(Kind::Reject)), [rejected]);
    assert_eq!(client.poll_timeout(), Some(at(1_010)));
    assert_eq!(user(&mut client, 1_010, None), [ClientAction::FailOver { unreachable: false }]);
    assert_eq!(user(&mut client, 1_020, hears(Kind::Accept)), [], "it was given up");
    let moved = ClientEvent::FailedOver { element: ElementId(2), cookie_echoed: false };
    assert_eq!(user(&mut client, 1_030, Some(moved)), [says(Kind::Request)]);
}

#[test]
fn a_silent_element_is_left_and_its_cookie_goes_along() {
    let mut client = opened();
    user(&mut client, 10, hears(Kind::Accept));
    user(&mut client, 2_510, None);
    assert_eq!(user(&mut client, 5_010, None), [ClientAction::FailOver { unreachable: true }]);
    let moved = ClientEvent::FailedOver { element: ElementId(2), cookie_echoed: true };
    assert_eq!(user(&mut client, 5_020, Some(moved)), [], "the cookie says it all");
    assert_eq!(user(&mut client, 7_520, None), [says(Kind::Request)], "it did not understand the cookie");
    assert_eq!(user(&mut client, 10_020, None), [ClientAction::FailOver { unreachable: true }]);
}

#[test]
fn who_leaves_gives_its_job_up() {
    let mut client = opened();
    client.finish();
    assert_eq!(
        core::iter::from_fn(|| client.poll_action()).collect::<Said>(),
        [says(Kind::Abort), ClientAction::Close]
    );
}
