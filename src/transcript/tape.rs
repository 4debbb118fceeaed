//! A call as it is written down while it runs, within a bound. Knows no clock: `now` counts from the beginning of the call.

use super::{
    ASTERISK_CLOSES, CUT, SERVER_CLOSES, TITLE, text,
    wire::{self, Wire},
};
use crate::{agi::Prelude, redact::Redact};
use std::time::Duration;
use uuid::Uuid;

/// Shorter pauses are not written: they say how busy the machine was.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// What was said so far, as its route allows it to be kept.
#[derive(Debug)]
pub struct Tape {
    wire: Wire,
    body: String,
    bytes_max: usize,
    /// Of the last line.
    last: Duration,
    /// What came of a line of Asterisk whose end has not come.
    partial: Vec<u8>,
    /// Nothing more is written down.
    is_cut: bool,
    server_closed: bool,
}

/// What stands above it, once the call is over.
#[derive(Debug)]
pub struct Head<'a> {
    /// Names the call everywhere.
    pub call_id: Uuid,
    /// The name of the route that it began on, and its path.
    pub route: (&'a str, &'a str),
    /// When the connection was accepted.
    pub began: &'a pbjson_types::Timestamp,
    /// How long it was.
    pub lasted: Duration,
    /// What Asterisk sent first.
    pub prelude: &'a Prelude,
    /// For people: how it ended.
    pub ended: &'a str,
}

impl Tape {
    /// Nothing was said yet. At most about `bytes_max` will be kept.
    pub fn new(redact: Redact, bytes_max: usize) -> Self {
        Self {
            wire: Wire::new(redact),
            body: String::new(),
            bytes_max,
            last: Duration::ZERO,
            partial: Vec::new(),
            is_cut: false,
            server_closed: false,
        }
    }

    /// The call went to a route that masks this.
    pub fn mask(&mut self, redact: Redact) {
        self.wire.mask(redact);
    }

    /// The call went to a route that keeps no transcripts.
    pub fn cut(&mut self) {
        if !self.is_cut {
            self.is_cut = true;
            self.partial = Vec::new();
            self.body.push_str(&format!("-- {CUT}\n"));
        }
    }

    /// Lines went to Asterisk: one, or several as the last thing.
    pub fn written(&mut self, bytes: &[u8], now: Duration) {
        for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            if self.is_cut {
                return;
            }
            let text = self.wire.command(line);
            self.line("A<", &text, now);
        }
    }

    /// Bytes came from Asterisk.
    pub fn heard(&mut self, bytes: &[u8], now: Duration) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.is_cut {
                return;
            }
            if self.partial.len() + piece.len() > self.bytes_max {
                return self.cut();
            }
            match piece.strip_suffix(b"\n") {
                None => self.partial.extend_from_slice(piece),
                Some(end) if self.partial.is_empty() => self.said(end, now),
                Some(end) => {
                    let mut line = std::mem::take(&mut self.partial);
                    line.extend_from_slice(end);
                    self.said(&line, now);
                }
            }
        }
    }

    /// The bridge ended the session.
    pub fn server_closed(&mut self, now: Duration) {
        if !std::mem::replace(&mut self.server_closed, true) {
            self.line("--", SERVER_CLOSES, now);
        }
    }

    /// Asterisk closed, or the connection broke.
    pub fn asterisk_closed(&mut self, now: Duration) {
        if !self.partial.is_empty() {
            let line = std::mem::take(&mut self.partial);
            self.said(&line, now);
        }
        self.line("--", ASTERISK_CLOSES, now);
    }

    /// The whole transcript.
    pub fn finish(self, head: &Head<'_>) -> String {
        let Head { call_id, route: (route, path), began, lasted, prelude, ended } = head;
        let redact = self.wire.redact();
        let began = serde_json::to_value(began).unwrap_or_default();
        let began = began.as_str().unwrap_or_default();
        let mut text = format!(
            "{TITLE}\ncall: {call_id}\nroute: {route}\nbegan: {began}\nlasted: {:.3}s\n",
            lasted.as_secs_f64()
        );
        let masked: Vec<&str> = redact.words().collect();
        if !masked.is_empty() {
            text.push_str(&format!("masked: {}\n", masked.join(", ")));
        }
        text.push_str(&format!("ended: {}\n\n", text::encode(ended.as_bytes(), None)));
        for (key, value) in wire::prelude(prelude, path, redact) {
            text.push_str(&format!("A> {key}: {value}\n"));
        }
        text.push_str("A>\n");
        text.push_str(&self.body);
        text
    }

    fn said(&mut self, line: &[u8], now: Duration) {
        let text = self.wire.said(line);
        self.line("A>", &text, now);
    }

    fn line(&mut self, sign: &str, text: &str, now: Duration) {
        if self.is_cut {
            return;
        }
        if self.body.len() + text.len() > self.bytes_max {
            return self.cut();
        }
        let pause = now.saturating_sub(self.last);
        self.last = now;
        if pause >= PAUSE_MIN {
            // Rounded down: what Asterisk said by itself is never played later than it came.
            let hundredths = pause.as_millis() / 10;
            self.body.push_str(&format!("-- {}.{:02}s\n", hundredths / 100, hundredths % 100));
        }
        self.body.push_str(&format!("{sign} {text}\n"));
    }
}
