//! The handlespace as tables for people.

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use rserpool_core::endpoint::PeerStatus;

use crate::view::{Address, Differs, Element, Handlespace, Pool, State};

/// Everything that registrars know.
pub(crate) fn handlespace(handlespace: &Handlespace) -> String {
    let mut text = handlespace.head.clone();
    if handlespace.registrars.len() > 1 {
        text += &format!("\n{}\n{}", verdict(handlespace), registrars(handlespace));
    }
    if handlespace.pools.is_empty() {
        return text + "\nno pools";
    }
    let mut table = new_table(["Pool", "Element", "Home", "Life", "Policy", "Address"]);
    for pool in &handlespace.pools {
        let mut name = pool.name.as_str();
        for element in &pool.elements {
            let mut row = vec![std::mem::take(&mut name).to_string()];
            row.extend(cells(element));
            table.add_row(row);
        }
    }
    format!("{text}\n{table}")
}

/// Whether the copies that could be seen are the same.
fn verdict(handlespace: &Handlespace) -> String {
    let seen = handlespace.registrars.iter().filter(|registrar| registrar.elements.is_some()).count();
    match (seen, handlespace.agree) {
        (0 | 1, _) => "no other registrar shows its copy of the handlespace".into(),
        (_, true) => format!("the copies of {seen} registrars agree"),
        (_, false) => format!("the copies of {seen} registrars DIFFER"),
    }
}

fn registrars(handlespace: &Handlespace) -> Table {
    let mut table = new_table(["Registrar", "Address", "State", "Own elements", "Checksum", "Its copy"]);
    for registrar in &handlespace.registrars {
        let wrong = handlespace.differences.iter().filter(|differs| differs.copy == registrar.id);
        let wrong: Vec<String> = wrong.map(difference).collect();
        let copy = match registrar.elements {
            None => "-".into(),
            Some(elements) => [vec![count(elements)], wrong].concat().join("\n"),
        };
        let (state, address) = match registrar.state {
            State::Serving => ("serving", addresses(&registrar.addresses, Some(registrar.udp_port))),
            State::Starting => ("starting", addresses(&registrar.addresses, Some(registrar.udp_port))),
            State::Unreachable => ("unreachable", addresses(&registrar.addresses, Some(registrar.udp_port))),
            State::Unknown => ("not known to anybody", "-".into()),
        };
        table.add_row([
            registrar.id.clone(),
            address,
            state.into(),
            registrar.own_elements.to_string(),
            registrar.checksum.clone(),
            copy,
        ]);
    }
    table
}

fn difference(differs: &Differs) -> String {
    format!(
        "of {}: {} ({}) instead of {} ({})",
        differs.home,
        count(differs.elements),
        differs.checksum,
        differs.expected_elements,
        differs.expected_checksum
    )
}

fn count(elements: usize) -> String {
    if elements == 1 { "1 element".into() } else { format!("{elements} elements") }
}

/// The elements of one pool.
pub(crate) fn elements(pool: &Pool) -> String {
    let mut table = new_table(["Element", "Home", "Life", "Policy", "Address"]);
    for element in &pool.elements {
        table.add_row(cells(element));
    }
    table.to_string()
}

/// What is said of a peer, as text; a dash where nothing is known.
pub(crate) struct PeerText {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) checksum: String,
    pub(crate) announced_checksum: String,
    pub(crate) address: String,
}

impl PeerText {
    pub(crate) fn of(peer: &PeerStatus) -> Self {
        let checksum = |sum: u16| format!("{sum:#06x}");
        Self {
            id: peer.id.to_string(),
            state: peer.state.to_string(),
            checksum: checksum(peer.checksum),
            announced_checksum: peer.announced_checksum.map_or_else(|| "-".into(), checksum),
            address: peer.address.as_ref().map_or_else(|| "-".into(), ToString::to_string),
        }
    }
}

/// The peers of a registrar, as it sees them.
pub(crate) fn peers(peers: &[PeerStatus]) -> String {
    let mut table =
        new_table(["Registrar", "Address", "State", "Connected", "Elements", "Checksum", "It says"]);
    for peer in peers {
        let PeerText { id, state, checksum, announced_checksum, address } = PeerText::of(peer);
        let connected = if peer.connected { "yes".into() } else { "no".into() };
        let elements = peer.elements.to_string();
        table.add_row([id, address, state, connected, elements, checksum, announced_checksum]);
    }
    table.to_string()
}

fn new_table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table
}

fn cells(element: &Element) -> [String; 5] {
    let life =
        if element.life_s.as_i64() == Some(-1) { "infinite".into() } else { format!("{} s", element.life_s) };
    let transports: Vec<String> = element.transports.iter().map(transport).collect();
    [element.id.clone(), element.home.clone(), life, element.policy_text.clone(), transports.join("\n")]
}

fn transport(address: &Address) -> String {
    let control = if address.control { "" } else { " data only" };
    let place = addresses(&address.addresses, address.udp_port);
    format!("{place} {} port {}{control}", address.protocol, address.port)
}

fn addresses(addresses: &[std::net::IpAddr], udp_port: Option<u16>) -> String {
    let place = |address: &std::net::IpAddr| match (address, udp_port) {
        (address, Some(port)) => std::net::SocketAddr::new(*address, port).to_string(),
        (address, None) => address.to_string(),
    };
    addresses.iter().map(place).collect::<Vec<_>>().join(", ")
}
