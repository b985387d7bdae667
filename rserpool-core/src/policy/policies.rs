//! The policies that pools can have: the built-in ones, and those of an application.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::{Ranked, Selection, SelectionPolicy};
use crate::base::Random;
use crate::wire::{Policy, PolicyType};

/// Which elements of an answer count as selected, where the policy adds load degradation for each
/// selection (reading B33).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Counting {
    /// Every element that is listed, as RFC 5356 section 5.2.2 says.
    #[default]
    Listed,
    /// Only the first, which the user will most likely use. RSPLIB counts like this.
    First,
}

/// The policies that pools can have.
///
/// An application adds its own under private numbers. `examples/custom_policy.rs` shows one, in a
/// registrar and in a user.
///
/// ```
/// use rserpool_core::base::Random;
/// use rserpool_core::policy::{Policies, SelectionPolicy, Slot};
/// use rserpool_core::wire::{Policy, PolicyType};
///
/// /// Selects the newest element.
/// #[derive(Debug, Default)]
/// struct Newest(Vec<Slot>);
///
/// impl SelectionPolicy for Newest {
///     fn insert(&mut self, slot: Slot, _: &Policy) {
///         self.remove(slot);
///         self.0.push(slot);
///     }
///     fn remove(&mut self, slot: Slot) {
///         self.0.retain(|other| *other != slot);
///     }
///     fn select(&mut self, _: &mut Random, count: usize, selected: &mut Vec<Slot>) {
///         selected.extend(self.0.iter().rev().take(count));
///     }
/// }
///
/// let mut policies = Policies::default();
/// policies.add(PolicyType(0x8000_0001), Newest::default)?;
/// # Ok::<(), rserpool_core::policy::NotPrivate>(())
/// ```
#[derive(Clone, Default)]
pub struct Policies {
    /// Which elements of an answer count as selected, for the built-in policies.
    pub counting: Counting,
    custom: BTreeMap<PolicyType, Arc<Make>>,
}

type Make = dyn Fn() -> Box<dyn SelectionPolicy> + Send + Sync;

/// The number of an application's policy is not private (RFC 5356 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a private policy number: take one from 0x80000000 to 0xffffffff that has no layout here")]
pub struct NotPrivate(pub PolicyType);

impl Policies {
    /// Adds a policy of the application: `make` is called for each new pool of it.
    ///
    /// # Errors
    /// The number is not for private use (it is below 0x80000000), or it belongs to a built-in policy.
    pub fn add<P: SelectionPolicy + 'static>(
        &mut self,
        kind: PolicyType,
        make: impl Fn() -> P + Send + Sync + 'static,
    ) -> Result<(), NotPrivate> {
        if kind.0 < 0x8000_0000 || PolicyType::KNOWN.contains(&kind) {
            return Err(NotPrivate(kind));
        }
        self.custom.insert(kind, Arc::new(move || Box::new(make())));
        Ok(())
    }

    /// How a registrar selects in a new pool with the policy to which `values` belong; `None` if the policy
    /// is not known.
    pub fn selection(&self, values: &Policy) -> Option<Selection> {
        Selection::built_in(values, self.counting).or_else(|| self.custom(values))
    }

    /// How a pool user selects among the elements that a registrar has listed, to which it adds them in the order
    /// of the list; `None` if it keeps that order, because it does not know the policy.
    ///
    /// It selects as a registrar does (reading B60), and counts what it has selected itself. Its first choice is
    /// the first of the list, except for random policies, which draw every time (POL-4.1.3-01, POL-4.2.3-01:
    /// the list is used from its first entry on; POL-4.3.3-01: each element is drawn; POL-4.5.3-01: the
    /// highest priority first; POL-5.1.3-01: the order given).
    pub(crate) fn selection_of_user(&self, values: &Policy, random: &mut Random) -> Option<Selection> {
        match values {
            Policy::WeightedRoundRobin { .. } => Some(Selection::Ranked(Ranked::in_mid_round(random))),
            _ => Selection::built_in(values, Counting::First).or_else(|| self.custom(values)),
        }
    }

    fn custom(&self, values: &Policy) -> Option<Selection> {
        self.custom.get(&values.kind()).map(|make| Selection::Custom(make()))
    }
}

impl PartialEq for Policies {
    /// Two policies of an application are equal only if one is a clone of the other.
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &Arc<Make>, b: &Arc<Make>| core::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b));
        self.counting == other.counting
            && self.custom.len() == other.custom.len()
            && self.custom.iter().zip(&other.custom).all(|(a, b)| a.0 == b.0 && same(a.1, b.1))
    }
}

impl Eq for Policies {}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let custom: Vec<_> = self.custom.keys().collect();
        f.debug_struct("Policies").field("counting", &self.counting).field("custom", &custom).finish()
    }
}
