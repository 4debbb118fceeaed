//! What became of what was to be exported. Knows nothing of how that is done.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Of spans, or of points of metrics.
#[derive(Debug, Default)]
pub struct Counts {
    exported: AtomicU64,
    queue_full: AtomicU64,
    export_failed: AtomicU64,
}

impl Counts {
    /// So many left.
    pub fn exported(&self, count: usize) {
        self.exported.fetch_add(count as u64, Relaxed);
    }

    /// One more found no room.
    pub fn queue_full(&self) {
        self.queue_full.fetch_add(1, Relaxed);
    }

    /// So many were not taken by whoever should store them.
    pub fn failed(&self, count: usize) {
        self.export_failed.fetch_add(count as u64, Relaxed);
    }

    /// Exported, dropped because the queue was full, and dropped because the export failed.
    pub fn values(&self) -> [u64; 3] {
        [&self.exported, &self.queue_full, &self.export_failed].map(|count| count.load(Relaxed))
    }
}
