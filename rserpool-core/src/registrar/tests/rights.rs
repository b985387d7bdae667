//! Who may do what: the table of RFC 5355 section 3 row by row, and rules.

use super::*;
use crate::endpoint::{Identity, Security};

const ELEMENT: &str = "uri:spiffe://scope/element/echo";
const REGISTRAR: &str = "dns:registrar.example";

fn pattern(text: &str) -> Vec<Pattern> {
    vec![Pattern::new(text)]
}

/// A registrar with rules for elements of one pool, registrars, and an operator.
fn rig() -> Rig {
    let elements = Rule {
        pools: pattern("Echo*"),
        elements: Some(1..=9),
        ..Rule::new("echo elements", pattern("uri:spiffe://scope/element/*"))
    };
    let registrars = Rule { registrar: true, ..Rule::new("registrars", pattern(REGISTRAR)) };
    let operator = Rule { inspector: true, ..Rule::new("operator", pattern("dns:operator.example")) };
    let rights = Rights { rules: vec![elements, registrars, operator], ..Rights::default() };
    Rig::with(|config| config.rights = Some(rights))
}

fn verified(name: &str) -> Security {
    Security::Verified(Identity::new(vec![name.into()]))
}

impl Rig {
    fn connect_as(&mut self, association: AssociationId, udp_port: u16, security: Security) {
        let connected = Connected::new(association, Origin::Peer, ASAP_PORT, peer(udp_port));
        assert_eq!(self.event(Event::Connected(connected.with_security(security))), []);
    }
}

fn security() -> ErrorCause {
    ErrorCause::bare(CauseCode::SECURITY)
}

fn forbidden(
    udp_port: u16,
    security: Security,
    what: &'static str,
    element: Option<u32>,
    rule: Option<&str>,
) -> Notice {
    let (peer, element, rule) = (peer(udp_port).into(), element.map(pe), rule.map(Into::into));
    Notice::Forbidden { peer, security, what, element, rule }
}

/// ASAP-9.3-01, SEC-2.1.3-01, SEC-2.2.3-01, SEC-2.15.3-01, SEC-3-01: an element without TLS, or without a certificate, is
/// refused, and nothing changes.
#[test]
fn an_element_that_proves_nothing_is_refused() {
    for unproved in [Security::Plain, Security::Anonymous] {
        let mut rig = rig();
        rig.connect_as(A, 4001, unproved.clone());
        assert_eq!(rig.asap(A, &registration(1)), [rejected(A, 1, security())]);
        let cause = CauseCode::SECURITY;
        let told = [
            forbidden(4001, unproved.clone(), "register this element", Some(1), None),
            Notice::Rejected { pe: pe(1), peer: peer(4001).into(), cause },
        ];
        assert_eq!(rig.notices(), told);
        assert_eq!(rig.asap(A, &deregistration(1)), [deregistered(A, 1, Some(security().into()))]);
        assert_eq!((rig.elements(), rig.registrar.counters().forbidden), (vec![], 2));
    }
}

/// SEC-2.4.3-01: an identity registers in its pools, with its identifiers, and nowhere else.
#[test]
fn an_element_registers_only_where_it_may() {
    let mut rig = rig();
    rig.connect_as(A, 4001, verified(ELEMENT));
    assert_eq!(rig.asap(A, &registration(1)), [granted(A, 1)]);
    rig.connect_as(B, 4010, verified(ELEMENT));
    assert_eq!(rig.asap(B, &registration(10)), [rejected(B, 10, security())]);
    rig.notices();
    let element = rig.get(1).clone();
    let elsewhere = AsapMessage::Registration { handle: "Other".into(), element };
    rig.asap(A, &elsewhere);
    let other = PeHandle { pool: "Other".into(), element: ElementId(1) };
    let rule = Some("echo elements".into());
    let (peer, what) = (TransportAddress::from(peer(4001)), "register this element");
    let told = Notice::Forbidden { peer, security: verified(ELEMENT), what, element: Some(other), rule };
    assert_eq!(rig.notices()[0], told);
    // Another identity does not deregister it, and does not answer for it.
    rig.connect_as(C, 4003, verified("uri:spiffe://other/element"));
    assert_eq!(rig.asap(C, &deregistration(1)), [deregistered(C, 1, Some(security().into()))]);
    rig.asap(C, &ack(1));
    assert_eq!(rig.elements(), [1]);
}

