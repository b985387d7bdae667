//! ASAP over TCP for real: users ask, registrars die, clients misbehave.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rserpool_core::wire::{AsapMessage, CauseCode, Padding};
use rserpool_tokio::{
    Delivery, ElementEvent, ElementId, PoolElement, PoolUser, Preset, ProtocolId, Registrar, RegistrarId,
    SessionEvent, StartError, TcpListening,
};

/// ASAP_HANDLE_RESOLUTION for EchoPool, octet by octet.
const QUESTION: &[u8] = b"\x05\x00\x00\x10\x00\x09\x00\x0cEchoPool";
/// The same for a pool that nobody knows, whose handle needs padding; the length does not count it.
const UNKNOWN: &[u8] = b"\x05\x00\x00\x0d\x00\x09\x00\x09Nope!\0\0\0";

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// A registrar with a TCP port of its own choice.
async fn registrar(id: u32, peers: &[SocketAddr]) -> Registrar {
    registrar_at(local(), id, peers).await
}

async fn registrar_at(tcp: SocketAddr, id: u32, peers: &[SocketAddr]) -> Registrar {
    let mut builder = Registrar::builder().bind(local()).id(RegistrarId(id)).preset(Preset::Fast);
    for peer in peers {
        builder = builder.peer(*peer);
    }
    builder
        .tcp(TcpListening::At(Some(tcp.ip()), tcp.port()))
        .configure_tcp(|tcp| tcp.max_per_address = 8)
        .configure_tcp(|tcp| tcp.message_timeout = Duration::from_millis(300))
        .start()
        .await
        .unwrap()
}

fn tcp_of(registrar: &Registrar) -> SocketAddr {
    registrar.tcp_addr().expect("it listens")
}

/// An echo element that is registered at one of these.
async fn element(registrars: &[&Registrar]) -> PoolElement {
    let mut builder =
        PoolElement::builder("EchoPool").bind(local()).id(ElementId(0x2001)).preset(Preset::Fast);
    for registrar in registrars {
        builder = builder.registrar(registrar.local_addr());
    }
    let element = builder.start().await.unwrap();
    while !matches!(element.next_event().await, Some(ElementEvent::Registered { .. })) {}
    let echo = element.clone();
    tokio::spawn(async move {
        while let Some(event) = echo.next_event().await {
            if let ElementEvent::Received { session, protocol, bytes, .. } = event {
                let _ = echo.send(session, protocol, bytes).await;
            }
        }
    });
    element
}

