//! Bytes, as they come, cut into messages. Nothing that comes is an error but a greeting that is none: what is too long is
//! cut and says so, what fits nothing is left to whoever takes the messages. Memory is bounded whatever comes.
//!
//! Asterisk escapes line breaks in events, but not everywhere: Getvar writes a value as it is. A line without a name is taken
//! for a value that goes on. A value that looks like a header, or like a message, cannot be told from one.

use super::message::{Headers, Message};
use bytes::{Buf as _, BytesMut};
use std::mem;

/// How much of what comes is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of a line, in bytes, without its line feed; the rest of it is dropped.
    pub line_bytes_max: usize,
    /// Of a message; more are dropped. A line of output is one.
    pub headers_max: usize,
    /// Of all lines of a message, in bytes.
    pub message_bytes_max: usize,
}

/// Reads one connection.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    /// What came and is no whole line yet.
    bytes: BytesMut,
    searched: usize,
    /// The begin of a line that is too long; the rest of it is being dropped.
    overlong: Option<BytesMut>,
    phase: Phase,
    draft: Draft,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// The greeting, which comes first and once.
    Banner(Banner),
    /// A response or an event, or something that is neither.
    Message(Message),
}

/// Asterisk's greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// Of the protocol, as `11.0.0`; not that of Asterisk.
    pub version: String,
}

/// Whoever listens there is no manager of Asterisk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no Asterisk manager port: it says `{0}`")]
pub struct NoManager(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Banner,
    /// `raw_output`: a protocol before 3.0, which ends the output of a command by a mark.
    Messages {
        raw_output: bool,
    },
}

/// The message that is being read.
#[derive(Debug, Default)]
struct Draft {
    message: Message,
    bytes: usize,
    output: RawOutput,
}

/// The output of a command in a protocol before 3.0.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum RawOutput {
    #[default]
    None,
    /// Only headers came so far.
    Awaited,
    Running,
}

struct Line {
    bytes: BytesMut,
    is_cut: bool,
}

const GREETING: &str = "Asterisk Call Manager/";
const END_OF_OUTPUT: &str = "--END COMMAND--";
/// Output is a header in protocols from this one on.
const OUTPUT_SINCE: u32 = 3;
/// Shown of a greeting that is none, in characters.
const SHOWN_MAX: usize = 60;

impl Default for Limits {
    fn default() -> Self {
        Self { line_bytes_max: 65_536, headers_max: 65_536, message_bytes_max: 4 << 20 }
    }
}

impl Reader {
    /// At the begin of a connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: BytesMut::new(),
            searched: 0,
            overlong: None,
            phase: Phase::Banner,
            draft: Draft::default(),
        }
    }

    /// These came. Take what there is by [`Self::take`] before more is pushed: what was not taken is kept.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What is whole by now; `None`: more must come.
    ///
    /// # Errors
    /// When the other side is no manager of Asterisk.
    pub fn take(&mut self) -> Result<Option<Incoming>, NoManager> {
        while let Some(line) = self.line() {
            let text = String::from_utf8_lossy(&line.bytes);
            let Phase::Messages { raw_output } = self.phase else {
                let banner = banner(&text, line.is_cut)?;
                self.phase = Phase::Messages { raw_output: banner.major() < OUTPUT_SINCE };
                return Ok(Some(Incoming::Banner(banner)));
            };
            if let Some(message) = self.draft.take(&text, line.is_cut, raw_output, &self.limits) {
                return Ok(Some(Incoming::Message(message)));
            }
        }
        match self.phase {
            // Somebody who talks on and on without greeting is not waited for.
            Phase::Banner if self.overlong.is_some() => {
                let begin = self.overlong.as_deref().unwrap_or_default();
                Err(NoManager(shown(&String::from_utf8_lossy(begin))))
            }
            Phase::Banner | Phase::Messages { .. } => Ok(None),
        }
    }

    /// The next whole line, without its line feed and the CR before it.
    fn line(&mut self) -> Option<Line> {
        let max = self.limits.line_bytes_max;
        let Some(found) = self.bytes[self.searched..].iter().position(|&byte| byte == b'\n') else {
            if self.overlong.is_some() {
                self.bytes.clear();
            } else if self.bytes.len() > max {
                self.overlong = Some(self.bytes.split_to(max));
                self.bytes.clear();
            }
            self.searched = self.bytes.len();
            return None;
        };
        let mut bytes = self.bytes.split_to(self.searched + found);
        self.bytes.advance(1);
        self.searched = 0;
        if let Some(begin) = self.overlong.take() {
            return Some(Line { bytes: begin, is_cut: true });
        }
        let is_cut = bytes.len() > max;
        bytes.truncate(max);
        if !is_cut && bytes.last() == Some(&b'\r') {
            bytes.truncate(bytes.len() - 1);
        }
        Some(Line { bytes, is_cut })
    }
}

