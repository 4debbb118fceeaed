//! All that is measured, at one moment: names in dots, UCUM units, samples. Knows neither Prometheus nor OTLP.

use super::instrument::Totals;

/// All samples of one instrument.
#[derive(Debug)]
pub(in crate::telemetry) struct Family {
    /// In dots.
    pub(in crate::telemetry) name: &'static str,
    /// In UCUM; empty for what is 1 or 0.
    pub(in crate::telemetry) unit: &'static str,
    pub(in crate::telemetry) help: &'static str,
    pub(in crate::telemetry) kind: Kind,
    pub(in crate::telemetry) samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::telemetry) enum Kind {
    Counter,
    /// A sum that goes down too: those of several bridges make sense together.
    UpDown,
    Gauge,
    Histogram,
}

pub(in crate::telemetry) type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
pub(in crate::telemetry) struct Sample {
    pub(in crate::telemetry) labels: Labels,
    pub(in crate::telemetry) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::telemetry) enum Value {
    Number(f64),
    /// In microseconds, whatever the unit.
    Histogram(Totals),
}
