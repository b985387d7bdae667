//! Pools and their elements, as a registrar keeps them.
