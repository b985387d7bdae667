//! What an element counts.

crate::endpoint::counters::counters! {
    /// Registrations sent.
    registrations_sent,
    /// Registrations granted.
    registrations_granted,
    /// Registrations refused.
    registrations_refused,
    /// Registrations without an answer within T2.
    registrations_unanswered,
    /// Deregistrations sent.
    deregistrations_sent,
    /// Removals by a registrar that the application did not ask for.
    removals,
    /// Hunts for a registrar.
    hunts,
    /// Associations with the home registrar that were lost.
    homes_lost,
    /// Changes of the home registrar that a keep-alive asked for.
    home_changes,
    /// Registrars that had made themselves the home by a keep-alive and then refused the registration.
    homes_refused,
    /// Keep-alives answered.
    keep_alives,
    /// Keep-alives for another pool or element, dropped (KA1).
    foreign_keep_alives,
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
    /// Sessions opened by users.
    sessions_opened,
    /// Sessions that have ended.
    sessions_closed,
    /// Associations refused because there were too many, or because the element was leaving.
    associations_refused,
    /// Application messages received.
    messages_received,
    /// Application messages that came after their session had been told to move, dropped.
    messages_dropped,
    /// Application messages sent.
    messages_sent,
    /// Cookies sent.
    cookies_sent,
    /// Cookies that have waited for room until a newer one has taken their place.
    cookies_replaced,
    /// Cookies of other elements that users have brought.
    cookies_echoed,
    /// Business cards sent.
    cards_sent,
    /// Business cards of users that are elements, too.
    cards_received,
    /// Cookies that users have brought and the seal does not vouch for.
    cookies_refused,
}
