//! The three kinds of instrument, as plain additions to atomics. Knows no names and no labels.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
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
}

/// A histogram at one moment, or several added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) bounds: &'static [u64],
    /// Of each bucket alone, not cumulated.
    pub(super) counts: Vec<u64>,
    pub(super) sum: u64,
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
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    pub(super) fn observe(&self, value: Duration) {
        // Rounded, not cut: most of what is observed here lasts a few microseconds.
        let micros = value.as_secs() * 1_000_000 + u64::from((value.subsec_nanos() + 500) / 1_000);
        let bucket = self.bounds.iter().position(|&bound| micros <= bound);
        self.counts[bucket.unwrap_or(self.bounds.len())].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            bounds: self.bounds,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.sum.load(Ordering::Relaxed),
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(&[50, 100]);
        for nanos in [0, 50_000, 50_499, 50_500, 100_000, 100_501, 9_000_000_000] {
            histogram.observe(Duration::from_nanos(nanos));
        }
        let expected = Totals {
            bounds: &[50, 100],
            counts: vec![3, 2, 2],
            sum: 50 + 50 + 51 + 100 + 101 + 9_000_000,
        };
        assert_eq!(histogram.totals(), expected);
    }

    #[test]
    fn histograms_of_several_cores_add_up() {
        let (one, other) = (Histogram::new(&[10]), Histogram::new(&[10]));
        assert!(one.totals().is_empty());
        one.observe(Duration::from_micros(3));
        other.observe(Duration::from_micros(30));
        let mut both = one.totals();
        both.add(&other.totals());
        assert_eq!(both, Totals { bounds: &[10], counts: vec![1, 1], sum: 33 });
    }
}