/// ENRP-6.3-01, SEC-2.15.3-02: whoever is no registrar is told so and expelled, whatever it says.
#[test]
fn only_registrars_are_peers() {
    for stranger in [Security::Plain, Security::Anonymous, verified(ELEMENT)] {
        let mut rig = rig();
        rig.connect_as(A, 4001, stranger);
        let sender = RegistrarId(7);
        let presence = EnrpBody::Presence { reply_required: true, checksum: Some(0), server: None };
        let message = EnrpMessage { sender, receiver: RegistrarId::NONE, body: presence };
        let error = EnrpBody::Error { error: security().into() };
        let error = EnrpMessage { sender: ID, receiver: sender, body: error };
        let bytes = error.encode(Padding::Padded).unwrap();
        let told = Action::Send { association: A, protocol: ProtocolId::ENRP, stream: 0, bytes };
        let aborted = Action::Abort { association: A, cause: AbortCause::User };
        let said = rig.raw(A, ProtocolId::ENRP, message.encode(Padding::Padded).unwrap());
        assert_eq!((said, rig.registrar.peers()), (vec![told, aborted], vec![]));
    }
    let mut rig = rig();
    rig.connect_as(A, 4001, verified(REGISTRAR));
    let presence = EnrpBody::Presence { reply_required: false, checksum: Some(0), server: None };
    let message = EnrpMessage { sender: RegistrarId(7), receiver: RegistrarId::NONE, body: presence };
    rig.raw(A, ProtocolId::ENRP, message.encode(Padding::Padded).unwrap());
    assert_eq!(rig.registrar.peers().len(), 1);
}

/// SEC-3-01: users are answered without TLS, unless that is switched off; they are not believed.
#[test]
fn users_without_tls_are_answered_and_not_believed() {
    let mut rig = rig();
    rig.connect_as(A, 4001, verified(ELEMENT));
    rig.asap(A, &registration(1));
    rig.first_keep_alive(A, 1);
    rig.connect_as(B, 5001, Security::Plain);
    let question = AsapMessage::HandleResolution { handle: POOL.into(), subscribe: false, items: None };
    let answer = AsapMessage::HandleResolutionResponse {
        updates: false,
        handle: POOL.into(),
        policy: Some(Policy::RoundRobin),
        elements: vec![PoolElement { asap_transport: None, ..rig.get(1).clone() }],
        error: None,
    };
    assert_eq!(rig.asap(B, &question), [asap_to(B, &answer)]);
    // Their reports have it asked, and never count.
    for _ in 0..10 {
        rig.asap(B, &unreachable(1));
        let own = rig.registrar.elements.own.get(&pe(1)).unwrap();
        assert_eq!(format!("{:?}", own.reports), "Reports { asked: 0, unasked: 0 }");
    }

    rig.notices();
    let nobody = Rights { plain_users: false, anonymous_users: false, ..Rights::default() };
    rig.registrar.handle_command(rig.now, CommandId(1), Command::UseRights(nobody.into()));
    assert_eq!(rig.registrar.poll_output(), Some(Output::Answer(CommandId(1), Answer::Done)));
    let error = Some(security().into());
    let (handle, policy, elements) = (POOL.into(), None, vec![]);
    let refused = AsapMessage::HandleResolutionResponse { updates: false, handle, policy, elements, error };
    assert_eq!(rig.asap(B, &question), [asap_to(B, &refused)]);
}

/// Counters, peers and the handle table are for those who may read them.
#[test]
fn only_who_may_reads_what_the_registrar_knows() {
    let mut rig = rig();
    let aborted = |association| Action::Abort { association, cause: AbortCause::User };
    rig.connect_as(A, 4001, verified("dns:operator.example"));
    assert!(matches!(rig.raw(A, ProtocolId::MANAGEMENT, COUNTERS_REQUEST)[..], [Action::Send { .. }]));
    assert!(matches!(rig.enrp(A, ID, EnrpBody::ListRequest)[..], [Action::Send { .. }]));
    rig.connect_as(B, 4002, verified(ELEMENT));
    assert_eq!(rig.raw(B, ProtocolId::MANAGEMENT, COUNTERS_REQUEST), [aborted(B)]);
    let table = EnrpBody::HandleTableRequest { own_only: false };
    assert_eq!(rig.enrp(B, ID, table).last(), Some(&aborted(B)));
}
