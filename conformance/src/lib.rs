//! Conformance vectors of RSerPool, and the tests that read them.

/// Which protocol a vector belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// ASAP (RFC 5352).
    Asap,
    /// ENRP (RFC 5353).
    Enrp,
}

/// One message as it was on the wire.
#[derive(Clone, Debug)]
pub struct Vector {
    /// What is special about it.
    pub name: &'static str,
    /// Its protocol.
    pub protocol: Protocol,
    /// The message.
    pub octets: Vec<u8>,
    /// The message as Wireshark reads it, one field a line, without the line of its name.
    pub decoded: &'static str,
}

/// All messages of RSPLIB 3.4.4 in `vectors/`.
///
/// # Panics
///
/// A file is damaged.
pub fn rsplib() -> Vec<Vector> {
    parse(include_str!("../vectors/rsplib-3.4.4.txt"), include_str!("../vectors/rsplib-3.4.4.decoded.txt"))
}

/// Joins a file of `name protocol hex` lines with a file of decoded messages, each under a line
/// `=== name ...`.
fn parse(messages: &'static str, decoded: &'static str) -> Vec<Vector> {
    let decoded: std::collections::BTreeMap<&str, &str> = decoded
        .split("=== ")
        .filter_map(|section| section.split_once('\n'))
        .map(|(title, text)| (title.split(' ').next().unwrap_or(title), text))
        .collect();
    let vectors = messages.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    vectors
        .map(|line| {
            let mut words = line.split_whitespace();
            let (Some(name), Some(protocol), Some(hex)) = (words.next(), words.next(), words.next()) else {
                panic!("not a vector: {line}");
            };
            let protocol = match protocol {
                "ASAP" => Protocol::Asap,
                "ENRP" => Protocol::Enrp,
                other => panic!("not a protocol: {other}"),
            };
            let decoded = decoded.get(name).copied().unwrap_or_else(|| panic!("{name} is not decoded"));
            Vector { name, protocol, octets: octets(hex), decoded }
        })
        .collect()
}

fn octets(hex: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).unwrap_or_else(|| panic!("not hexadecimal: {hex}")) as u8;
    hex.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |octet, c| octet << 4 | digit(*c))).collect()
}
