//! Asks a registrar for its handlespace, its peers and its counters.
