//! A connection that is logged in: actions go out, answers and events come in, and pings tell a dead one. Events never hold an action
//! up: both directions go on at once, and nobody is waited for.

use super::{
    connect::Wire,
    event::Event,
    hub::Hub,
    link::{Job, Link},
    packet::{Action, Incoming, Message, NoManager, Reader},
    pending::Pending,
};
use crate::telemetry::metrics::ManagerMetrics;
use bytes::BytesMut;
use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, WriteHalf},
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};
use tracing::debug;

/// How often Asterisk is asked for a sign of life.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Nothing was heard for so long: the link is dead. Together with the retry it is found within 20 s.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// Actions are taken from the queue while less than this waits to be written, in bytes.
const UNWRITTEN_MAX: usize = 64 * 1024;

/// Read at once, in bytes: about a hundred events.
const CHUNK: usize = 64 * 1024;

/// A session has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("asterisk closed the connection")]
    Closed,
    #[error("the link is dead: nothing was heard for {SILENCE_MAX:?}, pings are not answered")]
    Silent,
    #[error(transparent)]
    NoManager(#[from] NoManager),
    #[error("the link is not wanted any more")]
    Unwanted,
}

/// One session.
pub(super) struct Session<'a> {
    pub(super) server: &'a Arc<str>,
    pub(super) reader: Reader,
    pub(super) jobs: &'a mut mpsc::Receiver<Job>,
    pub(super) hub: &'a Hub,
    pub(super) metrics: &'a ManagerMetrics,
}

impl Session<'_> {
    /// Until it ends. Whoever waits for an answer then is told nothing, which means that it is lost.
    pub(super) async fn serve(mut self, wire: Box<dyn Wire>) -> ServeError {
        match self.run(wire).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn run(&mut self, wire: Box<dyn Wire>) -> Result<std::convert::Infallible, ServeError> {
        let (mut read, mut write) = tokio::io::split(wire);
        let mut pending = Pending::new(self.server);
        let mut out = Out::default();
        let mut chunk = vec![0; CHUNK];
        let mut heard = Instant::now();
        let mut pings = interval_at(heard + PING_INTERVAL, PING_INTERVAL);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What came with the last answer of the login.
        self.take(&mut pending)?;
        loop {
            tokio::select! {
                count = read.read(&mut chunk) => {
                    let count = count?;
                    if count == 0 {
                        return Err(ServeError::Closed);
                    }
                    self.reader.push(&chunk[..count]);
                    if self.take(&mut pending)? {
                        heard = Instant::now();
                    }
                }
                written = out.write_to(&mut write), if out.is_waiting() => written?,
                job = self.jobs.recv(), if out.bytes.len() < UNWRITTEN_MAX => {
                    out.add(job.ok_or(ServeError::Unwanted)?, &mut pending);
                }
                _ = pings.tick() => out.ping(&mut pending),
                () = sleep_until(heard + SILENCE_MAX) => return Err(ServeError::Silent),
            }
        }
    }

    /// Takes every message that is whole. False: there was none.
    fn take(&mut self, pending: &mut Pending) -> Result<bool, NoManager> {
        let now = SystemTime::now();
        let mut any = false;
        while let Some(incoming) = self.reader.take()? {
            match incoming {
                Incoming::Message(message) => self.message(message, now, pending),
                // The reader gives it once, and that was during the login.
                Incoming::Banner(_) => {}
            }
            any = true;
        }
        Ok(any)
    }

    fn message(&self, message: Message, received_at: SystemTime, pending: &mut Pending) {
        if message.is_cut {
            debug!(server = %self.server, "a message of asterisk was too long, and is cut");
        }
        if message.event().is_some() {
            self.metrics.event();
            if let Some(Message { headers, .. }) = pending.event(message, received_at) {
                let event = Event::new(self.server, received_at, headers);
                self.metrics.events_dropped(self.hub.publish(event));
            }
        } else if message.response().is_none() || !pending.response(message) {
            // A late answer, or what a value with line breaks made up.
            self.metrics.stray();
        }
    }
}

/// What is to be written.
#[derive(Default)]
struct Out {
    bytes: BytesMut,
    unflushed: bool,
}

impl Out {
    fn is_waiting(&self) -> bool {
        self.unflushed || !self.bytes.is_empty()
    }

    fn add(&mut self, job: Job, pending: &mut Pending) {
        if pending.has(&job.id) {
            let _ = job.answer.send(Err(super::ActionError::IdInUse));
        } else if job.progress.write() {
            self.bytes.extend_from_slice(&job.bytes);
            pending.add(job.id, job.answer);
        }
    }

    /// Not while another waits to be written: nobody reads there.
    fn ping(&mut self, pending: &mut Pending) {
        let id = Link::fresh_id();
        let ping = Action::new("Ping").and_then(|ping| ping.encode(&id));
        if let (Ok(ping), true) = (ping, self.bytes.is_empty()) {
            self.bytes.extend_from_slice(&ping);
            pending.ping(id);
        }
    }

    /// Writes some. May be dropped and called again.
    async fn write_to(&mut self, write: &mut WriteHalf<Box<dyn Wire>>) -> io::Result<()> {
        if self.bytes.is_empty() {
            write.flush().await?;
            self.unflushed = false;
        } else if write.write_buf(&mut self.bytes).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        } else {
            self.unflushed = true;
        }
        Ok(())
    }
}
