//! Conformance vectors of RSerPool, and the tests that read them.
