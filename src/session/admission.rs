//! Who is let in: how many connections and calls there are, of whom and on which route, and how fast they come. Touched when a
//! connection begins and ends, and never for a command. Knows nothing of sockets or of what a call does.
//!
//! Counts are atomics that all cores share, so they are right whichever core a call is on. A counter is added to first and
//! looked at then: two cores never both take the last place.

mod rate;

use super::Rules;
use crate::{route::Route, telemetry::metrics::Rejection};
use rate::Rate;
use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash, RandomState},
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Half-open connections cost little, but not nothing: beyond so many, new ones are closed at once.
const PENDING_MAX: usize = 8192;
/// More shards than cores on any machine we expect.
const SHARDS: usize = 16;
/// Of one shard: entries that are in use, or were within the last second. Beyond that a stranger is turned away.
const ENTRIES_MAX: usize = 4096;

/// What is counted, over all cores.
#[derive(Debug)]
pub struct Admission {
    began: Instant,
    pending: AtomicUsize,
    rate: Rate,
    peers: Uses<IpAddr>,
    routes: Uses<Arc<str>>,
}

/// What one peer, or one route, takes up.
#[derive(Debug, Default)]
struct Use {
    /// Connections that are no call yet, or never will be.
    pending: AtomicUsize,
    calls: AtomicUsize,
    rate: Rate,
}

/// A limit that would be exceeded, in words that name its key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) rejection: Rejection,
    pub(super) detail: String,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            pending: AtomicUsize::new(0),
            rate: Rate::default(),
            peers: Uses::default(),
            routes: Uses::default(),
        }
    }
}

impl Admission {
    /// Room for one more connection of `peer`; `None` when there is none.
    ///
    /// A peer may hold as many as it leaves free: alone half of all, and however many peers hold all they may, others still
    /// get in.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Pending> {
        let own = self.peers.get(&peer.to_canonical(), self.began.elapsed())?;
        let before = self.pending.fetch_add(1, Ordering::Relaxed);
        let own_before = own.pending.fetch_add(1, Ordering::Relaxed);
        let pending = Pending { peer: own, all: Arc::clone(self) };
        (own_before < PENDING_MAX.saturating_sub(before)).then_some(pending)
    }

    /// Counts a call of that peer on this route, or says which limit forbids it.
    pub(super) fn admit(
        &self,
        pending: &Pending,
        rules: &Rules,
        route: &Route,
    ) -> Result<Admitted, Over> {
        let now = self.began.elapsed();
        let policy = &route.policy;
        let name = &route.name;
        let over = |rejection, detail| Err(Over { rejection, detail });
        let Some(on_route) = self.routes.get(name, now) else {
            return over(Rejection::RouteLimit, "too many routes are in use".to_owned());
        };
        let admitted = Admitted {
            peer: Counted::one_more(Arc::clone(&pending.peer)),
            route: Counted::one_more(on_route),
        };
        let is_over = |count: usize, max: Option<usize>| max.filter(|max| count > *max);
        if let Some(max) = is_over(admitted.peer.count, rules.max_calls_per_peer) {
            let detail = format!(
                "{max} calls of this peer are running, as many as agi.max_calls_per_peer allows"
            );
            return over(Rejection::PeerLimit, detail);
        }
        if let Some(max) = is_over(admitted.route.count, policy.max_calls) {
            let detail = format!(
                "{max} calls are running on the route {name}, as many as its max_calls allows"
            );
            return over(Rejection::RouteLimit, detail);
        }
        // From the narrowest, so that what is turned away for one takes little from the others.
        let is_too_fast = |rate: &Rate, per_second: Option<u32>| {
            per_second.filter(|per_second| !rate.take(*per_second, now))
        };
        if let Some(rate) = is_too_fast(&admitted.peer.of.rate, rules.calls_per_second_per_peer) {
            let detail = format!(
                "this peer makes more than {rate} calls a second, which agi.calls_per_second_per_peer allows"
            );
            return over(Rejection::PeerRateLimit, detail);
        }
        if let Some(rate) = is_too_fast(&admitted.route.of.rate, policy.calls_per_second) {
            let detail = format!(
                "more than {rate} calls a second come to the route {name}, which its calls_per_second allows"
            );
            return over(Rejection::RouteRateLimit, detail);
        }
        if let Some(rate) = is_too_fast(&self.rate, rules.calls_per_second) {
            let detail =
                format!("more than {rate} calls a second come, which agi.calls_per_second allows");
            return over(Rejection::RateLimit, detail);
        }
        Ok(admitted)
    }
}

/// A connection that is no call yet; counted until it is dropped.
#[derive(Debug)]
pub struct Pending {
    peer: Arc<Use>,
    all: Arc<Admission>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.peer.pending.fetch_sub(1, Ordering::Relaxed);
        self.all.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call; counted until it is dropped, for the peer and the route that it came by.
#[derive(Debug)]
pub(super) struct Admitted {
    peer: Counted,
    route: Counted,
}

#[derive(Debug)]
struct Counted {
    of: Arc<Use>,
    /// With this one.
    count: usize,
}

impl Counted {
    fn one_more(of: Arc<Use>) -> Self {
        let count = of.calls.fetch_add(1, Ordering::Relaxed) + 1;
        Self { of, count }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.of.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Entries by key. One that nobody uses goes when its shard is full: addresses come and go, and the memory does not grow.
#[derive(Debug)]
struct Uses<K> {
    hasher: RandomState,
    shards: [Mutex<HashMap<K, Arc<Use>>>; SHARDS],
}

impl<K> Default for Uses<K> {
    fn default() -> Self {
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl<K: Clone + Eq + Hash> Uses<K> {
    /// `None` when too many others are in use.
    fn get(&self, key: &K, now: Duration) -> Option<Arc<Use>> {
        let hash = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        let mut shard = self.shards[hash].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = shard.get(key) {
            return Some(Arc::clone(found));
        }
        if shard.len() == shard.capacity() || shard.len() >= ENTRIES_MAX {
            shard.retain(|_, entry| Arc::strong_count(entry) > 1 || entry.rate.is_used(now));
        }
        if shard.len() >= ENTRIES_MAX {
            return None;
        }
        Some(Arc::clone(shard.entry(key.clone()).or_default()))
    }
}

#[cfg(test)]
mod tests;
