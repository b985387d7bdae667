//! What is wrong with a configuration.

/// A value that cannot work, found before the endpoint starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The path of the field in the configuration, such as `hunt.timeout` or `limits.pools`.
    pub key: &'static str,
    /// What it must be.
    pub problem: &'static str,
}

impl ConfigError {
    /// Checks one value.
    ///
    /// # Errors
    /// An error that names `key`, unless `condition` holds.
    pub fn require(condition: bool, key: &'static str, problem: &'static str) -> Result<(), Self> {
        if condition { Ok(()) } else { Err(Self { key, problem }) }
    }
}
