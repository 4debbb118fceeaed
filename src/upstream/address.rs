//! One address of a service: how many calls it has, whether it is healthy, whether it failed lately, and whether it fails
//! so often that it is left alone. Shared by all cores. Knows no connections.

use crate::backoff::jittered;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// How long an address is tried last after it failed.
const PENALTY: Duration = Duration::from_secs(2);
/// An address that fails so many times in a row, over all calls, is left alone.
const FAILURES_MAX: u32 = 5;
/// For so long at first, then for twice as long after each failed trial, up to the cap: a call that seeks a service for the
/// usual time, and more so one that is kept for another service, must not miss one that is back.
const ALONE_FIRST: Duration = Duration::from_millis(500);
const ALONE_CAP: Duration = Duration::from_secs(2);
/// Then one call tries it; another one may when the first has not come back for so long.
const TRIAL: Duration = Duration::from_secs(1);

/// What is known of an address' health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nothing was heard yet, or the server has no health service: taken for healthy.
    Unknown,
    /// The health service says SERVING.
    Serving,
    /// The health service says that it serves nothing, as while draining.
    NotServing,
    /// No connection to it.
    Unreachable,
}

/// An address of a service.
#[derive(Debug)]
pub(super) struct Address {
    socket: SocketAddr,
    active: AtomicUsize,
    health: AtomicU8,
    born: Instant,
    penalised_until_ms: AtomicU64,
    /// In a row.
    failures: AtomicU32,
    alone_until_ms: AtomicU64,
    /// When it was last found to fail too often.
    judged_ms: AtomicU64,
}

