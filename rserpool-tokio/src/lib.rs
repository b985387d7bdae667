//! Reliable Server Pooling (RFC 5351 to 5356) on tokio.
//!
//! A *pool handle* names a pool of servers. Servers are *pool elements* and register in their pool
//! at a *registrar*. Clients are *pool users*: they ask a registrar for elements of a pool, talk to
//! one, and move to another when it dies. All of them speak SCTP over UDP, so one UDP port per
//! process is all that is needed.
//!
//! | To | take |
//! |---|---|
//! | run a server that belongs to a pool | [`PoolElement`] |
//! | talk to a pool | [`PoolUser`] and its [`Session`] |
//! | run a registrar | [`Registrar`] |
//! | look into a registrar | [`Inspector`] |
//!
//! The protocol itself is in [`rserpool_core`], without any I/O; this crate is its adapter to
//! tokio:
//!
//! ```text
//!   your program
//!        │ async functions
//!   ┌────▼─────────────────────────────────────────────────────────────┐
//!   │ Registrar     PoolElement     PoolUser, Session     Inspector    │  this crate: names,
//!   │ Tokio         a task, a UDP socket and a timer for each          │  sockets, timers
//!   ├──────────────────────────────────────────────────────────────────┤
//!   │ rserpool-driver     event loop, bounded queues, handles          │
//!   │ rserpool-transport  SCTP over UDP, ASAP over TCP                 │  all the rest
//!   │ rserpool-core       state machines, messages                     │
//!   └──────────────────────────────────────────────────────────────────┘
//! ```
//!
//! # Example
//!
//! A registrar, a server and a client in one program. In real life they are three.
//!
//! ```
//! use std::time::Duration;
//!
//! use rserpool_tokio::{ElementEvent, PoolElement, PoolUser, Preset, ProtocolId, Refusal, Registrar, SessionEvent};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let registrar = Registrar::builder().bind("127.0.0.1:0".parse()?).start().await?;
//!
//! let server = PoolElement::builder("EchoPool")
//!     .registrar(registrar.local_addr())
//!     .bind("127.0.0.1:0".parse()?)
//!     .preset(Preset::Fast)
//!     .start()
//!     .await?;
//! let (registered, ready) = tokio::sync::oneshot::channel::<()>();
//! let echo = server.clone();
//! tokio::spawn(async move {
//!     let mut registered = Some(registered);
//!     while let Some(event) = echo.next_event().await {
//!         match event {
//!             ElementEvent::Registered { .. } => drop(registered.take()),
//!             ElementEvent::Received { session, protocol, bytes, .. } => {
//!                 // A user that does not take its answers loses the session, and asks again in another one.
//!                 if echo.send(session, protocol, bytes).await == Err(Refusal::Congested) {
//!                     let _ = echo.close(session).await;
//!                 }
//!             }
//!             _ => {}
//!         }
//!     }
//! });
//! let _ = ready.await;
//!
//! let user = PoolUser::builder()
//!     .registrar(registrar.local_addr())
//!     .bind("127.0.0.1:0".parse()?)
//!     .preset(Preset::Fast)
//!     .start()
//!     .await?;
//! let session = user.connect("EchoPool").await?;
//! let request = session.request(ProtocolId(0), "hello").await?;
//! while let Some(event) = session.next_event().await {
//!     match event {
//!         SessionEvent::Received { element, bytes, .. } => {
//!             session.answered(request).await?;
//!             assert_eq!((element, &bytes[..]), (server.id(), &b"hello"[..]));
//!             break;
//!         }
//!         SessionEvent::FailedOver { from, to, .. } => println!("moved from {from} to {to}"),
//!         _ => {}
//!     }
//! }
//!
//! user.shutdown(Duration::from_secs(2)).await;
//! server.shutdown(Duration::from_secs(2)).await;
//! registrar.shutdown(Duration::from_secs(2)).await;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! # Timers
//!
//! [`Preset::Rfc`] has the RFCs' values. They suit any network, but a failure is noticed only after many
//! seconds. With [`Preset::Fast`], a failure is noticed, and sessions have moved, within 500 ms on a LAN.
//! Each value can be changed:
//!
//! ```
//! # use std::time::Duration;
//! # use rserpool_tokio::PoolUser;
//! let builder = PoolUser::builder()
//!     .registrar("192.0.2.1:9899".parse().unwrap())
//!     .configure(|config| config.answer_deadline = Duration::from_secs(10))
//!     .configure_sctp(|sctp| sctp.heartbeat = Duration::from_secs(5));
//! assert!(builder.check().is_ok());
//! ```

