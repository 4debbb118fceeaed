//! Durations and moments, between the contract's types and Rust's.

use std::time::{Duration, SystemTime};

/// Whole seconds: `secs(5)`.
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A negative one counts as none.
pub(crate) fn duration(it: prost_types::Duration) -> Duration {
    it.try_into().unwrap_or_default()
}

pub(crate) fn wire(it: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(it.as_secs()).unwrap_or(i64::MAX),
        nanos: it.subsec_nanos().cast_signed(),
    }
}

pub(crate) fn moment(it: prost_types::Timestamp) -> Option<SystemTime> {
    it.try_into().ok()
}
