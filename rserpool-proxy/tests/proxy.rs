//! A proxy for TCP, with a real registrar and servers on loopback.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::SocketAddr;
use std::time::Duration;

use rserpool_proxy::proxy::{Event, Outcome, Proxy, ProxyConfig};
use rserpool_proxy::proxy_protocol::Version;
use rserpool_tokio::{ElementEvent, ElementId, PoolElement, PoolUser, Preset, Registrar, RegistrarId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// A server that says its name and sends back what it gets, on an address of its own. It dies with all its connections
/// when it is aborted.
async fn server(name: &'static str) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.3:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut connection, _)) = listener.accept().await {
            connections.spawn(async move {
                connection.write_all(name.as_bytes()).await.unwrap();
                let (mut from, mut to) = connection.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    (address, task)
}

async fn registrar() -> Registrar {
    Registrar::builder().bind(local()).id(RegistrarId(1)).preset(Preset::Fast).start().await.unwrap()
}

async fn element(registrar: &Registrar, id: u32, policy: &str, at: SocketAddr) -> PoolElement {
    let builder = PoolElement::builder("Web").bind(local()).id(ElementId(id)).preset(Preset::Fast);
    let builder = builder.policy(policy.parse().unwrap()).registrar(registrar.local_addr()).tcp_service(at);
    let element = builder.start().await.unwrap();
    while !matches!(element.next_event().await, Some(ElementEvent::Registered { .. })) {}
    element
}

/// A proxy at work.
struct Proxied {
    at: SocketAddr,
    events: mpsc::UnboundedReceiver<Event>,
    stop: watch::Sender<bool>,
    task: JoinHandle<JoinSet<()>>,
}

impl Proxied {
    async fn new(registrar: &Registrar, change: impl FnOnce(&mut ProxyConfig)) -> Self {
        let user = PoolUser::builder().bind(local()).preset(Preset::Fast).registrar(registrar.local_addr());
        let mut config = ProxyConfig::new("Web".into(), 1);
        config.retry = Duration::from_millis(50);
        config.patience = Duration::from_secs(60);
        change(&mut config);
        let (sender, events) = mpsc::unbounded_channel();
        let proxy = Proxy::new(user.start().await.unwrap(), config, move |event| {
            let _ = sender.send(event);
        });
        let follower = proxy.clone();
        tokio::spawn(async move { follower.follow().await });
        let listener = TcpListener::bind(local()).await.unwrap();
        let (at, (stop, stopped)) = (listener.local_addr().unwrap(), watch::channel(false));
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            proxy.accept(listener, stopped, &mut connections).await;
            connections
        });
        Self { at, events, stop, task }
    }

    async fn next(&mut self) -> Event {
        tokio::time::timeout(Duration::from_secs(60), self.events.recv()).await.unwrap().unwrap()
    }

    /// Waits until the proxy knows so many elements.
    async fn knows(&mut self, number: usize) {
        while !matches!(self.next().await, Event::Pool { elements, .. } if elements == number) {}
    }

    /// The name of the server that answers a new connection.
    async fn ask(&self) -> String {
        let mut client = TcpStream::connect(self.at).await.unwrap();
        let mut name = [0; 3];
        client.read_exact(&mut name).await.unwrap();
        String::from_utf8_lossy(&name).into_owned()
    }
}

/// Connections go to the elements in turn; when a server has died, the next client does not notice.
#[tokio::test]
async fn a_dead_server_is_passed_over_at_once() {
    let registrar = registrar().await;
    let ((a, one), (b, _two)) = (server("one").await, server("two").await);
    let _elements =
        [element(&registrar, 0x11, "RoundRobin", a).await, element(&registrar, 0x12, "RoundRobin", b).await];
    let mut proxied = Proxied::new(&registrar, |_| {}).await;
    proxied.knows(2).await;
    let mut names = [proxied.ask().await, proxied.ask().await];
    names.sort();
    assert_eq!(names, ["one", "two"]);
    one.abort();
    let _ = one.await;
    for _ in 0..8 {
        assert_eq!(proxied.ask().await, "two");
    }
    let mut failures = 0;
    while let Ok(event) = proxied.events.try_recv() {
        if let Event::ElementFailed { target, reason } = event {
            assert!(target.element == ElementId(0x11) && reason.contains("refused"), "{reason}");
            failures += 1;
        }
    }
    assert!(failures <= 1, "{failures}");
}

/// A pool that comes into being while its client waits is there in time; one that does not is the end of the wait.
#[tokio::test]
async fn clients_wait_for_an_empty_pool() {
    let registrar = registrar().await;
    let proxied = Proxied::new(&registrar, |_| {}).await;
    let asked = tokio::spawn({
        let at = proxied.at;
        async move {
            let mut name = [0; 3];
            TcpStream::connect(at).await.unwrap().read_exact(&mut name).await.unwrap();
            name
        }
    });
    let (a, _one) = server("one").await;
    let _element = element(&registrar, 0x11, "RoundRobin", a).await;
    assert_eq!(&asked.await.unwrap(), b"one");

    let mut short = Proxied::new(&registrar, |config| {
        config.pool = "Nobody".into();
        config.patience = Duration::from_millis(100);
    })
    .await;
    let mut client = TcpStream::connect(short.at).await.unwrap();
    assert!(client.read(&mut [0; 1]).await.is_err());
    let access = loop {
        if let Event::Ended(access) = short.next().await {
            break access;
        }
    };
    assert_eq!((access.outcome, access.target, access.sent), (Outcome::EmptyPool, None, 0));
    proxied.stop.send(true).unwrap();
}

/// The highest priority is used while it lives, and again when it is back.
#[tokio::test]
async fn the_primary_is_used_while_it_lives() {
    let registrar = registrar().await;
    let ((a, one), (b, _two)) = (server("one").await, server("two").await);
    let _elements =
        [element(&registrar, 0x11, "Priority:9", a).await, element(&registrar, 0x12, "Priority:1", b).await];
    let mut proxied = Proxied::new(&registrar, |_| {}).await;
    proxied.knows(2).await;
    assert_eq!((&*proxied.ask().await, &*proxied.ask().await), ("one", "one"));
    one.abort();
    let _ = one.await;
    assert_eq!((&*proxied.ask().await, &*proxied.ask().await), ("two", "two"));
}

/// The registrar dies: who was known serves on.
#[tokio::test]
async fn the_last_list_serves_on_without_a_registrar() {
    let registrar = registrar().await;
    let (a, _one) = server("one").await;
    let _element = element(&registrar, 0x11, "RoundRobin", a).await;
    let mut proxied = Proxied::new(&registrar, |_| {}).await;
    proxied.knows(1).await;
    registrar.shutdown(Duration::ZERO).await;
    while !matches!(proxied.next().await, Event::Stale { .. }) {}
    assert_eq!(proxied.ask().await, "one");
}

/// It stops taking connections; those that are there go on.
#[tokio::test]
async fn a_proxy_that_stops_lets_its_connections_end() {
    let registrar = registrar().await;
    let (a, _one) = server("one").await;
    let _element = element(&registrar, 0x11, "RoundRobin", a).await;
    let mut proxied = Proxied::new(&registrar, |config| config.header = Some(Version::V1)).await;
    proxied.knows(1).await;
    let mut client = TcpStream::connect(proxied.at).await.unwrap();
    let own = client.local_addr().unwrap().port();
    let greeting = format!("onePROXY TCP4 127.0.0.1 127.0.0.1 {own} {}\r\n", proxied.at.port());
    let mut octets = vec![0; greeting.len()];
    client.read_exact(&mut octets).await.unwrap();
    assert_eq!(String::from_utf8(octets).unwrap(), greeting);

    proxied.stop.send(true).unwrap();
    let mut connections = proxied.task.await.unwrap();
    assert_eq!(
        TcpStream::connect(proxied.at).await.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    client.write_all(b"still here").await.unwrap();
    let mut octets = [0; 10];
    client.read_exact(&mut octets).await.unwrap();
    assert_eq!(&octets, b"still here");
    drop(client);
    while connections.join_next().await.is_some() {}
    let access = loop {
        if let Some(Event::Ended(access)) = proxied.events.recv().await {
            break access;
        }
    };
    // What the proxy says itself does not count.
    assert_eq!((access.outcome, access.sent), (Outcome::Closed, 10));
    assert_eq!(access.received, greeting.len() as u64 + 10);
}

/// One source does not take the room of all others.
#[tokio::test]
async fn one_source_may_have_so_many_connections() {
    let registrar = registrar().await;
    let (a, _one) = server("one").await;
    let _element = element(&registrar, 0x11, "RoundRobin", a).await;
    let mut proxied = Proxied::new(&registrar, |config| config.connections_per_source = 2).await;
    proxied.knows(1).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(proxied.at).await.unwrap();
        client.read_exact(&mut [0; 3]).await.unwrap();
        clients.push(client);
    }
    let mut third = TcpStream::connect(proxied.at).await.unwrap();
    assert!(third.read(&mut [0; 1]).await.is_err());
    assert!(matches!(proxied.next().await, Event::Ended(access) if access.outcome == Outcome::TooMany));
    drop(clients.pop());
    assert!(matches!(proxied.next().await, Event::Ended(access) if access.outcome == Outcome::Closed));
    assert_eq!(proxied.ask().await, "one");
}
