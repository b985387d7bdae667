//! What is said of a server that is attached.

use std::net::SocketAddr;

use rserpool_proxy::attach::Event;
use serde_json::{Value, json};

use crate::output;
use crate::settings::PoolName;

/// Says what happens to one server.
pub(super) struct Told {
    pool: PoolName,
    address: SocketAddr,
    json: bool,
}

impl Told {
    pub(super) const fn new(pool: PoolName, address: SocketAddr, json: bool) -> Self {
        Self { pool, address, json }
    }

    pub(super) fn tell(&self, event: Event) {
        if self.json { output::event(self.json(event)) } else { self.say(event) }
    }

    fn json(&self, event: Event) -> Value {
        let mut line = json!({ "event": name(&event), "pool": self.pool.to_string(), "backend": self.address.to_string() });
        match event {
            Event::Failed { reason } | Event::LoadUnknown { reason } => line["reason"] = reason.into(),
            Event::Registered { id, registrar, home, .. } => {
                line["id"] = id.to_string().into();
                line["registrar"] = registrar.to_string().into();
                // The registrar is known by its address until its first keep-alive names it.
                if let Some(home) = home {
                    line["home"] = home.to_string().into();
                }
            }
            Event::Refused { reason, again_in } => {
                line["reason"] = reason.into();
                line["again_in_seconds"] = again_in.as_secs_f64().into();
            }
            Event::NoRegistrar { tried } => {
                line["tried"] = tried.iter().map(ToString::to_string).collect();
            }
            Event::Draining { connections } | Event::Drained { connections } => {
                line["connections"] = connections.into();
            }
            _ => {}
        }
        line
    }

    fn say(&self, event: Event) {
        let Self { pool, address, .. } = self;
        output::event(match event {
            Event::Healthy => format!("{address} is healthy"),
            Event::Failed { reason } => format!("{address} has failed: {reason}"),
            Event::Registered { id, registrar, .. } => {
                format!("{address} is in the pool {pool} as element {id}, registered at {registrar}")
            }
            Event::Refused { reason, again_in } => {
                format!("{address} is not in the pool {pool}: {reason}; again in {again_in:?}")
            }
            Event::NoRegistrar { tried } if tried.is_empty() => {
                format!("{address} is not in the pool {pool}: no registrar announces itself so far")
            }
            Event::NoRegistrar { tried } => {
                let tried: Vec<String> = tried.iter().map(ToString::to_string).collect();
                format!(
                    "{address} is not in the pool {pool}: no registrar has answered so far: {}",
                    tried.join(", ")
                )
            }
            Event::Left => format!("{address} has left the pool {pool}"),
            Event::LoadUnknown { reason } => format!("the load of {address} is not known: {reason}"),
            Event::Draining { connections } => {
                format!("{address} has {} that may end", output::count(connections, "connection"))
            }
            Event::Drained { connections: 0 } => format!("{address} has no connections any more"),
            Event::Drained { connections } => {
                format!(
                    "{address} is not waited for any longer: it has {}",
                    output::count(connections, "connection")
                )
            }
            _ => return,
        });
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Healthy => "healthy",
        Event::Failed { .. } => "failed",
        Event::Registered { .. } => "registered",
        Event::Refused { .. } => "refused",
        Event::NoRegistrar { .. } => "no_registrar",
        Event::Left => "left",
        Event::LoadUnknown { .. } => "load_unknown",
        Event::Draining { .. } => "draining",
        Event::Drained { .. } => "drained",
        _ => "other",
    }
}
