//! The facts of one attempt, and what follows from them.

use super::{Fact, Outcome, State, cause};
use std::time::Duration;

/// Once Asterisk said that a call failed, what it still has to say of it comes within this.
const SETTLE: Duration = Duration::from_millis(500);
/// The same, when nothing else was heard of its channel yet: a failure overtakes all else that a busy Asterisk has to say.
const SETTLE_UNHEARD: Duration = Duration::from_secs(3);
/// After the ringing should be over, how long Asterisk has to say what came of it; a link that broke comes back within this,
/// or never.
const GRACE: Duration = Duration::from_secs(30);
/// An action that was written before the link broke may be done as late as this after the link is back.
const ABSENT: Duration = Duration::from_secs(2);

/// One attempt to start a call, from the writing of the action on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Then it is given up: the outcome stays unknown.
    deadline: Duration,
    taken: bool,
    refused: Option<String>,
    channel: Option<String>,
    dialled: bool,
    told: Option<Outcome>,
    /// Since when it is known that nobody answered.
    failed: Option<Duration>,
    hung_up: Option<(u32, String)>,
    gap: Gap,
}

/// Whether events may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    None,
    /// No events come.
    Open,
    /// They come again; Asterisk must be asked what is now.
    Unasked,
    Asked,
    /// Asterisk had no such channel, at that moment.
    Absent(Duration),
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Wait for a fact, or until then.
    Wait(Duration),
    /// Ask Asterisk for the channel, and tell the answer as [`Fact::Found`]; when it cannot be asked, [`Fact::Lost`].
    Query,
    /// It is decided.
    Done(Verdict),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// As the contract has it.
    pub outcome: Outcome,
    /// Name of the channel; empty when there was none, or none was seen.
    pub channel: String,
    /// For people; empty when there is nothing to explain.
    pub detail: String,
}

impl Attempt {
    /// An attempt whose action is written at `now`.
    pub fn new(now: Duration, ring_timeout: Duration) -> Self {
        Self {
            deadline: now + ring_timeout + GRACE,
            taken: false,
            refused: None,
            channel: None,
            dialled: false,
            told: None,
            failed: None,
            hung_up: None,
            gap: Gap::None,
        }
    }

    /// An attempt of an earlier process, which may have been written or not, and of which nothing else is known.
    pub fn resumed(now: Duration, ring_timeout: Duration) -> Self {
        Self { gap: Gap::Unasked, ..Self::new(now, ring_timeout) }
    }

    /// Notes a fact.
    pub fn handle(&mut self, fact: Fact, now: Duration) {
        match fact {
            Fact::Taken => self.taken = true,
            Fact::Refused(why) => self.refused = Some(why),
            Fact::Born(channel) => self.channel = Some(channel),
            Fact::Dialled => self.dialled = true,
            Fact::Told(outcome) => self.tell(outcome),
            Fact::Failed => {
                self.failed.get_or_insert(now);
            }
            Fact::HungUp { cause, text } => {
                if let Some(outcome) = cause::of_hangup(cause) {
                    self.tell(outcome);
                }
                self.hung_up = Some((cause, text));
                // It may have come long after, and something else right behind it.
                self.failed = self.failed.map(|_| now);
            }
            Fact::Lost => self.gap = Gap::Open,
            Fact::Restored => {
                if self.gap == Gap::Open {
                    self.gap = Gap::Unasked;
                }
            }
            Fact::Found(state) => self.found(state, now),
        }
    }

    /// Whether Asterisk took the call, whatever became of it.
    pub fn is_taken(&self) -> bool {
        self.taken || self.channel.is_some() || self.told.is_some() || self.failed.is_some()
    }

    /// What is to be done now.
    pub fn poll(&mut self, now: Duration) -> Step {
        if let Some(outcome) = self.told {
            return Step::Done(self.verdict(outcome, self.cause_text()));
        }
        if let Some(why) = &self.refused {
            let why = if why.is_empty() { "Asterisk refused the action" } else { why };
            return Step::Done(self.verdict(Outcome::Refused, why.to_owned()));
        }
        if self.gap == Gap::Unasked {
            self.gap = Gap::Asked;
            return Step::Query;
        }
        let until = match (self.failed, self.gap) {
            (_, Gap::Absent(since)) => self.deadline.min(since + ABSENT),
            (Some(since), _) if self.channel.is_none() => self.deadline.min(since + SETTLE_UNHEARD),
            // Without its hangup an existing channel may have failed for any reason.
            (Some(since), _) if self.hung_up.is_some() => self.deadline.min(since + SETTLE),
            _ => self.deadline,
        };
        if now < until { Step::Wait(until) } else { Step::Done(self.by_what_is_missing()) }
    }

    /// What was answered was answered, however it ended.
    fn tell(&mut self, outcome: Outcome) {
        if self.told.is_none() || outcome == Outcome::Answered {
            self.told = Some(outcome);
        }
    }

    /// A channel that is there was asked for by this attempt: nobody else has its id.
    fn found(&mut self, state: State, now: Duration) {
        match state {
            State::Up(channel) => {
                self.channel = Some(channel);
                self.tell(Outcome::Answered);
            }
            State::Pending(channel) => self.channel = Some(channel),
            State::Absent if self.gap == Gap::Asked => self.gap = Gap::Absent(now),
            // The link broke again since it was asked.
            State::Absent => {}
        }
    }

    fn by_what_is_missing(&self) -> Verdict {
        let lost = self.gap != Gap::None;
        let (outcome, detail) = match (self.failed, &self.channel, &self.hung_up) {
            _ if lost => (
                Outcome::Unknown,
                "the link to Asterisk broke before it said what came of the call",
            ),
            (Some(_), None, _) => (Outcome::Refused, "no such device, or it cannot be reached"),
            (Some(_), Some(_), Some(_)) if !self.dialled => (Outcome::Refused, "no such extension"),
            (Some(_), Some(_), Some(_)) => (Outcome::Failed, "it was ended before it was answered"),
            (Some(_) | None, _, _) => {
                (Outcome::Unknown, "Asterisk did not say in time what came of the call")
            }
        };
        self.verdict(outcome, detail.to_owned())
    }

    fn cause_text(&self) -> String {
        let text = self.hung_up.as_ref().map(|(cause, text)| format!("{text} (cause {cause})"));
        text.unwrap_or_default()
    }

    fn verdict(&self, outcome: Outcome, detail: String) -> Verdict {
        let channel = self.channel.clone().unwrap_or_default();
        Verdict { outcome, channel, detail }
    }
}
