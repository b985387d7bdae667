//! How long a user tries what may fail, and how often.

use std::time::Duration;

use rserpool_core::user::UserConfig;

/// How long a user tries what may fail, and how often: all time-outs, repetitions and reconnections in one place. What is
/// not set stays as the preset says; [`UserConfig`] has each value with its default.
///
/// ```
/// use std::time::Duration;
/// use rserpool_driver::{Builder, Patience, Runtime};
/// use rserpool_driver::vocabulary::UserConfig;
///
/// fn hasty<R: Runtime>(builder: Builder<R, UserConfig>) -> Builder<R, UserConfig> {
///     let patience = Patience::new().open(Duration::from_secs(3)).answer(Duration::from_secs(1)).deliveries(2);
///     builder.patience(patience)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Patience {
    open: Option<Duration>,
    registrar: Option<Duration>,
    element: Option<Duration>,
    answer: Option<Duration>,
    deliveries: Option<u32>,
    reconnect: Option<Duration>,
    pause: Option<Duration>,
}

impl Patience {
    /// As the preset says.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            open: None,
            registrar: None,
            element: None,
            answer: None,
            deliveries: None,
            reconnect: None,
            pause: None,
        }
    }

    /// How long a session may take to open ([`UserConfig::open_timeout`]).
    #[must_use]
    pub const fn open(mut self, limit: Duration) -> Self {
        self.open = Some(limit);
        self
    }

    /// How long a registrar may take to answer ([`UserConfig::request_timeout`]).
    #[must_use]
    pub const fn registrar(mut self, limit: Duration) -> Self {
        self.registrar = Some(limit);
        self
    }

    /// How long an element may take to accept an association ([`UserConfig::connect_timeout`]).
    #[must_use]
    pub const fn element(mut self, limit: Duration) -> Self {
        self.element = Some(limit);
        self
    }

    /// How long a request may go unanswered, whatever happens to its elements ([`UserConfig::answer_deadline`]).
    #[must_use]
    pub const fn answer(mut self, limit: Duration) -> Self {
        self.answer = Some(limit);
        self
    }

    /// How often a request is sent at most ([`UserConfig::max_deliveries`]).
    #[must_use]
    pub const fn deliveries(mut self, times: u32) -> Self {
        self.deliveries = Some(times);
        self
    }

    /// How long a session that has lost its element looks for another before it ends
    /// ([`UserConfig::failover_deadline`]).
    #[must_use]
    pub const fn reconnect(mut self, limit: Duration) -> Self {
        self.reconnect = Some(limit);
        self
    }

    /// The pause before all elements are tried again; it doubles up to three times ([`UserConfig::retry_interval`]).
    #[must_use]
    pub const fn pause(mut self, pause: Duration) -> Self {
        self.pause = Some(pause);
        self
    }

    pub(super) fn apply(self, config: &mut UserConfig) {
        let values = [
            (self.open, &mut config.open_timeout),
            (self.registrar, &mut config.request_timeout),
            (self.element, &mut config.connect_timeout),
            (self.answer, &mut config.answer_deadline),
            (self.reconnect, &mut config.failover_deadline),
            (self.pause, &mut config.retry_interval),
        ];
        for (wanted, value) in values {
            *value = wanted.unwrap_or(*value);
        }
        config.max_deliveries = self.deliveries.unwrap_or(config.max_deliveries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_set_and_nothing_else() {
        let mut config = UserConfig::fast(1);
        Patience::new().apply(&mut config);
        assert_eq!(format!("{config:?}"), format!("{:?}", UserConfig::fast(1)));
        let seconds = Duration::from_secs;
        let all =
            Patience::new().open(seconds(1)).registrar(seconds(2)).element(seconds(3)).answer(seconds(4));
        all.deliveries(5).reconnect(seconds(6)).pause(seconds(7)).apply(&mut config);
        let values = [
            config.open_timeout,
            config.request_timeout,
            config.connect_timeout,
            config.answer_deadline,
            config.failover_deadline,
            config.retry_interval,
        ];
        assert_eq!((values, config.max_deliveries), ([1, 2, 3, 4, 6, 7].map(seconds), 5));
    }
}
