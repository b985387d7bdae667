//! What a registrar knows of pool elements, in three parts.

use super::config::RegistrarConfig;
use super::context::Context;
use super::former::Former;
use super::listing::Listing;
use super::own::Own;
use crate::handlespace::PeHandle;

/// The parts that most flows about elements need together. Each writes only to itself.
#[derive(Debug)]
pub(super) struct Elements {
    /// All elements of the scope.
    pub(super) listing: Listing,
    /// Those whose home we are. While we serve they are exactly those that the listing has with our
    /// identifier; [`Elements::is_ours`] relies on it.
    pub(super) own: Own,
    /// Those that were ours and could still be asked.
    pub(super) former: Former,
}

impl Elements {
    pub(super) fn new(config: &RegistrarConfig) -> Self {
        Self { listing: Listing::new(config), own: Own::default(), former: Former::default() }
    }

    /// Whether we are the home of an element. While we join, the listing may hold elements of ours from an
    /// earlier life under the same identifier: they become ours when we serve.
    pub(super) fn is_ours(&self, ctx: &Context, pe: &PeHandle) -> bool {
        ctx.is_serving() && self.listing.get(pe).is_some_and(|element| element.home == ctx.id)
    }
}
