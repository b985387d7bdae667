//! Reliable Server Pooling (RFC 5351 to 5356) on smol, and on async-std.
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
//! The protocol itself is in [`rserpool_core`], without any I/O; this crate is its adapter to smol.
//! `rserpool-tokio` has the same names for tokio, and `rserpool` is the program, which works with both.
//!
//! # Example
//!
//! A registrar, a server and a client in one program. In real life they are three; the examples
//! `smol_registrar`, `smol_echo_element` and `smol_echo_user` are.
//!
//! ```
//! use std::time::Duration;
//!
//! use rserpool_smol::{ElementEvent, PoolElement, PoolUser, Preset, ProtocolId, Refusal, Registrar, SessionEvent};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! smol::block_on(async {
//!     let registrar = Registrar::builder().bind("127.0.0.1:0".parse()?).start().await?;
//!
//!     let server = PoolElement::builder("EchoPool")
//!         .registrar(registrar.local_addr())
//!         .bind("127.0.0.1:0".parse()?)
//!         .preset(Preset::Fast)
//!         .start()
//!         .await?;
//!     let (registered, ready) = smol::channel::bounded(1);
//!     let echo = server.clone();
//!     smol::spawn(async move {
//!         while let Some(event) = echo.next_event().await {
//!             match event {
//!                 ElementEvent::Registered { .. } => drop(registered.try_send(())),
//!                 ElementEvent::Received { session, protocol, bytes, .. } => {
//!                     // A user that does not take its answers loses the session, and asks again in another one.
//!                     if echo.send(session, protocol, bytes).await == Err(Refusal::Congested) {
//!                         let _ = echo.close(session).await;
//!                     }
//!                 }
//!                 _ => {}
//!             }
//!         }
//!     })
//!     .detach();
//!     ready.recv().await?;
//!
//!     let user = PoolUser::builder()
//!         .registrar(registrar.local_addr())
//!         .bind("127.0.0.1:0".parse()?)
//!         .preset(Preset::Fast)
//!         .start()
//!         .await?;
//!     let session = user.connect("EchoPool").await?;
//!     let request = session.request(ProtocolId(0), "hello").await?;
//!     while let Some(event) = session.next_event().await {
//!         match event {
//!             SessionEvent::Received { element, bytes, .. } => {
//!                 session.answered(request).await?;
//!                 assert_eq!((element, &bytes[..]), (server.id(), &b"hello"[..]));
//!                 break;
//!             }
//!             SessionEvent::FailedOver { from, to, .. } => println!("moved from {from} to {to}"),
//!             _ => {}
//!         }
//!     }
//!
//!     user.shutdown(Duration::from_secs(2)).await;
//!     server.shutdown(Duration::from_secs(2)).await;
//!     registrar.shutdown(Duration::from_secs(2)).await;
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # Executors
//!
//! Endpoints run on smol's global executor, in a thread of its own that starts with the first of them. The
//! handles return plain futures, which the program may run on any executor. Therefore all of this works
//! unchanged under async-std, which has the same reactor:
//!
//! ```
//! use rserpool_smol::Registrar;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! async_std::task::block_on(async {
//!     let registrar = Registrar::builder().bind("127.0.0.1:0".parse()?).start().await?;
//!     assert!(registrar.pools().await?.is_empty());
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # Timers
//!
//! [`Preset::Rfc`] has the RFCs' values. They suit any network, but a failure is noticed only after many
//! seconds. With [`Preset::Fast`], a failure is noticed, and sessions have moved, within 500 ms on a LAN.
//! Each value can be changed with [`Builder::configure`] and [`Builder::configure_sctp`].

mod runtime;

pub use rserpool_driver::vocabulary::*;
pub use runtime::Smol;

/// A registrar that runs in the background: it keeps the handlespace, and answers elements and
/// users.
///
/// ```
/// use rserpool_smol::{Registrar, RegistrarId};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # smol::block_on(async {
/// let registrar =
///     Registrar::builder().bind("127.0.0.1:0".parse()?).id(RegistrarId(0x1)).start().await?;
/// println!("listening on UDP {}", registrar.local_addr());
/// for pool in registrar.pools().await? {
///     println!("{}: {} elements", pool.handle, pool.elements.len());
/// }
/// # Ok(())
/// # })
/// # }
/// ```
pub type Registrar = rserpool_driver::Registrar<Smol>;

/// A pool element that runs in the background: a server in its pool.
///
/// ```
/// use rserpool_smol::{ElementEvent, PoolElement, Registrar};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # smol::block_on(async {
/// # let running = Registrar::builder().bind("127.0.0.1:0".parse()?).start().await?;
/// # let registrar = running.local_addr();
/// let bind = "127.0.0.1:0".parse()?;
/// let element = PoolElement::builder("EchoPool").registrar(registrar).bind(bind).start().await?;
/// while let Some(event) = element.next_event().await {
///     match event {
///         ElementEvent::Registered { .. } => break,
///         ElementEvent::RegistrationFailed(error) => return Err(error.into()),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # })
/// # }
/// ```
pub type PoolElement = rserpool_driver::PoolElement<Smol>;

/// A session of an element with one user, from [`PoolElement::accept`](rserpool_driver::PoolElement::accept).
pub type ElementSession = rserpool_driver::ElementSession<Smol>;

/// A pool user that runs in the background: it resolves pool handles and opens sessions.
///
/// ```
/// use rserpool_smol::{PoolUser, Registrar, UserError};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # smol::block_on(async {
/// # let running = Registrar::builder().bind("127.0.0.1:0".parse()?).start().await?;
/// # let registrar = running.local_addr();
/// let user = PoolUser::builder().registrar(registrar).bind("127.0.0.1:0".parse()?).start().await?;
/// assert_eq!(user.resolve("EchoPool").await, Err(UserError::UnknownPool));
/// # Ok(())
/// # })
/// # }
/// ```
pub type PoolUser = rserpool_driver::PoolUser<Smol>;

/// A session with a pool: one element at a time, replaced by another when it fails. It comes from
/// [`PoolUser::connect`](rserpool_driver::PoolUser::connect); the example of [this crate](crate) has one.
pub type Session = rserpool_driver::Session<Smol>;

/// A session that is being opened, from [`PoolUser::connect`](rserpool_driver::PoolUser::connect).
pub type Connect = rserpool_driver::Connect<Smol>;

/// Asks a registrar for everything it knows.
///
/// ```
/// use rserpool_smol::{Inspector, Registrar};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # smol::block_on(async {
/// # let registrar = Registrar::builder().bind("127.0.0.1:0".parse()?).start().await?;
/// # let address = registrar.local_addr();
/// let inspector = Inspector::builder(address).bind("127.0.0.1:0".parse()?).start().await?;
/// let snapshot = inspector.handlespace().await?;
/// println!("registrar {} knows {} pools", snapshot.registrar, snapshot.pools.len());
/// # assert_eq!(snapshot.registrar, registrar.id());
/// # Ok(())
/// # })
/// # }
/// ```
pub type Inspector = rserpool_driver::Inspector<Smol>;
