//! One address of a service: how many calls it has, whether it is healthy, whether it failed lately.
//! Shared by all cores. Knows no connections.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// How long an address is tried last after it failed.
const PENALTY: Duration = Duration::from_secs(2);

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
}

impl Address {
    pub(super) fn new(socket: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            socket,
            active: AtomicUsize::new(0),
            health: AtomicU8::new(Health::Unknown as u8),
            born: Instant::now(),
            penalised_until_ms: AtomicU64::new(0),
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

    pub(super) fn penalise(&self) {
        let penalty = u64::try_from(PENALTY.as_millis()).unwrap_or(u64::MAX);
        self.penalised_until_ms.store(self.age_ms() + penalty, Relaxed);
    }

    /// A service took a call here.
    pub(super) fn forgive(&self) {
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
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
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
        address.penalise();
        assert!(address.is_penalised());
        tokio::time::advance(PENALTY).await;
        assert!(!address.is_penalised());
        address.penalise();
        address.forgive();
        assert!(!address.is_penalised());
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
