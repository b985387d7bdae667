//! State cookies: signed, bound to addresses and ports, and with a lifetime (RFC 9260 section 5.1.3).

use rserpool_core::base::SctpPort;
use std::net::SocketAddr;
use std::time::Duration;

use rserpool_core::endpoint::{Connected, Event};
use rserpool_transport::sctp::SctpConfig;

use crate::transport::bench::{Failure, Outcome, ensure};
use crate::transport::hand::{Hand, PORT, address};
use crate::transport::packet::{Chunk, Packet, kind, parameter as types, parameter};
use crate::transport::row::{CRAFTED, Row, row};
use crate::transport::stage::Stage;

pub(super) const ROWS: &[Row] = &[
    row("cookie-forged", "a cookie with one bit changed, cut or made up opens nothing", CRAFTED, forged),
    row(
        "cookie-elsewhere",
        "a cookie of another address, UDP port or SCTP port opens nothing",
        CRAFTED,
        elsewhere,
    ),
    row("cookie-stale", "a cookie past its life opens nothing, and the peer is told so", CRAFTED, stale),
    row("cookie-spent", "a cookie of an association that is over opens nothing", CRAFTED, spent),
    row("cookie-stale-ours", "told that our cookie is stale, we begin anew", CRAFTED, stale_ours),
];

fn echo(cookie: &[u8], tag: u32) -> Packet {
    let chunks = vec![Chunk::new(kind::COOKIE_ECHO, cookie)];
    Packet { source: 5000, destination: PORT, tag, chunks }
}

fn opens_nothing(hand: &mut Hand, what: &str) -> Result<(), Failure> {
    let events = hand.events();
    ensure(events.is_empty(), || format!("{what}: the application sees {events:?}"))?;
    let associations = hand.stack.associations();
    ensure(associations == 0, || format!("{what}: {associations} associations"))
}

fn forged(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let (ack, cookie) = hand.ask(address(1), 5000, Chunk::init(7, 1000, &[]))?;
    let tag = ack.word(0).unwrap_or_default();
    for bit in 0..cookie.len() * 8 {
        let mut wrong = cookie.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        hand.put(address(1), &echo(&wrong, tag));
        opens_nothing(&mut hand, &format!("bit {bit}"))?;
    }
    for length in 0..cookie.len() {
        hand.put(address(1), &echo(&cookie[..length], tag));
        opens_nothing(&mut hand, &format!("{length} octets"))?;
    }
    hand.put(address(1), &echo(&cookie, tag ^ 1));
    opens_nothing(&mut hand, "another tag")?;
    // What dcSCTP's own cookie looks like: an unsigned structure behind a magic number.
    hand.put(address(1), &echo(&[b"dcSCTP00".as_slice(), &[0, 0, 0, 7], &[1; 32]].concat(), tag));
    opens_nothing(&mut hand, "made up")?;
    hand.replies();
    hand.put(address(1), &echo(&cookie, tag));
    ensure(matches!(hand.events()[..], [Event::Connected(Connected { .. })]), || {
        "the real cookie opens nothing".into()
    })?;
    Ok(format!("{} octets", cookie.len()))
}

fn elsewhere(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let (ack, cookie) = hand.ask(address(1), 5000, Chunk::init(7, 1000, &[]))?;
    let tag = ack.word(0).unwrap_or_default();
    hand.put(address(2), &echo(&cookie, tag));
    opens_nothing(&mut hand, "another address")?;
    hand.put(SocketAddr::new(address(1).ip(), 1), &echo(&cookie, tag));
    opens_nothing(&mut hand, "another UDP port")?;
    hand.put(address(1), &Packet { source: 5001, ..echo(&cookie, tag) });
    opens_nothing(&mut hand, "another SCTP port")?;
    hand.stack.listen(SctpPort(PORT + 1));
    hand.put(address(1), &Packet { destination: PORT + 1, ..echo(&cookie, tag) });
    opens_nothing(&mut hand, "another SCTP port here")?;
    Ok(String::new())
}

fn stale(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let (ack, cookie) = hand.ask(address(1), 5000, Chunk::init(7, 1000, &[]))?;
    let tag = ack.word(0).unwrap_or_default();
    hand.pass(SctpConfig::fast(1).cookie_life + Duration::from_secs(1));
    hand.put(address(1), &echo(&cookie, tag));
    opens_nothing(&mut hand, "stale")?;
    // RFC 9260 section 5.2.6: ERROR with cause 3, to the tag of the peer.
    let replies = hand.replies();
    let told = replies.iter().any(|(_, packet)| {
        packet.tag == 7 && packet.find(kind::ERROR).is_some_and(|error| error.parameters(0)[0].0 == 3)
    });
    ensure(told, || format!("the peer is not told (RFC 9260 section 5.2.6); sent is {replies:?}"))?;
    Ok(String::new())
}

fn spent(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let (ack, cookie) = hand.ask(address(1), 5000, Chunk::init(7, 1000, &[]))?;
    let tag = ack.word(0).unwrap_or_default();
    hand.put(address(1), &echo(&cookie, tag));
    let abort = Chunk::with_cause(kind::ABORT, 12, &[]);
    hand.put(address(1), &Packet { chunks: vec![abort], ..echo(&[], tag) });
    hand.events();
    hand.put(address(1), &echo(&cookie, tag));
    opens_nothing(&mut hand, "an association that is over")?;
    Ok(String::new())
}

fn stale_ours(stage: &Stage) -> Outcome {
    let mut hand = Hand::new(stage.backend);
    let (port, init) = hand.be_asked(1)?;
    let tag = init.word(0).unwrap_or_default();
    let from_hand = |chunk| Packet { source: 5000, destination: port, tag, chunks: vec![chunk] };
    let ack = Chunk { kind: kind::INIT_ACK, ..Chunk::init(7, 1000, &parameter(types::COOKIE, b"old")) };
    hand.put(address(1), &from_hand(ack));
    hand.replies();
    hand.put(address(1), &from_hand(Chunk::with_cause(kind::ERROR, 3, &[0, 0, 1, 0])));
    let (_, packet) = hand.reply("an ERROR with a stale cookie")?;
    ensure(packet.find(kind::INIT).is_some(), || format!("the answer is {packet:?}"))?;
    Ok(String::new())
}
