//! Hands answers to the callers of commands, and notices to a session or the application.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender, TrySendError, unbounded};
use rserpool_core::base::{CommandId, PoolHandle};
use rserpool_core::endpoint::Endpoint;
use rserpool_core::user::{RequestId, SessionId};

use crate::pairing::{Expected, Pairs};
use crate::role::{Recipient, Remark, Role};
use crate::room::Room;
use crate::runtime::BoxFuture;

/// Octets of messages for which an event takes one more place in its queue: a queue of 1,024 places
/// holds no more than 4 MiB, and one message.
const OCTETS_PER_PLACE: usize = 4096;

/// The sending end of a queue of events. A long message takes several places; all but the first
/// hold `None`.
pub(super) type EventSender<E> = Sender<Option<<E as Endpoint>::Notice>>;
/// The receiving end of a queue of events.
pub(super) type EventReceiver<E> = Receiver<Option<<E as Endpoint>::Notice>>;

/// How many places of the queue of a session are taken when its element has to wait.
pub const SESSION_QUEUE: usize = 1024;

/// A session whose application takes nothing is closed when so many places are taken: what is told of failovers
/// arrives even while the element waits.
const ABANDONED: usize = 64 * SESSION_QUEUE;

/// What a session of a user has in the event loop.
pub(super) struct SessionQueue<E: Role> {
    pub(super) events: EventQueue<E>,
    /// Its calls in protocols of the application.
    pub(super) pairs: Pairs,
    /// Holds a token when the session takes data again.
    pub(super) writable: Sender<()>,
}

/// Where the events of a session go.
pub(super) struct EventQueue<E: Role> {
    /// Its events, each with the places that it takes. The channel takes memory as it grows.
    events: Sender<(E::Notice, usize)>,
    fill: Arc<Fill>,
}

/// The events of a session, as its handle takes them.
pub(super) struct SessionEvents<E: Role> {
    events: Receiver<(E::Notice, usize)>,
    fill: Arc<Fill>,
}

/// How full the queue of a session is.
#[derive(Default)]
struct Fill {
    /// The places that are taken.
    places: AtomicUsize,
    /// Whether the element has to wait.
    held: AtomicBool,
}

/// The two ends of the queue of a session.
pub(super) fn session_queue<E: Role>() -> (EventQueue<E>, SessionEvents<E>) {
    let (sender, events) = unbounded();
    let fill = Arc::new(Fill::default());
    (EventQueue { events: sender, fill: Arc::clone(&fill) }, SessionEvents { events, fill })
}

impl<E: Role> EventQueue<E> {
    /// Adds an event. Says what to do about the element.
    pub(super) fn add(&self, notice: E::Notice) -> Load {
        // Who only makes calls need not take events: what comes again anyway must not make the element wait.
        if E::repeats(&notice) && self.fill.places.load(Ordering::SeqCst) >= SESSION_QUEUE / 2 {
            return Load::Fine;
        }
        let places = 1 + E::octets(&notice) / OCTETS_PER_PLACE;
        let taken = self.fill.places.fetch_add(places, Ordering::SeqCst) + places;
        // It is closed only if the handle has gone, and then the session is closed, too.
        let _ = self.events.try_send((notice, places));
        if taken > ABANDONED {
            return Load::Abandoned;
        }
        if taken < SESSION_QUEUE || self.fill.held.swap(true, Ordering::SeqCst) {
            return Load::Fine;
        }
        // The handle may have taken everything before it could see that the element waits.
        if self.fill.take_relief() { Load::Fine } else { Load::Full }
    }
}

/// What the queue of a session asks for.
pub(super) enum Load {
    Fine,
    /// The element has to wait.
    Full,
    /// Nobody takes the events.
    Abandoned,
}

impl Fill {
    /// Whether the element has waited for long enough: half of the places are free again. True once.
    fn take_relief(&self) -> bool {
        self.places.load(Ordering::SeqCst) <= SESSION_QUEUE / 2 && self.held.swap(false, Ordering::SeqCst)
    }
}

impl<E: Role> SessionEvents<E> {
    /// Takes the next event, and says whether the element need not wait any longer. `None` when there will be no
    /// event any more. Cancel safe.
    pub(super) async fn next(&self) -> Option<(E::Notice, bool)> {
        let (notice, places) = self.events.recv().await.ok()?;
        self.fill.places.fetch_sub(places, Ordering::SeqCst);
        Some((notice, self.fill.take_relief()))
    }
}

