//! Runs a service for an element, and its counterpart in a session, on any runtime.

use alloc::collections::{BTreeMap, VecDeque};
use core::future::Future;
use core::ops::ControlFlow;

use bytes::Bytes;
use futures_lite::future;
use rserpool_core::base::{AssociationId, Instant, ProtocolId};
use rserpool_driver::vocabulary::{Delivery, ElementEvent, Refusal};
use rserpool_driver::{PoolElement, Runtime, Session, SessionEvent};

use crate::client::{Client, ClientAction, ClientEvent};
use crate::service::{Service, ServiceAction, ServiceEvent};

/// Octets of messages kept for a user that does not take them; then its session is closed.
const MAX_BACKLOG: usize = 4 << 20;
/// What a message counts beside its content, so that many short ones are bounded, too.
const OVERHEAD: usize = 64;

/// Messages for a user who takes none at the moment.
#[derive(Debug, Default)]
struct Backlog {
    messages: VecDeque<(ProtocolId, Bytes)>,
    octets: usize,
}

impl Backlog {
    fn push(&mut self, protocol: ProtocolId, bytes: Bytes) {
        self.octets += bytes.len() + OVERHEAD;
        self.messages.push_back((protocol, bytes));
    }

    fn pop(&mut self) {
        if let Some((_, bytes)) = self.messages.pop_front() {
            self.octets -= bytes.len() + OVERHEAD;
        }
    }
}

/// Waits for an event; `None` if the deadline comes before it.
async fn before<R: Runtime, T>(
    runtime: &R,
    deadline: Option<Instant>,
    event: impl Future<Output = T>,
) -> Option<T> {
    let due = async {
        match deadline {
            Some(at) => runtime.sleep_until(at).await,
            None => future::pending().await,
        }
        None
    };
    future::or(async { Some(event.await) }, due).await
}

/// Serves the users of an element until it has ended. `told` hears of everything else that happens to the element, and may
/// break this off.
///
/// A user that leaves more than 4 MiB unread loses its session.
///
/// Cancel safe, except that a message which is being sent may have been sent when the future is dropped.
pub async fn serve<R: Runtime, S: Service + ?Sized, B>(
    runtime: &R,
    element: &PoolElement<R>,
    service: &mut S,
    mut told: impl FnMut(ElementEvent) -> ControlFlow<B>,
) -> Option<B> {
    let mut waiting = BTreeMap::new();
    loop {
        carry_out(runtime, element, service, &mut waiting).await;
        let event = before(runtime, service.poll_timeout(), element.next_event()).await;
        let now = runtime.now();
        let event = match event {
            None => {
                service.handle_timeout(now);
                continue;
            }
            Some(None) => return None,
            Some(Some(event)) => event,
        };
        let event = match event {
            ElementEvent::SessionOpened { session, .. } => ServiceEvent::Opened { session },
            ElementEvent::CookieEcho { session, cookie, .. } => ServiceEvent::Restored { session, cookie },
            ElementEvent::CookieWanted { session, .. } => ServiceEvent::CookieWanted { session },
            ElementEvent::Received { session, protocol, bytes, .. } => {
                ServiceEvent::Received { session, protocol, bytes }
            }
            ElementEvent::SessionClosed { session, .. } => {
                waiting.remove(&session);
                ServiceEvent::Closed { session }
            }
            ElementEvent::Writable { session, .. } => match drain(element, &mut waiting, session).await {
                true => ServiceEvent::Room { session },
                false => continue,
            },
            other => match told(other) {
                ControlFlow::Break(end) => return Some(end),
                ControlFlow::Continue(()) => continue,
            },
        };
        service.handle_event(now, event);
    }
}

