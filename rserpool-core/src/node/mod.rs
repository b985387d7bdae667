//! One socket's bytes, several endpoints: joins a transport stack with the endpoints it serves.