/// A command that has not been answered yet.
pub(super) struct Waiting<E: Role> {
    /// Where its answer goes.
    pub(super) reply: Sender<E::Answer>,
    pub(super) opens: Opens<E>,
}

/// What begins with the answer to a command, if it succeeds.
pub(super) enum Opens<E: Role> {
    Nothing,
    /// A session, with the queue of its events.
    Session(SessionQueue<E>),
    /// A call in a protocol of the application.
    Call(SessionId, Expected),
    /// Nothing; and it is not carried out if the session has left an element more often than that.
    Present(SessionId, u64),
    /// Notices about this pool. The queue has one place: the newest counts.
    Watch(PoolHandle, Sender<E::Notice>),
}

/// The receivers of the answers and notices of one endpoint.
///
/// Every queue is bounded. If that of a session is full, its element has to wait ([`Delivery::pop_remark`]). If that
/// of the application is full, it holds the rest back in order, and [`Delivery::is_blocked`] tells the event loop
/// to receive nothing more meanwhile. Therefore the backlog is no longer than what one batch of datagrams, the
/// timers and the commands of a caller cause.
pub(super) struct Delivery<E: Role> {
    commands: BTreeMap<CommandId, Waiting<E>>,
    sessions: BTreeMap<SessionId, SessionQueue<E>>,
    watches: BTreeMap<PoolHandle, Vec<Sender<E::Notice>>>,
    application: EventSender<E>,
    backlog: VecDeque<(EventSender<E>, E::Notice)>,
    blocked: Option<BoxFuture>,
    remarks: Vec<Remark>,
    /// Those who wait until a session of an element has room.
    room: Room,
    /// Told whenever no registrar has answered.
    silent: Sender<()>,
    patient: bool,
}

impl<E: Role> Delivery<E> {
    pub(super) fn new(application: EventSender<E>, room: Room, silent: Sender<()>) -> Self {
        Self {
            commands: BTreeMap::new(),
            sessions: BTreeMap::new(),
            watches: BTreeMap::new(),
            application,
            backlog: VecDeque::new(),
            blocked: None,
            remarks: Vec::new(),
            room,
            silent,
            patient: true,
        }
    }

    /// The answer to this command will be waited for.
    pub(super) fn expect(&mut self, id: CommandId, waiting: Waiting<E>) {
        self.commands.insert(id, waiting);
    }

    /// The application may not take events any more: from now on those that find no place are
    /// dropped, so that leaving never waits for it.
    pub(super) fn stop_waiting(&mut self) {
        self.patient = false;
        self.blocked = None;
        for (queue, notice) in std::mem::take(&mut self.backlog) {
            let _ = queue.try_send(Some(notice));
        }
    }

    /// Whether a queue is full because its events are not taken.
    pub(super) const fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// What the endpoint is to be told of a session.
    pub(super) fn pop_remark(&mut self) -> Option<Remark> {
        self.remarks.pop()
    }

    /// Passes one notice on.
    pub(super) fn accept(&mut self, notice: E::Notice) {
        if E::makes_room(&notice) {
            self.room.open();
        }
        if E::tells_silence(&notice) {
            let _ = self.silent.try_send(());
        }
        match E::recipient(&notice) {
            Recipient::None => {}
            Recipient::Onlooker => {
                let _ = self.application.try_send(Some(notice));
            }
            Recipient::Application if self.is_blocked() && E::repeats(&notice) => {}
            Recipient::Application => {
                let queue = self.application.clone();
                self.enqueue(queue, notice);
            }
            Recipient::Writable(session) => {
                if let Some(queue) = self.sessions.get(&session) {
                    let _ = queue.writable.try_send(());
                }
            }
            Recipient::Session(session) => {
                let Some(queue) = self.sessions.get(&session) else { return };
                let (notice, remark) = E::pair(&queue.pairs, notice);
                self.remarks.extend(remark);
                match notice.map(|notice| queue.events.add(notice)) {
                    Some(Load::Full) => self.remarks.push(Remark::Full(session)),
                    Some(Load::Abandoned) => self.remarks.push(Remark::Session(session)),
                    Some(Load::Fine) | None => {}
                }
            }
            Recipient::Watchers(pool) => {
                let mut heard = false;
                for watcher in self.watches.get(&pool).into_iter().flatten() {
                    heard |= watcher.force_send(notice.clone()).is_ok();
                }
                // Whoever began to watch has gone before that was carried out.
                if !heard {
                    self.remarks.push(Remark::Unwatched(pool));
                }
            }
            Recipient::EndOfSession(session) => {
                if let Some(queue) = self.sessions.remove(&session)
                    && let (Some(notice), _) = E::pair(&queue.pairs, notice)
                {
                    let _ = queue.events.add(notice);
                }
            }
        }
    }

