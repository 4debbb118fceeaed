//! Links to services: where they are, how they are reached, and one stream for each call. Knows nothing of what the
//! messages mean.
//!
//! A [`Directory`] for the process knows the addresses; an [`Upstreams`] for each core has connections of its own to
//! them, and opens a [`Link`] or a [`RawLink`] for a call. Services that dial in are known to [`Workers`], for the process
//! too. Only opening a link touches what cores share.

mod address;
mod directory;
mod error;
mod fastagi;
mod grpc;
mod header;
mod io;
mod link;
mod opening;
mod raw;
mod script;
#[cfg(test)]
mod tests;
mod tls;
mod websocket;
mod worker;

pub use address::Health;
pub use directory::{Directory, Endpoint, Resolver};
pub use error::{Attempt, AttemptError, Exhausted, Failure, Lost, Phase, SendError, status_name};
pub use link::{Link, Taken};
pub use raw::{RawLink, RawRead};
pub use websocket::{Format, Messages, Outgoing, Pings, Unreadable};
pub use worker::{
    Events, GROUPS_MAX, HelloError, RegisterError, Registration, Take, TakeError, WORKER_ID_MAX,
    Workers,
};

use crate::{
    agi::Prelude,
    proto::{CallEvent, call_event::Event},
    route::Service,
    telemetry::trace::TraceContext,
};
use grpc::Pools;
use std::{fmt, sync::Arc, time::Duration};

const TRACEPARENT: &str = "traceparent";
/// What tells the trace, in metadata.
const TRACE_HEADERS: [&str; 3] = [TRACEPARENT, "tracestate", "baggage"];

/// The largest message, both ways.
const MESSAGE_MAX: usize = 4 * 1024 * 1024;

/// The connections of one core. To be used on one current-thread runtime: the tasks of its connections run there.
pub struct Upstreams {
    directory: Arc<Directory>,
    workers: Arc<Workers>,
    pools: Pools,
}

/// What a service gets to see of a call that it may take.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Metadata of the stream, names in lower case: `agibridge-call-id`, `agibridge-route`, `traceparent`, ….
    pub metadata: Vec<(String, String)>,
    /// The first event. It goes out before the service answers.
    pub started: Arc<CallEvent>,
    /// How many events may wait in the link when the service does not read.
    pub capacity: usize,
    /// What Asterisk said first, for services that speak AGI themselves.
    pub prelude: Arc<Prelude>,
    /// The span that seeks a service. Each attempt gets one of its own below it, and its service is told that one.
    pub trace: Option<TraceContext>,
    /// Whether services that speak AGI themselves are told it too, as one more argument.
    pub trace_argument: bool,
}

impl Opening {
    /// Puts the span of the next attempt in the place of the one before.
    fn begin_attempt(&mut self, trace: Option<&TraceContext>) {
        let Some(trace) = trace else { return };
        let traceparent = trace.traceparent();
        for (_, value) in self.metadata.iter_mut().filter(|(name, _)| name == TRACEPARENT) {
            value.clone_from(&traceparent);
        }
    }

    /// Whoever dialled in is sent no metadata: the first event says it.
    fn tell_trace_in_started(&mut self) {
        let said = self.metadata.iter().filter(|(name, _)| TRACE_HEADERS.contains(&&**name));
        let said = said.cloned().collect();
        if let Some(Event::Started(started)) = &mut Arc::make_mut(&mut self.started).event {
            started.trace_context = said;
        }
    }

    /// The argument for a program that speaks AGI itself.
    fn trace_argument(&self) -> Option<String> {
        let told = self.metadata.iter().find(|(name, _)| name == TRACEPARENT);
        let told = told.filter(|_| self.trace_argument);
        told.map(|(name, value)| format!("{name}={value}"))
    }
}

/// How long a service is sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For one attempt: connect, handshake and acceptance.
    pub attempt: Duration,
    /// For all of them.
    pub all: Duration,
}

impl Upstreams {
    /// No connections yet.
    pub fn new(directory: Arc<Directory>, workers: Arc<Workers>) -> Self {
        Self { directory, workers, pools: Pools::default() }
    }

    /// Finds a service that takes the call, trying `services` in order and all their addresses, again and again
    /// for as long as there is `patience`. A service took it once it sent response headers, agreed to speak WebSocket, or took an
    /// offer; one that speaks AGI itself, once it was given the prelude. `on_attempt` hears how each attempt ended.
    /// Dropping the future gives up at once.
    ///
    /// # Errors
    /// [`Exhausted`]: nobody took it in time; with the last failure of each address.
    pub async fn open(
        &self,
        services: &[Arc<Service>],
        patience: Patience,
        opening: &Opening,
        on_attempt: &(dyn Fn(&Attempt<'_>) + Sync),
    ) -> Result<Taken, Exhausted> {
        // Boxed, since it is large and short: a call's task lives on for hours.
        Box::pin(opening::open(self, services, patience, opening, on_attempt)).await
    }

    /// Connections of this core that take calls now.
    pub fn connections(&self) -> usize {
        self.pools.connections()
    }
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams").field("connections", &self.connections()).finish()
    }
}
