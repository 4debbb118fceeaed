//! What the bridge tells of itself: metrics, logs and the trace that a call belongs to.
//!
//! No digit, variable value or spoken text goes through here, and no label of a metric takes a value from outside.

pub mod counts;
pub mod logs;
pub mod metrics;
pub mod otlp;
pub mod sampler;
pub mod span;
pub mod trace;
pub mod tracer;
