//! The connections of one core to the addresses of services. Knows limits, and no order of addresses.

use super::connection::{self, Connection, Keepalive, Slot};
use crate::{
    route::{Remote, Service},
    upstream::{address::Address, error::AttemptError},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync;

/// All connections of a core.
#[derive(Default)]
pub(in crate::upstream) struct Pools(Mutex<Vec<Arc<Pool>>>);

/// The connections of a core to one address, with one set of limits.
pub(super) struct Pool {
    address: Arc<Address>,
    service: Arc<Service>,
    remote: Remote,
    connections: Mutex<Vec<Arc<Connection>>>,
    // One is made at a time, so that a burst of calls shares it instead of making one each.
    connecting: sync::Mutex<()>,
}

impl Pools {
    /// The connections to `address` with the limits of `service`.
    pub(super) fn of(
        &self,
        address: &Arc<Address>,
        service: &Arc<Service>,
        remote: &Remote,
    ) -> Arc<Pool> {
        let mut pools = lock(&self.0);
        if let Some(pool) = pools.iter().find(|pool| pool.fits(address, service)) {
            return pool.clone();
        }
        // A good moment to forget addresses that are gone.
        pools.retain(|pool| Arc::strong_count(pool) > 1 || !lock(&pool.connections).is_empty());
        let pool = Arc::new(Pool {
            address: address.clone(),
            service: service.clone(),
            remote: remote.clone(),
            connections: Mutex::default(),
            connecting: sync::Mutex::default(),
        });
        pools.push(pool.clone());
        pool
    }

    /// Connections that take calls now.
    pub(in crate::upstream) fn connections(&self) -> usize {
        let open =
            |pool: &Arc<Pool>| lock(&pool.connections).iter().filter(|c| c.is_open()).count();
        lock(&self.0).iter().map(open).sum()
    }
}

impl Pool {
    /// A place on a connection that is there already.
    pub(super) fn slot(&self) -> Option<Slot> {
        let mut connections = lock(&self.connections);
        connections.retain(|connection| {
            let open = connection.is_open();
            if !open {
                connection.retire();
            }
            open
        });
        let limit = self.service.max_streams_per_connection;
        connections.iter().find(|c| c.has_room(limit)).map(Connection::begin)
    }

    /// A place on a new connection, or on one that somebody else made meanwhile.
    pub(super) async fn connect(self: &Arc<Self>) -> Result<Slot, AttemptError> {
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(slot) = self.slot() {
            return Ok(slot);
        }
        let keepalive = Keepalive {
            interval: self.service.keepalive_interval,
            timeout: self.service.keepalive_timeout,
        };
        let pool: Weak<Self> = Arc::downgrade(self);
        let closed = move |connection: &Arc<Connection>| {
            if let Some(pool) = pool.upgrade() {
                pool.remove(connection);
            }
        };
        let socket = self.address.socket();
        let made = connection::connect(socket, &self.remote, Some(keepalive), closed).await?;
        lock(&self.connections).push(made.clone());
        self.slot().ok_or_else(|| {
            // Nobody can use it, and the next call would make another one beside it.
            self.remove(&made);
            AttemptError::Http2("the service permits no streams".into())
        })
    }

    /// No more calls on `connection`.
    pub(super) fn remove(&self, connection: &Arc<Connection>) {
        let mut connections = lock(&self.connections);
        connection.retire();
        connections.retain(|known| !Arc::ptr_eq(known, connection));
    }

    fn fits(&self, address: &Arc<Address>, service: &Service) -> bool {
        let own = &self.service;
        Arc::ptr_eq(&self.address, address)
            && own.max_streams_per_connection == service.max_streams_per_connection
            && own.keepalive_interval == service.keepalive_interval
            && own.keepalive_timeout == service.keepalive_timeout
    }
}

/// Nothing panics while these are held; were it so, the list is still sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
