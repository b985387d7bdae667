//! What must hold at every step, no matter what is broken; and what registrars have in common at rest.
//!
//! Judges see the world through a [`View`] and change nothing in it. Each has a memory of its own; what
//! several need is in `scope`.

mod agreement;
mod answers;
mod audits;
mod calls;
mod cards;
mod cookies;
mod executions;
mod failovers;
mod failures;
mod homes;
mod listings;
mod messages;
mod openings;
mod removals;
mod reports;
mod scope;
mod tables;
mod takeovers;
mod view;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant, ProtocolId, RegistrarId};
use rserpool_core::endpoint::Channel;
use rserpool_core::handlespace::PeHandle;
use rserpool_core::registrar::{Notice, RemovalReason};
use rserpool_core::wire::{AsapMessage, AsapType, EnrpBody};
use rserpool_core::{element, user};

pub(crate) use agreement::{agreement, checksums_agree};
pub(crate) use scope::settles_within;
pub(crate) use view::View;

use crate::applications::Note;
use crate::fault::Order;
use crate::id::HostId;
use crate::violation::Violation;
use audits::Audits;
use calls::Calls;
use cards::Cards;
use cookies::Cookies;
use executions::Executions;
use failovers::Failovers;
use failures::Failures;
use homes::Homes;
use listings::Listings;
use openings::Openings;
use removals::Removals;
use reports::Reports;
use scope::Scope;
use tables::Tables;
use takeovers::Takeovers;

type Verdict = Result<(), Violation>;

/// All judges of a world.
#[derive(Debug, Default)]
pub(crate) struct Judges {
    scope: Scope,
    takeovers: Takeovers,
    audits: Audits,
    tables: Tables,
    removals: Removals,
    failures: Failures,
    reports: Reports,
    homes: Homes,
    listings: Listings,
    executions: Executions,
    failovers: Failovers,
    openings: Openings,
    cookies: Cookies,
    calls: Calls,
    cards: Cards,
}

impl Judges {
    // Facts

    /// The registrar of a host has started.
    pub(crate) fn started(&mut self, host: HostId, registrar: RegistrarId) {
        self.scope.started(host, registrar);
    }

    /// The process of a host has ended; it was this registrar, if it was one.
    pub(crate) fn ended(&mut self, view: &View<'_>, host: HostId, registrar: Option<RegistrarId>) {
        if let Some(registrar) = registrar {
            self.scope.ended(view.now, registrar);
        }
        self.tables.ended(host);
    }

    /// A host got another address.
    pub(crate) fn moved(&mut self, host: HostId) {
        self.removals.moved(host);
    }

    /// A user was told to do something.
    pub(crate) fn told(&mut self, now: Instant, user: HostId, order: Order) {
        match order {
            Order::Report => {
                self.failures.told_to_report();
                self.reports.told_to_report(now, user);
            }
            Order::Failover => self.executions.told_to_move(now, user),
            Order::Purge => self.openings.purged(user),
            Order::UpdatePolicy | Order::Deregister | Order::Close | Order::Card => {}
        }
    }

    /// Whether a host is at another address than others know.
    pub(crate) fn is_elsewhere(&self, host: HostId) -> bool {
        self.removals.is_elsewhere(host)
    }

    // Verdicts

    /// When [`Judges::look`] is due.
    pub(crate) const fn next_look(&self) -> Instant {
        self.listings.next_look()
    }

    /// Judges look at the world now and then, whether something happens or not.
    pub(crate) fn look(&mut self, view: &View<'_>) -> Verdict {
        self.reports.judge(view)?;
        self.listings.look(view, &self.scope, self.removals.registrations())
    }

    /// A process was handed a message.
    pub(crate) fn heard(&mut self, view: &View<'_>, host: HostId, protocol: ProtocolId, bytes: &Bytes) {
        match protocol {
            ProtocolId::ENRP => {
                let elsewhere = |host| self.removals.is_elsewhere(host);
                self.takeovers.heard(view, elsewhere, host, bytes);
            }
            ProtocolId::ASAP if AsapType::of(bytes) == Some(AsapType::ENDPOINT_UNREACHABLE) => {
                let message = AsapMessage::decode(bytes).map(|decoded| decoded.message);
                if let Ok(AsapMessage::EndpointUnreachable { handle, element }) = message {
                    self.reports.heard(view, host, PeHandle { pool: handle, element });
                }
            }
            ProtocolId::ASAP if AsapType::of(bytes) == Some(AsapType::COOKIE) => {
                self.cookies.heard(host, bytes);
            }
            _ => {}
        }
    }

    /// A process sends a message.
    pub(crate) fn message(
        &mut self,
        view: &View<'_>,
        host: HostId,
        over: AssociationId,
        protocol: ProtocolId,
        bytes: &Bytes,
    ) -> Verdict {
        self.cookies.sent(view, host, over, protocol, bytes)?;
        match protocol {
            ProtocolId::CALL => self.calls.sent(view, host, bytes),
            ProtocolId::ASAP => self.asap(view, host, over, &messages::asap(view, host, bytes)?),
            ProtocolId::ENRP => self.enrp(view, host, over, bytes),
            _ => Ok(()),
        }
    }

