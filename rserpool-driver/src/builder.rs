//! Builders: a preset, adjustments to it, and the start of an event loop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use async_channel::{Receiver, bounded, unbounded};
use rserpool_core::base::{
    ASAP_PORT, DEFAULT_ENCAPSULATION_PORT, Instant, SctpPort, TransportAddress, UdpPort,
};
use rserpool_core::endpoint::ConfigError;
use rserpool_transport::node::Node;
use rserpool_transport::sctp::{Sctp, SctpConfig};
use rserpool_transport::tcp::{Tcp, TcpConfig};
use rserpool_transport::{Carriers, Stack, reaches};
use socket2::{Domain, Protocol, Type};

use crate::announce::{AnnounceGroup, AnnounceSocket, Announcing};
use crate::datagrams::DatagramIo;
use crate::delivery::{Delivery, EventReceiver};
use crate::error::StartError;
use crate::event_loop::{EventLoop, Parts};
use crate::families;
use crate::fate::fate;
use crate::handle::{Handle, Local};
use crate::interfaces;
use crate::io::Io;
use crate::memory::Remembering;
use crate::names::Names;
use crate::observed::Observed;
use crate::role::Role;
use crate::room::Room;
use crate::runtime::{BoxFuture, Runtime, Socket};
use crate::tcp::{StreamIo, TcpListening};

/// Capacity of the command queue; when it is full, callers wait.
pub(super) const REQUEST_QUEUE: usize = 256;
/// Events that wait for the application, fewer if messages are longer than 4 KiB; then the event loop
/// receives no more.
pub const EVENT_QUEUE: usize = 1024;

/// Octets that the socket is to hold in each direction.
const SOCKET_BUFFER: usize = 4 << 20;

/// The longest span of [`Builder::busy_poll`]. Where a round trip takes longer than this, the time to wake up is
/// a small part of it and not worth a core.
pub const MAX_BUSY_POLL: Duration = Duration::from_millis(10);

/// Which set of timers and limits to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Preset {
    /// The RFCs' own values, for any network.
    #[default]
    Rfc,
    /// For a LAN: the failure of an element is noticed, and a session moved, within 500 ms.
    Fast,
    /// For one rack, where packets take well below a millisecond: the same within about 50 ms, as long as nobody has
    /// lately been slow. It costs more packets.
    Rack,
}

/// Prepares an endpoint: a configuration of type `C`, to be run on the runtime `R`.
///
/// Without a call to [`Builder::bind`] a registrar binds UDP port 9899 and every other endpoint a free port,
/// of all addresses of IPv4 and IPv6; where there is no IPv6, of IPv4.
#[must_use = "nothing happens before `start`"]
pub struct Builder<R, C: Configuration> {
    pub(super) runtime: Arc<R>,
    carried_by: Option<OwnTransport<R, C>>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<rserpool_tls::Tls>,
    bind: Option<SocketAddr>,
    preset: Preset,
    seed: Option<u64>,
    pub(super) announcing: Announcing,
    pub(super) listening: TcpListening,
    pub(super) remembering: Remembering,
    pub(super) names: Names,
    busy_poll: Duration,
    adjust: Vec<Adjust<C>>,
    adjust_sctp: Vec<Adjust<SctpConfig>>,
    adjust_tcp: Vec<Adjust<TcpConfig>>,
}

type Adjust<C> = Box<dyn FnOnce(&mut C) + Send>;

/// A transport that was handed in, and where peers reach it.
struct OwnTransport<R, C: Configuration> {
    local: SocketAddr,
    carry: Carry<R, C>,
}

/// Makes the future of an event loop over some transport.
type Carry<R, C> =
    Box<dyn FnOnce(Parts<R, <C as Configure>::Endpoint>, &C) -> Result<BoxFuture, StartError> + Send>;

/// The event loop of an endpoint over a stack and what serves it.
fn carry<R: Runtime, C: Configuration, S: Stack + Send + 'static>(
    parts: Parts<R, C::Endpoint>,
    config: &C,
    stack: S,
    io: impl Io<S>,
) -> BoxFuture {
    let mut node = Node::new(stack);
    let endpoint = node.add(Observed(config.clone().endpoint(parts.runtime.now())), &config.ports());
    Box::pin(EventLoop::new(parts, node, endpoint, io).run())
}

