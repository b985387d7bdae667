//! The counters of a user.

crate::endpoint::counters::counters! {
    /// Handle resolutions sent, repetitions included.
    resolutions_sent,
    /// Handle resolutions answered with elements.
    resolutions_answered,
    /// Updates about watched pools that a registrar has sent unasked.
    pool_updates,
    /// Handle resolutions refused.
    resolutions_refused,
    /// Handle resolutions without an answer within T1.
    resolutions_unanswered,
    /// Resolutions answered from the cache.
    cache_hits,
    /// Unreachable elements reported.
    reports_sent,
    /// Reports that were not sent, because the failure was reported already, or because nothing was sent to the
    /// element that the application has reported.
    reports_suppressed,
    /// Hunts for a registrar.
    hunts,
    /// Associations with the home registrar that were lost.
    homes_lost,
    /// Announcements of registrars.
    announces,
    /// Datagrams on the announcement channel that were not announcements.
    bad_announces,
    /// ASAP messages that could not be decoded.
    malformed,
    /// ASAP messages that could be decoded but were not expected.
    unexpected,
    /// ASAP_ERROR received.
    errors_received,
    /// ASAP_ERROR sent.
    errors_sent,
    /// Associations that others opened; all are aborted.
    associations_refused,
    /// Sessions opened.
    sessions_opened,
    /// Sessions that have ended.
    sessions_closed,
    /// Attempts to connect to an element that failed.
    connects_failed,
    /// Elements that a session has left.
    element_failures,
    /// Failovers that found another element.
    failovers,
    /// Failovers to an element that was connected before.
    standbys_used,
    /// Elements that were connected for a failover and have gone before it.
    standbys_lost,
    /// Cookies received and kept.
    cookies_received,
    /// Cookies that were longer than permitted: the one before is kept.
    cookies_too_long,
    /// Cookies handed to an element that has taken over.
    cookies_echoed,
    /// Business cards received and kept.
    cards_received,
    /// Business cards sent.
    cards_sent,
    /// Application messages sent, without repetitions.
    messages_sent,
    /// Answers of calls that had ended before.
    answers_late,
    /// Application messages sent again to another element.
    messages_resent,
    /// Requests given up: at their deadline, or after their last permitted delivery.
    requests_given_up,
    /// Application messages received.
    messages_received,
    /// Messages of elements that had been given up; all are dropped.
    messages_late,
}
