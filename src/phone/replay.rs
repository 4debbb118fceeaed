//! The simulated phone without a phone: it plays Asterisk's side of a transcript, and compares what the AGI server says with
//! what was recorded. The core is pure, as [`super::session`]: bytes and `now` go in, bytes come out.
//!
//! What Asterisk said comes as long after the step before it as it came then; but never later than the server's next line,
//! which then found it said. What the server says is awaited, and compared in order.

use super::{
    Entry, Error, Observer,
    address::Address,
    drive::{Clock, Log, connect},
    transcript::Speaker,
};
use crate::transcript::{Heard, Transcript, What, decode};
use std::{collections::VecDeque, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, sleep_until, timeout},
};

/// A server that does not read is at fault.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);
/// A line of a server that never ends; Asterisk takes 8 KiB.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Lines of a server that wait to be compared.
const LINES_MAX: usize = 100;

/// How a transcript is played.
#[derive(Debug, Clone, Copy)]
pub struct ReplayOptions {
    /// How much faster than it was recorded, above 0.
    pub speed: f64,
    /// How long the server may take for its next line, in the call's own time.
    pub timeout: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Commands that were compared.
    pub commands: usize,
    /// Where the server did otherwise, in order.
    pub differences: Vec<Difference>,
    /// The transcript has no end: what follows could not be compared.
    pub is_cut: bool,
}

/// One thing that the server did otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The line of the transcript, from 1.
    pub line: usize,
    /// What was recorded.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl Replayed {
    /// Whether the server did as it was recorded.
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Plays a transcript to whoever answers at `url`, and waits until one of them is at its end.
///
/// # Errors
/// When the URL is no AGI URL, the speed no speed, or nothing answers.
pub async fn replay(
    transcript: &Transcript,
    url: &str,
    options: ReplayOptions,
    observer: impl FnMut(&Entry) + Send + 'static,
) -> Result<Replayed, Error> {
    if !(options.speed.is_finite() && options.speed > 0.0) {
        return Err(Error::Options("the speed must be a number above 0".into()));
    }
    let address: Address = url.parse()?;
    let mut socket = connect(&address).await?;
    let clock = Clock { began: Instant::now(), speed: options.speed };
    let observer: Observer = Box::new(observer);
    let mut log = Log { entries: Vec::new(), observer: Some(observer), partial: Vec::new() };
    let mut replay = Replay::new(transcript, &address, options.timeout);
    let mut buffer = vec![0; 16 * 1024];
    let mut open = true;
    loop {
        replay.advance(clock.now());
        let bytes = std::mem::take(&mut replay.output);
        if !bytes.is_empty() {
            log.sent(&bytes, clock.now());
            // A broken connection shows when it is read.
            if timeout(WRITE_TIMEOUT, socket.write_all(&bytes)).await.is_err() {
                replay.differ("the server reads".to_owned(), "it does not".to_owned());
            }
        }
        if replay.is_over {
            break;
        }
        let wake = replay.deadline().map(|due| clock.instant(due));
        tokio::select! {
            read = socket.read(&mut buffer), if open => match read {
                Ok(count) if count > 0 => {
                    log.received(&buffer[..count], clock.now());
                    replay.handle_bytes(&buffer[..count]);
                }
                ended => {
                    open = false;
                    log.closed(ended.err(), clock.now());
                    replay.closed = true;
                }
            },
            () = sleep_until(wake.unwrap_or(clock.began)), if wake.is_some() => {}
        }
    }
    log.add(clock.now(), Speaker::Caller, "the transcript is played".to_owned());
    let _ = timeout(WRITE_TIMEOUT, socket.shutdown()).await;
    Ok(replay.result)
}

/// A transcript as it is played.
struct Replay<'a> {
    transcript: &'a Transcript,
    /// The step that comes next.
    place: usize,
    /// When the step before it was done.
    since: Duration,
    patience: Duration,
    /// Lines of the server that are not compared yet.
    lines: VecDeque<Vec<u8>>,
    partial: Vec<u8>,
    /// The server said all that it will.
    closed: bool,
    /// Of the last command, for its reply.
    mark: Vec<u8>,
    output: Vec<u8>,
    is_over: bool,
    result: Replayed,
}

impl<'a> Replay<'a> {
    fn new(transcript: &'a Transcript, address: &Address, patience: Duration) -> Self {
        Self {
            transcript,
            place: 0,
            since: Duration::ZERO,
            patience,
            lines: VecDeque::new(),
            partial: Vec::new(),
            closed: false,
            mark: Vec::new(),
            output: prelude(transcript, address),
            is_over: false,
            result: Replayed::default(),
        }
    }