mod compat;
mod runtime;

pub use compat::Compat;
pub use rserpool_driver::vocabulary::*;
pub use runtime::Tokio;

/// A registrar that runs in the background: it keeps the handlespace, and answers elements and
/// users.
///
/// ```
/// use rserpool_tokio::{Registrar, RegistrarId};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let registrar = Registrar::builder()
///     .bind("127.0.0.1:0".parse()?)
///     .id(RegistrarId(0x1))
///     .configure(|config| config.limits.pools = 100)
///     .start()
///     .await?;
/// println!("listening on UDP {}", registrar.local_addr());
/// assert!(registrar.pools().await?.is_empty());
///
/// // Another one shares its handlespace, and takes its elements over if it dies.
/// let second = Registrar::builder()
///     .bind("127.0.0.1:0".parse()?)
///     .id(RegistrarId(0x2))
///     .peer(registrar.local_addr())
///     .start()
///     .await?;
/// # while second.peers().await?.is_empty() {
/// #     tokio::time::sleep(std::time::Duration::from_millis(10)).await;
/// # }
/// for peer in second.peers().await? {
///     println!("{} is {} and the home of {} elements", peer.id, peer.state, peer.elements);
/// }
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
pub type Registrar = rserpool_driver::Registrar<Tokio>;

/// A pool element that runs in the background: a server in its pool.
///
/// ```
/// use rserpool_tokio::{ElementEvent, PoolElement, Registrar};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let running = Registrar::builder().bind("127.0.0.1:0".parse()?).start().await?;
/// # let registrar = running.local_addr();
/// let element = PoolElement::builder("EchoPool")
///     .registrar(registrar)
///     .bind("127.0.0.1:0".parse()?)
///     .start()
///     .await?;
/// while let Some(event) = element.next_event().await {
///     match event {
///         ElementEvent::Registered { registrar, .. } => {
///             println!("registered at {registrar}");
///             # break;
///         }
///         ElementEvent::RegistrationFailed(error) => return Err(error.into()),
///         ElementEvent::Received { session, protocol, bytes, .. } => {
///             element.send(session, protocol, bytes).await?;
///         }
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
pub type PoolElement = rserpool_driver::PoolElement<Tokio>;

/// A session of an element with one user, from [`PoolElement::accept`](rserpool_driver::PoolElement::accept).
pub type ElementSession = rserpool_driver::ElementSession<Tokio>;

/// A pool user that runs in the background: it resolves pool handles and opens sessions.
///
/// ```
/// use rserpool_tokio::{PoolUser, Registrar, UserError};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let running = Registrar::builder().bind("127.0.0.1:0".parse()?).start().await?;
/// # let registrar = running.local_addr();
/// let user = PoolUser::builder().registrar(registrar).bind("127.0.0.1:0".parse()?).start().await?;
/// match user.resolve("EchoPool").await {
///     Ok(resolution) => println!("{} elements", resolution.elements.len()),
///     Err(UserError::UnknownPool) => println!("nobody is there yet"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
pub type PoolUser = rserpool_driver::PoolUser<Tokio>;

/// A session with a pool: one element at a time, replaced by another when it fails. It comes from
/// [`PoolUser::connect`](rserpool_driver::PoolUser::connect); the example of [this crate](crate) has one.
pub type Session = rserpool_driver::Session<Tokio>;

/// A session that is being opened, from [`PoolUser::connect`](rserpool_driver::PoolUser::connect).
pub type Connect = rserpool_driver::Connect<Tokio>;

/// Asks a registrar for everything it knows.
///
/// ```
/// use rserpool_tokio::{Inspector, Registrar};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let registrar = Registrar::builder().bind("127.0.0.1:0".parse()?).start().await?;
/// # let address = registrar.local_addr();
/// let inspector = Inspector::builder(address).bind("127.0.0.1:0".parse()?).start().await?;
/// let snapshot = inspector.handlespace().await?;
/// println!("registrar {} knows {} pools", snapshot.registrar, snapshot.pools.len());
/// # assert_eq!(snapshot.registrar, registrar.id());
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
pub type Inspector = rserpool_driver::Inspector<Tokio>;
