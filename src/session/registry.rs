//! The calls that live now: counted, listed, and told to end. Knows nothing of sockets or of what a call does.
//!
//! Every core registers its calls here. The map is split into shards, each behind a lock that is held for one insert or
//! one look-up; what a call reports while it runs goes to its own slot, so that calls never wait for each other.

use super::recorder::Record;
use futures_util::task::AtomicWaker;
use pbjson_types::Timestamp;
use serde::{Serialize, Serializer};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};
use tokio::sync::Notify;
use uuid::Uuid;

/// More shards than cores on any machine we expect: two cores rarely meet at one.
const SHARDS: usize = 64;

/// No silence runs.
const NOT_SILENT: u64 = u64::MAX;

/// Every live call of the process.
#[derive(Debug)]
pub struct Registry {
    shards: Vec<Mutex<HashMap<Uuid, Arc<Slot>>>>,
    active: AtomicUsize,
    /// Orders that every later call gets too.
    standing: AtomicU8,
    emptied: Notify,
}

/// What is known of a call as it is accepted.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Names the call everywhere.
    pub call_id: Uuid,
    /// The name of the route that it begins on.
    pub route: Arc<str>,
    /// The channel's name, as Asterisk has it.
    pub channel: String,
    /// The caller's number; listed only when asked for.
    pub caller_number: String,
    /// When the connection was accepted.
    pub accepted_at: SystemTime,
}

/// What a call is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No service has taken it yet.
    Opening,
    /// No command is at Asterisk.
    Ready,
    /// This command is at Asterisk.
    Command(&'static str),
    /// The caller is gone, and the service may still finish.
    HungUp,
    /// Both sides are being told that it is over.
    Ending,
}

/// What a call is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// An operator wants it ended.
    HangUp,
    /// The bridge is shutting down: end soon, on your own.
    Drain,
    /// The bridge ends now.
    End,
    /// It does not wait any longer.
    Cut,
}

/// A call's own place in the registry; it leaves the list when this is dropped.
#[derive(Debug)]
pub struct Handle {
    registry: Arc<Registry>,
    slot: Arc<Slot>,
}

/// One call of the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Names the call everywhere.
    #[serde(serialize_with = "as_text")]
    pub call_id: Uuid,
    /// The route's name in the configuration.
    pub route: String,
    /// The address of the service that drives it, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The channel's name, as Asterisk has it.
    pub channel: String,
    /// The caller's number, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_number: Option<String>,
    /// `opening`, `ready`, `command`, `hung_up` or `ending`.
    pub state: &'static str,
    /// The command that is at Asterisk, as `GET DATA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<&'static str>,
    /// Commands of the service that were written to Asterisk.
    pub commands: u32,
    /// True once the caller is gone.
    pub hung_up: bool,
    /// How long the caller of the answered channel heard nothing because no command had come, up to now.
    pub dead_air_seconds: f64,
    /// Since when more of it runs, in seconds from the accept; unset while none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since_seconds: Option<f64>,
    /// Since the call was accepted, in whole seconds.
    pub age_seconds: u64,
    /// When the connection was accepted; RFC 3339 in JSON.
    pub accepted_at: Timestamp,
}

/// Whether a list shows who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// Numbers are left out.
    Hidden,
    /// Numbers are shown.
    Shown,
}

/// Which of the live calls are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page<'a> {
    /// Calls before the first one.
    pub offset: usize,
    /// At most so many.
    pub limit: usize,
    /// Only those on this route.
    pub route: Option<&'a str>,
}

/// Why an order reached no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOne {
    /// Nothing matches.
    #[error("no live call has this id")]
    Unknown,
    /// The beginning fits this many calls.
    #[error("{0} live calls have ids that begin so: give more of it")]
    Ambiguous(usize),
}

