//! Prompts that a key can stop: STREAM FILE and GET OPTION in samples, CONTROL STREAM FILE in milliseconds.

use super::{Ending, Event, ascii};
use crate::phone::{channel::Channel, sounds::Sound};
use std::time::Duration;

/// STREAM FILE and GET OPTION.
#[derive(Debug)]
pub(in crate::phone) struct Play {
    pub(in crate::phone) sound: Sound,
    pub(in crate::phone) offset: u64,
    pub(in crate::phone) began: Duration,
    pub(in crate::phone) escape: String,
    /// GET OPTION: how long it waits after the prompt.
    pub(in crate::phone) wait: Option<Duration>,
    /// Set once it waits.
    pub(in crate::phone) waits_until: Option<Duration>,
}

/// CONTROL STREAM FILE. Positions are milliseconds.
#[derive(Debug)]
pub(in crate::phone) struct Control {
    pub(in crate::phone) length: i64,
    pub(in crate::phone) position: i64,
    /// Unset while paused.
    pub(in crate::phone) since: Option<Duration>,
    pub(in crate::phone) skip: i64,
    pub(in crate::phone) escape: String,
    pub(in crate::phone) forward: String,
    pub(in crate::phone) rewind: String,
    pub(in crate::phone) pause: String,
}

impl Play {
    pub(super) fn deadline(&self) -> Duration {
        self.waits_until.unwrap_or_else(|| {
            self.began + self.sound.time(self.sound.samples.saturating_sub(self.offset))
        })
    }

    fn position(&self, now: Duration) -> u64 {
        (self.offset + self.sound.samples_after(now.saturating_sub(self.began)))
            .min(self.sound.samples)
    }

    pub(super) fn on(
        &mut self,
        event: &Event,
        now: Duration,
        channel: &mut Channel,
    ) -> Option<Ending> {
        if self.waits_until.is_some() {
            return self.on_waiting(event);
        }
        let at = self.position(now);
        let ending = match event {
            Event::Key(key) if self.escape.contains(*key) => {
                Ending::ok(format!("{} endpos={at}", ascii(*key)))
            }
            Event::HangUp => Ending::failed(format!("-1 endpos={at}")),
            Event::Readable => Ending::silent(),
            Event::Time => match self.wait.filter(|wait| !wait.is_zero()) {
                Some(wait) => {
                    self.waits_until = Some(now + wait);
                    return None;
                }
                None => Ending::ok(format!("0 endpos={}", self.sound.samples)),
            },
            Event::Key(_) | Event::Text(_) => return None,
        };
        if self.wait.is_none() && *event != Event::Readable {
            channel.set("PLAYBACKSTATUS", if *event == Event::Time { "SUCCESS" } else { "FAILED" });
        }
        Some(ending)
    }

    /// GET OPTION after its prompt: whatever happens is reported as a key, or as 0.
    fn on_waiting(&self, event: &Event) -> Option<Ending> {
        let result = match event {
            Event::Key(key) if self.escape.contains(*key) => ascii(*key),
            Event::Key(_) | Event::HangUp | Event::Readable | Event::Time => 0,
            Event::Text(_) => return None,
        };
        Some(Ending::ok(format!("{result} endpos={}", self.sound.samples)))
    }
}

impl Control {
    pub(super) fn deadline(&self) -> Option<Duration> {
        let since = self.since?;
        Some(since + Duration::from_millis((self.length - self.position).max(0) as u64))
    }

    fn at(&self, now: Duration) -> i64 {
        let played =
            self.since.map_or(0, |since| now.saturating_sub(since).as_millis() as i64 / 20 * 20);
        (self.position + played).clamp(0, self.length)
    }

    fn seek(&mut self, to: i64, now: Duration) {
        self.position = to.clamp(0, self.length);
        if self.since.is_some() {
            self.since = Some(now);
        }
    }

    pub(super) fn on(
        &mut self,
        event: &Event,
        now: Duration,
        channel: &mut Channel,
    ) -> Option<Ending> {
        let at = self.at(now);
        match event {
            Event::Key(key) => self.on_key(*key, at, now, channel),
            Event::HangUp => {
                finish_control(channel, "ERROR", at);
                Some(Ending::failed(format!("-1 endpos={at}")))
            }
            Event::Time => {
                finish_control(channel, "SUCCESS", -1);
                Some(Ending::ok("0 endpos=-1"))
            }
            Event::Text(_) | Event::Readable => None,
        }
    }

    /// Moving keys win over escape digits; while paused only the pause key and escape digits count.
    fn on_key(
        &mut self,
        key: char,
        at: i64,
        now: Duration,
        channel: &mut Channel,
    ) -> Option<Ending> {
        if self.pause.contains(key) {
            self.position = at;
            self.since = if self.since.is_some() { None } else { Some(now) };
        } else if self.since.is_some() && self.forward.contains(key) {
            self.seek(at + self.skip, now);
        } else if self.since.is_some() && self.rewind.contains(key) {
            self.seek(at - self.skip, now);
        } else if self.escape.contains(key) {
            finish_control(channel, "USERSTOPPED", at);
            channel.set("CPLAYBACKSTOPKEY", &key.to_string());
            return Some(Ending::ok(format!("{} endpos={at}", ascii(key))));
        }
        None
    }
}

/// What CONTROL STREAM FILE leaves on the channel.
pub(in crate::phone) fn finish_control(channel: &mut Channel, status: &str, offset: i64) {
    channel.set("CPLAYBACKSTATUS", status);
    channel.set("CPLAYBACKOFFSET", &offset.to_string());
}
