//! What an element is told: answers to its registration and deregistration, and keep-alives.

use super::context::Context;
use super::interface::Notice;
use super::links::Links;
use super::own::Challenger;
use crate::base::AssociationId;
use crate::handlespace::PeHandle;
use crate::wire::{AsapMessage, CauseCode, ErrorCause, OperationError};

/// The registration is granted. The warning says what was not taken as it was stated.
pub(super) fn grant(
    ctx: &mut Context,
    (to, answers): (AssociationId, u32),
    pe: &PeHandle,
    warning: Option<ErrorCause>,
) {
    let (handle, element, error) = (pe.pool.clone(), pe.element, warning.map(ErrorCause::into));
    let granted = AsapMessage::RegistrationResponse { rejected: false, handle, element, error };
    for _ in 0..answers {
        ctx.send_asap(to, &granted);
    }
}

/// The registration is refused.
pub(super) fn reject(
    ctx: &mut Context,
    links: &Links,
    (to, answers): (AssociationId, u32),
    pe: &PeHandle,
    error: impl Into<OperationError>,
) {
    let error = error.into();
    ctx.counters.registrations_rejected += 1;
    if let (Some(link), Some(cause)) = (links.get(&to), error.causes.last()) {
        let (peer, cause) = (link.peer.clone(), cause.code);
        ctx.outbox.tell(Notice::Rejected { pe: pe.clone(), peer, cause });
    }
    let (handle, element, error) = (pe.pool.clone(), pe.element, Some(error));
    let rejected = AsapMessage::RegistrationResponse { rejected: true, handle, element, error };
    for _ in 0..answers {
        ctx.send_asap(to, &rejected);
    }
}

/// A registration that waited for the owner of its identifier is refused: the owner lives, or has another home,
/// or a newer process wants the identifier.
pub(super) fn refuse_challenger(ctx: &mut Context, links: &mut Links, pe: &PeHandle, refused: Challenger) {
    let Challenger { association, answers, element: _ } = refused;
    links.end_challenge(association, pe);
    let cause = ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER);
    reject(ctx, links, (association, answers), pe, cause);
}

/// The element is not registered, because it asked for that or because we have removed it.
pub(super) fn deregistered(ctx: &mut Context, to: AssociationId, pe: &PeHandle) {
    deregistration(ctx, to, pe, None);
}

/// The deregistration is refused.
pub(super) fn keep_registered(ctx: &mut Context, to: AssociationId, pe: &PeHandle, cause: ErrorCause) {
    ctx.counters.deregistrations_rejected += 1;
    deregistration(ctx, to, pe, Some(cause));
}

fn deregistration(ctx: &mut Context, to: AssociationId, pe: &PeHandle, cause: Option<ErrorCause>) {
    let (handle, element) = (pe.pool.clone(), pe.element);
    let error = cause.map(ErrorCause::into);
    ctx.send_asap(to, &AsapMessage::DeregistrationResponse { handle, element, error });
}

/// Whether a keep-alive tells the element that we are its home from now on (the H flag). An element that has
/// registered with us knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HomeFlag {
    Clear,
    Set,
}

/// Asks an element for a sign of life.
pub(super) fn keep_alive(ctx: &mut Context, to: AssociationId, pe: &PeHandle, home: HomeFlag) {
    ctx.counters.keep_alives += 1;
    let message = AsapMessage::EndpointKeepAlive {
        home: home == HomeFlag::Set,
        registrar: ctx.id,
        handle: pe.pool.clone(),
        element: ctx.config.name_element_in_keep_alive.then_some(pe.element),
    };
    ctx.send_asap(to, &message);
}
