//! Families of the bridge as a whole: workers, managers, transcripts, what leaves for a collector, configuration and limits.

use super::{
    super::{
        ActionOutcome, ManagerMetrics, Metrics,
        family::{Family, Kind, Sample},
        lock,
    },
    family, histogram, number, sum,
};
use crate::{telemetry::counts::Counts, tls::refused_files};
use std::{sync::Arc, time::SystemTime};

pub(super) fn families(metrics: &Metrics) -> Vec<Family> {
    let mut families = vec![workers(metrics)];
    families.extend(metrics.spans.get().map(|counts| spans(counts)).into_iter().flatten());
    families.extend(metrics.points.get().map(|counts| points(counts)).into_iter().flatten());
    families.extend(managers(metrics));
    families.extend(transcripts(metrics));
    families.extend(config(metrics));
    families.extend(limits(metrics));
    families
}

fn workers(metrics: &Metrics) -> Family {
    let counted = metrics.workers.get().map(|workers| (workers.0)()).unwrap_or_default();
    let samples = counted
        .into_iter()
        .map(|(group, count)| number(vec![("group", group.to_string())], count as f64));
    family(
        ("agibridge.worker.connected", "{worker}"),
        "Workers that are registered, by the groups that routes name.",
        Kind::UpDown,
        samples,
    )
}

fn spans(counts: &Counts) -> [Family; 2] {
    let [exported, queue_full, export_failed] = counts.values();
    [
        family(
            ("agibridge.telemetry.spans.exported", "{span}"),
            "Spans that the collector took.",
            Kind::Counter,
            [number(vec![], exported as f64)],
        ),
        family(
            ("agibridge.telemetry.spans.dropped", "{span}"),
            "Spans that never reached a collector, by the reason.",
            Kind::Counter,
            [dropped("queue_full", queue_full), dropped("export_failed", export_failed)],
        ),
    ]
}

/// Points have no queue: one that does not leave is not kept.
fn points(counts: &Counts) -> [Family; 2] {
    let [exported, _, export_failed] = counts.values();
    [
        family(
            ("agibridge.telemetry.data_points.exported", "{data_point}"),
            "Points of metrics that the collector took.",
            Kind::Counter,
            [number(vec![], exported as f64)],
        ),
        family(
            ("agibridge.telemetry.data_points.dropped", "{data_point}"),
            "Points of metrics that never reached a collector, by the reason.",
            Kind::Counter,
            [dropped("export_failed", export_failed)],
        ),
    ]
}

/// Nothing without an Asterisk in `managers`.
fn managers(metrics: &Metrics) -> Vec<Family> {
    let managers = lock(&metrics.managers).clone();
    if managers.is_empty() {
        return Vec::new();
    }
    let labels = |server: &Arc<str>| vec![("server", server.to_string())];
    let samples = |value: fn(&ManagerMetrics) -> f64| {
        let sample = move |(server, link): (&Arc<str>, &Arc<ManagerMetrics>)| {
            number(vec![("server", server.to_string())], value(link))
        };
        managers.iter().map(sample).collect::<Vec<_>>()
    };
    let actions = managers.iter().flat_map(|(server, link)| {
        link.actions.iter().enumerate().filter_map(move |(outcome, durations)| {
            let totals = sum(std::iter::once(durations))?;
            let outcome = ("outcome", ActionOutcome::text_of(outcome).to_owned());
            Some(histogram(labels(server).into_iter().chain([outcome]).collect(), totals))
        })
    });
    vec![
        family(
            ("agibridge.manager.connected", "{server}"),
            "1 while the link to this Asterisk's manager is logged in, else 0.",
            Kind::Gauge,
            samples(|link| link.connected.value() as f64),
        ),
        family(
            ("agibridge.manager.event", "{event}"),
            "Events of this Asterisk.",
            Kind::Counter,
            samples(|link| link.events.value() as f64),
        ),
        family(
            ("agibridge.manager.event.dropped", "{event}"),
            "Events that a subscriber missed because it was slow; each subscriber counts.",
            Kind::Counter,
            samples(|link| link.dropped.value() as f64),
        ),
        family(
            ("agibridge.manager.stray", "{message}"),
            "Messages that were no event, and no answer that somebody still waited for.",
            Kind::Counter,
            samples(|link| link.stray.value() as f64),
        ),
        family(
            ("agibridge.manager.action.duration", "s"),
            "From an action's way to Asterisk to its answer, the list included.",
            Kind::Histogram,
            actions,
        ),
    ]
}

