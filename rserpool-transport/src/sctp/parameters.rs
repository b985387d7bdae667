//! What stands behind the fixed fields of INIT and INIT ACK (RFC 9260 sections 3.2.1 and 3.3.2.1).

use std::net::IpAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rserpool_core::base::MAX_KEPT_ADDRESSES;

/// Octets of type and length in front of a parameter, or an error cause.
pub(super) const PARAMETER_HEADER: usize = 4;

mod kind {
    pub(super) const IPV4: u16 = 5;
    pub(super) const IPV6: u16 = 6;
    pub(super) const COOKIE: u16 = 7;
    pub(super) const UNRECOGNIZED: u16 = 8;
    pub(super) const COOKIE_PRESERVATIVE: u16 = 9;
    pub(super) const HOST_NAME: u16 = 11;
    pub(super) const SUPPORTED_ADDRESSES: u16 = 12;
}

/// The most octets of unknown parameters that are reported.
const MAX_REPORT: usize = 256;

/// What a peer has stated beyond the fixed fields, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) cookie: Option<Bytes>,
    /// The first of its addresses.
    pub(super) addresses: Vec<IpAddr>,
    /// Whole parameters that we do not know and whose sender wants to hear that.
    pub(super) unknown: Vec<Bytes>,
    /// A host name, which must not be sent any more (section 3.3.2.1.4): the whole parameter.
    pub(super) host_name: Option<Bytes>,
}

impl Parameters {
    /// Reads them up to one that cannot be read or says that it is to be the last. A wish for a
    /// longer life of the cookie is not granted, and what types of addresses a peer takes says
    /// nothing that its packets do not.
    pub(super) fn read(mut rest: Bytes) -> Self {
        let mut parameters = Self::default();
        while let Some((kind, whole)) = take_parameter(&mut rest) {
            let value = whole.slice(PARAMETER_HEADER..);
            match kind {
                kind::IPV4 => parameters.address(<[u8; 4]>::try_from(&value[..]).ok().map(IpAddr::from)),
                kind::IPV6 => parameters.address(<[u8; 16]>::try_from(&value[..]).ok().map(IpAddr::from)),
                kind::COOKIE => parameters.cookie = Some(value),
                kind::HOST_NAME => parameters.host_name = Some(whole),
                kind::COOKIE_PRESERVATIVE | kind::SUPPORTED_ADDRESSES | kind::UNRECOGNIZED => {}
                unknown => {
                    // The two high bits say: report it, and go on.
                    let reported: usize = parameters.unknown.iter().map(Bytes::len).sum();
                    if unknown & 0x4000 != 0 && reported + whole.len() <= MAX_REPORT {
                        parameters.unknown.push(whole);
                    }
                    if unknown & 0x8000 == 0 {
                        break;
                    }
                }
            }
        }
        parameters
    }

    fn address(&mut self, address: Option<IpAddr>) {
        if self.addresses.len() < MAX_KEPT_ADDRESSES {
            self.addresses.extend(address);
        }
    }
}

/// Our addresses.
pub(super) fn put_addresses(to: &mut BytesMut, own: &[IpAddr]) {
    for address in own.iter().take(MAX_KEPT_ADDRESSES) {
        match address {
            IpAddr::V4(address) => put_parameter(to, kind::IPV4, &address.octets()),
            IpAddr::V6(address) => put_parameter(to, kind::IPV6, &address.octets()),
        }
    }
}

/// Which parameters of an INIT we do not know.
pub(super) fn put_unknown(to: &mut BytesMut, unknown: &[Bytes]) {
    unknown.iter().for_each(|whole| put_parameter(to, kind::UNRECOGNIZED, whole));
}

pub(super) fn put_cookie(to: &mut BytesMut, cookie: &[u8]) {
    put_parameter(to, kind::COOKIE, cookie);
}

/// Parameters and causes share one form: type, length of all but the padding, value. What stands
/// before is padded.
pub(super) fn put_parameter(to: &mut BytesMut, kind: u16, value: &[u8]) {
    to.put_bytes(0, to.len().next_multiple_of(4) - to.len());
    to.put_u16(kind);
    to.put_u16(u16::try_from(PARAMETER_HEADER + value.len()).unwrap_or(u16::MAX));
    to.put_slice(value);
}

/// The next parameter or cause: its type, and all of it but the padding.
pub(super) fn take_parameter(from: &mut Bytes) -> Option<(u16, Bytes)> {
    if from.len() < PARAMETER_HEADER {
        return None;
    }
    let (kind, length) =
        (u16::from_be_bytes([from[0], from[1]]), usize::from(u16::from_be_bytes([from[2], from[3]])));
    if length < PARAMETER_HEADER || length > from.len() {
        return None;
    }
    let whole = from.slice(..length);
    from.advance(length.next_multiple_of(4).min(from.len()));
    Some((kind, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(list: &[(u16, &[u8])]) -> Parameters {
        let mut octets = BytesMut::new();
        list.iter().for_each(|(kind, value)| put_parameter(&mut octets, *kind, value));
        Parameters::read(octets.freeze())
    }

    #[test]
    fn addresses_and_cookie_are_read_in_any_order() {
        let v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let read = parameters(&[(6, &v6), (7, b"cook"), (5, &[192, 0, 2, 1]), (5, &[1, 2]), (9, &[0; 4])]);
        assert_eq!(read.addresses, [IpAddr::from(v6), IpAddr::from([192, 0, 2, 1])]);
        assert_eq!(read.cookie.as_deref(), Some(&b"cook"[..]));
        assert_eq!((read.unknown, read.host_name), (vec![], None));
    }

    #[test]
    fn no_more_addresses_than_the_bound_are_read() {
        let one: (u16, &[u8]) = (5, &[192, 0, 2, 1]);
        assert_eq!(parameters(&[one; 20]).addresses.len(), MAX_KEPT_ADDRESSES);
    }

    /// RFC 9260 section 3.2.1.
    #[test]
    fn the_high_bits_of_an_unknown_type_say_what_to_do() {
        for (unknown, goes_on, reported) in
            [(0x3fff, false, false), (0x7fff, false, true), (0xbfff, true, false), (0xffff, true, true)]
        {
            let read = parameters(&[(unknown, b"12345"), (7, b"cook")]);
            assert_eq!(read.cookie.is_some(), goes_on, "{unknown:#x}");
            let report = [&unknown.to_be_bytes()[..], &[0, 9], b"12345"].concat();
            let expected: Vec<Bytes> = reported.then(|| report.into()).into_iter().collect();
            assert_eq!(read.unknown, expected, "{unknown:#x}");
        }
    }

    #[test]
    fn reports_are_bounded() {
        let one: (u16, &[u8]) = (0xffff, &[0; 100]);
        let read = parameters(&[one; 20]);
        assert_eq!(read.unknown.len(), 2);
    }
}
