//! Commands that steer the call itself.

use super::{
    Draft,
    argument::{Unit, duration},
};
use crate::{
    agi::{
        outcome::Kind,
        words::{InvalidArgument, Line},
    },
    proto::{
        GetChannelStatus, HangUp, Noop, SetAutoHangup, SetCallerId, SetContext, SetExtension,
        SetMusic, SetPriority, TddMode, Verbose, tdd_mode::Mode,
    },
};

/// Asterisk copies the caller id into 256 bytes.
const CALLER_ID_BYTES_MAX: usize = 255;
const VERBOSE_LEVEL_MAX: u32 = 4;

type Result<T = Draft> = std::result::Result<T, InvalidArgument>;

pub(super) fn answer() -> Draft {
    Draft::new(Kind::Action, Line::new("ANSWER"))
}

pub(super) fn async_agi_break() -> Draft {
    Draft::new(Kind::Plain, Line::new("ASYNCAGI BREAK"))
}

pub(super) fn channel_status(command: &GetChannelStatus) -> Result {
    let line = Line::new("CHANNEL STATUS").optional("channel_status.channel", &command.channel)?;
    Ok(Draft::new(Kind::ChannelStatus, line))
}

pub(super) fn hang_up(command: &HangUp) -> Result {
    let line = Line::new("HANGUP").optional("hang_up.channel", &command.channel)?;
    Ok(Draft::new(Kind::HangUp { own: command.channel.is_empty() }, line))
}

pub(super) fn noop(command: &Noop) -> Result {
    plain(Line::new("NOOP").optional("noop.text", &command.text)?)
}

/// Unset and zero both cancel it.
pub(super) fn set_auto_hangup(command: &SetAutoHangup) -> Result {
    let after = duration("set_auto_hangup.after", command.after.as_ref(), Unit::Seconds)?;
    plain(Line::new("SET AUTOHANGUP").number(after.unwrap_or(0)))
}

/// Asterisk looks for the first quotes and angle brackets and knows no escape for them.
pub(super) fn set_caller_id(command: &SetCallerId) -> Result {
    let SetCallerId { name, number } = command;
    check_caller_id("set_caller_id.name", name)?;
    check_caller_id("set_caller_id.number", number)?;
    if name.len() + number.len() + "\"\" <>".len() > CALLER_ID_BYTES_MAX {
        let field =
            if name.len() > number.len() { "set_caller_id.name" } else { "set_caller_id.number" };
        let problem =
            format_args!("is too long: Asterisk keeps {CALLER_ID_BYTES_MAX} bytes of a caller id");
        return Err(InvalidArgument::new(field, problem));
    }
    let pieces = [b"\"", name.as_bytes(), b"\" <", number.as_bytes(), b">"];
    plain(Line::new("SET CALLERID").pieces("set_caller_id.name", &pieces)?)
}

fn check_caller_id(field: &str, text: &str) -> Result<()> {
    text.bytes().try_for_each(|byte| crate::agi::words::check_byte(field, byte))?;
    if text.contains(['"', '<', '>', '\\']) {
        let problem = "may hold no quote, backslash or angle bracket; set_variable of CALLERID(name) takes them";
        return Err(InvalidArgument::new(field, problem));
    }
    Ok(())
}

pub(super) fn set_context(command: &SetContext) -> Result {
    plain(Line::new("SET CONTEXT").required("set_context.context", &command.context)?)
}

pub(super) fn set_extension(command: &SetExtension) -> Result {
    plain(Line::new("SET EXTENSION").required("set_extension.extension", &command.extension)?)
}

pub(super) fn set_music(command: &SetMusic) -> Result {
    let line = Line::new("SET MUSIC").word(if command.on { "on" } else { "off" });
    plain(line.optional("set_music.music_class", &command.music_class)?)
}

pub(super) fn set_priority(command: &SetPriority) -> Result {
    plain(Line::new("SET PRIORITY").required("set_priority.priority", &command.priority)?)
}

pub(super) fn tdd_mode(command: &TddMode) -> Result {
    let mode = match Mode::try_from(command.mode) {
        Ok(Mode::Off) => "off",
        Ok(Mode::On) => "on",
        Ok(Mode::Mate) => "mate",
        Ok(Mode::Unspecified) | Err(_) => {
            return Err(InvalidArgument::new("tdd_mode.mode", "is not set"));
        }
    };
    let problem = "the channel does not support TDD";
    Ok(Draft::new(Kind::Positive(problem), Line::new("TDD MODE").word(mode)))
}

