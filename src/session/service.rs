//! The service's side of a call: who is sought, who has it, and what waits to be told. Knows how a link is driven, and
//! nothing of why.

use super::drive::Opening;
use crate::{
    proto::CallEvent,
    upstream::{Link, RawLink, SendError},
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::timeout;

/// A service that takes nothing for so long has stopped reading.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the end of the stream may take after its last event.
pub(super) const FINISH_TIMEOUT: Duration = Duration::from_secs(5);
/// What may wait for a program that does not read: more than a thousand replies, or a few large values.
const RAW_UNSENT_MAX: usize = 2 * 1024 * 1024;

/// Who drives the call.
pub(super) enum Side {
    /// Nobody, and nobody is sought.
    Nobody,
    /// A service is being sought.
    Opening(Opening),
    /// A service that speaks the contract.
    Typed(Typed),
    /// A program that speaks AGI itself.
    Raw(Raw),
}

/// A link of events, and those that it has no room for.
pub(super) struct Typed {
    pub(super) link: Link,
    backlog: VecDeque<Box<CallEvent>>,
    stalled_since: Option<Duration>,
    finishing: bool,
}

/// A link of bytes.
pub(super) struct Raw {
    pub(super) link: RawLink,
    /// Since when nothing of what waits was taken, and how much that is.
    stalled: Option<(Duration, usize)>,
    /// The program has closed its side.
    closed: bool,
}

/// Whether a service is read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readable {
    Yes,
    /// It does not read itself. `progress`: it took all that was on its way, and there is room again.
    No {
        progress: bool,
    },
}

impl Side {
    pub(super) fn stalled_since(&self) -> Option<Duration> {
        match self {
            Self::Nobody | Self::Opening(_) => None,
            Self::Typed(typed) => typed.stalled_since,
            Self::Raw(raw) => raw.stalled.map(|(since, _)| since),
        }
    }

    pub(super) fn is_opening(&self) -> bool {
        matches!(self, Self::Opening(_))
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Typed(_) | Self::Raw(_))
    }
}

impl Typed {
    pub(super) fn new(link: Link) -> Self {
        Self { link, backlog: VecDeque::new(), stalled_since: None, finishing: false }
    }

    /// In order, as soon as there is room.
    pub(super) fn tell(&mut self, event: Box<CallEvent>) {
        if !self.backlog.is_empty() {
            return self.backlog.push_back(event);
        }
        match self.link.try_send(&event) {
            Err(SendError::Full) => self.backlog.push_back(event),
            // How the stream ended shows when it is read.
            Ok(()) | Err(SendError::Closed | SendError::TooLarge) => {}
        }
    }

    /// No event follows.
    pub(super) fn finish(&mut self) {
        self.finishing = true;
    }

    pub(super) fn flush(&mut self, now: Duration) {
        while let Some(event) = self.backlog.front() {
            if self.link.try_send(event) == Err(SendError::Full) {
                self.stalled_since.get_or_insert(now);
                return;
            }
            self.backlog.pop_front();
            self.stalled_since = None;
        }
        if self.backlog.capacity() > 0 {
            self.backlog = VecDeque::new();
        }
        if self.finishing {
            self.link.finish();
        }
    }

    /// Whoever does not read is not read either: nothing grows with a service's speed.
    pub(super) fn poll_may_read(&mut self, cx: &mut Context<'_>) -> Poll<Readable> {
        if self.backlog.is_empty() {
            return Poll::Ready(Readable::Yes);
        }
        Poll::Ready(match ready!(self.link.poll_ready_to_send(cx)) {
            Ok(()) => Readable::No { progress: self.link.waiting() == 0 },
            // The stream is over: how it ended shows when it is read.
            Err(_) => Readable::Yes,
        })
    }

    /// Sees a stream to its end that the call has left behind.
    pub(super) async fn see_off(mut self) {
        self.finish();
        let ended = poll_fn(|cx| {
            loop {
                self.flush(Duration::ZERO);
                if !self.backlog.is_empty() {
                    match ready!(self.link.poll_ready_to_send(cx)) {
                        Ok(()) => continue,
                        Err(_) => return Poll::Ready(()),
                    }
                }
                match ready!(self.link.poll_recv(cx)) {
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return Poll::Ready(()),
                }
            }
        });
        let _ = timeout(FINISH_TIMEOUT, ended).await;
    }
}

impl Raw {
    pub(super) fn new(link: RawLink) -> Self {
        Self { link, stalled: None, closed: false }
    }

    pub(super) fn relay(&mut self, bytes: &Bytes) {
        self.link.write(bytes);
    }

    /// False when so much waits that the program is given up.
    pub(super) fn flush(&mut self, now: Duration) -> bool {
        let unsent = self.link.unsent();
        self.stalled = match self.stalled {
            _ if unsent == 0 => None,
            Some((since, before)) if unsent >= before => Some((since, unsent)),
            Some(_) | None => Some((now, unsent)),
        };
        unsent <= RAW_UNSENT_MAX
    }

    /// The program says no more.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Nothing is left to say or to hear.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.link.unsent() == 0
    }
}
