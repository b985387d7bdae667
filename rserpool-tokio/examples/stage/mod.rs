//! What the examples need to kill servers: a registrar in this process, and servers in processes of their own, which
//! are this program again, started as `serve IP:PORT ID`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command};

use rserpool_tokio::{ElementId, PoolState, PoolUser, Preset, Registrar};

pub(crate) type Error = Box<dyn std::error::Error>;

/// The servers that run.
pub(crate) struct Stage {
    pool: &'static str,
    registrar: Registrar,
    servers: BTreeMap<ElementId, Child>,
}

impl Stage {
    /// Starts a registrar.
    pub(crate) async fn new(pool: &'static str) -> Result<Self, Error> {
        let local = "127.0.0.1:0".parse()?;
        let registrar = Registrar::builder().bind(local).preset(Preset::Fast).start().await?;
        Ok(Self { pool, registrar, servers: BTreeMap::new() })
    }

    /// Starts a server.
    pub(crate) fn serve(&mut self, id: u32) -> Result<(), Error> {
        let registrar = self.registrar.local_addr().to_string();
        let mut server = Command::new(std::env::current_exe()?);
        server.args(["serve", &registrar, &id.to_string()]);
        self.servers.insert(ElementId(id), server.spawn()?);
        Ok(())
    }

    /// Kills a server, with SIGKILL: it cannot say goodbye.
    pub(crate) fn kill(&mut self, id: ElementId) -> Result<(), Error> {
        let mut server = self.servers.remove(&id).ok_or("it does not run")?;
        server.kill()?;
        server.wait()?;
        Ok(())
    }

    /// A user, once all servers are in the pool.
    pub(crate) async fn user(&self) -> Result<PoolUser, Error> {
        let builder = PoolUser::builder().registrar(self.registrar.local_addr()).preset(Preset::Fast);
        let user = builder.bind("127.0.0.1:0".parse()?).start().await?;
        let mut pool = user.watch(self.pool).await?;
        while let Some(state) = pool.changed().await {
            if matches!(&state, PoolState::Elements(now) if now.elements.len() >= self.servers.len()) {
                break;
            }
        }
        Ok(user)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for server in self.servers.values_mut() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Runs the example: the play if it was started by hand, a server if it was started by a [`Stage`].
pub(crate) async fn run(
    play: impl AsyncFnOnce() -> Result<(), Error>,
    serve: impl AsyncFnOnce(SocketAddr, ElementId) -> Result<(), Error>,
) -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => play().await,
        ["serve", registrar, id] => serve(registrar.parse()?, ElementId(id.parse()?)).await,
        _ => Err("it takes no arguments".into()),
    }
}