    fn handle_bytes(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if self.partial.last() == Some(&b'\n') {
                self.partial.pop();
                self.lines.push_back(std::mem::take(&mut self.partial));
            }
            if self.partial.len() > LINE_BYTES_MAX || self.lines.len() > LINES_MAX {
                return self.differ(self.expected(), "more than any server says at once".into());
            }
        }
    }

    /// Does all that can be done by now.
    fn advance(&mut self, now: Duration) {
        while !self.is_over && self.step(now) {}
    }

    /// When there is something to do, though nothing comes.
    fn deadline(&self) -> Option<Duration> {
        let step = self.transcript.steps.get(self.place)?;
        let due = self.since + step.after;
        Some(match step.what {
            What::Said(_) | What::AsteriskCloses | What::Cut => due,
            What::Command(_) | What::ServerCloses => due + self.patience,
        })
    }

    /// False when it must be waited.
    fn step(&mut self, now: Duration) -> bool {
        let Some(step) = self.transcript.steps.get(self.place) else {
            self.is_over = true;
            return false;
        };
        let is_due = now >= self.since + step.after || !self.lines.is_empty();
        let is_late = now >= self.since + step.after + self.patience;
        match &step.what {
            What::Said(text) => {
                // What Asterisk says behind the end of the session is heard by nobody.
                if !is_due && !self.is_left() {
                    return false;
                }
                self.output.extend(decode(text, &self.mark));
                self.output.push(b'\n');
            }
            What::Command(recorded) => match self.lines.pop_front() {
                Some(line) => {
                    let heard = Heard::new(&line);
                    self.mark.clone_from(&heard.mark);
                    self.compare(recorded, &heard);
                }
                None if self.closed => self.differ(recorded.clone(), ENDS.to_owned()),
                None if is_late => self.differ(recorded.clone(), self.nothing()),
                None => return false,
            },
            What::ServerCloses => match self.lines.pop_front() {
                Some(line) => self.differ(ENDS.to_owned(), Heard::new(&line).text),
                None if self.closed => {}
                None if is_late => self.differ(ENDS.to_owned(), self.nothing()),
                None => return false,
            },
            What::AsteriskCloses => {
                if !is_due && !self.is_left() {
                    return false;
                }
                self.is_over = true;
            }
            What::Cut => {
                self.result.is_cut = true;
                self.is_over = true;
            }
        }
        self.place += 1;
        self.since = now;
        true
    }

    /// The server has closed where it was recorded to.
    fn is_left(&self) -> bool {
        let before = &self.transcript.steps[..self.place];
        self.closed && before.iter().any(|step| step.what == What::ServerCloses)
    }

    fn compare(&mut self, recorded: &str, heard: &Heard) {
        self.result.commands += 1;
        if self.transcript.fits(recorded, heard) {
            return;
        }
        // The reply to another command fits no more; that to the same one with other words mostly does.
        let is_same = Heard::new(&decode(recorded, b"")).name == heard.name && heard.name.is_some();
        let is_over = self.is_over;
        self.differ(recorded.to_owned(), heard.text.clone());
        self.is_over = is_over || !is_same;
    }

    fn expected(&self) -> String {
        let step = self.transcript.steps.get(self.place);
        match step.map(|step| &step.what) {
            Some(What::Command(text)) => text.clone(),
            Some(What::Said(_) | What::ServerCloses | What::AsteriskCloses | What::Cut) | None => {
                ENDS.to_owned()
            }
        }
    }

    fn nothing(&self) -> String {
        format!("nothing within {:.0} s", self.patience.as_secs_f64())
    }

    fn differ(&mut self, expected: String, got: String) {
        let line = self.transcript.steps.get(self.place).map_or(0, |step| step.line);
        self.result.differences.push(Difference { line, expected, got });
        self.is_over = true;
    }
}

const ENDS: &str = "the end of the session";

/// The block that opens the session: as it was, but for where it leads.
fn prelude(transcript: &Transcript, address: &Address) -> Vec<u8> {
    let recorded = transcript.prelude.iter().find(|(key, _)| key == "agi_network_script");
    let recorded = recorded.map(|(_, script)| decode(script, b"")).unwrap_or_default();
    let (script, url) = if address.script.is_empty() {
        let url = [address.url.trim_end_matches('/').as_bytes(), b"/", &recorded[..]].concat();
        (recorded, url)
    } else {
        (address.script.clone().into_bytes(), address.url.clone().into_bytes())
    };
    let mut bytes = Vec::new();
    for (key, value) in &transcript.prelude {
        let value = match key.as_str() {
            "agi_network_script" => script.clone(),
            "agi_request" => url.clone(),
            _ => decode(value, b""),
        };
        bytes.extend([key.as_bytes(), b": ", &value[..], b"\n"].concat());
    }
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests;
