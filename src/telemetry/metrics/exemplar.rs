//! Exemplars: for each bucket of a histogram, one value of late and the trace that it comes from. Knows nothing of how
//! traces are recorded.

use crate::telemetry::trace::TraceId;
use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::SystemTime,
};

/// A value and its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::telemetry) struct Exemplar {
    pub(in crate::telemetry) trace: TraceId,
    /// In microseconds, as the histogram has it.
    pub(in crate::telemetry) value: u64,
    pub(in crate::telemetry) at: SystemTime,
}

/// The last one of each bucket. Takes no memory until there is one.
#[derive(Debug, Default)]
pub(super) struct Exemplars(OnceLock<Box<[Slot]>>);

/// Written by one core; contended only while a page is made.
type Slot = Mutex<Option<Exemplar>>;

impl Exemplars {
    /// Remembers `exemplar` for a bucket, one of `buckets`.
    pub(super) fn keep(&self, (bucket, buckets): (usize, usize), exemplar: Exemplar) {
        let slots = self.0.get_or_init(|| (0..buckets).map(|_| Mutex::default()).collect());
        // Whoever makes a page has this slot: the next value will do as well.
        if let Ok(mut slot) = slots[bucket].try_lock() {
            *slot = Some(exemplar);
        }
    }

    /// One place for each bucket; none at all before the first exemplar.
    pub(super) fn all(&self) -> Vec<Option<Exemplar>> {
        let slots = self.0.get().map(Box::as_ref).unwrap_or_default();
        slots.iter().map(|slot| *slot.lock().unwrap_or_else(PoisonError::into_inner)).collect()
    }
}

/// Of each bucket the later one.
pub(super) fn merge(ours: &mut Vec<Option<Exemplar>>, theirs: &[Option<Exemplar>]) {
    if ours.len() < theirs.len() {
        ours.resize(theirs.len(), None);
    }
    for (ours, theirs) in ours.iter_mut().zip(theirs) {
        *ours = (*ours).into_iter().chain(*theirs).max_by_key(|exemplar| exemplar.at);
    }
}
