//! What this process has used, as Linux states it.

use std::time::Duration;

use super::bench::Failure;

/// Octets of memory that are resident.
///
/// # Errors
///
/// There is no `/proc`.
pub(super) fn resident() -> Result<usize, Failure> {
    let pages: usize = field("/proc/self/statm", 1)?;
    Ok(pages * 4096)
}

/// Processor time of all threads, to 10 ms.
///
/// # Errors
///
/// There is no `/proc`.
pub(super) fn cpu_time() -> Result<Duration, Failure> {
    // Behind the name of the program, which has no blanks here: user and system time, in 1/100 s.
    let (user, system): (u64, u64) = (field("/proc/self/stat", 13)?, field("/proc/self/stat", 14)?);
    Ok(Duration::from_millis((user + system) * 10))
}

fn field<T: std::str::FromStr>(file: &str, place: usize) -> Result<T, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::Skipped(format!("{file}: {error}")))?;
    let word = text.split_whitespace().nth(place).unwrap_or_default();
    word.parse().map_err(|_| Failure::Skipped(format!("{file}: field {place} is {word:?}")))
}