impl Registry {
    /// An empty one.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            active: AtomicUsize::new(0),
            standing: AtomicU8::new(0),
            emptied: Notify::new(),
        })
    }

    /// Lists a call until the handle is dropped. After [`drain_all`](Self::drain_all) or [`end_all`](Self::end_all) the
    /// new call gets that order too.
    pub fn register(self: &Arc<Self>, entry: Entry) -> Handle {
        let slot = Arc::new(Slot::new(entry));
        self.active.fetch_add(1, Ordering::SeqCst);
        lock(self.shard(slot.entry.call_id)).insert(slot.entry.call_id, Arc::clone(&slot));
        // Read after the insert: an order given meanwhile either finds the slot in its shard or is seen here.
        slot.give(self.standing.load(Ordering::SeqCst));
        Handle { registry: Arc::clone(self), slot }
    }

    /// Every live call, oldest first, without the callers' numbers.
    pub fn list(&self) -> Vec<Summary> {
        self.list_at(SystemTime::now(), Callers::Hidden)
    }

    /// As [`list`](Self::list), with ages as of `now`.
    pub fn list_at(&self, now: SystemTime, callers: Callers) -> Vec<Summary> {
        let mut calls: Vec<_> =
            self.slots().iter().map(|slot| slot.summary(now, callers)).collect();
        calls.sort_by_key(|call| (call.accepted_at.seconds, call.accepted_at.nanos, call.call_id));
        calls
    }

    /// The live call on the channel of this name.
    pub fn on_channel(&self, name: &str) -> Option<Uuid> {
        let slots = self.slots();
        slots.iter().find(|slot| slot.entry.channel == name).map(|slot| slot.entry.call_id)
    }

    /// Tells one call to end; false when no single call is meant. `id` may be the beginning of an id.
    pub fn hang_up(&self, id: &str) -> bool {
        self.hang_up_one(id).is_ok()
    }

    /// As [`hang_up`](Self::hang_up), with the id of the call that was told.
    ///
    /// # Errors
    /// When no call, or more than one, has an id that begins so.
    pub fn hang_up_one(&self, id: &str) -> Result<Uuid, NotOne> {
        let slot = self.find(id)?;
        slot.give(Order::HangUp.bit());
        Ok(slot.entry.call_id)
    }

    /// A page of the live calls, oldest first, of one route or of all; and how many these are in all. Cheap for thousands
    /// of calls: only those of the page are looked at closely.
    pub fn page(
        &self,
        page: &Page<'_>,
        now: SystemTime,
        callers: Callers,
    ) -> (usize, Vec<Summary>) {
        let mut slots = self.slots();
        if let Some(route) = page.route {
            slots.retain(|slot| &*lock(&slot.live).route == route);
        }
        let count = slots.len();
        slots.sort_unstable_by_key(|slot| (slot.entry.accepted_at, slot.entry.call_id));
        let shown = slots.iter().skip(page.offset).take(page.limit);
        (count, shown.map(|slot| slot.summary(now, callers)).collect())
    }

    /// One live call, with where it notes what happens in it, if it does; `id` may be the beginning of an id.
    ///
    /// # Errors
    /// When no call, or more than one, has an id that begins so.
    pub fn get(
        &self,
        id: &str,
        now: SystemTime,
        callers: Callers,
    ) -> Result<(Summary, Option<Arc<Record>>), NotOne> {
        let slot = self.find(id)?;
        Ok((slot.summary(now, callers), slot.record.get().cloned()))
    }

    /// Tells every call, and every later one, that the bridge is shutting down.
    pub fn drain_all(&self) {
        self.give_all(Order::Drain);
    }

    /// Tells every call, and every later one, to end now.
    pub fn end_all(&self) {
        self.give_all(Order::End);
    }

    /// Tells every call, and every later one, that it is over.
    pub fn cut_all(&self) {
        self.give_all(Order::Cut);
    }

    /// How many calls live now.
    pub fn active(&self) -> usize {
        self.active.load(Ordering::SeqCst)
    }

    /// Returns once no call lives; at once if none does.
    pub async fn wait_until_empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            // Enabled before the count is read, so that the last call's end is not missed in between.
            emptied.as_mut().enable();
            if self.active() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn shard(&self, id: Uuid) -> &Mutex<HashMap<Uuid, Arc<Slot>>> {
        // The last byte of a UUIDv7 is random; the first ones are the time.
        &self.shards[usize::from(id.as_bytes()[15]) % SHARDS]
    }

    fn slots(&self) -> Vec<Arc<Slot>> {
        self.shards
            .iter()
            .flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>())
            .collect()
    }

    fn give_all(&self, order: Order) {
        self.standing.fetch_or(order.bit(), Ordering::SeqCst);
        for slot in self.slots() {
            slot.give(order.bit());
        }
    }

    fn find(&self, id: &str) -> Result<Arc<Slot>, NotOne> {
        if let Ok(id) = Uuid::try_parse(id) {
            return lock(self.shard(id)).get(&id).cloned().ok_or(NotOne::Unknown);
        }
        let prefix = id.replace('-', "").to_ascii_lowercase();
        if prefix.is_empty() {
            return Err(NotOne::Unknown);
        }
        let mut found = self.slots();
        found.retain(|slot| slot.entry.call_id.simple().to_string().starts_with(&prefix));
        match (found.pop(), found.len()) {
            (None, _) => Err(NotOne::Unknown),
            (Some(slot), 0) => Ok(slot),
            (Some(_), others) => Err(NotOne::Ambiguous(others + 1)),
        }
    }
}

