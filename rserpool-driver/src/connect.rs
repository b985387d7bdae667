//! How a session is opened.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rserpool_core::base::PoolHandle;
use rserpool_core::user::{Open, RequestLimits, UserError};

use crate::pairing::Pairing;
use crate::runtime::Runtime;
use crate::session::Session;
use crate::user::PoolUser;

/// A session that is being opened: a future, and before it is awaited, what the session is to be like.
///
/// ```
/// # use std::time::Duration;
/// # use rserpool_driver::{PoolUser, Runtime, Session};
/// # use rserpool_driver::vocabulary::{RequestLimits, UserError};
/// # async fn example<R: Runtime>(user: PoolUser<R>) -> Result<Session<R>, UserError> {
/// user.connect("EchoPool")
///     .wait_for_pool(Duration::from_secs(10))
///     .limits(RequestLimits::default().deadline(Duration::from_secs(2)))
///     .await
/// # }
/// ```
#[must_use = "nothing happens before it is awaited"]
pub struct Connect<R> {
    user: PoolUser<R>,
    wanted: Wanted,
    opening: Option<Opening<R>>,
}

type Opening<R> = Pin<Box<dyn Future<Output = Result<Session<R>, UserError>> + Send>>;

#[derive(Clone)]
struct Wanted {
    pool: PoolHandle,
    within: Option<Duration>,
    wait: Option<Duration>,
    limits: RequestLimits,
    pairing: Option<Pairing>,
}

impl<R> Connect<R> {
    pub(super) fn new(user: PoolUser<R>, pool: PoolHandle) -> Self {
        let limits = RequestLimits::default();
        Self { user, wanted: Wanted { pool, within: None, wait: None, limits, pairing: None }, opening: None }
    }

    /// How long it may take, once there is a pool (default: [`UserConfig::open_timeout`](rserpool_core::user::UserConfig::open_timeout)).
    pub const fn within(mut self, limit: Duration) -> Self {
        self.wanted.within = Some(limit);
        self
    }

    /// Waits so long for the first element of the pool (default: not at all).
    pub const fn wait_for_pool(mut self, limit: Duration) -> Self {
        self.wanted.wait = Some(limit);
        self
    }

    /// The limits of requests and calls that have none of their own (default: those of the user).
    pub const fn limits(mut self, limits: RequestLimits) -> Self {
        self.wanted.limits = limits;
        self
    }

    /// Its calls are messages of the application, paired so; see [`Session::pairing`].
    pub fn pairing(mut self, pairing: Pairing) -> Self {
        self.wanted.pairing = Some(pairing);
        self
    }
}

/// Moving it moves no future that has begun.
impl<R> Unpin for Connect<R> {}

impl<R: Runtime> Future for Connect<R> {
    type Output = Result<Session<R>, UserError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { user, wanted, opening } = &mut *self;
        opening.get_or_insert_with(|| Box::pin(open(user.clone(), wanted.clone()))).as_mut().poll(context)
    }
}

async fn open<R: Runtime>(user: PoolUser<R>, wanted: Wanted) -> Result<Session<R>, UserError> {
    let Wanted { pool, within, wait, limits, pairing } = wanted;
    let until = wait.map(|wait| user.now() + wait);
    let session = loop {
        let mut open = Open::new(pool.clone());
        open.within = within;
        match (Session::open(user.handle(), open, limits).await, until) {
            (Err(UserError::UnknownPool), Some(until)) if user.now() < until => {
                user.wait_for_pool_until(&pool, until).await?;
            }
            (session, _) => break session?,
        }
    };
    Ok(match pairing {
        Some(pairing) => session.pairing(pairing),
        None => session,
    })
}
