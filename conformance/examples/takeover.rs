//! Kills the home registrar of many elements, and measures how long it takes until each of them has a
//! new home at every surviving registrar.
//!
//! ```text
//! cargo build --release
//! cargo run --release -p conformance --example takeover -- target/release/rserpool 3 1000 5
//! ```
//!
//! The arguments are the program, how many registrars, how many elements, how many runs. Registrars
//! are processes with the fast preset on loopback; elements, each with a socket of its own, live in this
//! process and know all registrars. All of them register at the one that is killed (SIGKILL), because it
//! starts first, and which keeps them, because balancing is off. A survivor counts when the handle table that it shows names a living home for every
//! element. Prints one JSON object.

use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rserpool_tokio::{Inspector, PoolElement, Preset, RegistrarId, Snapshot};

type Error = Box<dyn std::error::Error>;

/// How often a survivor is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Elements that start at a time.
const BATCH: usize = 50;

/// A registrar as a process; it is killed when the value is dropped.
struct Registrar {
    process: Child,
    address: SocketAddr,
    inspector: Inspector,
}

impl Registrar {
    async fn start(program: &str, id: usize, address: SocketAddr, peers: &[Self]) -> Result<Self, Error> {
        let mut command = Command::new(program);
        command.args(["registrar", "--preset", "fast", "--announce", "no", "--balance", "no"]);
        command.args(["--log-filter", "off", "--bind", &address.to_string(), "--id", &format!("{id}")]);

        for peer in peers {
            command.args(["--peer", &peer.address.to_string()]);
        }
        let process = command.stdout(Stdio::null()).spawn()?;
        let inspector = Inspector::builder(address).preset(Preset::Fast).start().await?;
        Ok(Self { process, address, inspector })
    }

    /// Waits until its copy of the handlespace names one of these homes for so many elements.
    async fn await_homes(&self, homes: &[u32], elements: usize) -> Result<(), Error> {
        let mut at_home = 0;
        let wish = |copy: &Snapshot| {
            at_home = with_home(copy, homes);
            at_home == elements
        };
        if self.await_copy(wish).await {
            return Ok(());
        }
        Err(format!(
            "{}: {at_home} elements instead of {elements} have one of the homes {homes:?}",
            self.address
        )
        .into())
    }

    /// Waits until its copy of the handlespace is as wished; false if that takes too long.
    async fn await_copy(&self, mut wish: impl FnMut(&Snapshot) -> bool) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Ok(copy) = self.inspector.handlespace().await
                && wish(&copy)
            {
                return true;
            }
            tokio::time::sleep(LOOK).await;
        }
        false
    }
}

impl Drop for Registrar {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, program, registrars, elements, runs] = &arguments[..] else {
        return Err("usage: takeover PROGRAM REGISTRARS ELEMENTS RUNS".into());
    };
    let (registrars, elements, runs): (usize, usize, usize) =
        (registrars.parse()?, elements.parse()?, runs.parse()?);
    let mut took = Vec::new();
    for _ in 0..runs {
        took.push(run(program, registrars, elements).await?);
    }
    took.sort_by(f64::total_cmp);
    let list: Vec<String> = took.iter().map(|ms| format!("{ms:.1}")).collect();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    let list = list.join(", ");
    println!(
        "{{\"registrars\": {registrars}, \"elements\": {elements}, \"median_ms\": {median:.1}, \"took_ms\": [{list}]}}"
    );
    Ok(())
}

/// One run, in milliseconds from the kill until the last survivor is done.
async fn run(program: &str, registrars: usize, elements: usize) -> Result<f64, Error> {
    let addresses = free_addresses(registrars)?;
    let mut running = vec![Registrar::start(program, 1, addresses[0], &[]).await?];
    let mut servers = Vec::with_capacity(elements);
    while servers.len() < elements {
        for _ in 0..BATCH.min(elements - servers.len()) {
            servers.push(start_element(&addresses).await?);
        }
        running[0].await_homes(&[1], servers.len()).await?;
    }
    for (id, address) in (1..=registrars).zip(addresses).skip(1) {
        running.push(Registrar::start(program, id, address, &running).await?);
    }
    for registrar in &running {
        registrar.await_homes(&[1], elements).await?;
        if !registrar.await_copy(|copy| copy.peers.len() == registrars - 1).await {
            return Err(format!("{} does not meet the others", registrar.address).into());
        }
    }

    let mut killed = running.remove(0);
    let begin = Instant::now();
    killed.process.kill()?;
    killed.process.wait()?;
    let living: Vec<u32> = (2..=registrars).filter_map(|id| u32::try_from(id).ok()).collect();
    for survivor in &running {
        survivor.await_homes(&living, elements).await?;
    }
    let took = begin.elapsed().as_secs_f64() * 1e3;
    for server in &servers {
        server.shutdown(Duration::from_millis(100)).await;
    }
    Ok(took)
}

/// Addresses with ports that are free at this moment.
fn free_addresses(count: usize) -> Result<Vec<SocketAddr>, Error> {
    let sockets = (0..count).map(|_| UdpSocket::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
    Ok(sockets.iter().map(UdpSocket::local_addr).collect::<Result<_, _>>()?)
}

/// How many elements have one of these registrars as their home.
fn with_home(copy: &Snapshot, homes: &[u32]) -> usize {
    let elements = copy.pools.iter().flat_map(|pool| &pool.elements);
    elements.filter(|element| homes.iter().any(|home| element.home == RegistrarId(*home))).count()
}

/// An element that takes its events, so that it counts as alive.
async fn start_element(registrars: &[SocketAddr]) -> Result<PoolElement, Error> {
    let builder = PoolElement::builder("EchoPool").bind("127.0.0.1:0".parse()?).preset(Preset::Fast);
    let builder = registrars.iter().fold(builder, |builder, registrar| builder.registrar(*registrar));
    let element = builder.start().await?;
    let events = element.clone();
    tokio::spawn(async move { while events.next_event().await.is_some() {} });
    Ok(element)
}
