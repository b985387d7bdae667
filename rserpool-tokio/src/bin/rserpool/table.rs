//! The handlespace as tables for people.

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use crate::view::{Address, Element, Handlespace, Pool};

/// Everything that a registrar knows.
pub(crate) fn handlespace(handlespace: &Handlespace) -> String {
    let mut text = format!("Registrar {}", handlespace.registrar);
    if handlespace.peers.is_empty() {
        text += ", no peers";
    } else {
        let mut peers = new_table(["Peer", "Address", "ENRP port"]);
        for peer in &handlespace.peers {
            peers.add_row([
                peer.id.clone(),
                addresses(&peer.addresses, peer.udp_port),
                peer.port.to_string(),
            ]);
        }
        text += &format!("\n{peers}");
    }
    if handlespace.pools.is_empty() {
        return text + ", no pools";
    }
    let mut table = new_table(["Pool", "Element", "Home", "Life", "Policy", "Address"]);
    for pool in &handlespace.pools {
        let mut name = pool.handle.as_str();
        for element in &pool.elements {
            let mut row = vec![std::mem::take(&mut name).to_string()];
            row.extend(cells(element));
            table.add_row(row);
        }
    }
    format!("{text}\n{table}")
}

/// The elements of one pool.
pub(crate) fn elements(pool: &Pool) -> String {
    let mut table = new_table(["Element", "Home", "Life", "Policy", "Address"]);
    for element in &pool.elements {
        table.add_row(cells(element));
    }
    table.to_string()
}

fn new_table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table
}

fn cells(element: &Element) -> [String; 5] {
    let life = if element.life_s == -1 { "infinite".into() } else { format!("{} s", element.life_s) };
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
