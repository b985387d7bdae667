//! The addresses of a transport.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::ops::Deref;

/// The IP addresses of one SCTP endpoint, in the order of preference.
///
/// A single address, as most endpoints have, is kept without memory of its own: a registrar keeps two lists
/// for each element. It reads like a slice, and is made from a vector.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addresses(Inner);

/// A list of one address is always `One`, so that equal lists compare equal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Inner {
    One(IpAddr),
    Many(Box<[IpAddr]>),
}

impl Deref for Addresses {
    type Target = [IpAddr];

    fn deref(&self) -> &[IpAddr] {
        match &self.0 {
            Inner::One(address) => core::slice::from_ref(address),
            Inner::Many(addresses) => addresses,
        }
    }
}

impl From<IpAddr> for Addresses {
    fn from(address: IpAddr) -> Self {
        Self(Inner::One(address))
    }
}

impl From<Vec<IpAddr>> for Addresses {
    fn from(addresses: Vec<IpAddr>) -> Self {
        match addresses.as_slice() {
            [address] => Self(Inner::One(*address)),
            _ => Self(Inner::Many(addresses.into())),
        }
    }
}

impl From<&[IpAddr]> for Addresses {
    fn from(addresses: &[IpAddr]) -> Self {
        match addresses {
            [address] => Self(Inner::One(*address)),
            _ => Self(Inner::Many(addresses.into())),
        }
    }
}

impl FromIterator<IpAddr> for Addresses {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        addresses.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Addresses {
    type Item = &'a IpAddr;
    type IntoIter = core::slice::Iter<'a, IpAddr>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Addresses {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        super::generate::some(u).map(|addresses: Vec<IpAddr>| addresses.into())
    }
}
