//! Everything that the functions of the handles and builders take or return can be named with this crate alone.

use std::net::SocketAddr;
use std::time::Duration;

use rserpool_tokio::{
    AnnounceGroup, AssociationId, Builder, Bytes, ConfigError, Configuration, Delivery, DeregistrationError,
    DownReason, ElementConfig, ElementEvent, ElementId, ElementStatus, Ended, EnrpConfig, FailureReason,
    Figures, HuntConfig, IdentifierTaken, InspectError, Inspector, InspectorConfig, Limits, ListedElement,
    OperationError, Panicked, PeerState, PeerStatus, Policies, Policy, PoolElement, PoolEntry, PoolHandle,
    PoolUser, Preset, ProtocolId, Refusal, Registrar, RegistrarConfig, RegistrarId, RegistrationError,
    RequestId, Resolution, SctpAddress, SctpConfig, ServerInformation, Session, SessionEvent, Snapshot,
    StartError, Stopped, TcpConfig, TcpListening, Tokio, TransportAddress, UpdateError, UserConfig,
    UserError, UserEvent,
};

/// Never called: that it compiles is the test.
#[expect(dead_code, reason = "its signatures are what is tested")]
mod named {
    use super::*;

    fn prepared<C: Configuration>(builder: Builder<Tokio, C>) -> Result<(), StartError> {
        builder
            .preset(Preset::Fast)
            .announce_group(AnnounceGroup::Standard)
            .configure_sctp(|_: &mut SctpConfig| ())
            .configure_tcp(|_: &mut TcpConfig| ())
            .check()
    }

    fn configured(
        registrar: &mut RegistrarConfig,
        element: &mut ElementConfig,
        user: &mut UserConfig,
        inspector: &mut InspectorConfig,
    ) -> Result<(), ConfigError> {
        let _: (&mut EnrpConfig, &mut Limits, &mut Policies) =
            (&mut registrar.enrp, &mut registrar.limits, &mut registrar.policies);
        let _: (&mut HuntConfig<SctpAddress>, &mut Policy) = (&mut element.hunt, &mut element.policy);
        let _: Option<&TransportAddress> = user.hunt.registrars.first();
        registrar.check()?;
        inspector.check()
    }

    async fn registrar(
        builder: Builder<Tokio, RegistrarConfig>,
        id: RegistrarId,
    ) -> Result<Registrar, StartError> {
        let registrar: Registrar = builder.id(id).tcp(TcpListening::No).start().await?;
        let _: Result<Vec<PoolEntry>, Stopped> = registrar.pools().await;
        let _: Result<Figures, Stopped> = registrar.counters().await;
        let peers: Result<Vec<PeerStatus>, Stopped> = registrar.peers().await;
        let _: Option<PeerState> = peers.ok().and_then(|peers| peers.first().map(|peer| peer.state));
        if let Err(Ended::IdentifierTaken(taken)) = registrar.ended().await {
            let _: IdentifierTaken = taken;
        }
        Ok(registrar)
    }

    async fn element(handle: PoolHandle, session: AssociationId, bytes: Bytes) -> Result<(), StartError> {
        let element: PoolElement = PoolElement::builder(handle).start().await?;
        let _: ElementId = element.id();
        match element.next_event().await {
            Some(ElementEvent::RegistrationFailed(RegistrationError::Rejected(error))) => {
                let _: Option<OperationError> = error;
            }
            Some(ElementEvent::SessionClosed { reason, .. }) => {
                let _: DownReason = reason;
            }
            _ => {}
        }
        let _: Result<(), Refusal> = element.send(session, ProtocolId(0), bytes).await;
        let _: Result<(), UpdateError> = element.update_policy(Policy::RoundRobin).await;
        let _: Option<ElementStatus> = element.status().await;
        let _: Result<(), DeregistrationError> = element.deregister().await;
        Ok(())
    }

    async fn user(pool: PoolHandle, id: ElementId, bytes: Bytes) -> Result<(), UserError> {
        let Ok(user): Result<PoolUser, StartError> = PoolUser::builder().start().await else { return Ok(()) };
        let _: Option<UserEvent> = user.next_event().await;
        let _: Result<(), Panicked> = user.ended().await;
        let resolution: Resolution = user.resolve(pool.clone()).await?;
        let _: Option<&ListedElement> = resolution.elements.first();
        user.report_unreachable(pool.clone(), id).await?;
        let session: Session = user.connect(pool).await?;
        let request: Result<RequestId, Refusal> = session.request(ProtocolId(0), bytes.clone()).await;
        let delivery = request.map_or(Delivery::Once, Delivery::Report);
        let _: Result<(), Refusal> = session.send(ProtocolId(0), bytes, delivery).await;
        match session.next_event().await {
            Some(SessionEvent::ElementFailed { reason, .. }) => {
                let _: FailureReason = reason;
            }
            Some(SessionEvent::FailedOver { peer, .. }) => {
                let _: TransportAddress = peer;
            }
            _ => {}
        }
        user.shutdown(Duration::ZERO).await;
        Ok(())
    }

    async fn inspector(at: SocketAddr) -> Result<Option<ServerInformation>, InspectError> {
        let Ok(inspector): Result<Inspector, StartError> = Inspector::builder(at).start().await else {
            return Ok(None);
        };
        let _: Vec<(String, u64)> = inspector.counters().await?;
        let snapshot: Snapshot = inspector.handlespace().await?;
        Ok(snapshot.peers.into_iter().next())
    }
}
