//! The words of Asterisk's answers: what is awaited, and what came. What a reply means to a command is not known here.

mod reader;

pub use reader::Reader;

use bytes::Bytes;

/// An unguessable text around a value: 32 hex digits. A value that cannot know it cannot end before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark([u8; 32]);

impl Mark {
    /// From 128 random bits.
    pub fn new(random: u128) -> Self {
        let mut digits = [0; 32];
        for (place, digit) in digits.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(random >> (124 - 4 * place)) as usize & 15];
        }
        Self(digits)
    }

    /// Its digits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What the reader waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect<'a> {
    /// No command is at Asterisk: only HANGUP is legal.
    Nothing,
    /// One reply.
    Reply,
    /// As `Reply`, but a 200 whose value begins with the mark is read to the mark's second copy.
    Marked(&'a Mark),
    /// The rest of the reply before, up to the answer to the sync probe.
    Tail(&'a Mark),
}

/// The next thing that Asterisk said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// The line HANGUP, where it can be no part of a value.
    Hangup,
    /// A provisional reply, 100: the whole line, without its LF.
    Progress(Bytes),
    /// A whole reply.
    Reply(Reply),
    /// What stood before the probe's answer.
    Tail {
        /// Whole lines with their LF, without the probe's answer and without a genuine HANGUP line.
        text: Bytes,
        /// A genuine HANGUP line was its end.
        hangup: bool,
    },
    /// Fits nothing: the streams are out of step.
    Stray(Bytes),
}

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// 200.
    Success {
        /// After `result=`, up to the next space.
        result: Bytes,
        /// After that space.
        rest: Bytes,
        /// All of it, without the last LF.
        line: Bytes,
    },
    /// 510: no such command.
    Unknown(Bytes),
    /// 511: not on a dead channel.
    Dead(Bytes),
    /// 520: wrong usage; the lines are joined by LF.
    Usage(Bytes),
    /// Any other code.
    Other {
        /// Three digits.
        code: u16,
        /// All of it, without the LF.
        line: Bytes,
    },
}

/// One reply is longer than the bridge takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("asterisk sent a reply of more than {limit} bytes")]
pub struct Overflow {
    /// Bytes.
    pub limit: usize,
}

impl Reply {
    /// Reads a whole reply, without its last LF. `None`: it is none, as a HANGUP line or a value's second line.
    pub(super) fn parse(line: Bytes) -> Option<Self> {
        let (code, behind) = line.split_at_checked(3)?;
        if !code.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let code = code.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        let separator = *behind.first()?;
        match (code, separator) {
            (520, b' ' | b'-') => Some(Self::Usage(line)),
            (510, b' ') => Some(Self::Unknown(line)),
            (511, b' ') => Some(Self::Dead(line)),
            (200, b' ') if behind.starts_with(b" result=") => Some(Self::success(line)),
            (_, b' ') => Some(Self::Other { code, line }),
            (_, _) => None,
        }
    }

    /// `line` begins with `200 result=`.
    fn success(line: Bytes) -> Self {
        let start = b"200 result=".len();
        let length = line[start..].iter().position(|&byte| byte == b' ' || byte == b'\n');
        let end = length.map_or(line.len(), |length| start + length);
        let result = line.slice(start..end);
        let rest = if end < line.len() { line.slice(end + 1..) } else { Bytes::new() };
        Self::Success { result, rest, line }
    }

    /// All of it, without the last LF.
    pub fn line(&self) -> &Bytes {
        match self {
            Self::Success { line, .. } | Self::Other { line, .. } => line,
            Self::Unknown(line) | Self::Dead(line) | Self::Usage(line) => line,
        }
    }
}
