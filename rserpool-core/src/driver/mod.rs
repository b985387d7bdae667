//! The runtime-neutral event loop and the handles of the adapters.
