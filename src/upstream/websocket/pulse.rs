//! Whether a peer is still there, and whether it says more than it has to say. Knows time and counts, and no frames.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep};

/// When a peer is asked whether it is there, and how long it may take to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pings {
    /// From one ping to the next.
    pub interval: Duration,
    /// The peer is dead when nothing at all came from it for so long after a ping.
    pub timeout: Duration,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// A ping is to be sent.
    Ask,
    /// Nothing came since the last one.
    Dead,
}

/// The pings of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    pings: Pings,
    timer: Pin<Box<Sleep>>,
    /// When the last ping went out, and what had been heard by then.
    asked: Option<(Instant, u64)>,
}

impl Pulse {
    pub(super) fn new(pings: Pings) -> Self {
        Self { pings, timer: Box::pin(sleep(pings.interval)), asked: None }
    }

    /// To be polled when all that came has been read: `heard` bytes up to now.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, heard: u64) -> Poll<Beat> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            let Pings { interval, timeout } = self.pings;
            let due = match self.asked {
                Some((asked, before)) if before == heard => {
                    if now >= asked + timeout {
                        return Poll::Ready(Beat::Dead);
                    }
                    (now + interval).min(asked + timeout)
                }
                Some((asked, _)) if now < asked + interval => asked + interval,
                Some(_) | None => {
                    self.asked = Some((now, heard));
                    self.timer.as_mut().reset(now + interval.min(timeout));
                    return Poll::Ready(Beat::Ask);
                }
            };
            self.timer.as_mut().reset(due);
        }
    }
}

/// Control frames in a `WINDOW`: a peer needs a few pings and pongs a minute.
const CONTROLS_MAX: u32 = 200;
/// Bytes in a `WINDOW` that came to no message: twice what the largest one has.
const STRAY_MAX: u64 = 2 * crate::upstream::MESSAGE_MAX as u64;
const WINDOW: Duration = Duration::from_secs(10);

/// Counts what comes without being a message: control frames, and fragments that never end.
#[derive(Debug)]
pub(super) struct Flood {
    since: Instant,
    controls: u32,
    heard: u64,
}

impl Flood {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), controls: 0, heard: 0 }
    }

    /// A message ended at `heard` bytes.
    pub(super) fn message(&mut self, heard: u64) {
        self.heard = heard;
    }

    /// A control frame came. Whether that is too much.
    pub(super) fn control(&mut self, heard: u64) -> bool {
        self.controls += 1;
        self.controls > CONTROLS_MAX && self.in_window(heard)
    }

    /// All was read that is there. Whether that is too much.
    pub(super) fn quiet(&mut self, heard: u64) -> bool {
        heard - self.heard > STRAY_MAX && self.in_window(heard)
    }

    /// The clock is looked at only when a count is full.
    fn in_window(&mut self, heard: u64) -> bool {
        if self.since.elapsed() <= WINDOW {
            return true;
        }
        *self = Self { since: Instant::now(), controls: 0, heard };
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::time::advance;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_ping_is_due_at_each_interval_as_long_as_something_comes() {
        let mut pulse = Pulse::new(Pings { interval: 20 * SECOND, timeout: 10 * SECOND });
        let begun = Instant::now();
        for (beat, heard) in [(1, 0), (2, 6), (3, 7)] {
            assert_eq!(poll_fn(|cx| pulse.poll(cx, heard)).await, Beat::Ask);
            assert_eq!(begun.elapsed().as_secs(), beat * 20);
        }
        assert_eq!(poll_fn(|cx| pulse.poll(cx, 7)).await, Beat::Dead);
        assert_eq!(begun.elapsed().as_secs(), 70);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_take_longer_than_the_interval() {
        let mut pulse = Pulse::new(Pings { interval: SECOND, timeout: 10 * SECOND });
        let begun = Instant::now();
        for (beat, heard) in [(1, 0), (2, 1), (3, 2)] {
            assert_eq!(poll_fn(|cx| pulse.poll(cx, heard)).await, Beat::Ask);
            assert_eq!(begun.elapsed().as_secs(), beat);
        }
        let unanswered = tokio::time::timeout(9 * SECOND, poll_fn(|cx| pulse.poll(cx, 2)));
        assert!(unanswered.await.is_err());
        assert_eq!(poll_fn(|cx| pulse.poll(cx, 3)).await, Beat::Ask);
        assert_eq!(poll_fn(|cx| pulse.poll(cx, 3)).await, Beat::Dead);
        assert_eq!(begun.elapsed().as_secs(), 23);
    }

    #[tokio::test(start_paused = true)]
    async fn many_controls_are_a_flood_only_when_they_come_fast() {
        let mut flood = Flood::new();
        for _ in 0..3600 {
            assert!(!flood.control(0));
            advance(Duration::from_millis(100)).await;
        }
        let mut flood = Flood::new();
        assert!((0..1000).any(|_| flood.control(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_come_to_no_message_are_a_flood() {
        let mut flood = Flood::new();
        assert!(!flood.quiet(STRAY_MAX));
        flood.message(STRAY_MAX);
        assert!(!flood.quiet(2 * STRAY_MAX));
        assert!(flood.quiet(2 * STRAY_MAX + 1));
    }
}
