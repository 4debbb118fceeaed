//! Who subscribed to events, and how the links are. One lock keeps the order: a state is told between the events that came before
//! it and those that came after it. Knows no sockets.

use super::{
    event::Event,
    subscription::{Filter, Mailbox, Subscription},
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The link to one Asterisk at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerState {
    /// Its name in the configuration.
    pub server: Arc<str>,
    /// Logged in: actions can be sent, and events come.
    pub connected: bool,
    /// As `22.5.1`; empty: not connected, or the user may not ask (`reporting` or `system` in `write` of manager.conf).
    pub version: Arc<str>,
    /// Why it is not connected, and what to do.
    pub detail: Arc<str>,
    /// Where its manager is, while connected.
    pub address: Option<SocketAddr>,
}

/// Where events go.
#[derive(Debug, Default)]
pub(super) struct Hub(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    mailboxes: Vec<Arc<Mailbox>>,
    states: BTreeMap<Arc<str>, ServerState>,
    is_closed: bool,
}

impl ServerState {
    pub(super) fn down(server: &Arc<str>, detail: impl Into<Arc<str>>) -> Self {
        Self {
            server: Arc::clone(server),
            connected: false,
            version: Arc::default(),
            detail: detail.into(),
            address: None,
        }
    }

    pub(super) fn up(server: &Arc<str>, version: impl Into<Arc<str>>, address: SocketAddr) -> Self {
        Self {
            server: Arc::clone(server),
            connected: true,
            version: version.into(),
            detail: Arc::default(),
            address: Some(address),
        }
    }
}

impl Hub {
    pub(super) fn subscribe(self: &Arc<Self>, filters: Vec<Filter>) -> Subscription {
        let mailbox = Mailbox::new(filters);
        let mut inner = self.lock();
        inner.states.values().for_each(|state| mailbox.state(state));
        if inner.is_closed {
            mailbox.close();
        }
        inner.mailboxes.push(Arc::clone(&mailbox));
        drop(inner);
        Subscription::new(Arc::clone(self), mailbox)
    }

    pub(super) fn forget(&self, mailbox: &Arc<Mailbox>) {
        self.lock().mailboxes.retain(|known| !Arc::ptr_eq(known, mailbox));
    }

    /// Gives `event` to whoever wants it. How many of them had no room for it.
    pub(super) fn publish(&self, event: Event) -> usize {
        let inner = self.lock();
        if inner.mailboxes.is_empty() {
            return 0;
        }
        let (size, event) = (event.size(), Arc::new(event));
        inner.mailboxes.iter().filter(|mailbox| !mailbox.event(&event, size)).count()
    }

    /// There is a link more.
    pub(super) fn add(&self, first: ServerState) {
        let mut inner = self.lock();
        inner.mailboxes.iter().for_each(|mailbox| mailbox.state(&first));
        inner.states.insert(Arc::clone(&first.server), first);
    }

    /// A link that was removed has nothing to tell any more.
    pub(super) fn set_state(&self, state: ServerState) {
        let mut inner = self.lock();
        let Some(known) = inner.states.get_mut(&state.server) else { return };
        *known = state.clone();
        inner.mailboxes.iter().for_each(|mailbox| mailbox.state(&state));
    }

    /// There is no such link any more.
    pub(super) fn remove(&self, last: &ServerState) {
        let mut inner = self.lock();
        inner.mailboxes.iter().for_each(|mailbox| mailbox.state(last));
        inner.states.remove(&last.server);
    }

    pub(super) fn states(&self) -> Vec<ServerState> {
        self.lock().states.values().cloned().collect()
    }

    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        inner.mailboxes.iter().for_each(|mailbox| mailbox.close());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