/// What a [`Builder`] prepares: the configuration of a registrar, an element, a user or an inspector.
///
/// Sealed: the endpoints of this crate are all that there is to build. To run an endpoint of your own, write a
/// driver as [`rserpool_core::guide`] does.
pub trait Configuration: Configure {}

impl<C: Configure> Configuration for C {}

/// What a builder must know of a configuration.
#[expect(unnameable_types, reason = "seals `Configuration`")]
pub trait Configure: Clone {
    /// The endpoint that is configured.
    type Endpoint: Role;

    /// The UDP port if none is asked for.
    const DEFAULT_UDP_PORT: UdpPort = UdpPort(0);

    /// The values of a preset.
    fn preset(preset: Preset, seed: u64) -> Self;

    /// The transport of a preset.
    fn sctp(preset: Preset, seed: u64) -> SctpConfig {
        match preset {
            Preset::Rfc => SctpConfig::rfc(seed),
            Preset::Fast => SctpConfig::fast(seed),
            Preset::Rack => SctpConfig::rack(seed),
        }
    }

    /// Takes the ports of TLS where those without it were to be used by default, and what else follows from TLS.
    #[cfg(feature = "tls")]
    fn secure(&mut self);

    /// The registrars, or for a registrar its peers, that are configured.
    fn peers(&self) -> Vec<TransportAddress> {
        Vec::new()
    }

    /// Refuses addresses that are configured and do not fit where the socket is bound.
    fn check_local(&self, local: SocketAddr) -> Result<(), StartError> {
        families::check_peers(local, &self.peers())?;
        families::check_own(local, &self.addresses())
    }

    /// Fills in what follows from the addresses to which the sockets are bound, and from what is
    /// announced.
    fn complete(&mut self, _local: Local, _announcing: &Announcing) -> Result<(), StartError> {
        Ok(())
    }

    /// Refuses what cannot work.
    fn check(&self) -> Result<(), ConfigError>;

    /// What stands on every line of the log: the role, and the identifier if there is one.
    fn span(&self) -> tracing::Span;

    /// Our own addresses, if the configuration names them.
    fn addresses(&self) -> Vec<IpAddr> {
        Vec::new()
    }

    /// The SCTP ports to listen on.
    fn ports(&self) -> Vec<SctpPort> {
        Vec::new()
    }

    /// The endpoint.
    fn endpoint(self, now: Instant) -> Self::Endpoint;
}

impl<R: Runtime + Default, C: Configuration> Builder<R, C> {
    pub(super) fn new() -> Self {
        Self {
            runtime: Arc::new(R::default()),
            carried_by: None,
            #[cfg(feature = "tls")]
            tls: None,
            bind: None,
            preset: Preset::default(),
            seed: None,
            announcing: Announcing::default(),
            listening: TcpListening::No,
            remembering: Remembering::default(),
            names: Names::default(),
            busy_poll: Duration::ZERO,
            adjust: Vec::new(),
            adjust_sctp: Vec::new(),
            adjust_tcp: Vec::new(),
        }
    }
}

impl<R: Runtime, C: Configuration> Builder<R, C> {
    /// Runs on this runtime, and not on one made with [`Default`].
    pub fn runtime(mut self, runtime: R) -> Self {
        self.runtime = Arc::new(runtime);
        self
    }

