//! A registrar on blocking sockets: one thread, one UDP socket, nothing but the standard library.
//!
//!     cargo run -p rserpool-transport --example blocking -- 127.0.0.1:9899
//!
//! Elements and users of any other program reach it there, for example
//! `rserpool serve echo --registrar 127.0.0.1:9899` and `rserpool connect EchoPool` with the same
//! address. `rserpool-tokio/tests/blocking.rs` does that.

use std::error::Error;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{ASAP_PORT, ENRP_PORT, Instant, UdpPort};
use rserpool_core::registrar::{Registrar, RegistrarConfig};
use rserpool_transport::node::Node;
use rserpool_transport::sctp::{Sctp, SctpConfig};

/// How long the thread may sleep before it looks whether it is to stop, and may take to leave.
const LOOK_UP: Duration = Duration::from_millis(100);
const LEAVE: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9899".into());
    let socket = UdpSocket::bind(address)?;
    println!("a registrar on UDP {}", socket.local_addr()?);
    // Ctrl-C ends the process; a program that embeds the registrar lets it leave.
    serve(&socket, &AtomicBool::new(false))?;
    Ok(())
}

/// Drives one registrar until it is to stop and has left: the contract, step by step.
pub fn serve(socket: &UdpSocket, stop: &AtomicBool) -> io::Result<()> {
    // "With a `now` that never goes backwards": nanoseconds since an origin of our choice.
    #[expect(clippy::disallowed_methods, reason = "a driver is where the clock is read")]
    let origin = std::time::Instant::now();
    let clock = || Instant::ORIGIN + origin.elapsed();

    // An endpoint is one value with a configuration and a seed; the stack speaks SCTP over UDP for it,
    // and the node joins the two. It listens on the SCTP ports of ASAP and ENRP.
    let local = socket.local_addr()?;
    let mut config = RegistrarConfig::fast(None, seed());
    config.addresses = vec![local.ip()];
    config.udp_port = UdpPort(local.port());
    let mut node = Node::new(Sctp::new(SctpConfig::fast(seed()), local));
    node.add(Registrar::new(config, clock()), &[ASAP_PORT, ENRP_PORT]);

    let mut buffer = vec![0; 65_535];
    let mut leaving = false;
    // "Go on with the loop until it has stopped" and no association is left.
    while !node.is_idle() {
        // Steps 2 and 3 of the contract come first: the constructor may have decided something.
        //
        // 2. "Carry the actions out in their order." The node has given them to the stack; what is left
        //    are datagrams. One that cannot be sent is lost, and SCTP is made for that.
        while let Some(datagram) = node.poll_datagram() {
            let _ = socket.send_to(&datagram.bytes, datagram.destination);
        }
        // This registrar does not announce itself; one that does has a multicast socket for these.
        while node.poll_announce().is_some() {}

        // 3. "Hand answers and notices to the application."
        while let Some((_, output)) = node.poll_output() {
            println!("{output:?}");
        }

        // 4. "Sleep until something arrives or `poll_timeout` is due." A socket does not take a time-out
        //    of zero, which would mean for ever.
        let due = node.poll_timeout().map_or(LOOK_UP, |at| at.since(clock()));
        socket.set_read_timeout(Some(due.clamp(Duration::from_millis(1), LOOK_UP)))?;

        // 1. "Hand in one thing with the present time": a datagram if there is one, ...
        match socket.recv_from(&mut buffer) {
            Ok((length, source)) => {
                node.handle_datagram(clock(), source, Bytes::copy_from_slice(&buffer[..length]));
            }
            Err(error) => match error.kind() {
                // Nothing has come, or a peer's host says that it is gone: its silence says the same.
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => {}
                _ => return Err(error),
            },
        }
        // ... the time, which does nothing unless a deadline is due, ...
        node.handle_timeout(clock());
        // ... and once the wish to leave, with the moment at which to give up what is left.
        if stop.load(Ordering::Relaxed) && !leaving {
            leaving = true;
            node.begin_shutdown(clock(), clock() + LEAVE);
        }
    }
    Ok(())
}

/// A number that nobody can guess, since the stack keeps forged packets out with it. The standard
/// library has no better source than the one that it seeds its hash tables from.
#[expect(clippy::disallowed_types, reason = "a driver is where randomness comes from")]
fn seed() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