impl Address {
    pub(super) fn new(socket: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            socket,
            active: AtomicUsize::new(0),
            health: AtomicU8::new(Health::Unknown as u8),
            born: Instant::now(),
            penalised_until_ms: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            alone_until_ms: AtomicU64::new(0),
            judged_ms: AtomicU64::new(0),
        })
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> SocketAddr {
        self.socket
    }

    /// Calls that it has now, over all cores, those that are being opened included.
    pub(super) fn active(&self) -> usize {
        self.active.load(Relaxed)
    }

    /// The last word on its health.
    pub(super) fn health(&self) -> Health {
        match self.health.load(Relaxed) {
            1 => Health::Serving,
            2 => Health::NotServing,
            3 => Health::Unreachable,
            _ => Health::Unknown,
        }
    }

    /// Whether it failed so lately that others are tried first.
    pub(super) fn is_penalised(&self) -> bool {
        self.age_ms() < self.penalised_until_ms.load(Relaxed)
    }

    pub(super) fn is_healthy(&self) -> bool {
        matches!(self.health(), Health::Unknown | Health::Serving)
    }

    pub(super) fn set_health(&self, health: Health) {
        self.health.store(health as u8, Relaxed);
    }

    /// A call was lost here: for a while others are tried first.
    pub(super) fn avoid(&self) {
        self.penalised_until_ms.store(self.age_ms() + ms(PENALTY), Relaxed);
    }

    /// An attempt that was begun then failed here.
    ///
    /// Those that were under way when the address was found to fail too often tell nothing new: a hundred calls that lose
    /// their service at once would else leave it alone for as long as a hundred trials, and be lost all together.
    pub(super) fn failed(&self, begun: Instant) {
        self.avoid();
        let begun_ms = ms(begun.saturating_duration_since(self.born));
        let judged = self.failures.load(Relaxed) >= FAILURES_MAX;
        if judged && begun_ms <= self.judged_ms.load(Relaxed) {
            return;
        }
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        if let Some(trials) = failures.checked_sub(FAILURES_MAX) {
            let alone = ALONE_FIRST.saturating_mul(1 << trials.min(16)).min(ALONE_CAP);
            let now = self.age_ms();
            self.judged_ms.store(now, Relaxed);
            self.alone_until_ms.store(now + ms(jittered(alone)), Relaxed);
        }
    }

    /// How long it is left alone yet, because it keeps failing; none: it may be tried.
    pub(super) fn alone_for(&self) -> Option<Duration> {
        if self.failures.load(Relaxed) < FAILURES_MAX {
            return None;
        }
        let left = self.alone_until_ms.load(Relaxed).saturating_sub(self.age_ms());
        (left > 0).then(|| Duration::from_millis(left))
    }

    /// Whether this call may try it. Of an address that was left alone one call at a time finds out whether it is back.
    pub(super) fn admits(&self) -> bool {
        if self.failures.load(Relaxed) < FAILURES_MAX {
            return true;
        }
        let (now, until) = (self.age_ms(), self.alone_until_ms.load(Relaxed));
        let trial = now + ms(TRIAL);
        now >= until && self.alone_until_ms.compare_exchange(until, trial, Relaxed, Relaxed).is_ok()
    }

    /// Something answers there again: the next call may try it.
    pub(super) fn is_back(&self) {
        self.alone_until_ms.store(0, Relaxed);
        if self.health() == Health::Unreachable {
            self.set_health(Health::Unknown);
        }
    }

    /// A service took a call here.
    pub(super) fn forgive(&self) {
        self.failures.store(0, Relaxed);
        self.alone_until_ms.store(0, Relaxed);
        self.penalised_until_ms.store(0, Relaxed);
        if self.health() == Health::Unreachable {
            self.set_health(Health::Unknown);
        }
    }

    pub(super) fn begin(self: &Arc<Self>) -> Active {
        self.active.fetch_add(1, Relaxed);
        Active(self.clone())
    }

    fn age_ms(&self) -> u64 {
        ms(self.born.elapsed())
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Counts one call at an address for as long as it lives.
#[derive(Debug)]
pub(super) struct Active(Arc<Address>);

impl Active {
    pub(super) fn address(&self) -> &Arc<Address> {
        &self.0
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_penalty_ends_by_time_or_by_a_call() {
        let address = Address::new(SocketAddr::from(([127, 0, 0, 1], 1)));
        address.failed(Instant::now());
        assert!(address.is_penalised());
        tokio::time::advance(PENALTY).await;
        assert!(!address.is_penalised());
        address.failed(Instant::now());
        address.forgive();
        assert!(!address.is_penalised());
    }

    #[tokio::test(start_paused = true)]
    async fn what_keeps_failing_is_left_alone_and_tried_again_by_one() {
        let address = Address::new(SocketAddr::from(([127, 0, 0, 1], 1)));
        (1..FAILURES_MAX).for_each(|_| address.failed(Instant::now()));
        assert!(address.admits() && address.admits() && address.alone_for().is_none());
        address.failed(Instant::now());
        assert!(!address.admits() && address.alone_for().is_some_and(|left| left <= ALONE_FIRST));
        tokio::time::advance(ALONE_FIRST).await;
        assert!(address.admits(), "one tries it");
        assert!(!address.admits(), "the others wait for what becomes of that");
        address.failed(Instant::now());
        assert!(address.alone_for().is_some_and(|left| left > ALONE_FIRST / 2));
        for _ in 0..40 {
            tokio::time::advance(ALONE_CAP).await;
            address.failed(Instant::now());
        }
        assert!(address.alone_for().is_some_and(|left| left <= ALONE_CAP));
        address.is_back();
        assert!(address.admits() && !address.admits());
        address.forgive();
        assert!(address.admits() && address.admits());
    }

    #[test]
    fn a_call_outlasts_the_longest_time_that_an_address_is_left_alone() {
        let policy = crate::route::Policy::default();
        assert!(ALONE_CAP < policy.retry_for && ALONE_CAP < policy.resume_for);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_that_fail_together_are_no_row_of_trials() {
        let address = Address::new(SocketAddr::from(([127, 0, 0, 1], 1)));
        let begun = Instant::now();
        tokio::time::advance(Duration::from_millis(5)).await;
        (0..200).for_each(|_| address.failed(begun));
        assert!(address.alone_for().is_some_and(|left| left <= ALONE_FIRST));
        tokio::time::advance(ALONE_FIRST).await;
        assert!(address.admits());
        address.failed(Instant::now());
        let left = address.alone_for().expect("the trial failed");
        assert!(left > ALONE_FIRST / 2 && left <= 2 * ALONE_FIRST, "{left:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_never_comes_back_is_not_the_last() {
        let address = Address::new(SocketAddr::from(([127, 0, 0, 1], 1)));
        (0..FAILURES_MAX).for_each(|_| address.failed(Instant::now()));
        tokio::time::advance(ALONE_FIRST).await;
        assert!(address.admits() && !address.admits());
        tokio::time::advance(TRIAL).await;
        assert!(address.admits());
    }

    #[tokio::test]
    async fn a_call_forgives_unreachable_but_not_not_serving() {
        let address = Address::new(SocketAddr::from(([127, 0, 0, 1], 1)));
        address.set_health(Health::Unreachable);
        address.forgive();
        assert!(address.is_healthy());
        address.set_health(Health::NotServing);
        address.forgive();
        assert!(!address.is_healthy());
    }

    #[tokio::test]
    async fn active_counts_while_the_guard_lives() {
        let address = Address::new(SocketAddr::from(([127, 0, 0, 1], 1)));
        let (one, two) = (address.begin(), address.begin());
        drop(one);
        assert_eq!(address.active(), 1);
        drop(two);
        assert_eq!(address.active(), 0);
    }
}
