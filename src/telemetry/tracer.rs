//! Where spans wait until they leave: a short list for each core, which no other core touches. Knows no exporter.
//!
//! A span that finds its list full is dropped and counted: a call never waits for whoever reads the spans.

use super::{counts::Counts, sampler::Sampler, span::Span};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What calls need to know of tracing, and how many spans may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Which traces are recorded.
    pub sampler: Sampler,
    /// `traceparent` and `tracestate` are read and written.
    pub trace_context: bool,
    /// `baggage` is read and written.
    pub baggage: bool,
    /// Numbers of callers may stand in spans.
    pub caller_numbers: bool,
    /// Spans that may wait in all.
    pub queue_max: usize,
    /// So many on one core are a reason to send them now.
    pub batch_max: usize,
}

/// The tracing of the process.
#[derive(Debug)]
pub struct Tracing {
    rules: Rules,
    cores: Mutex<Vec<Arc<Waiting>>>,
    full: Arc<Notify>,
    counts: Arc<Counts>,
}

/// One core's hand on tracing.
#[derive(Debug)]
pub struct Tracer {
    rules: Rules,
    capacity: usize,
    waiting: Arc<Waiting>,
    full: Arc<Notify>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Waiting(Mutex<Vec<Span>>);

impl Tracing {
    /// Nothing waits yet.
    pub fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            rules,
            cores: Mutex::default(),
            full: Arc::default(),
            counts: Arc::default(),
        })
    }

    /// For one more core of `cores`, which share the room.
    pub fn core(&self, cores: usize) -> Arc<Tracer> {
        let waiting = Arc::<Waiting>::default();
        lock(&self.cores).push(Arc::clone(&waiting));
        Arc::new(Tracer {
            rules: self.rules,
            capacity: (self.rules.queue_max / cores.max(1)).max(1),
            waiting,
            full: Arc::clone(&self.full),
            counts: Arc::clone(&self.counts),
        })
    }

    /// All that waits, core by core.
    pub fn take(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for core in lock(&self.cores).iter() {
            spans.append(&mut core.take());
        }
        spans
    }

    /// Ready once a core has a batch.
    pub async fn is_batch(&self) {
        self.full.notified().await;
    }

    /// What became of spans so far.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }
}

impl Tracer {
    /// A span has ended.
    pub fn record(&self, span: Span) {
        let mut waiting = lock(&self.waiting.0);
        let count = waiting.len() + 1;
        if count > self.capacity {
            drop(waiting);
            self.counts.queue_full();
            return;
        }
        waiting.push(span);
        drop(waiting);
        if count == self.rules.batch_max.min(self.capacity) {
            self.full.notify_one();
        }
    }

    /// What is wanted of spans.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }
}

impl Waiting {
    fn take(&self) -> Vec<Span> {
        std::mem::take(&mut lock(&self.0))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
