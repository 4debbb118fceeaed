//! The `OTEL_*` variables, as the specification has them: they win over the file, and one that is not understood is told and left
//! aside. Knows names and words, and reads no environment itself.

mod export;
#[cfg(test)]
mod tests;

use super::{Settings, Signal, Temporality};
use crate::telemetry::sampler::{Root, Sampler};
use percent_encoding::percent_decode_str;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Those of the signals that are not ours, and those that say nothing here.
const OTHERS: [&str; 9] = [
    "OTEL_LOGS_",
    "OTEL_LOG_",
    "OTEL_BLRP_",
    "OTEL_EXPORTER_OTLP_LOGS_",
    "OTEL_EXPORTER_PROMETHEUS_",
    "OTEL_PYTHON_",
    "OTEL_NODE_",
    "OTEL_JAVA_",
    "OTEL_GO_",
];

/// Lays the variables over `settings`; an empty one is as one that is not set.
pub fn apply(settings: &mut Settings, variables: impl IntoIterator<Item = (String, String)>) {
    let found = variables.into_iter().filter(|(name, value)| {
        name.starts_with("OTEL_")
            && !value.trim().is_empty()
            && !OTHERS.iter().any(|prefix| name.starts_with(prefix))
    });
    let mut variables =
        Variables { all: found.collect(), read: BTreeSet::new(), warnings: Vec::new() };
    if variables.word("OTEL_SDK_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        (settings.traces, settings.metrics) = (None, None);
        return;
    }
    resource(settings, &mut variables);
    propagators(settings, &mut variables);
    sampler(settings, &mut variables);
    batch(settings, &mut variables);
    metrics(settings, &mut variables);
    settings.traces = export::of_traces(settings.traces.take(), &mut variables);
    export::of_metrics(settings, &mut variables);
    let unread = variables.all.keys().filter(|name| !variables.read.contains(*name));
    settings.warnings.extend(unread.map(|name| format!("{name} is not known here")));
    settings.warnings.append(&mut variables.warnings);
}

struct Variables {
    all: BTreeMap<String, String>,
    read: BTreeSet<String>,
    warnings: Vec<String>,
}

impl Variables {
    fn word(&mut self, name: &str) -> Option<String> {
        self.read.insert(name.to_owned());
        self.all.get(name).map(|value| value.trim().to_owned())
    }

    /// That of one signal, or else that of all; by its name.
    fn otlp(&mut self, signal: Signal, what: &str) -> Option<(String, String)> {
        let all = format!("OTEL_EXPORTER_OTLP_{what}");
        let own = format!("OTEL_EXPORTER_OTLP_{}_{what}", word_of(signal));
        let for_all = self.word(&all).map(|value| (all, value));
        self.word(&own).map(|value| (own, value)).or(for_all)
    }

    fn warn(&mut self, name: &str, what: impl std::fmt::Display) {
        let warning = format!("{name}: {what}");
        // What is for all signals is read for each.
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        let text = self.word(name)?;
        let number = text.parse().ok().filter(|number| *number > 0);
        if number.is_none() {
            self.warn(name, format!("`{text}` is no number above 0"));
        }
        number
    }

    fn count(&mut self, name: &str, target: &mut usize) {
        /// More spans than that are no queue.
        const MAX: u64 = 1 << 20;
        if let Some(count) = self.number(name) {
            *target = usize::try_from(count.min(MAX)).unwrap_or(usize::MAX);
        }
    }

    fn millis(&mut self, name: &str, target: &mut Duration) {
        /// Thirty days: a moment that is far beyond that cannot be reckoned.
        const MAX: u64 = 30 * 24 * 3600 * 1000;
        if let Some(millis) = self.number(name) {
            *target = Duration::from_millis(millis.min(MAX));
        }
    }
}

fn resource(settings: &mut Settings, variables: &mut Variables) {
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    if let Some(text) = variables.word(name) {
        match pairs(&text) {
            Some(pairs) => settings.resource = pairs,
            None => variables.warn(name, "this is no list of `key=value`"),
        }
    }
    if let Some(service) = variables.word("OTEL_SERVICE_NAME") {
        settings.resource.retain(|(key, _)| key != "service.name");
        settings.resource.push(("service.name".to_owned(), service));
    }
}