impl Handle {
    /// The service that drives the call from now on.
    pub fn set_service(&self, endpoint: Arc<str>) {
        lock(&self.slot.live).service = Some(endpoint);
    }

    /// Where the call notes what happens in it.
    pub fn set_record(&self, record: Arc<Record>) {
        let _ = self.slot.record.set(record);
    }

    /// A service handed the call over: it is on this route from now on.
    pub fn set_route(&self, route: Arc<str>) {
        lock(&self.slot.live).route = route;
    }

    /// What the call does from now on.
    pub fn set_state(&self, state: State) {
        if state == State::HungUp {
            self.set_hung_up();
        }
        lock(&self.slot.live).state = state;
    }

    /// The caller is gone, whatever the call is doing.
    pub fn set_hung_up(&self) {
        self.slot.hung_up.store(true, Ordering::Relaxed);
    }

    /// Commands of the service that were written so far.
    pub fn set_commands(&self, count: u32) {
        self.slot.commands.store(count, Ordering::Relaxed);
    }

    /// How long the caller heard nothing for want of a command; and since when more of it runs, counted from the accept.
    pub fn set_dead_air(&self, (total, since): (Duration, Option<Duration>)) {
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        self.slot.dead_air.store(micros(total), Ordering::Relaxed);
        self.slot.silent_since.store(since.map_or(NOT_SILENT, micros), Ordering::Relaxed);
    }

    /// The next order, the most urgent first; each kind comes at most once in a call.
    pub fn poll_orders(&self, cx: &mut Context<'_>) -> Poll<Order> {
        if let Some(order) = self.slot.take_order() {
            return Poll::Ready(order);
        }
        self.slot.waker.register(cx.waker());
        // An order may have come between the first look and the registration.
        self.slot.take_order().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let id = self.slot.entry.call_id;
        lock(self.registry.shard(id)).remove(&id);
        if self.registry.active.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.registry.emptied.notify_waiters();
        }
    }
}

impl Order {
    /// From the most urgent.
    const ALL: [Self; 4] = [Self::Cut, Self::End, Self::HangUp, Self::Drain];

    /// As a call's record has it.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::HangUp => "hangup by an operator",
            Self::Drain => "drain",
            Self::End => "end of the drain",
            Self::Cut => "cut off",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::HangUp => 1,
            Self::Drain => 2,
            Self::End => 4,
            Self::Cut => 8,
        }
    }
}

