//! Reliable Server Pooling on tokio.
