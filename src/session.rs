//! One call, from its accepted socket to its end: the socket, the machine and the service joined by one task.
//!
//! | file | what it does |
//! |---|---|
//! | `admission` | who is let in: how many, of whom, how fast |
//! | `begin` | reads the prelude, picks the route, decides whether the call is taken |
//! | `drive` | the one loop of a call; `drive/upstream`: the service's side of it |
//! | `service` | the service's side of it: who is sought, who has it, what waits to be told |
//! | `facts` | what is known of a call for as long as it lives |
//! | `keys` | keys that the manager presses, to stop a command |
//! | `digits` | keys that callers press, as the manager tells them |
//! | `socket` | bytes from and to Asterisk |
//! | `spans` | what is traced of a call |
//! | `started` | what a service is told first |
//! | `meter` | what is counted of a call |
//! | `recorder` | the flight recorder: what happened in calls that live, and in the last that ended |
//! | `registry` | the calls that live now |

pub mod admission;
mod begin;
pub mod digits;
mod drive;
mod facts;
mod keys;
mod meter;
mod parent;
pub mod recorder;
pub mod registry;
mod service;
mod socket;
mod spans;
mod started;

pub(crate) use begin::serve_async;
pub use begin::{enter, serve};
pub use started::timestamp;

use crate::{
    agi::Limits,
    ami::Links,
    archive::Archive,
    route::Table,
    session::{admission::Admission, digits::Digits, recorder::Recorder, registry::Registry},
    telemetry::{
        metrics::CoreMetrics,
        tracer::{self, Tracer},
    },
    upstream::Upstreams,
};
use arc_swap::ArcSwap;
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The rules in force: replaced whole by a reload. A running call keeps those it began with.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Which service gets a call.
    pub routes: Table,
    /// Calls at once, over all cores; one more is turned away.
    pub max_calls: usize,
    /// Calls of one peer at once.
    pub max_calls_per_peer: Option<usize>,
    /// New calls a second.
    pub calls_per_second: Option<u32>,
    /// New calls a second of one peer.
    pub calls_per_second_per_peer: Option<u32>,
    /// From accept to the end of the prelude.
    pub prelude_timeout: Duration,
    /// Of a line to Asterisk.
    pub limits: Limits,
}

/// What all cores share: nothing of it is touched for a command.
#[derive(Debug)]
pub struct Shared {
    /// The rules in force.
    pub rules: ArcSwap<Rules>,
    /// The calls that live now.
    pub registry: Arc<Registry>,
    /// What happened in the calls that live, and in the last ones that ended.
    pub recorder: Arc<Recorder>,
    /// Where the transcripts of calls go whose routes keep them.
    pub archive: Arc<Archive>,
    /// The drain: new calls are turned away, running ones are told its deadline.
    pub drain: Drain,
    /// Who is let in.
    pub admission: Arc<Admission>,
    /// The links to the managers of Asterisk.
    pub links: Links,
    /// The calls that want their callers' digits.
    pub digits: Arc<Digits>,
}

/// What a core needs for its calls.
#[derive(Debug)]
pub struct Core {
    /// With all other cores.
    pub shared: Arc<Shared>,
    /// The core's own connections to services.
    pub upstreams: Arc<Upstreams>,
    /// The core's own instruments.
    pub metrics: Arc<CoreMetrics>,
    /// What is read and written of traces, whether spans leave or not.
    pub tracing: tracer::Rules,
    /// The core's own list of spans; none: no span leaves.
    pub tracer: Option<Arc<Tracer>>,
}

/// Whether, and until when, the bridge is draining.
#[derive(Debug, Default)]
pub struct Drain {
    begun: AtomicBool,
    deadline: OnceLock<pbjson_types::Timestamp>,
}

impl Drain {
    /// From now on new calls are turned away; the running ones have until `deadline`.
    pub fn begin(&self, deadline: pbjson_types::Timestamp) {
        let _ = self.deadline.set(deadline);
        self.begun.store(true, Ordering::SeqCst);
    }

    /// Whether it has begun.
    pub fn begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    fn deadline(&self) -> pbjson_types::Timestamp {
        self.deadline.get().cloned().unwrap_or_default()
    }
}
