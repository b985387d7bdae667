//! The event loop and its handles on a runtime of their own: one thread, a clock that jumps from
//! deadline to deadline, and sockets in memory. It is the whole of what an adapter has to provide.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::{
    BoxFuture, Inspector, PoolElement, PoolUser, Preset, Received, Registrar, Runtime, Session, SessionEvent,
    Socket, StartError,
};
use crate::base::{ElementId, Instant, ProtocolId, RegistrarId};
use crate::element::{Notice as ElementEvent, Refusal};
use crate::transport::Datagram;
use crate::user::{Delivery, UserError};

const ECHO: ProtocolId = ProtocolId(0);
const SECOND: Duration = Duration::from_secs(1);

/// The runtime of the test that runs on this thread.
#[derive(Clone)]
struct World(Arc<Shared>);

#[derive(Default)]
struct Shared {
    now: AtomicU64,
    tasks: Mutex<Vec<BoxFuture>>,
    sleeps: Mutex<BTreeMap<Instant, u32>>,
    inboxes: Mutex<BTreeMap<SocketAddr, Vec<Received>>>,
    /// Datagrams handed to the network; a way to see that the world stands still.
    sent: AtomicU64,
}

thread_local! {
    static WORLD: World = World(Arc::default());
    /// Told apart from time-outs: whether anything happened in a round.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

impl Default for World {
    fn default() -> Self {
        WORLD.with(Clone::clone)
    }
}

impl Runtime for World {
    fn spawn(&self, future: BoxFuture) {
        lock(&self.0.tasks).push(future);
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.now.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture {
        let world = self.clone();
        *lock(&world.0.sleeps).entry(at).or_default() += 1;
        Box::pin(Sleep { world, at })
    }

    fn wrap_socket(&self, socket: UdpSocket) -> io::Result<Box<dyn Socket>> {
        let local = socket.local_addr()?;
        lock(&self.0.inboxes).insert(local, Vec::new());
        Ok(Box::new(MemorySocket { world: self.clone(), local, _port: socket }))
    }
}

struct Sleep {
    world: World,
    at: Instant,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        if self.world.now() >= self.at { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let mut sleeps = lock(&self.world.0.sleeps);
        if let Some(count) = sleeps.get_mut(&self.at) {
            *count -= 1;
            if *count == 0 {
                sleeps.remove(&self.at);
            }
        }
    }
}

struct MemorySocket {
    world: World,
    local: SocketAddr,
    /// Keeps the port for this test.
    _port: UdpSocket,
}

impl Socket for MemorySocket {
    fn poll_receive(&mut self, _: &mut Context<'_>, received: &mut Vec<Received>) -> Poll<io::Result<()>> {
        let mut inboxes = lock(&self.world.0.inboxes);
        match inboxes.get_mut(&self.local) {
            Some(inbox) if !inbox.is_empty() => {
                BUSY.set(true);
                received.append(inbox);
                Poll::Ready(Ok(()))
            }
            _ => Poll::Pending,
        }
    }

    fn poll_send(&mut self, _: &mut Context<'_>, datagrams: &[Datagram]) -> Poll<io::Result<usize>> {
        let Some(Datagram { destination, bytes }) = datagrams.first() else { return Poll::Ready(Ok(0)) };
        self.world.0.sent.fetch_add(1, Ordering::Relaxed);
        BUSY.set(true);
        match lock(&self.world.0.inboxes).get_mut(destination) {
            Some(inbox) => inbox.push(Received { source: self.local, bytes: bytes.clone() }),
            None => return Poll::Ready(Err(io::ErrorKind::HostUnreachable.into())),
        }
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        lock(&self.world.0.inboxes).remove(&self.local);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Runs everything until `future` is done. Nothing waits for real time.
    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        // Rounds without anything to do; what one task does may take a round to reach the next.
        let mut idle = 0;
        while self.now() < Instant::ORIGIN + 600 * SECOND {
            BUSY.set(false);
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return value;
            }
            let mut tasks = std::mem::take(&mut *lock(&self.0.tasks));
            tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
            lock(&self.0.tasks).append(&mut tasks);
            idle = if BUSY.get() { 0 } else { idle + 1 };
            if idle > 3 {
                let next = lock(&self.0.sleeps).keys().next().copied();
                let next = next.expect("the test waits for something that never happens");
                self.0.now.fetch_max(next.as_nanos(), Ordering::Relaxed);
                idle = 0;
            }
        }
        panic!("the test waits for something that does not happen within ten minutes");
    }
}

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

async fn registrar() -> Registrar<World> {
    let builder = Registrar::<World>::builder().bind(local()).id(RegistrarId(1)).preset(Preset::Fast).seed(1);
    builder.start().await.unwrap()
}

async fn element(registrar: &Registrar<World>, id: u32) -> PoolElement<World> {
    let builder = PoolElement::<World>::builder("EchoPool").registrar(registrar.local_addr()).bind(local());
    let element = builder.id(ElementId(id)).preset(Preset::Fast).seed(u64::from(id)).start().await.unwrap();
    loop {
        if let ElementEvent::Registered { .. } = element.next_event().await.unwrap() {
            return element;
        }
    }
}

async fn user(registrar: &Registrar<World>) -> PoolUser<World> {
    let builder = PoolUser::<World>::builder().registrar(registrar.local_addr()).bind(local());
    builder.preset(Preset::Fast).seed(99).start().await.unwrap()
}

/// Answers every message, in the background.
fn echo(element: PoolElement<World>) {
    World::default().spawn(Box::pin(async move {
        while let Some(event) = element.next_event().await {
            if let ElementEvent::Received { session, protocol, bytes, .. } = event {
                let _ = element.send(session, protocol, bytes).await;
            }
        }
    }));
}

async fn received(session: &Session<World>) -> (ElementId, Bytes) {
    loop {
        if let SessionEvent::Received { element, bytes, .. } = session.next_event().await.unwrap() {
            return (element, bytes);
        }
    }
}

/// ASAP-2.1-01, ASAP-2.1-02: all of it over SCTP, packet by packet.
#[test]
fn from_registration_to_the_last_goodbye() {
    World::default().run(async {
        let registrar = registrar().await;
        let element = element(&registrar, 7).await;
        echo(element.clone());
        let user = user(&registrar).await;

        let resolution = user.resolve("EchoPool").await.unwrap();
        assert_eq!(resolution.elements.iter().map(|e| e.id).collect::<Vec<_>>(), [ElementId(7)]);
        assert_eq!(user.resolve("NoPool").await, Err(UserError::UnknownPool));

        let session = user.connect("EchoPool").await.unwrap();
        assert_eq!(session.element(), ElementId(7));
        let request = session.request(ECHO, "hello").await.unwrap();
        assert_eq!(received(&session).await, (ElementId(7), "hello".into()));
        session.answered(request).await.unwrap();
        assert_eq!(session.request(ProtocolId::ASAP, "x").await, Err(Refusal::ReservedProtocol));

        session.close().await.unwrap();
        assert_eq!(session.next_event().await, Some(SessionEvent::Closed { error: None }));
        assert_eq!(session.next_event().await, None);

        let inspector =
            Inspector::<World>::builder(registrar.local_addr()).bind(local()).start().await.unwrap();
        let snapshot = inspector.handlespace().await.unwrap();
        assert_eq!((snapshot.registrar, snapshot.pools), (RegistrarId(1), registrar.pools().await.unwrap()));

        user.shutdown(SECOND).await;
        assert_eq!(user.resolve("EchoPool").await, Err(UserError::ShuttingDown));
        element.shutdown(SECOND).await;
        assert_eq!(registrar.pools().await.unwrap(), []);
        inspector.shutdown(SECOND).await;
        registrar.shutdown(SECOND).await;
        assert!(registrar.pools().await.is_err());
    });
}

/// What an endpoint decides when it is made is carried out at once, not at its first deadline: with
/// the RFC's timers that would be the end of a round of the hunt, 10 s later.
#[test]
fn an_element_registers_at_once() {
    World::default().run(async {
        let registrar = registrar().await;
        let builder = PoolElement::<World>::builder("EchoPool").registrar(registrar.local_addr());
        let element = builder.bind(local()).preset(Preset::Rfc).start().await.unwrap();
        let event = element.next_event().await.unwrap();
        assert!(matches!(event, ElementEvent::Registered { .. }), "{event:?}");
        assert!(World::default().now() < Instant::ORIGIN + SECOND);
    });
}

/// A dropped element deregisters without being told to; a dropped user closes its sessions.
#[test]
fn dropped_handles_leave_cleanly() {
    World::default().run(async {
        let registrar = registrar().await;
        let element = element(&registrar, 7).await;
        let user = user(&registrar).await;
        let session = user.connect("EchoPool").await.unwrap();
        session.send(ECHO, "hello", Delivery::Once).await.unwrap();
        drop((user, session));
        let opened = loop {
            if let ElementEvent::SessionOpened { session, .. } = element.next_event().await.unwrap() {
                break session;
            }
        };
        while !matches!(
            element.next_event().await.unwrap(),
            ElementEvent::SessionClosed { session, .. } if session == opened
        ) {}
        drop(element);
        while !registrar.pools().await.unwrap().is_empty() {
            World::default().sleep_until(World::default().now() + SECOND / 100).await;
        }
        let counters: BTreeMap<&str, u64> = registrar.counters().await.unwrap().into_iter().collect();
        assert_eq!((counters["deregistrations"], counters["removed_silent"]), (1, 0));
    });
}

/// A session that is opened for a future that nobody polls any more is closed again.
#[test]
fn a_cancelled_connect_leaves_no_session() {
    World::default().run(async {
        let registrar = registrar().await;
        let _element = element(&registrar, 7).await;
        let builder = PoolUser::<World>::builder().registrar(registrar.local_addr()).bind(local());
        let builder = builder.preset(Preset::Fast).configure(|config| config.max_sessions = 1);
        let user = builder.start().await.unwrap();
        let moment = || World::default().sleep_until(World::default().now() + SECOND);
        // Dropped before the session opens, and after it has opened but before anybody knows.
        for unseen in [false, true] {
            let mut connect = Box::pin(user.connect("EchoPool"));
            std::future::poll_fn(|context| {
                assert!(connect.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            if unseen {
                moment().await;
            }
            drop(connect);
            moment().await;
            // One session is allowed, so none may be left behind.
            drop(user.connect("EchoPool").await.unwrap());
            moment().await;
        }
    });
}

/// Who sends faster than the element takes waits, and so does the next one: nothing is refused,
/// nothing is lost.
#[test]
fn senders_wait_while_a_session_is_congested() {
    const MESSAGES: usize = 100;
    const OCTETS: usize = 60_000;
    World::default().run(async {
        let registrar = registrar().await;
        let element = element(&registrar, 7).await;
        let user = user(&registrar).await;
        let session = user.connect("EchoPool").await.unwrap();
        let message = Bytes::from(vec![0; OCTETS]);
        let mut accepted = 0;
        while session.try_send(ECHO, message.clone(), Delivery::Once).await.is_ok() {
            accepted += 1;
            assert!(accepted < 1_000, "a queue without bound");
        }
        for _ in 0..2 {
            let (session, message) = (session.clone(), message.clone());
            World::default().spawn(Box::pin(async move {
                for _ in 0..MESSAGES {
                    session.send(ECHO, message.clone(), Delivery::Once).await.unwrap();
                }
            }));
        }
        let mut arrived = 0;
        while arrived < accepted + 2 * MESSAGES {
            if let ElementEvent::Received { bytes, .. } = element.next_event().await.unwrap() {
                assert_eq!(bytes.len(), OCTETS);
                arrived += 1;
            }
        }
    });
}

/// An application that does not take its events looks dead: the registrar drops its element, and
/// the session moves to another that listens.
#[test]
fn who_does_not_listen_is_not_alive() {
    World::default().run(async {
        let registrar = registrar().await;
        let deaf = element(&registrar, 7).await;
        let user = user(&registrar).await;
        let session = user.connect("EchoPool").await.unwrap();
        assert_eq!(session.element(), ElementId(7));
        echo(element(&registrar, 8).await);
        for number in 0..super::EVENT_QUEUE + 10 {
            session.request(ECHO, format!("{number}")).await.unwrap();
        }
        let event = session.next_event().await.unwrap();
        assert!(matches!(event, SessionEvent::ElementFailed { element: ElementId(7), .. }), "{event:?}");
        let event = session.next_event().await.unwrap();
        let SessionEvent::FailedOver { from: ElementId(7), to: ElementId(8), resent, .. } = event else {
            panic!("{event:?}");
        };
        assert_eq!(resent.len(), super::EVENT_QUEUE + 10);
        assert_eq!(received(&session).await, (ElementId(8), "0".into()));

        while registrar.pools().await.unwrap().iter().flat_map(|pool| &pool.elements).count() > 1 {
            World::default().sleep_until(World::default().now() + SECOND / 100).await;
        }
        // It wakes up: every event is still there, in order, and it registers again.
        let mut numbers = Vec::new();
        loop {
            match deaf.next_event().await.unwrap() {
                ElementEvent::Received { bytes, .. } => numbers.push(bytes),
                ElementEvent::Registered { .. } => break,
                _ => {}
            }
        }
        assert!(numbers.len() >= super::EVENT_QUEUE - 10, "{}", numbers.len());
        assert!(numbers.iter().enumerate().all(|(i, number)| number == &format!("{i}")));
    });
}

#[test]
fn what_cannot_start_says_why() {
    World::default().run(async {
        let first = registrar().await;
        let taken = first.local_addr();
        let error = Registrar::<World>::builder().bind(taken).start().await.unwrap_err();
        assert!(matches!(error, StartError::Bind { address, .. } if address == taken));
        assert!(error.to_string().starts_with(&format!("UDP port {taken} is in use")), "{error}");

        let builder = Registrar::<World>::builder().bind(local()).configure(|config| config.asap_port = 0);
        assert!(matches!(builder.start().await, Err(StartError::Config(_))));
        let error = PoolElement::<World>::builder("EchoPool").start().await.unwrap_err();
        assert!(matches!(error, StartError::NoRegistrar), "{error}");
    });
}
