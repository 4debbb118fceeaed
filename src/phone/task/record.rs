//! RECORD FILE: a beep, then a recording that a key, a limit, silence or a hangup ends. Nothing is written to disk.

use super::{Ending, Event, ascii};
use crate::{
    phone::sounds::{Sound, Sounds},
    scenario::Audio,
};
use std::time::Duration;

/// RECORD FILE.
#[derive(Debug)]
pub(in crate::phone) struct Record {
    pub(in crate::phone) file: String,
    pub(in crate::phone) rate: u32,
    pub(in crate::phone) escape: String,
    pub(in crate::phone) offset: u64,
    /// The beep plays until then, and recording begins.
    pub(in crate::phone) begins: Duration,
    pub(in crate::phone) beeping: bool,
    pub(in crate::phone) limit: Option<Duration>,
    pub(in crate::phone) silence: Option<Duration>,
    pub(in crate::phone) audio: Audio,
}

impl Record {
    pub(super) fn deadline(&self) -> Option<Duration> {
        if self.beeping {
            return Some(self.begins);
        }
        let silence = self.silence.filter(|_| self.audio == Audio::Silence);
        [self.limit, silence]
            .into_iter()
            .flatten()
            .min()
            .map(|wait| self.begins.saturating_add(wait))
    }

    pub(super) fn on(
        &mut self,
        event: &Event,
        now: Duration,
        sounds: &mut Sounds,
    ) -> Option<Ending> {
        let escaped = matches!(event, Event::Key(key) if self.escape.contains(*key));
        if self.beeping {
            let result = match event {
                Event::Key(key) if escaped => ascii(*key),
                Event::HangUp => -1,
                Event::Time => {
                    self.beeping = false;
                    // A limit of zero is over as it begins.
                    return if self.limit == Some(Duration::ZERO) {
                        self.on(event, now, sounds)
                    } else {
                        None
                    };
                }
                Event::Key(_) | Event::Text(_) | Event::Readable => return None,
            };
            let reply = format!("{result} (randomerror) endpos={}", self.offset);
            return Some(if result < 0 { Ending::failed(reply) } else { Ending::ok(reply) });
        }
        let lasted = now.saturating_sub(self.begins);
        match event {
            // The key's own sound is cut off.
            Event::Key(key) if escaped => {
                let at = self.store(lasted.saturating_sub(Duration::from_millis(200)), sounds);
                Some(Ending::ok(format!("{} (dtmf) endpos={at}", ascii(*key))))
            }
            Event::HangUp => {
                let at = self.store(lasted, sounds);
                Some(Ending::failed(format!("-1 (hangup) endpos={at}")))
            }
            Event::Time => {
                let at = self.store(lasted, sounds);
                Some(Ending::ok(format!("{} (timeout) endpos={at}", self.left_over(lasted))))
            }
            Event::Key(_) | Event::Text(_) | Event::Readable => None,
        }
    }

    /// 0 at the time limit; after silence Asterisk's reply shows how long it would still have waited.
    fn left_over(&self, lasted: Duration) -> u64 {
        match self.limit {
            Some(limit) if lasted >= limit => 0,
            Some(limit) => (limit - lasted).as_millis().saturating_sub(18) as u64,
            None => 99_981,
        }
    }

    fn store(&self, lasted: Duration, sounds: &mut Sounds) -> u64 {
        let heard = Sound { samples: 0, rate: self.rate }.samples_after(lasted);
        let samples = self.offset + if self.audio == Audio::None { 0 } else { heard };
        sounds.record(&self.file, Sound { samples, rate: self.rate });
        samples
    }
}
