//! A registrar's knowledge of pool elements, in four parts.

use super::config::RegistrarConfig;
use super::foreign::Foreign;
use super::former::Former;
use super::listing::Listing;
use super::own::Own;

/// The parts that most flows about elements need together. Each writes only to itself.
#[derive(Debug)]
pub(super) struct Elements {
    /// All elements of the scope.
    pub(super) listing: Listing,
    /// Those whose home we are. While we serve they are exactly those that the listing has with our
    /// identifier.
    pub(super) own: Own,
    /// Those that were ours and could still be asked.
    pub(super) former: Former,
    /// Those of other homes that we ask whether they live.
    pub(super) foreign: Foreign,
}

impl Elements {
    pub(super) fn new(config: &RegistrarConfig) -> Self {
        Self {
            listing: Listing::new(config),
            own: Own::default(),
            former: Former::default(),
            foreign: Foreign::default(),
        }
    }
}
