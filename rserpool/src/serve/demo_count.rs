//! The service of the demonstration: counts the requests of a session, whichever element it is at, and takes time for
//! those that ask for it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant};
use rserpool_services::{Service, ServiceAction, ServiceEvent};

use super::sleep::Sleep;

/// The service. A request ends with its number, by which one that comes again is known: it is not counted again. Its
/// answer is the request, with ` count ` and the count behind it.
#[derive(Default)]
pub(super) struct DemoCount {
    states: BTreeMap<AssociationId, State>,
    sleep: Sleep,
    cookies: VecDeque<ServiceAction>,
}

/// The state of a session.
#[derive(Clone, Copy, Default)]
struct State {
    count: u64,
    /// The number of the request that was counted last.
    last: u64,
}

impl State {
    fn cookie(self) -> Bytes {
        [self.count.to_be_bytes(), self.last.to_be_bytes()].concat().into()
    }

    fn read(cookie: &[u8]) -> Option<Self> {
        let (count, last) = cookie.split_first_chunk()?;
        let last = last.try_into().ok()?;
        Some(Self { count: u64::from_be_bytes(*count), last: u64::from_be_bytes(last) })
    }

    /// What the count was, or is now, with this request.
    fn take(&mut self, number: u64) -> u64 {
        if number > self.last {
            *self = Self { count: self.count.saturating_add(1), last: number };
        }
        self.count.saturating_sub(self.last - number)
    }
}

impl Service for DemoCount {
    fn handle_event(&mut self, now: Instant, event: ServiceEvent) {
        match &event {
            ServiceEvent::Restored { session, cookie } => {
                self.states.extend(State::read(cookie).map(|state| (*session, state)));
            }
            ServiceEvent::Closed { session } => drop(self.states.remove(session)),
            // The user has it already, but the element cannot know that: it waits for this answer.
            ServiceEvent::CookieWanted { session } => {
                let cookie = self.states.entry(*session).or_default().cookie();
                self.cookies.push_back(ServiceAction::SendCookie { session: *session, cookie });
            }
            ServiceEvent::Received { session, protocol, bytes } => {
                if let Some(number) = number(bytes) {
                    let (session, protocol) = (*session, *protocol);
                    let state = self.states.entry(session).or_default();
                    let text = format!("{} count {}", String::from_utf8_lossy(bytes), state.take(number));
                    // Before the answer: whoever has that has the cookie, too, because both go the same way.
                    self.cookies.push_back(ServiceAction::SendCookie { session, cookie: state.cookie() });
                    let received = ServiceEvent::Received { session, protocol, bytes: text.into() };
                    return self.sleep.handle_event(now, received);
                }
            }
            _ => {}
        }
        self.sleep.handle_event(now, event);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.sleep.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.sleep.poll_timeout()
    }

    fn poll_action(&mut self) -> Option<ServiceAction> {
        self.cookies.pop_front().or_else(|| self.sleep.poll_action())
    }
}

/// The number with which a request ends.
fn number(request: &[u8]) -> Option<u64> {
    std::str::from_utf8(request).ok()?.rsplit_once(' ')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use rserpool_core::base::ProtocolId;

    use super::*;

    const SESSION: AssociationId = AssociationId::sctp(1);

    fn ask(service: &mut DemoCount, text: &'static str) -> Vec<ServiceAction> {
        let bytes = Bytes::from_static(text.as_bytes());
        let request = ServiceEvent::Received { session: SESSION, protocol: ProtocolId(0), bytes };
        service.handle_event(Instant::ORIGIN, request);
        std::iter::from_fn(|| service.poll_action()).collect()
    }

    fn counted(count: u64, last: u64, text: &'static str) -> Vec<ServiceAction> {
        let cookie = State { count, last }.cookie();
        let bytes = Bytes::from_static(text.as_bytes());
        vec![
            ServiceAction::SendCookie { session: SESSION, cookie },
            ServiceAction::Send { session: SESSION, protocol: ProtocolId(0), bytes },
        ]
    }

    #[test]
    fn a_request_is_counted_once_whichever_element_takes_it() {
        let mut service = DemoCount::default();
        assert_eq!(ask(&mut service, "request 00001"), counted(1, 1, "request 00001 count 1"));
        assert_eq!(ask(&mut service, "request 00002"), counted(2, 2, "request 00002 count 2"));
        let mut next = DemoCount::default();
        let cookie = State { count: 2, last: 2 }.cookie();
        next.handle_event(Instant::ORIGIN, ServiceEvent::Restored { session: SESSION, cookie });
        assert_eq!(ask(&mut next, "request 00001"), counted(2, 2, "request 00001 count 1"), "again");
        assert_eq!(ask(&mut next, "request 00003"), counted(3, 3, "request 00003 count 3"));
        next.handle_event(Instant::ORIGIN, ServiceEvent::CookieWanted { session: SESSION });
        let again =
            ServiceAction::SendCookie { session: SESSION, cookie: State { count: 3, last: 3 }.cookie() };
        assert_eq!(next.poll_action(), Some(again));
        next.handle_event(Instant::ORIGIN, ServiceEvent::Closed { session: SESSION });
        assert_eq!(
            ask(&mut next, "request 00004"),
            counted(1, 4, "request 00004 count 1"),
            "another session"
        );
        let nonsense = ServiceEvent::Restored { session: SESSION, cookie: Bytes::from_static(b"?") };
        next.handle_event(Instant::ORIGIN, nonsense);
        assert_eq!(ask(&mut next, "request 00005"), counted(2, 5, "request 00005 count 2"));
    }
}