    /// Moves the backlog on; true if it moved.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> bool {
        let Some(blocked) = &mut self.blocked else { return false };
        if blocked.as_mut().poll(context) == Poll::Pending {
            return false;
        }
        self.blocked = None;
        while self.blocked.is_none() {
            let Some((queue, notice)) = self.backlog.pop_front() else { break };
            self.enqueue(queue, notice);
        }
        true
    }

    /// Passes the answer to a command on.
    pub(super) fn answer(&mut self, id: CommandId, answer: E::Answer) {
        let Some(Waiting { reply, opens }) = self.commands.remove(&id) else { return };
        let opened = E::opened(&answer);
        match opens {
            Opens::Session(queue) => {
                if let Some(id) = opened {
                    self.sessions.insert(id, queue);
                }
            }
            // If the session has ended, the call ends with it.
            Opens::Call(session, call) if E::is_done(&answer) => {
                if let Some(queue) = self.sessions.get(&session) {
                    queue.pairs.begin(call);
                }
            }
            Opens::Watch(pool, watcher) if E::watches(&answer) => {
                self.watches.entry(pool).or_default().push(watcher);
            }
            Opens::Call(..) | Opens::Present(..) | Opens::Watch(..) | Opens::Nothing => {}
        }
        // The reply channel holds one answer, so it can only be closed: the caller has gone.
        if let (Err(_), Some(id)) = (reply.try_send(answer), opened) {
            self.sessions.remove(&id);
            // The handle was dropped before it learned of the session.
            self.remarks.push(Remark::Session(id));
        }
    }

    /// Whether a command was for an element that its session has left.
    pub(super) fn is_stale(&self, opens: &Opens<E>) -> bool {
        let Opens::Present(session, left) = opens else { return false };
        self.sessions.get(session).is_none_or(|queue| queue.pairs.left() != *left)
    }

    /// A request is given up, or was answered.
    pub(super) fn give_up(&mut self, session: SessionId, request: RequestId) {
        let stuck = self.sessions.get(&session).and_then(|queue| queue.pairs.give_up(session, request));
        self.remarks.extend(stuck);
    }

    /// One who has watched a pool does so no longer. Tells whether somebody else does.
    pub(super) fn is_watched(&mut self, pool: &PoolHandle) -> bool {
        let Some(watchers) = self.watches.get_mut(pool) else { return false };
        watchers.retain(|watcher| !watcher.is_closed());
        let watched = !watchers.is_empty();
        if !watched {
            self.watches.remove(pool);
        }
        watched
    }

    fn enqueue(&mut self, queue: EventSender<E>, notice: E::Notice) {
        if self.blocked.is_some() {
            return self.backlog.push_back((queue, notice));
        }
        let mut more = E::octets(&notice) / OCTETS_PER_PLACE;
        let mut refused = queue.try_send(Some(notice));
        while refused.is_ok() && more > 0 {
            more -= 1;
            refused = queue.try_send(None);
        }
        if let Err(TrySendError::Full(place)) = refused
            && self.patient
        {
            self.blocked = Some(Box::pin(async move {
                let places = std::iter::once(place).chain((0..more).map(|_| None));
                for place in places {
                    if queue.send(place).await.is_err() {
                        break;
                    }
                }
            }));
        }
    }
}

/// Takes the next event; `None` when there will be none any more. Cancel safe.
pub(super) async fn next_event<N>(queue: &Receiver<Option<N>>) -> Option<N> {
    loop {
        if let Some(event) = queue.recv().await.ok()? {
            return Some(event);
        }
    }
}
