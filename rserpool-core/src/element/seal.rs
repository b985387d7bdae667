//! The seal of cookies: who may have written them.

use alloc::sync::Arc;
use core::fmt;

use bytes::Bytes;

use crate::base::{ElementId, PoolHandle};

/// Seals the cookies of an element, and examines those that users bring (RFC 5352 section 3.8: an element SHOULD sign
/// its cookies, and verify those it is given; RFC 5355 section 2.16).
///
/// How is left open by the RFCs. All elements of a pool must do it in the same way. The core has neither keys nor the
/// time of day, so it asks the implementation; `rserpool-driver` has one with HMAC-SHA-256.
pub trait Seal: Send + Sync {
    /// The cookie of this element, sealed.
    fn seal(&self, pool: &PoolHandle, element: ElementId, cookie: &Bytes) -> Bytes;

    /// What was sealed by an element of the pool.
    ///
    /// # Errors
    ///
    /// Nobody may trust the octets.
    fn open(&self, pool: &PoolHandle, sealed: &Bytes) -> Result<Bytes, CookieError>;
}

/// What is wrong with a cookie that a user has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// It does not look like a sealed cookie.
    #[error("the cookie is not sealed: let all elements of the pool seal theirs")]
    Unsealed,
    /// It names a key that the element does not have.
    #[error("the cookie is sealed with an unknown key: give all elements of the pool the same keys")]
    UnknownKey,
    /// The seal is broken: somebody has made the cookie up or altered it, or it is one of another pool.
    #[error("the seal of the cookie is broken")]
    Forged,
    /// It is too old, or from the future.
    #[error("the cookie was sealed too long ago, or the clocks of the elements differ")]
    Stale,
}

/// A [`Seal`] in a configuration.
#[derive(Clone)]
pub struct CookieSeal(Arc<dyn Seal>);

impl CookieSeal {
    /// This seal.
    pub fn new(seal: impl Seal + 'static) -> Self {
        Self(Arc::new(seal))
    }

    pub(super) fn get(&self) -> &dyn Seal {
        &*self.0
    }
}

impl PartialEq for CookieSeal {
    /// Two seals are equal only if one is a clone of the other.
    fn eq(&self, other: &Self) -> bool {
        core::ptr::addr_eq(Arc::as_ptr(&self.0), Arc::as_ptr(&other.0))
    }
}

impl Eq for CookieSeal {}

impl fmt::Debug for CookieSeal {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieSeal")
    }
}
