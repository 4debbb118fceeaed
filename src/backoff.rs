//! How long to wait before trying again: doubled up to a cap, and jittered. Knows not what is tried.

use rand::Rng as _;
use std::time::Duration;

/// The waits of one sequence of retries.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    cap: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, next: first }
    }

    /// Between a half and the whole of the next step.
    pub(crate) fn next(&mut self) -> Duration {
        let step = self.next;
        self.next = self.cap.min(step * 2);
        jittered(step)
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Between a half and the whole of `span`.
pub(crate) fn jittered(span: Duration) -> Duration {
    span.mul_f64(rand::rng().random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap_and_starts_over() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(300));
        for step in [ms(100), ms(200), ms(300), ms(300)] {
            let wait = backoff.next();
            assert!(wait >= step / 2 && wait <= step, "{wait:?} of {step:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= ms(100));
    }
}
