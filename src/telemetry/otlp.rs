//! Spans to an OpenTelemetry collector, by OTLP: what is sent, how, and by which settings.
//!
//! | file | what it does |
//! |---|---|
//! | `settings` | where to, how, how many at once |
//! | `environment` | the `OTEL_*` variables, which win over the file |
//! | `encode` | spans as OTLP has them |
//! | `client` | one request: gRPC or HTTP, over TCP or TLS |
//! | `exporter` | the thread that sends what waits |

mod client;
mod encode;
mod environment;
mod exporter;
mod settings;

pub use encode::request;
pub use environment::apply;
pub use exporter::{Exporter, start};
pub use settings::{Export, Protocol, Settings};
