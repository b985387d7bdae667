//! Servers that are attached, with a real registrar on loopback.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::SocketAddr;
use std::time::Duration;

use rserpool_core::base::{ASAP_PORT, SctpAddress, UdpPort};
use rserpool_core::element::ElementConfig;
use rserpool_core::wire::{Policy, Transport};
use rserpool_proxy::attach::{Attachment, Event, Wish};
use rserpool_proxy::backend::Backend;
use rserpool_proxy::health::Thresholds;
use rserpool_tokio::{Builder, PoolElement, Preset, Registrar, RegistrarId, StartError, Tokio};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn prepare() -> Builder<Tokio, ElementConfig> {
    PoolElement::builder("").bind(local()).preset(Preset::Fast)
}

/// A server that is attached, and what is told of it.
struct Attached {
    wish: watch::Sender<Wish>,
    events: mpsc::UnboundedReceiver<Event>,
    task: JoinHandle<Result<(), StartError>>,
    _registrars: watch::Sender<Vec<SctpAddress>>,
}

impl Attached {
    fn new(registrar: &Registrar, at: SocketAddr, change: impl FnOnce(&mut Backend, &mut Policy)) -> Self {
        let local = registrar.local_addr();
        let named = SctpAddress::new(local.ip(), ASAP_PORT, UdpPort(local.port()));
        let (registrars, named) = watch::channel(vec![named]);
        let mut backend = Backend::new(at);
        backend.interval = Duration::from_millis(20);
        backend.timeout = Duration::from_secs(10);
        backend.thresholds = Thresholds { rise: 2, fall: 3 };
        let mut policy = Policy::RoundRobin;
        change(&mut backend, &mut policy);
        let mut attachment = Attachment::new("Web".into(), backend, named, prepare);
        attachment.policy = policy;
        attachment.drain = Duration::from_secs(60);
        let (wish, wished) = watch::channel(Wish::Serve);
        let (sender, events) = mpsc::unbounded_channel();
        let task = tokio::spawn(attachment.run(wished, move |event| {
            let _ = sender.send(event);
        }));
        Self { wish, events, task, _registrars: registrars }
    }

    async fn next(&mut self) -> Event {
        tokio::time::timeout(Duration::from_secs(60), self.events.recv()).await.unwrap().unwrap()
    }
}

async fn registrar() -> Registrar {
    Registrar::builder().bind(local()).id(RegistrarId(1)).preset(Preset::Fast).start().await.unwrap()
}

/// The elements of the pool, as the registrar has them.
async fn listed(registrar: &Registrar) -> Vec<rserpool_core::wire::PoolElement> {
    let pools = registrar.pools().await.unwrap();
    pools.into_iter().flat_map(|pool| pool.elements).collect()
}

/// It is in its pool while it accepts connections, with its own address, and comes back as the same element.
#[tokio::test]
async fn a_server_is_in_its_pool_while_it_is_healthy() {
    let registrar = registrar().await;
    // An address of its own: nobody else is to get the port when it is free.
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut attached = Attached::new(&registrar, at, |_, _| {});
    assert_eq!(attached.next().await, Event::Healthy);
    let Event::Registered { id, .. } = attached.next().await else { panic!() };
    let elements = listed(&registrar).await;
    let transport = Transport::Tcp { port: at.port(), reserved: 0, address: at.ip() };
    assert_eq!((elements.len(), &elements[0].user_transport), (1, &transport));

    drop(listener);
    let Event::Failed { reason } = attached.next().await else { panic!() };
    assert!(reason.contains("refused"), "{reason}");
    assert_eq!(attached.next().await, Event::Left);
    assert!(listed(&registrar).await.is_empty());

    let _listener = TcpListener::bind(at).await.unwrap();
    assert_eq!(attached.next().await, Event::Healthy);
    let Event::Registered { id: again, .. } = attached.next().await else { panic!() };
    assert_eq!(id, again);
    assert_eq!(listed(&registrar).await.len(), 1);
}

/// It leaves the pool first; then its connections may end.
#[tokio::test]
async fn a_server_that_leaves_is_drained() {
    let registrar = registrar().await;
    // A check by TCP would be a connection that the listener has not accepted yet.
    let listener = TcpListener::bind(local()).await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut attached = Attached::new(&registrar, at, |backend, _| backend.check = "none".parse().unwrap());
    let client = TcpStream::connect(at).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    while !matches!(attached.next().await, Event::Registered { .. }) {}
    attached.wish.send(Wish::Leave).unwrap();
    assert_eq!(attached.next().await, Event::Left);
    assert!(listed(&registrar).await.is_empty());
    assert_eq!(attached.next().await, Event::Draining { connections: 1 });
    assert!(!attached.task.is_finished());
    drop((client, server));
    assert_eq!(attached.next().await, Event::Drained { connections: 0 });
    attached.task.await.unwrap().unwrap();
}

/// Nobody waits for the connections of one that is to leave now.
#[tokio::test]
async fn whoever_is_in_a_hurry_does_not_wait_for_connections() {
    let registrar = registrar().await;
    let listener = TcpListener::bind(local()).await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut attached = Attached::new(&registrar, at, |backend, _| backend.check = "none".parse().unwrap());
    let _client = TcpStream::connect(at).await.unwrap();
    let _server = listener.accept().await.unwrap();
    while !matches!(attached.next().await, Event::Registered { .. }) {}
    attached.wish.send(Wish::Leave).unwrap();
    while !matches!(attached.next().await, Event::Draining { .. }) {}
    attached.wish.send(Wish::LeaveNow).unwrap();
    assert_eq!(attached.next().await, Event::Drained { connections: 1 });
}

/// A server that is known to be down is out at once, and comes back when it is healthy again.
#[tokio::test]
async fn a_server_can_be_suspended() {
    let registrar = registrar().await;
    let listener = TcpListener::bind(local()).await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut attached = Attached::new(&registrar, at, |_, _| {});
    while !matches!(attached.next().await, Event::Registered { .. }) {}
    attached.wish.send(Wish::Suspend).unwrap();
    assert_eq!(attached.next().await, Event::Left);
    assert!(listed(&registrar).await.is_empty());
    attached.wish.send(Wish::Serve).unwrap();
    assert_eq!(attached.next().await, Event::Healthy);
    assert!(matches!(attached.next().await, Event::Registered { .. }));
}

/// The registrar hears of the load that a command prints, and of nothing while it prints nonsense.
#[tokio::test]
async fn a_load_reaches_the_registrar() {
    let registrar = registrar().await;
    let listener = TcpListener::bind(local()).await.unwrap();
    let at = listener.local_addr().unwrap();
    let file = std::env::temp_dir().join(format!("rserpool-load-{}", std::process::id()));
    std::fs::write(&file, "busy\n").unwrap();
    let command = format!("exec:cat {}", file.display());
    let mut attached = Attached::new(&registrar, at, |backend, policy| {
        backend.load = Some(command.parse().unwrap());
        *policy = "LeastUsed:load=0.0".parse().unwrap();
    });
    assert_eq!(
        attached.next().await,
        Event::LoadUnknown { reason: "\"busy\" is no load: print a number from 0 to 1".into() }
    );
    while !matches!(attached.next().await, Event::Registered { .. }) {}
    std::fs::write(&file, "50%\n").unwrap();
    let half = "LeastUsed:load=0.5".parse::<Policy>().unwrap();
    let told = async {
        while listed(&registrar).await[0].policy.to_string() != half.to_string() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.unwrap();
    std::fs::remove_file(&file).unwrap();
}
