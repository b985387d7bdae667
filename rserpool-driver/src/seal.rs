//! The seal of cookies: HMAC-SHA-256 with keys that the elements of a pool share.
//!
//! | octets | content |
//! |---|---|
//! | 1 | version: 1 |
//! | 4 | identifier of the key |
//! | 8 | when it was sealed, in seconds since 1970 |
//! | 4 | PE identifier of the element that has sealed it |
//! | n | what the application has given |
//! | 16 | the seal: the first half of the HMAC-SHA-256 over all before, and over the pool handle and its length |
//!
//! The pool handle is not sent. A cookie of another pool that uses the same keys does not fit.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hmac::{Hmac, KeyInit, Mac};
use rserpool_core::base::{ElementId, PoolHandle};
use rserpool_core::element::{CookieError, Seal};
use sha2::Sha256;

const VERSION: u8 = 1;
const HEADER: usize = 1 + 4 + 8 + 4;
/// Half of the HMAC, as RFC 2104 section 5 recommends at least.
const TAG: usize = 16;

/// The shortest key: what is shorter can be guessed sooner than the seal.
const SHORTEST_KEY: usize = 16;

/// How far the clocks of elements may differ.
const CLOCK_TOLERANCE: u64 = 60;

/// How old a cookie may be, unless the application says otherwise.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// A key that the elements of a pool share, with its name.
#[derive(Clone)]
pub struct CookieKey {
    id: u32,
    /// The state of the HMAC that has taken the key.
    mac: Hmac<Sha256>,
}

/// A key of cookies is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key of cookies has at least {SHORTEST_KEY} octets: draw 32 at random")]
pub struct KeyTooShort;

impl CookieKey {
    /// The key with this name: at least 16 octets, better 32, drawn at random.
    ///
    /// # Errors
    ///
    /// It is shorter.
    pub fn new(id: u32, secret: &[u8]) -> Result<Self, KeyTooShort> {
        if secret.len() < SHORTEST_KEY {
            return Err(KeyTooShort);
        }
        // An HMAC takes keys of any length.
        let mac = Hmac::new_from_slice(secret).map_err(|_| KeyTooShort)?;
        Ok(Self { id, mac })
    }

    fn mac(&self, pool: &PoolHandle, covered: &[u8]) -> Hmac<Sha256> {
        let pool = pool.as_bytes();
        let mut mac = self.mac.clone();
        mac.update(covered);
        mac.update(pool);
        mac.update(&(pool.len() as u64).to_be_bytes());
        mac
    }
}

impl fmt::Debug for CookieKey {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The keys with which the elements of a pool seal their cookies, so that users cannot alter them or make them up
/// (RFC 5352 section 3.8). What is in a cookie can be read by everybody.
///
/// To change the key without losing a session: let all elements accept the new one
/// ([`accept`](Self::accept)), then let all of them seal with it and accept the old one, and drop that when the cookies
/// that it has sealed are too old.
///
/// ```
/// use rserpool_driver::{CookieKey, CookieKeys};
///
/// let (old, new) = ([7; 32], [8; 32]);
/// let keys = CookieKeys::new(CookieKey::new(2, &new)?).accept(CookieKey::new(1, &old)?);
/// # Ok::<(), rserpool_driver::KeyTooShort>(())
/// ```
#[derive(Clone, Debug)]
pub struct CookieKeys {
    sealing: CookieKey,
    accepted: Option<CookieKey>,
    max_age: Duration,
    /// Seconds since 1970.
    clock: fn() -> u64,
}

impl CookieKeys {
    /// Seals with this key, and accepts what it has sealed within the last day.
    pub fn new(sealing: CookieKey) -> Self {
        Self { sealing, accepted: None, max_age: MAX_AGE, clock: seconds }
    }

    /// The same keys, and what this one has sealed is accepted, too: the key before, or the next one.
    #[must_use]
    pub fn accept(mut self, other: CookieKey) -> Self {
        self.accepted = Some(other);
        self
    }

    /// The same keys, and how old a cookie may be (default a day). An old cookie takes a session back to an earlier
    /// state; but a session whose state seldom changes has an old one. The clocks of elements may differ by a minute.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    fn key(&self, id: u32) -> Option<&CookieKey> {
        [Some(&self.sealing), self.accepted.as_ref()].into_iter().flatten().find(|key| key.id == id)
    }
}

impl Seal for CookieKeys {
    fn seal(&self, pool: &PoolHandle, element: ElementId, cookie: &Bytes) -> Bytes {
        let mut sealed = BytesMut::with_capacity(HEADER + cookie.len() + TAG);
        sealed.put_u8(VERSION);
        sealed.put_u32(self.sealing.id);
        sealed.put_u64((self.clock)());
        sealed.put_u32(element.0);
        sealed.put_slice(cookie);
        let tag = self.sealing.mac(pool, &sealed).finalize().into_bytes();
        sealed.put_slice(&tag[..TAG]);
        sealed.freeze()
    }

