//! The error queue of a UDP socket: what the network says of datagrams that it could not deliver.
//!
//! Linux has one (`IP_RECVERR` and `IPV6_RECVERR`, see ip(7)). Elsewhere it is always empty, and everything is as if the
//! network said nothing.

use std::collections::VecDeque;
use std::io;

use rserpool_transport::Undelivered;
use socket2::SockRef;

/// Errors that are read at a time. A flood of them must not keep the socket from what else it has.
const BATCH: usize = 64;
/// Errors that wait to be taken; what comes beyond these is dropped.
const WAITING: usize = 256;
/// How often an operation is tried again. Each failure takes one error away that was reported meanwhile.
const RETRIES: usize = 4;

/// The error queue of a UDP socket, for those who write a [`Socket`](crate::Socket).
///
/// With a queue, the error of one datagram is also returned by the next operation on the socket, whatever that is
/// about: every operation goes through [`ErrorQueue::past`].
#[derive(Debug, Default)]
pub struct ErrorQueue {
    /// Whether the system keeps one.
    kept: bool,
    /// Whether there may be more than was read.
    more: bool,
    waiting: VecDeque<Undelivered>,
}

impl ErrorQueue {
    /// Has the system keep the errors of a socket from now on, if it can.
    pub fn of<'a, S>(socket: &'a S) -> Self
    where
        SockRef<'a>: From<&'a S>,
    {
        Self { kept: system::keep_errors(&socket.into()), ..Self::default() }
    }

    /// Tries an operation on the socket, again if only errors of earlier datagrams were in its way.
    ///
    /// # Errors
    ///
    /// That of the operation.
    pub fn past<'a, S, T>(
        &mut self,
        socket: &'a S,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T>
    where
        SockRef<'a>: From<&'a S>,
    {
        for _ in 0..RETRIES {
            match attempt() {
                Err(error) if self.explains(socket, &error) => {}
                outcome => return outcome,
            }
        }
        attempt()
    }

    /// Whether the error of an operation may be that of an earlier datagram. If so, the queue is read.
    pub fn explains<'a, S>(&mut self, socket: &'a S, error: &io::Error) -> bool
    where
        SockRef<'a>: From<&'a S>,
    {
        let explains = self.kept && system::may_be_reported(error);
        if explains {
            self.read(socket);
        }
        explains
    }

    /// Reads a bounded number of errors.
    pub fn read<'a, S>(&mut self, socket: &'a S)
    where
        SockRef<'a>: From<&'a S>,
    {
        let socket = socket.into();
        self.more = false;
        if !self.kept {
            return;
        }
        for _ in 0..BATCH {
            match system::next(&socket) {
                Some(error) => self.waiting.extend(error.filter(|_| self.waiting.len() < WAITING)),
                None => return,
            }
        }
        self.more = true;
    }

    /// Whether more can be [read](ErrorQueue::read), although the system does not say so again.
    pub const fn has_more(&self) -> bool {
        self.more
    }

    /// The next datagram that was not delivered.
    pub fn pop(&mut self) -> Option<Undelivered> {
        self.waiting.pop_front()
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io::{self, IoSliceMut};
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::AsRawFd;

    use bytes::Bytes;
    use nix::libc;
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
    use rserpool_transport::{Obstacle, Undelivered};
    use socket2::SockRef;

    /// Octets of a datagram that are read. The transport needs ports, tag and the beginning of one chunk.
    const QUOTE: usize = 128;

    /// A socket of IPv6 that reaches IPv4 needs both options.
    pub(super) fn keep_errors(socket: &SockRef<'_>) -> bool {
        let v4 = setsockopt(&**socket, sockopt::Ipv4RecvErr, &true);
        let v6 = setsockopt(&**socket, sockopt::Ipv6RecvErr, &true);
        v4.is_ok() || v6.is_ok()
    }

    /// Whether an error may be one that the network has reported, not one of this operation. (What Linux makes of
    /// ICMP: icmp_err_convert and icmpv6_err_convert.)
    pub(super) fn may_be_reported(error: &io::Error) -> bool {
        let reported = [
            libc::ECONNREFUSED,
            libc::EHOSTUNREACH,
            libc::ENETUNREACH,
            libc::EMSGSIZE,
            libc::EACCES,
            libc::EPROTO,
            libc::ENOPROTOOPT,
            libc::EOPNOTSUPP,
            libc::EHOSTDOWN,
            libc::ENONET,
        ];
        error.raw_os_error().is_some_and(|error| reported.contains(&error))
    }

    /// The next error; `Some(None)` if it is none that concerns the transport.
    pub(super) fn next(socket: &SockRef<'_>) -> Option<Option<Undelivered>> {
        let mut octets = [0; QUOTE];
        // Whatever else was asked to be told with each datagram comes before the error.
        let mut control = nix::cmsg_space!(
            libc::timespec,
            libc::in_pktinfo,
            libc::in6_pktinfo,
            [libc::c_int; 4],
            [libc::c_int; 4],
            libc::sock_extended_err,
            libc::sockaddr_in6
        );
        let mut slices = [IoSliceMut::new(&mut octets)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let error = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags);
        let error = error.ok()?;
        let obstacle = error.cmsgs().ok().and_then(|mut messages| {
            messages.find_map(|message| match message {
                ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                    Some(error)
                }
                _ => None,
            })
        });
        let (obstacle, destination) = (obstacle.and_then(|error| obstacle_of(&error)), error.address);
        let length = error.bytes.min(QUOTE);
        let quote = Bytes::copy_from_slice(&octets[..length]);
        let destination = destination.as_ref().and_then(address_of);
        Some(obstacle.zip(destination).map(|(obstacle, destination)| Undelivered {
            destination,
            obstacle,
            quote,
        }))
    }

    fn address_of(address: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = address.as_sockaddr_in().map(|v4| SocketAddrV4::from(*v4).into());
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6).into()))
    }

    /// The types and codes of RFC 792 and RFC 4443; protocol unreachable and an unknown next header are as good as a
    /// closed port (RFC 6951 section 5.5).
    const fn obstacle_of(error: &libc::sock_extended_err) -> Option<Obstacle> {
        match (error.ee_origin, error.ee_type, error.ee_code) {
            (libc::SO_EE_ORIGIN_ICMP, 3, 4) | (libc::SO_EE_ORIGIN_ICMP6, 2, _) => {
                Some(Obstacle::TooBig { mtu: error.ee_info })
            }
            (libc::SO_EE_ORIGIN_ICMP, 3, 2 | 3) => Some(Obstacle::PortClosed),
            (libc::SO_EE_ORIGIN_ICMP6, 1, 4) | (libc::SO_EE_ORIGIN_ICMP6, 4, 1) => Some(Obstacle::PortClosed),
            (libc::SO_EE_ORIGIN_ICMP, 3, _) | (libc::SO_EE_ORIGIN_ICMP6, 1, _) => Some(Obstacle::NoRoute),
            _ => None,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    use rserpool_transport::Undelivered;
    use socket2::SockRef;

    pub(super) const fn keep_errors(_: &SockRef<'_>) -> bool {
        false
    }

    pub(super) const fn may_be_reported(_: &io::Error) -> bool {
        false
    }

    pub(super) const fn next(_: &SockRef<'_>) -> Option<Option<Undelivered>> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{SocketAddr, UdpSocket};
    use std::time::Duration;

    use rserpool_transport::Obstacle;

    use super::*;

    /// A port where nobody listens.
    fn closed(host: &str) -> SocketAddr {
        UdpSocket::bind((host, 0)).and_then(|socket| socket.local_addr()).expect("a free port")
    }

    /// The errors that come within a second, at least one.
    fn read(errors: &mut ErrorQueue, socket: &UdpSocket) -> Vec<Undelivered> {
        for _ in 0..1_000 {
            errors.read(socket);
            if !errors.waiting.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        std::iter::from_fn(|| errors.pop()).collect()
    }

    #[test]
    fn a_closed_port_is_reported_with_what_was_sent_to_it() {
        let hosts = [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "::ffff:127.0.0.1")];
        for (local, remote) in hosts {
            // A machine may lack IPv6.
            let Ok(socket) = UdpSocket::bind((local, 0)) else { continue };
            let mut errors = ErrorQueue::of(&socket);
            let to = closed(remote.trim_start_matches("::ffff:"));
            let destination = SocketAddr::new(remote.parse().unwrap(), to.port());
            errors.past(&socket, || socket.send_to(&[7; 600], destination)).unwrap();
            let expected =
                Undelivered { destination, obstacle: Obstacle::PortClosed, quote: vec![7; 128].into() };
            assert_eq!(read(&mut errors, &socket), [expected], "{local}");
        }
    }

    /// Without the queue's help, every second of these would fail with the error of the one before.
    #[test]
    fn errors_of_earlier_datagrams_hinder_no_other() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let (lives, closed) = (peer.local_addr().unwrap(), closed("127.0.0.1"));
        let mut errors = ErrorQueue::of(&socket);
        for n in 0..1_000u16 {
            errors.past(&socket, || socket.send_to(b"lost", closed)).unwrap();
            errors.past(&socket, || socket.send_to(&n.to_be_bytes(), lives)).unwrap();
            let mut octets = [0; 8];
            assert_eq!((peer.recv(&mut octets).unwrap(), [octets[0], octets[1]]), (2, n.to_be_bytes()));
        }
        assert_eq!(errors.waiting.len(), WAITING, "what nobody takes has a bound");
    }

    #[test]
    fn a_round_reads_no_more_than_a_batch() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let closed = closed("127.0.0.1");
        let mut errors = ErrorQueue::of(&socket);
        for _ in 0..3 * BATCH {
            while socket.send_to(b"lost", closed).is_err() {}
        }
        std::thread::sleep(Duration::from_millis(50));
        let mut rounds = Vec::new();
        loop {
            errors.read(&socket);
            rounds.push(std::iter::from_fn(|| errors.pop()).count());
            if !errors.has_more() {
                break;
            }
        }
        assert_eq!(rounds, [BATCH, BATCH, BATCH, 0]);
    }
}
