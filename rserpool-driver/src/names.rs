//! Registrars by the names of their hosts: looked up at the start, and again whenever no registrar answers.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;

use async_channel::{Receiver, bounded};
use rserpool_core::base::{ASAP_PORT, DEFAULT_ENCAPSULATION_PORT, SctpAddress, SctpPort, UdpPort};
use rserpool_transport::reaches;

use crate::delivery::Opens;
use crate::error::StartError;
use crate::handle::WeakHandle;
use crate::role::Role;

/// Finds the addresses of a name with its port. It may block: it runs on a thread of its own.
type LookUp = Arc<dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// The names of registrars.
#[derive(Clone)]
pub(super) struct Names {
    names: Vec<String>,
    look_up: LookUp,
    /// Where they speak ASAP.
    pub(super) port: SctpPort,
}

impl Default for Names {
    fn default() -> Self {
        Self { names: Vec::new(), look_up: Arc::new(ask_the_system), port: ASAP_PORT }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Names").field(&self.names).finish()
    }
}

/// A name may be without a port.
fn ask_the_system(name: &str) -> io::Result<Vec<SocketAddr>> {
    let port = DEFAULT_ENCAPSULATION_PORT.0;
    match name.parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) if !name.contains(':') => Ok((name, port).to_socket_addrs()?.collect()),
        Err(_) => Ok(name.to_socket_addrs()?.collect()),
    }
}

impl Names {
    pub(super) fn add(&mut self, name: String) {
        self.names.push(name);
    }

    pub(super) fn look_up_by(&mut self, look_up: LookUp) {
        self.look_up = look_up;
    }

    pub(super) const fn are_none(&self) -> bool {
        self.names.is_empty()
    }

    /// Looks all of them up. Those that cannot be found are left out.
    ///
    /// # Errors
    ///
    /// None can be found.
    pub(super) async fn look_up(&self, bind: IpAddr) -> Result<Vec<SctpAddress>, StartError> {
        let (sender, found) = bounded(self.names.len().max(1));
        let Self { names, look_up, port: _ } = self.clone();
        let work = move || {
            for name in names {
                let addresses = look_up(&name);
                // Nobody waits any more.
                if sender.send_blocking((name, addresses)).is_err() {
                    break;
                }
            }
        };
        let spawned = thread::Builder::new().name("names of registrars".into()).spawn(work);
        spawned.map_err(StartError::Runtime)?;
        let (mut registrars, mut failure) = (Vec::new(), None);
        while let Ok((name, addresses)) = found.recv().await {
            match addresses.and_then(|addresses| registrar(bind, &addresses)) {
                Ok(registrar) => registrars.push(SctpAddress { port: self.port, ..registrar }),
                Err(source) => {
                    tracing::warn!(name, error = %source, "the name of a registrar cannot be looked up");
                    failure = Some(StartError::Name { name, source });
                }
            }
        }
        match failure {
            Some(failure) if registrars.is_empty() => Err(failure),
            _ => Ok(registrars),
        }
    }

    /// Looks the names up again whenever no registrar has answered, and uses what is found from then on, beside the
    /// registrars that are `fixed`. Ends with the endpoint.
    pub(super) async fn follow<E: Role>(
        self,
        bind: IpAddr,
        silence: Receiver<()>,
        endpoint: WeakHandle<E>,
        mut known: Vec<SctpAddress>,
        use_registrars: impl Fn(Vec<SctpAddress>) -> E::Command,
    ) {
        while silence.recv().await.is_ok() {
            let Ok(found) = self.look_up(bind).await else { continue };
            if found == known {
                continue;
            }
            known.clone_from(&found);
            let Some(handle) = endpoint.upgrade() else { return };
            if let Ok(answer) = handle.submit(use_registrars(found), Opens::Nothing).await {
                let _ = answer.recv().await;
            }
        }
    }
}

/// The registrar at these addresses: of those that can be reached, if there are any.
fn registrar(bind: IpAddr, addresses: &[SocketAddr]) -> io::Result<SctpAddress> {
    let reached = addresses.iter().filter(|address| reaches(bind, address.ip())).collect::<Vec<_>>();
    let port = reached.first().map(|address| address.port());
    let port =
        port.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it has no address that can be reached"))?;
    let addresses = reached.into_iter().map(SocketAddr::ip).collect();
    Ok(SctpAddress::multihomed(addresses, ASAP_PORT, UdpPort(port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn names_and_addresses_with_and_without_ports() {
        let found = |name| ask_the_system(name).unwrap();
        assert_eq!(found("192.0.2.1"), ["192.0.2.1:9899".parse().unwrap()]);
        assert_eq!(found("192.0.2.1:7"), ["192.0.2.1:7".parse().unwrap()]);
        assert_eq!(found("2001:db8::1"), ["[2001:db8::1]:9899".parse().unwrap()]);
        assert_eq!(found("[2001:db8::1]:7"), ["[2001:db8::1]:7".parse().unwrap()]);
        assert!(ask_the_system("a:b:c").is_err());
    }

    #[test]
    fn addresses_that_cannot_be_reached_are_left_out() {
        let addresses = ["[2001:db8::1]:7", "192.0.2.1:7", "192.0.2.2:7"].map(|text| text.parse().unwrap());
        let found = registrar(Ipv4Addr::LOCALHOST.into(), &addresses).unwrap();
        let expected = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        assert_eq!(found, SctpAddress::multihomed(expected.to_vec(), ASAP_PORT, UdpPort(7)));
        assert!(registrar(Ipv4Addr::LOCALHOST.into(), &addresses[..1]).is_err());
    }
}