    /// The IP address and UDP port of the encapsulation socket; port 0 takes a free one. Its address family
    /// decides which peers can be reached; `[::]` reaches both.
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.bind = Some(address);
        self
    }

    /// Runs over a transport of your own, instead of SCTP over UDP and ASAP over TCP: the stack and what serves
    /// it. Nothing is bound then, and what concerns sockets, SCTP and TCP has no effect. Peers are told that
    /// the endpoint is at `local`, where the port stands in for the UDP port.
    pub fn carried_by<S>(mut self, local: SocketAddr, stack: S, io: impl Io<S>) -> Self
    where
        S: Stack + Send + 'static,
    {
        let carry =
            Box::new(move |parts: Parts<R, C::Endpoint>, config: &C| Ok(carry(parts, config, stack, io)));
        self.carried_by = Some(OwnTransport { local, carry });
        self
    }

    /// After each datagram the endpoint polls its socket for this long before it sleeps (default 0: it sleeps
    /// at once; at most [`MAX_BUSY_POLL`]). Waking a sleeping core can take longer than all the rest of a round
    /// trip in a data centre. Polling saves that time, but takes a whole core for each such endpoint while
    /// there is traffic. 100 us suit answers on the same host or link.
    pub fn busy_poll(mut self, span: Duration) -> Self {
        self.busy_poll = span;
        self
    }

    /// Looks the names of hosts up so, instead of asking the operating system; `look_up` runs on a thread of its own, and may
    /// block. It gets what was named, and returns addresses with the UDP port of SCTP encapsulation.
    pub fn look_up_by(
        mut self,
        look_up: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        self.names.look_up_by(Arc::new(look_up));
        self
    }

    /// The timers and limits to start from (default [`Preset::Rfc`]).
    pub fn preset(mut self, preset: Preset) -> Self {
        self.preset = preset;
        self
    }

    /// Uses a multicast group where registrars announce themselves to elements and users (RFC 5352
    /// section 3.6): a registrar announces itself there, every other
    /// endpoint listens. By default nothing is
    /// sent to or heard from any group.
    ///
    /// Bound to one address, the endpoint uses the interface that has it, else every interface that
    /// can carry multicast, and loopback too: to listen, and to speak if there is nothing else.
    pub fn announce_group(mut self, group: impl Into<AnnounceGroup>) -> Self {
        self.announcing.asap = Some(group.into());
        self
    }

    /// TTL or hop limit of announcements: 1, the default, keeps them on the own link.
    pub fn announce_ttl(mut self, ttl: u8) -> Self {
        self.announcing.ttl = ttl;
        self
    }

    /// Seed of all random choices, for runs that are to be repeated. By default it comes from the
    /// operating system.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Changes any value of the preset; called in the order given, when the endpoint starts.
    pub fn configure(mut self, adjust: impl FnOnce(&mut C) + Send + 'static) -> Self {
        self.adjust.push(Box::new(adjust));
        self
    }

    /// Changes any value of the SCTP stack.
    pub fn configure_sctp(mut self, adjust: impl FnOnce(&mut SctpConfig) + Send + 'static) -> Self {
        self.adjust_sctp.push(Box::new(adjust));
        self
    }

    /// Changes any limit of TCP connections.
    pub fn configure_tcp(mut self, adjust: impl FnOnce(&mut TcpConfig) + Send + 'static) -> Self {
        self.adjust_tcp.push(Box::new(adjust));
        self
    }

    /// Checks the configuration without starting anything.
    ///
    /// # Errors
    ///
    /// [`StartError::Config`], which names the key.
    pub fn check(mut self) -> Result<(), StartError> {
        let (config, _, _) = self.adjust()?;
        let own = self.carried_by.as_ref().map(|own| own.local);
        let mut udp = own.unwrap_or_else(|| self.address());
        let tcp = self.listening.address(udp).filter(|_| own.is_none());
        if udp.port() == 0 {
            udp.set_port(DEFAULT_ENCAPSULATION_PORT.0);
        }
        if own.is_none() {
            config.check_local(udp)?;
        }
        self.complete(config, Local { udp, tcp }).map(|_| ())
    }

    /// Tries what a start would do: checks the configuration, binds the sockets and joins the groups; then lets
    /// all of them go. It needs the context of the runtime, as a start does.
    ///
    /// # Errors
    ///
    /// What a start would end with, such as [`StartError::Bind`] if another process has the port.
    pub fn rehearse(mut self) -> Result<(), StartError> {
        let (config, sctp, tcp) = self.adjust()?;
        let runtime = Arc::clone(&self.runtime);
        let own = self.carried_by.as_ref().map(|own| Local { udp: own.local, tcp: None });
        // The sockets stay open until the groups are joined.
        let (local, _sockets) = match own {
            Some(local) => (local, None),
            None => {
                let (local, sockets) = self.open(&config, sctp, tcp, runtime)?;
                (local, Some(sockets))
            }
        };
        self.complete(config, local)?;
        self.join_announcements(local.udp).map(|_| ())
    }

    /// The names, and the address to which the endpoint will be bound.
    pub(super) fn take_names(&mut self) -> (Names, IpAddr) {
        (std::mem::take(&mut self.names), self.address().ip())
    }

    /// Binds, checks, and spawns the event loop.
    pub(super) fn launch(mut self) -> Result<Launched<R, C>, StartError> {
        let (config, sctp, tcp) = self.adjust()?;
        let runtime = Arc::clone(&self.runtime);
        runtime.check().map_err(StartError::Runtime)?;
        let (local, carry) = match self.carried_by.take() {
            Some(OwnTransport { local, carry }) => (Local { udp: local, tcp: None }, carry),
            None => self.open(&config, sctp, tcp, Arc::clone(&runtime))?,
        };
        let config = self.complete(config, local)?;
        let announcements = self.join_announcements(local.udp)?;
        let (requests, request_receiver) = bounded(REQUEST_QUEUE);
        let (remarks, remark_receiver) = unbounded();
        let (application, events) = bounded(EVENT_QUEUE);
        let (silent, silence) = bounded(1);
        let (fate, outlook) = fate();
        let room = Room::default();
        let parts = Parts {
            runtime: Arc::clone(&runtime),
            span: config.span(),
            announcements,
            requests: Box::pin(request_receiver),
            remarks: Box::pin(remark_receiver),
            delivery: Delivery::new(application, room.clone(), silent),
            fate,
        };
        runtime.spawn(carry(parts, &config)?);
        let handle = Handle { requests, remarks, outlook, local, room };
        Ok(Launched { handle, events, config, runtime, silence })
    }

    /// Binds the sockets of SCTP over UDP and of TCP.
    fn open(
        &self,
        config: &C,
        mut sctp: SctpConfig,
        tcp: TcpConfig,
        runtime: Arc<R>,
    ) -> Result<(Local, Carry<R, C>), StartError> {
        let (socket, udp) = self.open_socket()?;
        config.check_local(udp)?;
        let (listener, listening) = self.listening.listen(&*runtime, udp)?.unzip();
        #[cfg(feature = "tls")]
        let tls = self.tls.clone();
        let carry = move |parts: Parts<R, C::Endpoint>, config: &C| {
            if sctp.tell_addresses && sctp.addresses.is_empty() {
                sctp.addresses = match config.addresses() {
                    none if none.is_empty() => own_addresses(udp, &config.peers())?,
                    addresses => addresses,
                };
            }
            // The endpoint that gets the connections that are accepted: only registrars accept any.
            let service = config.ports().first().copied().unwrap_or(ASAP_PORT);
            // Elements are watched over SCTP: its socket comes first in every round.
            let io = (DatagramIo::new(socket, udp), StreamIo::new(runtime, listener));
            let (sctp, tcp) = (Sctp::new(sctp, udp), Tcp::new(tcp, service));
            #[cfg(feature = "tls")]
            if let Some(tls) = tls {
                let stack = Carriers::new(sctp, tcp.accepting_octets());
                return Ok(carry(parts, config, rserpool_tls::Secured::new(stack, tls), io));
            }
            let stack = Carriers::new(sctp, tcp);
            Ok(carry(parts, config, stack, io))
        };
        Ok((Local { udp, tcp: listening }, Box::new(carry)))
    }

    /// The preset, with the adjustments of the caller.
    fn adjust(&mut self) -> Result<(C, SctpConfig, TcpConfig), StartError> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|error| StartError::Entropy(error.into()))?,
        };
        let mut config = C::preset(self.preset, seed);
        self.adjust.drain(..).for_each(|adjust| adjust(&mut config));
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            config.secure();
        }
        let mut sctp = C::sctp(self.preset, seed);
        self.adjust_sctp.drain(..).for_each(|adjust| adjust(&mut sctp));
        sctp.check()?;
        let mut tcp = TcpConfig::default();
        self.adjust_tcp.drain(..).for_each(|adjust| adjust(&mut tcp));
        tcp.check()?;
        if self.busy_poll > MAX_BUSY_POLL {
            return Err(StartError::BusyPoll { asked: self.busy_poll, longest: MAX_BUSY_POLL });
        }
        Ok((config, sctp, tcp))
    }

    /// Where to bind.
    fn address(&self) -> SocketAddr {
        self.bind.unwrap_or_else(|| SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), C::DEFAULT_UDP_PORT.0))
    }

    /// Binds where it was asked for; else to all addresses of both families, or of IPv4 where there is no IPv6.
    fn open_socket(&self) -> Result<(Box<dyn Socket>, SocketAddr), StartError> {
        let address = self.address();
        match bind(address) {
            Err(error) if self.bind.is_none() && error.kind() != io::ErrorKind::AddrInUse => {
                let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
                let socket = bind(address).map_err(|source| StartError::Bind { address, source })?;
                self.wrap(socket)
            }
            bound => self.wrap(bound.map_err(|source| StartError::Bind { address, source })?),
        }
    }

    fn wrap(&self, socket: UdpSocket) -> Result<(Box<dyn Socket>, SocketAddr), StartError> {
        // All associations share it: the usual 200 KiB overflow while the process does not run. The
        // system gives what it allows.
        let options = socket2::SockRef::from(&socket);
        let _ = options.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = options.set_send_buffer_size(SOCKET_BUFFER);
        let mut socket = self.runtime.wrap_socket(socket).map_err(StartError::Runtime)?;
        socket.busy_poll(self.busy_poll);
        let local = socket.local_addr().map_err(StartError::Runtime)?;
        Ok((socket, local))
    }

    fn complete(&self, mut config: C, local: Local) -> Result<C, StartError> {
        self.announcing.groups(local.udp.ip())?;
        match config.complete(local, &self.announcing) {
            // They are looked up at the start.
            Err(StartError::NoRegistrar) if !self.names.are_none() => {}
            completed => completed?,
        }
        config.check()?;
        Ok(config)
    }

    /// Joins the groups. One that cannot be joined is an error if no other stands in for it.
    fn join_announcements(&self, local: SocketAddr) -> Result<Vec<AnnounceSocket>, StartError> {
        let mut sockets: Vec<AnnounceSocket> = Vec::new();
        let mut failures = Vec::new();
        for (channel, group) in self.announcing.groups(local.ip())? {
            let ttl = self.announcing.ttl;
            match AnnounceSocket::join(&*self.runtime, (channel, group), ttl, local.ip()) {
                Ok(joined) => sockets.extend(joined),
                Err(source) => failures.push((channel, StartError::Join { group, source })),
            }
        }
        let joined = |channel| sockets.iter().any(|socket| socket.channel == channel);
        match failures.into_iter().find(|(channel, _)| !joined(*channel)) {
            Some((_, failure)) => Err(failure),
            None => Ok(sockets),
        }
    }
}

