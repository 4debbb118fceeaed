//! What a service was told on a call, for tests to wait for and to look at. Knows events, and not what brings them.

use agi_bridge::proto::{CallEnded, CallStarted, CommandResult, call_event::Event};
use std::time::Duration;
use tokio::{sync::watch, time::timeout};

/// What a script's call was told, as far as it came.
#[derive(Debug, Clone)]
pub struct Recording(pub(super) watch::Receiver<Log>);

/// The events of one call, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Every event, heartbeats included.
    pub events: Vec<Event>,
    /// The stream is over.
    pub closed: bool,
}

impl Recording {
    /// What is known now.
    pub fn log(&self) -> Log {
        self.0.borrow().clone()
    }

    /// Waits until `wanted` is true of what is known.
    ///
    /// # Panics
    /// When it is not within `limit`.
    pub async fn wait_for(
        &mut self,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&Log) -> bool,
    ) -> Log {
        if timeout(limit, self.0.wait_for(|log| wanted(log))).await.is_err() {
            panic!("{what}: not within {limit:?}: {:#?}", self.log());
        }
        self.log()
    }

    /// Waits until the call's stream is over.
    ///
    /// # Panics
    /// When that takes longer than `limit`.
    pub async fn wait_until_closed(&mut self, limit: Duration) -> Log {
        self.wait_for(limit, "the stream is over", |log| log.closed).await
    }
}

impl Log {
    /// The first event.
    pub fn started(&self) -> Option<&CallStarted> {
        self.events
            .iter()
            .find_map(|event| if let Event::Started(it) = event { Some(&**it) } else { None })
    }

    /// The results, in order.
    pub fn results(&self) -> Vec<&CommandResult> {
        let results = self.events.iter();
        results
            .filter_map(|event| if let Event::Result(it) = event { Some(it) } else { None })
            .collect()
    }

    /// How often the hangup was told.
    pub fn hangups(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Hangup(_))).count()
    }

    /// The service was told that the bridge is stopping.
    pub fn is_draining(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Draining(_)))
    }

    /// Why the call ended.
    pub fn ended(&self) -> Option<&CallEnded> {
        self.events
            .iter()
            .find_map(|event| if let Event::Ended(it) = event { Some(it) } else { None })
    }
}
