//! Digits that callers press, as Asterisk's managers tell them: one subscription, shared out to the calls that want them by the unique
//! id of their channels. Knows no commands.

use crate::ami::{Event, Filter, Item, Links};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::mpsc;

/// Digits that wait for one call; a caller presses some ten a second at most, and a call takes them at once.
const WAITING_MAX: usize = 64;

/// The calls that want the digits of their channels.
#[derive(Debug, Default)]
pub struct Digits(Mutex<HashMap<String, mpsc::Sender<Digit>>>);

/// A key that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digit {
    pub(super) key: char,
    pub(super) held: Duration,
}

/// The digits of one channel, until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    digits: Arc<Digits>,
    channel: String,
    queue: mpsc::Receiver<Digit>,
}

impl Digits {
    /// Shares out what the managers tell, until the links end.
    pub async fn run(self: Arc<Self>, links: Links) {
        let names = vec!["DTMFEnd".to_owned()];
        let headers = vec![("Direction".to_owned(), "Received".to_owned())];
        let mut events = links.subscribe(Filter { server: None, names, headers });
        while let Some(item) = events.next().await {
            if let Item::Event(event) = item {
                self.share(&event);
            }
        }
    }

    /// The digits of this channel, from now on. A channel has one call at a time: a second listener takes the place of the first.
    pub(super) fn listen(self: &Arc<Self>, channel: &str) -> Listener {
        let (sender, queue) = mpsc::channel(WAITING_MAX);
        self.lock().insert(channel.to_owned(), sender);
        Listener { digits: Arc::clone(self), channel: channel.to_owned(), queue }
    }

    fn share(&self, event: &Event) {
        let header = |name| event.headers.get(name).unwrap_or_default();
        let Some(key) = header("Digit").chars().next() else { return };
        let held = Duration::from_millis(header("DurationMs").parse().unwrap_or_default());
        if let Some(call) = self.lock().get(header("Uniqueid")) {
            // One that does not take them has stopped: nobody waits for it.
            let _ = call.try_send(Digit { key, held });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Digit>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Digit>> {
        self.queue.poll_recv(cx)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut calls = self.digits.lock();
        // Its place may be another's already: then its own sender is gone.
        if !self.queue.is_closed() {
            calls.remove(&self.channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::{future::poll_fn, time::SystemTime};

    fn pressed(key: &str, channel: &str) -> Event {
        let headers =
            [("Event", "DTMFEnd"), ("Uniqueid", channel), ("Digit", key), ("DurationMs", "120")];
        let headers = headers.into_iter().collect();
        Event::new(&"pbx".into(), SystemTime::UNIX_EPOCH, headers)
    }

    fn next(listener: &mut Listener) -> Option<char> {
        let next = poll_fn(|cx| listener.poll_next(cx)).now_or_never().flatten();
        next.map(|digit| digit.key)
    }

    #[test]
    fn each_call_gets_the_digits_of_its_channel_in_order() {
        let digits = Arc::<Digits>::default();
        let (mut one, mut two) = (digits.listen("1.1"), digits.listen("1.2"));
        for (key, channel) in [("1", "1.1"), ("2", "1.2"), ("3", "1.1"), ("4", "1.3")] {
            digits.share(&pressed(key, channel));
        }
        assert_eq!((next(&mut one), next(&mut one), next(&mut one)), (Some('1'), Some('3'), None));
        assert_eq!((next(&mut two), next(&mut two)), (Some('2'), None));
    }

    #[test]
    fn a_call_that_takes_none_holds_up_nobody() {
        let digits = Arc::<Digits>::default();
        let (mut stuck, mut other) = (digits.listen("1.1"), digits.listen("1.2"));
        (0..10 * WAITING_MAX).for_each(|_| digits.share(&pressed("1", "1.1")));
        digits.share(&pressed("2", "1.2"));
        assert_eq!(next(&mut other), Some('2'));
        assert_eq!((0..).take_while(|_| next(&mut stuck).is_some()).count(), WAITING_MAX);
    }

    #[test]
    fn a_listener_that_goes_leaves_the_one_that_took_its_place() {
        let digits = Arc::<Digits>::default();
        let first = digits.listen("1.1");
        let mut second = digits.listen("1.1");
        drop(first);
        digits.share(&pressed("5", "1.1"));
        assert_eq!(next(&mut second), Some('5'));
        drop(second);
        assert!(digits.lock().is_empty());
    }
}