#[derive(Debug)]
struct Slot {
    entry: Entry,
    live: Mutex<Live>,
    record: OnceLock<Arc<Record>>,
    commands: AtomicU32,
    hung_up: AtomicBool,
    /// In microseconds, up to `silent_since`.
    dead_air: AtomicU64,
    /// In microseconds from the accept, or [`NOT_SILENT`].
    silent_since: AtomicU64,
    /// Bits of the orders given, and of those that the call has taken.
    given: AtomicU8,
    taken: AtomicU8,
    waker: AtomicWaker,
}

#[derive(Debug)]
struct Live {
    state: State,
    service: Option<Arc<str>>,
    route: Arc<str>,
}

impl Slot {
    fn new(entry: Entry) -> Self {
        let route = Arc::clone(&entry.route);
        Self {
            entry,
            live: Mutex::new(Live { state: State::Opening, service: None, route }),
            record: OnceLock::new(),
            commands: AtomicU32::new(0),
            hung_up: AtomicBool::new(false),
            dead_air: AtomicU64::new(0),
            silent_since: AtomicU64::new(NOT_SILENT),
            given: AtomicU8::new(0),
            taken: AtomicU8::new(0),
            waker: AtomicWaker::new(),
        }
    }

    fn give(&self, bits: u8) {
        let before = self.given.fetch_or(bits, Ordering::SeqCst);
        if before | bits != before {
            self.waker.wake();
        }
    }

    fn take_order(&self) -> Option<Order> {
        let given = self.given.load(Ordering::SeqCst);
        // Only the call itself takes orders, so that no one else writes `taken`.
        let taken = self.taken.load(Ordering::Relaxed);
        let order = Order::ALL.into_iter().find(|order| given & !taken & order.bit() != 0)?;
        self.taken.store(taken | order.bit(), Ordering::Relaxed);
        Some(order)
    }

    /// Of a call that is so old; and since when more of it runs.
    fn dead_air(&self, age: Duration) -> (Duration, Option<Duration>) {
        let total = Duration::from_micros(self.dead_air.load(Ordering::Relaxed));
        match self.silent_since.load(Ordering::Relaxed) {
            NOT_SILENT => (total, None),
            since => {
                let since = Duration::from_micros(since);
                (total + age.saturating_sub(since), Some(since))
            }
        }
    }

    fn summary(&self, now: SystemTime, callers: Callers) -> Summary {
        let (state, service, route) = {
            let live = lock(&self.live);
            (live.state, live.service.as_deref().map(str::to_owned), live.route.to_string())
        };
        let hung_up = self.hung_up.load(Ordering::Relaxed);
        let entry = &self.entry;
        let age = now.duration_since(entry.accepted_at).unwrap_or_default();
        let (dead_air, silent_since) = self.dead_air(age);
        Summary {
            call_id: entry.call_id,
            route,
            service,
            channel: entry.channel.clone(),
            caller_number: (callers == Callers::Shown).then(|| entry.caller_number.clone()),
            state: state.text(hung_up),
            command: state.command(),
            commands: self.commands.load(Ordering::Relaxed),
            hung_up,
            dead_air_seconds: dead_air.as_secs_f64(),
            silent_since_seconds: silent_since.map(|since| since.as_secs_f64()),
            age_seconds: age.as_secs(),
            accepted_at: timestamp(entry.accepted_at),
        }
    }
}

impl State {
    const fn text(self, hung_up: bool) -> &'static str {
        match self {
            Self::Ending => "ending",
            Self::Command(_) => "command",
            Self::HungUp => "hung_up",
            Self::Opening | Self::Ready if hung_up => "hung_up",
            Self::Opening => "opening",
            Self::Ready => "ready",
        }
    }

    const fn command(self) -> Option<&'static str> {
        match self {
            Self::Command(name) => Some(name),
            Self::Opening | Self::Ready | Self::HungUp | Self::Ending => None,
        }
    }
}

fn as_text<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).expect("below a billion"),
    }
}

/// No code of ours panics while it holds one of these locks, and the data is whole after each statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
