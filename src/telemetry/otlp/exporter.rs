//! The thread that sends what waits, batch by batch, and counts what it must drop. Knows when, and not what spans mean.

use super::{Settings, client::Client, encode};
use crate::telemetry::{
    span::Span,
    tracer::{Counts, Tracing},
};
use std::{io, sync::Arc, thread::JoinHandle, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::warn;
use uuid::Uuid;

/// What waits at the end has so long to leave.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_CAP: Duration = Duration::from_secs(8);
/// Losses are told no more often.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// Spans leave as long as this is there.
#[derive(Debug)]
pub struct Exporter {
    tracing: Arc<Tracing>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

/// Begins to send what will wait, on a thread of its own; `None` when there is nowhere to send it.
///
/// # Errors
/// When there is no thread.
pub fn start(settings: &Settings) -> io::Result<Option<Exporter>> {
    let Some(export) = &settings.export else { return Ok(None) };
    let tracing = Tracing::new(settings.rules);
    let (stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let loop_ = Loop {
        tracing: Arc::clone(&tracing),
        client_of: export.clone(),
        resource: resource(settings),
        batch_max: settings.rules.batch_max.max(1),
        schedule_delay: settings.schedule_delay,
        export_timeout: settings.export_timeout,
        stopped,
    };
    let thread = std::thread::Builder::new()
        .name("telemetry".to_owned())
        .spawn(move || runtime.block_on(loop_.run()))?;
    Ok(Some(Exporter { tracing, stop, thread }))
}

impl Exporter {
    /// Where calls leave their spans.
    pub fn tracing(&self) -> &Arc<Tracing> {
        &self.tracing
    }

    /// Sends what waits, within 5 s, and ends.
    pub async fn finish(self) {
        self.stop.send_replace(true);
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join().is_ok());
        let patience = FLUSH_TIMEOUT + Duration::from_millis(500);
        if !matches!(timeout(patience, joined).await, Ok(Ok(true))) {
            warn!("the telemetry thread did not end well");
        }
    }
}

struct Loop {
    tracing: Arc<Tracing>,
    client_of: super::Export,
    resource: Vec<(String, String)>,
    batch_max: usize,
    schedule_delay: Duration,
    export_timeout: Duration,
    stopped: watch::Receiver<bool>,
}

impl Loop {
    async fn run(mut self) {
        let client = Client::new(self.client_of.clone());
        let counts = Arc::clone(self.tracing.counts());
        let mut report = Report::default();
        loop {
            let mut stopped = self.stopped.clone();
            tokio::select! {
                () = sleep(self.schedule_delay) => {}
                () = self.tracing.is_batch() => {}
                _ = stopped.wait_for(|stop| *stop) => {}
            }
            let last = *self.stopped.borrow();
            let deadline = Instant::now() + FLUSH_TIMEOUT;
            let spans = self.tracing.take();
            for batch in spans.chunks(self.batch_max) {
                self.export(&client, batch, last.then_some(deadline), &mut report).await;
            }
            if last {
                report.tell(&counts, true);
                return;
            }
            report.tell(&counts, false);
        }
    }

    /// Sends a batch, again and again if the collector may take it later; and then no more.
    async fn export(
        &mut self,
        client: &Client,
        batch: &[Span],
        by: Option<Instant>,
        report: &mut Report,
    ) {
        let request = encode::request(batch, &self.resource);
        let counts = Arc::clone(self.tracing.counts());
        let give_up = by.unwrap_or_else(|| Instant::now() + self.export_timeout);
        let mut stopped = self.stopped.clone();
        let patience = async {
            tokio::select! {
                () = sleep_until(give_up) => {}
                // Told to stop in the middle: a last try, and no more.
                _ = async {
                    let _ = stopped.wait_for(|stop| *stop).await;
                    sleep(FLUSH_TIMEOUT / 2).await;
                }, if by.is_none() => {}
            }
        };
        let sending = async {
            let mut wait = RETRY_FIRST;
            loop {
                let failure = match client.send(&request).await {
                    Ok(taken) => return Ok(taken),
                    Err(failure) => failure,
                };
                report.error = Some(failure.to_string());
                if !failure.retry {
                    return Err(failure);
                }
                sleep(failure.after.unwrap_or(wait)).await;
                wait = (wait * 2).min(RETRY_CAP);
            }
        };
        let sent = tokio::select! {
            sent = sending => sent.ok(),
            () = patience => None,
        };
        match sent {
            Some(taken) => {
                let rejected = taken.rejected.min(batch.len());
                counts.exported(batch.len() - rejected);
                counts.failed(rejected);
                if rejected > 0 {
                    report.error =
                        Some(format!("the collector did not want them: {}", taken.message));
                }
            }
            None => counts.failed(batch.len()),
        }
    }
}

/// Tells of losses, now and then.
#[derive(Debug, Default)]
struct Report {
    error: Option<String>,
    told: u64,
    at: Option<Instant>,
}

impl Report {
    fn tell(&mut self, counts: &Counts, at_last: bool) {
        let [_, queue_full, export_failed] = counts.values();
        let lost = queue_full + export_failed;
        let soon = self.at.is_some_and(|at| at.elapsed() < REPORT_EVERY);
        if lost == self.told || (soon && !at_last) {
            return;
        }
        warn!(
            name: "agibridge.telemetry.lost",
            spans = lost - self.told,
            queue_full,
            export_failed,
            error = self.error.take(),
            "spans were dropped"
        );
        (self.told, self.at) = (lost, Some(Instant::now()));
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
