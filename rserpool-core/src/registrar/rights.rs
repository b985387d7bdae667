//! Who may do what (RFC 5352 section 9.3, RFC 5353 section 6.3, RFC 5355 sections 2 and 3): what an association has
//! proved is held against rules. Nothing is kept here.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::context::Context;
use super::interface::Notice;
use super::links::Links;
use crate::base::{AssociationId, RegistrarId};
use crate::endpoint::{AbortCause, Identity, Security};
use crate::handlespace::PeHandle;
use crate::wire::{CauseCode, EnrpBody, ErrorCause};

/// Who may do what at a registrar. What no rule grants is refused with the cause 0xa, "Rejected due to security
/// considerations".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rights {
    /// What identities may do. If several rules fit an identity, it may do what any of them grants.
    pub rules: Vec<Rule>,
    /// Whether users without TLS are answered (default yes: RFC 5352 section 9.3 lets a registrar do so). What they
    /// report has an element asked, and never counts against it.
    pub plain_users: bool,
    /// Whether users with TLS and without a certificate are answered (default yes).
    pub anonymous_users: bool,
}

impl Default for Rights {
    fn default() -> Self {
        Self { rules: Vec::new(), plain_users: true, anonymous_users: true }
    }
}

/// What some identities may do. Start from [`Rule::new`] and set the fields that grant something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Its name, for the log.
    pub name: String,
    /// Whom it concerns: the names of certificates with their kind, such as `uri:spiffe://scope/element/*`.
    pub identities: Vec<Pattern>,
    /// Whether they are registrars.
    pub registrar: bool,
    /// The pools in which they may register elements.
    pub pools: Vec<Pattern>,
    /// The identifiers of elements that they may register; `None`: any.
    pub elements: Option<RangeInclusive<u32>>,
    /// Whether they are users: they resolve pool handles, and report elements.
    pub user: bool,
    /// Whether they may follow the changes of pools.
    pub watch: bool,
    /// Whether they may read the handle table, the counters and the list of registrars.
    pub inspector: bool,
}

impl Rule {
    /// A rule that grants nothing yet.
    pub fn new(name: impl Into<String>, identities: Vec<Pattern>) -> Self {
        Self {
            name: name.into(),
            identities,
            registrar: false,
            pools: Vec::new(),
            elements: None,
            user: false,
            watch: false,
            inspector: false,
        }
    }

    fn is_about(&self, security: &Security) -> bool {
        let names = security.identity().map(Identity::names).unwrap_or_default();
        names.iter().any(|name| self.identities.iter().any(|pattern| pattern.matches(name.as_bytes())))
    }

    fn grants(&self, right: &Right<'_>) -> bool {
        match right {
            Right::Register(pe) => {
                self.pools.iter().any(|pattern| pattern.matches(pe.pool.as_bytes()))
                    && self.elements.as_ref().is_none_or(|range| range.contains(&pe.element.0))
            }
            Right::Peer => self.registrar,
            // Elements and registrars resolve handles, too.
            Right::Resolve => self.user || self.registrar || !self.pools.is_empty(),
            Right::Watch => self.watch,
            Right::Inspect => self.inspector || self.registrar,
        }
    }
}

/// A text in which a `*` stands for any octets, none included. Everything else stands for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern. Several `*` are permitted.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether the octets are such as the pattern says.
    pub fn matches(&self, octets: &[u8]) -> bool {
        let mut parts = self.0.as_bytes().split(|octet| *octet == b'*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = octets.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            match (0..=rest.len().saturating_sub(part.len())).find(|at| rest[*at..].starts_with(part)) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Right<'a> {
    /// Register or deregister an element, or answer for it.
    Register(&'a PeHandle),
    /// Speak as a registrar.
    Peer,
    /// Resolve a pool handle, or report an element.
    Resolve,
    /// Follow the changes of a pool.
    Watch,
    /// Read the handle table, the counters, or the list of registrars.
    Inspect,
}

impl Right<'_> {
    /// What it is, behind the words "may not".
    const fn words(self) -> &'static str {
        match self {
            Self::Register(_) => "register this element",
            Self::Peer => "speak as a registrar",
            Self::Resolve => "use pools",
            Self::Watch => "follow pools",
            Self::Inspect => "read what the registrar knows",
        }
    }
}

impl Rights {
    /// Whether it may be done; otherwise the name of the rule that comes nearest, if one concerns the identity.
    fn judge(&self, security: &Security, right: Right<'_>) -> Result<(), Option<&str>> {
        let open = match security {
            Security::Plain => self.plain_users,
            Security::Anonymous => self.anonymous_users,
            Security::Verified(_) => false,
        };
        if open && matches!(right, Right::Resolve | Right::Watch) {
            return Ok(());
        }
        let mut nearest = None;
        for rule in self.rules.iter().filter(|rule| rule.is_about(security)) {
            if rule.grants(&right) {
                return Ok(());
            }
            nearest = Some(&*rule.name);
        }
        Err(nearest)
    }
}

/// Whether the peer of an association may do something. If not, that is counted and told.
pub(super) fn permits(ctx: &mut Context, links: &Links, from: AssociationId, right: Right<'_>) -> bool {
    let (Some(rights), Some(link)) = (&ctx.config.rights, links.get(&from)) else { return true };
    let Err(rule) = rights.judge(&link.security, right) else { return true };
    let element = match right {
        Right::Register(pe) => Some(pe.clone()),
        _ => None,
    };
    let notice = Notice::Forbidden {
        peer: link.peer.clone(),
        security: link.security.clone(),
        what: right.words(),
        element,
        rule: rule.map(Into::into),
    };
    ctx.counters.forbidden += 1;
    ctx.outbox.tell(notice);
    false
}

/// What is refused to somebody who may not do it.
pub(super) fn cause() -> ErrorCause {
    ErrorCause::bare(CauseCode::SECURITY)
}

/// Ends an association with somebody who is no registrar: whatever it says would change the handlespace (RFC 5353
/// section 6.3).
pub(super) fn expel(ctx: &mut Context, from: AssociationId, sender: RegistrarId) {
    ctx.counters.errors_sent += 1;
    ctx.send_enrp(from, sender, EnrpBody::Error { error: cause().into() });
    ctx.abort(from, AbortCause::User);
}

/// Whether what is known of an element may be counted against it: not what comes from somebody whom nobody knows.
pub(super) fn counts_reports(ctx: &Context, links: &Links, from: AssociationId) -> bool {
    let is_plain = links.get(&from).is_some_and(|link| link.security == Security::Plain);
    ctx.config.rights.is_none() || !is_plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let fits = |pattern: &str, text: &str| Pattern::new(pattern).matches(text.as_bytes());
        let yes = [
            ("a", "a"),
            ("*", ""),
            ("*", "ab"),
            ("a*", "a"),
            ("a*c", "abc"),
            ("a*b*c", "axbybc"),
            ("*/e", "x/e"),
        ];
        yes.iter().for_each(|(pattern, text)| assert!(fits(pattern, text), "{pattern} {text}"));
        let no = [
            ("a", "ab"),
            ("", "a"),
            ("a*", "ba"),
            ("a*c", "ab"),
            ("ab*ba", "aba"),
            ("a*x*c", "abc"),
            ("*/e", "x/ef"),
        ];
        no.iter().for_each(|(pattern, text)| assert!(!fits(pattern, text), "{pattern} {text}"));
    }
}
