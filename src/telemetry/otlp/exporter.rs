//! The thread that sends what waits, and metrics now and then. Knows when, and not what spans and metrics mean.

use super::{
    Settings,
    delivery::{Delivery, FLUSH_TIMEOUT, Stop},
    delta::Deltas,
    encode::{self, metrics::Window},
    settings::Temporality,
};
use crate::telemetry::{counts::Counts, metrics::Metrics, tracer::Tracing};
use std::{
    io,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::warn;
use uuid::Uuid;

/// Spans and metrics leave as long as this is there.
#[derive(Debug)]
pub struct Exporter {
    tracing: Option<Arc<Tracing>>,
    stop: watch::Sender<Option<Instant>>,
    thread: JoinHandle<()>,
}

/// Begins to send spans that will wait, and `metrics`, on a thread of its own; `None` when there is nowhere to send them.
///
/// # Errors
/// When there is no thread.
pub fn start(settings: &Settings, metrics: &Arc<Metrics>) -> io::Result<Option<Exporter>> {
    let (stop, stopped) = watch::channel(None);
    let resource: Arc<[_]> = resource(settings).into();
    let spans = Spans::new(settings, &resource, &stopped);
    let points = Points::new(settings, metrics, &resource, &stopped);
    if spans.is_none() && points.is_none() {
        return Ok(None);
    }
    let tracing = spans.as_ref().map(|spans| Arc::clone(&spans.tracing));
    if let Some(tracing) = &tracing {
        metrics.count_spans(tracing.counts());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = async {
        tokio::join!(
            async {
                if let Some(spans) = spans {
                    spans.run().await;
                }
            },
            async {
                if let Some(points) = points {
                    points.run().await;
                }
            },
        );
    };
    let thread = std::thread::Builder::new()
        .name("telemetry".to_owned())
        .spawn(move || runtime.block_on(run))?;
    Ok(Some(Exporter { tracing, stop, thread }))
}

impl Exporter {
    /// Where calls leave their spans; none where only metrics are exported.
    pub fn tracing(&self) -> Option<&Arc<Tracing>> {
        self.tracing.as_ref()
    }

    /// Sends what waits, and the last metrics, within 5 s, and ends.
    pub async fn finish(self) {
        self.stop.send_replace(Some(Instant::now() + FLUSH_TIMEOUT));
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join().is_ok());
        let patience = FLUSH_TIMEOUT + Duration::from_millis(500);
        if !matches!(timeout(patience, joined).await, Ok(Ok(true))) {
            warn!("the telemetry thread did not end well");
        }
    }
}

/// Sends spans in batches.
struct Spans {
    tracing: Arc<Tracing>,
    delivery: Delivery,
    resource: Arc<[(String, String)]>,
    batch_max: usize,
    schedule_delay: Duration,
    timeout: Duration,
}

impl Spans {
    fn new(settings: &Settings, resource: &Arc<[(String, String)]>, stop: &Stop) -> Option<Self> {
        let export = settings.traces.as_ref()?;
        let tracing = Tracing::new(settings.rules);
        let counts = Arc::clone(tracing.counts());
        Some(Self {
            tracing,
            delivery: Delivery::new(export, "spans", counts, stop.clone()),
            resource: Arc::clone(resource),
            batch_max: settings.rules.batch_max.max(1),
            schedule_delay: settings.schedule_delay,
            timeout: settings.export_timeout,
        })
    }

    async fn run(mut self) {
        loop {
            let due = async {
                tokio::select! {
                    () = sleep(self.schedule_delay) => {}
                    () = self.tracing.is_batch() => {}
                }
            };
            let last = self.delivery.is_last(due).await;
            for batch in self.tracing.take().chunks(self.batch_max) {
                let request = encode::spans::request(batch, &self.resource);
                self.delivery.send(&request, batch.len(), self.timeout).await;
            }
            self.delivery.report();
            if last {
                return;
            }
        }
    }
}

/// Sends points of metrics, all of them each time.
struct Points {
    metrics: Arc<Metrics>,
    delivery: Delivery,
    resource: Arc<[(String, String)]>,
    interval: Duration,
    timeout: Duration,
    temporality: Temporality,
    deltas: Deltas,
    last: SystemTime,
}

impl Points {
    fn new(
        settings: &Settings,
        metrics: &Arc<Metrics>,
        resource: &Arc<[(String, String)]>,
        stop: &Stop,
    ) -> Option<Self> {
        let export = settings.metrics.as_ref()?;
        let counts = Arc::<Counts>::default();
        metrics.count_points(&counts);
        Some(Self {
            metrics: Arc::clone(metrics),
            delivery: Delivery::new(export, "points of metrics", counts, stop.clone()),
            resource: Arc::clone(resource),
            interval: settings.metrics_interval,
            timeout: settings.metrics_timeout,
            temporality: settings.temporality,
            deltas: Deltas::default(),
            last: metrics.since(),
        })
    }

    async fn run(mut self) {
        let mut due = Instant::now();
        loop {
            // At a steady pace; what took longer than a turn costs that turn.
            due = (due + self.interval).max(Instant::now());
            let last = self.delivery.is_last(sleep_until(due)).await;
            self.export().await;
            self.delivery.report();
            if last {
                return;
            }
        }
    }

    async fn export(&mut self) {
        let now = SystemTime::now();
        let mut families = self.metrics.families();
        match self.temporality {
            Temporality::Cumulative => {}
            Temporality::Delta => self.deltas.since_last(&mut families),
        }
        let window = Window {
            temporality: self.temporality,
            start: self.metrics.since(),
            last: std::mem::replace(&mut self.last, now),
            now,
        };
        for (request, points) in encode::metrics::requests(&families, &window, &self.resource) {
            self.delivery.send(&request, points, self.timeout).await;
        }
    }
}

/// The bridge's own attributes, unless they are set.
fn resource(settings: &Settings) -> Vec<(String, String)> {
    let own = [
        ("service.name", "agibridge".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", Uuid::new_v4().to_string()),
    ];
    let is_set = |key: &str| settings.resource.iter().any(|(known, _)| known == key);
    let own = own.into_iter().filter(|(key, _)| !is_set(key));
    own.map(|(key, value)| (key.to_owned(), value))
        .chain(settings.resource.iter().cloned())
        .collect()
}
