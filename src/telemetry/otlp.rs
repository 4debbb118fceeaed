//! Spans and metrics to an OpenTelemetry collector, by OTLP: what is sent, how, and by which settings.
//!
//! | file | what it does |
//! |---|---|
//! | `settings` | where to, how, how many at once |
//! | `environment` | the `OTEL_*` variables, which win over the file |
//! | `encode` | spans and metrics as OTLP has them |
//! | `delta` | metrics since the last time, where a collector wants those |
//! | `client` | one request: gRPC or HTTP, over TCP or TLS |
//! | `delivery` | one signal: tried again, given up in time, losses counted and told |
//! | `exporter` | the thread that sends what waits |

mod client;
mod delivery;
mod delta;
mod encode;
mod environment;
mod exporter;
mod settings;

pub use environment::apply;
pub use exporter::{Exporter, start};
pub use settings::{Export, Protocol, Settings, Signal, Temporality};
