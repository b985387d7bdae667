//! How fast messages of 200 octets travel.