    fn asap(&mut self, view: &View<'_>, host: HostId, over: AssociationId, message: &AsapMessage) -> Verdict {
        match message {
            AsapMessage::HandleResolutionResponse { handle, error: Some(_), .. } => {
                let false_reports = self.failures.may_be_false();
                answers::unknown_pool(view, &self.scope, host, handle, false_reports)
            }
            AsapMessage::HandleResolutionResponse { handle, elements, .. } => {
                let elements = elements.iter().map(|element| element.id);
                answers::selected(view, &self.scope, host, handle, elements)
            }
            AsapMessage::Registration { .. } => {
                self.removals.registering(view.now, host);
                self.homes.registering(view, host, over);
                Ok(())
            }
            AsapMessage::EndpointKeepAlive { element, .. } => self.reports.asks(view, host, over, *element),
            AsapMessage::EndpointUnreachable { handle, element } => {
                self.reports.sent(view, host, over, &PeHandle { pool: handle.clone(), element: *element })
            }
            AsapMessage::Error { error } => {
                let detail = format!("{} sent {error:?}", view.name(host));
                Err(Violation::new("no receiver finds fault with a message of ours", detail))
            }
            _ => Ok(()),
        }
    }

    fn enrp(&mut self, view: &View<'_>, host: HostId, over: AssociationId, bytes: &Bytes) -> Verdict {
        let message = messages::enrp(view, host, bytes)?;
        match &message.body {
            EnrpBody::HandleTableRequest { own_only: true } => {
                self.audits.asked(view, &self.scope, host, message.receiver);
                return Ok(());
            }
            EnrpBody::HandleTableResponse { rejected: false, more, pools } => {
                self.tables.page(view, host, over, *more, pools)?;
            }
            _ => {}
        }
        messages::may_say(view, host, &message, bytes)
    }

    /// A process announces itself.
    pub(crate) fn announcement(
        &self,
        view: &View<'_>,
        host: HostId,
        channel: Channel,
        bytes: &Bytes,
    ) -> Verdict {
        messages::announcement(view, host, channel, bytes)
    }

    /// An application was told something.
    pub(crate) fn notice(&mut self, view: &View<'_>, host: HostId, note: &Note) -> Verdict {
        match note {
            Note::Registrar(notice) => self.registrar_notice(view, host, notice),
            Note::Element(element::Notice::Deregistered) => self.removals.judge_expulsion(view, host),
            Note::Element(element::Notice::Registered { .. }) => {
                self.removals.registered(host);
                Ok(())
            }
            Note::Element(element::Notice::CookieEcho { session, .. }) => {
                self.cookies.restored(view, host, *session)
            }
            Note::Element(element::Notice::Received { session, protocol, bytes, .. }) => {
                self.cookies.received(view, host, *session);
                match calls::executed(*protocol, bytes) {
                    Some(request) => self.executions.judge(view, host, *session, request),
                    None => Ok(()),
                }
            }
            Note::ElementAnswer(element::Answer::Deregistered(outcome)) => {
                if outcome.is_ok() {
                    self.listings.left(view, host);
                }
                self.removals.judge_refusal(view, host, outcome)
            }
            Note::UserAnswer(user::Answer::Called(Ok(bytes))) => {
                if let Some(session) = calls::answered(view, host, bytes) {
                    self.failovers.received(view, host, session);
                }
                Ok(())
            }
            Note::UserAnswer(answer) => self.openings.judge(view, &self.scope, host, answer),
            Note::User(user::Notice::ElementFailed { session, element, reason, .. }) => {
                Failures::judge(view, host, *element, reason)?;
                self.cards.failed(view, host, *session, *element);
                self.failovers.judge(view, host, *session, reason)
            }
            Note::User(user::Notice::Received { session, .. }) => {
                self.failovers.received(view, host, *session);
                Ok(())
            }
            Note::User(user::Notice::CookieKept { session, .. }) => {
                self.cookies.kept(view, host, *session);
                Ok(())
            }
            Note::User(user::Notice::PeerCard { session, handle, elements, .. }) => {
                self.cards.kept(view, host, *session, handle, elements.iter().map(|element| element.id));
                Ok(())
            }
            Note::User(user::Notice::FailedOver { session, to, cookie_echoed, .. }) => {
                self.cookies.moved(view, host, *session, *cookie_echoed)?;
                self.cards.moved(view, host, *session, *to)
            }
            Note::User(user::Notice::Closed { session, .. }) => {
                self.cookies.closed(view, host, *session);
                self.cards.closed(view, host, *session);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn registrar_notice(&mut self, view: &View<'_>, host: HostId, notice: &Notice) -> Verdict {
        match notice {
            Notice::Moved { pe, home, .. } => {
                self.audits.moved(view.now);
                self.audits.yielded(view.now, host, *home);
                return self.homes.judge_move(view, host, pe, *home);
            }
            Notice::TakenOver { target, by, .. } => {
                self.audits.moved(view.now);
                if view.registrar(host).is_some_and(|registrar| registrar.id() == *by) {
                    return self.takeovers.won(view, &self.scope, host, *target);
                }
            }
            Notice::PeerFound { peer, .. } => self.scope.met(view.now, host, *peer),
            Notice::PeerLost { peer, .. } => self.takeovers.lost(view.now, host, *peer),
            Notice::Removed { pe, reason, .. } => {
                if matches!(reason, RemovalReason::Silent | RemovalReason::Reported) {
                    self.audits.doubted(view.now);
                }
                self.reports.removed(host, pe);
                return self.removals.judge_removal(view, &self.scope, host, (pe, *reason));
            }
            Notice::Malformed { error, .. } => {
                let detail = format!("{}: {error}", view.name(host));
                return Err(Violation::new("no receiver finds fault with a message of ours", detail));
            }
            _ => {}
        }
        Ok(())
    }

    /// At rest: each resynchronisation had its reason.
    pub(crate) fn judge_audits(&self, view: &View<'_>) -> Verdict {
        self.audits.judge(view)
    }
}