async fn carry_out<R: Runtime>(
    runtime: &R,
    element: &PoolElement<R>,
    service: &mut (impl Service + ?Sized),
    waiting: &mut BTreeMap<AssociationId, Backlog>,
) {
    // An error says that the session or the element has ended, which is told anyway.
    while let Some(action) = service.poll_action() {
        match action {
            ServiceAction::Send { session, protocol, bytes } => {
                if let Some(backlog) = waiting.get_mut(&session) {
                    backlog.push(protocol, bytes);
                    if backlog.octets > MAX_BACKLOG {
                        waiting.remove(&session);
                        let _ = element.close(session).await;
                    }
                } else if element.send(session, protocol, bytes.clone()).await == Err(Refusal::Congested) {
                    waiting.entry(session).or_default().push(protocol, bytes);
                } else {
                    service.handle_event(runtime.now(), ServiceEvent::Room { session });
                }
            }
            ServiceAction::SendCookie { session, cookie } => {
                let _ = element.send_cookie(session, cookie).await;
            }
            ServiceAction::Close { session } => {
                let _ = element.close(session).await;
            }
            ServiceAction::Load(load) => {
                let _ = element.set_load(load).await;
            }
        }
    }
}

/// Sends what waits for a user; true if all is on its way.
async fn drain<R: Runtime>(
    element: &PoolElement<R>,
    waiting: &mut BTreeMap<AssociationId, Backlog>,
    session: AssociationId,
) -> bool {
    while let Some((protocol, bytes)) =
        waiting.get(&session).and_then(|backlog| backlog.messages.front().cloned())
    {
        if element.send(session, protocol, bytes).await == Err(Refusal::Congested) {
            return false;
        }
        if let Some(backlog) = waiting.get_mut(&session) {
            backlog.pop();
        }
    }
    waiting.remove(&session);
    true
}

/// What whoever plays a client hears.
#[derive(Debug)]
pub enum Told<R> {
    /// What the client reports.
    Report(R),
    /// What happens to the session. Its messages are the client's business.
    Session(SessionEvent),
}

/// Plays the user's side of a service in a session, until that has ended, because the client has closed it, for example.
/// `told` hears what happens, and may break this off.
///
/// Cancel safe, except that a message which is being sent may have been sent when the future is dropped.
pub async fn play<R: Runtime, C: Client, B>(
    runtime: &R,
    session: &Session<R>,
    client: &mut C,
    mut told: impl FnMut(&mut C, Told<C::Report>) -> ControlFlow<B>,
) -> Option<B> {
    client.handle_event(runtime.now(), ClientEvent::Opened { element: session.element() });
    loop {
        while let Some(action) = client.poll_action() {
            // An error says that the session has ended, which is told anyway.
            match action {
                ClientAction::Send { protocol, bytes } => {
                    let _ = session.send(protocol, bytes, Delivery::Once).await;
                }
                ClientAction::Request { request, protocol, bytes } => {
                    let _ = session.send(protocol, bytes, Delivery::Retry(request)).await;
                }
                ClientAction::Answered(request) => session.forget(request),
                ClientAction::FailOver { unreachable: true } => {
                    let _ = session.fail_over_unreachable().await;
                }
                ClientAction::FailOver { unreachable: false } => {
                    let _ = session.fail_over().await;
                }
                ClientAction::Report(report) => {
                    if let ControlFlow::Break(end) = told(client, Told::Report(report)) {
                        return Some(end);
                    }
                }
                ClientAction::Close => {
                    let _ = session.close().await;
                }
            }
        }
        let event = before(runtime, client.poll_timeout(), session.next_event()).await;
        let now = runtime.now();
        let event = match event {
            None => {
                client.handle_timeout(now);
                continue;
            }
            Some(None) => return None,
            Some(Some(event)) => event,
        };
        let event = match event {
            SessionEvent::Received { protocol, bytes, .. } => ClientEvent::Received { protocol, bytes },
            other => {
                let event = match &other {
                    SessionEvent::FailedOver { to, cookie_echoed, .. } => {
                        Some(ClientEvent::FailedOver { element: *to, cookie_echoed: *cookie_echoed })
                    }
                    SessionEvent::Unanswered { request, .. } => Some(ClientEvent::Unanswered(*request)),
                    _ => None,
                };
                if let ControlFlow::Break(end) = told(client, Told::Session(other)) {
                    return Some(end);
                }
                let Some(event) = event else { continue };
                event
            }
        };
        client.handle_event(now, event);
    }
}
