//! The state cookie (RFC 9260 section 5.1.3): all that a listening stack knows of a handshake,
//! signed and given to the peer to keep. A flood of INITs therefore costs no memory.

use std::hash::Hasher;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::chunk::Init;
use super::packet::Path;
use crate::base::{Instant, Random};

/// What both sides have said, as remembered in a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    /// What we offered in the INIT ACK.
    pub(super) local: Init,
    /// What the peer offered in its INIT.
    pub(super) peer: Init,
    /// Our tag of the association that existed on this path at that time; 0 if there was none.
    /// Only a cookie that names it may replace it, so a late copy of an old one cannot.
    pub(super) tie: u32,
}

/// Makes cookies and knows its own again.
#[derive(Debug)]
pub(super) struct Bakery {
    key: (u64, u64),
    life: Duration,
}

const MAC: usize = 8;

impl Bakery {
    pub(super) fn new(random: &mut Random, life: Duration) -> Self {
        Self { key: (random.next_u64(), random.next_u64()), life }
    }

    /// The cookie's octets. The path is signed but not contained: the peer's packet states it.
    pub(super) fn bake(&self, now: Instant, path: &Path, cookie: &Cookie) -> Bytes {
        let mut octets = BytesMut::with_capacity(52);
        octets.put_u64(now.as_nanos());
        octets.put_u32(cookie.tie);
        cookie.local.put(&mut octets);
        cookie.peer.put(&mut octets);
        let mac = self.sign(path, &octets);
        octets.put_u64(mac);
        octets.freeze()
    }

    /// What the cookie says, if we made it for this path and not too long ago.
    pub(super) fn open(&self, now: Instant, path: &Path, cookie: &Bytes) -> Option<Cookie> {
        let signed = cookie.len().checked_sub(MAC)?;
        let mut octets = cookie.slice(..signed);
        if cookie.slice(signed..).get_u64() != self.sign(path, &octets) || octets.len() < 12 {
            return None;
        }
        let made = Instant::from_nanos(octets.get_u64());
        let tie = octets.get_u32();
        let (local, peer) = (Init::take(&mut octets)?, Init::take(&mut octets)?);
        (now.since(made) <= self.life).then_some(Cookie { local, peer, tie })
    }

    /// SipHash-2-4 with our key: made for short inputs and forging peers.
    #[expect(deprecated, reason = "the only keyed hash of std whose key can come from a seed")]
    fn sign(&self, path: &Path, octets: &[u8]) -> u64 {
        let mut hasher = std::hash::SipHasher::new_with_keys(self.key.0, self.key.1);
        match path.remote.ip() {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
        hasher.write(&path.remote.port().to_be_bytes());
        hasher.write(&path.remote_port.to_be_bytes());
        hasher.write(&path.local_port.to_be_bytes());
        hasher.write(octets);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unchanged_and_fresh_cookie_of_the_same_path_opens() {
        let bakery = Bakery::new(&mut Random::new(1), Duration::from_secs(60));
        let path = Path { remote: "127.0.0.1:9899".parse().unwrap(), remote_port: 1, local_port: 2 };
        let init = Init { tag: 1, window: 2000, outbound: 3, inbound: 4, tsn: 5 };
        let cookie = Cookie { local: init, peer: Init { tag: 9, ..init }, tie: 7 };
        let now = Instant::from_nanos(1_000_000_000);
        let baked = bakery.bake(now, &path, &cookie);

        assert_eq!(bakery.open(now, &path, &baked), Some(cookie));
        assert_eq!(bakery.open(now + Duration::from_secs(60), &path, &baked), Some(cookie));
        assert_eq!(bakery.open(now + Duration::from_secs(61), &path, &baked), None);
        assert_eq!(bakery.open(now, &Path { remote_port: 3, ..path }, &baked), None);
        let elsewhere = "127.0.0.1:9898".parse().unwrap();
        assert_eq!(bakery.open(now, &Path { remote: elsewhere, ..path }, &baked), None);
        for octet in 0..baked.len() {
            let mut forged = baked.to_vec();
            forged[octet] ^= 1;
            assert_eq!(bakery.open(now, &path, &forged.into()), None, "octet {octet}");
            assert_eq!(bakery.open(now, &path, &baked.slice(..octet)), None, "{octet} octets");
        }
        let other = Bakery::new(&mut Random::new(2), Duration::from_secs(60));
        assert_eq!(other.open(now, &path, &baked), None);
    }
}