fn propagators(settings: &mut Settings, variables: &mut Variables) {
    let name = "OTEL_PROPAGATORS";
    let Some(text) = variables.word(name) else { return };
    let (mut trace_context, mut baggage, mut known) = (false, false, false);
    for word in text.split(',').map(str::trim) {
        known = true;
        match word {
            "tracecontext" => trace_context = true,
            "baggage" => baggage = true,
            "none" | "" => {}
            _ => {
                known = trace_context || baggage;
                let what = format!("`{word}` is not known: tracecontext, baggage, none");
                variables.warn(name, what);
            }
        }
    }
    if known {
        (settings.rules.trace_context, settings.rules.baggage) = (trace_context, baggage);
    }
}

fn sampler(settings: &mut Settings, variables: &mut Variables) {
    let (name, arg) = ("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG");
    let share = variables.word(arg);
    let Some(word) = variables.word(name) else { return };
    let mut ratio = || match share.as_deref().map(|share| (share, share.parse().ok())) {
        None => Root::On,
        Some((text, share)) => share.and_then(Root::ratio).unwrap_or_else(|| {
            variables.warn(arg, format!("`{text}` is no number from 0 to 1"));
            Root::On
        }),
    };
    settings.rules.sampler = match word.as_str() {
        "always_on" => Sampler::Always(Root::On),
        "always_off" => Sampler::Always(Root::Off),
        "traceidratio" => Sampler::Always(ratio()),
        "parentbased_always_on" => Sampler::ParentBased(Root::On),
        "parentbased_always_off" => Sampler::ParentBased(Root::Off),
        "parentbased_traceidratio" => Sampler::ParentBased(ratio()),
        _ => return variables.warn(name, format!("`{word}` is not known")),
    };
}

fn batch(settings: &mut Settings, variables: &mut Variables) {
    variables.millis("OTEL_BSP_SCHEDULE_DELAY", &mut settings.schedule_delay);
    variables.millis("OTEL_BSP_EXPORT_TIMEOUT", &mut settings.export_timeout);
    variables.count("OTEL_BSP_MAX_QUEUE_SIZE", &mut settings.rules.queue_max);
    variables.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &mut settings.rules.batch_max);
    settings.rules.batch_max = settings.rules.batch_max.min(settings.rules.queue_max);
}

fn metrics(settings: &mut Settings, variables: &mut Variables) {
    variables.millis("OTEL_METRIC_EXPORT_INTERVAL", &mut settings.metrics_interval);
    variables.millis("OTEL_METRIC_EXPORT_TIMEOUT", &mut settings.metrics_timeout);
    let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    match variables.word(name).map(|word| word.to_ascii_lowercase()).as_deref() {
        None => {}
        Some("cumulative") => settings.temporality = Temporality::Cumulative,
        // Our counters are added to where things happen: for those, both say the same.
        Some("delta" | "lowmemory") => settings.temporality = Temporality::Delta,
        Some(word) => {
            variables.warn(name, format!("`{word}` is not known: cumulative, delta, lowmemory"))
        }
    }
    let name = "OTEL_METRICS_EXEMPLAR_FILTER";
    match variables.word(name).as_deref() {
        None => {}
        Some("trace_based") => settings.exemplars = true,
        Some("always_off") => settings.exemplars = false,
        Some(word) => {
            variables.warn(name, format!("`{word}` is not known: trace_based, always_off"));
        }
    }
    let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    if let Some(word) = variables.word(name).filter(|word| word != "explicit_bucket_histogram") {
        variables.warn(name, format!("`{word}` is not known: explicit_bucket_histogram"));
    }
}

/// `key=value,…`, the values percent-encoded.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
    members
        .map(|member| {
            let (key, value) = member.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let key = percent_decode_str(key.trim()).decode_utf8().ok()?;
            (!key.is_empty()).then(|| (key.into_owned(), value.into_owned()))
        })
        .collect()
}

/// As names of variables have it.
fn word_of(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "TRACES",
        Signal::Metrics => "METRICS",
    }
}
