//! Reliable Server Pooling (RFC 5351 to 5356) on plain threads, without `async`.
//!
//! A *pool handle* names a pool of servers. Servers are *pool elements* and register in their pool
//! at a *registrar*. Clients are *pool users*: they ask a registrar for elements of a pool, talk to
//! one, and move to another when it dies.
//!
//! The handles are those of `rserpool-tokio` and `rserpool-smol`. Their functions return futures; here
//! [`Wait::wait`] blocks the calling thread until the result is there, and [`Wait::wait_for`] blocks it for a
//! bounded time:
//!
//! ```text
//!   your program                threads that block
//!        │ session.request(..).wait()
//!   ┌────▼─────────────────────────────────────────────────────────────┐
//!   │ Registrar     PoolElement     PoolUser, Session     Inspector    │  this crate: names, Wait
//!   │ Threads       a thread for each endpoint and for each socket,    │
//!   │               and one for all timers                             │
//!   ├──────────────────────────────────────────────────────────────────┤
//!   │ rserpool-driver, rserpool-transport, rserpool-core               │  all the rest
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
//! use rserpool_blocking::{
//!     ElementEvent, PoolElement, PoolUser, Preset, ProtocolId, Refusal, Registrar, SessionEvent, Wait,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registrar = Registrar::builder().bind("127.0.0.1:0".parse()?).start().wait()?;
//!
//! let server = PoolElement::builder("EchoPool")
//!     .registrar(registrar.local_addr())
//!     .bind("127.0.0.1:0".parse()?)
//!     .preset(Preset::Fast)
//!     .start()
//!     .wait()?;
//! while !matches!(server.next_event().wait(), Some(ElementEvent::Registered { .. })) {}
//! let echo = server.clone();
//! let serving = std::thread::spawn(move || {
//!     while let Some(event) = echo.next_event().wait() {
//!         if let ElementEvent::Received { session, protocol, bytes, .. } = event {
//!             // A user that does not take its answers loses the session, and asks again in another one.
//!             if echo.send(session, protocol, bytes).wait() == Err(Refusal::Congested) {
//!                 let _ = echo.close(session).wait();
//!             }
//!         }
//!     }
//! });
//!
//! let user = PoolUser::builder()
//!     .registrar(registrar.local_addr())
//!     .bind("127.0.0.1:0".parse()?)
//!     .preset(Preset::Fast)
//!     .start()
//!     .wait()?;
//! let session = user.connect("EchoPool").wait()?;
//! let request = session.request(ProtocolId(0), "hello").wait()?; // sent again if the server dies
//! while let Some(event) = session.next_event().wait() {
//!     match event {
//!         SessionEvent::Received { element, bytes, .. } => {
//!             session.answered(request).wait()?;
//!             assert_eq!((element, &bytes[..]), (server.id(), &b"hello"[..]));
//!             break;
//!         }
//!         SessionEvent::FailedOver { from, to, .. } => println!("moved from {from} to {to}"),
//!         _ => {}
//!     }
//! }
//! // Nothing else comes: a wait that is given up loses no event.
//! assert!(session.next_event().wait_for(Duration::from_millis(10)).is_none());
//!
//! user.shutdown(Duration::from_secs(2)).wait();
//! server.shutdown(Duration::from_secs(2)).wait();
//! registrar.shutdown(Duration::from_secs(2)).wait();
//! serving.join().map_err(|_| "the server panicked")?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not for
//!
//! Each endpoint takes two threads: a thousand elements in one process would be two thousand. There is no
//! ASAP over TCP. A program with many endpoints takes `rserpool-tokio` or `rserpool-smol`.

mod threads;
mod wait;

pub use rserpool_driver::vocabulary::*;
pub use threads::Threads;
pub use wait::{Wait, block_on};

/// A registrar that runs in the background: it keeps the handlespace, and answers elements and users.
pub type Registrar = rserpool_driver::Registrar<Threads>;

/// A pool element that runs in the background: a server in its pool.
pub type PoolElement = rserpool_driver::PoolElement<Threads>;

/// A session of an element with one user, from [`PoolElement::accept`](rserpool_driver::PoolElement::accept).
pub type ElementSession = rserpool_driver::ElementSession<Threads>;

/// A pool user that runs in the background: it resolves pool handles and opens sessions.
pub type PoolUser = rserpool_driver::PoolUser<Threads>;

/// A session with a pool: one element at a time, replaced by another when it fails. It comes from
/// [`PoolUser::connect`](rserpool_driver::PoolUser::connect).
pub type Session = rserpool_driver::Session<Threads>;

/// A session that is being opened, from [`PoolUser::connect`](rserpool_driver::PoolUser::connect).
pub type Connect = rserpool_driver::Connect<Threads>;

/// Asks a registrar for everything it knows.
pub type Inspector = rserpool_driver::Inspector<Threads>;
