//! Which calls run, how many may, and the way to stop: drain first, release what is left.

use crate::machine::Machine;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// How long calls may go on after a signal to stop, unless set.
pub(crate) const DRAIN: Duration = Duration::from_secs(3600);

/// How far a server or worker is on its way to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Stage {
    #[default]
    Serving,
    Draining,
    Stopping,
}

/// Stops a server or a worker from the program itself, as a signal would.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<watch::Sender<Stage>>);

impl Default for Stopper {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Stage::Serving)))
    }
}

impl Stopper {
    /// No new calls; those that run go on, for up to the `drain_timeout`. As the first SIGTERM or SIGINT.
    pub fn drain(&self) {
        self.advance(Stage::Draining);
    }

    /// Releases the calls that run to other instances, at once. As the second signal.
    pub fn stop(&self) {
        self.advance(Stage::Stopping);
    }

    fn advance(&self, to: Stage) {
        self.0.send_if_modified(|stage| {
            let further = *stage < to;
            *stage = to.max(*stage);
            further
        });
    }

    pub(crate) fn stage(&self) -> Stage {
        *self.0.borrow()
    }

    /// Waits until it is at that stage or further.
    pub(crate) async fn reached(&self, stage: Stage) {
        let mut stages = self.0.subscribe();
        // Its sender is in our hands, so it cannot fail.
        let _open = stages.wait_for(|it| *it >= stage).await;
    }

    /// Has SIGTERM and SIGINT do it, for as long as the future is polled.
    pub(crate) async fn by_signals(&self) -> std::io::Result<()> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if self.stage() == Stage::Serving {
                tracing::info!(
                    "draining: no new calls, those that run go on; a second signal releases them"
                );
                self.drain();
            } else {
                tracing::info!("stopping: calls that run are released to other instances");
                self.stop();
            }
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    running: HashMap<u64, Arc<Machine>>,
}

/// The calls that run.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    inner: Mutex<Inner>,
    count: watch::Sender<usize>,
}

/// A call that runs, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    calls: Arc<Calls>,
    id: u64,
}

impl Calls {
    /// Takes a call in, unless there are `max` already.
    pub(crate) fn enter(
        self: &Arc<Self>,
        machine: &Arc<Machine>,
        max: Option<usize>,
    ) -> Option<Place> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if max.is_some_and(|max| inner.running.len() >= max) {
            return None;
        }
        let id = inner.next;
        inner.next += 1;
        inner.running.insert(id, Arc::clone(machine));
        self.count.send_replace(inner.running.len());
        Some(Place { calls: Arc::clone(self), id })
    }

    /// Waits until there is none.
    pub(crate) async fn none(&self) {
        let mut count = self.count.subscribe();
        let _open = count.wait_for(|it| *it == 0).await;
    }

    /// Lets all of them go to other instances.
    pub(crate) fn release(&self) {
        let running: Vec<_> = {
            let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.running.values().cloned().collect()
        };
        for machine in running {
            machine.release("this instance stops");
        }
    }

    /// Lets calls go on until the drain is over, and releases what is left then.
    pub(crate) async fn drain(&self, stopper: &Stopper, limit: Duration) {
        tokio::select! {
            () = self.none() => return,
            () = tokio::time::sleep(limit) => tracing::warn!("the drain took too long: calls are released"),
            () = stopper.reached(Stage::Stopping) => {}
        }
        self.release();
        // Each handler has its cleanup time, after which it is dropped.
        self.none().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.calls.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.running.remove(&self.id);
        self.calls.count.send_replace(inner.running.len());
    }
}
