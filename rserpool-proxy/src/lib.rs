//! Reliable Server Pooling for programs that know nothing of it (the proxies of RFC 5351).
//!
//! [`proxy`] connects clients to the elements of a pool: a proxy pool user.
//! [`attach`] keeps a server in a pool as long as it is healthy: a proxy pool element, which is not in the path of the
//! data. [`template`] fills in files for programs that read their servers from one.
//! What decides ([`health`], [`load`], [`choice`]) is pure; the rest uses tokio.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `http` | health checks by HTTP and by gRPC |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod attach;
pub mod backend;
pub mod check;
pub mod choice;
pub mod command;
pub mod connections;
pub mod health;
pub mod load;
pub mod proxy;
pub mod proxy_protocol;
pub mod race;
pub mod relay;
pub mod template;
