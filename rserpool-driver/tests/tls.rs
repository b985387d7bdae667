//! A pool over TLS, with rights, and strangers who knock.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::thread;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use rserpool_blocking::{ElementEvent, PoolElement, PoolUser, Preset, ProtocolId, Registrar, Wait};
use rserpool_core::registrar::{Pattern, Rights, Rule};
use rserpool_driver::tls::{Credentials, ServerNames, Settings};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn user(&self) -> Credentials {
        Credentials::of_user(self.0.pem().as_bytes()).unwrap()
    }

    /// A certificate for loopback and this name.
    fn certified(&self, name: &str) -> Credentials {
        let mut params = CertificateParams::default();
        let address = SanType::IpAddress("127.0.0.1".parse().unwrap());
        params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap()), address];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let (chain, key) = (certificate.pem(), key.serialize_pem());
        self.user().with_certificate(chain.as_bytes(), key.as_bytes()).unwrap()
    }
}

/// SEC-2.7.3-01, ASAP-9.2-06: registrars, elements and users speak TLS; who has no certificate may ask, and not register. A
/// user that finds a registrar of another authority takes another one.
#[test]
fn a_scope_over_tls() {
    let loopback = "127.0.0.1:0".parse().unwrap();
    let authority = Authority::new();
    let mut rights = Rights::default();
    let mut elements = Rule::new("elements", vec![Pattern::new("dns:element.example")]);
    elements.pools = vec![Pattern::new("EchoPool")];
    let mut registrars = Rule::new("registrars", vec![Pattern::new("dns:registrar.example")]);
    registrars.registrar = true;
    rights.rules = vec![elements, registrars];
    let any = || {
        let mut settings = Settings::default();
        settings.server_names = ServerNames::Any;
        settings
    };

    let registrar = |peer: Option<std::net::SocketAddr>| {
        let builder = Registrar::builder().bind(loopback).preset(Preset::Fast);
        let rights = rights.clone();
        let builder = builder.configure(move |config| config.rights = Some(rights));
        let builder = match peer {
            Some(peer) => builder.peer(peer),
            None => builder,
        };
        let tls = builder.tls(any(), authority.certified("registrar.example")).unwrap();
        builder.secured_by(&tls).start().wait().unwrap()
    };
    let first = registrar(None);
    let second = registrar(Some(first.local_addr()));

    let element = |credentials: Credentials| {
        let builder = PoolElement::builder("EchoPool").registrar(first.local_addr());
        let builder = builder.bind(loopback).preset(Preset::Fast);
        let tls = builder.tls(Settings::default(), credentials).unwrap();
        builder.secured_by(&tls).start().wait().unwrap()
    };
    let echo = element(authority.certified("element.example"));
    let server = echo.clone();
    thread::spawn(move || server.serve(|call| async move { call.bytes }).wait());
    echo.registered().wait().unwrap();

    // One with another name, and one with none.
    for credentials in [authority.certified("other.example"), authority.user()] {
        let stranger = element(credentials);
        let refused = std::iter::from_fn(|| stranger.next_event().wait())
            .find(|event| matches!(event, ElementEvent::RegistrationFailed(_)));
        assert!(refused.is_some());
    }

    let builder = Registrar::builder().bind(loopback).preset(Preset::Fast);
    let tls = builder.tls(any(), Authority::new().certified("registrar.example")).unwrap();
    let impostor = builder.secured_by(&tls).start().wait().unwrap();

    // The user asks the other registrar, which knows the element from its peer.
    let builder = PoolUser::builder()
        .registrar(impostor.local_addr())
        .registrar(second.local_addr())
        .bind(loopback)
        .preset(Preset::Fast);
    let tls = builder.tls(Settings::default(), authority.user()).unwrap();
    let user = builder.secured_by(&tls).start().wait().unwrap();
    let session = user.connect("EchoPool").wait_for_pool(Duration::from_secs(10)).wait().unwrap();
    let answer = session.call(ProtocolId(0), "hello").wait().unwrap();
    assert_eq!(&answer[..], b"hello");
    let figures = first.counters().wait().unwrap();
    assert!(figures.counters.forbidden >= 2, "{figures:?}");
    let pools = second.pools().wait().unwrap();
    assert_eq!((pools.len(), pools[0].elements.len()), (1, 1));
}