/// Waits until this registrar lists the element.
async fn await_element(registrar: &Registrar) {
    while registrar.pools().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Runs what blocks beside the registrar, which must go on.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn client(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// One message, by its length.
fn read_message(stream: &mut TcpStream) -> AsapMessage {
    let mut header = [0; 4];
    stream.read_exact(&mut header).unwrap();
    let length = usize::from(u16::from_be_bytes([header[2], header[3]])).next_multiple_of(4);
    let mut message = header.to_vec();
    message.resize(length, 0);
    stream.read_exact(&mut message[4..]).unwrap();
    AsapMessage::decode(&message.into()).unwrap().message
}

/// ASAP-2.1-02, ASAP-3.3-03, ASAP-3.3-10, ASAP-3.6-08: a user of two registrars, the first over TCP, the
/// second over SCTP and over TCP, goes on asking while they die; its session, over SCTP, does not notice.
#[tokio::test]
async fn a_user_moves_from_a_registrar_that_dies_to_the_other() {
    let first = registrar(1, &[]).await;
    let second = registrar(2, &[first.local_addr()]).await;
    let _element = element(&[&first, &second]).await;
    await_element(&second).await;

    let user = PoolUser::builder().bind(local()).preset(Preset::Fast);
    let user = user.registrar_tcp(tcp_of(&first)).registrar_tcp(tcp_of(&second)).start().await.unwrap();
    let mixed = PoolUser::builder().bind(local()).preset(Preset::Fast).registrar_tcp(tcp_of(&first));
    let mixed = mixed.registrar(second.local_addr()).start().await.unwrap();
    let session = user.connect("EchoPool").await.unwrap();
    for user in [&user, &mixed] {
        let resolution = user.resolve_items("EchoPool", Some(1)).await.unwrap();
        assert_eq!(resolution.elements[0].id, ElementId(0x2001));
    }
    first.shutdown(Duration::from_millis(500)).await;
    for user in [&user, &mixed] {
        let resolution = user.resolve_items("EchoPool", Some(1)).await.unwrap();
        assert_eq!(resolution.elements[0].id, ElementId(0x2001));
    }
    let request = session.request(ProtocolId(0), "hello").await.unwrap();
    loop {
        if let Some(SessionEvent::Received { bytes, .. }) = session.next_event().await {
            assert_eq!(&bytes[..], b"hello");
            break;
        }
    }
    session.answered(request).await.unwrap();
}

/// Reading B14: hand-made octets, in any pieces; two questions in one piece are two answers, in order.
#[tokio::test]
async fn hand_made_octets_are_answered() {
    let registrar = registrar(1, &[]).await;
    let _element = element(&[&registrar]).await;
    let address = tcp_of(&registrar);
    let answers = beside(move || {
        let mut stream = client(address);
        for octet in QUESTION {
            stream.write_all(&[*octet]).unwrap();
        }
        let first = read_message(&mut stream);
        stream.write_all(&[UNKNOWN, QUESTION].concat()).unwrap();
        let rest = [read_message(&mut stream), read_message(&mut stream)];
        // Half closed, a last question is still answered, and then the registrar closes.
        stream.write_all(QUESTION).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let last = read_message(&mut stream);
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        (first, rest, last)
    });
    let (first, [unknown, second], last) = answers.await;
    let AsapMessage::HandleResolutionResponse { elements, error: None, .. } = &first else {
        panic!("{first:?}")
    };
    assert_eq!(elements.iter().map(|element| element.id).collect::<Vec<_>>(), [ElementId(0x2001)]);
    assert!(second == first && last == first, "{second:?} {last:?}");
    let AsapMessage::HandleResolutionResponse { handle, error: Some(error), .. } = unknown else { panic!() };
    assert_eq!((handle.to_text().as_str(), error.causes[0].code), ("Nope!", CauseCode::UNKNOWN_POOL_HANDLE));
}

/// ASAP-2.1-01: a registration over TCP is refused.
#[tokio::test]
async fn a_registration_over_tcp_is_refused() {
    let registrar = registrar(1, &[]).await;
    let _element = element(&[&registrar]).await;
    let mut pool = registrar.pools().await.unwrap().remove(0);
    let mut other = pool.elements.remove(0);
    other.id = ElementId(0x2002);
    let registration = AsapMessage::Registration { handle: pool.handle, element: other };
    let bytes = registration.encode(Padding::Strict).unwrap();
    let address = tcp_of(&registrar);
    let answer = beside(move || {
        let mut stream = client(address);
        stream.write_all(&bytes).unwrap();
        read_message(&mut stream)
    });
    let AsapMessage::RegistrationResponse { rejected: true, element, error: Some(error), .. } = answer.await
    else {
        panic!("not refused")
    };
    assert_eq!((element, error.causes[0].code), (ElementId(0x2002), CauseCode::INCONSISTENT_TRANSPORT));
    assert_eq!(registrar.pools().await.unwrap()[0].elements.len(), 1);
}

/// A client too slow, one that sends nonsense, and more clients than one address may have: each is hung up
/// on, and the others are served.
#[tokio::test]
async fn bad_clients_are_hung_up_on() {
    let registrar = registrar(1, &[]).await;
    let address = tcp_of(&registrar);
    beside(move || {
        let ends = |stream: &mut TcpStream| matches!(stream.read(&mut [0]), Ok(0) | Err(_));
        let mut slow = client(address);
        slow.write_all(&UNKNOWN[..9]).unwrap();
        let mut nonsense = client(address);
        nonsense.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(ends(&mut nonsense), "a length of 21,536 octets is more than a user may ask");
        assert!(ends(&mut slow), "half a message is not waited for");
        let mut clients: Vec<TcpStream> = (0..9).map(|_| client(address)).collect();
        assert!(ends(&mut clients[8]), "the newest of too many");
        for client in &mut clients[..8] {
            client.write_all(UNKNOWN).unwrap();
            assert!(matches!(
                read_message(client),
                AsapMessage::HandleResolutionResponse { error: Some(_), .. }
            ));
        }
    })
    .await;
}

/// While the application takes no events nothing is read, TCP included; what has come meanwhile is read when
/// it takes them.
#[tokio::test]
async fn nothing_is_lost_while_the_application_hangs() {
    const MESSAGES: usize = 1_500;
    let registrar = registrar(1, &[]).await;
    let _element = element(&[&registrar]).await;
    let user = PoolUser::builder().bind(local()).registrar_tcp(tcp_of(&registrar)).start().await.unwrap();
    let session = user.connect("EchoPool").await.unwrap();
    for _ in 0..MESSAGES {
        session.send(ProtocolId(0), "hello", Delivery::Once).await.unwrap();
    }
    // Long enough for the queue of events to be full, as a rule; if not, nothing is shown.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let drain = async {
        for _ in 0..MESSAGES {
            assert!(matches!(session.next_event().await, Some(SessionEvent::Received { .. })));
        }
    };
    let (resolution, ()) = tokio::join!(user.resolve_items("EchoPool", None), drain);
    assert_eq!(resolution.unwrap().elements[0].id, ElementId(0x2001));
}

/// A flood of questions whose answers nobody reads stops by itself; whoever asks beside it is answered.
#[tokio::test]
async fn a_flood_is_not_everybody_elses_problem() {
    let registrar = registrar(1, &[]).await;
    let _element = element(&[&registrar]).await;
    let address = tcp_of(&registrar);
    let flooded = beside(move || {
        let mut flood = client(address);
        flood.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let questions = QUESTION.repeat(4096);
        let mut sent = 0;
        while let Ok(octets @ 1..) = flood.write(&questions) {
            sent += octets;
            assert!(sent < 1 << 30, "it is never told to wait");
        }
        let mut other = client(address);
        other.write_all(UNKNOWN).unwrap();
        assert!(matches!(read_message(&mut other), AsapMessage::HandleResolutionResponse { .. }));
        sent
    });
    assert!(flooded.await > 0);
}

#[tokio::test]
async fn a_busy_port_is_a_clear_error() {
    let registrar = registrar(1, &[]).await;
    let taken = tcp_of(&registrar);
    let second = Registrar::builder().bind(local()).tcp(TcpListening::At(None, taken.port())).start().await;
    let Err(error @ StartError::Listen { .. }) = second else { panic!("{second:?}") };
    let text =
        format!("TCP port {taken} is in use by another process: choose another, or none, for ASAP over TCP");
    assert_eq!(error.to_string(), text);
    let quiet = Registrar::builder().bind(local()).start().await.unwrap();
    assert_eq!(quiet.tcp_addr(), None, "a port other than the standard one shares the host");
}