/// Nothing in a process that writes none.
fn transcripts(metrics: &Metrics) -> Vec<Family> {
    let Some(counts) = metrics.transcripts.get() else { return Vec::new() };
    let [written, queue_full, write_failed] = counts.values();
    let dropped = [("queue_full", queue_full), ("write_failed", write_failed)];
    let dropped =
        dropped.map(|(reason, count)| number(vec![("reason", reason.to_owned())], count as f64));
    vec![
        family(
            ("agibridge.transcripts.written", "{transcript}"),
            "Transcripts of calls that were written to their folder.",
            Kind::Counter,
            [number(vec![], written as f64)],
        ),
        family(
            ("agibridge.transcripts.dropped", "{transcript}"),
            "Transcripts of calls that were lost, by the reason.",
            Kind::Counter,
            dropped,
        ),
    ]
}

fn dropped(reason: &str, count: u64) -> Sample {
    number(vec![("reason", reason.to_owned())], count as f64)
}

fn config(metrics: &Metrics) -> [Family; 5] {
    let config = lock(&metrics.config);
    let version = ("version", env!("CARGO_PKG_VERSION").to_owned());
    let last = config.last.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    let result =
        |result: &str, count: u64| number(vec![("result", result.to_owned())], count as f64);
    [
        family(
            ("agibridge.build.info", ""),
            "1, with the version of the bridge.",
            Kind::Gauge,
            [number(vec![version], 1.0)],
        ),
        family(
            ("agibridge.config.reload.success", ""),
            "1 when the last configuration that was read is in force, 0 when it had faults.",
            Kind::Gauge,
            [number(vec![], f64::from(u8::from(config.in_force)))],
        ),
        family(
            ("agibridge.config.reload.timestamp", "s"),
            "When the configuration in force was read, in Unix time.",
            Kind::Gauge,
            [number(vec![], last.unwrap_or_default().as_secs_f64())],
        ),
        family(
            ("agibridge.config.reload", "{reload}"),
            "Configurations that were read, by whether they came into force.",
            Kind::Counter,
            [result("in_force", config.loads), result("refused", config.failures)],
        ),
        family(
            ("agibridge.tls.files.refused", "{file}"),
            "Changed files of certificates and keys that were not in order, so that those before stayed in force.",
            Kind::Counter,
            [number(vec![], refused_files() as f64)],
        ),
    ]
}

fn limits(metrics: &Metrics) -> [Family; 3] {
    let config = lock(&metrics.config);
    let unix = |at: SystemTime| {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        number(vec![], since.as_secs_f64())
    };
    [
        family(
            ("agibridge.call.limit", "{call}"),
            "Calls that may live at once.",
            Kind::Gauge,
            [number(vec![], config.calls_max as f64)],
        ),
        family(
            ("agibridge.drain.begin.timestamp", "s"),
            "Since when the bridge shuts down, in Unix time; absent until then.",
            Kind::Gauge,
            config.drain.map(|(since, _)| unix(since)),
        ),
        family(
            ("agibridge.drain.deadline.timestamp", "s"),
            "By when a bridge that shuts down ends its calls, in Unix time; absent until then.",
            Kind::Gauge,
            config.drain.map(|(_, deadline)| unix(deadline)),
        ),
    ]
}
