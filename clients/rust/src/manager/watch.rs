//! The events of the manager, over as many streams as it takes.

use super::{Event, Manager, ManagerCode, ManagerError, ServerState};
use crate::{
    Error,
    dial::Pauses,
    proto::{WatchEventsRequest, WatchEventsResponse, watch_events_response::Item},
};
use std::fmt;
use tokio::time::{Instant, sleep_until};
use tonic::{Status, Streaming};

/// What a [`Watch`] hears.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// An event.
    Event(Event),
    /// So many events are missing here, because they were not asked for fast enough.
    Missed(u64),
    /// How the bridge's link to each Asterisk is at first, and whenever it was lost or is back: events may be missing around
    /// that.
    State(ServerState),
    /// The stream from the bridge broke, or cannot be had; told once. It is asked for again: events are missing until a
    /// [`Heard::State`].
    Lost(ManagerError),
}

/// Hears events until it is dropped; made by [`Manager::watch`]. One that is slow misses events, and slows nobody else down.
#[must_use = "events are heard by `next`"]
pub struct Watch {
    manager: Manager,
    request: WatchEventsRequest,
    stream: Stream,
    pauses: Pauses,
    /// A stream was there.
    began: bool,
    /// `Lost` was told.
    away: bool,
}

enum Stream {
    Wanted(Instant),
    Open(Box<Streaming<WatchEventsResponse>>),
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.request).finish()
    }
}

impl Watch {
    pub(super) fn new(manager: Manager, names: Vec<String>) -> Self {
        Self {
            manager,
            request: WatchEventsRequest { names, ..Default::default() },
            stream: Stream::Wanted(Instant::now()),
            pauses: Pauses::default(),
            began: false,
            away: false,
        }
    }

    /// An Asterisk of the bridge's configuration; all that this client may use unless set.
    pub fn server(mut self, server: impl Into<String>) -> Self {
        self.request.server = server.into();
        self
    }

    /// Only events that have this header with this value.
    pub fn matching(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.r#match.insert(key.into(), value.into());
        self
    }

    /// What is heard next. When the bridge goes away it asks again, with growing pauses (0.1 to 10 s). Its future may be dropped, and
    /// nothing is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Manager`] for what no retry can cure, as a wrong token.
    pub async fn next(&mut self) -> Result<Heard, Error> {
        loop {
            match self.step().await {
                Ok(Some(heard)) => return Ok(heard),
                Ok(None) => {}
                Err(status) => {
                    self.stream = Stream::Wanted(Instant::now() + self.pauses.next());
                    let error = ManagerError::new("watch", &status, None);
                    if self.is_incurable(error.code) {
                        return Err(error.into());
                    }
                    if !self.away {
                        self.away = true;
                        tracing::warn!(
                            "the stream of events is lost, and asked for again: {error}"
                        );
                        return Ok(Heard::Lost(error));
                    }
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<Heard>, Status> {
        match &mut self.stream {
            Stream::Wanted(when) => {
                sleep_until(*when).await;
                let request = self.manager.request(self.request.clone());
                let answer = self.manager.client.clone().watch_events(request).await?;
                self.stream = Stream::Open(Box::new(answer.into_inner()));
                Ok(None)
            }
            Stream::Open(stream) => {
                let Some(told) = stream.message().await? else {
                    return Err(Status::unavailable("the bridge closed the stream"));
                };
                (self.began, self.away, self.pauses) = (true, false, Pauses::default());
                Ok(told.item.map(|it| match it {
                    Item::Event(event) => Heard::Event(event.into()),
                    Item::Missed(events) => Heard::Missed(events),
                    Item::ServerState(state) => Heard::State(state.into()),
                }))
            }
        }
    }

    /// Too many streams are one too few once the bridge has noticed that an old one is gone.
    fn is_incurable(&self, code: ManagerCode) -> bool {
        match code {
            ManagerCode::InvalidArgument
            | ManagerCode::Unauthenticated
            | ManagerCode::PermissionDenied
            | ManagerCode::NotFound
            | ManagerCode::Unimplemented => true,
            ManagerCode::ResourceExhausted => !self.began,
            ManagerCode::AlreadyExists
            | ManagerCode::FailedPrecondition
            | ManagerCode::Unavailable
            | ManagerCode::Unknown
            | ManagerCode::DeadlineExceeded
            | ManagerCode::Internal
            | ManagerCode::Cancelled
            | ManagerCode::Other(_) => false,
        }
    }
}