    fn open(&self, pool: &PoolHandle, sealed: &Bytes) -> Result<Bytes, CookieError> {
        let end = sealed.len().checked_sub(TAG).filter(|end| *end >= HEADER).ok_or(CookieError::Unsealed)?;
        let mut header = &sealed[..HEADER];
        if header.get_u8() != VERSION {
            return Err(CookieError::Unsealed);
        }
        let (id, issued) = (header.get_u32(), header.get_u64());
        let key = self.key(id).ok_or(CookieError::UnknownKey)?;
        // Takes the same time wherever they differ.
        let seal = key.mac(pool, &sealed[..end]).verify_truncated_left(&sealed[end..]);
        seal.map_err(|_| CookieError::Forged)?;
        let now = (self.clock)();
        let too_old = issued.saturating_add(self.max_age.as_secs()).saturating_add(CLOCK_TOLERANCE) < now;
        if too_old || issued > now.saturating_add(CLOCK_TOLERANCE) {
            return Err(CookieError::Stale);
        }
        Ok(sealed.slice(HEADER..end))
    }
}

fn seconds() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: ElementId = ElementId(0x2001);

    fn key(id: u32, octet: u8) -> CookieKey {
        CookieKey::new(id, &[octet; 32]).unwrap()
    }

    /// Keys whose clock stands.
    fn keys(id: u32, octet: u8) -> CookieKeys {
        at(CookieKeys::new(key(id, octet)), || 1_000_000)
    }

    fn at(keys: CookieKeys, clock: fn() -> u64) -> CookieKeys {
        CookieKeys { clock, ..keys }
    }

    fn pool() -> PoolHandle {
        "EchoPool".into()
    }

    /// The value was computed by another implementation of HMAC.
    #[test]
    fn the_octets_of_a_sealed_cookie() {
        let sealed = keys(9, 7).seal(&pool(), OURS, &Bytes::from_static(b"state"));
        let hex: String = sealed.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex, "010000000900000000000f42400000200173746174657060e704830ac016a5d6def1ef53df7a");
        assert_eq!(keys(9, 7).open(&pool(), &sealed), Ok("state".into()));
        let empty = keys(9, 7).seal(&pool(), OURS, &Bytes::new());
        assert_eq!((empty.len(), keys(9, 7).open(&pool(), &empty)), (33, Ok(Bytes::new())));
    }

    #[test]
    fn whatever_is_altered_is_found() {
        let keys = keys(9, 7);
        let sealed = keys.seal(&pool(), OURS, &Bytes::from_static(b"state"));
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.to_vec();
            altered[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                0 => CookieError::Unsealed,
                1..5 => CookieError::UnknownKey,
                _ => CookieError::Forged,
            };
            assert_eq!(keys.open(&pool(), &altered.into()), Err(expected), "{bit}");
        }
        for length in 0..sealed.len() {
            assert!(keys.open(&pool(), &sealed.slice(..length)).is_err());
        }
        assert_eq!(keys.open(&"OtherPool".into(), &sealed), Err(CookieError::Forged));
        assert_eq!(keys.open(&pool(), &Bytes::from_static(b"<PP-TD1>plain")), Err(CookieError::Unsealed));
    }

    #[test]
    fn keys_can_be_changed() {
        let (old, new) = (keys(1, 7), keys(2, 8));
        let cookie = Bytes::from_static(b"state");
        let sealed = old.seal(&pool(), OURS, &cookie);
        assert_eq!(new.open(&pool(), &sealed), Err(CookieError::UnknownKey));
        let both = new.accept(key(1, 7));
        assert_eq!(both.open(&pool(), &sealed), Ok(cookie.clone()));
        let sealed = both.seal(&pool(), OURS, &cookie);
        assert_eq!(old.clone().open(&pool(), &sealed), Err(CookieError::UnknownKey));
        assert_eq!(old.accept(key(2, 8)).open(&pool(), &sealed), Ok(cookie));
        // The same name, another key.
        assert_eq!(keys(2, 9).open(&pool(), &sealed), Err(CookieError::Forged));
        assert!(CookieKey::new(1, &[0; 15]).is_err() && CookieKey::new(1, &[0; 16]).is_ok());
    }

    #[test]
    fn a_cookie_becomes_stale() {
        let hour = keys(1, 7).max_age(Duration::from_secs(3_600));
        let sealed = hour.seal(&pool(), OURS, &Bytes::new());
        let open = |clock| at(hour.clone(), clock).open(&pool(), &sealed).is_ok();
        assert_eq!([open(|| 1_003_660), open(|| 1_003_661)], [true, false]);
        assert_eq!([open(|| 999_940), open(|| 999_939)], [true, false]);
        assert_eq!(at(hour, || 999_939).open(&pool(), &sealed), Err(CookieError::Stale));
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert_eq!(format!("{:?}", key(9, 7)), "CookieKey { id: 9, .. }");
    }
}