impl Banner {
    fn major(&self) -> u32 {
        let major = self.version.split('.').next().and_then(|major| major.parse().ok());
        major.unwrap_or(OUTPUT_SINCE)
    }
}

impl Draft {
    /// Takes a line; gives the message that it ends.
    fn take(
        &mut self,
        line: &str,
        is_cut: bool,
        raw_output: bool,
        limits: &Limits,
    ) -> Option<Message> {
        if self.output != RawOutput::None {
            self.take_output(line, is_cut, limits);
            return None;
        }
        if line.is_empty() {
            // Blank lines between messages mean nothing.
            return (!self.message.headers.is_empty()).then(|| self.finish());
        }
        self.message.is_cut |= is_cut;
        let is_first = self.message.headers.is_empty();
        if let Some((name, value)) = header(line) {
            self.add(line.len(), limits, |headers| headers.push(name, value));
            if raw_output && is_first && is_follows(name, value) {
                self.output = RawOutput::Awaited;
            }
        } else if is_first {
            // A message that begins so is nobody's.
            self.add(line.len(), limits, |headers| headers.push("", line));
        } else {
            self.add(line.len(), limits, |headers| headers.continue_last(line));
        }
        None
    }

    /// As if each line were an `Output` header, as it is in later protocols. Only the mark ends it: the output of a command may
    /// have blank lines, and lines that look like headers.
    fn take_output(&mut self, line: &str, is_cut: bool, limits: &Limits) {
        self.message.is_cut |= is_cut;
        if self.output == RawOutput::Awaited {
            if let Some((name, value)) = header(line).filter(|(name, _)| precedes_output(name)) {
                self.add(line.len(), limits, |headers| headers.push(name, value));
                return;
            }
            self.output = RawOutput::Running;
        }
        let last = line.strip_suffix(END_OF_OUTPUT);
        if last != Some("") {
            let line = last.unwrap_or(line);
            self.add(line.len(), limits, |headers| headers.push("Output", line));
        }
        if last.is_some() {
            self.output = RawOutput::None;
        }
    }

    fn add(&mut self, bytes: usize, limits: &Limits, change: impl FnOnce(&mut Headers)) {
        self.bytes = self.bytes.saturating_add(bytes);
        let headers = &mut self.message.headers;
        if self.bytes > limits.message_bytes_max || headers.len() >= limits.headers_max {
            self.message.is_cut = true;
        } else {
            change(headers);
        }
    }

    fn finish(&mut self) -> Message {
        let mut message = mem::take(self).message;
        message.headers.shrink();
        message
    }
}

/// A name, a colon, and a blank or nothing: Asterisk always writes them so.
fn header(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once(':')?;
    let value = if rest.is_empty() { rest } else { rest.strip_prefix(' ')? };
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then_some((name, value))
}

fn is_follows(name: &str, value: &str) -> bool {
    name.eq_ignore_ascii_case("Response") && value.eq_ignore_ascii_case("Follows")
}

fn precedes_output(name: &str) -> bool {
    name.eq_ignore_ascii_case("Privilege") || name.eq_ignore_ascii_case("ActionID")
}

fn banner(line: &str, is_cut: bool) -> Result<Banner, NoManager> {
    match line.strip_prefix(GREETING) {
        Some(version) if !is_cut => Ok(Banner { version: shown(version.trim()) }),
        Some(_) | None => Err(NoManager(shown(line))),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).flat_map(char::escape_default).collect()
}
