//! Reliable Server Pooling on tokio.
pub mod runtime;
pub use runtime::Tokio;
pub type Registrar = rserpool_core::driver::Registrar<Tokio>;
pub type PoolElement = rserpool_core::driver::PoolElement<Tokio>;
pub type PoolUser = rserpool_core::driver::PoolUser<Tokio>;
pub type Session = rserpool_core::driver::Session<Tokio>;
pub type Inspector = rserpool_core::driver::Inspector<Tokio>;
