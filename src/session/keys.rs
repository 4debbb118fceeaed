//! Keys that Asterisk's manager presses on a call's channel, to stop the command there.
//!
//! Which of several Asterisks has the channel is not known: all are asked, by the channel's unique id, and those that do not have it say so.

use crate::{
    agi::Key,
    ami::{Action, Link, Links, SendError},
    call::Pressed,
    telemetry::trace::TraceContext,
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use std::time::Duration;

/// An Asterisk that takes longer is too busy to stop anything at the right moment.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Presses `key` on the channel of this unique id.
pub(super) async fn press(links: Links, channel: String, key: Key, trace: TraceContext) -> Pressed {
    let Some(action) = action(&channel, key) else { return Pressed::No };
    let links: Vec<Link> = links.all().into_iter().filter(|it| it.state().connected).collect();
    let mut asked: FuturesUnordered<_> =
        links.iter().map(|link| link.send(action.clone(), ANSWER_TIMEOUT, Some(&trace))).collect();
    let mut pressed = Pressed::No;
    while let Some(answer) = asked.next().await {
        match answer {
            Ok(reply) if reply.is_success() => return Pressed::Yes,
            Ok(_)
            | Err(
                SendError::NotConnected { .. } | SendError::Refused(_) | SendError::Busy { .. },
            ) => {}
            Err(SendError::Lost { .. } | SendError::TimedOut { .. }) => pressed = Pressed::Perhaps,
        }
    }
    pressed
}

/// None for a channel whose id no action can hold.
fn action(channel: &str, key: Key) -> Option<Action> {
    let headers = [("Channel", channel), ("Digit", key.digit()), ("Receive", "true")];
    let action = Action::new("PlayDTMF").ok().filter(|_| !channel.is_empty())?;
    headers.iter().try_fold(action, |action, (name, value)| action.header(name, value).ok())
}
