//! The rows of the table, by subject.

mod abort;
mod addresses;
mod cookies;
mod flood;
mod greedy;
mod handshake;
mod loss;
mod messages;
mod restart;
mod scale;
mod shutdown;
mod silence;
mod unusual;

use super::row::Row;

/// All rows, in the order of the table.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    let subjects: [&[Row]; 13] = [
        handshake::ROWS,
        messages::ROWS,
        shutdown::ROWS,
        abort::ROWS,
        silence::ROWS,
        restart::ROWS,
        unusual::ROWS,
        addresses::ROWS,
        cookies::ROWS,
        flood::ROWS,
        greedy::ROWS,
        scale::ROWS,
        loss::ROWS,
    ];
    subjects.into_iter().flatten()
}
