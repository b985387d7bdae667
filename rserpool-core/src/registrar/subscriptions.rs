//! Who wants to hear of changes of a pool (RFC 5352 sections 2.2.5 and 2.2.6, the S and A flags).
//!
//! A change is told at once, and changes that follow within the interval are told together at its end: what a
//! subscriber costs is bounded by that, however often the pool changes. An update says how the pool is, in the order of
//! identifiers. It is no selection: no turn is taken and no load is raised by it.
//!
//! A subscriber that does not read what it is sent costs no more than any other peer: when the transport's queue of
//! control messages is full, its association ends, and its subscriptions with it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::context::{Context, Timer};
use super::listing::Listing;
use super::resolution::{self, Answered};
use crate::base::{AssociationId, Instant, PoolHandle};

/// The most pools to which one association subscribes: a user has sessions with a few.
pub const MAX_SUBSCRIPTIONS_PER_ASSOCIATION: usize = 64;

/// All subscriptions. They end with their associations.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// By pool, because a change concerns one pool.
    of: BTreeMap<PoolHandle, BTreeMap<AssociationId, Subscription>>,
    /// The pools of each association.
    by: BTreeMap<AssociationId, BTreeSet<PoolHandle>>,
    /// How many there are.
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct Subscription {
    /// How many elements its user wants.
    items: Option<u32>,
    /// When its user heard of the pool last.
    told: Instant,
}

impl Subscriptions {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// A user wants to hear of changes of a pool. False if the pool is not listed (section 2.2.5: no subscription begins
    /// then), or if there is no room.
    pub(super) fn subscribe(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        from: AssociationId,
        handle: &PoolHandle,
        items: Option<u32>,
    ) -> bool {
        if listing.pool(handle).is_none() {
            return false;
        }
        let pools = self.by.get(&from);
        let known = pools.is_some_and(|pools| pools.contains(handle));
        let full = self.count >= ctx.config.max_subscriptions
            || pools.is_some_and(|pools| pools.len() >= MAX_SUBSCRIPTIONS_PER_ASSOCIATION);
        if !known && full {
            ctx.counters.subscriptions_refused += 1;
            return false;
        }
        if !known {
            self.count += 1;
            self.by.entry(from).or_default().insert(handle.clone());
            listing.follow(handle);
        }
        // The answer that is on its way says how the pool is.
        ctx.deadlines.clear(&Timer::Subscription(handle.clone(), from));
        let subscription = Subscription { items, told: ctx.now };
        self.of.entry(handle.clone()).or_default().insert(from, subscription);
        true
    }

    /// A user does not want to hear of a pool any more, or there is nothing more to hear.
    pub(super) fn unsubscribe(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        from: AssociationId,
        handle: &PoolHandle,
    ) {
        let Some(pools) = self.by.get_mut(&from).filter(|pools| pools.contains(handle)) else { return };
        pools.remove(handle);
        if pools.is_empty() {
            self.by.remove(&from);
        }
        self.count -= 1;
        ctx.deadlines.clear(&Timer::Subscription(handle.clone(), from));
        if let Some(subscribers) = self.of.get_mut(handle) {
            subscribers.remove(&from);
            if subscribers.is_empty() {
                self.of.remove(handle);
                listing.unfollow(handle);
            }
        }
    }

    /// An association has ended.
    pub(super) fn disconnected(&mut self, ctx: &mut Context, listing: &mut Listing, from: AssociationId) {
        let pools = self.by.get(&from).cloned().unwrap_or_default();
        for handle in &pools {
            self.unsubscribe(ctx, listing, from, handle);
        }
    }

    /// Tells of the pools that have changed, or sets the time when that may be told.
    pub(super) fn tell_changes(&mut self, ctx: &mut Context, listing: &mut Listing) {
        for handle in listing.take_changed() {
            let Some(subscribers) = self.of.get(&handle) else { continue };
            let due: Vec<_> = subscribers
                .iter()
                .map(|(to, subscription)| (*to, subscription.told + ctx.config.subscription_interval))
                .collect();
            for (to, at) in due {
                if at <= ctx.now {
                    self.tell(ctx, listing, &handle, to);
                } else {
                    ctx.deadlines.set(Timer::Subscription(handle.clone(), to), at);
                }
            }
        }
    }

    /// The changes of an interval are told together. A pool that has vanished is told as unknown, and ends its
    /// subscriptions (as one that does not exist begins none, section 2.2.5).
    pub(super) fn tell(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        handle: &PoolHandle,
        to: AssociationId,
    ) {
        let Some(subscription) = self.of.get_mut(handle).and_then(|subscribers| subscribers.get_mut(&to))
        else {
            return;
        };
        subscription.told = ctx.now;
        ctx.counters.subscription_updates += 1;
        ctx.deadlines.clear(&Timer::Subscription(handle.clone(), to));
        if resolution::update(ctx, listing, to, handle, subscription.items) == Answered::UnknownPool {
            self.unsubscribe(ctx, listing, to, handle);
        }
    }

    #[cfg(test)]
    pub(super) fn pools(&self) -> impl Iterator<Item = &PoolHandle> {
        self.of.keys()
    }

    #[cfg(test)]
    pub(super) fn associations(&self) -> impl Iterator<Item = AssociationId> {
        self.by.keys().copied()
    }
}