/// A socket that does not block. Bound to all addresses of IPv6, it reaches IPv4 as well.
fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    // No address reuse: a second process on the same port must fail, not share.
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// An event loop that runs, seen from the handles.
pub(super) struct Launched<R, C: Configuration> {
    pub(super) handle: Handle<C::Endpoint>,
    pub(super) events: EventReceiver<C::Endpoint>,
    pub(super) config: C,
    pub(super) runtime: Arc<R>,
    /// Told whenever no registrar has answered.
    pub(super) silence: Receiver<()>,
}

/// How many own addresses are told at most; a peer tries no more than three.
const MAX_OWN_ADDRESSES: usize = 8;

/// The addresses by which others reach a socket that is bound to `local`: its own, or, if it is
/// bound to all addresses, those from which the operating system would reach the registrars. If
/// none can be reached so, or none is known yet, that of the default route, or else all those of this
/// machine. (All of them at once would name bridges of containers, which have the same addresses on
/// many hosts.)
pub(super) fn own_addresses(
    local: SocketAddr,
    peers: &[TransportAddress],
) -> Result<Vec<IpAddr>, StartError> {
    if !local.ip().is_unspecified() {
        return Ok(vec![local.ip()]);
    }
    let mut own = routes(local, peers.iter().flat_map(TransportAddress::sockets));
    if own.is_empty() {
        own = routes(local, FAR.map(|far| SocketAddr::new(far, DEFAULT_ENCAPSULATION_PORT.0)));
    }
    if own.is_empty() {
        own = interfaces::addresses(local.ip());
    }
    own.truncate(MAX_OWN_ADDRESSES);
    if own.is_empty() { Err(StartError::NoAddress) } else { Ok(own) }
}

/// Addresses for documentation (RFC 5737, RFC 3849): only the default routes lead there.
const FAR: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// The addresses from which the operating system would reach others.
fn routes(local: SocketAddr, others: impl IntoIterator<Item = SocketAddr>) -> Vec<IpAddr> {
    let mut own = Vec::new();
    for from in others.into_iter().filter_map(|other| route(local, other)) {
        if !own.contains(&from) {
            own.push(from);
        }
    }
    own
}

/// The address from which the operating system would reach another one. Connecting a UDP socket sends
/// nothing; it only looks the route up.
fn route(local: SocketAddr, to: SocketAddr) -> Option<IpAddr> {
    if !reaches(local.ip(), to.ip()) {
        return None;
    }
    let probe = UdpSocket::bind(SocketAddr::new(families::all_like(to.ip()), 0)).ok()?;
    probe.connect(to).ok()?;
    probe.local_addr().ok().map(|from| from.ip())
}
