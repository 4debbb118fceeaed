//! Which event belongs to which attempt: one subscription for all of them. Knows not what an event means.

use crate::ami::{Event, Filter, Item, Links, Subscription};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;

/// The events that tell what becomes of a call.
const NAMES: [&str; 6] =
    ["Newchannel", "Newstate", "DialBegin", "DialEnd", "Hangup", "OriginateResponse"];

/// Signals that wait for one attempt. A call has a dozen of these events.
const SIGNALS_MAX: usize = 256;

/// What an attempt is told.
#[derive(Debug)]
pub(super) enum Signal {
    /// Of its channel.
    Event(Arc<Event>),
    /// Events may be missing from now on.
    Lost,
    /// They come again.
    Restored,
}

#[derive(Debug, Default)]
pub(super) struct Dispatch(Mutex<HashMap<String, Attempt>>);

#[derive(Debug)]
struct Attempt {
    server: Arc<str>,
    signals: mpsc::Sender<Signal>,
}

/// The events of one channel, until it is dropped.
#[derive(Debug)]
pub(super) struct Signals {
    dispatch: Arc<Dispatch>,
    channel: String,
    signals: mpsc::Receiver<Signal>,
}

impl Dispatch {
    pub(super) fn start(links: &Links) -> Arc<Self> {
        let names = NAMES.map(str::to_owned).to_vec();
        let subscription = links.subscribe(Filter { names, ..Filter::default() });
        let dispatch = Arc::new(Self::default());
        tokio::spawn(Arc::clone(&dispatch).run(subscription));
        dispatch
    }

    /// From now on, for the channel with this id.
    pub(super) fn follow(self: &Arc<Self>, server: &Arc<str>, channel: &str) -> Signals {
        let (sender, signals) = mpsc::channel(SIGNALS_MAX);
        let attempt = Attempt { server: Arc::clone(server), signals: sender };
        self.lock().insert(channel.to_owned(), attempt);
        Signals { dispatch: Arc::clone(self), channel: channel.to_owned(), signals }
    }

    async fn run(self: Arc<Self>, mut subscription: Subscription) {
        while let Some(item) = subscription.next().await {
            match item {
                Item::Event(event) => self.event(event),
                Item::Missed(_) => self.all(|_| true, &[|| Signal::Lost, || Signal::Restored]),
                Item::State(state) => {
                    let signal: fn() -> Signal =
                        if state.connected { || Signal::Restored } else { || Signal::Lost };
                    self.all(|attempt| attempt.server == state.server, &[signal]);
                }
            }
        }
        self.lock().clear();
    }

    fn event(&self, event: Arc<Event>) {
        let mut attempts = self.lock();
        // In the events of a dial, `Uniqueid` is whoever calls.
        let id = if event.name().starts_with("Dial") { "DestUniqueid" } else { "Uniqueid" };
        let Some(channel) = event.headers.get(id).map(str::to_owned) else { return };
        let Some(attempt) = attempts.get(&channel) else { return };
        // One that does not follow is told by the end of its signals that they are not all there.
        if attempt.server == event.server && attempt.signals.try_send(Signal::Event(event)).is_err()
        {
            attempts.remove(&channel);
        }
    }

    fn all(&self, concerned: impl Fn(&Attempt) -> bool, signals: &[fn() -> Signal]) {
        self.lock().retain(|_, attempt| {
            !concerned(attempt)
                || signals.iter().all(|signal| attempt.signals.try_send(signal()).is_ok())
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Attempt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signals {
    /// The next one; `None`: none will come any more, and some may be missing.
    pub(super) async fn next(&mut self) -> Option<Signal> {
        self.signals.recv().await
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.dispatch.lock().remove(&self.channel);
    }
}
