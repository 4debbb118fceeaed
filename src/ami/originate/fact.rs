//! What one message of the manager says of an attempt. Knows names of events and headers, and not what follows from them.

use super::{Outcome, cause};

/// By what an attempt is known to Asterisk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// The `ChannelId` that the bridge chose.
    pub channel: String,
    /// The `ActionID` of the action; none when another process sent it.
    pub action: Option<String>,
}

/// What is known of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Asterisk has queued the call.
    Taken,
    /// Asterisk refused the action, with this text.
    Refused(String),
    /// There is a channel, of this name.
    Born(String),
    /// The channel calls.
    Dialled,
    /// This is how it ended, beyond doubt.
    Told(Outcome),
    /// The call was not answered; why is not said.
    Failed,
    /// The unanswered channel is gone.
    HungUp {
        /// ITU-T Q.850.
        cause: u32,
        /// The same, in words.
        text: String,
    },
    /// Events may be missing from now on: the link broke, or we were too slow.
    Lost,
    /// Events come again.
    Restored,
    /// The answer to [`Step::Query`](super::Step::Query).
    Found(State),
}

/// What Asterisk says of a channel when it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is no such channel now.
    Absent,
    /// It is there, and was not answered yet.
    Pending(String),
    /// It is there, and was answered.
    Up(String),
}

impl Fact {
    /// What an event says of the attempt with these ids. `header`: the first value of a header, in any case of its name.
    ///
    /// Events of a short call overtake each other, so each of them tells of the channel.
    pub fn of_event<'a>(ids: &Ids, header: impl Fn(&str) -> Option<&'a str>) -> Vec<Self> {
        let name = header("Event").unwrap_or_default();
        let (id, channel) = match name {
            "DialBegin" | "DialEnd" => ("DestUniqueid", header("DestChannel")),
            "Newchannel" | "Newstate" | "Hangup" => ("Uniqueid", header("Channel")),
            // Without success it names whom it was asked to call, and not a channel.
            "OriginateResponse" if header("Response") == Some("Success") => {
                ("Uniqueid", header("Channel"))
            }
            _ => ("Uniqueid", None),
        };
        if header(id) != Some(&*ids.channel) {
            return Vec::new();
        }
        let born = channel.map(|channel| Self::Born(channel.to_owned()));
        born.into_iter().chain(Self::besides(ids, name, header)).collect()
    }

    /// What else it says.
    fn besides<'a>(
        ids: &Ids,
        event: &str,
        header: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<Self> {
        let text = |name| header(name).unwrap_or_default();
        let number = |name| text(name).parse::<u32>().unwrap_or_default();
        match event {
            "Newstate" if text("ChannelStateDesc") == "Up" => Some(Self::Told(Outcome::Answered)),
            "DialBegin" => Some(Self::Dialled),
            "DialEnd" => cause::of_dial_status(text("DialStatus")).map(Self::Told),
            "Hangup" => Some(if text("ChannelStateDesc") == "Up" {
                Self::Told(Outcome::Answered)
            } else {
                let text = text("Cause-txt").to_owned();
                Self::HungUp { cause: number("Cause"), text }
            }),
            "OriginateResponse" => {
                if text("Response") == "Success" {
                    return Some(Self::Told(Outcome::Answered));
                }
                if let Some(outcome) = cause::of_reason(number("Reason")) {
                    return Some(Self::Told(outcome));
                }
                // Asterisk says the same of a second attempt with the id of a channel that lives.
                (header("ActionID") == ids.action.as_deref()).then_some(Self::Failed)
            }
            _ => None,
        }
    }
}
