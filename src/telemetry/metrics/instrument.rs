//! The three kinds of instrument, as plain additions to atomics. Knows no names and no labels.

use super::exemplar::{self, Exemplar, Exemplars};
use crate::telemetry::trace::TraceId;
use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

/// Only goes up.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

/// Goes up and down. The parts on several cores make sense only together.
#[derive(Debug, Default)]
pub(super) struct Gauge(AtomicI64);

/// How often a duration fell below each of some bounds.
#[derive(Debug)]
pub(super) struct Histogram {
    /// In microseconds, ascending.
    bounds: &'static [u64],
    /// One more than there are bounds.
    counts: Box<[AtomicU64]>,
    /// In microseconds: whole numbers need no compare-and-swap, and last for decades of ten thousand calls at once.
    sum: AtomicU64,
    exemplars: Exemplars,
}

/// A histogram at one moment, or several added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::telemetry) struct Totals {
    pub(in crate::telemetry) bounds: &'static [u64],
    /// Of each bucket alone, not cumulated.
    pub(in crate::telemetry) counts: Vec<u64>,
    pub(in crate::telemetry) sum: u64,
    /// Of each bucket; none at all where no trace was sampled.
    pub(in crate::telemetry) exemplars: Vec<Option<Exemplar>>,
}

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    pub(super) fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Histogram {
    pub(super) fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0), exemplars: Exemplars::default() }
    }

    /// `trace`: where to look for what happened, if that is recorded.
    pub(super) fn observe(&self, value: Duration, trace: Option<TraceId>) {
        // Rounded, not cut: most of what is observed here lasts a few microseconds.
        let micros = value.as_secs() * 1_000_000 + u64::from((value.subsec_nanos() + 500) / 1_000);
        let bucket = self.bounds.iter().position(|&bound| micros <= bound);
        let bucket = bucket.unwrap_or(self.bounds.len());
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(micros, Ordering::Relaxed);
        if let Some(trace) = trace {
            let exemplar = Exemplar { trace, value: micros, at: SystemTime::now() };
            self.exemplars.keep((bucket, self.counts.len()), exemplar);
        }
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            bounds: self.bounds,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.sum.load(Ordering::Relaxed),
            exemplars: self.exemplars.all(),
        }
    }
}

impl Totals {
    pub(super) fn is_empty(&self) -> bool {
        self.counts.iter().all(|&count| count == 0)
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum = self.sum.wrapping_add(other.sum);
        exemplar::merge(&mut self.exemplars, &other.exemplars);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::trace::TraceContext;

    #[test]
    fn a_value_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(&[50, 100]);
        for nanos in [0, 50_000, 50_499, 50_500, 100_000, 100_501, 9_000_000_000] {
            histogram.observe(Duration::from_nanos(nanos), None);
        }
        let expected = Totals {
            bounds: &[50, 100],
            counts: vec![3, 2, 2],
            sum: 50 + 50 + 51 + 100 + 101 + 9_000_000,
            exemplars: vec![],
        };
        assert_eq!(histogram.totals(), expected);
    }

    #[test]
    fn histograms_of_several_cores_add_up() {
        let (one, other) = (Histogram::new(&[10]), Histogram::new(&[10]));
        assert!(one.totals().is_empty());
        one.observe(Duration::from_micros(3), None);
        other.observe(Duration::from_micros(30), None);
        let mut both = one.totals();
        both.add(&other.totals());
        assert_eq!((both.counts, both.sum), (vec![1, 1], 33));
    }

    #[test]
    fn each_bucket_remembers_the_last_trace_of_any_core() {
        let (one, other) = (Histogram::new(&[10]), Histogram::new(&[10]));
        let traces: Vec<_> = (0..3).map(|_| TraceContext::root().trace_id).collect();
        one.observe(Duration::from_micros(3), Some(traces[0]));
        one.observe(Duration::from_micros(4), None);
        other.observe(Duration::from_micros(30), Some(traces[1]));
        other.observe(Duration::from_micros(40), Some(traces[2]));
        let mut both = Histogram::new(&[10]).totals();
        both.add(&one.totals());
        both.add(&other.totals());
        let seen = |exemplar: Option<Exemplar>| exemplar.map(|it| (it.trace, it.value));
        let seen: Vec<_> = both.exemplars.into_iter().map(seen).collect();
        assert_eq!(seen, [Some((traces[0], 3)), Some((traces[2], 40))]);
    }

    #[test]
    fn of_two_exemplars_the_later_one_is_shown() {
        let exemplar = |seconds, value| {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            Some(Exemplar { trace: TraceContext::root().trace_id, value, at })
        };
        let (early, late) = (exemplar(1, 5), exemplar(2, 6));
        for (ours, theirs) in [(early, late), (late, early), (late, None), (None, late)] {
            let mut merged = vec![ours];
            exemplar::merge(&mut merged, &[theirs]);
            assert_eq!(merged, [late]);
        }
    }
}
