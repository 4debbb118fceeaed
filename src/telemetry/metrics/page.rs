//! The text page, in both of Prometheus' formats. Knows nothing of what is measured.

use super::{
    exemplar::Exemplar,
    family::{Family, Kind, Sample, Value},
};
use std::{fmt::Write, time::SystemTime};

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The one that an `Accept` header prefers.
    pub fn accepted(header: &str) -> Self {
        let (open, text) =
            (weight(header, "application/openmetrics-text"), weight(header, "text/plain"));
        if open > 0.0 && open >= text { Self::OpenMetrics } else { Self::Text }
    }

    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

pub(super) fn write(families: &[Family], format: Format) -> String {
    let mut page = String::with_capacity(16 * 1024);
    for family in families {
        let name = translated(family);
        head(&mut page, (&name, family), format);
        for sample in &family.samples {
            body(&mut page, (&name, family), sample, format);
        }
    }
    if format == Format::OpenMetrics {
        page.push_str("# EOF\n");
    }
    page
}

/// The largest `q` that the header gives to a media type; zero when it is not named.
fn weight(header: &str, media_type: &str) -> f64 {
    header
        .split(',')
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            parts.next()?.eq_ignore_ascii_case(media_type).then(|| {
                parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0)
            })
        })
        .fold(0.0, f64::max)
}

/// The standard translation of an instrument's name, without `_total`.
fn translated(family: &Family) -> String {
    let name = family.name.replace('.', "_");
    unit(family).map_or_else(|| name.clone(), |unit| format!("{name}_{unit}"))
}

/// The word for a unit; what is merely counted has none.
fn unit(family: &Family) -> Option<&'static str> {
    match family.unit {
        "s" => Some("seconds"),
        "By" => Some("bytes"),
        _ => None,
    }
}

fn head(page: &mut String, (name, family): (&str, &Family), format: Format) {
    let (total, kind) = match family.kind {
        Kind::Counter if format == Format::Text => ("_total", "counter"),
        Kind::Counter => ("", "counter"),
        Kind::UpDown | Kind::Gauge => ("", "gauge"),
        Kind::Histogram => ("", "histogram"),
    };
    let (help, unit) = (family.help, unit(family));
    put(page, format_args!("# HELP {name}{total} {help}\n# TYPE {name}{total} {kind}\n"));
    if let (Format::OpenMetrics, Some(unit)) = (format, unit) {
        put(page, format_args!("# UNIT {name} {unit}\n"));
    }
}

fn body(page: &mut String, (name, family): (&str, &Family), sample: &Sample, format: Format) {
    match &sample.value {
        Value::Number(number) => {
            let total = if family.kind == Kind::Counter { "_total" } else { "" };
            line(page, (name, total), &sample.labels, None, *number);
        }
        Value::Histogram(totals) => {
            let mut count = 0;
            for (index, in_bucket) in totals.counts.iter().enumerate() {
                count += in_bucket;
                let bound = totals.bounds.get(index).map(|&bound| seconds(bound));
                let bound = bound.map_or_else(|| "+Inf".to_owned(), canonical);
                line(page, (name, "_bucket"), &sample.labels, Some(&bound), count as f64);
                if format == Format::OpenMetrics
                    && let Some(exemplar) = totals.exemplars.get(index).copied().flatten()
                {
                    append(page, &exemplar);
                }
            }
            line(page, (name, "_sum"), &sample.labels, None, seconds(totals.sum));
            line(page, (name, "_count"), &sample.labels, None, count as f64);
        }
    }
}

/// Behind the sample that the page ends with. The older format has no word for it.
fn append(page: &mut String, exemplar: &Exemplar) {
    let Exemplar { trace, value, at } = exemplar;
    let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    page.truncate(page.trim_end_matches('\n').len());
    put(
        page,
        format_args!(
            " # {{trace_id=\"{trace}\"}} {} {}.{:03}\n",
            seconds(*value),
            at.as_secs(),
            at.subsec_millis()
        ),
    );
}

fn line(
    page: &mut String,
    (name, suffix): (&str, &str),
    labels: &[(&'static str, String)],
    bound: Option<&str>,
    value: f64,
) {
    page.push_str(name);
    page.push_str(suffix);
    let mut opening = '{';
    let labels = labels.iter().map(|(key, text)| (*key, text.as_str()));
    for (key, text) in labels.chain(bound.map(|bound| ("le", bound))) {
        page.push(opening);
        put(page, format_args!("{key}=\"{}\"", escaped(text)));
        opening = ',';
    }
    if opening == ',' {
        page.push('}');
    }
    put(page, format_args!(" {value}\n"));
}

/// As OpenMetrics writes a bound: never an exponent, always a point. The older format takes the same, so that a series
/// has one name in both.
fn canonical(bound: f64) -> String {
    if bound.fract() == 0.0 { format!("{bound}.0") } else { bound.to_string() }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a String takes every text");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{metrics::instrument::Totals, trace::TraceContext};
    use std::time::Duration;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn both_formats_name_a_counter_as_they_must() {
        let families = [Family {
            name: "agibridge.call.hangup",
            unit: "{hangup}",
            help: "Callers that hung up.",
            kind: Kind::Counter,
            samples: vec![Sample {
                labels: vec![("route", "a \"b\"\\\n".to_owned()), ("source", "signal".to_owned())],
                value: Value::Number(3.0),
            }],
        }];
        let sample =
            "agibridge_call_hangup_total{route=\"a \\\"b\\\"\\\\\\n\",source=\"signal\"} 3\n";
        assert_eq!(
            write(&families, Format::Text),
            format!(
                "# HELP agibridge_call_hangup_total Callers that hung up.\n\
                 # TYPE agibridge_call_hangup_total counter\n{sample}"
            )
        );
        assert_eq!(
            write(&families, Format::OpenMetrics),
            format!(
                "# HELP agibridge_call_hangup Callers that hung up.\n\
                 # TYPE agibridge_call_hangup counter\n{sample}# EOF\n"
            )
        );
    }

    #[test]
    fn a_histogram_is_written_cumulated() {
        let trace = TraceContext::continued(Some(PARENT), "", "").trace_id;
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_007);
        let exemplar = Exemplar { trace, value: 700_000, at };
        let totals = Totals {
            bounds: &[50, 1_000_000],
            counts: vec![2, 1, 1],
            sum: 2_500_000,
            exemplars: vec![None, Some(exemplar), None],
        };
        let families = [Family {
            name: "x",
            unit: "s",
            help: "X.",
            kind: Kind::Histogram,
            samples: vec![Sample { labels: vec![], value: Value::Histogram(totals) }],
        }];
        assert_eq!(
            write(&families, Format::OpenMetrics),
            "# HELP x_seconds X.\n# TYPE x_seconds histogram\n# UNIT x_seconds seconds\n\
             x_seconds_bucket{le=\"0.00005\"} 2\n\
             x_seconds_bucket{le=\"1.0\"} 3 # {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 0.7 1700000000.007\n\
             x_seconds_bucket{le=\"+Inf\"} 4\nx_seconds_sum 2.5\nx_seconds_count 4\n# EOF\n"
        );
        // The older format would be broken by it.
        assert!(!write(&families, Format::Text).contains("trace_id"));
    }

    #[test]
    fn the_format_follows_what_the_client_prefers() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                          version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        for text in ["", "*/*", "text/html", "text/plain, application/openmetrics-text; q=0.4"] {
            assert_eq!(Format::accepted(text), Format::Text, "{text}");
        }
    }
}
