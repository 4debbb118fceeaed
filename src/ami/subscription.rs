//! One subscriber's filter and bounded buffer. A subscriber that does not read loses events and is told how many; nobody waits
//! for it. Knows no links.

use super::{
    event::Event,
    hub::{Hub, ServerState},
};
use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// Events that wait for a subscriber: some seconds of a busy Asterisk, and one of a bursting one.
const EVENTS_MAX: usize = 8_192;

/// What these may take in all. They are shared among the subscribers, so this is seldom all used up by each.
const BYTES_MAX: usize = 16 << 20;

/// Which events are wanted. The default: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this Asterisk only.
    pub server: Option<Arc<str>>,
    /// Names in any case; none, or `*` among them: every name.
    pub names: Vec<String>,
    /// Each of these headers must have this value, once at least.
    pub headers: Vec<(String, String)>,
}

/// What a subscriber is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An event that fits the filter.
    Event(Arc<Event>),
    /// So many events came here that there was no room for.
    Missed(u64),
    /// How a link is at first, then each time it is lost or back: events may be missing around it.
    State(ServerState),
}

/// Events from now on, until it is dropped.
#[derive(Debug)]
pub struct Subscription {
    hub: Arc<Hub>,
    mailbox: Arc<Mailbox>,
}

/// What waits for one subscriber.
#[derive(Debug)]
pub(super) struct Mailbox {
    /// One of them must fit.
    filters: Vec<Filter>,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<Item>,
    events: usize,
    bytes: usize,
    /// What found no room behind the items, and is told after them.
    missed: u64,
    states: Vec<ServerState>,
    is_closed: bool,
}

impl Filter {
    /// Whether `event` is wanted.
    pub fn takes(&self, event: &Event) -> bool {
        let named = |name: &String| name == "*" || name.eq_ignore_ascii_case(event.name());
        let has = |(name, value): &(String, String)| {
            event.headers.all(name).any(|found| found == value.as_str())
        };
        self.covers(&event.server)
            && (self.names.is_empty() || self.names.iter().any(named))
            && self.headers.iter().all(has)
    }

    /// Whether events of this Asterisk are wanted at all.
    pub(super) fn covers(&self, server: &str) -> bool {
        self.server.as_deref().is_none_or(|only| only == server)
    }
}

impl Subscription {
    pub(super) fn new(hub: Arc<Hub>, mailbox: Arc<Mailbox>) -> Self {
        Self { hub, mailbox }
    }

    /// What came next; `None`: there will be nothing any more, since the bridge stops. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Item> {
        loop {
            let arrived = self.mailbox.arrived.notified();
            {
                let mut waiting = self.mailbox.lock();
                if let Some(item) = waiting.take() {
                    return Some(item);
                }
                if waiting.is_closed {
                    return None;
                }
            }
            arrived.await;
        }
    }

    /// What is there already.
    pub fn try_next(&mut self) -> Option<Item> {
        self.mailbox.lock().take()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.forget(&self.mailbox);
    }
}

impl Mailbox {
    pub(super) fn new(filters: Vec<Filter>) -> Arc<Self> {
        Arc::new(Self { filters, waiting: Mutex::default(), arrived: Notify::new() })
    }

    /// False: it was wanted, and there is no room for it.
    pub(super) fn event(&self, event: &Arc<Event>, size: usize) -> bool {
        if !self.filters.iter().any(|filter| filter.takes(event)) {
            return true;
        }
        let mut waiting = self.lock();
        if !waiting.has_room(size) {
            waiting.missed += 1;
            return false;
        }
        waiting.catch_up();
        waiting.events += 1;
        waiting.bytes += size;
        waiting.items.push_back(Item::Event(Arc::clone(event)));
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    pub(super) fn state(&self, state: &ServerState) {
        if !self.filters.iter().any(|filter| filter.covers(&state.server)) {
            return;
        }
        let mut waiting = self.lock();
        // Of each link the last state counts, so that a link that comes and goes takes no more room.
        waiting.states.retain(|known| known.server != state.server);
        waiting.states.push(state.clone());
        if waiting.items.len() < EVENTS_MAX {
            waiting.catch_up();
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// A single event that is larger than all the room is taken all the same.
    fn has_room(&self, size: usize) -> bool {
        let fits = self.bytes + size <= BYTES_MAX || self.events == 0;
        fits && self.items.len() < EVENTS_MAX
    }

    /// There is room again: what found none is told in its place.
    fn catch_up(&mut self) {
        if self.missed > 0 {
            self.items.push_back(Item::Missed(mem::take(&mut self.missed)));
        }
        self.items.extend(self.states.drain(..).map(Item::State));
    }

    fn take(&mut self) -> Option<Item> {
        if self.items.is_empty() {
            self.catch_up();
        }
        let item = self.items.pop_front()?;
        if let Item::Event(event) = &item {
            self.events -= 1;
            self.bytes -= event.size();
        }
        Some(item)
    }
}
