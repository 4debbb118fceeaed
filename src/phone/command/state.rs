//! Commands that are over at once: the channel's state, variables, the database, speech objects.

use super::World;
use crate::phone::{Gone, channel::Channel, expand, function, task::Ending, words};
use std::time::Duration;

/// Asterisk's buffer for GET VARIABLE, less its closing NUL.
const VARIABLE_MAX: usize = 1023;

/// 4 while it rings, 6 when up; no other channel exists here.
pub(super) fn channel_status(channel: &Channel, name: Option<&String>) -> Ending {
    Ending::ok(match name {
        Some(name) if *name != channel.name => -1,
        _ if channel.is_up => 6,
        _ => 4,
    })
}

/// Hangs up this channel; no other exists here.
pub(super) fn hangup(channel: &mut Channel, name: Option<&String>) -> Ending {
    if name.is_some_and(|name| *name != channel.name) {
        return Ending::ok(-1);
    }
    channel.hang_up(Gone::Server);
    Ending::ok(1)
}

/// A variable or a function, cut where Asterisk cuts it.
pub(super) fn get_variable(channel: &mut Channel, name: &str) -> Ending {
    let found = match name.strip_suffix(')') {
        Some(call) => call
            .split_once('(')
            .and_then(|(function, arguments)| function::read(channel, function, arguments)),
        None => channel.get(name),
    };
    value(found.map(|value| value.chars().take(VARIABLE_MAX).collect()))
}

/// An expression, expanded; 0 for a channel that does not exist.
pub(super) fn get_full_variable(
    channel: &mut Channel,
    text: &str,
    name: Option<&String>,
) -> Ending {
    if name.is_some_and(|name| *name != channel.name) {
        return Ending::ok(0);
    }
    Ending::ok(format!("1 ({})", expand::expand(channel, text)))
}

/// No argument changes nothing.
pub(super) fn set_caller_id(channel: &mut Channel, text: Option<&String>) -> Ending {
    if let Some(text) = text {
        (channel.caller_name, channel.number) = function::parse_caller_id(text);
    }
    Ending::ok(1)
}

/// No label exists here: only numbers are found.
pub(super) fn set_priority(channel: &mut Channel, text: &str) -> Option<Ending> {
    channel.go_to(None, None, words::integer(text)?);
    Some(Ending::ok(0))
}

/// 0 or less takes it back.
pub(super) fn set_auto_hangup(world: &mut World, text: &str) -> Option<Ending> {
    let seconds = words::decimal(text)?;
    let wait = Duration::try_from_secs_f64(seconds).ok().filter(|wait| !wait.is_zero());
    world.hangup_at = wait.and_then(|wait| world.now.checked_add(wait));
    Some(Ending::ok(0))
}

/// A word that begins with neither does nothing.
pub(super) fn set_music(world: &mut World, word: &str) -> Ending {
    let word = word.to_ascii_lowercase();
    if word.starts_with("on") {
        world.notes.push("hears music on hold".into());
    } else if word.starts_with("off") {
        world.notes.push("hears the music stop".into());
    }
    Ending::ok(0)
}

/// A WebSocket channel carries no text.
pub(super) fn send_text(channel: &Channel) -> Ending {
    if channel.technology() == "WebSocket" { Ending::failed(-1) } else { Ending::ok(0) }
}

/// An entry, or 0.
pub(super) fn database_get(channel: &Channel, key: &str) -> Ending {
    value(channel.database.get(key).cloned())
}

/// The other way round than its documentation has it: 0 when something went.
pub(super) fn database_del_tree(
    channel: &mut Channel,
    family: &str,
    tree: Option<&String>,
) -> Ending {
    Ending::ok(u8::from(channel.delete_tree(family, tree.map(String::as_str)) == 0))
}

/// One object a session, by the scenario's engine.
pub(super) fn speech_create(world: &mut World, engine: &str) -> Ending {
    let known = world.asterisk.speech.as_ref().map(|speech| words::from_people(&speech.engine));
    let created = !world.speech && known.is_some_and(|name| engine.is_empty() || engine == name);
    world.speech |= created;
    Ending::ok(u8::from(created))
}

fn value(found: Option<String>) -> Ending {
    found.map_or_else(|| Ending::ok(0), |value| Ending::ok(format!("1 ({value})")))
}
