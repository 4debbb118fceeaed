//! EXEC Dial, whose fate the scenario decides.

use super::{Ending, Event};
use crate::{phone::channel::Channel, scenario::Dial};
use std::time::Duration;

/// EXEC Dial.
#[derive(Debug)]
pub(in crate::phone) struct DialTask {
    pub(in crate::phone) fate: Dial,
    pub(in crate::phone) began: Duration,
    pub(in crate::phone) limit: Option<Duration>,
    pub(in crate::phone) answered: Option<Duration>,
    /// Option `g`: the dialplan goes on after the talk.
    pub(in crate::phone) goes_on: bool,
}

impl DialTask {
    pub(super) fn deadline(&self) -> Option<Duration> {
        match (&self.fate, self.answered) {
            (Dial::Answered { talk, .. }, Some(answered)) => Some(answered + talk.0),
            (Dial::Answered { ring, .. }, None) => {
                Some(self.began + self.limit.unwrap_or(ring.0).min(ring.0))
            }
            (Dial::Noanswer, _) => self.limit.map(|limit| self.began + limit),
            (Dial::Busy | Dial::Chanunavail, _) => Some(self.began),
        }
    }

    pub(super) fn on(
        &mut self,
        event: &Event,
        now: Duration,
        channel: &mut Channel,
    ) -> Option<Ending> {
        match event {
            Event::HangUp => {
                let status = if self.answered.is_some() { "ANSWER" } else { "CANCEL" };
                Some(self.finish(status, -1, now, channel))
            }
            Event::Time => match (&self.fate, self.answered) {
                (Dial::Answered { .. }, Some(_)) => {
                    let result = if self.goes_on { 0 } else { -1 };
                    Some(self.finish("ANSWER", result, now, channel))
                }
                (Dial::Answered { ring, .. }, None)
                    if self.limit.is_none_or(|limit| limit >= ring.0) =>
                {
                    channel.is_up = true;
                    self.answered = Some(now);
                    None
                }
                (Dial::Answered { .. } | Dial::Noanswer, _) => {
                    Some(self.finish("NOANSWER", 0, now, channel))
                }
                (Dial::Busy, _) => Some(self.finish("BUSY", 0, now, channel)),
                (Dial::Chanunavail, _) => Some(self.finish("CHANUNAVAIL", 0, now, channel)),
            },
            Event::Key(_) | Event::Text(_) | Event::Readable => None,
        }
    }

    fn finish(&self, status: &str, result: i32, now: Duration, channel: &mut Channel) -> Ending {
        channel.set("DIALSTATUS", status);
        let talked = self.answered.map(|answered| (now - answered).as_secs().to_string());
        channel.set("ANSWEREDTIME", &talked.unwrap_or_default());
        channel.set("DIALEDTIME", &(now - self.began).as_secs().to_string());
        Ending::ok(result)
    }
}
