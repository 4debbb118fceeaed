//! Requests of one signal: each is sent again while that may help, given up in time, and its loss counted and told. Knows
//! nothing of what is in them.

use super::{Export, client::Client};
use crate::telemetry::counts::Counts;
use prost::Message;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tracing::warn;

/// What waits at the end has so long to leave.
pub(super) const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_CAP: Duration = Duration::from_secs(8);
/// Losses are told no more often.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// Once it is set: nothing is sent any more from that moment on.
pub(super) type Stop = watch::Receiver<Option<Instant>>;

/// The way of one signal to its collector.
pub(super) struct Delivery {
    client: Client,
    what: &'static str,
    counts: Arc<Counts>,
    stop: Stop,
    end: Option<Instant>,
    report: Report,
}

/// Tells of losses, now and then.
#[derive(Debug, Default)]
struct Report {
    error: Option<String>,
    told: u64,
    at: Option<Instant>,
}

impl Delivery {
    /// `what`: the parts of requests, for people.
    pub(super) fn new(
        export: &Export,
        what: &'static str,
        counts: Arc<Counts>,
        stop: Stop,
    ) -> Self {
        let client = Client::new(export.clone());
        Self { client, what, counts, stop, end: None, report: Report::default() }
    }

    /// Waits until something is `due`, or this is to end. Whether the next requests are the last ones.
    pub(super) async fn is_last(&mut self, due: impl Future<Output = ()>) -> bool {
        tokio::select! {
            () = due => {}
            end = told(self.stop.clone()) => self.end = Some(end),
        }
        self.end.is_some()
    }

    /// Sends a request of `count` parts, for `patience` at most.
    pub(super) async fn send(&mut self, request: &impl Message, count: usize, patience: Duration) {
        let given_up = give_up(self.stop.clone(), self.end, patience);
        let sent = tokio::select! {
            sent = try_to_send(&self.client, request, &mut self.report.error) => sent,
            () = given_up => None,
        };
        match sent {
            Some(taken) => {
                let rejected = taken.rejected.min(count);
                self.counts.exported(count - rejected);
                self.counts.failed(rejected);
                if rejected > 0 {
                    let error = format!("the collector did not want them: {}", taken.message);
                    self.report.error = Some(error);
                }
            }
            None => self.counts.failed(count),
        }
    }

    /// Tells of losses, if there are any and it is time.
    pub(super) fn report(&mut self) {
        let [_, queue_full, export_failed] = self.counts.values();
        let report = &mut self.report;
        let lost = queue_full + export_failed;
        let soon = report.at.is_some_and(|at| at.elapsed() < REPORT_EVERY);
        if lost == report.told || (soon && self.end.is_none()) {
            return;
        }
        warn!(
            name: "agibridge.telemetry.lost",
            lost = lost - report.told,
            queue_full,
            export_failed,
            error = report.error.take(),
            "{} were dropped",
            self.what
        );
        (report.told, report.at) = (lost, Some(Instant::now()));
    }
}

async fn try_to_send(
    client: &Client,
    request: &impl Message,
    error: &mut Option<String>,
) -> Option<super::client::Taken> {
    let mut wait = RETRY_FIRST;
    loop {
        let failure = match client.send(request).await {
            Ok(taken) => return Some(taken),
            Err(failure) => failure,
        };
        *error = Some(failure.to_string());
        if !failure.retry {
            return None;
        }
        sleep(failure.after.unwrap_or(wait)).await;
        wait = (wait * 2).min(RETRY_CAP);
    }
}

async fn give_up(stop: Stop, end: Option<Instant>, patience: Duration) {
    if let Some(end) = end {
        return sleep_until(end).await;
    }
    tokio::select! {
        () = sleep(patience) => {}
        // Told to stop in the middle: what comes after this needs its time too.
        end = told(stop) => sleep_until(end.checked_sub(FLUSH_TIMEOUT / 2).unwrap_or(end)).await,
    }
}

/// When this ends: now, if nobody is left to say so.
async fn told(mut stop: Stop) -> Instant {
    let end = stop.wait_for(Option::is_some).await.ok().and_then(|end| *end);
    end.unwrap_or_else(Instant::now)
}
