//! How far everybody is. Shared by threads; knows no protocol.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

/// Where the measurement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Connecting,
    Sending,
    /// No more is sent.
    Sent,
    /// Who was stuck reads again.
    Resumed,
    Done,
}

/// The time of every so manieth event is taken.
const STAMPED: u64 = 64;
/// Stamps that are kept: far more events than anybody is behind.
const STAMPS: usize = 4_096;

pub(super) struct Tally {
    begun: Instant,
    phase: AtomicU8,
    is_measuring: AtomicBool,
    ready: AtomicUsize,
    sent: AtomicU64,
    /// By each subscriber, what it missed included; the first one is the one that will be stuck.
    heard: Vec<AtomicU64>,
    missed: AtomicU64,
    stamps: Vec<AtomicU64>,
    lags: Mutex<Vec<u32>>,
    faults: AtomicU64,
    fault: Mutex<Option<String>>,
}

impl Tally {
    pub(super) fn new(subscribers: usize) -> Self {
        let counters = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            begun: Instant::now(),
            phase: AtomicU8::new(Phase::Connecting as u8),
            is_measuring: AtomicBool::new(false),
            ready: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            heard: counters(subscribers),
            missed: AtomicU64::new(0),
            stamps: counters(STAMPS),
            lags: Mutex::default(),
            faults: AtomicU64::new(0),
            fault: Mutex::default(),
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    pub(super) fn is_past(&self, phase: Phase) -> bool {
        self.phase.load(Relaxed) > phase as u8
    }

    pub(super) fn measure(&self, is_measuring: bool) {
        self.is_measuring.store(is_measuring, Relaxed);
    }

    pub(super) fn is_measuring(&self) -> bool {
        self.is_measuring.load(Relaxed)
    }

    /// One more subscriber knows that the link is there.
    pub(super) fn ready(&self) {
        self.ready.fetch_add(1, Relaxed);
    }

    pub(super) fn all_ready(&self) -> bool {
        self.ready.load(Relaxed) >= self.heard.len()
    }

    /// The event with this number is written next.
    pub(super) fn send(&self, number: u64) {
        if let Some(stamp) = self.stamp(number) {
            stamp.store(self.now(), Relaxed);
        }
        self.sent.store(number + 1, Relaxed);
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// A subscriber is told of events up to this number. The time that it took, where it is taken.
    pub(super) fn hear(&self, subscriber: usize, number: u64) -> Option<u32> {
        if let Some(heard) = self.heard.get(subscriber) {
            heard.store(number + 1, Relaxed);
        }
        let stamp = self.stamp(number).filter(|_| subscriber > 0 && self.is_measuring())?;
        u32::try_from(self.now() - stamp.load(Relaxed)).ok()
    }

    pub(super) fn miss(&self, count: u64, next: u64) {
        self.missed.fetch_add(count, Relaxed);
        if let Some(heard) = self.heard.first() {
            heard.store(next, Relaxed);
        }
    }

    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Relaxed)
    }

    /// By all but the one that is stuck.
    pub(super) fn heard_by_all(&self) -> u64 {
        let readers = self.heard.iter().skip(1);
        readers.map(|heard| heard.load(Relaxed)).min().unwrap_or_default()
    }

    pub(super) fn stuck_heard(&self) -> u64 {
        self.heard.first().map_or(0, |heard| heard.load(Relaxed))
    }

    pub(super) fn add_lags(&self, lags: &[u32]) {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(lags);
    }

    pub(super) fn lags(&self) -> Vec<u32> {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn fault(&self, error: &anyhow::Error) {
        self.faults.fetch_add(1, Relaxed);
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.get_or_insert_with(|| format!("{error:#}"));
    }

    pub(super) fn faults(&self) -> (u64, Option<String>) {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        (self.faults.load(Relaxed), fault.clone())
    }

    /// For whoever wonders what is missing.
    pub(super) fn words(&self) -> String {
        format!(
            "{} of {} subscribers were ready, {} events sent, {} heard by all readers, {} by who was stuck",
            self.ready.load(Relaxed),
            self.heard.len(),
            self.sent(),
            self.heard_by_all(),
            self.stuck_heard()
        )
    }

    fn stamp(&self, number: u64) -> Option<&AtomicU64> {
        if !number.is_multiple_of(STAMPED) {
            return None;
        }
        self.stamps.get(usize::try_from(number / STAMPED).ok()? % STAMPS)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