pub(super) fn verbose(command: &Verbose) -> Result {
    if command.level > VERBOSE_LEVEL_MAX {
        let problem = format_args!("is above {VERBOSE_LEVEL_MAX}");
        return Err(InvalidArgument::new("verbose.level", problem));
    }
    let line = Line::new("VERBOSE").text("verbose.text", &command.text)?;
    plain(line.number(i64::from(command.level.max(1))))
}

fn plain(line: Line) -> Result {
    Ok(Draft::new(Kind::Plain, line))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_lines, check_refused};

    #[test]
    fn lines_that_steer_the_call() {
        check_lines(&[
            (r#"{"answer":{}}"#, "ANSWER"),
            (r#"{"asyncAgiBreak":{}}"#, "ASYNCAGI BREAK"),
            (r#"{"channelStatus":{}}"#, "CHANNEL STATUS"),
            (r#"{"channelStatus":{"channel":"SIP/1"}}"#, r#"CHANNEL STATUS "SIP/1""#),
            (r#"{"hangUp":{}}"#, "HANGUP"),
            (r#"{"hangUp":{"channel":"a b"}}"#, r#"HANGUP "a b""#),
            (r#"{"noop":{}}"#, "NOOP"),
            (r#"{"noop":{"text":"\"hi\""}}"#, r#"NOOP "\"hi\"""#),
            (r#"{"setAutoHangup":{}}"#, r#"SET AUTOHANGUP "0""#),
            (r#"{"setAutoHangup":{"after":"1.2s"}}"#, r#"SET AUTOHANGUP "2""#),
            (
                r#"{"setCallerId":{"name":"Bob Smith","number":"123"}}"#,
                r#"SET CALLERID "\"Bob Smith\" <123>""#,
            ),
            (r#"{"setCallerId":{}}"#, r#"SET CALLERID "\"\" <>""#),
            (r#"{"setContext":{"context":"c"}}"#, r#"SET CONTEXT "c""#),
            (r#"{"setExtension":{"extension":"e"}}"#, r#"SET EXTENSION "e""#),
            (r#"{"setPriority":{"priority":"label"}}"#, r#"SET PRIORITY "label""#),
            (r#"{"setMusic":{}}"#, r#"SET MUSIC "off""#),
            (r#"{"setMusic":{"on":true,"musicClass":"jazz"}}"#, r#"SET MUSIC "on" "jazz""#),
            (r#"{"tddMode":{"mode":"MODE_OFF"}}"#, r#"TDD MODE "off""#),
            (r#"{"tddMode":{"mode":"MODE_ON"}}"#, r#"TDD MODE "on""#),
            (r#"{"tddMode":{"mode":"MODE_MATE"}}"#, r#"TDD MODE "mate""#),
            (r#"{"verbose":{"text":"failure"}}"#, r#"VERBOSE "failure" "1""#),
            (r#"{"verbose":{"text":"","level":4}}"#, r#"VERBOSE "" "4""#),
        ]);
    }

    #[test]
    fn faults_name_their_field() {
        let long = format!(r#"{{"setCallerId":{{"name":"{}"}}}}"#, "x".repeat(251));
        check_refused(&[
            (r#"{"setAutoHangup":{"after":"-1s"}}"#, "set_auto_hangup.after: is negative"),
            (r#"{"setCallerId":{"name":"a\"b"}}"#, "set_caller_id.name: may hold no quote"),
            (r#"{"setCallerId":{"number":"1>"}}"#, "set_caller_id.number: may hold no quote"),
            (r#"{"setCallerId":{"number":"1\n"}}"#, "set_caller_id.number: holds LF"),
            (&long, "set_caller_id.name: is too long"),
            (r#"{"setContext":{}}"#, "set_context.context: is empty"),
            (r#"{"setExtension":{"extension":"\r"}}"#, "set_extension.extension: holds CR"),
            (r#"{"setPriority":{}}"#, "set_priority.priority: is empty"),
            (r#"{"setMusic":{"musicClass":"\u0000"}}"#, "set_music.music_class: holds NUL"),
            (r#"{"tddMode":{}}"#, "tdd_mode.mode: is not set"),
            (r#"{"verbose":{"text":"x","level":5}}"#, "verbose.level: is above 4"),
            (r#"{"hangUp":{"channel":"\n"}}"#, "hang_up.channel: holds LF"),
            (r#"{"noop":{"text":"\n"}}"#, "noop.text: holds LF"),
        ]);
    }
}
