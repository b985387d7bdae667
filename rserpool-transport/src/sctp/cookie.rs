//! The state cookie (RFC 9260 section 5.1.3): all that a listening stack knows of a handshake,
//! signed and given to the peer to keep. A flood of INITs therefore costs no memory.

use std::hash::Hasher;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rserpool_core::base::{Instant, Random};

use super::chunk::Init;
use super::packet::Path;

/// What both sides have said, as remembered in a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    /// What we offered in the INIT ACK.
    pub(super) local: Init,
    /// What the peer offered in its INIT.
    pub(super) peer: Init,
    /// Our tag of the association that existed on this path at that time; 0 if there was none.
    /// Only a cookie that names it may replace it, so a late copy of an old one cannot.
    pub(super) tie: u32,
    /// The addresses that the peer has told in its INIT.
    pub(super) addresses: Vec<IpAddr>,
}

/// Why a cookie does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoilt {
    /// We have not made it, or not for this path.
    Forged,
    /// It has outlived its life by this much; the tag is the peer's.
    Stale(Duration, u32),
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
        let mut octets = BytesMut::with_capacity(52 + cookie.addresses.len() * 17);
        octets.put_u64(now.as_nanos());
        octets.put_u32(cookie.tie);
        cookie.local.put(&mut octets);
        cookie.peer.put(&mut octets);
        for address in &cookie.addresses {
            match address {
                IpAddr::V4(address) => {
                    octets.put_u8(4);
                    octets.put_slice(&address.octets());
                }
                IpAddr::V6(address) => {
                    octets.put_u8(6);
                    octets.put_slice(&address.octets());
                }
            }
        }
        let mac = self.sign(path, &octets);
        octets.put_u64(mac);
        octets.freeze()
    }

    /// What the cookie says.
    ///
    /// # Errors
    /// We have not made it for this path, or too long ago.
    pub(super) fn open(&self, now: Instant, path: &Path, cookie: &Bytes) -> Result<Cookie, Spoilt> {
        let signed = cookie.len().checked_sub(MAC).ok_or(Spoilt::Forged)?;
        let octets = cookie.slice(..signed);
        if cookie.slice(signed..).get_u64() != self.sign(path, &octets) {
            return Err(Spoilt::Forged);
        }
        let (made, cookie) = read(octets).ok_or(Spoilt::Forged)?;
        match now.since(made).checked_sub(self.life) {
            Some(staleness) if !staleness.is_zero() => Err(Spoilt::Stale(staleness, cookie.peer.tag)),
            _ => Ok(cookie),
        }
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
        hasher.write(&path.remote_port.0.to_be_bytes());
        hasher.write(&path.local_port.0.to_be_bytes());
        hasher.write(octets);
        hasher.finish()
    }
}

/// The octets of a cookie that is ours, and when it was made.
fn read(mut octets: Bytes) -> Option<(Instant, Cookie)> {
    if octets.len() < 12 {
        return None;
    }
    let made = Instant::from_nanos(octets.get_u64());
    let tie = octets.get_u32();
    let (local, peer) = (Init::take(&mut octets)?, Init::take(&mut octets)?);
    let mut addresses = Vec::new();
    while octets.has_remaining() {
        let mut v6 = [0; 16];
        match octets.get_u8() {
            4 if octets.len() >= 4 => addresses.push(IpAddr::from(octets.get_u32().to_be_bytes())),
            6 if octets.len() >= 16 => {
                octets.copy_to_slice(&mut v6);
                addresses.push(IpAddr::from(v6));
            }
            _ => return None,
        }
    }
    Some((made, Cookie { local, peer, tie, addresses }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rserpool_core::base::SctpPort;

    #[test]
    fn only_an_unchanged_and_fresh_cookie_of_the_same_path_opens() {
        let bakery = Bakery::new(&mut Random::new(1), Duration::from_secs(60));
        let path = Path {
            remote: "127.0.0.1:9899".parse().unwrap(),
            remote_port: SctpPort(1),
            local_port: SctpPort(2),
        };
        let init = Init { tag: 1, window: 2000, outbound: 3, inbound: 4, tsn: 5 };
        let addresses = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let cookie = Cookie { local: init, peer: Init { tag: 9, ..init }, tie: 7, addresses };
        let now = Instant::from_nanos(1_000_000_000);
        let baked = bakery.bake(now, &path, &cookie);

        assert_eq!(bakery.open(now, &path, &baked), Ok(cookie.clone()));
        assert_eq!(bakery.open(now + Duration::from_secs(60), &path, &baked), Ok(cookie));
        let stale = Err(Spoilt::Stale(Duration::from_secs(1), 9));
        assert_eq!(bakery.open(now + Duration::from_secs(61), &path, &baked), stale);
        assert_eq!(bakery.open(now, &Path { remote_port: SctpPort(3), ..path }, &baked), Err(Spoilt::Forged));
        let elsewhere = "127.0.0.1:9898".parse().unwrap();
        assert_eq!(bakery.open(now, &Path { remote: elsewhere, ..path }, &baked), Err(Spoilt::Forged));
        for octet in 0..baked.len() {
            let mut forged = baked.to_vec();
            forged[octet] ^= 1;
            assert_eq!(bakery.open(now, &path, &forged.into()), Err(Spoilt::Forged), "octet {octet}");
            assert_eq!(bakery.open(now, &path, &baked.slice(..octet)), Err(Spoilt::Forged), "{octet} octets");
        }
        let other = Bakery::new(&mut Random::new(2), Duration::from_secs(60));
        assert_eq!(other.open(now, &path, &baked), Err(Spoilt::Forged));
    }
}
