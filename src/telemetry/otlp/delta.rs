//! Metrics since the last time, for a collector that wants no totals. Knows nothing of how they are sent.

use crate::telemetry::metrics::{Family, Kind, Labels, Totals, Value};
use std::collections::HashMap;

/// The totals that were sent last, by instrument and labels: closed sets, so this does not grow for ever.
#[derive(Debug, Default)]
pub(super) struct Deltas(HashMap<(&'static str, Labels), Value>);

impl Deltas {
    /// Makes totals to what came since this was asked last. What goes up and down stays as it is.
    pub(super) fn since_last(&mut self, families: &mut [Family]) {
        for family in families.iter_mut() {
            match family.kind {
                Kind::Counter | Kind::Histogram => {}
                Kind::UpDown | Kind::Gauge => continue,
            }
            for sample in &mut family.samples {
                let series = (family.name, sample.labels.clone());
                if let Some(before) = self.0.insert(series, sample.value.clone()) {
                    subtract(&mut sample.value, &before);
                }
            }
        }
    }
}

fn subtract(value: &mut Value, before: &Value) {
    match (value, before) {
        (Value::Number(number), Value::Number(before)) => *number -= before,
        (Value::Histogram(totals), Value::Histogram(before)) => subtract_totals(totals, before),
        // An instrument keeps its kind.
        (Value::Number(_), Value::Histogram(_)) | (Value::Histogram(_), Value::Number(_)) => {}
    }
}

fn subtract_totals(totals: &mut Totals, before: &Totals) {
    for (count, before) in totals.counts.iter_mut().zip(&before.counts) {
        *count = count.saturating_sub(*before);
    }
    totals.sum = totals.sum.saturating_sub(before.sum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Sample;

    fn family(kind: Kind, value: Value) -> Family {
        let samples = vec![Sample { labels: vec![("route", "a".to_owned())], value }];
        Family { name: "x", unit: "s", help: "X.", kind, samples }
    }

    fn seen(deltas: &mut Deltas, kind: Kind, value: Value) -> Value {
        let mut families = [family(kind, value)];
        deltas.since_last(&mut families);
        let [family] = families;
        family.samples.into_iter().next().unwrap().value
    }

    #[test]
    fn a_counter_says_what_came_since_the_last_time() {
        let mut deltas = Deltas::default();
        for (total, since) in [(3.0, 3.0), (3.0, 0.0), (10.0, 7.0)] {
            let value = seen(&mut deltas, Kind::Counter, Value::Number(total));
            assert_eq!(value, Value::Number(since));
        }
    }

    #[test]
    fn a_histogram_says_it_bucket_by_bucket() {
        let mut deltas = Deltas::default();
        let totals = |counts: [u64; 2], sum| {
            let counts = counts.to_vec();
            Value::Histogram(Totals { bounds: &[10], counts, sum, exemplars: vec![] })
        };
        for (total, since) in
            [(totals([1, 2], 50), totals([1, 2], 50)), (totals([1, 5], 90), totals([0, 3], 40))]
        {
            assert_eq!(seen(&mut deltas, Kind::Histogram, total), since);
        }
    }

    #[test]
    fn what_goes_up_and_down_stays_as_it_is() {
        let mut deltas = Deltas::default();
        for kind in [Kind::UpDown, Kind::Gauge] {
            for total in [5.0, 4.0] {
                let value = seen(&mut deltas, kind, Value::Number(total));
                assert_eq!(value, Value::Number(total));
            }
        }
    }
}
