//! The registrar: keeps the handlespace and answers elements and users.
