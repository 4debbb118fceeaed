//! One call's task: carries bytes between its session and the manager. What they mean is known to [`Wire`].

use super::{
    claim::Sign,
    wire::{Command, Wire},
};
use crate::ami::{Action, ActionError, Link, SendError};
use bytes::BytesMut;
use std::{future::Future, io, pin::Pin, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{debug, warn};

/// For Asterisk to say that it has queued a command.
pub(super) const ACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// While the link has more to do than it takes, it is asked again so often.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// From the end of the AGI session until Asterisk says why, and for the session to ask after the channel.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_millis(500);
/// Lines that wait for Asterisk, in bytes.
pub(super) const PIPE_BYTES: usize = 64 * 1024;
/// Read from the session at once.
const CHUNK: usize = 4096;

/// What the events say of a call.
#[derive(Debug)]
pub(super) enum Heard {
    /// Our command of this number was done, and this is what it said.
    Done { number: u64, result: Vec<u8> },
    /// The channel is being hung up.
    HangUp,
    /// The AGI session is over.
    Ended { channel_state: u32 },
    /// What AGISTATUS says.
    Status(String),
}

/// The channel of a call, and what its commands are called.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    pub(super) link: Link,
    pub(super) unique_id: String,
    pub(super) bridge: String,
    /// Tells this session from others on the same channel.
    pub(super) session: u64,
}

/// Why a command did not come into the queue.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Action(#[from] ActionError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("asterisk refused the command: {0}")]
    Refused(String),
}

type Sending = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;

/// Runs until the AGI session is over, and the session on the other end of `pipe`, which reads `first` before all else, knows it.
pub(super) async fn run(
    channel: Channel,
    pipe: DuplexStream,
    mut heard: mpsc::Receiver<Heard>,
    first: Vec<u8>,
) {
    let (mut read, mut write) = tokio::io::split(pipe);
    let mut wire = Wire::new();
    let mut chunk = vec![0; CHUNK];
    let mut out = BytesMut::from(&*first);
    let (mut is_read, mut is_heard) = (true, true);
    let mut sending: Option<Sending> = None;
    let mut last_words = None;
    while !wire.is_over() {
        out.extend_from_slice(&wire.take_said());
        if sending.is_none() {
            sending = wire.poll_send().map(|command| send(channel.clone(), command));
        }
        if wire.is_ending() {
            end_soon(&mut last_words);
        }
        tokio::select! {
            count = read.read(&mut chunk), if is_read => match count {
                Ok(0) | Err(_) => {
                    is_read = false;
                    wire.half_close();
                }
                Ok(count) => wire.write(&chunk[..count]),
            },
            written = write.write_buf(&mut out), if !out.is_empty() => {
                let _: io::Result<usize> = written.inspect_err(|_| out.clear());
            }
            Some(sent) = async { Some(sending.as_mut()?.await) }, if sending.is_some() => {
                sending = None;
                match sent {
                    Ok(()) => {}
                    // The channel is gone, or elsewhere: the events tell which.
                    Err(Fault::Refused(_)) => end_soon(&mut last_words),
                    Err(fault @ (Fault::Action(_) | Fault::Send(_))) => {
                        debug!(channel = channel.unique_id, %fault, "an async AGI call is lost");
                        wire.cut();
                    }
                }
            }
            event = heard.recv(), if is_heard => match event {
                Some(Heard::Done { number, result }) => wire.done(number, &result),
                Some(Heard::HangUp) => wire.hang_up(),
                Some(Heard::Ended { channel_state }) => wire.ended(channel_state),
                Some(Heard::Status(agistatus)) => wire.status(&agistatus),
                // The channel is gone, or the link; what is left to say is said.
                None => {
                    is_heard = false;
                    if wire.is_ending() {
                        end_soon(&mut last_words);
                    } else {
                        wire.cut();
                    }
                }
            },
            () = sleep_until(last_words.unwrap_or_else(Instant::now)), if last_words.is_some() => wire.cut(),
        }
    }
    out.extend_from_slice(&wire.take_said());
    // A session that does not read is over too.
    let _ = timeout(LAST_WORDS_TIMEOUT, write.write_all(&out)).await;
}

fn end_soon(last_words: &mut Option<Instant>) {
    last_words.get_or_insert_with(|| Instant::now() + LAST_WORDS_TIMEOUT);
}

/// Queues a command at the channel. To be in order, one is sent after the other.
fn send(channel: Channel, command: Command) -> Sending {
    let number = format!("{}.{}", channel.session, command.number);
    Box::pin(async move { queue(&channel, Sign::Command(&number), &command.line).await })
}

/// Has Asterisk queue a NOOP that says who wants what of the channel.
pub(super) async fn sign(channel: Channel, sign: Sign<'static>) {
    let queued = queue(&channel, sign, "NOOP").await;
    if matches!(&queued, Err(Fault::Refused(why)) if why.contains("ermission")) {
        warn!(server = %channel.link.server(), "async AGI calls cannot be taken: the manager's user must have `agi` in `write` of manager.conf");
    }
    if let Err(fault) = queued {
        debug!(channel = channel.unique_id, %fault, ?sign, "no word to an async AGI call");
    }
}

async fn queue(channel: &Channel, sign: Sign<'_>, line: &str) -> Result<(), Fault> {
    let action = Action::new("AGI")?
        .header("Channel", &channel.unique_id)?
        .header("Command", line)?
        .header("CommandID", &sign.id(&channel.bridge))?;
    let deadline = Instant::now() + ACTION_TIMEOUT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match channel.link.send_spanless(&action, left).await {
            Ok(reply) if reply.is_success() => return Ok(()),
            Ok(reply) => return Err(Fault::Refused(reply.message().to_owned())),
            Err(SendError::Busy { .. }) if Instant::now() + BUSY_PAUSE < deadline => {
                sleep(BUSY_PAUSE).await;
            }
            // The event of it tells whether it was done.
            Err(SendError::TimedOut { .. }) => return Ok(()),
            Err(fault) => return Err(fault.into()),
        }
    }
}

/// The number of a command of this session.
pub(super) fn number(what: &str, session: u64) -> Option<u64> {
    let (of, number) = what.split_once('.')?;
    (of.parse() == Ok(session)).then(|| number.parse().ok())?
}
