//! What the whole program does, seen from outside: one binary, one module a behaviour.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod asterisk_input;
mod calls;
mod certificates;
mod events;
mod handoff;
mod harness;
mod identity;
mod limits;
mod manager;
mod metrics;
mod otlp_metrics;
mod program;
mod proxy;
mod readme;
mod recorder;
mod relay;
mod resume;
mod scripts;
mod secrets;
mod service_input;
mod shutdown;
mod tidy;
mod tracing;
mod transcripts;
mod transports;
mod weights;
