//! How fast something may come: a bucket of tokens, in one number that all cores share. Knows no clock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

const SECOND: u64 = 1_000_000_000;

/// A bucket that holds what may come within one second, and is full at first.
///
/// Kept is when it will be full again, in nanoseconds: so it needs no timer, and the rate may change at any time.
#[derive(Debug, Default)]
pub(super) struct Rate(AtomicU64);

impl Rate {
    /// Takes a token of a bucket that gets so many a second; false when there is none.
    pub(super) fn take(&self, per_second: u32, now: Duration) -> bool {
        let now = nanos(now);
        let each = SECOND / u64::from(per_second.max(1));
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            let full_at = full_at.max(now) + each;
            (full_at - now <= SECOND).then_some(full_at)
        });
        taken.is_ok()
    }

    /// Whether a token is missing.
    pub(super) fn is_used(&self, now: Duration) -> bool {
        self.0.load(Ordering::Relaxed) > nanos(now)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_second_may_come_at_once_and_then_one_by_one() {
        let rate = Rate::default();
        let at = Duration::from_millis;
        let taken = |at| std::iter::from_fn(|| rate.take(10, at).then_some(())).count();
        assert_eq!(taken(at(5000)), 10);
        assert_eq!(taken(at(5050)), 0);
        assert_eq!(taken(at(5100)), 1);
        assert!(rate.is_used(at(5300)) && !rate.is_used(at(6100)));
        assert_eq!(taken(at(9000)), 10);
    }

    proptest! {
        #[test]
        fn no_second_has_more_than_twice_the_rate(
            per_second in 1..50_u32,
            steps in prop::collection::vec(0..200_u64, 1..200),
        ) {
            let rate = Rate::default();
            let mut now = 0;
            let mut taken = Vec::new();
            for step in steps {
                now += step;
                if rate.take(per_second, Duration::from_millis(now)) {
                    taken.push(now);
                }
            }
            for (place, from) in taken.iter().enumerate() {
                let within = taken[place..].iter().take_while(|at| *at - from < 1000).count();
                prop_assert!(within <= 2 * per_second as usize);
            }
        }
    }
}
